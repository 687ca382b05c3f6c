"""Handshakes that OpenSSL makes and browsers cannot."""

import pytest
from padlock.findings import Severity

from tests.evidence_builder import fires, healthy, silent, with_handshakes


def test_nothing_for_browsers() -> None:
    """It counts as a handshake that fails, and says what is there instead."""
    seen = with_handshakes(
        healthy(), browsers="the alert handshake_failure", protocol="TLSv1.2", cipher="DHE-RSA-AES128-GCM-SHA256"
    )
    finding = fires("tls.handshake_failed", seen)
    assert finding.severity is Severity.ERROR
    assert "browsers meet the alert handshake_failure" in finding.observed
    assert "TLSv1.2 with DHE-RSA-AES128-GCM-SHA256" in finding.observed
    assert "ssl_ciphers" in finding.remediation


@pytest.mark.parametrize("protocol", ["TLSv1.2", "TLSv1.3"])
def test_enough_for_browsers(protocol: str) -> None:
    """A handshake that browsers make too is fine, whatever its version."""
    silent("tls.handshake_failed", with_handshakes(healthy(), protocol=protocol))
