"""URLs of a site, and where a browser goes from a Location header (WHATWG URL, RFC 9110 section 10.2.2).

Browsers are forgiving: back slashes are slashes, one slash too many does not count. What they cannot follow, or would
follow to where nobody meant, is Malformed; what they would follow and Padlock does not, is Refused.
"""

import functools
import ipaddress
import re
from collections.abc import Collection
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import msgspec

from padlock.site import Site, host_name

DEFAULT_PORTS = {"http": 80, "https": 443}
_LONGEST = 8192
_REMEMBERED = 1024
"""Characters of a Location and of what it is relative to up to which it is read once in this process."""
_KEPT_AS_IS = "/:?#[]@!$&'()*+,;=%-._~|^\\"
"""Characters of a path and query that need no percent-encoding, or have it already."""

_WHOLE = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]+)?/[A-Za-z0-9/_.-]*")
"""A URL that needs nothing to be whole, and that all read alike."""


class Url(msgspec.Struct, frozen=True):
    """An absolute URL without fragment; the host in A-labels."""

    scheme: str
    host: str
    port: int
    target: str
    """Path and query."""

    @property
    def authority(self) -> str:
        """The Host header: the port stands there only where it is not the scheme's."""
        return self.host if self.port == DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.target}"


class Refused(ValueError):
    """A target that is not followed; the message says why."""


class Malformed(ValueError):
    """A Location that no browser can follow, or that nobody meant."""


def resolve(base: Url, location: str, site: Site, hosts: Collection[str]) -> Url:
    """Return where a Location header leads from `base`; Refused or Malformed say why nowhere.

    `hosts` are the site's: one of them with the path glued to it is a missing slash.
    """
    text = location.strip(" \t")
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise Malformed("the Location holds control characters")
    if not text:
        raise Malformed("the Location is empty")
    if len(text) > _LONGEST:
        raise Malformed(f"the Location is {len(text)} characters long")
    is_short = len(text) + len(base.target) <= _REMEMBERED
    try:
        joined, parts = (_joined if is_short else _joined.__wrapped__)(base, text)
    except ValueError as error:
        raise Malformed(f"the Location is no URL: {error}") from None
    if parts.scheme not in DEFAULT_PORTS:
        raise Refused(f"it leads to the scheme {parts.scheme[:20]}, not to http or https")
    if "@" in parts.netloc:
        raise Refused("the URL carries credentials")
    port = _port(parts.netloc, parts.scheme)
    host = (_host if is_short else _host.__wrapped__)(parts.netloc)
    _check_glued(base, host, hosts)
    _check_port(parts.scheme, port, site)
    query = f"?{parts.query}" if parts.query or re.search(r"^[^#]*\?", joined) else ""
    return Url(parts.scheme, host, port, quote(f"{parts.path or '/'}{query}", safe=_KEPT_AS_IS))


@functools.lru_cache(maxsize=256)
def _joined(base: Url, text: str) -> tuple[str, SplitResult]:
    """Return the URL that a reference comes to, whole and taken apart."""
    if _WHOLE.fullmatch(text):
        return text, urlsplit(text)
    joined = urljoin(str(base), _as_browsers_read(base, text))
    return joined, urlsplit(joined)


def _as_browsers_read(base: Url, text: str) -> str:
    """Return the reference with its slashes as the URL parser takes them for http and https."""
    reference, mark, fragment = text.partition("#")
    before, question, query = reference.partition("?")
    before = before.replace("\\", "/")
    special = re.match(r"(?i)(https?):(/*)(.*)$", before, re.DOTALL)
    if special:
        scheme, slashes, rest = special[1].lower(), special[2], special[3]
        # "https:path" is relative on an https page, and a host elsewhere; any number of slashes makes a host.
        is_relative = scheme == base.scheme and len(slashes) < 2
        before = slashes + rest if is_relative else f"{scheme}://{rest}"
        if not rest and not is_relative:
            raise Malformed("the Location names no host")
    elif before.startswith("//"):
        before = "//" + before.lstrip("/")
        if before == "//":
            raise Malformed("the Location names no host")
    return before + question + query + mark + fragment


def _port(netloc: str, scheme: str) -> int:
    _, colon, text = netloc.rpartition(":")
    if not colon or "]" in text or not text:
        return DEFAULT_PORTS[scheme]
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise Malformed(f"{text[:20]!r} is no port")
    return int(text)


@functools.lru_cache(maxsize=256)
def _host(netloc: str) -> str:
    text = netloc if netloc.endswith("]") else re.sub(r":[0-9]*$", "", netloc)
    if not text:
        raise Malformed("the Location names no host")
    if _is_address(text.strip("[]")):
        raise Refused(f"it leads to the bare address {text[:60]}, not to a name")
    try:
        return host_name(text)
    except ValueError as error:
        if re.search("not a public host name|is an address|last part is a number", str(error)):
            raise Refused(f"it leads to {text[:80]!r}, which is not a public host name") from None
        raise Malformed(f"{text[:80]!r} is not a host name") from None


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _check_glued(base: Url, host: str, hosts: Collection[str]) -> None:
    """Refuse `https://example.compath`: the path follows the host without a slash."""
    first = re.split(r"[/?]", base.target[1:], maxsplit=1)[0].lower()
    for known in (base.host, *hosts):
        rest = host.removeprefix(known)
        if first and rest and rest != host and (rest == first or first.startswith(rest + ".")):
            raise Malformed(f"the path follows the host {known} without a slash: {host}")


def _check_port(scheme: str, port: int, site: Site) -> None:
    if port == (site.ports.https if scheme == "https" else site.http_port):
        return
    if port == DEFAULT_PORTS["https" if scheme == "http" else "http"]:
        raise Malformed(f"{scheme} on port {port}, which speaks the other scheme")
    if port != DEFAULT_PORTS[scheme]:
        raise Refused(f"it leads to port {port}")
