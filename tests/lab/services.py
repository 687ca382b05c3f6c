"""What the lab's authority and a log search say of the certificates that it issued, as files that nginx serves.

`acme.ca.test` is the ACME server of the authority that calls itself Let's Encrypt: Let's Encrypt's directory, and
renewal information as the standard shows it (RFC 9773). `logs.ca.test` answers as crt.sh does. The answers are
captured ones, with the lab's names, dates and numbers.
"""

import base64
import datetime as dt
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography import x509

from tests import captured
from tests.lab.pki import Leaf, Pki

ACME, LOGS = "acme.ca.test", "logs.ca.test"
NAMES = (ACME, LOGS)
DIRECTORY, SEARCH = f"https://{ACME}/directory", f"https://{LOGS}/search"
PLACE = "draft-ietf-acme-ari-03/renewalInfo"
"""Where the captured directory has renewal information."""
_NOTHING = "none"


def write(directory: Path, pki: Pki) -> None:
    """Write the directory, a window for each certificate, and what the logs hold for each site."""
    for folder in (PLACE, "logs"):
        (directory / folder).mkdir(parents=True)
    (directory / "directory").write_text(captured.text("acme-directory.json", {"acme-v02.api.letsencrypt.org": ACME}))
    (directory / "logs" / _NOTHING).write_text("[]")
    for leaf, certificate in pki.logged:
        information = _information(pki.now, leaf, certificate)
        (directory / PLACE / _identifier(certificate)).write_text(json.dumps(information))
        names = _names(certificate)
        entries = [_entry(certificate, names)]
        if leaf.renewed is not None:
            made = pki.now - dt.timedelta(days=leaf.renewed)
            serial = {"serial_number": f"{certificate.serial_number + 1:x}"}
            newer = {**entries[0], **_times(made, made + dt.timedelta(days=90)), **serial}
            entries += [newer, newer]  # the certificate and its precertificate
        (directory / "logs" / names[0]).write_text(json.dumps(entries))


def _identifier(certificate: x509.Certificate) -> str:
    """Return the name that RFC 9773 section 4.1 gives a certificate."""
    key = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier or b""
    number = certificate.serial_number
    serial = number.to_bytes(number.bit_length() // 8 + 1, signed=True)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (key, serial))


def _information(now: dt.datetime, leaf: Leaf, certificate: x509.Certificate) -> Mapping[str, object]:
    """Return the window of Boulder: a hundredth of the lifetime around its renewal point, or where it was moved."""
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    point = certificate.not_valid_after_utc - life / (3 if life >= dt.timedelta(days=10) else 2)
    told: dict[str, object] = json.loads(captured.text("acme-renewal-info.json"))
    hour = dt.timedelta(hours=1)
    start, end = (now - hour, now - hour / 2) if leaf.wanted_now else (point - life / 100, point + life / 100)
    told["suggestedWindow"] = {"start": _rfc3339(start), "end": _rfc3339(end)}
    if not leaf.wanted_now:
        del told["explanationURL"]  # Boulder gives a reason in an incident only
    return told


def _rfc3339(moment: dt.datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _names(certificate: x509.Certificate) -> list[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.DNSName)


def _times(start: dt.datetime, end: dt.datetime) -> Mapping[str, str]:
    return {"not_before": f"{start:%Y-%m-%dT%H:%M:%S}", "not_after": f"{end:%Y-%m-%dT%H:%M:%S}"}


def _entry(certificate: x509.Certificate, names: Iterable[str]) -> Mapping[str, object]:
    """Return crt.sh's first captured entry with what this certificate has instead."""
    issuer = ", ".join(f"{attribute.rfc4514_attribute_name}={attribute.value!s}" for attribute in certificate.issuer)
    listed = list(names)
    return {
        **json.loads(captured.text("crtsh.json"))[0],
        "issuer_name": issuer,
        "common_name": listed[0],
        "name_value": "\n".join(listed),
        **_times(certificate.not_valid_before_utc, certificate.not_valid_after_utc),
        "serial_number": f"{certificate.serial_number:x}",
    }
