"""The collector's document: both forms, its bounds, and what is refused."""

import base64
import gzip
import json
from datetime import UTC, datetime

import pytest
from padlock.probes.host import UnreadableHost, read
from padlock.probes.host.document import INFLATED_BYTES, PLAIN_BYTES

from tests.probes.host.documents import AT, compressed, document, section


def test_reads_the_plain_form() -> None:
    """Name, time, system and each command's fate are taken over; a section's output is not kept a second time."""
    host = read(
        document(section("ufw", "Status: inactive", command="ufw status verbose"), section("nftables", status=127))
    )
    assert (host.name, host.system, host.root) == ("web-1", "Debian", True)
    assert host.collected_at == datetime.fromtimestamp(AT, UTC)
    assert host.sections["ufw"].command == "ufw status verbose"
    assert host.sections["ufw"].output == ""
    assert host.sections["nftables"].missing


def test_the_given_name_wins() -> None:
    """A managed node's id stands in place of the host's own name."""
    assert read(document(), name="i-0abc").name == "i-0abc"


@pytest.mark.parametrize(
    "wrap", [lambda text: text, lambda text: text.replace(b"\n", b""), lambda text: b"\r\n" + text + b"\n"]
)
def test_reads_the_compressed_form(wrap: object) -> None:
    """Wrapped at any width or not at all."""
    assert callable(wrap)
    assert read(wrap(compressed(document(host="web-2")))).name == "web-2"


def test_text_is_as_good_as_octets() -> None:
    """A file read as text and one read as octets give the same."""
    plain = document(section("ufw", "Status: inactive"))
    assert read(plain.decode()) == read(plain)


def test_undoes_the_writing_of_octets() -> None:
    """Each escape is one octet of UTF-8; octets that are no UTF-8 are replaced."""
    assert read(document(host="b\u00c3\u00bccher")).name == "bücher"
    assert read(document(host="b\u00fccher")).name == "b\N{REPLACEMENT CHARACTER}cher"


def test_only_root_sees_all() -> None:
    """A collector without root's rights says so."""
    assert not read(document(uid=1000)).root


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"Permission denied (publickey).",
        b"{}",
        b"[]",
        b"null",
        b'"padlock-host/1"',
        b"[" * 100_000,
        b"\xff\xfe",
        json.dumps(
            {"format": "padlock-host/2", "collected_at": 1, "host": "", "system": "", "uid": 0, "sections": []}
        ).encode(),
        document(collected_at="yesterday"),
        document(collected_at=1e300),
        document(sections={"ufw": "text"}),
        document({"name": "ufw", "command": "ufw", "status": "none"}),
        document(*(section(str(number)) for number in range(65))),
        b"padlock-host/1 gzip !!!",
        b"padlock-host/1 gzip " + base64.b64encode(b"no gzip"),
        b"padlock-host/1 gzip ",
    ],
)
def test_refuses_what_is_none_of_the_collectors(text: bytes) -> None:
    """Each of them is UnreadableHost, which is a ValueError, with words for a person."""
    with pytest.raises(UnreadableHost, match=r"\w+ \w+") as raised:
        read(text)
    assert isinstance(raised.value, ValueError)
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 400


def test_says_that_it_was_cut_off() -> None:
    """Systems Manager keeps 24,000 characters: what is longer lacks its end."""
    plain = document(section("log_error", base64.b64encode(bytes(range(256)) * 200).decode()))
    whole = b"padlock-host/1 gzip " + base64.b64encode(gzip.compress(plain))
    with pytest.raises(UnreadableHost, match="cut off"):
        read(whole[: len(whole) // 2 // 4 * 4])


def test_a_bomb_is_not_inflated() -> None:
    """No more than the cap is ever made of a small document."""
    with pytest.raises(UnreadableHost, match="inflates to more"):
        read(compressed(b'{"format":"' + b" " * (INFLATED_BYTES * 20)))


def test_a_long_plain_document_is_refused() -> None:
    """Before it is parsed."""
    with pytest.raises(UnreadableHost, match="octets"):
        read(b" " * (PLAIN_BYTES + 1))


def test_nothing_of_the_host_is_shown_raw() -> None:
    """Escape sequences, line ends and direction marks in names and commands come out escaped."""
    host = read(document(section("ufw", command="\x1b[2J\u202eufw"), host="web\x1b]0;\n\u202e", system="a\x00b"))
    shown = host.name + host.system + host.sections["ufw"].command
    assert shown.isprintable()
