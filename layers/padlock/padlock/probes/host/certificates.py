"""The files of ssl_certificate and ssl_certificate_key (checklist step 9). The private key never left the host."""

import base64
import binascii
import re
from typing import cast

from padlock.evidence import Certificate
from padlock.evidence.host import CertificateFile, FileFault
from padlock.network.failure import printable
from padlock.probes.certificates import parse
from padlock.probes.host.document import Document, when

_PAIRS = 200
_PATH_KEPT = 1_000
_PEM_CHARACTERS = 64_000
_PEM = re.compile(r"-----BEGIN (?:X509 )?CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END (?:X509 )?CERTIFICATE-----")
_FAULTS = ("missing", "unreadable", "malformed")
_MATCHES = {"yes": True, "no": False}


def files(document: Document) -> tuple[CertificateFile, ...] | None:
    """Return each pair of files; None where that was not collected."""
    section = document.succeeded("certificates")
    if section is None:
        return None
    rows = [row for row in section.rows(8) if row[0]][:_PAIRS]
    return tuple(_file((*row, "")) for row in rows)


def _file(row: tuple[str, ...]) -> CertificateFile:
    path, key_path, real_path, modified, key_modified, fault, key_fault, matches, pem = row[:9]
    leaf = _leaf(pem)
    said = _fault(fault) or ("malformed" if leaf and leaf.malformed and not leaf.not_after else "")
    return CertificateFile(
        path=printable(path, _PATH_KEPT),
        key_path=printable(key_path, _PATH_KEPT),
        real_path=printable(real_path, _PATH_KEPT),
        modified=when(modified),
        key_modified=when(key_modified),
        fault=said,
        key_fault=_fault(key_fault),
        key_matches=_MATCHES.get(matches),
        certificate=None if said else leaf,
    )


def _fault(word: str) -> FileFault:
    return cast("FileFault", word) if word in _FAULTS else ""


def _leaf(pem: str) -> Certificate | None:
    found = _PEM.search(pem[:_PEM_CHARACTERS])
    if found is None:
        return None
    try:
        return parse(base64.b64decode("".join(found[1].split()), validate=True))
    except (binascii.Error, ValueError):
        return None
