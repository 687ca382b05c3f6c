"""docs/alerts.md, made from the alerts' golden files: python -m local.alert_pages."""

import textwrap
from pathlib import Path

from padlock.changes import Policy
from padlock.changes.observing import STALE_RUNS
from padlock.changes.telling import FLIPS
from padlock.digest import AHEAD_DAYS
from padlock.outage import AT_LEAST
from padlock.rules import RULES

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "alerts.md"
GOLDEN = ROOT / "tests" / "golden" / "alerts"
USUAL = Policy()

HEAD = f"""# Alerts

What alerts, when, and what you get. Every mail, chat message and event below is what the code writes: a test compares
them byte for byte.

*Exactly one durable alert record per change of a site, published at least once, in order, with an immutable alert id
and body. A duplicate is possible only when the outcome of a publish is unknown; then it carries the same id.*

## What alerts

A site's state is its set of open findings. An alert tells of **errors**: what is new, what got worse, what is over,
and what is still open. So a site that is failing already alerts when something else breaks, and the message says what
is new and what you knew. Warnings and notices stand in the report; warnings come with the weekly digest.

| what | when |
|---|---|
| What is configured: a certificate, a record, a redirect | with the first look that sees it |
| What may pass by itself: a time-out, a reset, a 5xx | after {USUAL.failures} looks in a row that see it, \
`thresholds.failures` (1 to 10); the second look follows at once, in the same run, where there is time for it |
| The end of an error | after {USUAL.successes} looks in a row that do not see it, `thresholds.successes` (1 to 10) |
| A first run | a site that is well says nothing, a failing one alerts |
| What a known cause brings about | with the alert of the cause; by itself only once the cause is gone |
| What could not be looked at | never: it opens nothing and ends nothing |
| A run that you start yourself | never: it shows its result and is stored, and changes no state |

These may pass by themselves: {{waiting}}.

## When it stays quiet

* **Maintenance.** `maintenance` in the declaration lists windows: `start` and `end`, or `every: "Sun 02:00"` and
  `for: "2h"`, in the site's time zone. No alert goes out within one. What is still broken when it ends is told then.
* **Acknowledged.** `padlock ack SITE CODE --for 3d` silences a finding until a time, `--subject` at one host only;
  `padlock ack SITE --list` shows what is silenced, `--clear CODE` ends it. In the declaration that is `acknowledge`.
  A site that only the stack's parameter names keeps it in an item of its own, which declares nothing.
  The finding is checked and reported as before. When the time is over, an error that is still there
  is told, or with the next reminder where you were told of it before.
* **Flapping.** With more than {FLIPS} changes within an hour, one alert says so. Then there is silence until nothing
  has changed for an hour, and one alert with the final status.
* **Reminders** come while an error that was told of stays open: `reminder`, `1d` if you say nothing, `1h` to `30d`,
  or `off`.
* **Digest.** Once a week: sites with warnings, failing sites, and certificates that expire within {AHEAD_DAYS} days.
  `digest: off` leaves a site out.

## Where it goes

* **Mail**: the alerts topic. Subscribers that are programs (`email-json`, SQS, Lambda, HTTPS) get JSON with the same
  change, all its findings and `kind`.
* **Chat**: a topic of its own, so that mail readers never see JSON: custom notifications of Amazon Q Developer in
  chat applications, for Slack and Teams, with one thread per site. What came from a server stands in code spans, and
  can neither link nor mention anybody.
* **Events**: `Padlock Site Status Changed` from the source `padlock` on the default bus. Events tell of every change
  of status, those that nobody is alerted of too (`"kind": "status"`). A rule for all sites of a team that break:

      {{{{"source": ["padlock"], "detail": {{{{"to": ["error"], "labels": {{{{"team": ["shop"]}}}}}}}}}}}}

## What you get

`kind` is `changed` unless something else is said.
"""
EXAMPLES = (
    ("new", "Something breaks", "The subject names it; `(2)`: at two places."),
    ("first", "The first run of a failing site", "A site that is well says nothing at its first run."),
    ("several", "Several things break at once", "The subject names the first of them."),
    ("still-open", "Something else breaks", "What you were told of before is still open."),
    ("several-still-open", "Several other things break", "The subject counts them."),
    (
        "caused",
        "The cause is known, with the commands",
        "On a machine that is audited the cause is certain, and the "
        "commands are given that heal it. What it only brings about is told in short.",
    ),
    ("worse", "A warning becomes an error", "It is told as new, with the time since when it was there."),
    ("resolved", "All is well again", "The time is that since the first of what is over."),
    ("partly-resolved", "One thing is over", "The rest is still open."),
    ("mixed", "One breaks, one ends", "And a third stays open."),
    ("eased", "An error becomes a warning", "Such as by `severity` in the declaration."),
    ("disabled", "A check is switched off", "By `disable` in the declaration: what was open of it ends at once."),
    (
        "acknowledged",
        "Something breaks beside what is acknowledged",
        "What is acknowledged is shown, and how to undo it.",
    ),
    ("flapping", "Flapping", "`kind` is `flapping`; once a day it is told again, as a reminder is."),
    ("while-flapping", "Something else breaks while it flaps", "What does not come and go is told as ever."),
    ("settled-well", "Settled, and well", "`kind` is `settled`."),
    ("settled-open", "Settled, and broken", "`kind` is `settled`."),
    ("reminder", "Reminder", "`kind` is `reminder`."),
    (
        "stale",
        "The site cannot be looked at",
        f"After {STALE_RUNS} runs in a row, and as many intervals, without a result that says something of the site.",
    ),
    ("stale-over", "It can be looked at again", "What was open before is judged again from here on."),
    ("invalid-site", "The declaration is wrong", "Such a site is not checked. The rest of the sites is."),
    (
        "removed",
        "The site is no longer declared",
        "One closing alert. `kind` is `removed`. Added again, it begins anew, and its alerts' numbers go on.",
    ),
    ("removed-well", "A site that was well is no longer declared", "`kind` is `removed`."),
    (
        "outage",
        "The checker itself cannot see",
        f"Where at least {AT_LEAST} addresses, and half of those that were "
        "looked at and could be reached before, are out of reach at the same tick, the checker is taken to be at "
        "fault: one alert for Padlock itself, and none for the sites. The same holds where nothing can be seen of as "
        "many sites in two slots in a row, for a fault of Padlock's or of its resolver.",
    ),
    ("outage-over", "The checker can see again", "From here on sites are judged again."),
    ("digest", "The weekly digest", "`kind` is `digest`. Its event has no statuses: nobody's has changed."),
    ("test", "The test alert", "`padlock test-alert` sends it the whole way. `kind` is `test`."),
    (
        "status",
        "Another status, and no alert",
        "Such as a first warning, or an error within a maintenance window: an event alone. `kind` is `status`.",
    ),
)
"""Golden files' name, heading, and what is to be said of it."""


def document() -> str:
    """Return the page."""
    waiting = ", ".join(f"`{rule.code}`" for rule in RULES.values() if rule.reachability)
    return _filled(HEAD.format(waiting=waiting)) + "".join(_example(*example) for example in EXAMPLES)


def _filled(text: str) -> str:
    """Return the text with the one long list of codes in lines like all others."""
    return "\n".join(
        textwrap.fill(line, 120, break_on_hyphens=False) if line.startswith("These may pass") else line
        for line in text.split("\n")
    )


def _example(name: str, heading: str, text: str) -> str:
    shown = f"\n### {heading}\n\n{textwrap.fill(text, 120, break_on_hyphens=False)}\n"
    if (mail := GOLDEN / f"{name}.txt").exists():
        shown += _block("text", mail) + _folded("Chat message", GOLDEN / f"{name}.chat.json")
    return shown + _folded("Event", GOLDEN / f"{name}.event.json")


def _folded(title: str, path: Path) -> str:
    return f"\n<details><summary>{title}</summary>\n{_block('json', path)}\n</details>\n"


def _block(language: str, path: Path) -> str:
    return f"\n```{language}\n{path.read_text(encoding='utf-8')}```\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
