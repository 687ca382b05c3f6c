"""Certificates that mean harm, or that only look so (RFC 5280)."""

import ssl
from collections.abc import Callable

from padlock import record
from padlock.render import markdown, terminal

from tests.hostile.behaviour import Behaviour, Outcome, Place
from tests.hostile.chains import UNTIDY, Leaf, behind, huge_key, in_place_of_tls, with_impossible_date
from tests.hostile.shaken import beside, leaf, main, shaken
from tests.issuers import Issuer
from tests.lab.odd_servers import broken_certificate


def _hundred_more(place: Place) -> ssl.SSLContext:
    return Leaf(place, [place.host]).context(*(Issuer(f"Nobody {number}").der for number in range(100)))


def _named(count: int, label: str) -> Callable[[Place], ssl.SSLContext]:
    """Return a certificate of so many names, the host's among them."""
    return lambda place: Leaf(place, [place.host, *(f"{label}{n}.t" for n in range(count - 1))]).context()


def _with_nul(place: Place) -> ssl.SSLContext:
    return Leaf(place, [f"{place.host}\0.thief.test"]).context()


def _common_name_only(place: Place) -> ssl.SSLContext:
    return Leaf(place, [], common_name=place.host).context()


def _unreadable_beside(place: Place) -> ssl.SSLContext:
    return Leaf(place, [place.host]).context(with_impossible_date(Issuer("Nobody").der))


def _impossible_date(place: Place) -> ssl.SSLContext:
    whole = Leaf(place, [place.host])
    whole.der = with_impossible_date(whole.der)
    return whole.context()


def _untidy(place: Place) -> ssl.SSLContext:
    issuer = Issuer(UNTIDY[:64])
    return Leaf(place, [place.host, "<b>.test", "\x1b]0;.test"], issuer=issuer, common_name=UNTIDY[:64]).context()


def _sent(outcome: Outcome) -> str:
    look = main(outcome)
    return f"{len(look.chain)} kept{' of more' if look.chain_truncated else ''}"


def _names(outcome: Outcome) -> str:
    found = leaf(outcome)
    return f"{found.dns_name_count} names, {len(found.dns_names)} kept"


def _first_name(outcome: Outcome) -> str:
    return leaf(outcome).dns_names[0]


def _key(outcome: Outcome) -> str:
    found = leaf(outcome)
    return f"{found.key} {found.key_bits}, {found.authority_key or 'no'} authority key"


def _verified(outcome: Outcome) -> str:
    assert outcome.evidence.tls
    look = outcome.evidence.tls.verification(main(outcome).chain)
    return look.status if look else "not verified"


def _raw(outcome: Outcome) -> str:
    """Say which octets of the names came through as they were sent, in the evidence and in what people read."""
    found = leaf(outcome)
    kept = [found.subject, found.issuer, found.common_name, *found.dns_names]
    shown = [terminal.render(outcome.report), markdown.render(record.of(outcome.report))]
    controls = [text for text in (*kept, *shown) if any(not c.isprintable() and c != "\n" for c in text)]
    markup = [text for text in shown[1:] if "<script" in text]
    return f"{len(controls) + len(markup)} raw"


CERTIFICATES = (
    Behaviour(
        "chain-of-101",
        "100 extra certificates → capped, warning",
        behind(_hundred_more),
        "200, certificate.chain_order (warning); 10 kept of more",
        beside(_sent),
    ),
    Behaviour(
        "names-10000",
        "10,000 SANs → certificate.too_large",
        behind(_named(10_000, "")),
        "200, certificate.too_large (error); 10000 names, 1000 kept",
        beside(_names),
    ),
    Behaviour(
        "names-10000-long",
        "10,000 SANs → certificate.too_large",
        behind(_named(10_000, "some-label-of-a-long-name-")),
        "tls, confirmed, certificate.too_large (error)",
        shaken,
    ),
    Behaviour(
        "names-1000", "1,000 SANs → pass", behind(_named(1_000, "n")), "200; 1000 names, 1000 kept", beside(_names)
    ),
    Behaviour(
        "certificate-junk",
        "unparseable DER → certificate.malformed",
        in_place_of_tls(lambda _: broken_certificate),
        "tls, confirmed, certificate.malformed (error)",
        shaken,
    ),
    Behaviour(
        "certificate-unreadable",
        "unparseable DER → certificate.malformed",
        behind(_impossible_date),
        "200, certificate.malformed (error)",
        shaken,
    ),
    Behaviour(
        "certificate-odd-beside",
        "unparseable DER → certificate.malformed",
        behind(_unreadable_beside),
        "200, certificate.malformed (error); trusted",
        beside(_verified),
    ),
    Behaviour(
        "certificate-nul",
        "NUL in a SAN → mismatch, escaped",
        behind(_with_nul),
        "200, certificate.name_mismatch (error); certificate-nul.hostile.test\\x00.thief.test",
        beside(_first_name),
    ),
    Behaviour(
        "certificate-common-name",
        "CN without SAN → mismatch",
        behind(_common_name_only),
        "200, certificate.name_mismatch (error)",
        shaken,
    ),
    Behaviour(
        "certificate-no-key-id",
        "missing AKI → accepted",
        behind(lambda place: Leaf(place, [place.host]).context()),
        "200; ec 256, no authority key",
        beside(_key),
    ),
    Behaviour(
        "certificate-rsa-16384",
        "RSA-16384 → fine",
        behind(lambda place: Leaf(place, [place.host], key=huge_key()).context()),
        "200; rsa 16384, no authority key",
        beside(_key),
        slow=True,
    ),
    Behaviour(
        "certificate-untidy",
        "script, escape sequences, bidi controls, newlines in issuers → escaped",
        behind(_untidy),
        "200, certificate.untrusted (error); 0 raw",
        beside(_raw),
    ),
)
