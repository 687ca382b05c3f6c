"""What a page loads over plain HTTP, sorted as browsers treat it (W3C Mixed Content, section 3; checklist step 16).

Links, canonical URLs, structured data and comments are no mixed content: nothing is loaded from them. Neither is what
stays on the visitor's own machine, http://localhost and http://127.0.0.1 (Secure Contexts, section 3.1). Markup in
markup is read as well: an iframe's srcdoc, and what a script surely writes into the page.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urljoin

import msgspec

from padlock.evidence import AssetKind, Mix, Reference
from padlock.network.failure import printable
from padlock.probes import css_urls, elements, script_urls
from padlock.probes.html_tokens import Tag, line_of, tags

SHOWN = 50
"""References kept of a page."""
URL_KEPT = 300
_CANDIDATES = 100
"""Files of a page of which a sample is drawn, per kind."""
_LONGEST = 8192
_INSECURE = re.compile(r"(?:http|ws)://(?:[^/?#@\\]*@)?(\[[^\]]*\]|[^/?#:\\]*)")
_LOOPBACK = re.compile(r"(?:.*\.)?localhost\.?|127(?:\.[0-9]{1,3}){3}|\[::1\]", re.IGNORECASE)
_SCHEME = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):([/\\]*)")
_BLANK = "".join(map(chr, range(33)))
_CANDIDATE = re.compile(r"[\s,]*+(\S+)")
_HEAD = frozenset({"html", "head", "meta", "title", "link", "base", "script", "style", "noscript", "template"})

_DEEPEST = 3
"""Levels of markup within markup that are read."""
_MOST_TAGS = 100_000
"""Of one piece of markup, three times as many as pages of 1 MB have; what stands behind them is not read."""
_BASE_PARTS = 100
"""Slashes of a URL that others are resolved against: each of them costs as much as the whole of it."""


class Policy(msgspec.Struct, frozen=True):
    """What a page's Content-Security-Policy makes of plain HTTP (Upgrade Insecure Requests, section 3)."""

    upgrades: bool = False
    blocks_all: bool = False


class Wanted(msgspec.Struct, frozen=True):
    """A file that a page loads over HTTPS."""

    kind: AssetKind
    url: str
    module: bool = False


class Contents(msgspec.Struct, frozen=True):
    """What one page or stylesheet refers to."""

    counts: Mapping[str, int]
    references: tuple[Reference, ...]
    assets: tuple[Wanted, ...]
    """Over HTTPS, each once, in order."""
    policy: Policy


class _Place(msgspec.Struct, frozen=True):
    """Where markup stands: it is a page's own, or text within it, whose position is that of its tag."""

    depth: int = 0
    framed: bool = False
    scripts: bool = True
    forms: bool = True
    """A sandbox may forbid them."""


class _Found:
    """Collects what is found in one page or stylesheet."""

    def __init__(self, text: str, stylesheet: str = "") -> None:
        self.counts: Counter[str] = Counter()
        self.kept: dict[str, list[Reference]] = {}
        self.assets: dict[str, Wanted] = {}
        self.sizes: Counter[str] = Counter()
        self._text = text
        self._stylesheet = stylesheet
        self._line = 1
        self._line_at = 0
        self._within: tuple[str, int] | None = None

    @contextmanager
    def within(self, what: str, at: int) -> Iterator[None]:
        """Give what is found in markup within markup the outermost one's position, and say where it stood."""
        before = self._within
        words, begin = before or ("", at)
        self._within = (f"{words}{what}: ", begin)
        yield
        self._within = before

    def mixed(self, kind: Mix, url: str, element: str, at: int, policy: Policy) -> None:
        """Count a URL if it is plain HTTP, and keep it if there is room."""
        parts = _INSECURE.match(url)
        if parts is None or not parts[1] or _LOOPBACK.fullmatch(parts[1]):
            return
        if self._within:
            element, at = self._within[0] + element, self._within[1]
        key = f"{kind} upgraded" if policy.upgrades else kind
        self.counts[key] += 1
        kept = self.kept.setdefault(key, [])
        if len(kept) < SHOWN:
            shown = printable(url, URL_KEPT)
            kept.append(Reference(kind, shown, element, self._line_of(at), self._stylesheet, policy.upgrades))

    def asset(self, kind: AssetKind, url: str, *, module: bool = False) -> None:
        """Remember a file over HTTPS."""
        if url.startswith("https://") and self.wants(kind) and url not in self.assets:
            self.sizes[kind] += 1
            self.assets[url] = Wanted(kind, url, module)

    def wants(self, kind: AssetKind) -> bool:
        """Whether there is room for another file."""
        return self.sizes[kind] < _CANDIDATES

    def contents(self, policy: Policy) -> Contents:
        return Contents(dict(self.counts), worst_first(self.kept), tuple(self.assets.values()), policy)

    def _line_of(self, at: int) -> int:
        """Return a position's line, counting on from the last one."""
        if at < self._line_at:
            return line_of(self._text, at)
        self._line += self._text.count("\n", self._line_at, at)
        self._line_at = at
        return self._line


def worst_first(kept: Mapping[str, list[Reference]]) -> tuple[Reference, ...]:
    """Return the first references, those that browsers block before those that they upgrade."""
    order = ("active", "passive", "active upgraded", "passive upgraded")
    return tuple(reference for key in order for reference in kept.get(key, ()))[:SHOWN]


def in_page(page: str, url: str, policies: tuple[str, ...] = ()) -> Contents:
    """Return what an HTML page refers to; `policies` are its Content-Security-Policy headers."""
    found = _Found(page)
    return found.contents(_read_markup(found, page, _as_base(url), _policy(policies), _Place()))


def _read_markup(found: _Found, page: str, url: str, policy: Policy, place: _Place) -> Policy:
    """Add what markup refers to, and return the policy at its end."""
    base, has_base = url, False
    forms: list[tuple[str, str, int, Policy]] = []
    inert = 0
    in_head = True
    shared = False
    for tag in itertools.islice(tags(page), _MOST_TAGS):
        name = tag.name
        inert = max(0, inert + (name == "template") - (name == "/template"))
        in_head = in_head and name.removeprefix("/") in _HEAD
        if inert:
            continue
        if name == "base" and not has_base and "href" in tag.attributes:
            has_base = True
            resolved = absolute(url, tag.attributes["href"])
            base = _as_base(resolved) if resolved.startswith(("http://", "https://")) else base
        elif name == "meta" and in_head:
            policy = _with_meta(policy, tag)
        elif name == "link":
            _read_link(found, tag, base, policy, elements.link(tag.attributes, in_head=in_head, framed=place.framed))
        elif name == "track":
            # Subtitles of another origin, which plain HTTP is, are not asked for without crossorigin.
            if shared and "default" in tag.attributes and tag.attributes.get("src"):
                found.mixed("active", _insecure(base, tag.attributes["src"]), "track src", tag.at, policy)
        else:
            shared = "crossorigin" in tag.attributes if name in ("audio", "video") else shared
            if place.forms:
                forms += [(action, element, tag.at, policy) for action, element in elements.actions(tag)]
            _read(found, tag, base, policy, place)
    # A form's action is resolved when it is sent, with the base that the page then has.
    for action, element, at, in_force in forms:
        found.mixed("active", _insecure(base, action), element, at, in_force)
    return policy


def in_stylesheet(sheet: str, url: str, policy: Policy) -> Contents:
    """Return what a stylesheet refers to; the page's policy holds for it, too."""
    found = _Found(sheet, printable(url, URL_KEPT))
    _read_css(found, sheet, 0, _as_base(url), policy, "")
    return found.contents(policy)


def absolute(base: str, reference: str) -> str:
    """Return a URL as browsers resolve it (WHATWG URL); empty where nothing is loaded from it, or it is too long."""
    text = reference.strip(_BLANK)
    if len(text) > _LONGEST:
        text = text[:_LONGEST] if text[:5].lower() in ("http:", "https") else ""
    if any(mark in text for mark in "\t\n\r"):
        text = re.sub(r"[\t\n\r]", "", text)
    scheme = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*):([/\\]*)", text)
    if scheme:
        name = scheme[1].lower()
        if name not in ("http", "https", "ws", "wss"):
            return ""
        if len(scheme[2]) >= 2 or not base.startswith(name + ":"):
            return f"{name}://{_slashes(text[scheme.end() :])}"
        text = text[len(name) + 1 :]
    try:
        return urljoin(base, _slashes(text))
    except ValueError:
        return ""


def _insecure(base: str, reference: str) -> str:
    """Return a URL as browsers resolve it; empty where it cannot be plain HTTP, which takes less time to tell."""
    text = reference.lstrip(_BLANK)
    if base.startswith("https:") and not (_SCHEME.match(text) or any(mark in text for mark in "\t\n\r")):
        return ""
    return absolute(base, reference)


def _as_base(url: str) -> str:
    """Return a URL that others are resolved against; empty, so that only whole ones are read, where none is meant."""
    return url if url.count("/") <= _BASE_PARTS else ""


def _slashes(text: str) -> str:
    """Return text with back slashes as slashes, where they are none of a query or fragment."""
    if "\\" not in text:
        return text
    path = re.match(r"[^?#]*", text)
    end = path.end() if path else 0
    return text[:end].replace("\\", "/") + text[end:]


def _policy(policies: tuple[str, ...]) -> Policy:
    names = {
        directive.split(maxsplit=1)[0].lower()
        for policy in policies
        for directive in re.split(r"[;,]", policy)
        if directive.strip()
    }
    return Policy("upgrade-insecure-requests" in names, "block-all-mixed-content" in names)


def _with_meta(policy: Policy, tag: Tag) -> Policy:
    """Return the policy from here on: what stands before a meta element was fetched without it."""
    if tag.attributes.get("http-equiv", "").strip().lower() != "content-security-policy":
        return policy
    more = _policy((tag.attributes.get("content", ""),))
    return Policy(policy.upgrades or more.upgrades, policy.blocks_all or more.blocks_all)


def _read(found: _Found, tag: Tag, base: str, policy: Policy, place: _Place) -> None:
    """Add what one tag loads."""
    name, attributes = tag.name, tag.attributes
    if name == "script" and not (place.scripts and elements.runs(attributes)):
        return
    if name == "script" and not attributes.keys() & elements.ATTRIBUTES["script"].keys():
        _read_script(found, tag.text, (tag.at, tag.text_at), base, policy, place, "inline script")
    elif name == "style" and elements.applies(attributes):
        _read_css(found, tag.text, tag.text_at, base, policy, "style ")
    elif name == "iframe" and "srcdoc" in attributes:
        _read_srcdoc(found, tag, base, policy, place)
    elif name == "input" and attributes.get("type", "").lower() == "image":
        found.mixed("passive", _insecure(base, attributes.get("src", "")), "input src", tag.at, policy)
    else:
        _read_sources(found, tag, base, policy)
    if place.scripts:
        for handler, script in elements.handlers(tag):
            _read_script(found, script, (tag.at, -1), base, policy, place, f"{name} {handler}")
    if "style" in attributes:
        _read_css(found, attributes["style"], -tag.at, base, policy, f"{name} style ")


def _read_srcdoc(found: _Found, tag: Tag, base: str, policy: Policy, place: _Place) -> None:
    """Add what an iframe's own markup loads, which stands instead of its src (WHATWG HTML, section 4.8.5)."""
    if place.depth == _DEEPEST:
        return
    allowed = tag.attributes.get("sandbox", "allow-scripts allow-forms").lower().split()
    inner = _Place(
        place.depth + 1,
        framed=True,
        scripts=place.scripts and "allow-scripts" in allowed,
        forms=place.forms and "allow-forms" in allowed,
    )
    with found.within("iframe srcdoc", tag.at):
        _read_markup(found, tag.attributes["srcdoc"], base, policy, inner)


def _read_script(
    found: _Found, script: str, at: tuple[int, int], base: str, policy: Policy, place: _Place, where: str
) -> None:
    """Add what a script loads; `at` is where its element is, and where its text, or -1 where that is not known."""
    element_at, text_at = at
    for each in script_urls.loads(script):
        position = element_at if text_at < 0 else text_at + each.at
        if isinstance(each, script_urls.Use):
            found.mixed(each.kind, _insecure(base, each.url), f"{where} {each.loader}", position, policy)
        elif place.depth < _DEEPEST:
            inner = msgspec.structs.replace(place, depth=place.depth + 1)
            with found.within("document.write()", position):
                _read_markup(found, each.markup, base, policy, inner)


def _read_sources(found: _Found, tag: Tag, base: str, policy: Policy) -> None:
    for attribute, kind in elements.ATTRIBUTES.get(tag.name, {}).items():
        value = tag.attributes.get(attribute)
        if not value:
            continue
        for url in _srcset(value) if attribute == "srcset" else (value,):
            resolved = absolute(base, url)
            found.mixed(kind, resolved, f"{tag.name} {attribute}", tag.at, policy)
            if tag.name == "script":
                found.asset("script", resolved, module=tag.attributes.get("type", "").lower() == "module")
            elif tag.name == "img" and attribute == "src":
                found.asset("image", resolved)


def _read_link(found: _Found, tag: Tag, base: str, policy: Policy, loads: tuple[Mix, str] | None) -> None:
    url = absolute(base, tag.attributes.get("href", ""))
    if elements.is_stylesheet(tag.attributes):
        found.asset("stylesheet", url)
    if loads and tag.attributes.get("href"):
        kind, relation = loads
        found.mixed(kind, url, f"link rel={relation}", tag.at, policy)
    if "style" in tag.attributes:
        _read_css(found, tag.attributes["style"], -tag.at, base, policy, "link style ")


def _read_css(found: _Found, css: str, at: int, base: str, policy: Policy, where: str) -> None:
    """Add what CSS loads; a negative position is that of a tag, within which positions are not known."""
    for use, url, offset in css_urls.loads(css):
        kind: Mix = "passive" if use == "image" else "active"
        element = where + {"import": "@import", "font": "@font-face", "image": "url()"}[use]
        wanted = use == "import" and found.wants("stylesheet")
        resolved = absolute(base, url) if wanted else _insecure(base, url)
        found.mixed(kind, resolved, element, -at if at < 0 else at + offset, policy)
        if wanted:
            found.asset("stylesheet", resolved)


def _srcset(value: str) -> Iterator[str]:
    """Yield the URLs of a srcset attribute (WHATWG HTML, section 4.8.4.2.1)."""
    at = 0
    while url := _CANDIDATE.match(value, at):
        yield url[1].rstrip(",")
        at = url.end() if url[1].endswith(",") else value.find(",", url.end())
        if at < 0:
            return
