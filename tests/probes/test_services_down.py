"""Every service that is asked about a site, down in every way: not assessed, in time, and nothing else is lost."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from padlock.assess import assess
from padlock.evidence import Evidence
from padlock.findings import Report
from padlock.network import limits
from padlock.probes import gather

from tests import captured
from tests.issuers import NOW, YEAR, Issuer
from tests.servers import (
    Authority,
    Lab,
    Request,
    Script,
    closes,
    forever,
    free_port,
    listen,
    pages,
    reply,
    resets,
    silence,
    stage,
)

SHOP = pages({"/": reply(200, "<title>Shop</title>")})
CODES: Mapping[str, tuple[str, ...]] = {
    "rdap": ("registration.expiring", "registration.on_hold"),
    "acme": ("renewal.suggested_now",),
    "ari": ("renewal.suggested_now",),
    "ct": ("renewal.newer_certificate_not_served",),
    "crl": ("certificate.revoked",),
}
"""Service → the codes that nothing is known of without it; `acme` is the directory that `ari` is found in."""
ANSWER = b"HTTP/1.1 200 OK\r\n\r\n"
TROUBLES: Mapping[str, Script | None] = {
    "refused": None,
    "silent": silence,
    "reset": resets,
    "closed": closes,
    "500": pages(lambda _: reply(500, "oops")),
    "429": pages(lambda _: reply(429, captured.text("acme-problem.json"), ("Retry-After", "3600"))),
    "garbage": pages(lambda _: reply(200, b"<html>\xff\xfe")),
    "empty": pages(lambda _: reply(200)),
    "huge": forever(ANSWER, b"[" * 65_536),
    "dripped": forever(ANSWER, b"{", 0.02),
}


class Services(msgspec.Struct):
    """Ports of the services: of the good ones, and of the one that is down."""

    good: int
    lists: int
    bad: int
    down: str = ""
    renewal_place: str = ""
    """Where the directory says that renewal information is, in place of its own host."""

    def port(self, service: str) -> int:
        """Return where a service is."""
        return self.bad if service == self.down else self.lists if service == "crl" else self.good

    def answer(self, request: Request) -> bytes:
        """Answer as the real services do, for the only site."""
        if request.host == "rdap.example.com":
            return reply(200, captured.text("rdap-verisign.json", {"2023-08-13": "2027-08-13"}))
        if request.path == "/directory":
            place = self.renewal_place or f"acme.example.com:{self.port('acme')}"
            return reply(200, captured.text("acme-directory.json", {"acme-v02.api.letsencrypt.org": place}))
        window = {"2021-01-03": "2027-09-03", "2021-01-07": "2027-09-07"}
        found = {
            "acme.example.com": captured.text("acme-renewal-info.json", window).encode(),
            "ct.example.com": captured.text("crtsh.json").encode(),
            "crl.example.com": revoked_nobody(),
        }
        return reply(200, found[request.host], ("Retry-After", "21600"))

    @property
    def urls(self) -> dict[str, str]:
        """What the operator names."""
        places = {"rdap": "", "acme": "/directory", "ct": "/"}
        urls = {name: f"https://{name}.example.com:{self.port(name)}{path}" for name, path in places.items()}
        return {"rdap": urls["rdap"], "ari": urls["acme"], "ct": urls["ct"], "crl": self.list_url}

    @property
    def list_url(self) -> str:
        """Where the leaf says that the list is."""
        return f"http://crl.example.com:{self.port('crl')}"


def only(part: bytes, trouble: Script, others: Script) -> Script:
    """Return a server that is in trouble where a path has this part."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            again = asyncio.StreamReader()
            again.feed_data(head)
            if part in head.split(b" ")[1]:
                await trouble(again, writer)
            else:
                again.feed_eof()
                await others(again, writer)

    return serve


def lets_encrypt() -> Issuer:
    """Return an issuer by the name of an authority that offers renewal information."""
    issuer = Issuer("E7")
    named = {x509.NameOID.ORGANIZATION_NAME: "Let's Encrypt", x509.NameOID.COMMON_NAME: "E7"}
    issuer.name = x509.Name([x509.NameAttribute(oid, value) for oid, value in named.items()])
    issuer.certificate = issuer.sign(issuer.name, issuer.key, ca=True)
    return issuer


ISSUER = lets_encrypt()


def revoked_nobody() -> bytes:
    """Return the issuer's list, DER."""
    builder = x509.CertificateRevocationListBuilder(ISSUER.name, NOW - YEAR, NOW + YEAR)
    return builder.sign(ISSUER.key, hashes.SHA256()).public_bytes(Encoding.DER)


@contextlib.asynccontextmanager
async def site(folder: Path, down: str = "", trouble: Script | None = None) -> AsyncIterator[Lab]:
    """Run a site and every service about it, one of which is in trouble (None: its port is closed)."""
    # Renewal information is asked for at the directory's own place; nothing listens at this other host's port 443.
    own = Services(
        free_port(), free_port(), free_port(), down, "ari.example.com" if down == "ari" and not trouble else ""
    )
    good = pages(own.answer)
    if down == "ari" and trouble:
        good = only(b"renewalInfo", trouble, good)
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(f"{own.list_url}/1.crl")], None, None, None)
    key = x509.AuthorityKeyIdentifier.from_issuer_public_key(ISSUER.key.public_key())
    leaf = ISSUER.context(folder, x509.CRLDistributionPoints([point]), key)
    authority = Authority()
    names = [f"{name}.example.com" for name in CODES]
    file = folder / "ca.pem"
    file.write_text(authority.pem + ISSUER.pem)
    async with contextlib.AsyncExitStack() as stack:
        secured = authority.context(*names)
        await stack.enter_async_context(listen(good, port=own.good, tls=secured))
        await stack.enter_async_context(listen(pages(own.answer), port=own.lists))
        if trouble and down != "ari":
            plain = down == "crl"
            await stack.enter_async_context(listen(trouble, port=own.bad, tls=None if plain else secured))
        lab = await stack.enter_async_context(
            stage(SHOP, SHOP, tls=leaf, ca_file=file, records=[f"{name} A 127.0.0.1" for name in CODES])
        )
        lab.vantage = msgspec.structs.replace(lab.vantage, services=own.urls)
        yield lab


async def looked(lab: Lab) -> tuple[Evidence, Report]:
    """Return what Padlock sees and says."""
    seen = await gather(lab.site, NOW, lab.vantage)
    return seen, assess(seen)


def unknown(report: Report) -> dict[str, str]:
    """Return the codes that depend on services and are not assessed, with the reason."""
    depend = {code for codes in CODES.values() for code in codes}
    return {entry.code: entry.reason for entry in report.not_assessed if entry.code in depend}


def whole(seen: Evidence, report: Report) -> bool:
    """Whether the site itself was seen, without a fault, and nothing was found by what is not known."""
    assert seen.http
    found = {finding.code for finding in report.findings} & {code for codes in CODES.values() for code in codes}
    return [e.status for e in seen.http.of("front")] == [200] and seen.incomplete == "" and not found


async def test_every_service_is_up(tmp_path: Path) -> None:
    """Then every code is assessed: what the other tests do not find is the service's doing."""
    async with site(tmp_path) as lab:
        seen, report = await looked(lab)
    assert whole(seen, report)
    assert unknown(report) == {}
    assert seen.renewal
    assert [one.offered and not one.failure for one in seen.renewal.information.values()] == [True]
    assert seen.renewal.search
    assert seen.renewal.search.failure is None
    assert seen.registration
    assert seen.registration[0].failure == ""
    assert seen.tls
    assert [one.status for one in seen.tls.revocations] == ["good"]


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("service", CODES)
async def test_a_service_that_is_down(
    service: str, trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own codes are not assessed, in the time that a service has; all others are."""
    if trouble in ("silent", "dripped"):
        monkeypatch.setattr(limits, "SERVICE_SECONDS", 2.0)
    began = time.monotonic()
    async with site(tmp_path, service, TROUBLES[trouble]) as lab:
        seen, report = await looked(lab)
    assert whole(seen, report)
    assert sorted(unknown(report)) == sorted(CODES[service])
    assert time.monotonic() - began < limits.SERVICE_SECONDS + 3


@pytest.mark.parametrize("service", CODES)
async def test_a_service_that_outlasts_the_site(service: str, tmp_path: Path) -> None:
    """The site's deadline ends it before its own eight seconds do, and the rest of the evidence is there."""
    async with site(tmp_path, service, silence) as lab:
        lab.vantage = msgspec.structs.replace(lab.vantage, deadline=1.5)
        began = time.monotonic()
        seen, report = await looked(lab)
    assert time.monotonic() - began < 2.5
    assert seen.http
    assert [e.status for e in seen.http.of("front")] == [200]
    assert set(CODES[service]) <= set(unknown(report))
