"""The host audit by Systems Manager: the collector goes out, its answer comes back as evidence, trouble as a fault.

moto stands for Systems Manager and EC2; the document's script is run for real, on this machine.
"""

import base64
import gzip
import json
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto.ec2.models import ec2_backends
from padlock import audit, checking
from padlock.audit import Auditor, Ended
from padlock.evidence import Host
from padlock.network.vantage import from_environment
from padlock.probes.cache import MemoryCache
from padlock.site import parse
from padlock.storage import Hosts, Sites

from local.aws import ACCOUNT, REGION, EmbeddedAws
from local.pump import Pump
from tests import ssm_agent
from tests.host_document import document, section
from tests.loopback_site import LoopbackSite

NOW = datetime.now(UTC).replace(microsecond=0)
WEB, OTHER, ELSEWHERE = "i-0123456789abcdef0", "i-0123456789abcdef1", "mi-0123456789abcdef2"
EXPIRES = 2_000_000_000


@pytest.fixture
def auditor(aws: EmbeddedAws, hosts: Hosts) -> Auditor:
    """Return what sends and fetches, as the function has it."""
    return Auditor(aws.client("ssm"), lambda: aws.client("ec2"), hosts, aws.physical["HostAuditDocument"])


@pytest.fixture
def sent(auditor: Auditor) -> Any:
    """Send a command to one machine and return it."""
    auditor.send([WEB], NOW, EXPIRES)
    return ssm_agent.commands()[-1]


def answered(auditor: Auditor, hosts: Hosts, command: Any, status: str, *output: str) -> Host:
    """Let a command end so on its only machine, have that fetched, and return what is kept of the machine."""
    (instance,) = command.instance_ids
    event = ssm_agent.end(command, instance, status, *output)
    assert auditor.fetch(audit.read_end(event, datetime.now(UTC)), EXPIRES).stored
    return hosts.load([instance], NOW)[0]


# --- the whole way ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_from_the_request_to_the_report(
    pump: Pump, aws: EmbeddedAws, sites: Sites, hosts: Hosts, shop: LoopbackSite, tmp_path: Path, shell: str
) -> None:
    """A site's audit is asked for, the real script answers for its machine, and the next check has what it said."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    sites.put(shop.declaration | {"instances": [ELSEWHERE]})
    answer = pump.invoke("audit_host", {"site": shop.name})
    ((command, machines),) = answer["commands"].items()
    assert (machines, answer["refused"]) == ([ELSEWHERE], {})
    sent = ssm_agent.commands()[-1]
    assert sent.command_id == command
    (event,) = ssm_agent.run(aws, sent, tmp_path, shell=shell)
    assert pump.invoke("audit_host", event) == {"instance": ELSEWHERE, "stored": True, "fault": ""}
    (host,) = hosts.load([ELSEWHERE], NOW)
    assert (host.name, host.fault) == (ELSEWHERE, "")
    assert {"nginx_config", "certbot_list", "listeners", "log_error"} <= set(host.sections)
    report = pump.invoke("check", {"site": shop.name})
    told = [one["reason"] for one in report["not_assessed"]]
    assert not [reason for reason in told if "none of its machines was audited" in reason]


async def test_check_has_the_word_of_each_machine(shop: LoopbackSite, hosts: Hosts) -> None:
    """Evidence has every declared machine, one that was never audited with its fault; without any it has none."""
    here = from_environment({"RESOLVERS": shop.resolver, "ALLOWED_NETWORKS": "127.0.0.0/8"})
    web = Host(WEB, NOW, system="Debian")
    hosts.save(web, NOW, EXPIRES)
    site = parse(shop.declaration | {"instances": [WEB, OTHER]})
    checked = await checking.check(site, here, NOW, MemoryCache(), hosts)
    assert checked.evidence is not None
    assert checked.evidence.host is not None
    known, never = checked.evidence.host
    assert known == web
    assert (never.name, "no audit of it is stored" in never.fault) == (OTHER, True)
    checked = await checking.check(parse(shop.declaration), here, NOW, MemoryCache(), hosts)
    assert checked.evidence is not None
    assert checked.evidence.host is None


async def test_table_that_is_away_costs_the_host_checks_only(shop: LoopbackSite, aws: EmbeddedAws) -> None:
    """Where the audits cannot be read, the site is still looked at from outside."""
    here = from_environment({"RESOLVERS": shop.resolver, "ALLOWED_NETWORKS": "127.0.0.0/8"})
    site = parse(shop.declaration | {"instances": [WEB]})
    gone = Hosts(aws.client("dynamodb"), "no-such-table")
    checked = await checking.check(site, here, datetime.now(UTC), MemoryCache(), gone)
    assert (checked.fault, checked.report.status) == ("", "notice")


# --- who is asked -------------------------------------------------------------------------------------------------


def test_daily_audit_asks_each_machine_once(pump: Pump, sites: Sites) -> None:
    """All declared machines are asked; a machine of two sites once, and a wrong declaration stops nobody."""
    sites.put({"name": "shop.example", "instances": [WEB, ELSEWHERE]})
    sites.put({"name": "blog.example", "instances": [WEB, OTHER]})
    sites.put({"name": "wrong.example", "instances": ["web-1"]})
    sites.put({"name": "plain.example"})
    before = len(ssm_agent.commands())
    answer = pump.invoke("audit_host", {"audit": "all"})
    (command,) = ssm_agent.commands()[before:]
    assert sorted(command.instance_ids) == sorted([WEB, OTHER, ELSEWHERE])
    assert list(answer["commands"]) == [command.command_id]


def test_without_instances_nothing_is_sent(pump: Pump, sites: Sites) -> None:
    """A stack whose sites declare no machines sends nothing."""
    sites.put({"name": "plain.example"})
    before = len(ssm_agent.commands())
    assert pump.invoke("audit_host", {"audit": "all"}) == {"commands": {}, "refused": {}}
    assert len(ssm_agent.commands()) == before


def test_machines_go_out_in_groups(auditor: Auditor) -> None:
    """No command has more machines than Systems Manager takes, and none is left out."""
    machines = [f"i-{number:017x}" for number in range(120)]
    before = len(ssm_agent.commands())
    answer = auditor.send(machines, NOW, EXPIRES)
    assert [len(command.instance_ids) for command in ssm_agent.commands()[before:]] == [50, 50, 20]
    assert sorted(machine for group in answer.commands.values() for machine in group) == machines


def test_command_has_no_parameters_and_an_end(auditor: Auditor, aws: EmbeddedAws, sent: Any) -> None:
    """What is sent is the stack's own document, as it stands, and it does not wait for a machine for good."""
    assert sent.document_name == aws.physical["HostAuditDocument"]
    assert sent.parameters == {}
    assert sent.timeout_seconds == 600


class Choosy:
    """A client of Systems Manager that refuses every group with certain machines in it, as the real one does."""

    def __init__(self, client: Any, **refused: str) -> None:
        self._client = client
        self._refused = {name.replace("_", "-"): code for name, code in refused.items()}

    def send_command(self, InstanceIds: Sequence[str], **arguments: Any) -> Any:  # noqa: N803 — the API's name
        """Send, unless one of the machines is refused."""
        for instance in InstanceIds:
            if code := self._refused.get(instance):
                raise ClientError({"Error": {"Code": code, "Message": "as the test wants"}}, "SendCommand")
        return self._client.send_command(InstanceIds=InstanceIds, **arguments)


def test_machine_that_is_refused_keeps_no_other(aws: EmbeddedAws, hosts: Hosts) -> None:
    """Systems Manager refuses a whole group for one machine: the others are asked, and the one's fault is kept."""
    machines = [f"i-{number:08x}" for number in range(20)]
    refused = {"i_00000003": "InvalidInstanceId", "i_00000011": "AccessDeniedException"}
    choosy = Choosy(aws.client("ssm"), **refused)
    document = aws.physical["HostAuditDocument"]
    answer = Auditor(choosy, lambda: aws.client("ec2"), hosts, document).send(machines, NOW, EXPIRES)  # type: ignore[arg-type]
    asked = [machine for group in answer.commands.values() for machine in group]
    assert asked == [machine for machine in machines if machine not in answer.refused]
    assert set(answer.refused) == {"i-00000003", "i-00000011"}
    unmanaged, untagged = hosts.load(["i-00000003", "i-00000011"], NOW)
    assert "does not manage it" in unmanaged.fault
    assert "Padlock=audit" in untagged.fault


def test_other_refusals_are_told(aws: EmbeddedAws, hosts: Hosts) -> None:
    """What is no machine's fault fails, so that Lambda tries again and the alarm on errors rings."""
    choosy = Choosy(aws.client("ssm"), i_00000003="InvalidDocument")
    auditor = Auditor(choosy, lambda: aws.client("ec2"), hosts, "document")  # type: ignore[arg-type]
    with pytest.raises(ClientError, match="InvalidDocument"):
        auditor.send(["i-00000003"], NOW, EXPIRES)
    assert "no audit" in hosts.load(["i-00000003"], NOW)[0].fault


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({}, "asks for no audit"),
        (None, "asks for no audit"),
        ([], "asks for no audit"),
        ({"audit": "example.com"}, "asks for no audit"),
        ({"audit": "all", "site": "example.com"}, "asks for no audit"),
        ({"site": 5}, "asks for no audit"),
        ({"site": {"name": "example.com", "instances": [WEB]}}, "asks for no audit"),
        ({"site": "unknown.example"}, "has no site 'unknown.example'"),
        ({"site": "plain.example"}, "declares no instances"),
        ({"site": "wrong.example"}, "instances.0.: write at most 20 managed nodes"),
    ],
)
def test_unknown_event_is_refused(pump: Pump, sites: Sites, event: Any, message: str) -> None:
    """An event of another shape, or of a site without machines, says what to write; none names machines itself."""
    sites.put({"name": "plain.example"})
    sites.put({"name": "wrong.example", "instances": ["web-1"]})
    with pytest.raises(ValueError, match=message):
        pump.invoke("audit_host", event)


# --- what comes back ----------------------------------------------------------------------------------------------


def test_answer_becomes_evidence(auditor: Auditor, hosts: Hosts, sent: Any) -> None:
    """The document is read under the machine's id; its time is that of AWS, whatever the machine's clock says."""
    text = document(section("listeners", "0.0.0.0\t443\tnginx\n"), host="web-1", at=NOW + timedelta(days=900))
    host = answered(auditor, hosts, sent, "Success", text)
    assert (host.name, host.fault, host.system) == (WEB, "", "Debian GNU/Linux 12 (bookworm)")
    assert abs(host.collected_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert host.listeners is not None
    assert [(listener.port, listener.process) for listener in host.listeners] == [(443, "nginx")]


@pytest.fixture
def ec2(aws: EmbeddedAws) -> Iterator[Any]:
    """Return a client of EC2; afterwards no instance is left, for moto would send every command to them all."""
    yield aws.client("ec2")
    ec2_backends[ACCOUNT][REGION].reset()


def test_firewalls_of_the_cloud(ec2: Any, auditor: Auditor, hosts: Hosts) -> None:
    """An instance's security groups and network ACLs are read from EC2 beside what the machine itself says."""
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=vpc)["GroupId"]
    everyone = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[everyone])
    image = ec2.describe_images()["Images"][0]["ImageId"]
    started = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet, SecurityGroupIds=[group])
    (instance,) = [machine["InstanceId"] for machine in started["Instances"]]
    auditor.send([instance], NOW, EXPIRES)
    host = answered(auditor, hosts, ssm_agent.commands()[-1], "Success", document())
    assert host.filters is not None
    found = {one.kind: one for one in host.filters}
    assert set(found) == {"security group", "network acl"}
    assert found["security group"].name == group
    assert (found["security group"].allowed, found["security group"].blocked) == (("80/tcp IPv4",), ("443/tcp IPv4",))
    assert found["network acl"].blocked == ()


def test_machine_outside_the_cloud_has_no_such_firewalls(auditor: Auditor, hosts: Hosts) -> None:
    """EC2 is not asked about a machine that is none of its own, and its evidence is whole all the same."""
    auditor.send([ELSEWHERE], NOW, EXPIRES)
    host = answered(auditor, hosts, ssm_agent.commands()[-1], "Success", document())
    assert (host.name, host.fault, host.filters) == (ELSEWHERE, "", None)


def test_instance_that_ec2_does_not_know(auditor: Auditor, hosts: Hosts, sent: Any) -> None:
    """Where EC2 does not answer, what the machine said is kept without the cloud's firewalls."""
    host = answered(auditor, hosts, sent, "Success", document())
    assert (host.fault, host.filters) == ("", None)


def test_compressed_answer(auditor: Auditor, hosts: Hosts, sent: Any) -> None:
    """A long document comes compressed through the 24,000 characters that Systems Manager keeps."""
    long = document(section("listeners", "0.0.0.0\t443\tnginx\n"), section("ufw", "x" * 60_000))
    packed = base64.b64encode(gzip.compress(long.encode())).decode()
    assert answered(auditor, hosts, sent, "Success", f"padlock-host/1 gzip {packed}\n").listeners


@pytest.mark.parametrize(
    ("status", "output", "errors", "said"),
    [
        ("Delivery Timed Out", "", "", "not reached in 10 minutes: is it running, with the SSM agent?"),
        ("Undeliverable", "", "", "it was not reached"),
        ("Execution Timed Out", '{"format": "padlock', "", "did not end in time"),
        ("Cancelled", "", "", "cancelled"),
        ("Failed", "", "sh: 1: \x1b[31mSyntax error", r"status is Failed); it wrote: sh: 1: \x1b[31mSyntax error"),
        ("Success", "", "", "no document of the collector"),
        ("Success", document()[:-30], "", "no document of the collector"),
        ("Success", "padlock-host/1 gzip AAAA", "", "compressed document"),
        ("Success", "[" * 24_000, "", "no document of the collector"),
        ("Success", '{"format": "padlock-host/1"}', "", "no document of the collector"),
        ("Success", document(sections=5), "", "no document of the collector"),
        ("Success", document(format="padlock-host/9"), "", "padlock-host/9"),
        ("Success", document(collected_at=10**30), "", "no point in time"),
        ("Some New Status", "", "", "Some New Status"),
    ],
)
def test_answer_that_is_no_evidence(
    auditor: Auditor, hosts: Hosts, sent: Any, status: str, output: str, errors: str, said: str
) -> None:
    """A command that failed, and an answer that is cut off or hostile, are kept as the machine's fault."""
    host = answered(auditor, hosts, sent, status, output, errors)
    assert said in host.fault
    assert len(host.fault) < 1000
    assert host.fault.isprintable()
    assert (host.nginx, host.listeners) == (None, None)


def test_document_of_a_command_that_failed(auditor: Auditor, hosts: Hosts, sent: Any) -> None:
    """A whole document counts, whatever the script's exit status was."""
    assert answered(auditor, hosts, sent, "Failed", document()).fault == ""


def test_hostile_text_is_escaped_and_bounded(auditor: Auditor, hosts: Hosts, sent: Any) -> None:
    """What the machine calls itself and its system reaches the evidence printable and short."""
    host = answered(
        auditor, hosts, sent, "Success", document(system="\x1b]0;x\x07\u202e" + "y" * 9000, host="\x00" * 99)
    )
    assert host.system.isprintable()
    assert len(host.system) <= 120
    assert host.name == WEB


def test_command_that_still_runs(auditor: Auditor, hosts: Hosts, sent: Any) -> None:
    """An event that comes before the end keeps nothing."""
    event = ssm_agent.end(sent, WEB, "InProgress")
    assert not auditor.fetch(audit.read_end(event, NOW), EXPIRES).stored
    assert "no audit of it" in hosts.load([WEB], NOW)[0].fault


def test_late_answer_replaces_no_newer_one(auditor: Auditor, hosts: Hosts, sent: Any) -> None:
    """Answers that arrive in another order, or twice, leave the newest."""
    event = ssm_agent.end(sent, WEB, "Success", document())
    ended = audit.read_end(event, NOW)
    hosts.save(Host(WEB, ended.at, system="newer"), ended.at + timedelta(seconds=1), EXPIRES)
    late = auditor.fetch(ended, EXPIRES)
    assert (late.stored, late.fault) == (False, "a later audit is kept already")
    assert hosts.load([WEB], NOW)[0].system == "newer"


def test_commands_of_others_are_left_alone(aws: EmbeddedAws, auditor: Auditor, hosts: Hosts) -> None:
    """A command of another document keeps nothing, even where the event gives it Padlock's name."""
    ssm = aws.client("ssm")
    ssm.create_document(
        Name="another", DocumentType="Command", Content=json.dumps({"schemaVersion": "2.2", "mainSteps": []})
    )
    command = ssm.send_command(DocumentName="another", InstanceIds=[WEB])["Command"]["CommandId"]
    (other,) = [one for one in ssm_agent.commands() if one.command_id == command]
    honest = ssm_agent.end(other, WEB, "Success", document())
    forged = ssm_agent.event(command, WEB, aws.physical["HostAuditDocument"])
    for event in (honest, forged):
        fetched = auditor.fetch(audit.read_end(event, NOW), EXPIRES)
        assert (fetched.stored, fetched.fault) == (False, "the command is not one of Padlock's")
    assert "no audit of it" in hosts.load([WEB], NOW)[0].fault


def test_command_that_systems_manager_does_not_know(aws: EmbeddedAws, pump: Pump) -> None:
    """An event without its command fails, so that it is tried again and then set aside."""
    event = ssm_agent.event("00000000-0000-4000-8000-000000000000", WEB, aws.physical["HostAuditDocument"])
    with pytest.raises(ClientError):
        pump.invoke("audit_host", event)


GOOD = ssm_agent.event("00000000-0000-4000-8000-000000000000", WEB, "document")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"detail": None}, "detail is no object"),
        ({"detail": {}}, "no command-id"),
        ({"detail": GOOD["detail"] | {"command-id": "x" * 99}}, "no command-id"),
        ({"detail": GOOD["detail"] | {"command-id": 5}}, "no command-id"),
        ({"detail": GOOD["detail"] | {"instance-id": "host#evil"}}, "no instance-id"),
        ({"detail": GOOD["detail"] | {"instance-id": f"{WEB}\n"}}, "no instance-id"),
        ({"detail": GOOD["detail"] | {"instance-id": [WEB]}}, "no instance-id"),
        ({"time": "yesterday"}, "no time"),
        ({"time": None}, "no time"),
    ],
)
def test_event_that_cannot_be_used(pump: Pump, part: dict[str, Any], message: str) -> None:
    """An event with a wrong part is refused with the part's name, and nothing is asked or kept."""
    with pytest.raises(ValueError, match=message):
        pump.invoke("audit_host", GOOD | part)


def test_event_from_the_future(auditor: Auditor) -> None:
    """A time that lies ahead counts as now: it would keep every later answer out."""
    event = ssm_agent.event(GOOD["detail"]["command-id"], WEB, "document", at=NOW + timedelta(days=999))
    assert audit.read_end(event, NOW) == Ended(GOOD["detail"]["command-id"], WEB, "document", NOW)
