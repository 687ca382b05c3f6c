"""Hostile text in every field of the evidence, through every edge at which it is shown: nothing raw comes out.

Edges: the terminal, JSON, Markdown, mail, chat, events, the queue's messages and the functions' logs. What is stored
is in test_edges_stored.py.
"""

import functools
import io
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest
from aws_lambda_powertools import Logger
from padlock import logs
from padlock import record as records
from padlock.assess import assess
from padlock.changes import Policy, State, fold
from padlock.cli import main
from padlock.cli.output import encoded
from padlock.evidence import Evidence
from padlock.findings import Report, Severity
from padlock.message import Further, compose
from padlock.render import markdown
from padlock.render.escape import json_text
from padlock.render.terminal import render
from padlock.schedule.queue import MAX_BODY, body_of

from tests.evidence_builder import healthy, with_port
from tests.host_builder import with_audit
from tests.hostile_text import FLOOD, HOSTILE, LONG, MARKUP, Change, fields, filled, raw, spoilt
from tests.message.test_any_text import holds
from tests.test_replay import CAPTURED, captured

BASES = {file.stem: captured(file).evidence for file in CAPTURED} | {
    "machine": with_audit(healthy({"name": "example.com", "labels": {"team": "shop"}})),
    "down": with_audit(with_port(healthy(), "https", "timeout")),
}
WAYS: dict[str, Change] = {
    "after": lambda _, text: text + HOSTILE,
    "before": lambda _, text: HOSTILE + text,
    "instead": lambda _, __: HOSTILE,
    "where there is none": lambda _, text: text or HOSTILE,
    "long": lambda _, text: text + LONG,
}
FIELDS = sorted(fields(Evidence))
ADDRESSES = {"dns.reserved_address", "dns.unexpected_address", "dns.missing_address"}
"""Rules that read addresses, which come from resolvers' octets and have no other form: others are a fault of ours."""
AT_ONCE = Policy(failures=1, successes=1)


def only(field: str) -> Change:
    """Return the change of one field alone."""
    return lambda path, text: text + HOSTILE if path == field else text


@functools.cache
def merged(way: str) -> Report:
    """Return a report with everything that any of the bases makes of hostile text put in this way."""
    found = [assess(spoilt(base, WAYS[way])) for base in BASES.values()]
    return whole(found)


@functools.cache
def of_fields() -> Report:
    """Return a report with everything that hostile text in one field alone brings about, for each field."""
    return whole(assess(spoilt(BASES["machine"], only(field))) for field in FIELDS)


def whole(reports: Iterable[Report]) -> Report:
    """Return one report of all that others hold, each thing once."""
    every = list(reports)
    parts = {
        name: tuple(dict.fromkeys(entry for one in every for entry in getattr(one, name)))
        for name in ("findings", "causes", "not_assessed", "certificates", "hosts", "checklist", "lines", "results")
    }
    parts["findings"] = tuple(sorted(parts["findings"], key=lambda finding: finding.severity.rank))
    labels = {name: text for one in every for name, text in one.labels.items()}
    return msgspec.structs.replace(every[-1], status="error", labels=labels, **parts)


REPORTS: Mapping[str, Callable[[], Report]] = {
    "of every base": lambda: merged("after"),
    "of hostile blanks": lambda: merged("where there is none"),
    "of each field": of_fields,
    "hostile itself": lambda: filled(Report, HOSTILE),
    "of huge texts": lambda: filled(Report, LONG * 10),
}
every_report = pytest.mark.parametrize("report", REPORTS)


def test_every_text_field_is_reached() -> None:
    """The walk over the types and the walk over values know the same fields, so that none is passed over."""
    for kind in (Evidence, Report):
        seen: set[str] = set()

        def note(path: str, text: str, seen: set[str] = seen) -> str:
            seen.add(path)
            return text

        full = filled(kind, HOSTILE)
        assert spoilt(full, note) == full
        assert seen == fields(kind)
    assert {"Exchange.title", "Certificate.dns_names", "Directive.args", "Lookup.records", "Health.json"} <= set(
        FIELDS
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("base", BASES)
def test_every_rule_bears_it(base: str, way: str) -> None:
    """No text makes a rule fail: what cannot be judged is told as such, by a rule that knows why."""
    judged = assess(spoilt(BASES[base], WAYS[way]))
    broken = {entry.code for entry in judged.not_assessed if "fault of Padlock's" in entry.reason}
    assert broken <= ADDRESSES
    assert judged.checked_at == BASES[base].gathered_at


def test_each_field_alone_is_borne() -> None:
    """Hostile text in one field, everything else as it is: the rules go as far as they can, and none fails."""
    judged = of_fields()
    assert {e.code for e in judged.not_assessed if "fault of Padlock's" in e.reason} <= ADDRESSES
    told = (*judged.findings, *merged("after").findings)
    shown = {f.code for f in told if "evil.example" in f.observed + f.subject + f.remediation}
    assert len(shown) > 15, "the text comes through to the findings"


@every_report
def test_terminal(report: str) -> None:
    """The report is lines of printable characters; in colour its own sequences are the only ones."""
    hostile = REPORTS[report]()
    text = render(hostile, width=40)
    assert raw(text) == set()
    assert ("evil.example" in text) == (report != "of huge texts")
    coloured = render(hostile, width=110, colour=True)
    assert "\x1b[" in coloured
    assert raw(re.sub(r"\x1b\[[0-9;]*m", "", coloured)) == set()
    assert render(hostile, ascii_only=True, short=True).isascii()


@every_report
def test_json(report: str) -> None:
    """The JSON of a report is shown with JSON's own escapes, and is the same document."""
    plain = encoded(REPORTS[report]()).decode()
    shown, ascii_only = json_text(plain), json_text(plain, ascii_only=True)
    assert raw(shown) == set()
    assert ascii_only.isascii()
    assert json.loads(shown) == json.loads(ascii_only) == json.loads(plain)


@every_report
def test_markdown(report: str) -> None:
    """A record's text makes no line, cell, link, mention, formula or HTML of its own."""
    text = markdown.render(records.of(REPORTS[report]()), records.of(merged("instead")))
    assert raw(text) == set()
    bare = re.sub(r"\\.", "", text)
    for markup in ("<", "@", "://", "www.", "](", "$", "evil.example**", "`d`"):
        assert markup not in bare
    assert {line[:2] for line in text.split("\n")} <= {"", "# ", "##", "- ", "| ", "|-", "Ch", "No"}
    assert all(line.count("|") == 4 for line in bare.split("\n") if line.startswith("| "))


@every_report
def test_mail_chat_and_event(report: str) -> None:
    """Told as errors that opened, stay and end: every form keeps its shape, its size and its counts."""
    hostile = REPORTS[report]()
    loud = tuple(msgspec.structs.replace(finding, severity=Severity.ERROR) for finding in hostile.findings)
    bad = msgspec.structs.replace(hostile, site="example.com", findings=loud, status="error")
    bad = msgspec.structs.replace(bad, not_assessed=())  # which would hide that something is over
    half = msgspec.structs.replace(bad, findings=loud[: len(loud) // 2])
    well = msgspec.structs.replace(bad, findings=(), status="ok")
    state, told = State(), 0
    for look in (bad, half, well):
        state, change = fold(state, [look], AT_ONCE)
        if change is None:
            continue
        told += 1
        message = compose(change, "a1b2", 7, Further("table", HOSTILE, HOSTILE, HOSTILE, HOSTILE))
        holds(message)
        assert raw(message.body) == raw(message.subject) == set()
        data = json.loads(message.data)
        assert all(raw(text) == set() for text in _texts([data, message.chat, message.event]))
        assert data["counts"]["opened"] == len(change.opened)
        assert data["counts"]["resolved"] == len(change.resolved)
    assert told >= 2


def test_queue_message() -> None:
    """What is declared goes into the queue as ASCII, and as a reference where it is too large."""
    for text in (HOSTILE, LONG):
        body = body_of("example.com", {"name": "example.com", "labels": {text: text}, text: [text]}, "2026-11-20")
        assert body.isascii()
        assert body.isprintable()
        assert len(body) <= MAX_BODY


def test_commands_of_the_shell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a command prints of evidence or of a report in a file, on either stream, is printable."""
    judged = assess(BASES["machine"])
    for number, way in enumerate(WAYS.values()):
        file = str(tmp_path / f"{number}.json")
        Path(file).write_bytes(encoded(spoilt(BASES["expired.test"], way)))
        kept = str(tmp_path / f"{number}-report.json")
        Path(kept).write_bytes(encoded(spoilt(judged, way)))
        for arguments in (
            ["assess", file],
            ["assess", file, "--json"],
            ["assess", kept],
            ["record", "--report", kept],
            ["record", "--report", kept, "--json"],
            ["record", "--report", kept, "--since", kept],
            ["record", "--report", file],
        ):
            main(arguments)
            said = capsys.readouterr()
            assert raw(said.out) == raw(said.err) == set(), arguments
            assert said.out or said.err.startswith("padlock: cannot read")


@pytest.mark.parametrize(
    "arguments",
    [
        [HOSTILE],
        ["check", f"--{HOSTILE}"],
        ["check", HOSTILE],
        ["check", "--debug", "--ca-file", HOSTILE, "example.com"],
        ["check", "--resolver", HOSTILE, "example.com"],
        ["check", "--allow-network", HOSTILE, "example.com"],
        ["check", "--ct", HOSTILE, "example.com"],
        ["check", "--site-file", HOSTILE[:60].replace("\x00", "")],
        ["check", "--host-evidence", HOSTILE[:60].replace("\x00", ""), "example.com"],
        ["assess", "--debug", HOSTILE],
        ["assess", "x", HOSTILE],
        ["record", "--at", HOSTILE, "--stored", "example.com"],
        ["record", "--report", HOSTILE],
        ["record", "--report", "x", "--since", HOSTILE],
        ["ack", "example.com", HOSTILE],
        ["ack", "example.com", "x", "--for", HOSTILE],
        ["ack", "example.com", "x", "--until", HOSTILE],
        ["test-alert", "--wait", HOSTILE],
        ["sites", HOSTILE],
        ["audit-host", "--script-path", HOSTILE],
    ],
    ids=lambda arguments: " ".join("…" if len(word) > 40 else word for word in arguments),
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A complaint shows what was written, escaped, argparse's own complaints too."""
    try:
        code = main(arguments)
    except SystemExit as ended:
        code = int(str(ended.code))
    said = capsys.readouterr()
    assert code == 2
    assert raw(said.out) == raw(said.err) == set()


def test_site_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every key and value of a declaration that is refused is shown escaped, on a line of its own."""
    for text in (HOSTILE, LONG, FLOOD, MARKUP):
        for name in ("sites.json", "sites.yaml"):
            file = tmp_path / name
            wrong = [{"name": text}, {"name": "a.example", text: 1}, text, {"name": "b.example", "interval": text}]
            wrong += [{"name": "c.example", "health": {"path": text, "json": {text: text}}}]
            file.write_text(json.dumps(wrong))
            assert main(["check", "--site-file", str(file)]) == 2
            said = capsys.readouterr()
            assert raw(said.out) == raw(said.err) == set()
            assert all(line.startswith("padlock: ") for line in said.err.splitlines())


def test_log() -> None:
    """A line of a function's log is one JSON object, whatever stands in a message, an exception or its key."""
    out = io.StringIO()
    logger = Logger(service="edges", stream=out, json_serializer=logs.line)
    library = logging.getLogger("tests.edges")
    library.handlers = logger._logger.handlers  # as copy_config_to_registered_loggers does
    for text in (HOSTILE, LONG, LONG * 10):
        library.warning("the cache could not be read for %s", text)
        logger.info("fetched", extra={"fault": text, text: [text]})
        try:
            int(text)
        except ValueError as error:
            error.add_note(text)
            library.exception("the check of %s failed", text)
    lines = out.getvalue().split("\n")
    assert lines.pop() == ""
    assert len(lines) == 9
    for line in lines:
        assert len(line) < logs.MAX_LINE
        assert line.isascii()
        assert line.isprintable()
        assert json.loads(line)["level"] in ("WARNING", "INFO", "ERROR")


def _texts(value: object) -> Iterator[str]:
    """Yield every text in a JSON value, keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for entry in value.items() for each in entry for text in _texts(each))
    elif isinstance(value, list):
        yield from (text for entry in value for text in _texts(entry))
