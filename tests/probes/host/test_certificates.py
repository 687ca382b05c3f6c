"""The files of certificates and keys, whose public parts the collector compared."""

import ssl
from datetime import UTC, datetime

import pytest
from padlock.evidence.host import CertificateFile
from padlock.probes.host import read

from tests.issuers import Issuer
from tests.probes.host.documents import document, section

PATHS = "/etc/a/fullchain.pem\t/etc/a/privkey.pem"


def pem(der: bytes) -> str:
    """Return a certificate as the collector's field has it."""
    return ssl.DER_cert_to_PEM_cert(der).replace("\n", "\\n")


def files(*rows: str) -> list[CertificateFile]:
    """Return what is read of these lines."""
    found = read(document(section("certificates", "\n".join(rows)))).certificates
    assert found is not None
    return list(found)


def test_a_good_pair() -> None:
    """Paths, where the link leads, times, whether the key fits, and the leaf."""
    (found,) = files(
        f"{PATHS}\t/etc/archive/fullchain1.pem\t1795250000.25\t1795250001\t\t\tyes\t{pem(Issuer('R').leaf())}"
    )
    assert (found.path, found.key_path) == ("/etc/a/fullchain.pem", "/etc/a/privkey.pem")
    assert found.real_path == "/etc/archive/fullchain1.pem"
    assert found.modified == datetime.fromtimestamp(1795250000.25, UTC)
    assert found.key_modified == datetime.fromtimestamp(1795250001, UTC)
    assert (found.fault, found.key_fault, found.key_matches) == ("", "", True)
    assert found.certificate
    assert found.certificate.common_name == "example.com"


def test_only_the_leaf_is_read() -> None:
    """The first certificate of a file is the leaf."""
    root = Issuer("R")
    (found,) = files(f"{PATHS}\t\t\t\t\t\tno\t{pem(root.leaf())}{pem(root.der)}")
    assert found.certificate
    assert found.certificate.common_name == "example.com"
    assert found.key_matches is False


@pytest.mark.parametrize(
    ("row", "fault", "key_fault"),
    [
        (f"{PATHS}\t\t\t\tmissing\tmissing\tunknown\t", "missing", "missing"),
        (f"{PATHS}\t\t\t\tunreadable\t\tunknown\t", "unreadable", ""),
        (f"{PATHS}\t\t\t\tmalformed\tmalformed\tunknown\t{pem(b'0junk')}", "malformed", "malformed"),
        (f"{PATHS}\t\t\t\t\t\tunknown\t{pem(b'0junk')}", "malformed", ""),
        (f"{PATHS}\t\t\t\tcurious\tcurious\tperhaps\t", "", ""),
    ],
)
def test_faults(row: str, fault: str, key_fault: str) -> None:
    """As the collector found them; octets that are no certificate are malformed, whatever it said."""
    (found,) = files(row)
    assert (found.fault, found.key_fault, found.key_matches, found.certificate) == (fault, key_fault, None, None)


def test_a_leaf_that_did_not_come_along_is_no_fault() -> None:
    """Its text may have been cut: nothing is said against the file."""
    (found,) = files(f"{PATHS}\t/x\t1\t1\t\t\tyes\t-----BEGIN CERTIFICATE-----\\nMIIC")
    assert (found.fault, found.certificate, found.key_matches) == ("", None, True)


def test_lines_that_are_none() -> None:
    """Too few fields, or no path."""
    assert files("", "a\tb", "\t\t\t\t\t\t\t\t") == []
