"""Change → a custom notification of Amazon Q Developer in chat applications, which Slack and Teams show.

Its schema is "Custom notifications using Amazon Q Developer in chat applications" of that product's administrator
guide. It prints the texts as the chat's own markdown, where text from outside could link, mention a channel or look
like ours. So such text stands in code spans, in which both chats link and format nothing, without the characters that
end a span, that Slack reads even inside (`<!here>`), and that mention somebody.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from padlock.changes import Change, OpenFinding
from padlock.message.body import causes_of, codes_to_acknowledge, dashboard_of, is_safe, split
from padlock.message.subject import happened
from padlock.message.types import Further
from padlock.message.words import ascii_only, lasted, local, minor_of, name_of, stated, title_of
from padlock.render.escape import printable

MAX_DESCRIPTION = 2800
"""Characters; a text of Slack's holds 3000."""
MAX_HEAD = 240
"""Characters of a title."""
MAX_TEXT = 280
"""Characters of one text from outside."""
MAX_SHOWN = 5
"""Findings of one section that are shown, and codes among the keywords."""
MAX_LISTED = 3
"""Subjects of one finding that are named."""
_INSIDE = str.maketrans(
    {
        "`": "'",
        "<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
        ">": "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}",
        "@": "\N{FULLWIDTH COMMERCIAL AT}",
    }
)
_BARE = str.maketrans(
    {
        "*": "\N{ASTERISK OPERATOR}",
        "_": "\N{FULLWIDTH LOW LINE}",
        "~": "\N{TILDE OPERATOR}",
        "#": "\N{FULLWIDTH NUMBER SIGN}",
        "[": "(",
        "]": ")",
        "|": "/",
    }
)
_EMOJI = re.compile(r":(?=[^\s:]+:)")
_ENTITY = re.compile(r"&(?=#?\w+;)")
"""`&lt;` and the like, which Slack shows as the character; a command's `&&` stays as it is."""


def chat_of(change: Change, alert_id: str, seq: int, further: Further) -> str:
    """Return the change as a notification's JSON."""
    name = name_of(change.site)
    told = happened(change)
    lines = [*_seen(change, further), *_sections(change)]
    codes = [f.code for f in (*change.opened, *change.worsened, *change.still_open, *change.resolved)]
    return notification(
        change.site,
        (change.kind, alert_id, seq),
        (f"{name}: {told}", told),
        lines,
        _next_steps(change, further),
        keywords=(change.after, *dict.fromkeys(codes)),
        context={"status": change.after, "before": change.before},
    )


def notification(
    site: str,
    alert: tuple[str, str, int],
    head: tuple[str, str],
    lines: Sequence[str],
    next_steps: Sequence[str],
    *,
    keywords: Sequence[str],
    context: Mapping[str, str],
) -> str:
    """Return a notification's JSON.

    `alert` is its kind, id and number, `head` its title and its summary; lines and next steps are markdown already.
    """
    kind, alert_id, seq = alert
    title, summary = (bare(text)[:MAX_HEAD] for text in head)
    return json.dumps(
        {
            "version": "1.0",
            "source": "custom",
            "id": alert_id,
            "content": {
                "textType": "client-markdown",
                "title": title,
                "description": "\n".join(_fitted(lines)),
                "nextSteps": list(next_steps),
                "keywords": [word for word in keywords if is_safe(word)][: MAX_SHOWN + 1],
            },
            "metadata": {
                "threadId": thread_of(site),
                "summary": summary,
                "eventType": f"padlock-{kind}",
                "relatedResources": [bare(name_of(site))[:MAX_HEAD]],
                "additionalContext": {"site": _word(site), "alert": alert_id, "number": str(seq)} | dict(context),
            },
        },
        ensure_ascii=False,
    )


def thread_of(site: str) -> str:
    """Return the thread of a site: letters, digits and hyphens, the same for ever, and no other site's."""
    readable = re.sub(r"[^a-z0-9]+", "-", site.lower()).strip("-")[:60]
    digest = hashlib.sha256(site.encode("utf-8", "replace")).hexdigest()[:12]
    return "-".join(filter(None, ("padlock", readable, digest)))


def code(text: str, characters: int = MAX_TEXT) -> str:
    """Return text from outside as a code span."""
    shown = _inside(printable(text.strip(), characters)).strip() or "-"
    return f"`{shown}`" if len(shown) <= characters else f"`{shown[: characters - 1]}…`"


def bare(text: str) -> str:
    """Return text from outside for where a code span cannot stand, its formatting characters replaced by likes."""
    return _EMOJI.sub("\N{RATIO}", _inside(printable(text))).translate(_BARE).replace("//", "/ /")


def _inside(text: str) -> str:
    return _ENTITY.sub("\N{FULLWIDTH AMPERSAND}", text).translate(_INSIDE)


def _seen(change: Change, further: Further) -> Iterable[str]:
    verb = "Removed" if change.kind == "removed" else "Checked"
    place = f", seen from {bare(further.place)[:80]}" if further.place and change.kind != "removed" else ""
    yield f"{verb} at {stated(change.checked_at)}{local(change.checked_at, change.timezone)}{place}."
    match change.kind:
        case "flapping":
            yield "What comes and goes is not told until it settles: an hour without a change."
        case "settled":
            yield "Nothing has changed for an hour; from now on every change is told again."
        case "reminder":
            yield "It was told before and is still open."
        case "removed":
            yield "It is no longer declared: nobody checks it any more."


def _sections(change: Change) -> Iterable[str]:
    now = change.checked_at
    if change.kind == "removed":
        yield from _section("Open when it was removed", change.resolved, lambda f: f"since {stated(f.since)}")
        return
    causes = causes_of(change)
    opened, worsened, following = split(change)
    yield from _section("New", opened, _observed)
    yield from _section("Worse: an error now", worsened, _observed)
    if causes:
        yield "*Why*"
        yield from (f"• {code(cause.explanation)} ({cause.confidence})" for cause in causes[:MAX_SHOWN])
    yield from _section("New for that reason", following, _observed)
    yield from _section("Still open", change.still_open, lambda f: f"for {lasted(now - f.since)}")
    yield from _section("No longer an error", change.eased, _observed)
    yield from _section("Over", change.resolved, lambda f: _over(change, f))
    yield from _section("Acknowledged", change.acknowledged, lambda f: _until(change, f))
    if minor := minor_of(change.minor):
        yield f"Not urgent: {minor}."


def _until(change: Change, finding: OpenFinding) -> str:
    ends = [entry.until for entry in change.silences if entry.covers(finding, change.checked_at)]
    return f"until {stated(max(ends))}" if ends else f"since {stated(finding.since)}"


def _over(change: Change, finding: OpenFinding) -> str:
    how = "no longer checked, as declared, " if finding.code in change.declared else ""
    return f"{how}after {lasted((finding.ended or change.checked_at) - finding.since)}"


def _observed(finding: OpenFinding) -> str:
    return code(finding.observed)


type Told = Callable[[OpenFinding], str]
"""finding → markdown."""


def _section(title: str, findings: Sequence[OpenFinding], told: Told) -> Iterable[str]:
    if not findings:
        return
    yield f"*{title}*"
    groups: dict[tuple[str, str], list[str]] = {}
    for finding in findings:
        groups.setdefault((bare(title_of(finding)), told(finding)), []).append(finding.subject)
    for (name, text), subjects in list(groups.items())[:MAX_SHOWN]:
        listed = ", ".join(code(name_of(subject)) for subject in subjects[:MAX_LISTED])
        more = f" and {len(subjects) - MAX_LISTED} more" if len(subjects) > MAX_LISTED else ""
        yield f"• {name}: {listed}{more}: {text}"
    if rest := sum(map(len, list(groups.values())[MAX_SHOWN:])):
        yield f"• and {rest} more"


def _fitted(lines: Sequence[str]) -> list[str]:
    """Return as many lines as a description holds; never a part of one, in which a span might stay open."""
    kept: list[str] = []
    room = MAX_DESCRIPTION
    for number, line in enumerate(lines):
        room -= len(line) + 1
        if room < 0:
            return [*kept, f"… and {len(lines) - number} lines more in the mail"]
        kept.append(line)
    return kept


def _next_steps(change: Change, further: Further) -> list[str]:
    steps = []
    if change.kind != "removed" and (fix := _fix(change)):
        steps.append(f"Fix: {code(fix.split(chr(10))[0])}")
    codes = codes_to_acknowledge(change)
    if codes and is_safe(change.site) and change.kind != "removed":
        steps.append(f"Acknowledge it for three days: `padlock ack {change.site} {codes[0]} --for 3d`")
    if dashboard := dashboard_of(further):
        steps.append(f"Dashboard: {dashboard}")
    return steps


def _fix(change: Change) -> str:
    """Return the one fix to begin with: that of the cause of what is new, or of what is new itself."""
    new = (*change.opened, *change.worsened)
    causes = causes_of(change)
    behind = [cause for cause in causes if not new or {finding.code for finding in new} & {*cause.explains}]
    fixes = [cause.remediation for cause in behind] + [finding.remediation for finding in new]
    return next(filter(None, fixes), "")


def _word(site: str) -> str:
    """Return a site's name as a custom action's variable may hold it: printable ASCII without spaces."""
    return re.sub(r"[^a-z0-9._-]", "-", ascii_only(site).lower()).strip("-")[:253] or "-"
