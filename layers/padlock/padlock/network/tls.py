"""TLS as a browser's first look meets it, without trust: contexts, and what a failed handshake says (RFC 8446, 5246).

Nothing is verified here, so that a wrong certificate is observed and not "down"; old versions and weak keys are
accepted for the same reason. A context costs 16 to 20 ms, hence one of each kind per process.
"""

import functools
import itertools
import re
import ssl
from collections.abc import Iterator
from typing import Literal

import certifi

from padlock.network.failure import NetworkFailure, banner

type Offer = Literal["main", "h2", "rsa", "ecdsa"]
"""What a handshake offers. `main`: every version and HTTP/1.1, what the HTTP client speaks. `h2`: the same with h2
preferred. `rsa`, `ecdsa`: TLS 1.2 with that kind of certificate only, h2 preferred; it shows the certificate that a
server with two kinds keeps for other visitors."""

_SUITES = {
    # The certificates of Ed25519 count as ECDSA ones here (RFC 8422 section 5.10).
    "rsa": "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305:ECDHE-RSA-AES128-SHA",
    "ecdsa": "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305",
}
TLS_RECORDS = range(0x14, 0x19)
"""First octets of the records of TLS; no text protocol's banner begins with one."""
_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE = 0x14, 0x15, 0x16
_CERTIFICATE_REQUEST = 13

ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    22: "record_overflow",
    40: "handshake_failure",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    109: "missing_extension",
    110: "unsupported_extension",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    115: "unknown_psk_identity",
    116: "certificate_required",
    120: "no_application_protocol",
}
"""The registry of TLS alerts, by number."""


@functools.cache
def context(offer: Offer) -> ssl.SSLContext:
    """Return the process's context of one kind: no trust store, no name check, everything old allowed."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    made.options |= ssl.OP_LEGACY_SERVER_CONNECT  # servers without RFC 5746, which browsers accept
    # No browser offers finite-field Diffie-Hellman, and a server may choose a group that takes seconds to compute.
    made.set_ciphers(_SUITES.get(offer, "DEFAULT:!kDHE") + ":@SECLEVEL=0")
    made.set_alpn_protocols(["http/1.1"] if offer == "main" else ["h2", "http/1.1"])
    if offer in _SUITES:
        made.minimum_version = made.maximum_version = ssl.TLSVersion.TLSv1_2
    else:
        made.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    return made


@functools.cache
def verifying(ca_file: str = "") -> ssl.SSLContext:
    """Return the process's context for services that are believed: chain and host name are verified (RFC 9525)."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.hostname_checks_common_name = False
    made.set_alpn_protocols(["http/1.1"])
    made.load_verify_locations(certifi.where())
    if ca_file:
        made.load_verify_locations(ca_file)
    return made


def failure_of(error: ssl.SSLError, received: bytes) -> NetworkFailure:
    """Return what OpenSSL's error means; `received` is the beginning of what the peer sent."""
    if received and received[0] not in TLS_RECORDS:
        return NetworkFailure("not_tls", banner(received))
    if isinstance(error, ssl.SSLCertVerificationError):
        return NetworkFailure("tls", f"certificate not trusted: {error.verify_message}")
    alert = alert_name(error, received)
    if alert:
        return NetworkFailure("alert", alert)
    if isinstance(error, ssl.SSLEOFError):
        return NetworkFailure("closed", "tls")
    reason = (error.reason or str(error)).lower()
    if reason == "excessive_message_size":
        return NetworkFailure("tls", "certificate message larger than clients accept (excessive message size)")
    # Python has no reason for an error in parsing alone; its text is then "[SSL] ASN1 lib (_ssl.c:1020)".
    if error.library == "ASN1" or "asn1 lib" in reason.replace("_", " ") or reason == "cert_length_mismatch":
        return NetworkFailure("tls", f"malformed certificate ({reason.replace('_', ' ')})")
    return NetworkFailure("tls", reason.replace("_", " "))


def alert_name(error: ssl.SSLError, received: bytes = b"") -> str:
    """Return the name of the alert that the peer sent; empty if it sent none."""
    named = re.match(r"(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?(\w+)$", error.reason or "")
    if named:
        return named[1].lower().replace("cancelled", "canceled")  # OpenSSL's spelling of alert 90
    clear = [payload for kind, payload in _records(received) if kind == _ALERT]
    if clear and len(clear[-1]) == 2 and clear[-1][0] == 2:
        return ALERTS.get(clear[-1][1], f"alert {clear[-1][1]}")
    return ""


def asks_for_certificate(received: bytes) -> bool:
    """Whether a TLS 1.2 server's flight, which is in clear up to its ChangeCipherSpec, holds a CertificateRequest."""
    clear = itertools.takewhile(lambda record: record[0] != _CHANGE_CIPHER_SPEC, _records(received))
    flight = b"".join(payload for kind, payload in clear if kind == _HANDSHAKE)
    at = 0
    while at + 4 <= len(flight):
        if flight[at] == _CERTIFICATE_REQUEST:
            return True
        at += 4 + int.from_bytes(flight[at + 1 : at + 4])
    return False


def _records(received: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the (type, payload) of the records at the beginning of a stream."""
    at = 0
    while at + 5 <= len(received) and received[at] in TLS_RECORDS:
        size = int.from_bytes(received[at + 3 : at + 5])
        yield received[at], received[at + 5 : at + 5 + size]
        at += 5 + size
