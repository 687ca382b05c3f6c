"""`padlock record`: of a check made now, of a report's file, and of what an embedded AWS has stored."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from padlock.assess import assess
from padlock.cli import main
from padlock.findings import Report
from padlock.record import Record, of
from padlock.storage import Results, Run, stamp

from local.aws import CREDENTIALS, EmbeddedAws
from local.sites import DemoSites
from tests.evidence_builder import NOW, change, healthy, with_leaf

SITE = "example.com"
HEALTHY = assess(healthy(SITE))
EXPIRED = assess(with_leaf(healthy(SITE), not_after=NOW - timedelta(days=1)))


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """Serve an AWS with a stack `padlock` that has a Results table."""
    with EmbeddedAws() as running:
        running.client("cloudformation").create_stack(
            StackName="padlock",
            TemplateBody=json.dumps(
                {
                    "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}},
                    "Outputs": {"ResultsTableName": {"Value": running.physical["ResultsTable"]}},
                }
            ),
        )
        yield running
        running.client("cloudformation").delete_stack(StackName="padlock")


@pytest.fixture
def results(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Results:
    """Return the table, in which the site was broken on 20 November and healthy ten days later."""
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": aws.endpoint}).items():
        monkeypatch.setenv(name, value)
    table = Results(aws.client("dynamodb"), aws.physical["ResultsTable"])
    for report in (EXPIRED, change(HEALTHY, checked_at=NOW + timedelta(days=10))):
        keep(table, report)
    return table


def keep(table: Results, report: Report) -> None:
    """Store a report as history."""
    table.keep(Run(SITE, f"RUN#{stamp(report.checked_at)}", 0, 0.1, 2**40), report, "on demand")


def written(folder: Path, report: Report) -> str:
    """Return the path of a report's file."""
    path = folder / "report.json"
    path.write_bytes(msgspec.json.encode(report))
    return str(path)


def test_template_has_the_output(aws: EmbeddedAws) -> None:
    """The output through which the table is found stands in the template."""
    assert aws.template["Outputs"]["ResultsTableName"]["Value"] == {"Ref": "ResultsTable"}


@pytest.mark.parametrize(("report", "status"), [(HEALTHY, 0), (EXPIRED, 1)])
def test_of_a_report(report: Report, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A report's file gives its record, with the exit status of a check."""
    assert main(["record", "--report", written(tmp_path, report)]) == status
    assert "# example.com: domain" in capsys.readouterr().out


def test_of_a_check_made_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without more a site is checked now; with a former report the record says what changed."""
    with DemoSites() as demo:
        entry = next(entry for entry in demo.declarations() if entry["name"] == "healthy.example")
        (tmp_path / "site.json").write_text(json.dumps(entry))
        look = ["--site-file", str(tmp_path / "site.json"), "--resolver", demo.resolver]
        look += ["--allow-network", "127.0.0.0/8"]
        before = written(tmp_path, change(EXPIRED, site=entry["name"]))
        assert main(["record", *look, "--since", before]) == 0
    text = capsys.readouterr().out
    assert text.startswith("# healthy.example: domain")
    assert "- [x] valid certificate" in text
    assert "- valid certificate: fail: `certificate.expired` → **pass**" in text


def test_json_of_a_check_made_now(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--json prints records of a check made now too: one object for one site, an array for several."""
    with DemoSites() as demo:
        entries = [entry for entry in demo.declarations() if entry["name"] in ("healthy.example", "loop.example")]
        look = ["--resolver", demo.resolver, "--allow-network", "127.0.0.0/8", "--json"]
        (tmp_path / "one.json").write_text(json.dumps(entries[0]))
        (tmp_path / "both.json").write_text(json.dumps(entries))
        assert main(["record", "--site-file", str(tmp_path / "one.json"), *look]) == 0
        one = msgspec.json.decode(capsys.readouterr().out, type=Record)
        assert main(["record", "--site-file", str(tmp_path / "both.json"), *look]) == 1
        both = msgspec.json.decode(capsys.readouterr().out, type=list[Record])
    assert (one.site, len(one.steps), len(one.results)) == ("healthy.example", 18, 5)
    assert [record.site for record in both] == ["healthy.example", "loop.example"]


@pytest.mark.usefixtures("results")
def test_of_what_is_stored(capsys: pytest.CaptureFixture[str]) -> None:
    """The last stored check, the last before a date, and what changed between two dates."""
    assert main(["record", SITE, "--stored"]) == 0
    assert "Checked 2026-11-30 12:00 UTC" in capsys.readouterr().out
    assert main(["record", SITE, "--stored", "--at", "2026-11-20"]) == 1
    assert "`certificate.expired`" in capsys.readouterr().out
    assert main(["record", SITE, "--stored", "--since", "2026-11-25T00:00"]) == 0
    assert "- valid certificate: fail → **pass**" in capsys.readouterr().out


def test_the_latest_has_its_reasons(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    """The latest report of the schedule is stored whole, so that its record says why a step is unknown."""
    from tests.runs import saved  # noqa: PLC0415 — imports the probes

    report = change(HEALTHY, checked_at=NOW + timedelta(days=20))
    saved(results, Run(SITE, f"RUN#{stamp(report.checked_at)}", 1, 0.1, 2**40), report)
    assert main(["record", SITE, "--stored"]) == 0
    text = capsys.readouterr().out
    assert "Checked 2026-12-10" in text
    assert "only the host itself can tell" in text


@pytest.mark.usefixtures("results")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a site"),
        ([SITE, "--at", "2026-11-20"], "--at needs --stored"),
        ([SITE, "--stored", "--at", "2026-11-01"], "no check of example.com that has a record is stored until"),
        (["absent.example.com", "--stored"], "no check of absent.example.com"),
        ([SITE, "--since", "2026-11-20"], "to compare with what was stored at a time, add --stored"),
        ([SITE, "--since", "absent.json"], "cannot read the report absent.json"),
        ([SITE, "--stored", "--since", "yesterday"], "'yesterday' is no time such as"),
        (["--report", "absent.json"], "cannot read the report absent.json"),
        ([SITE, "--report", "x.json"], "--report stands alone"),
        ([SITE, "other.example.com", "--since", "x.json"], "compares one site"),
        ([SITE, "--stored", "--html", "x.html"], "--html and --evidence-out are of a check made now"),
        (["--report", "x.json", "--evidence-out", "e.json"], "--html and --evidence-out are of a check made now"),
    ],
)
def test_wrong_use_says_what_to_do(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each wrong use is one line and exit status 2, and nothing on stdout."""
    assert main(["record", *arguments]) == 2
    output = capsys.readouterr()
    assert said in output.err
    assert not output.out


def test_json_of_a_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The record as JSON has the lines of the text, with the same exit status."""
    assert main(["record", "--report", written(tmp_path, EXPIRED), "--json"]) == 1
    assert msgspec.json.decode(capsys.readouterr().out, type=Record) == of(EXPIRED)
    assert main(["record", "--report", written(tmp_path, EXPIRED), "--json", "--since", "x"]) == 2
    assert "leave out --since" in capsys.readouterr().err


@pytest.mark.usefixtures("results")
def test_json_of_what_is_stored(capsys: pytest.CaptureFixture[str]) -> None:
    """One object for one site, an array for several; what is not stored is said, and fails the command."""
    assert main(["record", SITE, "--stored", "--at", "2026-11-20", "--json"]) == 1
    found = msgspec.json.decode(capsys.readouterr().out, type=Record)
    assert (found.site, found.at, found.status) == (SITE, NOW, "error")
    assert main(["record", SITE, "unknown.example", "--stored", "--json"]) == 2
    output = capsys.readouterr()
    assert [one.site for one in msgspec.json.decode(output.out, type=list[Record])] == [SITE]
    assert "unknown.example" in output.err


@pytest.mark.usefixtures("results")
def test_history_has_no_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    """What a row of the history does not keep stands in no line as if it were the reason."""
    assert main(["record", SITE, "--stored", "--at", "2026-11-20"]) == 1
    text = capsys.readouterr().out
    assert "? unknown |" in text
    assert "reasons" not in text


def test_a_time_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    """--at takes a date or a time."""
    with pytest.raises(SystemExit) as ended:
        main(["record", SITE, "--stored", "--at", "noon"])
    assert ended.value.code == 2
    assert "'noon' is no time such as 2026-11-20" in capsys.readouterr().err


def test_another_sites_report_is_not_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A former report of another site is named, and the record stands without it."""
    other = written(tmp_path, change(EXPIRED, site="other.example.com"))
    (tmp_path / "now.json").write_bytes(msgspec.json.encode(HEALTHY))
    assert main(["record", "--report", str(tmp_path / "now.json"), "--since", other]) == 0
    output = capsys.readouterr()
    assert "--since is of other.example.com, not of example.com" in output.err
    assert "Changed since" not in output.out
