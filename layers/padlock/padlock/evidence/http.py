"""Exchanges and redirect chains over HTTP (checklist steps 7 and 11 to 13)."""

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from padlock.evidence.failure import Failure

type Purpose = Literal["front", "health", "deep", "random_host", "hop", "challenge", "usual_health", "debugger"]
type Place = Literal["form", "base", "canonical", "og:url"]


class SelfReference(msgspec.Struct, frozen=True):
    """A place in a page where an app writes its own address; relative ones say nothing and are left out."""

    place: Place
    """`form` the action of a form or button, `base` what the page's relative URLs start from."""
    url: str
    """As written, with scheme and host, or `//host`; at most 500 characters."""


class Exchange(msgspec.Struct, frozen=True):
    """One HTTP request to one pinned address, and what came back."""

    url: str
    """As asked: scheme, host, port unless it is the scheme's, path and query."""
    host: str
    """The name in the Host header sent, without a port."""
    address: str
    purpose: Purpose
    """`front` /, `health` the health path, `deep` a path with a query that nothing owns, `random_host` the
    default server under a name that it cannot know, `hop` a redirect's target, `challenge` a token on the way of
    an HTTP-01 challenge (kept in Renewal), `usual_health` a path on which many apps have their health check,
    `debugger` a development server's debugger: a look up to a day old, of which only its end is kept, where that
    found none."""
    failure: Failure | None = None
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    """Names in lower case, in the order sent; at most 100."""
    body: str = ""
    """The beginning, decoded with replacement; at most 16 KB."""
    body_sha256: str = ""
    """Of what was read, up to 1 MB."""
    body_size: int = 0
    truncated: bool = False
    title: str = ""
    found: tuple[str, ...] = ()
    """Which of the declared texts (expect.contains, health.contains) stand anywhere in what was read, beyond the
    16 KB too."""
    self_references: tuple[SelfReference, ...] = ()
    """Of an HTML page: the first of each place and origin, anywhere in what was read; at most 20."""
    seconds: Mapping[str, float] = {}
    """Phases connect, tls, first_byte, total; no connect and tls where a connection was used again. Of requests sent
    at once a later one's time begins where the answer before it ended."""
    seconds_again: Mapping[str, float] = {}
    """The same of a second look, on a connection of its own, which a slow front page is given."""
    confirmed: bool = False
    """The failure, or a status of 500 and above, was seen twice."""

    @property
    def waited(self) -> float:
        """Seconds from the first packet to the first octet of the answer, the better of two looks."""
        return min(_to_first_byte(seconds) for seconds in (self.seconds, self.seconds_again or self.seconds))

    def header(self, name: str) -> str | None:
        """Return the first value of a header, by its lower-case name."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a header, in order."""
        return tuple(value for key, value in self.headers if key == name)


def _to_first_byte(seconds: Mapping[str, float]) -> float:
    return sum(seconds.get(phase, 0.0) for phase in ("connect", "tls", "first_byte"))


type ChainEnd = Literal["answer", "loop", "too_long", "refused", "malformed", "failure"]


class Hop(msgspec.Struct, frozen=True):
    """One answer on the way of a redirect chain."""

    url: str
    status: int | None
    location: str | None = None
    """The Location header as sent, control characters escaped."""
    address: str = ""


class Chain(msgspec.Struct, frozen=True):
    """A start URL and where its redirects lead a browser."""

    start: str
    purpose: Literal["front", "health", "deep"]
    hops: tuple[Hop, ...]
    """Every request made, the last one the final answer; at most 11."""
    end: ChainEnd
    final_url: str = ""
    """The URL of the last hop; for `refused` and `malformed` the target not followed."""
    detail: str = ""
    confirmed: bool = False
    """A loop that a second try, with the cookies that it set, shows again."""


class Http(msgspec.Struct, frozen=True):
    """Every exchange and redirect chain."""

    exchanges: tuple[Exchange, ...]
    chains: tuple[Chain, ...] = ()

    def of(self, purpose: Purpose, scheme: str = "https") -> Iterator[Exchange]:
        """Yield the exchanges of one purpose and scheme."""
        return (e for e in self.exchanges if e.purpose == purpose and e.url.startswith(scheme + "://"))
