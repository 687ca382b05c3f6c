"""certbot's own words, as version 2.1 printed them on a real host."""

from datetime import UTC, datetime

import pytest
from padlock.evidence.host import Certbot, Lineage
from padlock.probes.host import read

from tests.probes.host.documents import document, sample, section


def certbot(listing: str, *more: dict[str, object], status: int = 0) -> Certbot:
    """Return what is read of a listing."""
    host = read(
        document(
            section("certbot_version", sample("certbot-version.txt")), section("certbot_list", listing, status), *more
        )
    )
    assert host.certbot
    return host.certbot


def lineages(listing: str, status: int = 0) -> dict[str, Lineage]:
    """Return the certificates of a listing by their names."""
    found = certbot(listing, status=status).lineages
    assert found is not None
    return {each.name: each for each in found}


def test_a_real_listing() -> None:
    """Names, paths, serial and expiry of two certificates."""
    listing = sample("certbot-valid.txt")
    found = lineages(listing)
    assert list(found) == ["example.com", "shop.example.org"]
    one = found["example.com"]
    assert one.names == ("example.com", "www.example.com")
    assert one.path == "/etc/letsencrypt/live/example.com/fullchain.pem"
    assert one.key_path == "/etc/letsencrypt/live/example.com/privkey.pem"
    assert one.valid
    assert one.verdict == "VALID: 89 days"
    assert one.serial
    assert one.serial.lower() in listing
    assert one.not_after
    assert f"{one.not_after:%Y-%m-%d %H:%M:%S}+00:00 (VALID" in listing


def test_what_certbot_calls_invalid() -> None:
    """An expired one, one of the staging authority, and one whose live link is gone, which comes last."""
    found = lineages(sample("certbot-faults.txt"))
    assert {name: each.verdict for name, each in found.items() if name != "example.com"} == {
        "old.example.net": "INVALID: EXPIRED",
        "shop.example.org": "INVALID: TEST_CERT",
    }
    broken = list(found.values())[-1]
    assert broken.name == "example.com"
    assert broken.verdict == "INVALID: expected /etc/letsencrypt/live/example.com/cert.pem to be a symlink"
    assert not any(each.valid for each in found.values())


def test_a_broken_renewal_without_a_reason() -> None:
    """Where the reason went elsewhere, the file is named; certbot's private copy of its directory is not."""
    path = "/tmp/padlock.a1B2/config/renewal/example.com.conf"  # noqa: S108
    listing = f"\nThe following renewal configurations were invalid:\n  {path}\n- - -\n"
    found = lineages(listing)
    assert found["example.com"].verdict == "INVALID: renewal configuration /etc/letsencrypt/renewal/example.com.conf"


def test_no_certificate() -> None:
    """Certbot is there and has none: an empty tuple, not None."""
    assert certbot(sample("certbot-none.txt")).lineages == ()


@pytest.mark.parametrize(
    ("listing", "status"),
    [
        (
            "The following error was encountered:\n[Errno 13] Permission denied: '/var/log/letsencrypt'",
            1,
        ),
        ("Another instance of Certbot is already running.", 1),
        ("", 0),
        ("", 124),
        ("Traceback (most recent call last):\n  File", 0),
    ],
)
def test_what_is_no_listing(listing: str, status: int) -> None:
    """Without root, beside another certbot, or when its time ran out, the certificates are not known."""
    found = certbot(listing, status=status)
    assert found.lineages is None
    assert found.listing.status == status


@pytest.mark.parametrize(
    ("verdict", "valid"),
    [
        ("VALID: 1 day", True),
        ("VALID: 7 hour(s)", True),
        ("INVALID: REVOKED", False),
        ("INVALID: TEST_CERT, EXPIRED", False),
    ],
)
def test_other_verdicts(verdict: str, valid: bool) -> None:
    """The words that certbot has for the other cases, put into the real listing."""
    listing = sample("certbot-valid.txt").replace("VALID: 89 days", verdict)
    one = lineages(listing)["example.com"]
    assert (one.verdict, one.valid) == (verdict, valid)


def test_names_over_several_lines() -> None:
    """Names that go on in the next line, and the label of later versions, which list addresses as well."""
    listing = sample("certbot-valid.txt").replace(
        "    Domains: example.com www", "    Identifiers: example.com\n      192.0.2.1\n      www"
    )
    assert lineages(listing)["example.com"].names == ("example.com", "192.0.2.1", "www.example.com")


def test_an_odd_serial_is_filled_up() -> None:
    """Certbot prints the number without its leading zero; the certificates' own serials have whole octets."""
    listing = (
        "  Certificate Name: a\n    Serial Number: 4a1b2\n    Expiry Date: 2026-01-01 00:00:00+02:00 (VALID: 9 days)"
    )
    one = lineages(listing)["a"]
    assert one.serial == "04A1B2"
    assert one.not_after == datetime(2025, 12, 31, 22, tzinfo=UTC)


def test_how_it_is_renewed() -> None:
    """Authenticator, installer and web root come from the renewal's own file."""
    conf = "/etc/letsencrypt/renewal/example.com.conf"
    rows = f"{conf}\tauthenticator\twebroot\n{conf}\tinstaller\tNone\n{conf}\twebroot_path\t/var/www/html,\n"
    found = certbot(sample("certbot-valid.txt"), section("certbot_renewal_conf", rows)).lineages or ()
    assert (found[0].authenticator, found[0].installer, found[0].webroot) == ("webroot", "", "/var/www/html")
    assert (found[1].authenticator, found[1].webroot) == ("", "")


@pytest.mark.parametrize(
    "sections", [(), (section("certbot_version", status=127), section("certbot_list", status=127))]
)
def test_no_certbot(sections: tuple[dict[str, object], ...]) -> None:
    """A host without it is told from one whose listing failed."""
    assert read(document(*sections)).certbot is None
