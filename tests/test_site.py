"""Declarations: sensible defaults, one clear error for each wrong entry, and none that stops the others."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from padlock.site import (
    Acknowledgement,
    Health,
    InvalidSite,
    Ports,
    Site,
    Thresholds,
    Window,
    host_name,
    interval_seconds,
    key_of,
    parse,
    parse_all,
)

SUNDAYS = {"every": "Sun 02:00", "for": "2h"}
KNOWN = {"code": "certificate.expiring", "until": "2026-12-24"}


def test_a_bare_host_is_enough() -> None:
    """A name alone is a site with the usual intent."""
    site = parse(" Example.COM. ")
    assert site == Site(name="example.com")
    assert (site.http_port, site.ports.https, site.interval_seconds) == (80, 443, 300)
    assert (site.redirect, site.hsts, site.hosts) == ("permanent", "optional", ())
    assert (site.thresholds.failures, site.thresholds.successes) == (2, 2)
    assert (site.reminder_seconds, site.digest, site.maintenance, site.acknowledge) == (86400, "on", (), ())
    assert parse({"name": "example.com"}) == site


def test_everything_declared() -> None:
    """Every key of the declaration is read."""
    site = parse(
        {
            "name": "example.com",
            "hosts": ["example.com", "WWW.example.com", "www.example.com."],
            "canonical": "www.Example.com",
            "addresses": ["93.184.215.14", "2606:2800:21F::/48", "Edge.CDN.example."],
            "health": {"path": "/health", "status": 200, "json": {"up": True}},
            "expect": {"status": [200, 203], "header": {"Server": "nginx"}},
            "ports": {"http": "closed", "https": 8443},
            "redirect": "temporary",
            "hsts": "required",
            "networks": "10.0.0.0/8",
            "interval": "1h",
            "disable": "hsts",
            "severity": {"hsts.missing": "error"},
            "thresholds": {"certificate_days": 20, "failures": 3, "successes": 1},
            "labels": {"team": "shop"},
            "timezone": "Europe/Berlin",
            "instances": "i-0123456789abcdef0",
            "reminder": "12h",
            "digest": "off",
            "maintenance": [SUNDAYS, {"start": "2026-12-24T18:00", "end": "2026-12-24T20:00+01:00"}],
            "acknowledge": [{**KNOWN, "subject": "WWW.Example.com.", "note": "ordered"}],
        }
    )
    assert site.hosts == ("example.com", "www.example.com")
    assert site.canonical == "www.example.com"
    assert site.addresses == ("93.184.215.14", "2606:2800:21f::/48", "edge.cdn.example")
    assert site.health == Health("/health", (200,), json={"up": True})
    assert site.ports == Ports("closed", 8443)
    assert site.http_port is None
    assert site.interval_seconds == 3600
    assert (site.networks, site.disable) == (("10.0.0.0/8",), ("hsts",))
    assert site.instances == ("i-0123456789abcdef0",)
    assert site.thresholds == Thresholds(certificate_days=20, failures=3, successes=1)
    assert (site.reminder_seconds, site.digest) == (43200, "off")
    assert site.maintenance == (
        Window(every="Sun 02:00", duration="2h"),
        Window(start="2026-12-24T18:00", end="2026-12-24T20:00+01:00"),
    )
    assert site.acknowledge == (Acknowledgement(**KNOWN, subject="www.example.com", note="ordered"),)


@pytest.mark.parametrize("instance", ["i-01234567", "i-0123456789abcdef0", "mi-0123456789abcdef0"])
def test_managed_nodes(instance: str) -> None:
    """Instances of EC2, with ids of both lengths, and machines elsewhere can be declared."""
    assert parse({"name": "example.com", "instances": [instance]}).instances == (instance,)


def test_one_window_needs_no_list() -> None:
    """One window and one acknowledgement may stand for themselves."""
    site = parse({"name": "example.com", "maintenance": SUNDAYS, "acknowledge": KNOWN})
    assert site.maintenance == (Window(every="Sun 02:00", duration="2h"),)
    assert site.acknowledge == (Acknowledgement(**KNOWN),)


@pytest.mark.parametrize(
    "window",
    [
        {"every": "02:00", "for": "1m"},
        {"every": "2:00", "for": "1439m"},
        {"every": "sunday  23:59", "for": "6d"},
        {"every": "THU 00:00", "for": "167h"},
        {"start": "2026-12-24", "end": "2026-12-25"},
        {"start": "2026-12-24 18:00", "end": "2026-12-24T18:00:01"},
        {"start": "2026-12-24T18:00Z", "end": "2026-12-24T19:01:00+01:00"},
    ],
)
def test_windows(window: dict[str, str]) -> None:
    """Each form of a window is kept as it was written, and stays the same in JSON and back."""
    site = parse({"name": "example.com", "maintenance": [window]})
    assert msgspec.to_builtins(site)["maintenance"] == (window,)
    assert msgspec.json.decode(msgspec.json.encode(site), type=Site) == site


@pytest.mark.parametrize("reminder", ["1h", "24h", "30d", "off"])
def test_reminders(reminder: str) -> None:
    """Reminders come every hour to every month, or not at all."""
    assert (parse({"name": "example.com", "reminder": reminder}).reminder_seconds is None) == (reminder == "off")


@pytest.mark.parametrize(
    ("subject", "kept"),
    [
        ("Bücher.example.", "xn--bcher-kva.example"),
        ("https://example.com/Up", "https://example.com/Up"),
        ("example.com at 192.0.2.1", "example.com at 192.0.2.1"),
        ("*", ""),
        ("", ""),
    ],
)
def test_subjects_of_findings(subject: str, kept: str) -> None:
    """A host is acknowledged as findings name it, what is more than a host as reports write it."""
    (known,) = parse({"name": "example.com", "acknowledge": {**KNOWN, "subject": subject}}).acknowledge
    assert known.subject == kept


def test_a_path_is_a_health_check() -> None:
    """A path stands for a health check with the checklist's statuses."""
    assert parse({"name": "example.com", "health": "/up"}).health == Health("/up", (200, 204, 301))


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"hosts": ["example.com"]}, "needs the key name"),
        ({"nmae": "example.com"}, "found 'nmae'"),
        ({"name": 5}, "needs the key name"),
        ({"name": "example.com", "host": ["a.example"]}, "did you mean 'hosts'"),
        (
            {"name": "example.com", "health": {"path": "/h", "stauts": [200]}},
            "'stauts' in health; did you mean 'status'",
        ),
        ({"name": "example.com", "colour": "red"}, "known keys: name, hosts"),
        ({"name": "example.com", "hosts": 5}, "hosts: write a list, not a whole number"),
        ({"name": "example.com", "hosts": ["https://example.com/"]}, "is a URL"),
        (
            {"name": "example.com", "canonical": "shop.example.com", "hosts": ["example.com"]},
            "not among the declared",
        ),
        ({"name": "example.com", "hosts": [f"h{n}.example.com" for n in range(21)]}, "20 is the most"),
        ({"name": "example.com", "health": "health"}, "health.path"),
        ({"name": "example.com", "health": {"path": "/h", "status": [42]}}, "health.status"),
        ({"name": "example.com", "ports": {"http": 0}}, "ports.http"),
        ({"name": "example.com", "ports": {"http": "shut"}}, "ports.http"),
        ({"name": "example.com", "redirect": "perhaps"}, "redirect"),
        ({"name": "example.com", "interval": "5 minutes"}, "write a number and a unit"),
        ({"name": "example.com", "interval": "10s"}, "use 1m to 7d"),
        ({"name": "example.com", "networks": ["10.0.0.1/8"]}, "not a CIDR range"),
        ({"name": "example.com", "timezone": "Berlin"}, "such as Europe/Berlin"),
        ({"name": "example.com", "timezone": "../../etc/passwd"}, "timezone"),
        ({"name": "example.com", "private_ca": "secret"}, "no PEM certificate"),
        ({"name": "example.com", "addresses": ["1.2.3.4/8"]}, "host bits"),
        ({"name": "example.com", "severity": {"hsts.missing": "fatal"}}, "severity"),
        ({"name": "example.com", "slow": -1}, "slow: write a number, more than 0"),
        ({"name": "example.com", "slow": "x"}, "slow: write a number, not text"),
        ({"name": "example.com", "hsts": "on"}, "hsts: write off, optional or required, not 'on'"),
        ({"name": "example.com", "hsts": False}, "hsts: write off, optional or required, not true or false"),
        ({"name": "example.com", "redirect": "302"}, "redirect: write permanent or temporary, not '302'"),
        (
            {"name": "example.com", "severity": {"a.b": "error", "certificate.x": "fatal"}},
            "severity of certificate.x: write error, warning or notice, not 'fatal'",
        ),
        ({"name": "example.com", "labels": {"a": "x", "b": ""}}, "labels.b: write text, not empty"),
        ({"name": "example.com", "labels": {"": "x"}}, "a key of labels: write text, not empty"),
        ({"name": "example.com", "labels": {f"l{n}": "x" for n in range(21)}}, "at most 20 entries"),
        ({"name": "example.com", "health": "/a b"}, "health.path: it must begin with / and have no spaces"),
        ({"name": "example.com", "health": "/health\n"}, "health.path: it must begin with / and have no spaces"),
        ({"name": "example.com", "health": {"status": 200}}, "health: the key path is missing"),
        ({"name": "example.com", "expect": {"header": {"a": "b", "c": 3}}}, "expect.header.c: write text"),
        ({"name": "example.com", "private_ca": b"x"}, "private_ca: write the certificates as PEM text"),
        ({"name": "example.com", "hosts": []}, "hosts is an empty list"),
        ({"name": "example.com", "hosts": ["a b"]}, "hosts: 'a b' has a character"),
        ({"name": "example.com", "addresses": ["https://x/"]}, "addresses: 'https://x/' is a URL"),
        ({"name": "example.com", "interval": "5s"}, "interval: '5s' is out of range"),
        ({"name": "example.com", "canonical": "example.org"}, "neither the name nor its www or apex sibling"),
        ({"name": "example.com", "instances": ["web-1"]}, "instances[0]: write at most 20 managed nodes, such as i-"),
        ({"name": "example.com", "instances": ["i-0123456789ABCDEF0"]}, "instances[0]: write at most 20"),
        ({"name": "example.com", "instances": ["i-0123456789abcdef0\n"]}, "instances[0]: write at most 20"),
        ({"name": "example.com", "instances": ["mi-01234567"]}, "instances[0]: write at most 20 managed nodes"),
        ({"name": "example.com", "instances": 5}, "instances: write at most 20 managed nodes"),
        (
            {"name": "example.com", "instances": [f"i-{n:017x}" for n in range(21)]},
            "instances: write at most 20 managed nodes",
        ),
        ({"name": "example.com", "interval": "99999999d"}, "interval: '99999999d' is no length of time"),
    ],
)
def test_wrong_entries(entry: dict[str, Any], told: str) -> None:
    """Each wrong entry is refused with the key, and what to write."""
    with pytest.raises(InvalidSite) as caught:
        parse(entry)
    assert told in str(caught.value)
    if isinstance(entry.get("name"), str):
        assert "site 'example.com'" in str(caught.value)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"thresholds": {"failures": 0}}, "thresholds.failures: write a whole number, at least 1"),
        ({"thresholds": {"failures": 11}}, "thresholds.failures: write a whole number, at most 10"),
        ({"thresholds": {"successes": 1.5}}, "thresholds.successes: write a whole number, not a number"),
        ({"thresholds": {"failure": 3}}, "unknown key 'failure' in thresholds; did you mean 'failures'?"),
        ({"reminder": "59m"}, "reminder: '59m' is out of range; use 1h to 30d, or off"),
        ({"reminder": "31d"}, "reminder: '31d' is out of range; use 1h to 30d, or off"),
        ({"reminder": "daily"}, "reminder: 'daily' is no length of time; write a number and a unit"),
        ({"reminder": False}, "reminder: write a length of time from 1h to 30d, or off, not true or false"),
        ({"digest": "weekly"}, "digest: write on or off, not 'weekly'"),
        ({"maintenance": "Sun 02:00"}, "maintenance: write at most 50 windows, such as {every: Sun 02:00, for: 2h}"),
        ({"maintenance": [SUNDAYS] * 51}, "maintenance: write at most 50 windows"),
        ({"maintenance": [SUNDAYS, "02:00"]}, "maintenance[1]: write at most 50 windows"),
        ({"maintenance": [SUNDAYS, {}]}, "maintenance[1]: write both start and end, or both every and for"),
        ({"maintenance": {"every": "02:00"}}, "maintenance[0]: write both start and end, or both every and for"),
        ({"maintenance": {"start": "2026-12-24", "for": "2h"}}, "write both start and end, or both every and for"),
        ({"maintenance": {**SUNDAYS, "end": "2026-12-24"}}, "write both start and end, or both every and for"),
        ({"maintenance": {**SUNDAYS, "fro": "2h"}}, "unknown key 'fro' in maintenance[0]; did you mean 'for'?"),
        ({"maintenance": {**SUNDAYS, "zzz": 1}}, "in maintenance[0]; known keys: start, end, every, for"),
        ({"maintenance": {**SUNDAYS, "for": 2}}, "maintenance[0].for: write a length of time such as 2h, not a"),
        ({"maintenance": {**SUNDAYS, "every": 120}}, "maintenance[0].every: write a time such as 02:00 or Sun 02:00"),
        (
            {"maintenance": {**SUNDAYS, "every": "Son 02:00"}},
            "maintenance[0]: every: 'Son' is no weekday; write Mon,",
        ),
        ({"maintenance": {**SUNDAYS, "every": "Su 02:00"}}, "every: 'Su' is no weekday"),
        ({"maintenance": {**SUNDAYS, "every": "24:00"}}, "every: '24:00' is no time of the day; write one such as"),
        ({"maintenance": {**SUNDAYS, "every": "02:00Z"}}, "every: '02:00Z' is no time of the day"),
        ({"maintenance": {**SUNDAYS, "every": "Sun"}}, "every: 'Sun' is no time of the day"),
        ({"maintenance": {**SUNDAYS, "for": "59s"}}, "maintenance[0]: for: '59s' is out of range; use 1m to 7d"),
        ({"maintenance": {**SUNDAYS, "for": "7d"}}, "for: 7d is no shorter than the week after which it comes again"),
        ({"maintenance": {**SUNDAYS, "for": "8d"}}, "for: '8d' is out of range; use 1m to 7d"),
        ({"maintenance": {"every": "02:00", "for": "24h"}}, "for: 24h is no shorter than the day after which"),
        ({"maintenance": {"start": "24.12.2026", "end": "2026-12-25"}}, "start: '24.12.2026' is no time; write one"),
        (
            {"maintenance": {"start": "2026-12-24", "end": "0001-01-01"}, "timezone": "Asia/Tokyo"},
            "'0001-01-01' is no",
        ),
        (
            {"maintenance": {"start": "2026-12-24T18:00", "end": "2026-12-24T18:00"}},
            "maintenance[0]: it ends at 2026-12-24T18:00, which is not after its start 2026-12-24T18:00",
        ),
        (
            # 17:30 UTC is half an hour after 18:00 in Berlin.
            {
                "maintenance": {"start": "2026-12-24T17:30Z", "end": "2026-12-24T18:00"},
                "timezone": "Europe/Berlin",
            },
            "which is not after its start",
        ),
        ({"acknowledge": "certificate.expiring"}, "acknowledge: write at most 50 findings, such as {code: "),
        ({"acknowledge": [KNOWN] * 51}, "acknowledge: write at most 50 findings"),
        ({"acknowledge": {"code": "hsts.missing"}}, "acknowledge[0]: the key until is missing"),
        ({"acknowledge": [KNOWN, {"until": "2026-12-24"}]}, "acknowledge[1]: the key code is missing"),
        ({"acknowledge": {**KNOWN, "until": "forever"}}, "acknowledge[0]: until: 'forever' is no time; write one"),
        (
            {"acknowledge": {**KNOWN, "until": 20261224}},
            "acknowledge[0].until: write a time such as 2026-12-24T18:00",
        ),
        ({"acknowledge": {**KNOWN, "subject": "x" * 301}}, "acknowledge[0].subject: write text, at most 300"),
        ({"acknowledge": {**KNOWN, "note": "x" * 301}}, "acknowledge[0].note: write text, at most 300 characters"),
        ({"acknowledge": {**KNOWN, "reason": "x"}}, "in acknowledge[0]; known keys: code, until, subject, note"),
    ],
)
def test_wrong_wishes(keys: dict[str, Any], told: str) -> None:
    """Each wrong wish about alerts is refused with the key, and what to write."""
    with pytest.raises(InvalidSite) as caught:
        parse({"name": "example.com", **keys})
    assert told in str(caught.value)
    assert str(caught.value).startswith("site 'example.com': ")


@pytest.mark.parametrize("entry", [None, 5, ["example.com"], ""])
def test_what_is_no_declaration(entry: Any) -> None:
    """Another type than a host or a mapping is refused."""
    with pytest.raises(InvalidSite):
        parse(entry)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("", "the host name is empty"),
        ("42", "site '42' is not a host name: its last part is a number"),
        ("192.0.2.1", "site '192.0.2.1' is an address"),
        ("2001:db8::1", "site '2001:db8::1' is an address"),
        ("https://example.com/", "site 'https://example.com/' is a URL"),
    ],
)
def test_wrong_names(entry: str, told: str) -> None:
    """A name that is none is named once, with what it is instead."""
    with pytest.raises(InvalidSite) as caught:
        parse(entry)
    assert told in str(caught.value)
    assert str(caught.value).count(entry or "is empty") == 1


def test_canonical_may_be_a_sibling() -> None:
    """Without declared hosts the canonical one is the name, its www host or its apex."""
    for name, canonical in (("example.com", "www.example.com"), ("www.example.com", "example.com")):
        assert parse({"name": name, "canonical": canonical}).canonical == canonical


def test_one_wrong_entry_never_stops_the_others() -> None:
    """The usable sites are returned beside one numbered error for each that is not."""
    sites, errors = parse_all(["example.com", {"name": "b.example", "hots": []}, 7, "EXAMPLE.com", "c.example"])
    assert [site.name for site in sites] == ["example.com", "c.example"]
    assert [str(error).split(":")[0] for error in errors] == ["entry 2", "entry 3", "entry 4"]
    assert "declared twice" in str(errors[2])
    assert parse_all([]) == ([], [])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Example.COM.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("_acme.example.com", "_acme.example.com"),
        ("1.example", "1.example"),
        (f"{'a' * 63}.example", f"{'a' * 63}.example"),
    ],
)
def test_host_names(text: str, name: str) -> None:
    """Names become lower-case A-labels without a trailing dot."""
    assert host_name(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "example",
        "localhost",
        "db.internal",
        "printer.local",
        "192.0.2.1",
        "0x7f.0x1",
        "[::1]",
        "example.com:80",
        "user@example.com",
        "exa mple.com",
        "example.com/path",
        "example.com\\@evil.example",
        "ex%61mple.com",
        "exa\x00mple.com",
        "-a.example",
        "a-.example",
        "a..example",
        f"{'a' * 64}.example",
        ".".join(["a" * 60] * 5),
    ],
)
def test_what_is_no_public_host_name(text: str) -> None:
    """Addresses, URLs, local names and characters that no host name has are refused."""
    with pytest.raises(ValueError, match=r"."):
        host_name(text)


@given(st.text(max_size=60))
def test_host_name_never_fails_otherwise(text: str) -> None:
    """Any text is a name that stays the same when read again, or a ValueError."""
    try:
        name = host_name(text)
    except ValueError:
        return
    assert host_name(name) == name
    assert name.isascii()


@pytest.mark.parametrize(("text", "seconds"), [("1m", 60), ("60s", 60), ("5m", 300), ("24h", 86400), ("7d", 604800)])
def test_intervals(text: str, seconds: int) -> None:
    """A number and a unit, from a minute to a week."""
    assert interval_seconds(text) == seconds


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("#slot", r"\x23slot"),
        ("host#i-0123456789abcdef0", r"host\x23i-0123456789abcdef0"),
        ("a.example#b", r"a.example\x23b"),
        (r"\x23slot", r"\\x23slot"),
        ("a b", "a b"),
        ("a\tb", r"a\tb"),
    ],
)
def test_key_of_a_name_that_is_none(name: str, key: str) -> None:
    """A wrong name has a key that can be read, that no other name has, and that is no partition of Padlock's own."""
    assert key_of(name) == key_of({"name": name}) == key


@given(st.text(st.sampled_from("#hosti-\\x23 .") | st.characters(), max_size=40))
def test_no_key_is_a_partition_of_ours(name: str) -> None:
    """Whatever a declaration names, its results stay out of the partitions whose names have a `#`."""
    assert "#" not in key_of(name)
