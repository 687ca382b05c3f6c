"""Each function's role grants what the function needs of AWS and nothing else: no embedded AWS refuses anything.

A whole life of a site is played, with every call of every function noted, and held against the statements of the
function's role: action, resource and conditions, both ways.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import boto3
import msgspec
import pytest
from moto.ec2.models import ec2_backends
from padlock.outage import window_of
from padlock.storage import Results, Sites, Slots
from padlock.storage.slots import Sample

from local.aws import ACCOUNT, REGION, EmbeddedAws
from local.pump import Pump, logical
from tests import ssm_agent
from tests.loopback_site import LoopbackSite
from tests.servers import free_port
from tests.stack.rights import Grant, Need, grants, of_aws, of_call
from tests.stack.test_arrows import SCHEDULES, named
from tests.stack.translated import FUNCTIONS, of_type, properties, resources

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=8)
EXPIRES = 2_000_000_000


class Watched(Pump):
    """Functions whose calls are noted."""

    def __init__(self, aws: EmbeddedAws, environment: Mapping[str, str]) -> None:
        self.needs: set[Need] = set()
        self._running = ""
        self._names = {physical: name for name, physical in aws.physical.items()}
        super().__init__(aws, environment)

    def invoke(self, function: str, event: Any) -> Any:
        """Call a function's handler; what it asks of AWS meanwhile is its own."""
        self._running = logical(function)
        try:
            return super().invoke(function, event)
        finally:
            self._running = ""

    def note(self, params: Mapping[str, Any], model: Any, **_: Any) -> None:
        """Note a call before it is made."""
        if self._running:
            service = model.service_model.service_name
            self.needs |= set(of_call(self._running, self._names, service, model.name, params))


class Held(msgspec.Struct, frozen=True):
    """What came of holding needs against grants."""

    refused: Sequence[Need]
    """Needed and not granted."""
    idle: Sequence[Grant]
    """Granted and not needed."""


def held(stack: Mapping[str, Any], needs: Sequence[Need]) -> Held:
    """Hold what the functions need against what their roles grant."""
    refused, idle = [], []
    for function in FUNCTIONS:
        granted = grants(stack, named(stack[function]["Properties"]["Role"]))
        own = [need for need in needs if need.function == function]
        refused += [need for need in own if not any(grant.meets(need) for grant in granted)]
        idle += [grant for grant in granted if not any(map(grant.meets, own))]
    return Held(refused, idle)


# --- a life -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def needs(embedded: EmbeddedAws, loopback: LoopbackSite) -> Iterator[list[Need]]:
    """Yield all that the functions need, by their own calls in a life of a site, and by AWS in their name."""
    embedded.deploy()
    loopback.status = HTTPStatus.OK
    calls: list[Watched] = []
    session = boto3.session.Session()
    session.events.register("before-parameter-build", lambda **given: calls[0].note(**given) if calls else None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boto3, "DEFAULT_SESSION", session)
        here = {"RESOLVERS": loopback.resolver, "ALLOWED_NETWORKS": "127.0.0.0/8", "SECOND_LOOK_PAUSE": "0"}
        here["HEARTBEAT_URL"] = f"http://{loopback.name}:{loopback.declaration['ports']['http']}/beat"
        calls.append(Watched(embedded, here))
        live(embedded, loopback, calls[0])
    own = sorted(calls[0].needs, key=str)
    yield [*own, *of_aws(resources(), own)]
    ec2_backends[ACCOUNT][REGION].reset()


def live(aws: EmbeddedAws, shop: LoopbackSite, watched: Watched) -> None:
    """Let a site be new, audited, broken, out of reach like much else, and gone; digest and sweeper come too."""
    sites = Sites(aws.client("dynamodb"), aws.physical["SitesTable"])
    machines = [machine(aws), "mi-0123456789abcdef2"]
    declared = {**shop.declaration, "interval": "1h", "instances": machines}
    sites.put(declared)
    sites.put({**shop.declaration, "name": shop.name.upper()})
    audit(watched, shop)
    watched.run(START)
    shop.status = HTTPStatus.BAD_GATEWAY
    watched.run(START + timedelta(hours=1))
    shop.status = HTTPStatus.OK
    watched.digest(START)
    watched.invoke("check", {"site": shop.name})
    out_of_reach(aws)
    sites.put({**declared, "ports": {"http": "closed", "https": free_port()}})
    for hours in (3, 5):
        watched.run(START + timedelta(hours=hours))
    look(watched, aws, shop)
    for name in (shop.name, shop.name.upper()):
        sites.delete(name)
    watched.removals()
    watched.drain()
    watched.stream()
    watched.tick(START + timedelta(hours=6))
    watched.stream()
    watched.sweep()


def look(watched: Watched, aws: EmbeddedAws, shop: LoopbackSite) -> None:
    """Have somebody look at the dashboard, and click on all that there is."""
    watched.invoke("dashboard", {})
    state = Results(aws.client("dynamodb"), aws.physical["ResultsTable"]).state(shop.name)
    assert state
    worst = state["findings"][0]
    for action in ("show", "check", "acknowledge"):
        event = {"action": action, "site": shop.name, "code": worst["code"], "subject": worst["subject"]}
        assert shop.name in watched.invoke("dashboard", event)


def machine(aws: EmbeddedAws) -> str:
    """Start a machine behind a security group in EC2; return its id."""
    ec2 = aws.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
    image = ec2.describe_images()["Images"][0]["ImageId"]
    started = ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet)
    return str(started["Instances"][0]["InstanceId"])


def audit(watched: Watched, shop: LoopbackSite) -> None:
    """Have a site's machines audited on demand and by the schedule; each answers."""
    before = len(ssm_agent.commands())
    watched.invoke("audit_host", {"site": shop.name})
    watched.invoke("audit_host", {"audit": "all"})
    document = '{"format":"padlock-host/1","collected_at":1,"host":"web","system":"","uid":0,"sections":[]}'
    for command in ssm_agent.commands()[before:]:
        for one in command.instance_ids:
            watched.invoke("audit_host", ssm_agent.end(command, one, "Success", document))


def out_of_reach(aws: EmbeddedAws) -> None:
    """Let sites that nobody declares be out of reach: an outage a while ago, and one that begins just now."""
    slots = Slots(aws.client("dynamodb"), aws.physical["ResultsTable"])
    now = datetime.now(UTC)
    lost, well = (frozenset(f"{what}-{number}" for number in range(of)) for what, of in (("lost", 6), ("well", 60)))
    slots.add(window_of(now - timedelta(minutes=20)), Sample(lost, lost), EXPIRES)
    # Whenever a run looks, some window of the last minute has what is lost alone, and the minute as a whole has not.
    for seconds in range(-20, 180, 20):
        slots.add(window_of(now + timedelta(seconds=seconds)), Sample(well), EXPIRES)
        slots.add(window_of(now + timedelta(seconds=seconds + 10)), Sample(lost, lost), EXPIRES)


# --- both ways ----------------------------------------------------------------------------------------------------


def test_roles_grant_what_the_functions_need(needs: list[Need]) -> None:
    """Nothing is asked for that is forbidden."""
    assert {need.function for need in needs} == set(FUNCTIONS)
    assert held(resources(), needs).refused == []


def test_roles_grant_nothing_else(needs: list[Need]) -> None:
    """No action, resource or partition is granted that nothing uses."""
    assert held(resources(), needs).idle == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_statement_that_is_missing_is_seen(needs: list[Need], function: str) -> None:
    """Whatever statement a role loses, something of the function's is refused."""
    role = named(properties(function)["Role"])
    (policy,) = properties(role)["Policies"]
    for number in range(len(policy["PolicyDocument"]["Statement"])):
        stack = copy.deepcopy(resources())
        (less,) = stack[role]["Properties"]["Policies"]
        lost = less["PolicyDocument"]["Statement"].pop(number)
        assert held(stack, needs).refused, lost["Sid"]


@pytest.mark.parametrize(
    "more",
    [
        {"Action": "dynamodb:DeleteItem", "Resource": {"Fn::GetAtt": ["ResultsTable", "Arn"]}},
        {"Action": ["sns:Publish"], "Resource": {"Fn::GetAtt": ["DispatchDeadLetterQueue", "Arn"]}},
        {"Action": "sqs:SendMessage", "Resource": {"Fn::GetAtt": ["ScheduleDeadLetterQueue", "Arn"]}},
        {"Action": "ssm:SendCommand", "Resource": "*"},
        {
            "Action": "dynamodb:UpdateItem",
            "Resource": {"Fn::GetAtt": ["ResultsTable", "Arn"]},
            "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["#nobody"]}},
        },
    ],
    ids=["action", "other resource", "other queue", "command", "partition"],
)
def test_right_that_nothing_uses_is_seen(needs: list[Need], more: dict[str, Any]) -> None:
    """A right too many is named, of whatever kind."""
    stack = copy.deepcopy(resources())
    stack["CheckRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"].append({"Sid": "More", **more})
    assert [(grant.role, grant.sid) for grant in held(stack, needs).idle] == [("CheckRole", "More")]


def test_schedules_may_do_what_a_schedule_does() -> None:
    """A schedule's role invokes its function and sets aside what it cannot deliver; the chat's role does nothing."""
    others = set(of_type("AWS::IAM::Role")) - {named(properties(name)["Role"]) for name in FUNCTIONS}
    found = {role: {(grant.action, grant.resource) for grant in grants(resources(), role)} for role in others}
    wanted = {
        named(schedule["Target"]["RoleArn"]): {
            ("lambda:InvokeFunction", named(schedule["Target"]["Arn"])),
            ("sqs:SendMessage", named(schedule["Target"]["DeadLetterConfig"]["Arn"])),
        }
        for schedule in SCHEDULES.values()
    }
    assert found == wanted | {"SlackChannelRole": set()}
