"""Flights of TLS that have no end, or as many parts as octets: read once, and not again for each octet more."""

import time
from collections.abc import Callable

import pytest
from padlock.network import browser_hello, hello, leaf_hello

EMPTY_RECORDS = b"\x16\x03\x01\0\0" * 26_000
EMPTY_ALERTS = b"\x15\x03\x01\0\0" * 26_000
EMPTY_MESSAGES = (b"\x16\x03\x01\x40\x00" + b"\x04\0\0\0" * 4096) * 7
READS = 256
"""Of one flight; each of them is followed by a look at what came so far."""


def obsolete(received: bytes) -> object:
    """Judge a flight as an obsolete server's."""
    return hello.read_answer(received, "TLSv1")


def one_kind(received: bytes) -> object:
    """Judge a flight as that of a server with an RSA certificate."""
    return leaf_hello.read_flight(received, "rsa")


JUDGES = {
    "obsolete": obsolete,
    "list": hello.read_refusal,
    "browser": browser_hello.read_answer,
    "one kind": one_kind,
}


@pytest.mark.parametrize("judge", JUDGES.values(), ids=JUDGES)
@pytest.mark.parametrize(
    "flight", [EMPTY_RECORDS, EMPTY_ALERTS, EMPTY_MESSAGES], ids=["records", "alerts", "messages"]
)
def test_a_flight_of_empty_parts_is_judged_quickly(judge: Callable[[bytes], object], flight: bytes) -> None:
    """Dripped octet by octet behind its beginning, it would cost seconds if all of it were read each time."""
    began = time.process_time()
    for _ in range(READS):
        assert judge(flight) is not None
    assert time.process_time() - began < 2


def test_an_endless_flight_is_a_refusal_that_says_so() -> None:
    """No server that means it needs hundreds of records."""
    assert hello.read_answer(EMPTY_RECORDS, "TLSv1") == hello.Answer(accepted=False, detail="a flight without end")


def test_a_flight_of_many_small_records_is_read() -> None:
    """Servers may cut a flight into pieces: 200 are none too many."""
    body = b"\x03\x01" + bytes(32) + b"\x00" + b"\x00\x35\x00"
    whole = b"\x02" + len(body).to_bytes(3) + body + b"\x0b" + (400).to_bytes(3) + bytes(400) + b"\x0e\0\0\0"
    pieces = [whole[at : at + 3] for at in range(0, len(whole), 3)]
    flight = b"".join(b"\x16\x03\x01" + len(piece).to_bytes(2) + piece for piece in pieces)
    assert hello.read_answer(flight, "TLSv1") == hello.Answer(accepted=True, cipher="AES256-SHA")
