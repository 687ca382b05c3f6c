"""An embedded AWS: a moto server with the tables, queues, topics and document of template.yaml itself.

The template is translated as CloudFormation would get it; functions, roles, alarms and schedules are left out, for
`local/pump.py` plays them. Nothing reaches the real AWS: endpoint and credentials are this server's own.
"""

import json
import logging
import os
import re
import threading
import uuid
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from unittest.mock import patch
from urllib.parse import urlsplit

import boto3
import msgspec
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from moto.sns.models import sns_backends
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse
from werkzeug.serving import make_server

from local import moto_tables

TEMPLATE = Path(__file__).parents[1] / "template.yaml"
REGION = "eu-central-1"
ACCOUNT = "123456789012"
"""The account that moto plays."""
CREATED = ("AWS::DynamoDB::Table", "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::SSM::Document")
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "embedded",
    "AWS_SECRET_ACCESS_KEY": "embedded",
    "AWS_SESSION_TOKEN": "embedded",
    "AWS_DEFAULT_REGION": REGION,
    "AWS_REGION": REGION,
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


class Mail(msgspec.Struct, frozen=True):
    """One published alert, as its subscribers would get it."""

    subject: str
    text: str
    """What an e-mail subscription is sent."""
    data: dict[str, Any]
    """What machines are sent; empty where only text was."""
    attributes: dict[str, str]


class EmbeddedAws:
    """A running embedded AWS with one stack; a context manager."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, **parameters: str) -> None:
        """Take the address to serve on (port 0: a free one) and the template's parameters that differ."""
        for noisy in ("werkzeug", "samtranslator"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        moto_tables.copy_once()
        app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(host, port, _OneAtATime(app), threaded=True, request_handler=_Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._parameters = parameters
        self.template: dict[str, Any] = {}
        """The translated template, with every resource."""
        self.physical: dict[str, str] = {}
        """Logical id → name, URL or ARN, as Ref gives it."""
        self.endpoint = ""
        self.stack = ""
        """The name of the stack."""
        self._heard: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        self._thread.start()
        self.endpoint = f"http://{self._server.host}:{self._server.port}"
        self.deploy(**self._parameters)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def deploy(self, **parameters: str) -> None:
        """Create a stack with empty tables, queues and topics of its own; it takes the place of the one before."""
        self.stack = stack = f"padlock-{uuid.uuid4().hex[:8]}"
        self.template = translated(parameters)
        kept = {name: _bare(item) for name, item in self.template["Resources"].items() if item["Type"] in CREATED}
        cloudformation = self.client("cloudformation")
        cloudformation.create_stack(
            StackName=stack,
            TemplateBody=json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": kept}),
        )
        listed = cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
        self.physical = {entry["LogicalResourceId"]: self._here(entry["PhysicalResourceId"]) for entry in listed}
        missing = kept.keys() - self.physical.keys()
        if missing:
            raise RuntimeError(f"the embedded AWS did not create {', '.join(sorted(missing))}")
        self._listen()

    def client(self, service: str) -> Any:
        """Return a client of the embedded AWS, whatever credentials or endpoint this machine is set up with."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="embedded",
            aws_secret_access_key="embedded",  # noqa: S106 — moto takes any
            config=Config(retries={"total_max_attempts": 2}, connect_timeout=5, read_timeout=30),
        )

    def environment(self, function: str) -> dict[str, str]:
        """Return a function's environment as the template sets it, for this server."""
        variables = self.template["Resources"][function]["Properties"]["Environment"]["Variables"]
        resolved = {name: str(self.resolved(value)) for name, value in variables.items()}
        return {**resolved, **CREDENTIALS, "AWS_ENDPOINT_URL": self.endpoint}

    def resolved(self, value: Any) -> Any:
        """Return a value of the template with Ref and Sub replaced."""
        match value:
            case {"Ref": str(name)}:
                return self._named(name)
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([\w:]+)\}", lambda found: str(self._named(found[1])), text)
        return value

    def mails(self) -> list[Mail]:
        """Return every published alert, the oldest first."""
        return [_mail(*notification[1:4]) for notification in self._published("AlertTopic")]

    def chats(self) -> list[dict[str, Any]]:
        """Return every message that the chat's topic was sent, the oldest first."""
        return [json.loads(notification[1]) for notification in self._published("ChatTopic")]

    def events(self) -> list[dict[str, Any]]:
        """Return every event that was put on the default bus since the stack is there, as a rule hands it on."""
        sqs, url = self.client("sqs"), self._queue_of_events()
        while received := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in received:
                self._heard.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return list(self._heard)

    def _published(self, topic: str) -> list[Any]:
        """Return what moto keeps of a topic's messages: id, message, subject, attributes, group."""
        sent: list[Any] = sns_backends[ACCOUNT][REGION].topics[self.physical[topic]].sent_notifications
        return sent

    def _listen(self) -> None:
        """Have a rule of the default bus put every event into a queue of this stack's own."""
        self._heard = []
        self.client("sqs").create_queue(QueueName=self._queue_of_events().rpartition("/")[2])
        events = self.client("events")
        # The same rule and target for every stack, so that no event goes to the queue of one before.
        events.put_rule(Name="heard", EventPattern=json.dumps({"account": [ACCOUNT]}))
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self._queue_of_events().rpartition('/')[2]}"
        events.put_targets(Rule="heard", Targets=[{"Id": "queue", "Arn": arn}])

    def _queue_of_events(self) -> str:
        return f"{self.endpoint}/{ACCOUNT}/{self.stack}-events"

    def _here(self, name: str) -> str:
        """Return a physical name; a queue's URL with this server in place of the one that it would have in AWS."""
        return self.endpoint + urlsplit(name).path if name.startswith("https://") else name

    def _named(self, name: str) -> Any:
        """Return what Ref gives: a physical name, a parameter's value; a name for what exists in AWS alone."""
        known: dict[str, Any] = {"AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::StackName": self.stack}
        known |= {key: parameter["Default"] for key, parameter in self.template["Parameters"].items()}
        known |= {key: f"{self.stack}-{key}" for key in self.template["Resources"]} | self.physical
        return known[name]


def translated(parameters: dict[str, str]) -> dict[str, Any]:
    """Return the template as CloudFormation would get it, with these parameters as defaults."""
    template = yaml_parse(TEMPLATE.read_text())
    unknown = parameters.keys() - template["Parameters"].keys()
    if unknown:
        raise ValueError(f"the template has no parameter {', '.join(sorted(unknown))}")
    for name, value in parameters.items():
        template["Parameters"][name]["Default"] = value
    template["Globals"]["Function"]["CodeUri"] = "s3://bucket/key"
    for resource in template["Resources"].values():
        if "ContentUri" in resource["Properties"]:
            resource["Properties"]["ContentUri"] = "s3://bucket/key"
    with patch.dict(os.environ, AWS_DEFAULT_REGION=REGION):
        result: dict[str, Any] = transform(template, {}, _NoManagedPolicies())
    return result


class _Handler(MotoRequestHandler):
    """Keeps connections open: each request would need a new one, and a thread."""

    protocol_version = "HTTP/1.1"


class _OneAtATime:
    """A WSGI app that answers one request after the other: moto's transactions are not isolated from each other."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._lock = threading.Lock()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        with self._lock:
            return self._app(environ, start_response)


class _NoManagedPolicies(dict[str, str]):
    """What the translator asks for managed policies: the template names none."""

    def load(self) -> dict[str, str]:
        return self


def _bare(resource: dict[str, Any]) -> dict[str, Any]:
    """Return a resource without what the embedded AWS cannot do: the key of the topic, a document that is no text."""
    properties = {name: value for name, value in resource["Properties"].items() if name != "KmsMasterKeyId"}
    if "Content" in properties:
        properties["Content"] = json.dumps(properties["Content"])
    return {"Type": resource["Type"], "Properties": properties}


def _mail(message: str, subject: str | None, attributes: dict[str, Any] | None) -> Mail:
    shown = {name: str(value["Value"]) for name, value in (attributes or {}).items()}
    try:
        texts = json.loads(message)
    except ValueError:
        return Mail(subject or "", message, {}, shown)
    return Mail(subject or "", texts["email"], json.loads(texts["sqs"]), shown)
