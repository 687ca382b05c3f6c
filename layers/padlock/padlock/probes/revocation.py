"""Whether an issuer revoked a certificate: its list (CRL), asked for once a day (RFC 5280 sections 5 and 6.3.3).

Of a list only what it says of one serial number is kept. A list counts only if the issuer signed it, it is current,
and it covers this certificate; anything else leaves the matter unknown.
"""

import asyncio
import contextlib
import functools
import hashlib
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from OpenSSL import crypto

from padlock.evidence import Revocation, Verification
from padlock.network import limits
from padlock.network.failure import printable
from padlock.probes.certificates import digest, load
from padlock.probes.registration import patience
from padlock.probes.run import Run
from padlock.probes.services import fetch

SERVICE = "crl"
_KEPT = timedelta(days=1)
"""Longest time for which a list's word is taken: authorities write new ones many times before the next is due."""
_UNKNOWN_KEPT = timedelta(hours=1)
_CLOCKS = timedelta(minutes=5)
"""By which an authority's clock may be ahead."""
_SIGNERS = (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey, ed448.Ed448PublicKey)
_SHA256 = hashes.SHA256()
_SIGNED: dict[tuple[bytes, bytes], bool] = {}
"""Digests of two certificates → whether the second one's key signed the first."""
_MOST_SIGNED = 1024
_UNREADABLE = (
    *(ValueError, TypeError, KeyError, UnsupportedAlgorithm),
    *(x509.InvalidVersion, x509.DuplicateExtension, x509.ExtensionNotFound, x509.UnsupportedGeneralNameType),
)


async def ask_issuers(run: Run, chain: Sequence[bytes], look: Verification) -> None:
    """Ask about a leaf and the intermediates of its verified path; `chain` is DER as sent, the leaf first."""
    sent = _readable(chain[: limits.REVOCATION_CHECKED])
    seen = {key: run.certificates[key] for key in (digest(der) for der in chain[: limits.CERTIFICATES])}
    subjects = [parsed.subject for parsed in seen.values()]
    pending = []
    for number, (der, certificate) in enumerate(sent):
        parsed = seen[key := digest(der)]
        # Of cross-signed twins the path may have used either: neither is blamed.
        on_path = parsed.subject in look.path[1:-1] and subjects.count(parsed.subject) == 1
        if key in run.revocations or (number and not on_path):
            continue
        run.revocations[key] = Revocation(key, "unknown", detail="the time for this site ran out")
        issuer = _issuer(run, certificate, [other for _, other in sent])
        pending.append(_ask(run, key, certificate, issuer, parsed.crl_urls))
    await asyncio.gather(*pending)


def _readable(chain: Sequence[bytes]) -> list[tuple[bytes, x509.Certificate]]:
    """Return the certificates up to the first that cannot be read."""
    read: list[tuple[bytes, x509.Certificate]] = []
    with contextlib.suppress(*_UNREADABLE):
        for der in chain:
            read.append((der, load(der)))  # noqa: PERF401 — what came before the broken one counts
    return read


async def _ask(
    run: Run, key: str, certificate: x509.Certificate, issuer: x509.Certificate | None, named: Sequence[str]
) -> None:
    urls = [url for url in named if url.startswith(("http://", "https://"))][: limits.REVOCATION_LISTS]
    if not urls or issuer is None:
        reason = "the certificate names no list (CRL)" if not urls else "its issuer's certificate was not sent"
        run.revocations[key] = Revocation(key, "unknown", detail=reason)
        return
    began = time.monotonic()
    for url in urls:
        run.revocations[key] = found = await _cached(run, key, certificate, issuer, url)
        # A list that failed at once has a twin elsewhere; one that kept us waiting has cost its time.
        if found.status != "unknown" or time.monotonic() - began > limits.SERVICE_SECONDS / 2:
            return


async def _cached(
    run: Run, key: str, certificate: x509.Certificate, issuer: x509.Certificate, url: str
) -> Revocation:
    place = f"crl:{key}:{hashlib.sha256(url.encode()).hexdigest()[:16]}"
    kept = await run.cache.get(place, run.now)
    with contextlib.suppress(msgspec.DecodeError):
        if kept:
            return msgspec.json.decode(kept, type=Revocation)
    fetched = await fetch(run, url, limit=limits.REVOCATION_BYTES, service=SERVICE)
    if fetched.failure or fetched.status != 200:
        why = f"{fetched.failure.kind} {fetched.failure.detail}" if fetched.failure else f"status {fetched.status}"
        found = Revocation(key, "unknown", url, detail=f"the list could not be had: {why.strip()}")
    else:
        read = await asyncio.to_thread(read_list, fetched.body, certificate, issuer, run.now)
        found = msgspec.structs.replace(read, certificate=key, url=url)
    waits = max(_UNKNOWN_KEPT, patience(fetched.header("retry-after"), run.now))
    expires = run.now + (waits if found.status == "unknown" else _KEPT)
    due = found.next_update if found.status != "unknown" else None
    await run.cache.put(place, msgspec.json.encode(found), min(expires, due) if due else expires)
    return found


def read_list(data: bytes, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Revocation:
    """Return what a list (DER or PEM) says of a certificate; certificate's digest and URL are left to the caller."""
    try:
        listed = _load(data)
        flaw = _flaw(listed, certificate, issuer, now)
        entry = None if flaw else listed.get_revoked_certificate_by_serial_number(certificate.serial_number)
        next_update = listed.next_update_utc
        if flaw or entry is None:
            return Revocation("", "unknown" if flaw else "good", next_update=next_update, detail=flaw)
        reason = _reason(entry)
        if reason == x509.ReasonFlags.remove_from_crl.value:
            return Revocation("", "good", next_update=next_update)
        return Revocation("", "revoked", "", entry.revocation_date_utc, reason, next_update)
    except _UNREADABLE as error:
        return Revocation("", "unknown", detail=printable(f"the list cannot be read: {error}"))


def _load(data: bytes) -> x509.CertificateRevocationList:
    if data.lstrip().startswith(b"-----BEGIN"):
        return x509.load_pem_x509_crl(data)
    return x509.load_der_x509_crl(data)


def _flaw(
    listed: x509.CertificateRevocationList, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime
) -> str:
    """Return why a list proves nothing about a certificate; empty where it does."""
    key = issuer.public_key()
    if listed.issuer != certificate.issuer:
        return "the list is another issuer's"
    if not isinstance(key, _SIGNERS) or not listed.is_signature_valid(key):
        return "the list's signature is not its issuer's"
    if listed.last_update_utc > now + _CLOCKS:
        return "the list is dated in the future"
    if listed.next_update_utc is None or listed.next_update_utc <= now:
        return "the list is out of date"
    return _scope(listed, certificate)


def _scope(listed: x509.CertificateRevocationList, certificate: x509.Certificate) -> str:
    """Return why a certificate is outside of what a list speaks of (RFC 5280 sections 5.2.4 and 5.2.5)."""
    for extension in listed.extensions:
        value = extension.value
        if isinstance(value, x509.DeltaCRLIndicator):
            return "the list only tells changes"
        if isinstance(value, x509.IssuingDistributionPoint):
            points = set(value.full_name or ())
            own = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
            named = {name for point in own for name in point.full_name or ()}
            partly = value.indirect_crl or value.only_contains_attribute_certs or value.only_some_reasons
            is_ca = _is_ca(certificate)
            other_kind = value.only_contains_user_certs if is_ca else value.only_contains_ca_certs
            if partly or other_kind or (points and not points & named):
                return "the list covers other certificates"
        elif extension.critical:
            return "the list has a condition that is not understood"
    return ""


def _is_ca(certificate: x509.Certificate) -> bool:
    """Whether a certificate belongs to an authority."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _reason(entry: x509.RevokedCertificate) -> str:
    try:
        reason = entry.extensions.get_extension_for_class(x509.CRLReason).value.reason
    except x509.ExtensionNotFound:
        return ""
    return str(reason.value)


def _issuer(run: Run, certificate: x509.Certificate, sent: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """Return the certificate whose key signed another one: sent along, or a trust anchor."""
    anchors = _by_subject(run.trusted.private + run.trusted.public)
    known: list[x509.Certificate] = [*sent, *anchors.get(certificate.issuer.public_bytes(), ())]
    return next((other for other in known if _signed(certificate, other)), None)


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether a certificate is signed with another one's key; what was worked out before is remembered."""
    key = certificate.fingerprint(_SHA256), issuer.fingerprint(_SHA256)
    if key not in _SIGNED:
        if len(_SIGNED) >= _MOST_SIGNED:
            _SIGNED.clear()
        try:
            certificate.verify_directly_issued_by(issuer)
        except (*_UNREADABLE, InvalidSignature):
            _SIGNED[key] = False
        else:
            _SIGNED[key] = True
    return _SIGNED[key]


@functools.lru_cache(maxsize=64)
def _by_subject(anchors: tuple[crypto.X509, ...]) -> Mapping[bytes, list[x509.Certificate]]:
    """Return DER of a subject → the trust anchors of that name."""
    found: dict[bytes, list[x509.Certificate]] = {}
    for anchor in anchors:
        certificate = load(crypto.dump_certificate(crypto.FILETYPE_ASN1, anchor))
        found.setdefault(certificate.subject.public_bytes(), []).append(certificate)
    return found
