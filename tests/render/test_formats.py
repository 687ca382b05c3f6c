"""The formats of a report: golden files, what checks them elsewhere, and text that means harm."""

import csv
import io
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
import xmlschema
from markdown_it import MarkdownIt
from markdown_it.token import Token
from padlock.findings import Finding, Report, Severity
from padlock.render import findings_csv, findings_markdown, junit, prometheus

from tests.hostile_text import HOSTILE, LONG, filled, raw
from tests.render.formats import FAULT, FORMATS, GOLDEN, reports
from tests.render.reports import EXPIRED, TEMPORARY, broken

JUNIT = xmlschema.XMLSchema(str(Path(__file__).parent.parent / "captured" / "junit-10.xsd"))
"""The schema of Jenkins' xUnit plugin."""


def parsed(document: str) -> ET.Element:
    """Return the root of a document of ours."""
    return ET.fromstring(document)  # noqa: S314 — we wrote it


@pytest.fixture
def hostile() -> Report:
    """Return a report in which every text is one that means harm."""
    report: Report = filled(Report, HOSTILE)
    return report


@pytest.mark.parametrize("name", FORMATS)
def test_golden(name: str) -> None:
    """Each format is what it was; `python -m tests.render.formats` writes what was changed on purpose."""
    with (GOLDEN / name).open(encoding="utf-8", newline="") as file:
        assert FORMATS[name](reports()) == file.read()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("text", [HOSTILE, LONG])
def test_text_that_means_harm(name: str, text: str) -> None:
    """Whatever stands in whatever field, nothing of it drives a terminal, in any format."""
    shown = FORMATS[name]((filled(Report, text),))
    assert not raw(shown.replace("\r\n", "\n"))


class TestCsv:
    """Rows for a spreadsheet."""

    def test_rows_and_columns(self) -> None:
        """A row for each finding, one for a site without any, each with every column."""
        rows = list(csv.DictReader(io.StringIO(findings_csv.render(reports()), newline="")))
        first, healthy = reports()
        assert [row["code"] for row in rows if row["site"] == first.site] == [f.code for f in first.findings]
        assert rows[0]["causes"] == "cause.renewal_broken"
        assert [row["code"] for row in rows if row["site"] == healthy.site] == [""]
        assert all(None not in row and None not in row.values() for row in rows)

    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " =", "\uff1d", "\uff20"])
    def test_no_cell_is_a_formula(self, start: str) -> None:
        """A text that a spreadsheet would compute is a text there."""
        text = start + "HYPERLINK(\"http://evil.example\";'x')"
        finding = msgspec.structs.replace(EXPIRED, observed=text, subject=text, remediation=text)
        [row] = csv.DictReader(
            io.StringIO(findings_csv.render([msgspec.structs.replace(broken(), findings=(finding,))]), newline="")
        )
        for cell in row.values():
            assert not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff20"))

    def test_hostile_text_makes_no_row(self, hostile: Report) -> None:
        """Line ends, quotes and commas stay in their cell."""
        document = findings_csv.render([hostile])
        rows = list(csv.reader(io.StringIO(document, newline="")))
        assert len(rows) == 1 + len(hostile.findings)
        assert {len(row) for row in rows} == {len(findings_csv.COLUMNS)}
        assert document.count("\r\n") == document.count("\n") == len(rows)


class TestMarkdown:
    """A document for a ticket or a CI job's summary."""

    def test_hostile_text_is_no_markup(self, hostile: Report) -> None:
        """No link, image, table, heading, list or tag of somebody else's, and nobody is mentioned."""
        tame: Report = filled(Report, "text")
        ours, theirs = (Counter(self.tokens(report)) for report in (tame, hostile))
        assert theirs == ours
        assert not ours.keys() & {"link_open", "image", "html_inline", "html_block"}
        assert not any("@" in text for text in self.texts(hostile))

    def parsed(self, report: Report) -> list[Token]:
        """Return what a parser makes of a document of two sites."""
        return MarkdownIt("commonmark").enable("table").parse(findings_markdown.render([report, report]))

    def texts(self, report: Report) -> list[str]:
        """Return what stands outside code."""
        children = [child for token in self.parsed(report) for child in token.children or ()]
        return [child.content for child in children if child.type != "code_inline"]

    def tokens(self, report: Report) -> list[str]:
        """Return the parts of such a document, texts, code in them and line ends aside."""
        parsed = self.parsed(report)
        inline = [child.type for token in parsed for child in token.children or ()]
        plain = {"text", "text_special", "softbreak", "code_inline"}
        return [kind for kind in (*(token.type for token in parsed), *inline) if kind not in plain]

    def test_commands_stay_in_their_block(self) -> None:
        """A line of backticks ends no block of commands."""
        finding = msgspec.structs.replace(EXPIRED, commands=("```", "echo ````", "reboot"))
        document = findings_markdown.render([msgspec.structs.replace(broken(), findings=(finding,), causes=())])
        assert "\n`````sh\n```\necho ````\nreboot\n`````\n" in document

    def test_several_sites_have_an_overview(self) -> None:
        """Of several sites the failing ones come first; one site needs no overview; what was not checked is told."""
        both = findings_markdown.render(tuple(reversed(reports())), (FAULT,))
        assert both.startswith("# Padlock: 2 sites, 1 failing, 1 not checked\n")
        assert both.index("| shop.example.com |") < both.index("| example.com |")
        assert both.endswith("did you mean 'health'?\n")
        assert findings_markdown.render([broken()]).startswith("## ❌ shop.example.com: error\n")

    def test_nothing_could_be_checked(self) -> None:
        """A document without a site says what is wrong."""
        assert findings_markdown.render([], ("x is wrong",)) == "## Not checked\n\n- x is wrong\n"


class TestJunit:
    """JUnit XML as CI systems read it."""

    @pytest.mark.parametrize("strict", [False, True])
    def test_schema(self, strict: bool, hostile: Report) -> None:
        """Every document is valid, whatever text stands in it."""
        inconclusive = msgspec.structs.replace(hostile, status="inconclusive", checklist=(), findings=())
        JUNIT.validate(junit.render([*reports(), hostile, inconclusive], (FAULT, HOSTILE), strict=strict))
        JUNIT.validate(junit.render([]))

    @pytest.mark.parametrize(("strict", "failing"), [(False, ["8", "18"]), (True, ["7", "8", "18"])])
    def test_what_fails(self, strict: bool, failing: list[str]) -> None:
        """The steps with an error fail, with `strict` those with a warning too; what was not seen is skipped."""
        [suite] = parsed(junit.render([broken()], strict=strict))
        names = [case.get("name", "") for case in suite if case.find("failure") is not None]
        assert [name.partition(".")[0] for name in names] == failing
        skipped = [case.get("name", "").partition(".")[0] for case in suite if case.find("skipped") is not None]
        assert skipped == ["4", "13"]
        counted = {name: int(suite.get(name, "")) for name in ("tests", "failures", "errors", "skipped")}
        assert counted == {"tests": 20, "failures": len(failing), "errors": 0, "skipped": 2}

    def test_the_same_tests_at_each_run(self) -> None:
        """A CI system can follow each test: a healthy site has the tests of a broken one."""
        first, second = parsed(junit.render(reports()))
        assert [case.get("name") for case in first] == [case.get("name") for case in second]
        assert len({case.get("name") for case in first}) == len(first)

    def test_every_finding_stands_somewhere(self) -> None:
        """What fails nothing is told beside the step that it is about, or beyond the checklist."""
        [suite] = parsed(junit.render([broken()]))
        told = {case.get("name"): "".join(case.itertext()) for case in suite}
        assert "redirect.temporary" in told["7. The HTTP virtual host redirects to HTTPS"]
        assert "tls.no_http2" in told["beyond the checklist"]

    def test_what_could_not_be_seen_is_an_error(self) -> None:
        """Neither a site that could not be seen nor a wrong entry passes."""
        blind = msgspec.structs.replace(broken(), status="inconclusive", findings=())
        root = parsed(junit.render([blind], (FAULT,)))
        assert root.get("errors") == "2"
        errors = [case.get("name") for case in root.iter("testcase") if case.find("error") is not None]
        assert errors == ["the site can be seen", "entry 1"]


class TestPrometheus:
    """Metrics in the text format."""

    @pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (Debian: prometheus)")
    def test_promtool(self, hostile: Report) -> None:
        """Prometheus' own tool reads every document and complains of no name."""
        twice = [*reports(), *reports(), hostile]
        done = subprocess.run(
            ["promtool", "check", "metrics"],
            input=prometheus.render(twice, 2).encode(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

    def test_no_series_twice(self) -> None:
        """A site that was checked twice has each series once, with the latter value."""
        again = msgspec.structs.replace(broken(), status="ok", findings=())
        lines = prometheus.render([broken(), again]).splitlines()
        series = Counter(line.rpartition(" ")[0] for line in lines if not line.startswith("#"))
        assert set(series.values()) == {1}
        assert 'padlock_site_status{site="shop.example.com",status="ok"} 1' in lines

    def test_each_metric_once_with_help_and_type(self) -> None:
        """HELP and TYPE stand once before the samples of each metric."""
        lines = prometheus.render(reports(), 1).splitlines()
        names = [line.split()[2] for line in lines if line.startswith("# HELP")]
        assert names == [line.split()[2] for line in lines if line.startswith("# TYPE")]
        assert len(set(names)) == len(names)
        assert {re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")} == set(names)

    def test_labels_take_few_values(self) -> None:
        """What a server says is no label's value: subjects, observations, issuers and serial numbers are left out."""
        marked = [
            msgspec.structs.replace(finding, subject="SAID", observed="SAID", summary="SAID")
            for finding in (EXPIRED, TEMPORARY)
        ]
        certificates = tuple(
            msgspec.structs.replace(certificate, subject="SAID", issuer="SAID", serial="SAID")
            for certificate in broken().certificates
        )
        report = msgspec.structs.replace(
            broken(), findings=tuple(marked), certificates=certificates, labels={"SAID": "SAID"}
        )
        assert "SAID" not in prometheus.render([report])

    def test_escapes(self) -> None:
        """Quotes, backslashes and line ends in a value are escaped."""
        report = msgspec.structs.replace(broken(), site='a"b\\c\nd')
        assert r'{site="a\"b\\c\\nd"}' in prometheus.render([report])


def test_severities_of_the_reports_used_here() -> None:
    """The report that the tests above use has one finding of each severity."""
    found: list[Finding] = list(broken().findings)
    assert [finding.severity for finding in found] == list(Severity)
