"""The cost model: prices, what it reads of the template, its arithmetic, the page and the command."""

import json
import re
from collections.abc import Mapping
from datetime import date
from itertools import groupby
from pathlib import Path

import msgspec
import pytest

from local.cost import model, page, prices
from local.cost.__main__ import main
from local.cost.figures import KEPT, KEYS, Figure, Figures, WrongFigures, keep, load
from local.cost.model import Fleet
from local.cost.others import canaries, cheapest, health_checks
from local.cost.stack import FUNCTIONS, TEMPLATE, Stack, metric_names, read, ticks_a_month

NOWHERE = Path("/nonexistent/fleet.json")
EAST, FRANKFURT = prices.REGIONS
MONTH = 43830
"""Minutes."""


@pytest.fixture(scope="module")
def stack() -> Stack:
    """Return the stack as the template has it."""
    return read()


@pytest.fixture(scope="module")
def kept() -> Figures:
    """Return the committed figures."""
    return load(measured=NOWHERE)


def only(**values: float) -> Figures:
    """Return figures that are 0 but for these."""
    assert values.keys() <= KEYS.keys()
    return {key: Figure(values.get(key, 0), "2026-11-21", "given") for key in KEYS}


def charges(used: list[model.Use], region: str = EAST) -> Mapping[str, float]:
    """Return item → its list price."""
    return {line.item: line.charge for line in model.bill(used, region).lines}


# --- prices ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [prices.prices(), prices.plans()], ids=["prices", "monitors"])
def test_every_price_says_where_it_is_from(rows: tuple[prices.Price | prices.Plan, ...]) -> None:
    """A price names a public page and what was seen of it; one that was not looked up has no date and says so."""
    assert len(rows) > 10
    for row in rows:
        assert re.fullmatch(r"https://[\w./%-]+", row.source), row
        assert row.seen, row
        if row.looked_up:
            assert date.fromisoformat(row.looked_up) >= date(2026, 1, 1), row
        else:
            assert "to be checked" in row.seen, row


def test_tiers_begin_at_nothing_and_get_cheaper() -> None:
    """The rows of an item in a region are tiers: from 0 up, each cheaper than the one before, of one unit."""
    for _, group in groupby(
        sorted(prices.prices(), key=lambda p: (p.item, p.region, p.above)), lambda p: (p.item, p.region)
    ):
        tiers = list(group)
        assert tiers[0].above == 0
        assert len({tier.above for tier in tiers}) == len(tiers)
        assert [tier.each for tier in tiers] == sorted((tier.each for tier in tiers), reverse=True)
        assert len({tier.unit for tier in tiers}) == 1
        assert not any(tier.free_per_month for tier in tiers[1:])


@pytest.mark.parametrize(
    ("gigabytes", "charge", "paid"),
    [(0, 0, 0), (50, 4.5, 0), (10_240, 921.6, 912.6), (10_340, 930.1, 921.6), (51_200, 4403.2, 4394.7)],
)
def test_tiers_and_free_tier_of_data_out(gigabytes: float, charge: float, paid: float) -> None:
    """9 cents for the first 10,240 GB, 8.5 for the next 40,960; 100 GB are free."""
    tariff = prices.tariff("transfer", EAST)
    assert tariff.charge(gigabytes) == pytest.approx(charge)
    assert tariff.paid(gigabytes) == pytest.approx(paid)


def test_price_that_holds_everywhere_is_found_in_every_region() -> None:
    """Keys cost the same in all regions; what is not in the table is an error that says where to add it."""
    assert prices.tariff("kms_keys", EAST) == prices.tariff("kms_keys", FRANKFURT)
    with pytest.raises(prices.UnknownPrice, match=r"prices\.csv has no price of moon in us-east-1: look it up"):
        prices.tariff("moon", EAST)


@pytest.mark.parametrize("architecture", ["arm64", "x86_64"])
@pytest.mark.parametrize("region", prices.REGIONS)
def test_everything_that_is_used_has_a_price(stack: Stack, kept: Figures, region: str, architecture: str) -> None:
    """Each region has a price for each use, on either processor, and each costs something before the free tier."""
    used = model.uses(msgspec.structs.replace(stack, architecture=architecture), kept, Fleet(1000, 60))
    assert {use.item for use in used} == {line.item for line in model.bill(used, region).lines}
    assert all(line.charge > 0 for line in model.bill(used, region).lines)


# --- the template ---------------------------------------------------------------------------------------------------


def changed(tmp_path: Path, before: str, after: str) -> Stack:
    """Return the stack of a template that differs in one place."""
    text = TEMPLATE.read_text()
    assert text.count(before) == 1
    path = tmp_path / "template.yaml"
    path.write_text(text.replace(before, after))
    return read(path)


def test_stack_is_counted_from_the_template(stack: Stack) -> None:
    """What is counted is what stands there."""
    text = TEMPLATE.read_text()
    assert stack.alarms == text.count("Type: AWS::CloudWatch::Alarm\n")
    assert stack.dashboards == text.count("Type: AWS::CloudWatch::Dashboard\n")
    assert stack.keys == text.count("Type: AWS::KMS::Key\n")
    assert stack.readers == text.count("SITES_TABLE: !Ref SitesTable") + text.count(
        "RESULTS_TABLE: !Ref ResultsTable"
    )
    assert stack.schedules["NotifyFunction.Sweep"] == "rate(5 minutes)"
    assert len(stack.schedules) == text.count("Type: ScheduleV2\n")


@pytest.mark.parametrize(
    ("before", "after", "name", "value"),
    [
        ("            BatchSize: 10\n", "            BatchSize: 50\n", "batch", 50),
        ("    Default: arm64\n", "    Default: x86_64\n", "architecture", "x86_64"),
        ("ReceiveMessageWaitTimeSeconds: 20", "ReceiveMessageWaitTimeSeconds: 10", "receive_wait", 10),
        ("    Default: 90\n", "    Default: 30\n", "retention_days", 30),
        ("  TopicKey:\n    Type: AWS::KMS::Key", "  TopicKey:\n    Type: AWS::KMS::ReplicaKey", "keys", 0),
        ("    Default: 5\n    MinValue: 2\n", "    Default: 50\n    MinValue: 2\n", "concurrency", 50),
    ],
)
def test_what_the_template_changes_the_stack_has(
    tmp_path: Path, before: str, after: str, name: str, value: object
) -> None:
    """Nothing of the template is repeated in the model."""
    assert getattr(changed(tmp_path, before, after), name) == value


def test_provisioned_table_is_refused(tmp_path: Path) -> None:
    """The model does not guess what a table costs that is billed in another way."""
    with pytest.raises(ValueError, match="SitesTable: the model knows tables that are billed by request only"):
        changed(
            tmp_path,
            "      BillingMode: PAY_PER_REQUEST\n      AttributeDefinitions:\n        - { AttributeName: name,",
            "      BillingMode: PROVISIONED\n      AttributeDefinitions:\n        - { AttributeName: name,",
        )


@pytest.mark.parametrize(
    ("expression", "ticks"),
    [
        ("rate(5 minutes)", 8766),
        ("rate(1 hour)", 730.5),
        ("rate(1 day)", 30.4375),
        ("cron(30 6 * * ? *)", 30.4375),
        ("cron(0 7 ? * MON *)", 30.4375 / 7),
    ],
)
def test_schedules_are_counted(expression: str, ticks: float) -> None:
    """A month has 30.4375 days."""
    assert ticks_a_month(expression) == pytest.approx(ticks)


@pytest.mark.parametrize("expression", ["cron(0/10 * * * ? *)", "cron(0 7 1 * ? *)", "rate(5 weeks)", "off"])
def test_schedule_that_cannot_be_counted_is_refused(expression: str) -> None:
    """A schedule of another form is an error, not a wrong number."""
    with pytest.raises(ValueError, match=re.escape(expression)):
        ticks_a_month(expression)


def test_metrics_are_counted_by_name(tmp_path: Path, stack: Stack) -> None:
    """A metric that is added at two places is one, and the functions add what the stack counts."""
    app = tmp_path / "app.py"
    app.write_text(
        'metrics.add_metric("A", 1, 2)\nmetrics.add_metric("B", 1, 2)\nother("C")\nmetrics.add_metric("A", 1, 3)\n'
    )
    assert metric_names(app) == {"A", "B"}
    assert "RunsConclusive" in metric_names(FUNCTIONS / "check" / "app.py")
    assert stack.metrics["check"] == len(metric_names(FUNCTIONS / "check" / "app.py"))


# --- the model ------------------------------------------------------------------------------------------------------


def test_write_units_by_hand(stack: Stack) -> None:
    """One site every 5 minutes is 8,766 runs; 17 units each, two of them 30, at $0.625 a million."""
    used = model.of_sites(stack, only(wru_per_unchanged_run=17, wru_per_changed_run=30), Fleet(1, 5, 2))
    assert charges(used)["dynamodb_writes"] == pytest.approx((8764 * 17 + 2 * 30) * 0.625e-6)
    assert charges(used, FRANKFURT)["dynamodb_writes"] == pytest.approx((8764 * 17 + 2 * 30) * 0.7625e-6)


def test_compute_by_hand(stack: Stack) -> None:
    """GB-seconds of checks and of dispatch for each run."""
    used = model.of_sites(
        stack, only(check_gb_seconds_per_site_run=0.1, dispatch_gb_seconds_per_site_tick=0.01), Fleet(100, 5, 0)
    )
    assert charges(used)["lambda_arm64"] == pytest.approx(100 * 8766 * 0.11 * 0.0000133334)


def test_history_is_as_long_as_it_gets(stack: Stack) -> None:
    """90 days of a row every 5 minutes are 25,920 rows; they and the state are kept, and can be recovered."""
    used = model.of_sites(stack, only(stored_octets_per_site=8000, history_octets_per_run=400), Fleet(1, 5))
    gigabytes = (8000 + 25_920 * 400) / 2**30
    assert charges(used)["dynamodb_storage"] == pytest.approx(0.25 * gigabytes)
    assert charges(used)["dynamodb_recovery"] == pytest.approx(0.20 * gigabytes)
    without = msgspec.structs.replace(stack, recovery=False)
    assert charges(model.of_sites(without, only(stored_octets_per_site=8000), Fleet(1)))["dynamodb_recovery"] == 0


def test_requests_carry_batches(stack: Stack) -> None:
    """Ten sites are one invocation and three requests; a site alone is as much."""
    figures = only(sqs_requests_per_site_run=0.3)

    def amounts(sites: int) -> Mapping[str, float]:
        lines = model.bill(model.of_sites(stack, figures, Fleet(sites, 5, 0)), EAST).lines
        return {line.item: round(line.amount / 8766, 6) for line in lines}

    assert amounts(1)["lambda_requests"] == amounts(10)["lambda_requests"] == 1
    assert amounts(11)["lambda_requests"] == 2
    assert amounts(1)["sqs_requests"] == amounts(10)["sqs_requests"] == 3
    assert amounts(100)["sqs_requests"] == 30


def test_cold_starts_come_with_ticks_far_apart(stack: Stack) -> None:
    """At 5 minutes environments stay; at 60 each of those that work at the same time starts anew."""
    figures = only(check_init_gb_seconds=1)

    def cold(sites: int, minutes: float) -> float:
        lines = model.bill(model.of_sites(stack, figures, Fleet(sites, minutes, 0)), EAST).lines
        return sum(line.amount for line in lines if line.item == "lambda_arm64")

    assert cold(1000, 5) == 0
    assert cold(1, 60) == pytest.approx(MONTH / 60)
    assert cold(1000, 60) == pytest.approx(stack.concurrency * MONTH / 60)


def test_idle_queue_is_polled(stack: Stack) -> None:
    """Five receives of 20 s wait all the time: 657,450 requests a month, and no site."""
    assert model.of_sites(stack, only(), Fleet(0)) == []
    waiting = {use.what: use.amount for use in model.standing(stack, only(), Fleet(0))}
    assert waiting["waiting for messages"] == pytest.approx(5 * 3 * MONTH)


def test_free_tier_is_per_line_and_cost_is_linear(stack: Stack, kept: Figures) -> None:
    """What is paid is never more than the list price; twice the sites cost twice as much beside the stack itself."""
    bills = [model.bill(model.uses(stack, kept, Fleet(sites)), EAST) for sites in (0, 1000, 2000)]
    assert all(0 <= line.paid <= line.charge for bill in bills for line in bill.lines)
    assert bills[2].charge - bills[0].charge == pytest.approx(2 * (bills[1].charge - bills[0].charge))
    assert model.one_more(stack, kept, EAST, 5).charge == pytest.approx((bills[1].charge - bills[0].charge) / 1000)


def test_break_even_brings_the_bill_to_the_limit(stack: Stack, kept: Figures) -> None:
    """A line cut to the share that is named makes the whole as dear as the limit."""
    whole = model.one_more(stack, kept, EAST, 5)
    for line in whole.lines:
        limit = whole.charge - line.charge / 3
        share = model.most(whole, line.item, limit)
        assert share is not None
        assert whole.charge - line.charge + share * line.charge == pytest.approx(limit)
        assert model.most(whole, line.item, 0.99 * (whole.charge - line.charge)) is None


# --- figures --------------------------------------------------------------------------------------------------------


def test_measured_figures_come_before_kept_ones(tmp_path: Path, kept: Figures) -> None:
    """A benchmark's keys count at the top of its file or one level deeper; the others stay."""
    fresh = tmp_path / "fleet.json"
    fresh.write_text(
        json.dumps(
            {
                "date": "2026-12-01T10:00:00+00:00",
                "wru_per_unchanged_run": 2,
                "cost": {"rru_per_run": 1.5, "other": 1},
                "how": {"rru_per_run": "counted"},
            }
        )
    )
    found = load(KEPT, fresh)
    assert found["wru_per_unchanged_run"] == Figure(2, "2026-12-01", "measured by `make bench-fleet`")
    assert found["rru_per_run"] == Figure(1.5, "2026-12-01", "counted")
    assert found["log_octets_per_site_run"] == kept["log_octets_per_site_run"]
    copy = tmp_path / "figures.json"
    keep(found, copy)
    assert load(copy, NOWHERE) == found


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[", "cannot be read"),
        ('{"rru_per_run": -1}', "rru_per_run is -1, and should be a number"),
        ('{"rru_per_run": "3"}', "rru_per_run is '3'"),
        ('{"rru_per_run": true}', "rru_per_run is True"),
    ],
)
def test_wrong_measured_figure_is_an_error(tmp_path: Path, text: str, error: str) -> None:
    """What a benchmark got wrong is not passed over in favour of an older figure."""
    fresh = tmp_path / "fleet.json"
    fresh.write_text(text)
    with pytest.raises(WrongFigures, match=error):
        load(KEPT, fresh)


def test_missing_figure_is_an_error(tmp_path: Path) -> None:
    """A figure that is nowhere is named with the command that measures it."""
    with pytest.raises(WrongFigures, match=r"has wru_per_unchanged_run, .*: run make bench-fleet"):
        load(tmp_path / "none.json", NOWHERE)


def test_every_kept_figure_says_when_and_how(kept: Figures) -> None:
    """Each has a date and how it was made."""
    for figure in kept.values():
        assert date.fromisoformat(figure.date)
        assert len(figure.how) > len("measured")


# --- others ---------------------------------------------------------------------------------------------------------


def test_others_by_hand() -> None:
    """A canary's 8,766 runs; a health check with two features, by where the server is."""
    assert canaries(1, 5, EAST) == pytest.approx(8766 * 0.0012)
    assert health_checks(10, EAST) == pytest.approx(10 * (0.75 + 2 * 2))
    assert health_checks(10, EAST, endpoints="aws") == pytest.approx(10 * (0.50 + 2 * 1))


def plan(**values: object) -> prices.Plan:
    """Return a plan of 10 monitors every minute for $5."""
    given = {"name": "x", "plan": "x", "monitors": 10, "seconds": 60, "usd_per_month": 5.0, "more_monitors": 0}
    more = {"more_usd": 0.0, "checks": "", "source": "", "seen": "", "looked_up": ""}
    return msgspec.convert(given | more | values, prices.Plan)


def test_plans_are_bought_whole() -> None:
    """A bundle is bought whole, a plan several times, and a free plan once."""
    assert plan().cost(10) == 5
    assert plan().cost(11) == 10
    assert plan(more_monitors=25, more_usd=2.0).cost(11) == 7
    assert plan(more_monitors=25, more_usd=2.0).cost(36) == 9
    assert plan(usd_per_month=0.0).cost(10) == 0
    assert plan(usd_per_month=0.0).cost(11) is None


def test_cheapest_plan_looks_often_enough() -> None:
    """A cheap plan with long intervals is none for a short one."""
    offers = [plan(seconds=300, usd_per_month=1.0), plan()]
    assert cheapest(offers, 10, 5) == 1
    assert cheapest(offers, 10, 1) == 5
    assert cheapest(offers, 10, 0.5) is None


# --- page and command -----------------------------------------------------------------------------------------------


def test_committed_page_is_the_one_that_is_made(stack: Stack, kept: Figures) -> None:
    """docs/cost.md is what `make cost` writes from the template, the prices and the kept figures."""
    assert (TEMPLATE.parent / "docs" / "cost.md").read_text(encoding="utf-8") == page.document(stack, kept)


def test_page_tells_whether_the_gate_holds(stack: Stack, kept: Figures) -> None:
    """Dear figures break gate and aim, free ones hold both, in every region."""
    assert "does not hold" not in page.document(stack, only())
    assert page.document(stack, only()).count("| holds |") == 2 * len(prices.REGIONS)
    dear = {**kept, "wru_per_unchanged_run": Figure(100, "2026-11-21", "given")}
    assert page.document(stack, dear).count("| does not hold |") == 2 * len(prices.REGIONS)


def written(folder: Path, figures: Figures) -> Path:
    """Write figures to a file."""
    keep(figures, folder / "figures.json")
    return folder / "figures.json"


@pytest.mark.parametrize(("units", "status"), [(1, 0), (100, 1)])
def test_exit_status_is_the_gate(
    tmp_path: Path, kept: Figures, capsys: pytest.CaptureFixture[str], units: float, status: int
) -> None:
    """The command fails where the gate does not hold, and says so."""
    given = written(tmp_path, {**kept, "wru_per_unchanged_run": Figure(units, "2026-11-21", "given")})
    assert main(["--sites", "1000"], given, NOWHERE) == status
    said = capsys.readouterr().out
    assert "1,000 sites, a check every 5 min, us-east-1" in said
    assert f"at most $0.10: {'does not hold' if status else 'holds'}" in said


def test_json_is_the_bill(tmp_path: Path, stack: Stack, kept: Figures, capsys: pytest.CaptureFixture[str]) -> None:
    """--json prints one object with the bill, the gate, the figures and the stack."""
    main(["--json", "--sites", "7", "--minutes", "15", "--region", FRANKFURT], written(tmp_path, kept), NOWHERE)
    said = json.loads(capsys.readouterr().out)
    whole = model.bill(model.uses(stack, kept, Fleet(7, 15)), FRANKFURT)
    assert said["charge_usd"] == pytest.approx(whole.charge)
    assert said["paid_usd"] == pytest.approx(whole.paid)
    assert [line["item"] for line in said["lines"]] == [line.item for line in whole.lines]
    assert {entry["region"] for entry in said["gate"]} == set(prices.REGIONS)
    assert said["figures"].keys() == KEYS.keys()
    assert said["stack"]["alarms"] == stack.alarms


def test_writing_the_page_keeps_what_was_measured(tmp_path: Path, stack: Stack, kept: Figures) -> None:
    """--write makes the page of the figures that it keeps."""
    given, fresh = written(tmp_path, kept), tmp_path / "fleet.json"
    fresh.write_text('{"date": "2026-12-01", "wru_per_unchanged_run": 1}')
    main(["--write", str(tmp_path / "cost.md")], given, fresh)
    assert load(given, NOWHERE)["wru_per_unchanged_run"].value == 1
    assert (tmp_path / "cost.md").read_text() == page.document(stack, load(given, NOWHERE))


@pytest.mark.parametrize(
    "arguments",
    [
        ["--sites", "-1"],
        ["--sites", "1.5"],
        ["--minutes", "0.5"],
        ["--changes", "nan"],
        ["--region", "mars"],
        ["more"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2 and what is wrong."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_unreadable_figures_end_with_a_word(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken file is told in one line, with what to do."""
    (tmp_path / "figures.json").write_text("{")
    assert main([], tmp_path / "figures.json", NOWHERE) == 2
    assert "restore it from the repository" in capsys.readouterr().err
