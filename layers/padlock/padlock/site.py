"""What a site's owner declares: the site and what is intended for it.

One declaration is a bare host name or a mapping; the same keys serve the Sites table, a site file, an
on-demand event and a queue message. Everything but the name has a sensible default.
"""

import difflib
import hashlib
import ipaddress
import re
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import idna
import msgspec

from padlock.explanations import explained
from padlock.times import clock, length, moment

INSTANCE = r"^(i-[0-9a-f]{8}|m?i-[0-9a-f]{17})\Z"
"""A managed node of Systems Manager: an EC2 instance, or a machine elsewhere (mi-…)."""

type Severity = Literal["error", "warning", "notice"]
type Hsts = Literal["off", "optional", "required"]
type Redirect = Literal["permanent", "temporary"]
type StatusCode = Annotated[int, msgspec.Meta(ge=100, le=599)]
type Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
type Path = Annotated[str, msgspec.Meta(pattern=r"^/[!-~]*\Z", max_length=1024)]
type Label = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
type Instance = Annotated[str, msgspec.Meta(pattern=INSTANCE)]
type Looks = Annotated[int, msgspec.Meta(ge=1, le=10)]
type Texts = Annotated[tuple[str, ...], msgspec.Meta(max_length=64)]

MAX_HOSTS = 20


class Health(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the health path must answer (checklist step 13)."""

    path: Path
    status: tuple[StatusCode, ...] = (200, 204, 301)
    contains: str = ""
    """Text that the body must contain; empty: none is asked for."""
    json: Mapping[str, str | int | float | bool | None] = {}
    """Top-level or dotted field of a JSON body → its value."""


class Expect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the front page must answer (checklist step 12)."""

    status: tuple[StatusCode, ...] = ()
    contains: str = ""
    title: str = ""
    header: Mapping[str, str] = {}
    """Header name → text that its value must contain."""


class Ports(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The site's ports; `closed` says that plain HTTP is off on purpose."""

    http: Port | Literal["closed"] = 80
    https: Port = 443


class Thresholds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits that a site may move."""

    certificate_days: Annotated[int, msgspec.Meta(ge=1, le=365)] | None = None
    """Remaining days below which an expiring certificate is an error; None: relative to its lifetime."""
    hsts_max_age: Annotated[int, msgspec.Meta(ge=0)] = 15552000
    """Seconds below which an HSTS max-age counts as short (180 days)."""
    failures: Looks = 2
    """Looks in a row that must see what may pass by itself before it counts."""
    successes: Looks = 2
    """Looks in a row that must not see a finding any more before it is over."""


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename={"duration": "for"}):
    """A maintenance window, in which no alert goes out: once, or every day or week."""

    start: str = ""
    """ISO 8601, in the site's time zone unless it names one; empty: it comes again."""
    end: str = ""
    every: str = ""
    """`02:00` or `Sun 02:00` in the site's time zone; empty: it is once."""
    duration: str = ""
    """How long one that comes again lasts, such as 2h; less than it takes to come again."""

    @property
    def seconds(self) -> int:
        """How long one that comes again lasts."""
        return length(self.duration, "1m", "7d")


class Acknowledgement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A finding that the owner knows of, and of which no alert is wanted for a time."""

    code: str
    """`*`: every code."""
    until: str
    """ISO 8601, in the site's time zone unless it names one; a date alone is its beginning."""
    subject: Annotated[str, msgspec.Meta(max_length=300)] = ""
    """As reports and alerts name it; empty, or `*`: every subject."""
    note: Annotated[str, msgspec.Meta(max_length=300)] = ""


class Site(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One site. Hosts are lower-case A-labels without a trailing dot."""

    name: str
    """The host that the site is known by, and its key in the tables."""
    hosts: tuple[str, ...] = ()
    """Declared hosts; empty: the name and its www or apex sibling, if that exists."""
    canonical: str = ""
    """The host that the others redirect to; empty: whichever they agree on."""
    addresses: tuple[str, ...] = ()
    """Addresses, CIDR ranges or a CNAME target that the hosts must resolve to; empty: not declared."""
    health: Health | None = None
    expect: Expect | None = None
    ports: Ports = Ports()
    redirect: Redirect = "permanent"
    hsts: Hsts = "optional"
    slow: Annotated[float, msgspec.Meta(gt=0, le=30)] = 3.0
    """Seconds that the front page may take to its first octet, handshakes included."""
    networks: tuple[str, ...] = ()
    """CIDR ranges beyond the public ones in which the site may live; the operator must allow them too."""
    private_ca: str = ""
    """PEM certificates trusted for this site beside the public roots."""
    interval: str = "5m"
    """Time between two checks, such as 5m, 1h or 1d."""
    disable: Texts = ()
    """Codes, or prefixes of codes, that are not checked."""
    severity: Mapping[str, Severity] = {}
    """Code → severity that replaces the rule's own."""
    thresholds: Thresholds = Thresholds()
    labels: Annotated[Mapping[Label, Label], msgspec.Meta(max_length=20)] = {}
    """Go into reports and alerts as they are, so that subscribers can route by them."""
    timezone: str = "UTC"
    instances: Annotated[tuple[Instance, ...], msgspec.Meta(max_length=20)] = ()
    """Managed nodes that serve the site and are audited for it."""
    reminder: str = "1d"
    """Time after which an error that stays open is told of again, such as 12h or 7d; `off`: never."""
    digest: Literal["on", "off"] = "on"
    """Whether the weekly digest names the site."""
    maintenance: Annotated[tuple[Window, ...], msgspec.Meta(max_length=50)] = ()
    acknowledge: Annotated[tuple[Acknowledgement, ...], msgspec.Meta(max_length=50)] = ()

    @property
    def interval_seconds(self) -> int:
        """Seconds between two checks."""
        return interval_seconds(self.interval)

    @property
    def reminder_seconds(self) -> int | None:
        """Seconds between two reminders; None: there are none."""
        return _reminder(self.reminder)

    @property
    def http_port(self) -> int | None:
        """The port of plain HTTP; None where it is closed on purpose."""
        return None if self.ports.http == "closed" else self.ports.http


class InvalidSite(ValueError):
    """A declaration that cannot be used; the message says which entry, which key, and what to write."""


_LABEL = re.compile(r"^(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
_LOCAL = ("localhost", "local", "internal", "localdomain", "home.arpa", "onion")


def interval_seconds(text: str) -> int:
    """Return the seconds of an interval such as `5m`; ValueError if it is none or out of range."""
    return length(text, "1m", "7d")


def _reminder(text: str) -> int | None:
    try:
        return None if text == "off" else length(text, "1h", "30d")
    except ValueError as error:
        raise ValueError(f"{error}, or off") from error


def host_name(text: str) -> str:
    """Return a host name as lower-case A-labels (IDNA 2008, RFC 5891); ValueError says why it is none."""
    shown = text if len(text) <= 80 else text[:77] + "..."
    if not text:
        raise ValueError("the host name is empty; write one such as example.com")
    if "://" in text or "/" in text:
        raise ValueError(f"{shown!r} is a URL; write the host name alone")
    if _is_address(text):
        raise ValueError(f"{shown!r} is an address, not a host name; declare it under addresses")
    if re.search(r"[\s\x00-\x20\x7f@\\%:?#]", text):
        raise ValueError(f"{shown!r} has a character that no host name has; write the host name alone")
    try:
        name = text.lower() if text.isascii() else idna.encode(text, uts46=True).decode()
    except idna.IDNAError as error:
        raise ValueError(f"{shown!r} is not a valid international name: {error}") from error
    name = name.removesuffix(".").lower()
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.match(label) for label in labels):
        raise ValueError(f"{shown!r} is not a host name")
    if re.fullmatch(r"[0-9]+|0x[0-9a-f]*", labels[-1]):
        raise ValueError(f"{shown!r} is not a host name: its last part is a number")
    if len(labels) < 2 or any(name == local or name.endswith("." + local) for local in _LOCAL):
        raise ValueError(f"{shown!r} is not a public host name")
    return name


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def key_of(declaration: str | Mapping[str, Any]) -> str:
    """Return the name under which a declaration's results are kept: its host, or ASCII where the name is none.

    No key has a `#`, as the partitions of Padlock's own have: of a name that has one, it is escaped too.
    """
    raw = declaration if isinstance(declaration, str) else str(declaration.get("name") or "")
    try:
        return host_name(raw.strip())
    except ValueError:
        shown = raw.strip().encode("unicode_escape").decode().replace("#", r"\x23") or "(no name)"
        # Two wrong entries that begin alike must not share one state.
        return shown if len(shown) <= 200 else f"{shown[:180]}...{hashlib.sha256(shown.encode()).hexdigest()[:16]}"


def parse(declaration: str | Mapping[str, Any]) -> Site:
    """Read one declaration, a bare host name or a mapping; InvalidSite says what is wrong with it."""
    if isinstance(declaration, str):
        declaration = {"name": declaration.strip()}
        if not declaration["name"]:
            raise InvalidSite("the host name is empty; write one such as example.com")
    if not isinstance(declaration, Mapping):
        raise InvalidSite(f"a site is a host name or a mapping with the key name, not {_kind(declaration)}")
    name = declaration.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidSite("a site needs the key name, with its host name" + _hint(declaration, "name"))
    try:
        host_name(name)
    except ValueError as error:
        raise InvalidSite(f"site {error}") from error
    whole = _scalars_to_lists(declaration)
    try:
        return _normalised(msgspec.convert(whole, Site))
    except msgspec.ValidationError as error:
        raise InvalidSite(f"site {name[:80]!r}: {explained(str(error), whole, Site)}") from error
    except ValueError as error:
        raise InvalidSite(f"site {name[:80]!r}: {error}") from error


def parse_all(
    declarations: Sequence[Any], read: Callable[[Any], Site] = parse
) -> tuple[list[Site], list[InvalidSite]]:
    """Read a list of declarations: the sites that can be used, and one error for each that cannot."""
    sites: list[Site] = []
    errors: list[InvalidSite] = []
    for number, declaration in enumerate(declarations, 1):
        try:
            site = read(declaration)
        except InvalidSite as error:
            errors.append(InvalidSite(f"entry {number}: {error}"))
            continue
        if any(site.name == other.name for other in sites):
            errors.append(InvalidSite(f"entry {number}: site {site.name!r} is declared twice"))
            continue
        sites.append(site)
    return sites, errors


def _normalised(site: Site) -> Site:
    """Return the site with names as A-labels and every value checked that its type alone does not check."""
    name = host_name(site.name)
    hosts = tuple(dict.fromkeys(_under("hosts", host_name, host) for host in site.hosts))
    canonical = _under("canonical", host_name, site.canonical) if site.canonical else ""
    if len(hosts) > MAX_HOSTS:
        raise ValueError(f"{len(hosts)} hosts are declared; split the site, {MAX_HOSTS} is the most")
    if canonical and hosts and canonical not in hosts:
        raise ValueError(f"canonical {canonical!r} is not among the declared hosts {', '.join(hosts)}")
    siblings = (name, f"www.{name}", name.removeprefix("www."))
    if canonical and not hosts and canonical not in siblings:
        raise ValueError(
            f"canonical {canonical!r} is neither the name nor its www or apex sibling; declare hosts, it among them"
        )
    _under("interval", interval_seconds, site.interval)
    _under("reminder", _reminder, site.reminder)
    for network in site.networks:
        _under("networks", _network, network)
    try:
        zone = zoneinfo.ZoneInfo(site.timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError, RecursionError) as error:
        raise ValueError(f"timezone {site.timezone[:80]!r} is unknown; write a name such as Europe/Berlin") from error
    if site.private_ca and "-----BEGIN CERTIFICATE-----" not in site.private_ca:
        raise ValueError("private_ca holds no PEM certificate")
    addresses = tuple(_under("addresses", _address, text) for text in site.addresses)
    for number, window in enumerate(site.maintenance):
        _under(f"maintenance[{number}]", partial(_window, zone), window)
    known = [
        _under(f"acknowledge[{n}]", partial(_acknowledged, zone), each) for n, each in enumerate(site.acknowledge)
    ]
    normalised = msgspec.structs.replace(
        site, name=name, hosts=hosts, canonical=canonical, addresses=addresses, acknowledge=tuple(known)
    )
    try:
        msgspec.json.encode(normalised)
    except UnicodeEncodeError as error:
        raise ValueError("a text holds half of a character (a lone surrogate); write it anew") from error
    return normalised


def _window(zone: zoneinfo.ZoneInfo, window: Window) -> None:
    """Refuse a window that is neither once nor again, or that cannot be."""
    given = set(msgspec.to_builtins(window))
    if given == {"start", "end"}:
        start, end = (_under(key, partial(moment, zone=zone), getattr(window, key)) for key in ("start", "end"))
        if end <= start:
            raise ValueError(f"it ends at {window.end}, which is not after its start {window.start}")
    elif given == {"every", "for"}:
        again = _under("every", clock, window.every)
        _under("for", partial(length, shortest="1m", longest="7d"), window.duration)
        if window.seconds >= again.period.total_seconds():
            period = "week" if again.weekday is not None else "day"
            raise ValueError(f"for: {window.duration} is no shorter than the {period} after which it comes again")
    else:
        raise ValueError("write both start and end, or both every and for")


def _acknowledged(zone: zoneinfo.ZoneInfo, known: Acknowledgement) -> Acknowledgement:
    """Return the acknowledgement with a host as findings name it."""
    _under("until", partial(moment, zone=zone), known.until)
    try:
        subject = "" if known.subject == "*" else host_name(known.subject)
    except ValueError:  # a URL, or an address of a host
        return known
    return msgspec.structs.replace(known, subject=subject)


def _under[V, T](key: str, read: Callable[[V], T], value: V) -> T:
    """Read one value of a key; ValueError names the key."""
    try:
        return read(value)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a CIDR range such as 10.0.0.0/8 ({error})") from error


def _address(text: str) -> str:
    """Return an address, a CIDR range or a CNAME target in its normal form."""
    if "/" in text and "://" not in text:
        return _network(text)
    if _is_address(text):
        return str(ipaddress.ip_address(text.strip("[]")))
    return host_name(text)


def _scalars_to_lists(declaration: Mapping[str, Any]) -> dict[str, Any]:
    """Allow one value where a list is meant, and a path where a health check is meant."""
    result = dict(declaration)
    for key in ("hosts", "addresses"):
        if result.get(key) == []:
            raise InvalidSite(f"site {result['name'][:80]!r}: {key} is an empty list; leave the key out, or fill it")
    for key in ("hosts", "addresses", "networks", "disable", "instances"):
        if isinstance(result.get(key), str):
            result[key] = [result[key]]
    for key in ("maintenance", "acknowledge"):
        if isinstance(result.get(key), Mapping):
            result[key] = [result[key]]
    if isinstance(result.get("health"), str):
        result["health"] = {"path": result["health"]}
    for key in ("health", "expect"):
        value = result.get(key)
        if isinstance(value, Mapping) and isinstance(value.get("status"), int):
            result[key] = {**value, "status": [value["status"]]}
    return result


def _hint(declaration: Mapping[str, Any], wanted: str) -> str:
    close = difflib.get_close_matches(wanted, [str(key) for key in declaration], 1)
    return f" (found {close[0]!r})" if close and close[0] != wanted else ""


def _kind(value: object) -> str:
    return {list: "a list", int: "a number", float: "a number", type(None): "nothing"}.get(
        type(value), type(value).__name__
    )
