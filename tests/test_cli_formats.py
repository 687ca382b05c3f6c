"""--format of check and assess: each format by the command, with its exit status, and what could not be checked."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from padlock import evidence
from padlock.cli import main
from padlock.cli.formats import FORMATS

from local.sites import DemoSites
from tests.evidence_builder import NOW, healthy, with_leaf

DOCUMENTS = [name for name in FORMATS if name != "text"]


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoSites]:
    """Serve the demo's sites on loopback."""
    with DemoSites() as running:
        yield running


@pytest.fixture
def stored(tmp_path: Path) -> str:
    """Return a file with the evidence of a healthy site and of one whose certificate has expired."""
    path = tmp_path / "evidence.json"
    both = (healthy("good.example.com"), with_leaf(healthy("bad.example.com"), not_after=NOW))
    path.write_bytes(b"[" + b",".join(map(evidence.encode, both)) + b"]")
    return str(path)


def site_file(demo: DemoSites, folder: Path, *more: object) -> list[str]:
    """Return the options that check two of the demo's sites, and whatever else stands in their file."""
    names = ("healthy.example", "expired.example")
    entries = [entry for entry in demo.declarations() if entry["name"] in names]
    (folder / "sites.json").write_text(json.dumps([*entries, *more]))
    options = ["--site-file", str(folder / "sites.json"), "--resolver", demo.resolver]
    return [*options, "--allow-network", "127.0.0.0/8"]


def sites_in(name: str, document: str) -> list[str]:
    """Return the sites that a document tells of, in its order."""
    match name:
        case "json":
            return [report["site"] for report in json.loads(document)]
        case "ndjson":
            return [json.loads(line)["site"] for line in document.splitlines()]
        case "csv":
            return list(dict.fromkeys(row["site"] for row in csv.DictReader(io.StringIO(document, newline=""))))
        case "markdown":
            return [line.split()[2].rstrip(":") for line in document.splitlines() if line.startswith("## ")]
        case "junit":
            return [suite.get("name", "") for suite in parsed(document)]
        case _:
            lines = [line for line in document.splitlines() if line.startswith("padlock_check_timestamp_seconds{")]
            return [line.split('"')[1] for line in lines]


def parsed(document: str) -> ET.Element:
    """Return the root of a document of ours."""
    return ET.fromstring(document)  # noqa: S314 — we wrote it


@pytest.mark.parametrize("name", FORMATS)
def test_exit_status_is_the_same(name: str, stored: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever the format, an error is 1; nothing is written to stderr."""
    assert main(["assess", stored, "--format", name]) == 1
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_site_stands_in_it(name: str, stored: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each document tells of every site, in the order of the evidence."""
    main(["assess", stored, "--format", name])
    assert sites_in(name, capsys.readouterr().out) == ["good.example.com", "bad.example.com"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_of_a_check(name: str, demo: DemoSites, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A check made now is written likewise; a wrong entry beside it is named, and the exit status is 2."""
    assert main(["check", *site_file(demo, tmp_path, {"name": "a.example", "heath": "/"}), "--format", name]) == 2
    said = capsys.readouterr()
    assert sites_in(name, said.out)[:2] == ["healthy.example", "expired.example"]
    assert "did you mean 'health'?" in said.err


def test_what_could_not_be_checked(demo: DemoSites, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No CI system takes a wrong entry for a success: JUnit has an error, Markdown and the metrics tell of it."""
    flags = site_file(demo, tmp_path, {"name": "a.example", "heath": "/"})
    main(["check", *flags, "--format", "junit"])
    assert parsed(capsys.readouterr().out).get("errors") == "1"
    main(["check", *flags, "--format", "markdown"])
    assert "## Not checked\n" in capsys.readouterr().out
    main(["check", *flags, "--format", "prometheus"])
    assert "padlock_unchecked_sites 1\n" in capsys.readouterr().out


def test_strict_reaches_the_tests(stored: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --strict a warning fails its test, as it fails the command."""
    one = evidence.encode(healthy("example.com"))
    document = json.loads(one)
    document["site"]["severity"] = {"hsts.missing": "warning"}
    path = tmp_path / "one.json"
    path.write_text(json.dumps(document))
    assert main(["assess", str(path), "--format", "junit"]) == 0
    assert parsed(capsys.readouterr().out).get("failures") == "0"
    assert main(["assess", str(path), "--format", "junit", "--strict"]) == 1
    assert parsed(capsys.readouterr().out).get("failures") != "0"


def test_json_is_an_alias(stored: str, capsys: pytest.CaptureFixture[str]) -> None:
    """--json is --format json; both with another format are wrong usage."""
    main(["assess", stored, "--json"])
    first = capsys.readouterr().out
    main(["assess", stored, "--format", "json"])
    assert capsys.readouterr().out == first
    with pytest.raises(SystemExit) as ended:
        main(["assess", stored, "--json", "--format", "csv"])
    assert ended.value.code == 2


def test_lines_come_as_sites_are_done(demo: DemoSites, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is written as ndjson of one site is one line, in the order of the file for several."""
    assert main(["check", *site_file(demo, tmp_path), "--format", "ndjson"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["site"] for line in lines] == ["healthy.example", "expired.example"]


@pytest.mark.parametrize("name", FORMATS)
def test_an_output_with_few_letters(name: str, tmp_path: Path) -> None:
    """Where the output has only ASCII, each format is ASCII and still what it is."""
    path = tmp_path / "evidence.json"
    path.write_bytes(evidence.encode(with_leaf(healthy("example.com"), not_after=NOW, subject="CN=bücher \u202e")))
    done = subprocess.run(
        [str(Path(sys.executable).parent / "padlock"), "assess", str(path), "--format", name],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"")
    text = done.stdout.decode("ascii")
    if name in ("json", "ndjson"):
        assert json.loads(text)["site"] == "example.com"
    if name == "junit":
        assert parsed(text).get("tests") == "20"


class TestPage:
    """--html writes the reports as a page, beside whatever the format is."""

    def test_beside_the_output(self, stored: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The page tells of every site; output and exit status are what they are without it."""
        page = tmp_path / "report.html"
        assert main(["assess", stored, "--format", "csv", "--html", str(page)]) == 1
        assert sites_in("csv", capsys.readouterr().out) == ["good.example.com", "bad.example.com"]
        document = page.read_text(encoding="utf-8")
        assert document.lower().startswith("<!doctype html>")
        assert "good.example.com" in document
        assert "certificate.expired" in document

    def test_of_a_check(self, demo: DemoSites, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A check made now writes it too."""
        page = tmp_path / "report.html"
        assert main(["check", *site_file(demo, tmp_path), "--html", str(page)]) == 1
        assert "expired.example" in page.read_text(encoding="utf-8")
        assert "Checklist" in capsys.readouterr().out

    def test_that_cannot_be_written(self, stored: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Where the page cannot be written, the output is there, one line says why, and the exit status is 2."""
        assert main(["assess", stored, "--html", str(tmp_path / "no" / "x.html")]) == 2
        output = capsys.readouterr()
        assert "certificate.expired" in output.out
        assert output.err.startswith("padlock: cannot write the page to ")
        assert output.err.count("\n") == 1
