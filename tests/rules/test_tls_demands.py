"""Client certificates that are demanded by servers which speak obsolete versions as well."""

from padlock import evidence as ev
from padlock.findings import Severity

from tests.evidence_builder import codes, fires, healthy, with_handshakes, with_obsolete


def test_a_demand_over_todays_tls_is_no_sign_of_obsolete_versions_only() -> None:
    """A handshake that broke over the missing certificate had agreed on a version before."""
    refused = with_handshakes(
        healthy(),
        failure=ev.Failure("alert", "handshake_failure"),
        confirmed=True,
        client_certificate=True,
        alpn="",
        protocol="",
    )
    evidence = with_obsolete(refused, "TLSv1")
    finding = fires("tls.obsolete_protocol", evidence)
    assert (finding.severity, "nothing newer" in finding.observed) == (Severity.WARNING, False)
    assert "tls.client_certificate_required" in codes(evidence)
    assert "tls.handshake_failed" not in codes(evidence)
