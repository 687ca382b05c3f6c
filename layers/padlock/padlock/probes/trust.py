"""Whether clients trust a chain: OpenSSL's own path building, trusted certificates first (RFC 5280 section 6).

Each distinct chain is verified once, at the time of the evidence. No strict flags and no security level: what
browsers accept is trusted here, weak keys and signatures have a rule of their own.
"""

import functools
import re
import warnings
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import certifi
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from OpenSSL import crypto

from padlock.evidence import TrustStatus, Verification
from padlock.network.failure import printable
from padlock.network.limits import ISSUERS_FETCHED
from padlock.probes.certificates import UNREADABLE, digest, load, parse, serves_web

type Fetch = Callable[[str], Awaitable[bytes]]
"""URL → body; empty where it cannot be had."""

_NO_CHECK_TIME = 0x200000
"""X509_V_FLAG_NO_CHECK_TIME, which pyOpenSSL does not name."""
_NOT_VALID_YET, _EXPIRED = 9, 10
_SELF_SIGNED, _UNKNOWN_ROOT = 18, 19
_NO_ISSUER = (2, 20, 21)
_WEAK = (66, 67, 68)
"""Codes of X509_STORE_CTX_get_error(3)."""
_DATE = re.compile(rb"[0-9]{14}Z")


class Anchors(msgspec.Struct, frozen=True):
    """The trust anchors of one run."""

    now: datetime
    public: tuple[crypto.X509, ...]
    """The public roots and the operator's own."""
    private: tuple[crypto.X509, ...] = ()
    """The site's."""


class _Known(msgspec.Struct, frozen=True):
    """A verification, and the time between the two nearest dates of its certificates, in which it stays the same."""

    look: Verification
    after: bytes
    before: bytes


_KNOWN: dict[tuple[object, ...], _Known] = {}
"""Digests of a chain and anchors → what they came to."""
_MOST_KNOWN = 256
_NEVER, _ALWAYS = b"", b"~"
"""Before and after every time as certificates write it."""


def anchors(now: datetime, ca_file: str = "", private_ca: str = "") -> Anchors:
    """Return the anchors that hold at a time; ValueError or OSError where a PEM file or text is none."""
    own = _of_pem(Path(ca_file).read_bytes()) if ca_file else ()
    return Anchors(now, _beside_public(own), _of_pem(private_ca.encode()) if private_ca else ())


def verify(chain: Sequence[bytes], trusted: Anchors) -> Verification:
    """Verify one chain as sent (DER, the leaf first) without asking anybody for what is missing.

    What the same chain came to before in this process is taken over, if it is held against the same anchors and
    nothing of either has become valid or invalid meanwhile.
    """
    digests = tuple(digest(der) for der in chain)
    key, now = (digests, trusted.public, trusted.private), _written(trusted.now)
    known = _KNOWN.get(key)
    if known and known.after < now < known.before:
        return known.look
    try:
        certificates = [crypto.load_certificate(crypto.FILETYPE_ASN1, der) for der in chain]
        leaf = load(chain[0])
        look = _look(certificates, trusted)
    except (crypto.Error, *UNREADABLE) as error:
        return Verification(digests, "invalid", detail=printable(f"a certificate cannot be parsed: {error}"))
    if look.status == "trusted" and not serves_web(leaf):
        detail = "the certificate's key usage, or its extended key usage, does not allow web servers"
        look = msgspec.structs.replace(look, status="invalid", detail=detail)
    elif look.status == "trusted":
        look = _for_servers(look, certificates, trusted)
    look = msgspec.structs.replace(look, chain=digests)
    _remember(key, look, now, [*_dates(certificates), *_dates_of_anchors(trusted.public + trusted.private)])
    return look


def _remember(key: tuple[object, ...], look: Verification, now: bytes, dates: Sequence[bytes]) -> None:
    # What is written otherwise than authorities write it compares otherwise than its text does.
    if now in dates or not all(map(_DATE.fullmatch, dates)):
        return
    if len(_KNOWN) >= _MOST_KNOWN:
        _KNOWN.clear()
    after = max((date for date in dates if date < now), default=_NEVER)
    _KNOWN[key] = _Known(look, after, min((date for date in dates if date > now), default=_ALWAYS))


def _written(time: datetime) -> bytes:
    """Return a time to the second as certificates write it, so that it compares as they do."""
    return time.astimezone(UTC).strftime("%Y%m%d%H%M%SZ").encode()


def _dates(certificates: Iterable[crypto.X509]) -> tuple[bytes, ...]:
    """Return from when and until when certificates are valid; empty in place of what cannot be read."""
    try:
        return tuple(date or b"" for each in certificates for date in (each.get_notBefore(), each.get_notAfter()))
    except crypto.Error:
        return (b"",)


@functools.lru_cache(maxsize=8)
def _dates_of_anchors(certificates: tuple[crypto.X509, ...]) -> tuple[bytes, ...]:
    return tuple(set(_dates(certificates)))


def _for_servers(look: Verification, certificates: Sequence[crypto.X509], trusted: Anchors) -> Verification:
    """Return a path of issuers that may certify web servers, or why there is none.

    An issuer's extended key usage limits what it issues, as all clients see it though RFC 5280 does not ask for it.
    That of a trust anchor says nothing.
    """
    # Not OpenSSL's own check of purposes: it refuses anyExtendedKeyUsage, which browsers accept.
    if not (unfit := _unfit(look, certificates)):
        return look
    fit = [certificate for certificate in certificates if certificate not in unfit]
    other = _look(fit, trusted)
    if other.status == "trusted" and not _unfit(other, fit):
        return other
    who = _names(unfit[0])[0]
    detail = f"the extended key usage of the intermediate {who} does not allow issuing for web servers"
    return msgspec.structs.replace(look, status="invalid", detail=detail)


def _unfit(look: Verification, certificates: Sequence[crypto.X509]) -> list[crypto.X509]:
    """Return the issuers sent that stand on a path, below its anchor, and may not issue for web servers."""
    read = [(certificate, _read(_der(certificate))) for certificate in certificates[1:]]
    between = look.path[1:-1]
    return [raw for raw, issuer in read if issuer and _subject(issuer) in between and not serves_web(issuer)]


def _read(der: bytes) -> x509.Certificate | None:
    """Return a certificate whose names can be read; None where they cannot, and it is of use to nobody."""
    try:
        certificate = load(der)
        _ = certificate.subject, certificate.issuer  # which are read only now
    except UNREADABLE:
        return None
    return certificate


async def verify_completing(chain: Sequence[bytes], trusted: Anchors, fetch: Fetch) -> Verification:
    """Verify one chain, and where its issuer was not sent, see whether it verifies with the one that AIA names."""
    first = verify(chain, trusted)
    look, sent = first, list(chain)
    for _ in range(ISSUERS_FETCHED):
        missing = _without_issuer(sent) if look.status == "unknown_issuer" and look.missing_issuer else b""
        urls = [url for url in parse(missing).ca_issuers if url.startswith("http://")] if missing else []
        found = _of_bundle(await fetch(urls[0])) if urls else []
        if not found:
            break
        sent += found
        look = verify(sent, trusted)
    if look.status == first.status or look.status not in ("trusted", "expired"):
        return first
    status: TrustStatus = "incomplete" if look.status == "trusted" else look.status
    return msgspec.structs.replace(
        look,
        chain=first.chain,
        status=status,
        detail=first.detail if status == "incomplete" else look.detail,
        missing_issuer=first.missing_issuer,
    )


def _look(certificates: Sequence[crypto.X509], trusted: Anchors) -> Verification:
    """Verify, and again without the clock where only the clock was wrong."""
    try:
        return _verified(certificates, trusted, "trusted", at=trusted.now)
    except crypto.X509StoreContextError as error:
        code, depth, text = error.errors
        shown = f"{text} (certificate {depth + 1} of the path)"
        subject, issuer = _names(error.certificate)
    if code in (_EXPIRED, _NOT_VALID_YET):
        try:
            timeless = _verified(certificates, trusted, "expired", at=None)
        except crypto.X509StoreContextError:
            return Verification((), "invalid", detail=shown)
        return msgspec.structs.replace(timeless, detail=shown)
    if code == _SELF_SIGNED:
        return Verification((), "self_signed", detail=shown)
    if code == _UNKNOWN_ROOT:
        return Verification((), "unknown_issuer", detail=f"{shown}: {subject}")
    if code in _NO_ISSUER:
        return Verification((), "unknown_issuer", detail=f"{shown}: {subject}", missing_issuer=issuer)
    return Verification((), "weak" if code in _WEAK else "invalid", detail=shown)


def _verified(
    certificates: Sequence[crypto.X509], trusted: Anchors, status: TrustStatus, at: datetime | None
) -> Verification:
    """Return the path that OpenSSL finds; its X509StoreContextError says why there is none."""
    context = crypto.X509StoreContext(_store(trusted, at), certificates[0], certificates[1:])
    path = [_der(certificate) for certificate in context.get_verified_chain()]
    read = [load(der) for der in path]
    return Verification(
        (),
        status,
        path=tuple(map(_subject, read)),
        path_not_after=min(certificate.not_valid_after_utc for certificate in read),
        private=path[-1] in [_der(certificate) for certificate in trusted.private],
    )


def _store(trusted: Anchors, at: datetime | None) -> crypto.X509Store:
    # A store for each look (0.2 ms): OpenSSL keeps the first time that a store was given and ignores later ones.
    store = crypto.X509Store()
    for certificate in (*trusted.public, *trusted.private):
        store.add_cert(certificate)
    if trusted.private:
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)  # a site may name its intermediate, or its leaf
    if at is None:
        store.set_flags(_NO_CHECK_TIME)
    else:
        store.set_time(at.astimezone(UTC))
    return store


def _subject(certificate: x509.Certificate) -> str:
    return printable(certificate.subject.rfc4514_string())


def _names(certificate: crypto.X509) -> tuple[str, str]:
    """Return subject and issuer of the certificate that verification stopped at; empty where OpenSSL names none."""
    try:
        shown = parse(_der(certificate))
    except crypto.Error:
        return "", ""
    return shown.subject, shown.issuer


def _der(certificate: crypto.X509) -> bytes:
    return crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)


def _without_issuer(chain: Sequence[bytes]) -> bytes:
    """Return the certificate that the path from the leaf ends in: the one whose issuer is not among the chain."""
    read = [(der, certificate) for der in chain if (certificate := _read(der))]
    if not read:
        return b""
    (last, certificate), *rest = read
    named = {other.subject.public_bytes(): (der, other) for der, other in reversed(rest)}
    while above := named.pop(certificate.issuer.public_bytes(), None):
        last, certificate = above
    return last


def _of_bundle(data: bytes) -> list[bytes]:
    """Return the certificates of a caIssuers answer: DER, PEM or a PKCS #7 bundle (RFC 5280 section 4.2.2.1)."""
    readers: tuple[Callable[[bytes], list[x509.Certificate]], ...] = (
        lambda der: [x509.load_der_x509_certificate(der)],
        x509.load_pem_x509_certificates,
        pkcs7.load_der_pkcs7_certificates,
        pkcs7.load_pem_pkcs7_certificates,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what stands there not quite as it should; logs have no place for them
        for reader in readers:
            try:
                return [certificate.public_bytes(Encoding.DER) for certificate in reader(data)]
            except UNREADABLE:
                continue
    return []


@functools.lru_cache(maxsize=8)
def _beside_public(own: tuple[crypto.X509, ...]) -> tuple[crypto.X509, ...]:
    return (*_public_roots(), *own)


@functools.cache
def _public_roots() -> tuple[crypto.X509, ...]:
    return _of_pem(Path(certifi.where()).read_bytes())


@functools.lru_cache(maxsize=64)
def _of_pem(data: bytes) -> tuple[crypto.X509, ...]:
    """Return the certificates of a PEM bundle; ValueError where there is none, or a broken one."""
    blocks = re.findall(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", data, re.DOTALL)
    if not blocks:
        raise ValueError("no PEM certificate is in it")
    try:
        return tuple(crypto.load_certificate(crypto.FILETYPE_PEM, block) for block in blocks)
    except crypto.Error as error:
        raise ValueError(f"a certificate in it cannot be parsed: {error}") from error
