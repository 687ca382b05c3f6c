"""Text that would drive whoever shows it: script, escape sequences, bidi controls and newlines from outside."""

from datetime import timedelta

import msgspec
from padlock import record
from padlock.changes import Change, Policy, State, fold
from padlock.findings import Report
from padlock.message import Further, compose
from padlock.render import markdown, terminal

from tests.hostile.behaviour import Behaviour, Outcome
from tests.hostile.serving import HTML, secure
from tests.servers import pages, redirect, reply

MARK = "owned"
"""Stands in every hostile text, so that it is known to be shown."""
FORGED = "OK: nothing is wrong"
"""A line that nobody but the server wrote."""
TEXT = f"</title><script>{MARK}()</script>\x1b]0;{MARK}\x07\x1b[2J\x9b31m\u202egpj.exe\u2066\u200f\n\r{FORGED}\n\x00"
TITLE = TEXT.replace("<", "&lt;")
FURTHER = Further(table="results", function="check", sites_table="sites", place="lab")
DECLARED = {"expect": {"title": "Shop", "contains": "Welcome", "header": {"server": "nginx"}}}


def page(title: str) -> bytes:
    """Return a page with this title, and a header with what may stand in one."""
    server = ("Server", f"{MARK}\x1b]0;{MARK}\x07\u202e<script>{MARK}()</script>".encode().decode("latin-1"))
    return reply(200, f"<!doctype html><title>{title}</title>", HTML, server)


def mail_of(report: Report) -> Change | None:
    """Return what a site's owner is told once the same was seen twice."""
    later = msgspec.structs.replace(report, checked_at=report.checked_at + timedelta(minutes=5))
    return fold(State(), [report, later], Policy())[1]


def shown(outcome: Outcome) -> dict[str, str]:
    """Return every text that people are shown of an outcome."""
    report = outcome.report
    texts = {
        "terminal": terminal.render(report, width=100),
        "record": markdown.render(record.of(report)),
    }
    change = mail_of(report)
    if change is not None:
        message = compose(change, "a" * 32, 1, FURTHER)
        texts |= {"subject": message.subject, "mail": message.body, "chat": message.chat, "machines": message.data}
    return texts


def _is_clean(name: str, text: str) -> bool:
    """Whether nothing in a text but its own line feeds is a control, and no line is one of the server's."""
    lines = text.split("\n")
    one_line = name != "subject" or len(lines) == 1
    return one_line and all(line.isprintable() and line.strip() != FORGED for line in lines)


def escaped(outcome: Outcome) -> str:
    """Say where hostile text is shown, and where it is not escaped."""
    texts = shown(outcome)
    told = any(MARK in each.observed for each in outcome.report.findings)
    dirty = [name for name, text in texts.items() if not _is_clean(name, text)]
    where = ", ".join(name for name in texts if name not in dirty)
    return f"{'told' if told else 'not told'}; escaped in {where}{'; NOT in ' + ', '.join(dirty) if dirty else ''}"


PROMISE = "script, escapes, bidi controls, newlines in titles and headers → escaped in mail, log and terminal"
EVERYWHERE = "told; escaped in terminal, record, subject, mail, chat, machines"

BEHAVIOURS: tuple[Behaviour, ...] = (
    Behaviour("hostile-title", PROMISE, secure(pages(lambda _: page(TITLE))), EVERYWHERE, escaped, DECLARED),
    Behaviour(
        "hostile-location",
        PROMISE,
        secure(pages(lambda _: redirect(f"https://{MARK}\u202e\x1b[2J\u2028.test/".encode().decode("latin-1")))),
        EVERYWHERE,
        escaped,
    ),
)
