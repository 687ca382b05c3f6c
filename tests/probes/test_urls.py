"""Where a Location leads: as browsers read it, and not to where nobody meant."""

import pytest
from padlock.probes.urls import Malformed, Refused, Url, resolve
from padlock.site import parse

SITE = parse({"name": "example.com", "ports": {"http": 8080, "https": 8443}})
HOSTS = ("example.com", "www.example.com")
DEEP = Url("http", "example.com", 8080, "/shop/path?q=1")
SECURE = Url("https", "example.com", 8443, "/shop/path?q=1")


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://example.com:8443/", "https://example.com:8443/"),
        ("https://EXAMPLE.com:443", "https://example.com/"),
        ("HTTPS://example.com./x", "https://example.com/x"),
        ("//www.example.com/x", "http://www.example.com/x"),
        ("/a/../b/./c", "http://example.com:8080/b/c"),
        ("other", "http://example.com:8080/shop/other"),
        ("?x=1", "http://example.com:8080/shop/path?x=1"),
        ("#top", "http://example.com:8080/shop/path?q=1"),
        ("https://example.com/a#top", "https://example.com/a"),
        ("https://example.com?", "https://example.com/?"),
        ("  /x \t", "http://example.com:8080/x"),
        ("/\\www.example.com/x", "http://www.example.com/x"),
        ("\\\\www.example.com\\x", "http://www.example.com/x"),
        ("https:\\\\example.com\\a?b\\c", "https://example.com/a?b\\c"),
        ("https:///example.com/", "https://example.com/"),
        ("////example.com/", "http://example.com/"),
        ("https:example.com/x", "https://example.com/x"),
        ("http:other", "http://example.com:8080/shop/other"),
        ("http:/other", "http://example.com:8080/other"),
        ("https://bücher.example/ü?ü", "https://xn--bcher-kva.example/%C3%BC?%C3%BC"),
        ("https://example.com/a b%20c%zz", "https://example.com/a%20b%20c%zz"),
    ],
)
def test_a_location_leads_where_browsers_go(location: str, target: str) -> None:
    """Relative references, back slashes, superfluous slashes, fragments and letters beyond ASCII."""
    assert str(resolve(DEEP, location, SITE, HOSTS)) == target


@pytest.mark.parametrize(
    "location",
    [
        "",
        "https://",
        "https://?x",
        "//",
        "https://[::1",
        "https://a b.example/",
        "https://exa%6dple.com/",
        "https://-.example/",
        "https://example.com:99999/",
        "https://example.com:0/",
        "https://example.com:x/",
        "https://example.com/\x00",
        "https://example.com/\r",
        "https://example.com/\nSet-Cookie: a=b",
        "https://example.com/\x7f",
        "https://example.com/" + "x" * 9000,
        "https://example.com:80/",
        "http://example.com:443/",
        "https://example.comshop/path",
        "https://www.example.comshop/path",
    ],
)
def test_what_nobody_can_have_meant_is_malformed(location: str) -> None:
    """No host, no port, control characters, the other scheme's port, a missing slash."""
    for base in (DEEP, SECURE):
        with pytest.raises(Malformed):
            resolve(base, location, SITE, HOSTS)


@pytest.mark.parametrize(
    "location",
    [
        "ftp://example.com/",
        "javascript:alert(1)",
        "data:text/html,x",
        "mailto:root@example.com",
        "file:///etc/passwd",
        "https://user:secret@example.com/",
        "https://example.com@evil.example/",
        "https://example.com:22/",
        "http://169.254.169.254/latest/meta-data/",
        "http://127.0.0.1:8080/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://127.1/",
        "http://localhost/",
        "http://app.localhost/",
        "http://printer.local/",
        "http://intranet/",
        "https://metadata.google.internal/",
    ],
)
def test_what_is_not_followed_is_refused(location: str) -> None:
    """Other schemes, credentials, ports that nobody declared, addresses and inner names."""
    with pytest.raises(Refused):
        resolve(DEEP, location, SITE, HOSTS)


@pytest.mark.parametrize("location", ["https://example.com.au/", "https://example.community/shop/path"])
def test_a_longer_name_is_not_a_missing_slash(location: str) -> None:
    """Another domain that begins alike is followed."""
    assert resolve(DEEP, location, SITE, HOSTS).host == location.split("/")[2]


def test_the_standard_port_is_followed_although_another_is_declared() -> None:
    """A site behind odd ports may lead to one on the usual ones."""
    assert resolve(DEEP, "https://example.org/", SITE, HOSTS).port == 443
