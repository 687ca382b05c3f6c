"""A server that insists on a Diffie-Hellman group of its own, which the client pays for (RFC 5246 section 7.4.3)."""

import asyncio
import contextlib
import os

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.hostile.behaviour import Place
from tests.hostile.chains import Leaf, in_place_of_tls
from tests.hostile.serving import Serve
from tests.old_tls import message, record
from tests.servers import Script

_TLS_1_2 = 0x0303
_DHE_RSA_AES128_GCM_SHA256 = 0x009E
_RSA_SHA256 = b"\x04\x01"
_NO_RENEGOTIATION = b"\x00\x05\xff\x01\x00\x01\x00"


def large_group(bits: int) -> Serve:
    """Return a site that computes nothing but one signature, and lets its client compute in a group of this size."""

    def script(place: Place) -> Script:
        key = rsa.generate_private_key(65537, 2048)
        certificate = Leaf(place, [place.host], key=key).der
        parameters = _parameters(bits // 8)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(EOFError):
                head = await reader.readexactly(5)
                hello = await reader.readexactly(int.from_bytes(head[3:5]))
                for part in _flight(hello[6:38], key, certificate, parameters):
                    writer.write(part)
                await writer.drain()
                await reader.read(-1)

        return serve

    return in_place_of_tls(script)


def _parameters(octets: int) -> bytes:
    prime, public = bytearray(os.urandom(octets)), bytearray(os.urandom(octets))
    prime[0], prime[-1], public[0] = prime[0] | 0x80, prime[-1] | 1, 0x40
    return b"".join(len(part).to_bytes(2) + part for part in (bytes(prime), b"\x02", bytes(public)))


def _flight(theirs: bytes, key: rsa.RSAPrivateKey, certificate: bytes, parameters: bytes) -> list[bytes]:
    ours = os.urandom(32)
    signature = key.sign(theirs + ours + parameters, padding.PKCS1v15(), hashes.SHA256())
    suite = _DHE_RSA_AES128_GCM_SHA256.to_bytes(2)
    entry = len(certificate).to_bytes(3) + certificate
    messages = (
        message(2, _TLS_1_2.to_bytes(2) + ours + b"\0" + suite + b"\0" + _NO_RENEGOTIATION),
        message(11, len(entry).to_bytes(3) + entry),
        message(12, parameters + _RSA_SHA256 + len(signature).to_bytes(2) + signature),
        message(14, b""),
    )
    return [record(22, _TLS_1_2, each) for each in messages]
