"""`padlock status` on an embedded AWS: each thing that can be wrong with a stack is shown with what to do."""

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from moto import settings
from moto.core.authorization import ActionAuthenticatorMixin
from padlock.cli import main
from padlock.cli.health import ALARMS_AT_ONCE, MOST_PENDING, SHOWN
from padlock.findings import CHECKER
from padlock.storage import stamp
from padlock.storage.ticks import LastTick, Ticks

from local.aws import EmbeddedAws
from tests import deployed
from tests.alerts import alert, write

NOW = datetime.now(UTC)


@pytest.fixture
def stack(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the name of a fresh stack with nothing wrong: a tick a minute ago, and somebody who gets its alerts."""
    deployed.point_the_command_at(aws, monkeypatch)
    deployed.subscribe(aws, "ops@example.com")
    ticked(aws, timedelta(minutes=1))
    return deployed.describe(aws)


def ticked(aws: EmbeddedAws, ago: timedelta, sites: int | None = 12) -> None:
    """Remember a tick."""
    at = datetime.now(UTC).replace(microsecond=0) - ago
    table = aws.physical["ResultsTable"]
    aws.client("dynamodb").delete_item(TableName=table, Key={"site": {"S": "#dispatch"}, "sk": {"S": "TICK"}})
    Ticks(aws.client("dynamodb"), table).save(LastTick(at, at - timedelta(minutes=5), sites, ()))


def state(aws: EmbeddedAws, site: str, since: str, **more: Any) -> None:
    """Write the state of a site with an open error."""
    item = {"site": site, "sk": "STATE", "status": "error", "failing": "error", "failing_since": since}
    item |= {"checked_at": since, "summary": f"certificate expired: {site}"} | more
    values = {name: {"S": value} if isinstance(value, str) else value for name, value in item.items()}
    aws.client("dynamodb").put_item(TableName=aws.physical["ResultsTable"], Item=values)


def shown(stack: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Return the exit status, and the sections of the JSON by name."""
    code = main(["status", "--stack", stack, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["stack"] == stack
    return code, {section["name"]: section for section in document["sections"]}


def text(stack: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the text for people."""
    main(["status", "--stack", stack])
    return capsys.readouterr().out


def only(sections: dict[str, Any], name: str) -> Any:
    """Return the section that needs attention, the only one."""
    assert [section["name"] for section in sections.values() if section["condition"] != "ok"] == [name]
    assert sections[name]["condition"] == "attention"
    assert sections[name]["remedies"]
    return sections[name]


def test_all_is_well(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing needs attention: the exit status is 0, and every part is shown with what it counts."""
    assert main(["status", "--stack", stack]) == 0
    said = capsys.readouterr().out
    assert "✗" not in said
    assert "\x1b" not in said
    assert "subscriptions  1 confirmed" in said
    assert "email ops@example.com" in said
    assert "12 declared at the last tick, none failing" in said
    assert "none waits" in said
    assert "no outage of its own" in said
    assert aws.resolved(aws.template["Outputs"]["DashboardUrl"]["Value"]) in said
    code, sections = shown(stack, capsys)
    assert code == 0
    assert {section["condition"] for section in sections.values()} == {"ok"}
    assert 59 <= sections["last tick"]["facts"]["age"] <= 90


def test_nobody_is_subscribed(
    aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a subscription the command that makes one is shown; one of the chat alone is no mail."""
    deployed.point_the_command_at(aws, monkeypatch)
    ticked(aws, timedelta(minutes=1))
    stack = deployed.describe(aws)
    code, sections = shown(stack, capsys)
    assert code == 1
    found = only(sections, "subscriptions")
    assert found["says"] == "none: nobody gets an alert"
    assert f"aws sns subscribe --region eu-central-1 --topic-arn {aws.physical['AlertTopic']}" in found["remedies"][0]
    deployed.subscribe(aws, "chat@example.com", topic="ChatTopic")
    code, sections = shown(stack, capsys)
    assert code == 1
    assert only(sections, "subscriptions")["lines"] == ["email chat@example.com (chat)"]


def test_an_unconfirmed_subscription(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One that waits for its confirmation is named with the mail to look for, even beside one that is confirmed."""
    deployed.subscribe(aws, "late@example.com\u202e", confirmed=False)
    code, sections = shown(stack, capsys)
    assert code == 1
    found = only(sections, "subscriptions")
    assert found["says"] == "1 confirmed, 1 not confirmed"
    assert r"email late@example.com\u202e: pending" in found["lines"]
    assert "AWS Notification - Subscription Confirmation" in found["remedies"][0]
    assert "\u202e" not in text(stack, capsys)


@pytest.mark.parametrize(
    ("expression", "minutes", "late"),
    [
        ("rate(5 minutes)", 14, False),
        ("rate(5 minutes)", 16, True),
        ("rate(1 minute)", 14, False),
        ("rate(1 hour)", 170, False),
        ("rate(1 hour)", 190, True),
        ("cron(0/5 * * * ? *)", 14, False),
        ("cron(0/5 * * * ? *)", 16, True),
    ],
)
def test_late_ticks(
    expression: str, minutes: int, late: bool, aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tick is late after three intervals of the schedule, a quarter of an hour at least; its log is named."""
    ticked(aws, timedelta(minutes=minutes))
    deployed.describe(aws, ScheduleExpression=expression, LogLevel="DEBUG")  # an update must change something
    code, sections = shown(stack, capsys)
    assert code == late
    if late:
        found = only(sections, "last tick")
        assert f"at {expression}" in found["says"]
        assert f"/aws/lambda/{stack}/dispatch" in found["remedies"][0]


def test_no_tick_yet(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A stack that has not ticked says so, and counts no sites; nothing is taken for zero."""
    table = aws.physical["ResultsTable"]
    aws.client("dynamodb").delete_item(TableName=table, Key={"site": {"S": "#dispatch"}, "sk": {"S": "TICK"}})
    code, sections = shown(stack, capsys)
    assert code == 1
    assert only(sections, "last tick")["says"] == "none yet; the schedule is rate(5 minutes)"
    assert sections["sites"]["says"] == "not counted yet, none failing"
    assert sections["sites"]["facts"]["declared"] is None


def test_no_sites(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A stack without any site watches nothing, which needs attention."""
    ticked(aws, timedelta(minutes=1), sites=0)
    code, sections = shown(stack, capsys)
    assert code == 1
    assert "padlock sites add" in only(sections, "sites")["remedies"][0]


def test_failing_sites(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The longest failing sites are named with since when and why, the others counted; the checker is none."""
    for n in range(SHOWN + 3):
        state(aws, f"s{n:02}.example", f"2026-11-{n + 1:02}T10:00:00Z", summary=f"down\x1b[2J {n}")
    state(aws, CHECKER, "2026-10-01T00:00:00Z", failing="error", status="ok")
    code, sections = shown(stack, capsys)
    assert code == 1
    found = only(sections, "sites")
    assert found["says"] == f"12 declared at the last tick, {SHOWN + 3} failing"
    assert found["lines"][0] == r"s00.example  since 2026-11-01 10:00 UTC  down\x1b[2J 0"
    assert len(found["lines"]) == SHOWN + 1
    assert found["lines"][-1] == "… and 3 more"
    assert found["facts"]["failing"] == SHOWN + 3
    assert found["facts"]["longest"][0]["site"] == "s00.example"
    assert "padlock check s00.example" in found["remedies"][0]
    assert "\x1b" not in text(stack, capsys)


def test_waiting_alerts(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Alerts that were just written are on their way; one that waits for longer than a sweep needs attention."""
    write(aws, alert(1, created_at=datetime.now(UTC)), alert(2, created_at=datetime.now(UTC)))
    code, sections = shown(stack, capsys)
    assert code == 0
    assert sections["alerts"]["says"].startswith("2 to be published, the oldest of example.com, written ")
    write(aws, alert(1, site="old.example", created_at=datetime.now(UTC) - timedelta(minutes=12)))
    code, sections = shown(stack, capsys)
    assert code == 1
    found = only(sections, "alerts")
    assert found["says"] == "3 to be published, the oldest of old.example, written 12 min ago"
    assert 719 <= found["facts"]["oldest"] <= 740
    assert f"/aws/lambda/{stack}/notify" in found["remedies"][0]


def test_many_waiting_alerts(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The count is bounded, and says so."""
    dynamodb, table = aws.client("dynamodb"), aws.physical["ResultsTable"]
    item = {"site": {"S": "shop.example"}, "pending": {"S": "alert"}, "created_at": {"S": stamp(NOW)}}
    for start in range(0, MOST_PENDING + 25, 25):
        puts = [{"PutRequest": {"Item": item | {"sk": {"S": f"ALERT#{n:010}"}}}} for n in range(start, start + 25)]
        dynamodb.batch_write_item(RequestItems={table: puts})
    assert f"more than {MOST_PENDING} to be published" in shown(stack, capsys)[1]["alerts"]["says"]


def test_dead_letters(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each dead-letter queue of the template is asked for its depth; one with messages is named with what to do."""
    code, sections = shown(stack, capsys)
    kept = {
        name
        for name, resource in aws.template["Resources"].items()
        if resource["Type"] == "AWS::SQS::Queue" and name != "CheckQueue"
    }
    assert code == 0
    assert sections["dead letters"]["facts"]["queues"] == dict.fromkeys(kept, 0)
    sqs = aws.client("sqs")
    sqs.send_message(QueueUrl=aws.physical["CheckQueue"], MessageBody="{}")
    for _ in range(2):
        sqs.send_message(QueueUrl=aws.physical["NotifyDeadLetterQueue"], MessageBody="{}")
    code, sections = shown(stack, capsys)
    assert code == 1
    found = only(sections, "dead letters")
    assert found["lines"] == ["NotifyDeadLetterQueue: 2"]
    assert "NotifyDeadLetterQueue" in found["remedies"][0]


def test_alarms(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An alarm of this stack that is in ALARM is named with its description, which says what to do; no other's is."""
    for logical in ("CheckDeadLetterAlarm", "DispatchErrorAlarm"):
        deployed.add_alarm(aws, logical)
    other = f"{stack}-staging-CheckDeadLetterAlarm-2DEF"  # its stack's name begins as ours does
    deployed.put_alarm(aws, other, "of another stack")
    cloudwatch = aws.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName=other, StateValue="ALARM", StateReason="test")
    code, sections = shown(stack, capsys)
    assert code == 0
    assert sections["alarms"]["says"] == "none of 2 in ALARM"
    name = f"{stack}-DispatchErrorAlarm-1ABC"
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
    code, sections = shown(stack, capsys)
    assert code == 1
    found = only(sections, "alarms")
    assert found["says"] == "1 of 2 in ALARM"
    assert found["lines"][0].startswith("DispatchErrorAlarm  since 20")
    described = aws.template["Resources"]["DispatchErrorAlarm"]["Properties"]["AlarmDescription"]
    assert found["remedies"] == [f"DispatchErrorAlarm: {described}"]


def test_more_alarms_than_one_request_takes(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """All alarms are asked for, however many there are."""
    template = aws.template["Resources"]["CheckDeadLetterAlarm"]
    for n in range(ALARMS_AT_ONCE + 5):
        aws.template["Resources"][f"More{n}Alarm"] = template
        deployed.add_alarm(aws, f"More{n}Alarm")
    last = f"{stack}-More{ALARMS_AT_ONCE + 4}Alarm-1ABC"
    aws.client("cloudwatch").set_alarm_state(AlarmName=last, StateValue="ALARM", StateReason="test")
    assert shown(stack, capsys)[1]["alarms"]["says"] == f"1 of {ALARMS_AT_ONCE + 5} in ALARM"


def test_the_checkers_own_outage(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An outage of the checker is shown with since when, what was seen and what to do; one that is over is not."""
    finding = {"observed": {"S": "7 of 9 addresses are out of reach"}, "remediation": {"S": "see the network"}}
    findings = {"L": [{"M": finding}]}
    state(aws, CHECKER, "2026-11-20T17:05:00Z", summary="the checker is cut off", findings=findings)
    code, sections = shown(stack, capsys)
    assert code == 1
    found = only(sections, "checker")
    assert found["says"] == "an outage of its own since 2026-11-20 17:05 UTC: the checker is cut off"
    assert found["lines"] == ["7 of 9 addresses are out of reach"]
    assert found["remedies"] == ["see the network"]
    assert sections["sites"]["says"].endswith("none failing")


@contextmanager
def allowed(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch, *actions: str) -> Iterator[None]:
    """Have the embedded AWS enforce IAM, and the command be a user who may do these actions alone."""
    iam = aws.client("iam")
    iam.create_user(UserName=aws.stack)
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_user_policy(UserName=aws.stack, PolicyName="some", PolicyDocument=json.dumps(document))
    key = iam.create_access_key(UserName=aws.stack)["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    monkeypatch.delenv("AWS_SESSION_TOKEN")
    with monkeypatch.context() as patched:
        patched.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)
        patched.setattr(ActionAuthenticatorMixin, "request_count", 0)
        yield


def test_what_may_not_be_read(
    aws: EmbeddedAws, stack: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the credentials may not read is one line that says so; the rest is shown, and the exit status is 2."""
    deployed.add_alarm(aws, "CheckDeadLetterAlarm")
    readable = ("cloudformation:*", "dynamodb:*", "sqs:GetQueueAttributes")
    with allowed(aws, monkeypatch, *readable):
        code, sections = shown(stack, capsys)
    assert code == 2
    unreadable = [name for name, section in sections.items() if section["condition"] == "unreadable"]
    assert unreadable == ["subscriptions", "alarms"]
    assert "sns:ListSubscriptionsByTopic" in sections["subscriptions"]["says"]
    assert "DescribeAlarms" in sections["alarms"]["says"]
    assert sections["subscriptions"]["remedies"] == ["use credentials that may, or allow these what it names"]
    assert sections["sites"]["says"] == "12 declared at the last tick, none failing"


def test_without_the_right_to_see_the_stack(
    aws: EmbeddedAws, stack: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the stack itself may not be described there is nothing to show: one line, exit status 2."""
    with allowed(aws, monkeypatch, "dynamodb:*"):
        assert main(["status", "--stack", stack]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "DescribeStacks" in said.err
    assert said.err.count("\n") == 1


def test_a_table_that_is_gone(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What AWS cannot answer for another reason hides nothing else either."""
    dynamodb = aws.client("dynamodb")
    dynamodb.update_table(TableName=aws.physical["ResultsTable"], DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=aws.physical["ResultsTable"])
    code, sections = shown(stack, capsys)
    assert code == 2
    unreadable = [name for name, section in sections.items() if section["condition"] == "unreadable"]
    assert unreadable == ["last tick", "sites", "certificates", "alerts", "checker"]
    assert sections["subscriptions"]["condition"] == "ok"


def test_an_absent_stack(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A stack that is not there is one line that says what to do."""
    assert main(["status", "--stack", f"{stack}-not"]) == 2
    said = capsys.readouterr().err
    assert "make deploy" in said
    assert said.count("\n") == 1


def test_certificates_that_expire_soon(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Certificates that end within two weeks are named, the next to end first; those of later, or over, are not."""
    for number, days in enumerate((30, 9, 3, -1)):
        expires = stamp(NOW + timedelta(days=days))
        entry = {"certificate_group": "all", "certificate_expires": expires, "certificate_issuer": "CN=R11\u202e"}
        item = {"site": f"s{number}.example", "sk": "STATE", "certificate_host": f"www.s{number}.example"} | entry
        values = {name: {"S": value} for name, value in item.items()}
        aws.client("dynamodb").put_item(TableName=aws.physical["ResultsTable"], Item=values)
    code, sections = shown(stack, capsys)
    assert code == 0
    found = sections["certificates"]
    assert found["says"] == "2 to expire within 14 days"
    assert [line.split()[0] for line in found["lines"]] == ["www.s2.example", "www.s1.example"]
    assert found["lines"][0].endswith("CN=R11\\u202e")
    assert [row["host"] for row in found["facts"]["next"]] == ["www.s2.example", "www.s1.example"]


def test_sites_with_warnings(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Sites with warnings are counted, and need no attention."""
    state(aws, "shop.example", "2026-11-20T17:05:00Z", status="warning", failing="warning")
    code, sections = shown(stack, capsys)
    assert (code, sections["sites"]["condition"]) == (0, "ok")
    assert sections["sites"]["says"] == "12 declared at the last tick, none failing, 1 with warnings"


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (Debian: prometheus)")
def test_promtool_reads_the_metrics(stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Prometheus' own tool complains of nothing."""
    assert main(["status", "--stack", stack, "--format", "prometheus"]) == 0
    written = capsys.readouterr().out
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=written, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_metrics(aws: EmbeddedAws, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each part's state and the numbers that are known are metrics; what was not counted is none."""
    state(aws, "shop.example", "2026-11-20T17:05:00Z")
    assert main(["status", "--stack", stack, "--format", "prometheus"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert f'padlock_stack_part{{stack="{stack}",part="sites",state="attention"}} 1' in lines
    assert f'padlock_stack_part{{stack="{stack}",part="sites",state="ok"}} 0' in lines
    assert f'padlock_stack_failing_sites{{stack="{stack}"}} 1' in lines
    assert f'padlock_stack_sites{{stack="{stack}"}} 12' in lines
    assert not any(line.startswith("padlock_stack_oldest_alert_age_seconds") for line in lines)
    ticked(aws, timedelta(minutes=1), None)
    main(["status", "--stack", stack, "--format", "prometheus"])
    assert "padlock_stack_sites{" not in capsys.readouterr().out


def test_colours_on_a_terminal_only(stack: str) -> None:
    """On a terminal the marks are coloured, unless NO_COLOR is set; an output without the marks gets plain ones."""
    command = [str(Path(sys.executable).parent / "padlock"), "status", "--stack", stack]
    assert "\x1b[32m✓\x1b[0m" in on_a_terminal(command)
    assert "\x1b" not in on_a_terminal(command, NO_COLOR="1")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    plain = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environment).stdout
    assert plain.isascii()
    assert "  + subscriptions" in plain


def on_a_terminal(command: list[str], **environment: str) -> str:
    """Run a command with a terminal as its stdout; return what it wrote."""
    ours, its = pty.openpty()
    with subprocess.Popen(command, stdout=its, env={**os.environ, "TERM": "xterm", **environment}) as running:
        os.close(its)
        written = b""
        try:
            while some := os.read(ours, 4096):
                written += some
        except OSError:  # Linux's end of a terminal
            pass
        assert running.wait(60) == 0
    os.close(ours)
    return written.decode()
