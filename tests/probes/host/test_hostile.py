"""A host that means harm: whatever it writes, read() returns a bounded Host or refuses with UnreadableHost."""

import time
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from padlock.evidence import Host
from padlock.probes.host import UnreadableHost, read

from tests.probes.host.documents import SAMPLES, compressed, document, section

NAMES = (
    *(
        "nginx_version",
        "nginx_test",
        "nginx_config",
        "nginx_processes",
        "nginx_service",
        "nginx_files",
        "certificates",
    ),
    *(
        "certbot_version",
        "certbot_list",
        "certbot_timers",
        "certbot_renewal_conf",
        "certbot_dry_run",
        "ufw",
        "nftables",
    ),
    *("iptables", "ip6tables", "listeners", "upstreams", "log_error", "log_access", "log_certbot"),
)
REAL = sorted(file.read_text(encoding="utf-8") for file in SAMPLES.iterdir())
WORDS = st.sampled_from(
    [
        *(
            "\t",
            "\n",
            "\\n",
            "\\t",
            "\\",
            "80",
            "443",
            "-A INPUT ",
            "-j ",
            "! ",
            "DROP",
            ":INPUT DROP [0:0]",
            "*filter\n",
            '"',
        ),
        *("timer\t", "cron\t", "hook\t", "  Certificate Name: ", "    Domains: ", "Expiry Date: ", "VALID: 1 day"),
        *("ALLOW IN ", "Status: active\n", "Default: deny (incoming)", "{", "}", ";", "server ", "?token="),
        *(
            "-----BEGIN CERTIFICATE-----",
            "-----END CERTIFICATE-----",
            "\x1b[2J",
            "\u202e",
            "é",
            "\ud7ff",
            "Authorization: ",
        ),
    ]
)
TEXT = st.one_of(
    st.text(max_size=300),
    st.lists(WORDS, max_size=60).map("".join),
    st.tuples(st.sampled_from(REAL), st.integers(0, 3_000), st.integers(0, 4_000), st.lists(WORDS, max_size=5)).map(
        lambda drawn: drawn[0][drawn[1] : drawn[1] + drawn[2]] + "".join(drawn[3])
    ),
)
SECTIONS = st.lists(
    st.builds(section, st.sampled_from(NAMES), TEXT, st.sampled_from([0, 0, 0, 1, 124, 127]), st.text(max_size=20)),
    max_size=8,
)
KEYS = (
    *(
        "match",
        "op",
        "left",
        "right",
        "payload",
        "protocol",
        "field",
        "meta",
        "key",
        "ct",
        "set",
        "vmap",
        "data",
        "jump",
    ),
    *("target", "drop", "accept", "xt", "type", "name", "limit", "inv", "&", "|", "range", "prefix", "addr", "len"),
    *("elem", "val", "fib", "flags", "result", "meter", "stmt"),
)
PLAIN = st.sampled_from(["tcp", "dport", "@x", "ip", "0.0.0.0/0", "input", "lo", "inet", "f"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 70_000) | PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)


def outcome(text: bytes) -> Host | None:
    """Return what is read, None where it was refused; anything else than that is an error."""
    try:
        return read(text)
    except UnreadableHost:
        return None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SECTIONS)
def test_any_section_is_read(sections: list[dict[str, Any]]) -> None:
    """Parts of real outputs, put together anyhow, yield a Host that can be stored and shown."""
    host = read(document(*sections))
    again = msgspec.json.decode(msgspec.json.encode(host), type=Host)
    assert again == host


@settings(max_examples=200, deadline=None)
@given(st.lists(VALUES, max_size=4), st.lists(VALUES, max_size=3))
def test_any_rule_set_is_read(expressions: list[Any], elements: list[Any]) -> None:
    """Rules of any shape, in a chain that drops the rest."""
    place = {"family": "inet", "table": "f"}
    objects = [
        {"chain": {**place, "name": "in", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}},
        {"set": {**place, "name": "x", "elem": elements}},
        {"rule": {**place, "chain": "in", "expr": expressions}},
        {
            "rule": {
                **place,
                "chain": "in",
                "expr": [{"match": {"op": "==", "left": {"meta": {"key": "iif"}}, "right": e}} for e in elements],
            }
        },
        *({"chain": each} for each in elements),
    ]
    host = read(document(section("nftables", msgspec.json.encode({"nftables": objects}).decode())))
    assert host.filters


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 2_000))
def test_any_octets_are_read_or_refused(octets: bytes, at: int) -> None:
    """Octets of any kind, alone and within a document of either form."""
    plain = document(section("ufw", "Status: inactive"), section("log_error", "x"))
    for whole in (plain, compressed(plain)):
        outcome(octets)
        outcome(whole[:at] + octets + whole[at:])
        outcome(whole[:at] + octets)


LONG = {
    "one line": "x" * 3_000_000,
    "many lines": "x\n" * 1_000_000,
    "many fields": "a\t" * 1_000_000,
    "escapes": "\\n" * 1_000_000,
    "jumps": "*filter\n"
    + "".join(f":c{n} - [0:0]\n-A c{n} -j c{n + 1}\n-A c{n} -j c{n + 1}\n" for n in range(9_000)),
    "loop": "*filter\n:INPUT DROP [0:0]\n:a - [0:0]\n:b - [0:0]\n-A INPUT -j a\n-A a -j b\n-A b -j a\n" * 9_000,
    "conditions": "*filter\n:INPUT DROP [0:0]\n" + "-A INPUT " + "-s 1.2.3.4 ! -d 5.6.7.8 " * 150 + "\n" * 5_000,
    "quotes": '*filter\n-A INPUT --comment "' + '\\"' * 1_500_000,
    "certificates": "  Certificate Name: a\n    Domains: " + "b\n      " * 300_000,
    "problems": "  Domain: a\n  Type:   b\n  Detail: c\n" * 60_000,
    "authorization": "authorization: basic " * 140_000,
    "queries": "?" * 2_900_000,
    "blank": " " * 2_900_000,
    "ufw": "Status: active\nDefault: deny (incoming)\n" + "443/tcp ALLOW IN Anywhere\n" * 100_000,
    "ufw spaces": "Status: active\nDefault: deny (incoming)\n" + ("4" + " " * 490 + "\n") * 5_000,
    "nested": "[" * 2_900_000,
    "nft nested": '{"nftables":' + "[" * 1_400_000,
    "braces": "# configuration file /a:\n" + "a {" * 300_000,
}


@pytest.mark.parametrize("kind", LONG)
def test_time_is_bounded(kind: str) -> None:
    """The largest documents of each bad kind are read in seconds: all sections so, and each alone."""
    share = LONG[kind][: 3_600_000 // len(NAMES)]
    for sections in ([section(name, share) for name in NAMES], *([section(name, LONG[kind])] for name in NAMES)):
        whole = compressed(document(*sections))
        began = time.monotonic()
        assert outcome(whole)
        assert time.monotonic() - began < 5, sections[0]["name"]
