"""Change → the text of the mail that tells of it."""

import json
import re
from collections.abc import Iterable, Sequence

from padlock.changes import STALE, Change, OpenFinding
from padlock.findings import CHECKER, Cause
from padlock.message.sections import ended, in_brief, in_full, in_short, section, silenced, why
from padlock.message.subject import happened
from padlock.message.types import Further
from padlock.message.words import COMMAND, local, minor_of, name_of, stated, wrapped
from padlock.render.escape import printable

MAX_ACKNOWLEDGED = 5
"""Codes for which the command is given that silences them."""
SILENCE = "3d"
_LOOK_AGAIN = (
    "Look again:  aws lambda invoke --function-name {function} --cli-binary-format raw-in-base64-out "
    "--cli-read-timeout 120 --payload '{event}' /dev/stdout"
)
"""The check that reads what the site declares, as `padlock check NAME` does not."""
_FULL_REPORT = (
    "Full report: aws dynamodb query --table-name {table} --key-condition-expression "
    "'site = :s AND begins_with(sk, :k)' --expression-attribute-values '{values}'"
)
_SAFE_NAME = re.compile(r"[a-z0-9_][a-z0-9._-]{0,252}")
_SAFE_TABLE = re.compile(r"[A-Za-z0-9._-]{3,255}")
_SAFE_URL = re.compile(r"https?://[!-~]{1,2000}")


def body_of(change: Change, alert_id: str, seq: int, further: Further, shown: int, characters: int) -> str:
    """Return the mail's text, with so many findings of each section and characters of each of their texts."""
    lines = [
        *wrapped(f"{printable(name_of(change.site), 200)}: {happened(change)}"),
        *_seen(change, further),
        "",
        *_introduction(change),
        *_sections(change, shown, characters),
        *_closing(change, further),
        *acknowledging(change, further),
        *_further(change, further),
        f"Alert {alert_id}, number {seq} of {name_of(CHECKER) if change.site == CHECKER else 'this site'}.",
    ]
    return "\n".join(lines) + "\n"


def is_safe(name: str) -> bool:
    """Return whether a name may stand in a command: whoever wrote another would write a part of the command."""
    return bool(_SAFE_NAME.fullmatch(name))


def dashboard_of(further: Further) -> str:
    """Return the dashboard's URL; empty where there is none that could be followed."""
    return further.dashboard if _SAFE_URL.fullmatch(further.dashboard) else ""


def _seen(change: Change, further: Further) -> Iterable[str]:
    checked = stated(change.checked_at) + local(change.checked_at, change.timezone)
    verb = "Removed" if change.kind == "removed" else "Checked"
    place = f", seen from {printable(further.place, 80)}" if further.place and change.kind != "removed" else ""
    yield f"{verb} at {checked}{place}"
    if change.before == change.after:
        yield f"Status: {change.after}, as before"
    elif change.before == "unknown":
        yield f"Status: {change.after}" + ("" if change.site == CHECKER else "; it is the first result")
    else:
        yield f"Status: {change.after}; before: {change.before}"


def _introduction(change: Change) -> Iterable[str]:
    """Yield what the reader must know of this kind of alert."""
    texts = {
        "flapping": (
            f"It has changed {change.flips} times within an hour. What comes and goes, and what may pass by itself, "
            "is not told until it settles: an hour without a change. Then one alert tells its final status. What is "
            "known now is below."
        ),
        "settled": (
            "Nothing has changed for an hour. While it was flapping, what opened and what ended was not told one by "
            "one; this is the final status, and from now on every change is told again."
        ),
        "reminder": (
            "This was told before and is still open."
            if change.site == CHECKER
            else "This was told before and is still open. The site's key `reminder` says how often it is told again, "
            "once a day by default; `reminder: off` ends it for the site, an acknowledgement for one finding."
        ),
        "removed": (
            "It is no longer declared: nobody checks it any more, and no further alert of it will come. "
            + ("What was open then is below." if change.resolved else "Nothing that was told of was open then.")
        ),
    }
    if text := texts.get(change.kind):
        yield from (*wrapped(text, rest=""), "")
    if any(finding.code == STALE for finding in (*change.opened, *change.still_open)):
        stale = (
            "Padlock could not look at the site. That says nothing of the site itself: how it is now, nobody knows. "
            "What was open before stays open."
        )
        yield from (*wrapped(stale, rest=""), "")


def _sections(change: Change, shown: int, characters: int) -> Iterable[str]:
    if change.kind == "removed":
        layout = in_short(healed=())
        yield from section("OPEN WHEN IT WAS REMOVED", change.resolved, layout, shown, characters)
        return
    causes = causes_of(change)
    healed = {code for cause in causes[:shown] if cause.commands for code in cause.explains}
    opened, worsened, following = split(change)
    yield from section("NEW", opened, in_full(healed), shown, characters)
    yield from section("WORSE: AN ERROR NOW", worsened, in_full(healed), shown, characters)
    yield from why(causes, shown, characters)
    yield from section("NEW FOR THAT REASON", following, in_brief, shown, characters)
    yield from section("STILL OPEN", change.still_open, in_short(healed), shown, characters)
    yield from section("NO LONGER AN ERROR", change.eased, in_short(healed, change.declared), shown, characters)
    yield from section("OVER", change.resolved, ended(change.checked_at, change.declared), shown, characters)
    yield from section(
        "ACKNOWLEDGED", change.acknowledged, silenced(change.silences, change.checked_at), shown, characters
    )


def causes_of(change: Change) -> Sequence[Cause]:
    """Return why it is so; where no error is open there is nothing to explain."""
    return change.causes if change.after == "error" else ()


def split(change: Change) -> tuple[list[OpenFinding], list[OpenFinding], list[OpenFinding]]:
    """Return what opened and what worsened, without what a cause brought about, and that."""
    brought = {label for cause in causes_of(change) for label in cause.inhibits}
    opened, worsened = ([f for f in new if f.label not in brought] for new in (change.opened, change.worsened))
    return opened, worsened, [f for f in (*change.opened, *change.worsened) if f.label in brought]


def _closing(change: Change, further: Further) -> Iterable[str]:
    if change.kind == "removed":
        if is_safe(change.site):
            yield "To have it checked again, with default intent (`padlock sites import` takes a whole declaration):"
            yield from (f"{COMMAND}padlock sites add {change.site}{_table(further)}", "")
        return
    if change.after in ("ok", "notice", "warning"):
        yield "No error is open now."
        if not change.minor:
            yield ""
    if minor := minor_of(change.minor):
        yield from (f"Also in the report, not urgent: {minor}.", "")


def acknowledging(change: Change, further: Further) -> Iterable[str]:
    """Yield how to hear no more of what is open, and how to undo that."""
    if change.kind == "removed" or not is_safe(change.site):
        return
    table = _table(further)
    codes = codes_to_acknowledge(change)
    if codes:
        yield "To hear no more of a finding for three days, acknowledge it:"
        for code in codes[:MAX_ACKNOWLEDGED]:
            yield f"{COMMAND}padlock ack {change.site} {code} --for {SILENCE}{table}"
        if len(codes) > MAX_ACKNOWLEDGED:
            yield f"and likewise the other {len(codes) - MAX_ACKNOWLEDGED}."
        yield ""
    silent = [code for code in dict.fromkeys(f.code for f in change.acknowledged) if is_safe(code)]
    if silent:
        yield "What is acknowledged here, and how to hear of it again:"
        yield f"{COMMAND}padlock ack {change.site} --list{table}"
        for code in silent[:MAX_ACKNOWLEDGED]:
            yield f"{COMMAND}padlock ack {change.site} --clear {code}{table}"
        yield ""


def codes_to_acknowledge(change: Change) -> list[str]:
    """Return the codes of open errors that an acknowledgement silences: it stands in the site's declaration."""
    found = dict.fromkeys(finding.code for finding in (*change.opened, *change.worsened, *change.still_open))
    return [code for code in found if code != "site.invalid" and is_safe(code)]


def _table(further: Further) -> str:
    """Return what a command of ours needs to find the table: nothing where that of the usual stack is meant."""
    usual = not further.sites_table or further.sites_table.startswith("padlock-SitesTable-")
    return "" if usual or not _SAFE_TABLE.fullmatch(further.sites_table) else f" --table {further.sites_table}"


def _further(change: Change, further: Further) -> Iterable[str]:
    if dashboard := dashboard_of(further):
        yield f"Dashboard:   {dashboard}"
    if change.site == CHECKER or change.kind == "removed":
        return
    if all(map(is_safe, (change.site, further.table.lower(), further.function.lower() or "-"))):
        values = json.dumps({":s": {"S": change.site}, ":k": {"S": "STATE"}})
        if further.function and "site.invalid" not in {finding.code for finding in change.opened}:
            yield _LOOK_AGAIN.format(function=further.function, event=json.dumps({"site": change.site}))
        yield _FULL_REPORT.format(table=further.table, values=values)
