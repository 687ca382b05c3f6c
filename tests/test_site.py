"""Declarations: sensible defaults, one clear error for each wrong entry, and none that stops the others."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from padlock.site import Health, InvalidSite, Ports, Site, host_name, interval_seconds, parse, parse_all


def test_a_bare_host_is_enough() -> None:
    """A name alone is a site with the usual intent."""
    site = parse(" Example.COM. ")
    assert site == Site(name="example.com")
    assert (site.http_port, site.ports.https, site.interval_seconds) == (80, 443, 300)
    assert (site.redirect, site.hsts, site.hosts) == ("permanent", "optional", ())
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
            "thresholds": {"certificate_days": 20},
            "labels": {"team": "shop"},
            "timezone": "Europe/Berlin",
            "instances": "i-0123456789abcdef0",
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


@pytest.mark.parametrize("instance", ["i-01234567", "i-0123456789abcdef0", "mi-0123456789abcdef0"])
def test_managed_nodes(instance: str) -> None:
    """Instances of EC2, with ids of both lengths, and machines elsewhere can be declared."""
    assert parse({"name": "example.com", "instances": [instance]}).instances == (instance,)


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
    ],
)
def test_wrong_entries(entry: dict[str, Any], told: str) -> None:
    """Each wrong entry is refused with the key, and what to write."""
    with pytest.raises(InvalidSite) as caught:
        parse(entry)
    assert told in str(caught.value)
    if isinstance(entry.get("name"), str):
        assert "site 'example.com'" in str(caught.value)


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
