"""What stands for a status: a shape of its own, a word, and a colour as the third sign of the same."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from padlock.render.escape import paragraphs, phrase, single_spaced
from padlock.render.page.elements import Child, Markup, element, join

SHAPES: Mapping[str, tuple[str, str]] = {
    "error": ("M5 1h6l4 4v6l-4 4H5l-4-4V5z", "M5.5 5.5l5 5m0-5l-5 5"),
    "warning": ("M8 1.2L15.4 14.4H.6z", "M8 6v4m0 1.6v.8"),
    "notice": ("M8 1a7 7 0 1 0 0 14A7 7 0 1 0 8 1z", "M8 7.2V12m0-7.8V5"),
    "ok": ("M8 1a7 7 0 1 0 0 14A7 7 0 1 0 8 1z", "M4.8 8.3l2.2 2.2 4.3-4.6"),
    "inconclusive": (
        "M4 1h8a3 3 0 0 1 3 3v8a3 3 0 0 1-3 3H4a3 3 0 0 1-3-3V4a3 3 0 0 1 3-3z",
        "M5.8 6.2c0-2.9 4.4-2.7 4.4 0 0 1.6-2.2 1.7-2.2 3.3m0 2v.4",
    ),
    "not applicable": ("M8 .8L15.2 8 8 15.2.8 8z", "M5.4 8h5.2"),
}
"""Status → outline and sign of its icon, 16 by 16; the outlines differ, so that shape alone tells them apart."""
SAME_AS: Mapping[str, str] = {"pass": "ok", "fail": "error", "unknown": "inconclusive"}
"""A step's words → the status that has their icon and colour."""
WORDS: Mapping[str, str] = {"ok": "OK", "pass": "passes", "fail": "fails"}
"""Statuses that read better in other words."""
LOWER = ("nginx", "certbot", "www")
"""What begins with a small letter even where a sentence begins."""
RANK: Mapping[str, int] = {"error": 0, "inconclusive": 1, "warning": 2, "notice": 3, "ok": 4}
"""Where a site's status stands in a list: first what needs a person first."""


type Anchors = Mapping[tuple[str, str], str]
"""A finding's key → the id of the element that tells of it."""


def tone(status: str) -> str:
    """Return the class that gives a status its colour."""
    return "is-" + SAME_AS.get(status, status).replace(" ", "-")


def icon(status: str) -> Markup:
    """Return a status' icon; it says nothing to a screen reader, as the word beside it does."""
    outline, sign = SHAPES[SAME_AS.get(status, status)]
    return element(
        "svg",
        element("path", d=outline, class_="outline"),
        element("path", d=sign, class_="sign"),
        class_=f"icon {tone(status)}",
        viewBox="0 0 16 16",
        width=16,
        height=16,
        aria_hidden="true",
    )


def badge(status: str, word: str = "") -> Markup:
    """Return a status as icon and word."""
    said = sentence(word or WORDS.get(status, status))
    return element("span", icon(status), " ", said, class_=f"badge {tone(status)}")


def sentence(text: str) -> str:
    """Return a text as it stands at a beginning: with a capital letter, unless a name or a URL begins it."""
    word = text.partition(" ")[0].rstrip(",;:")
    return text[:1].upper() + text[1:] if word.isalpha() and word not in LOWER else text


def outside(text: str) -> Markup:
    """Return a text from outside within a line of ours, which its letters from right to left cannot turn round."""
    return element("bdi", phrase(text))


def several(texts: Sequence[str], shown: int = 5) -> Markup:
    """Return texts from outside in one line, and the number of those beyond the first few."""
    parts: list[Child] = []
    for number, text in enumerate(texts[:shown]):
        parts += [", " if number else "", outside(text)]
    more = len(texts) - shown
    return join(*parts, f" and {more} more" if more > 0 else "")


def moment(at: datetime) -> Markup:
    """Return a time, in UTC."""
    utc = at.astimezone(UTC)
    return element("time", f"{utc:%Y-%m-%d %H:%M} UTC", datetime=f"{utc:%Y-%m-%dT%H:%M:%SZ}")


def prose(text: str) -> Markup:
    """Return a text of ours, of several lines, in which backticks hold what is typed; that can be copied."""
    lines = [_line(single_spaced(line)) for line in paragraphs(text)]
    return join(*(element("p", line) for line in lines))


def _line(text: str) -> list[Child]:
    """Return a line with its commands and settings as code; a backtick without a partner stays one."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        parts[-2:] = ["`".join(parts[-2:])]
    return [element("code", part, data_copy=" " in part) if number % 2 else part for number, part in enumerate(parts)]


def commands(lines: Sequence[str], label: str = "As root on the server") -> Markup | None:
    """Return shell lines, each whole and to be copied; nothing where there are none."""
    if not lines:
        return None
    shown = [element("pre", element("code", line, data_copy=True)) for line in lines]
    return element("div", element("p", label, class_="label"), *shown, class_="commands")
