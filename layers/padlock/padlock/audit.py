"""Audits of machines through AWS Systems Manager: the collector is sent out, and what it answers is fetched and kept.

Sending returns at once. The end of each machine's command is an event of EventBridge's, which brings us back to fetch
the answer; nothing waits and nothing polls. Nothing else speaks to Systems Manager and EC2.
"""

import functools
import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import batched
from typing import TYPE_CHECKING, Any

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from padlock.declaration import read_declaration
from padlock.evidence import Filter, Host
from padlock.probes.host import UnreadableHost, cloud, read
from padlock.render.escape import printable
from padlock.site import INSTANCE, InvalidSite, Site, key_of
from padlock.storage import Hosts, Sites

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ssm import SSMClient

GROUP = 50
"""Machines that one SendCommand takes."""
DELIVERY_SECONDS = 600
"""How long a machine that does not answer is waited for; its command then ends as not delivered."""
REFUSALS = {
    "InvalidInstanceId": "Systems Manager does not manage it: is it running, with the SSM agent, and an instance "
    "profile that has AmazonSSMManagedInstanceCore?",
    "AccessDeniedException": "Padlock may send it nothing: it must be in the stack's account and region, and have "
    "the tag Padlock=audit",
    "UnsupportedPlatformType": "it does not run Linux",
}
"""SendCommand's answer where one machine spoils the whole group → what that says of the machine."""
ENDS = {
    "deliverytimedout": f"it was not reached in {DELIVERY_SECONDS // 60} minutes: is it running, with the SSM agent?",
    "undeliverable": "it was not reached: is it running, with the SSM agent?",
    "executiontimedout": "the collector did not end in time there",
    "timedout": "the collector did not end in time there",
    "cancelled": "the command was cancelled",
    "terminated": "the command was ended",
    "accessdenied": "the role that runs commands there may not",
    "invalidplatform": "it does not run Linux",
}
"""Detailed status of a command that did not succeed → what that means."""
UNFINISHED = ("pending", "inprogress", "delayed", "cancelling")
USAGE = 'use {"audit": "all"}, or {"site": "example.com"}'

_COMMAND = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

RETRIES = Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 5})

log = logging.getLogger(__name__)


class Sent(msgspec.Struct, frozen=True):
    """What became of a request for audits."""

    commands: Mapping[str, Sequence[str]]
    """Command → the machines that it was sent to."""
    refused: Mapping[str, str]
    """Machine → why nothing was sent to it."""


class Ended(msgspec.Struct, frozen=True):
    """One machine's command came to its end."""

    command: str
    instance: str
    document: str
    at: datetime


class Fetched(msgspec.Struct, frozen=True):
    """What became of one machine's answer."""

    instance: str
    stored: bool
    fault: str = ""
    """Why there is no evidence of it, or why the answer was left alone."""


def ssm_client() -> "SSMClient":
    """Return a client that retries throttling and dropped connections with backoff."""
    return boto3.client("ssm", config=RETRIES)


def ec2_client() -> "EC2Client":
    """Return a client with the same retries."""
    return boto3.client("ec2", config=RETRIES)


def read_end(event: Mapping[str, Any], now: datetime) -> Ended:
    """Read EventBridge's event of a command's end; ValueError where a part of it cannot be used."""
    detail = event["detail"]
    if not isinstance(detail, Mapping):
        raise ValueError(f"the event's detail is no object: {_shown(detail)}")  # noqa: TRY004 — all are one to us
    command, instance = detail.get("command-id"), detail.get("instance-id")
    if not isinstance(command, str) or not _COMMAND.fullmatch(command):
        raise ValueError(f"the event has no command-id: {_shown(detail)}")
    if not isinstance(instance, str) or not re.match(INSTANCE, instance):
        raise ValueError(f"the event has no instance-id of a managed node: {_shown(detail)}")
    try:
        at = datetime.fromisoformat(event["time"]).astimezone(UTC)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"the event has no time: {_shown(event.get('time'))}") from error
    # An event from the future would keep every later audit out.
    return Ended(command, instance, str(detail.get("document-name")), min(at, now))


def _shown(value: object) -> str:
    return printable(json.dumps(value, default=str), 200)


def asked(event: Any, sites: Sites) -> list[str]:
    """Return the machines that an event wants audited, each once; ValueError where it is no such event."""
    match event:
        case {"audit": "all", **rest} if not rest:
            return list(dict.fromkeys(instance for site in _readable(sites.all()) for instance in site.instances))
        case {"site": str(name), **rest} if not rest:
            declared = sites.find(key_of(name)) or sites.get(name)
            if declared is None:
                raise ValueError(f"the Sites table has no site {printable(name, 80)!r}; {USAGE}")
            instances = read_declaration(declared).instances
            if not instances:
                raise ValueError(f"site {key_of(name)!r} declares no instances")
            return list(dict.fromkeys(instances))
    raise ValueError(f"the event asks for no audit; {USAGE}")


def _readable(declarations: Iterable[Mapping[str, Any]]) -> Iterator[Site]:
    """Yield the sites whose declarations can be read; the check reports the others."""
    for declaration in declarations:
        try:
            yield read_declaration(declaration)
        except InvalidSite as error:
            log.warning("not audited: %s", error)


class Auditor:
    """Sends the collector's document to machines and keeps what they answer."""

    def __init__(self, ssm: "SSMClient", ec2: "Callable[[], EC2Client]", hosts: Hosts, document: str) -> None:
        """Take what makes EC2's client: that takes long, and only a machine's answer needs it."""
        self._ssm = ssm
        self._ec2 = functools.cache(ec2)
        self._hosts = hosts
        self._document = document

    def send(self, instances: Sequence[str], now: datetime, expires: int) -> Sent:
        """Send the document to machines; what cannot be sent to one is kept as its fault."""
        commands: dict[str, Sequence[str]] = {}
        refused: dict[str, str] = {}
        for group in batched(instances, GROUP, strict=False):
            for command, machines, fault in self._sent(group):
                if command:
                    commands[command] = machines
                else:
                    refused[machines[0]] = fault
                    self._hosts.save(Host(machines[0], now, fault), now, expires)
        return Sent(commands, refused)

    def _sent(self, group: Sequence[str]) -> Iterator[tuple[str, Sequence[str], str]]:
        """Yield each command with its machines, and each machine that none can be sent to with the reason.

        One machine that is gone makes Systems Manager refuse the whole group: each half is then sent by itself.
        """
        try:
            answer = self._ssm.send_command(
                DocumentName=self._document,
                InstanceIds=list(group),
                TimeoutSeconds=DELIVERY_SECONDS,
                Comment="Padlock audits the hosts of its sites",
            )
        except ClientError as error:
            fault = REFUSALS.get(error.response["Error"]["Code"])
            if fault is None:
                raise
            if len(group) == 1:
                log.warning("no audit of %s: %s", group[0], error)
                yield "", group, fault
                return
            middle = len(group) // 2
            yield from self._sent(group[:middle])
            yield from self._sent(group[middle:])
            return
        yield answer["Command"]["CommandId"], group, ""

    def fetch(self, ended: Ended, expires: int) -> Fetched:
        """Keep what a machine answered, or why it did not."""
        if ended.document != self._document:
            return Fetched(ended.instance, stored=False, fault="the command is not one of Padlock's")
        answer = self._ssm.get_command_invocation(CommandId=ended.command, InstanceId=ended.instance)
        if answer["DocumentName"] != self._document:
            return Fetched(ended.instance, stored=False, fault="the command is not one of Padlock's")
        status = answer.get("StatusDetails") or answer["Status"]
        if _plain(status) in UNFINISHED:
            return Fetched(ended.instance, stored=False, fault="the command has not ended yet")
        host = self._read(ended, status, answer["StandardOutputContent"], answer.get("StandardErrorContent", ""))
        stored = self._hosts.save(host, ended.at, expires)
        return Fetched(ended.instance, stored, host.fault or ("" if stored else "a later audit is kept already"))

    def _read(self, ended: Ended, status: str, output: str, errors: str) -> Host:
        """Return the evidence of an answer, dated by AWS: a machine's own clock could keep its word new for good."""
        try:
            host = read(output, name=ended.instance)
        except UnreadableHost as error:
            fault = ENDS.get(_plain(status)) or f"{error} (the command's status is {printable(status, 40)})"
            told = f"; it wrote: {printable(errors.strip(), 300)}" if errors.strip() else ""
            log.warning("no evidence of %s: %s, status %s", ended.instance, error, printable(status, 40))
            return Host(ended.instance, ended.at, fault + told)
        filters = (*(host.filters or ()), *self._cloud_filters(ended.instance))
        return msgspec.structs.replace(host, collected_at=ended.at, filters=filters or host.filters)

    def _cloud_filters(self, instance: str) -> tuple[Filter, ...]:
        """Return what security groups and network ACLs do with visitors' connections; EC2 alone has them."""
        if not instance.startswith("i-"):
            return ()
        try:
            return _filters(self._ec2(), instance)
        except (ClientError, BotoCoreError) as error:
            log.warning("the security groups of %s could not be read: %s", instance, error)
            return ()


def _plain(status: str) -> str:
    """Return a status without what its spellings differ in: `Delivery Timed Out`, `DeliveryTimedOut`."""
    return re.sub(r"[^a-z]", "", status.lower())


def _filters(client: "EC2Client", instance: str) -> tuple[Filter, ...]:
    described = client.describe_instances(InstanceIds=[instance])
    interfaces = [
        interface
        for reservation in described["Reservations"]
        for machine in reservation["Instances"]
        for interface in machine["NetworkInterfaces"]
    ]
    groups = sorted({group["GroupId"] for interface in interfaces for group in interface["Groups"]})
    subnets = sorted({interface["SubnetId"] for interface in interfaces})
    if not groups or not subnets:
        return ()
    return cloud.filters_of(
        client.describe_security_groups(GroupIds=groups)["SecurityGroups"],
        client.describe_network_acls(Filters=[{"Name": "association.subnet-id", "Values": subnets}])["NetworkAcls"],
        ipv6=any(interface.get("Ipv6Addresses") for interface in interfaces),
    )
