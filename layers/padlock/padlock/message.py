"""Change → the mail that tells of it: subject, plain text, and the same as JSON for machines.

Everything that came from outside is shown as one line of printable characters, so that nothing a server sends can
forge a line, reorder one, or break a mail's header. SNS asks of a subject: ASCII, under 100 characters, no line
break; of a message: at most 256 KB, all protocols' texts together.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from padlock.changes import MAX_SUBJECT, Change, OpenFinding
from padlock.findings import Cause, Severity
from padlock.render.escape import paragraphs, printable

MAX_TITLE = 99
MAX_LISTED = 20
"""Subjects of one finding that are named."""
MAX_MESSAGE = 200_000
"""Octets of a message; SNS's limit is 262,144, message attributes included."""
MAX_COMMANDS = 20
CAPS = ((20, 1200), (10, 400), (5, 150), (2, 60))
"""Findings of one section and characters of one text that are shown; the next pair where a message is too large."""
SEVERITY = "error"
"""Of every message: only errors make a change."""
FOR_MACHINES = ("email-json", "sqs", "lambda", "http", "https", "firehose")
_LOOK_AGAIN = (
    "Look again:  aws lambda invoke --function-name {function} --cli-binary-format raw-in-base64-out "
    "--cli-read-timeout 120 --payload '{event}' /dev/stdout"
)
"""The check that reads what the site declares, as `padlock check NAME` does not."""
_SAFE_NAME = re.compile(r"[a-z0-9._-]{1,253}")


class Message(msgspec.Struct, frozen=True):
    """One alert as it is sent."""

    subject: str
    body: str
    data: str
    severity: str


class Further(msgspec.Struct, frozen=True):
    """Where the reader of a message can look further."""

    table: str
    """The results table."""
    function: str = ""
    """The function that checks a site as it is declared; empty where there is none to invoke."""


def compose(change: Change, alert_id: str, seq: int, further: Further) -> Message:
    """Return the message of a change."""
    subject = subject_of(change)
    for shown, characters in CAPS:
        body = _body(change, alert_id, seq, further, shown, characters)
        data = json.dumps(_data(change, subject, alert_id, seq, shown, characters), ensure_ascii=False)
        if len(payload(subject, body, data).encode()) <= MAX_MESSAGE:
            break
    return Message(subject, body, data, SEVERITY)


def payload(subject: str, body: str, data: str) -> str:
    """Return SNS's message of structure `json`: text for people, data for machines."""
    texts = {"default": body, "email": body, "sms": subject} | dict.fromkeys(FOR_MACHINES, data)
    return json.dumps(texts, ensure_ascii=False)


def fallback(site: str, subject: str, alert_id: str) -> str:
    """Return the plain ASCII text that goes out where the message itself is refused for good."""
    return (
        f"{_ascii(subject)}\n\nThe full text of this alert could not be sent. It is stored in the results table, "
        f"site {_ascii(site)[:300]}, alert {_ascii(alert_id)}.\n"
    )


def subject_of(change: Change) -> str:
    """Return one line of at most 99 printable ASCII characters: which site, and what happened to it."""
    happened = _ascii(_happened(change))
    room = MAX_TITLE - len("[Padlock] : ") - len(happened)
    site = _ascii(change.site)
    if len(site) > room:
        site = site[: max(room - 3, 10)] + "..."
    return f"[Padlock] {site}: {happened}"[:MAX_TITLE]


def _happened(change: Change) -> str:
    new = (*change.opened, *change.worsened)
    over = (*change.resolved, *change.eased)
    parts = []
    if new:
        parts.append(_named(new, 45))
    if over:
        parts.append(f"{len(over)} resolved" if new else f"resolved: {_named(over, 40)}")
    if change.still_open:
        parts.append(f"{len(change.still_open)} still open")
    return ", ".join(parts)


def _named(findings: Sequence[OpenFinding], characters: int) -> str:
    """Return the first finding's title, and how many more there are: those of the same title as their number."""
    titles = [_title(finding) for finding in findings]
    first, count = titles[0][:characters], len(titles)
    if count == 1:
        return first
    return f"{first} ({count})" if len(set(titles)) == 1 else f"{first}, and {count - 1} more"


def _body(change: Change, alert_id: str, seq: int, further: Further, shown: int, characters: int) -> str:
    checked = _time(change.checked_at) + _local(change.checked_at, change.timezone)
    lines = [f"{printable(change.site, 200)}: {_happened(change)}", f"Checked at {checked}", ""]
    new = (*change.opened, *change.worsened)
    inhibited = {label for cause in change.causes for label in cause.inhibits}
    lines += _section("NEW", [f for f in new if f.label not in inhibited], _in_full, shown, characters)
    if change.causes and change.after == "error":
        lines += ["WHY", "---"]
        for cause in change.causes[:shown]:
            lines += [
                f"* {printable(cause.explanation, characters)} ({cause.confidence}; {cause.code})",
                *_fix(cause.remediation, characters),
                *_commands(cause, characters),
            ]
        lines.append("")
    lines += _section("NEW FOR THAT REASON", [f for f in new if f.label in inhibited], _briefly, shown, characters)
    lines += _section("STILL OPEN", change.still_open, _in_short, shown, characters)
    lines += _section("NO LONGER AN ERROR", change.eased, _in_short, shown, characters)
    lines += _section("OVER", change.resolved, _ended(change.checked_at), shown, characters)
    lines += _closing(change, alert_id, seq, further)
    return "\n".join(lines) + "\n"


type Layout = Callable[[OpenFinding, Sequence[str], int], Iterable[str]]
"""(finding, subjects that share it, characters of a text) → lines."""


def _section(
    title: str, findings: Sequence[OpenFinding], layout: Layout, shown: int, characters: int
) -> Iterable[str]:
    """Yield findings under a title; those that differ by their subject only are told once."""
    if not findings:
        return
    yield from (title, "-" * len(title))
    groups = _alike(findings)
    for group in groups[:shown]:
        yield from layout(group[0], [finding.subject for finding in group], characters)
        yield ""
    if len(groups) > shown:
        yield from (f"... and {sum(map(len, groups[shown:]))} more", "")


def _alike(findings: Sequence[OpenFinding]) -> list[list[OpenFinding]]:
    groups: dict[tuple[object, ...], list[OpenFinding]] = {}
    for finding in findings:
        fields = (name for name in OpenFinding.__struct_fields__ if name != "subject")
        groups.setdefault(tuple(getattr(finding, name) for name in fields), []).append(finding)
    return list(groups.values())


def _in_full(finding: OpenFinding, subjects: Sequence[str], characters: int) -> Iterable[str]:
    step = f"; checklist step {finding.step}" if finding.step else ""
    yield f"* {_headline(finding, subjects, characters)}"
    yield f"  ({finding.code}, {finding.severity.value}{step})"
    yield f"  Seen: {printable(finding.observed, characters)}"
    yield f"  Expected: {printable(finding.expected, characters)}"
    yield f"  Why it matters: {printable(finding.impact, characters)}"
    yield from _fix(finding.remediation, characters)
    yield f"  Reference: {printable(finding.reference, characters)}"


def _in_short(finding: OpenFinding, subjects: Sequence[str], characters: int) -> Iterable[str]:
    yield f"* {_headline(finding, subjects, characters)}"
    yield f"  ({finding.code}, {finding.severity.value}; since {_time(finding.since)})"
    yield from _fix(finding.remediation, characters)


def _briefly(finding: OpenFinding, subjects: Sequence[str], characters: int) -> Iterable[str]:
    yield f"* {_headline(finding, subjects, characters)}"
    yield f"  ({finding.code}) {printable(finding.observed, characters)}"


def _commands(cause: Cause, characters: int) -> Iterable[str]:
    """Yield the lines that heal it, each as it is typed; one that would have to be cut is left to the report."""
    whole = [printable(line, len(line)) for line in cause.commands[:MAX_COMMANDS] if len(line) <= characters]
    if whole and whole == list(cause.commands):
        yield "  As root on the server:"
        yield from (f"      {line}" for line in whole)


def _ended(now: datetime) -> Layout:
    def layout(finding: OpenFinding, subjects: Sequence[str], characters: int) -> Iterable[str]:
        lasted = _duration(now - finding.since)
        yield f"* {_headline(finding, subjects, characters)}"
        yield f"  ({finding.code}; over after {lasted}, since {_time(finding.since)})"
        yield f"  Was: {printable(finding.observed, characters)}"

    return layout


def _fix(text: str, characters: int) -> Iterable[str]:
    """Yield what to do; further lines are indented, so that none of them stands where ours do."""
    first, *more = paragraphs(text, characters)
    yield f"  Fix: {first}"
    yield from (f"      {line}" for line in more)


def _closing(change: Change, alert_id: str, seq: int, further: Further) -> Iterable[str]:
    if change.after == "ok":
        yield "No error is open now."
    if change.after == "ok" and not change.minor:
        yield ""
    if change.minor:
        counts = [f"{n} {name}{'s' if n > 1 else ''}" for name, n in sorted(change.minor.items(), reverse=True)]
        yield from (f"Also in the report, not urgent: {', '.join(counts)}.", "")
    names = (change.site, further.table.lower(), further.function.lower() or "-")
    if all(map(_SAFE_NAME.fullmatch, names)):
        # A name that is no host name stands in no command: whoever wrote it would write a part of the command.
        key = json.dumps({"site": {"S": change.site}, "sk": {"S": "STATE"}})
        if further.function and "site.invalid" not in {finding.code for finding in change.opened}:
            yield _LOOK_AGAIN.format(function=further.function, event=json.dumps({"site": change.site}))
        yield f"Full report: aws dynamodb get-item --table-name {further.table} --key '{key}'"
    yield f"Alert {alert_id}, number {seq} of this site."


def _data(change: Change, subject: str, alert_id: str, seq: int, shown: int, characters: int) -> dict[str, Any]:
    built: dict[str, Any] = msgspec.to_builtins(change)
    lists = ("opened", "worsened", "eased", "resolved", "still_open")
    counts = {name: len(built[name]) for name in lists}
    cut = built | {name: built[name][:shown] for name in (*lists, "causes")}
    head = {"alert_id": alert_id, "seq": seq, "subject": subject, "severity": SEVERITY, "counts": counts}
    return head | {name: _escaped(value, characters) for name, value in cut.items()}


def _escaped(value: Any, characters: int) -> Any:
    if isinstance(value, str):
        return printable(value, characters)
    if isinstance(value, dict):
        return {name: _escaped(entry, characters) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_escaped(entry, characters) for entry in value]
    return value


def _headline(finding: OpenFinding, subjects: Sequence[str], characters: int) -> str:
    listed = ", ".join(printable(subject, min(characters, MAX_SUBJECT)) for subject in subjects[:MAX_LISTED])
    rest = len(subjects) - MAX_LISTED
    return f"{_title(finding)}: {listed}" + (f" and {rest} more" if rest > 0 else "")


def _title(finding: OpenFinding) -> str:
    title = finding.summary or finding.code.replace(".", " ").replace("_", " ")
    if finding.severity is not Severity.ERROR:
        title += f" (now a {finding.severity.value})"
    return printable(title, 80)


def _ascii(text: str) -> str:
    return printable(text).encode("ascii", "backslashreplace").decode()


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _local(moment: datetime, timezone: str) -> str:
    """Return the time as the owner's clock shows it; empty where that is UTC, or not known here."""
    if timezone == "UTC":
        return ""
    try:
        return moment.astimezone(ZoneInfo(timezone)).strftime(" (%H:%M ") + f"{timezone})"
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ""


def _duration(span: timedelta) -> str:
    """Return a span in its two largest units: `3 d 4 h`, `2 h 5 min`, `7 min`, or `40 s` where it is a short one."""
    seconds = max(int(span.total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    days, hours, minutes = minutes // 1440, minutes % 1440 // 60, minutes % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
