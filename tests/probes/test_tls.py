"""Ports and handshakes as evidence: what is recorded, confirmed, and never mistaken for something else."""

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import trustme
from padlock.assess import assess
from padlock.evidence import Evidence, Failure, Handshake, PortState
from padlock.network import limits

from tests.issuers import NOW, Issuer, aia
from tests.servers import (
    Authority,
    Script,
    closes,
    context_of,
    free_port,
    listen_alerting,
    pages,
    reply,
    resets,
    sends,
    silence,
    stage,
)

PAGE = pages({"/": reply(200, "shop")})
BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n"
NO_CERTIFICATE = "<html><title>400 No required SSL certificate was sent</title></html>"


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONNECT_SECONDS", "TLS_SECONDS", "HEADERS_SECONDS", "BANNER_SECONDS"):
        monkeypatch.setattr(limits, name, 0.5)


def port(evidence: Evidence, scheme: str = "https", address: str = "127.0.0.1") -> PortState:
    """Return what a port does."""
    assert evidence.ports
    return next(state for state in evidence.ports if (state.scheme, state.address) == (scheme, address))


def shakes(evidence: Evidence, *, named: bool = True) -> list[Handshake]:
    """Return the handshakes with, or without, SNI."""
    assert evidence.tls
    return [handshake for handshake in evidence.tls.handshakes if bool(handshake.sni) is named]


async def test_an_open_port_and_a_healthy_handshake() -> None:
    """Everything of a handshake is recorded, its certificate is parsed and its chain verified once."""
    context = (authority := Authority()).context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with stage(PAGE, PAGE, tls=context, authority=authority) as lab:
        seen = await lab.gather()
    assert seen.tls
    assert port(seen).failure is None
    assert port(seen, "http").failure is None
    (main,), (bare,) = shakes(seen), shakes(seen, named=False)
    assert (main.failure, main.protocol, main.alpn) == (None, "TLSv1.3", "h2")
    assert (bare.failure, bare.sni, bare.chain) == (None, "", main.chain)
    leaf = seen.tls.leaf(main)
    assert leaf
    assert leaf.dns_names == ("example.com", "www.example.com")
    assert [look.status for look in seen.tls.verifications] == ["trusted"]


async def test_a_server_without_h2_is_known_to_speak_http_1() -> None:
    """What the main look offers is not taken for what the server can."""
    async with stage(PAGE) as lab:
        assert shakes(await lab.gather())[0].alpn == "http/1.1"


async def test_h2_is_learned_of_a_server_without_tls_1_2() -> None:
    """The looks at RSA and ECDSA certificates need TLS 1.2; where it is off, one more look learns it."""
    context = (authority := Authority()).context()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with stage(PAGE, tls=context, authority=authority) as lab:
        assert [(look.alpn, look.failure) for look in shakes(await lab.gather())] == [("h2", None)]


async def test_both_leaves_of_a_server_with_two_are_recorded() -> None:
    """RSA and ECDSA visitors may meet different certificates: both are judged."""
    authority = Authority()
    leaves = [authority.ca.issue_cert("example.com", key_type=kind) for kind in trustme.KeyType]
    async with stage(PAGE, tls=context_of(*leaves), authority=authority) as lab:
        seen = await lab.gather()
    assert seen.tls
    assert sorted(c.key for c in seen.tls.certificates.values()) == ["ec", "rsa"]
    assert len(shakes(seen)) == 2
    assert len(seen.tls.verifications) == 2


@pytest.mark.parametrize("kinds", list(itertools.permutations(trustme.KeyType)), ids=["rsa first", "ecdsa first"])
async def test_both_leaves_of_a_server_without_tls_1_2_are_recorded(kinds: tuple[trustme.KeyType, ...]) -> None:
    """Over TLS 1.3 the other leaf is asked for by its signature algorithms; an expired one does not hide there."""
    authority = Authority()
    leaves = [authority.ca.issue_cert("example.com", key_type=kind) for kind in kinds]
    leaves[1] = authority.ca.issue_cert("example.com", key_type=kinds[1], not_after=NOW - timedelta(days=1))
    context = context_of(*leaves)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with stage(PAGE, tls=context, authority=authority) as lab:
        seen = await lab.gather()
    assert seen.tls
    assert sorted(c.key for c in seen.tls.certificates.values()) == ["ec", "rsa"]
    assert [look.protocol for look in shakes(seen)] == ["TLSv1.3", "TLSv1.3"]
    assert shakes(seen)[0].alpn == "h2"
    assert [finding.code for finding in assess(seen).findings].count("certificate.expired") == 1


async def test_a_leaf_that_only_sni_brings_is_told_from_the_default_one() -> None:
    """Shared servers keep another certificate for visitors without SNI."""
    authority = Authority()
    context, other = authority.context("default.example"), authority.context()

    def choose(connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        if name:
            connection.context = other

    context.sni_callback = choose
    async with stage(PAGE, tls=context, authority=authority) as lab:
        seen = await lab.gather()
    assert shakes(seen)[0].chain != shakes(seen, named=False)[0].chain


async def test_closed_ports_are_refused_and_confirmed() -> None:
    """Nothing listens: seen twice, and no handshake is made up."""
    async with stage() as lab:
        seen = await lab.gather()
    for scheme in ("http", "https"):
        assert port(seen, scheme).failure == Failure("refused")
        assert port(seen, scheme).confirmed
    assert shakes(seen) == []


async def test_a_port_that_is_closed_on_purpose_is_not_tried() -> None:
    """The declaration says that there is nothing to look at."""
    async with stage(PAGE, ports={"http": "closed", "https": 1}) as lab:
        seen = await lab.gather()
    assert seen.ports
    assert seen.http
    assert [state.scheme for state in seen.ports] == ["https"]
    assert all(chain.start.startswith("https") for chain in seen.http.chains)


@pytest.mark.parametrize(
    ("script", "failure"),
    [
        (silence, Failure("timeout", "tls")),
        (resets, Failure("reset", "tls")),
        (closes, Failure("closed", "tls")),
        (sends(b"SSH-2.0-OpenSSH_9.2\r\n", read=False), Failure("not_tls", "SSH-2.0-OpenSSH_9.2")),
        (sends(b"220 mail ESMTP\r\n", read=False), Failure("not_tls", "220 mail ESMTP")),
    ],
)
async def test_broken_tls_is_named_and_confirmed(script: Script, failure: Failure) -> None:
    """The port is open, the handshake says what came instead of TLS."""
    async with stage(script, plain_https=True) as lab:
        seen = await lab.gather()
    assert port(seen).failure is None
    assert shakes(seen)[0].failure == failure
    assert shakes(seen)[0].confirmed


@pytest.mark.parametrize("script", [PAGE, sends(BAD_REQUEST, read=False)])
async def test_plain_http_on_the_tls_port_is_named(script: Script) -> None:
    """A server that answers garbage with 400 shows itself; one that waits for a whole request is asked in clear."""
    async with stage(script, plain_https=True) as lab:
        seen = await lab.gather()
    failure = shakes(seen)[0].failure
    assert failure
    assert failure.kind == "not_tls"
    assert failure.detail.startswith("HTTP/1.1 ")


async def test_what_fails_once_and_then_works_is_no_failure() -> None:
    """The second look counts, and what follows is gathered."""
    turned_away = 0
    context = (authority := Authority()).context()

    async def flaky(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal turned_away
        if turned_away < 1:
            turned_away += 1
            await resets(reader, writer)
            return
        await writer.start_tls(context)
        await PAGE(reader, writer)

    async with stage(flaky, plain_https=True, authority=authority) as lab:
        seen = await lab.gather()
    assert seen.http
    assert turned_away == 1
    assert [handshake.failure for handshake in shakes(seen)] == [None]
    assert {exchange.status for exchange in seen.http.of("front")} == {200}


@contextlib.contextmanager
def demanding(version: ssl.TLSVersion, authority: Authority) -> Iterator[int]:
    """Run a server that takes nobody without a client certificate."""
    context = authority.context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version
    authority.ca.configure_trust(context)
    with listen_alerting(context) as number:
        yield number


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_demanded_client_certificate_is_noted(version: ssl.TLSVersion) -> None:
    """Whether the handshake breaks (TLS 1.2) or the first read (TLS 1.3); the certificate served is kept."""
    authority = Authority()
    with demanding(version, authority) as number:
        async with stage(authority=authority, ports={"http": "closed", "https": number}) as lab:
            seen = await lab.gather()
    assert [handshake.client_certificate for handshake in shakes(seen)] == [True]
    assert shakes(seen)[0].chain


async def test_nginx_s_page_about_a_client_certificate_is_noted() -> None:
    """Nginx completes the handshake and answers 400."""
    async with stage(pages(lambda _: reply(400, NO_CERTIFICATE))) as lab:
        assert shakes(await lab.gather())[0].client_certificate


async def test_a_server_that_only_asks_for_a_certificate_demands_none() -> None:
    """Optional client certificates trouble nobody."""
    authority = Authority()
    context = authority.context()
    context.verify_mode = ssl.CERT_OPTIONAL
    authority.ca.configure_trust(context)
    async with stage(PAGE, tls=context, authority=authority) as lab:
        assert not shakes(await lab.gather())[0].client_certificate


async def test_many_certificates_are_capped() -> None:
    """A hundred certificates beside the chain: ten are kept, and the chain still verifies."""
    authority = Authority()
    leaf = authority.ca.issue_cert("example.com", key_type=trustme.KeyType.ECDSA)
    extra = [trustme.CA(key_type=trustme.KeyType.ECDSA).cert_pem.bytes() for _ in range(100)]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    bundle = leaf.private_key_pem.bytes() + leaf.cert_chain_pems[0].bytes() + b"".join(extra)
    with trustme.Blob(bundle).tempfile() as file:
        context.load_cert_chain(file)
    async with stage(PAGE, tls=context, authority=authority) as lab:
        seen = await lab.gather()
    assert seen.tls
    assert shakes(seen)[0].chain_truncated
    assert len(shakes(seen)[0].chain) == limits.CERTIFICATES
    assert [look.status for look in seen.tls.verifications] == ["trusted"]


async def test_too_large_a_chain_is_a_failure_that_says_so() -> None:
    """Over what clients accept, nobody can connect."""
    authority = Authority()
    names = [f"host-{number}.some-very-long-label-of-a-domain.example.com" for number in range(2500)]
    async with stage(PAGE, tls=authority.context(*names), authority=authority) as lab:
        failure = shakes(await lab.gather())[0].failure
    assert failure
    assert failure.kind == "tls"
    assert failure.detail.startswith("certificate message larger than clients accept")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_obsolete_tls_is_seen_and_its_page_too() -> None:
    """A server that stayed behind at TLS 1.1 is not down."""
    authority = Authority()
    context = authority.context(key_type=trustme.KeyType.RSA)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.options |= ssl.OP_NO_TLSv1_2 | ssl.OP_NO_TLSv1_3
    async with stage(PAGE, tls=context, authority=authority) as lab:
        seen = await lab.gather()
    assert seen.http
    assert shakes(seen)[0].protocol == "TLSv1.1"
    assert {exchange.status for exchange in seen.http.of("front")} == {200}


@pytest.mark.parametrize(("address", "status"), [("127.0.0.1", "incomplete"), ("10.0.0.1", "unknown_issuer")])
async def test_a_missing_intermediate_is_fetched_from_a_vetted_address_only(
    address: str, status: str, tmp_path: Path
) -> None:
    """The AIA URL of a chain is resolved, vetted and fetched like everything else."""
    root = Issuer("Root")
    below = Issuer("Below", root)
    log: list[str] = []
    ports = free_port(), free_port()
    async with stage(
        PAGE,
        pages({"/below.der": reply(200, below.der)}, log),
        tls=below.context(tmp_path, aia(f"http://ca.example.com:{ports[0]}/below.der")),
        records=[f"ca A {address}"],
        listen_on=ports,
        private_ca=root.pem,
    ) as lab:
        seen = await lab.gather(NOW)
    assert seen.tls
    assert [(look.status, look.missing_issuer) for look in seen.tls.verifications] == [(status, "CN=Below")]
    assert ("http://ca.example.com/below.der" in log) == (status == "incomplete")


async def test_a_private_ca_that_cannot_be_read_is_said_and_ends_nothing() -> None:
    """The declaration's mistake stands in the evidence; the rest is gathered."""
    broken = "-----BEGIN CERTIFICATE-----\nbm9uZQ==\n-----END CERTIFICATE-----\n"
    async with stage(PAGE, private_ca=broken) as lab:
        seen = await lab.gather()
    assert seen.tls
    assert "private_ca" in seen.incomplete
    assert [look.status for look in seen.tls.verifications] == ["unknown_issuer"]
