"""The stack as it will be deployed: tables, wiring, rights and parameters, read from the translated template."""

import json
import re
import shlex
import subprocess
from typing import Any

import pytest
from cfnlint.api import lint_file
from padlock.cli.host_evidence import COLLECTOR

from local.aws import TEMPLATE
from local.document import MAX_OCTETS, written
from local.pump import matches
from tests.ssm_agent import event
from tests.stack.translated import of_type, properties, resources, source, statements

FUNCTIONS = ("DispatchFunction", "CheckFunction", "NotifyFunction", "AuditHostFunction")
TABLES = ("SitesTable", "ResultsTable")
QUEUES = ("CheckQueue", "CheckDeadLetterQueue", "NotifyDeadLetterQueue", "AuditHostDeadLetterQueue")


def get(name: str, attribute: str = "Arn") -> dict[str, list[str]]:
    """Return Fn::GetAtt as the translation writes it."""
    return {"Fn::GetAtt": [name, attribute]}


def keys(schema: list[dict[str, str]]) -> list[str]:
    """Return the key attributes, the hash key first."""
    return [key["AttributeName"] for key in sorted(schema, key=lambda key: key["KeyType"])]


# --- tables -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TABLES)
def test_tables_outlive_the_stack_and_mistakes(name: str) -> None:
    """A table is kept when the stack goes, cannot be deleted by mistake, can be restored, and is encrypted."""
    table = properties(name)
    assert resources()[name]["DeletionPolicy"] == "Retain"
    assert resources()[name]["UpdateReplacePolicy"] == "Retain"
    assert table["DeletionProtectionEnabled"] is True
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_tables_keys() -> None:
    """Sites are found by name, results by site and sort key; expiry and the stream are on."""
    assert keys(properties("SitesTable")["KeySchema"]) == ["name"]
    results = properties("ResultsTable")
    assert keys(results["KeySchema"]) == ["site", "sk"]
    assert results["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert results["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}


def test_indexes() -> None:
    """Failing sites, certificates by expiry, and unpublished alerts are one Query each."""
    indexes = {index["IndexName"]: index for index in properties("ResultsTable")["GlobalSecondaryIndexes"]}
    assert {name: keys(index["KeySchema"]) for name, index in indexes.items()} == {
        "failing": ["failing", "failing_since"],
        "certificates": ["certificate_group", "certificate_expires"],
        "pending": ["pending", "created_at"],
    }
    certificates = indexes["certificates"]["Projection"]["NonKeyAttributes"]
    assert {"certificate_host", "certificate_subject", "certificate_issuer"} <= set(certificates)
    assert "checked_at" not in certificates, "would cost a write of the index at every check"


# --- wiring -------------------------------------------------------------------------------------------------------


def test_schedules() -> None:
    """The tick carries its time, the sweeper comes every 5 minutes, the audit daily; no name of them collides."""
    tick, sweep = properties("DispatchFunctionTick"), properties("NotifyFunctionSweep")
    assert tick["ScheduleExpression"] == {"Ref": "ScheduleExpression"}
    assert tick["Target"]["Arn"] == get("DispatchFunction")
    assert json.loads(tick["Target"]["Input"]) == {"scheduled_at": "<aws.scheduler.scheduled-time>"}
    assert sweep["ScheduleExpression"] == "rate(5 minutes)"
    assert sweep["Target"]["Arn"] == get("NotifyFunction")
    assert json.loads(sweep["Target"]["Input"]) == {"sweep": True}
    audit = properties("AuditHostFunctionDaily")
    assert audit["ScheduleExpression"] == "rate(1 day)"
    assert audit["Target"]["Arn"] == get("AuditHostFunction")
    assert json.loads(audit["Target"]["Input"]) == {"audit": "all"}
    assert not [schedule for schedule in (tick, sweep, audit) if "Name" in schedule]


def test_check_queue() -> None:
    """A check in progress is not handed out again, and a message that fails 5 times is set aside for 14 days."""
    queue = properties("CheckQueue")
    mapping = properties("CheckFunctionQueue")
    window = mapping["MaximumBatchingWindowInSeconds"]
    assert queue["VisibilityTimeout"] >= 6 * properties("CheckFunction")["Timeout"] + window
    assert queue["RedrivePolicy"] == {"deadLetterTargetArn": get("CheckDeadLetterQueue"), "maxReceiveCount": 5}
    assert properties("CheckDeadLetterQueue")["MessageRetentionPeriod"] == 14 * 86400
    assert mapping["EventSourceArn"] == get("CheckQueue")
    assert mapping["FunctionName"] == {"Ref": "CheckFunction"}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": {"Ref": "CheckConcurrency"}}


def test_alert_stream() -> None:
    """New alert records alone wake notify; nothing is skipped, nothing lost, and one bad record is isolated."""
    mapping = properties("NotifyFunctionAlerts")
    assert mapping["EventSourceArn"] == get("ResultsTable", "StreamArn")
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert mapping["DestinationConfig"]["OnFailure"]["Destination"] == get("NotifyDeadLetterQueue")
    assert [json.loads(item["Pattern"]) for item in mapping["FilterCriteria"]["Filters"]] == [
        {"eventName": ["INSERT"], "dynamodb": {"Keys": {"sk": {"S": [{"prefix": "ALERT#"}]}}}}
    ]


def test_subscription_is_confirmed_by_mail_when_an_address_is_given() -> None:
    """AlertEmail subscribes to the topic; without it there is no subscription."""
    assert resources()["AlertSubscription"]["Condition"] == "HasAlertEmail"
    assert properties("AlertSubscription") == {
        "TopicArn": {"Ref": "AlertTopic"},
        "Protocol": "email",
        "Endpoint": {"Ref": "AlertEmail"},
    }


def test_encryption_in_the_topic_and_the_queues() -> None:
    """Messages are encrypted at rest, with a key that alarms may use: with that of SNS they would be lost."""
    assert properties("AlertTopic")["KmsMasterKeyId"] == {"Ref": "TopicKey"}
    key = properties("TopicKey")
    assert key["EnableKeyRotation"] is True
    services = [statement["Principal"].get("Service") for statement in key["KeyPolicy"]["Statement"]]
    assert "cloudwatch.amazonaws.com" in services
    assert all(properties(name)["SqsManagedSseEnabled"] is True for name in QUEUES)


def test_environment_of_the_functions() -> None:
    """Each function gets the variables that it reads, and none that it does not."""
    common = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL", "AWS_ENDPOINT_URL"}
    own = {name: set(properties(name)["Environment"]["Variables"]) - common for name in FUNCTIONS}
    assert own == {
        "DispatchFunction": {"SITES_TABLE", "RESULTS_TABLE", "QUEUE_URL", "SITES"},
        "CheckFunction": {
            *("SITES_TABLE", "RESULTS_TABLE", "RETENTION_DAYS"),
            *("ALLOWED_NETWORKS", "RESOLVERS", "PUBLIC_RESOLVERS", "CT_SEARCH_URL"),
        },
        "NotifyFunction": {"RESULTS_TABLE", "TOPIC_ARN"},
        "AuditHostFunction": {"SITES_TABLE", "RESULTS_TABLE", "RETENTION_DAYS", "DOCUMENT"},
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    """Python 3.13 on the chosen architecture, the two layers, JSON logs in a group with an end to its retention."""
    function = properties(name)
    assert function["Runtime"] == "python3.13"
    assert function["Handler"] == "app.handler"
    assert function["Architectures"] == [{"Ref": "Architecture"}]
    chosen, padlock = function["Layers"]
    condition, arm, intel = chosen["Fn::If"]
    assert condition == "IsArm"
    assert resources()[arm["Ref"]]["Properties"]["CompatibleArchitectures"] == ["arm64"]
    assert resources()[intel["Ref"]]["Properties"]["CompatibleArchitectures"] == ["x86_64"]
    assert padlock["Ref"].startswith("PadlockLayer")
    group = function["LoggingConfig"]["LogGroup"]["Ref"]
    assert function["LoggingConfig"]["LogFormat"] == "JSON"
    assert 1 <= properties(group)["RetentionInDays"] <= 90


# --- rights -------------------------------------------------------------------------------------------------------


def test_a_role_and_a_log_group_per_function() -> None:
    """No function borrows another's rights or writes into another's log."""
    roles = [properties(name)["Role"]["Fn::GetAtt"][0] for name in FUNCTIONS]
    groups = [properties(name)["LoggingConfig"]["LogGroup"]["Ref"] for name in FUNCTIONS]
    assert len(set(roles)) == len(set(groups)) == len(FUNCTIONS)
    for role, group in zip(roles, groups, strict=True):
        logging = [statement for statement in statements(role) if statement["Sid"] == "Log"]
        assert [statement["Resource"] for statement in logging] == [[get(group)]]


WITHOUT_RESOURCES = {
    *("ssm:GetCommandInvocation", "ec2:DescribeInstances"),
    *("ec2:DescribeSecurityGroups", "ec2:DescribeNetworkAcls"),
}
"""Actions for which AWS takes no resource but *."""


@pytest.mark.parametrize("role", sorted(of_type("AWS::IAM::Role")))
def test_roles_name_actions_and_resources(role: str) -> None:
    """No role has an action or a resource by wildcard, nor a managed policy that has, where AWS knows resources."""
    assert "ManagedPolicyArns" not in properties(role)
    for statement in statements(role):
        assert not [action for action in statement["Action"] if "*" in action]
        if set(statement["Action"]) <= WITHOUT_RESOURCES or statement.get("Sid") == "ToTaggedMachines":
            assert "Condition" in statement
            continue
        for resource in statement["Resource"]:
            # DynamoDB lists streams under the table's own ARN.
            text = json.dumps(resource)
            assert "*" not in text or text == '{"Fn::Sub": "${ResultsTable.Arn}/stream/*"}'


def test_rights_of_each_function() -> None:
    """The checker, which talks to strangers, can neither publish nor run anything nor declare sites."""

    def actions(role: str) -> set[str]:
        return {action for statement in statements(role) for action in statement["Action"]}

    logs = {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert actions("CheckRole") == logs | {
        *("dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query", "dynamodb:PutItem", "dynamodb:UpdateItem"),
        *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    }
    assert {service for service, _ in (action.split(":") for action in actions("DispatchRole"))} == {
        *("logs", "dynamodb", "sqs"),
    }
    assert not {"dynamodb:PutItem", "dynamodb:DeleteItem", "sqs:ReceiveMessage"} & actions("NotifyRole")
    roles = [properties(name)["Role"]["Fn::GetAtt"][0] for name in FUNCTIONS]
    assert [role for role in roles if "sns:Publish" in actions(role)] == ["NotifyRole"]
    assert [role for role in roles if "ssm:SendCommand" in actions(role)] == ["AuditHostRole"]
    for statement in statements("CheckRole"):
        if get("SitesTable") in statement["Resource"]:
            assert statement["Action"] == ["dynamodb:GetItem"]


def test_rights_of_the_audit() -> None:
    """It runs one document, on tagged machines only; it reads sites, and writes nothing but what hosts said."""
    found = {statement["Sid"]: statement for statement in statements("AuditHostRole")}
    assert found["SendOneDocument"]["Resource"] == [
        {"Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:document/${HostAuditDocument}"}
    ]
    machines = found["ToTaggedMachines"]
    assert machines["Condition"] == {"StringEquals": {"ssm:resourceTag/Padlock": "audit"}}
    assert [resource["Fn::Sub"].rpartition(":")[2] for resource in machines["Resource"]] == [
        *("instance/*", "managed-instance/*")
    ]
    sending = [sid for sid, statement in found.items() if "ssm:SendCommand" in statement["Action"]]
    assert sending == ["SendOneDocument", "ToTaggedMachines"]
    assert found["KeepWhatHostsSaid"]["Action"] == ["dynamodb:PutItem"]
    assert found["KeepWhatHostsSaid"]["Condition"] == {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["host#*"]}
    }
    assert found["ReadSites"]["Action"] == ["dynamodb:Scan", "dynamodb:GetItem"]
    assert [item["Action"] for item in found.values() if get("ResultsTable") in item["Resource"]] == [
        ["dynamodb:PutItem"]
    ]


# --- the host audit -----------------------------------------------------------------------------------------------


def test_document_runs_the_collector_and_nothing_else() -> None:
    """The document's only step is the collector, to the letter; it takes no parameters, and Linux alone runs it."""
    document = properties("HostAuditDocument")
    content = document["Content"]
    assert (document["DocumentType"], content["schemaVersion"]) == ("Command", "2.2")
    assert "parameters" not in content
    (step,) = content["mainSteps"]
    assert step["action"] == "aws:runShellScript"
    assert step["precondition"] == {"StringEquals": ["platformType", "Linux"]}
    assert step["inputs"]["runCommand"] == [COLLECTOR.read_text("ascii")], "run `make host-document`"
    assert int(step["inputs"]["timeoutSeconds"]) <= 300
    # Systems Manager would put a parameter in its place.
    assert "{{" not in json.dumps(content)
    assert len(json.dumps(content)) <= 64 * 1024


def test_document_is_written_by_its_command() -> None:
    """`make host-document` leaves a template alone that has the script, and changes nothing beside the script."""
    template, script = TEMPLATE.read_text(), COLLECTOR.read_text("ascii")
    assert written(template, script) == template
    other = written(template, "#!/bin/sh\n\n  echo other\n")
    assert written(other, script) == template
    assert "- |\n                  #!/bin/sh\n\n                    echo other\n\nOutputs:" in other


@pytest.mark.parametrize("script", ["echo {{ x }}\n", "no line break", "two\n\n", '"' * (MAX_OCTETS // 2) + "\n", ""])
def test_script_that_no_document_can_hold(script: str) -> None:
    """A script with a parameter in it, too long or without its line break is refused, not shipped broken."""
    with pytest.raises(ValueError, match="the collector"):
        written(TEMPLATE.read_text(), script)


@pytest.mark.parametrize("status", ["Success", "Failed", "TimedOut", "Cancelled", "Undeliverable", "Terminated"])
def test_end_of_a_command_wakes_the_audit(status: str) -> None:
    """The rule lets through every end of this document's command on a machine."""
    assert matches(rule(), event("c", "i-0123456789abcdef0", "document", status))


def test_other_events_do_not_wake_the_audit() -> None:
    """A command on its way, another document's, and the command as a whole are not for it."""
    own = event("c", "mi-0123456789abcdef0", "document")
    for status in ("Pending", "InProgress", "Delayed", "Cancelling"):
        assert not matches(rule(), event("c", "i-0123456789abcdef0", "document", status))
    assert not matches(rule(), event("c", "i-0123456789abcdef0", "AWS-RunShellScript"))
    assert not matches(rule(), own | {"detail-type": "EC2 Command Status-change Notification"})
    assert not matches(rule(), own | {"source": "mine"})


def rule() -> dict[str, Any]:
    """Return the rule's pattern, for a document named document; its target may be invoked by it."""
    ended, permission = properties("AuditHostFunctionEnded"), properties("AuditHostFunctionEndedPermission")
    assert [target["Arn"] for target in ended["Targets"]] == [get("AuditHostFunction")]
    assert (permission["Principal"], permission["SourceArn"]) == (
        "events.amazonaws.com",
        get("AuditHostFunctionEnded"),
    )
    pattern: dict[str, Any] = json.loads(
        json.dumps(ended["EventPattern"]).replace('{"Ref": "HostAuditDocument"}', '"document"')
    )
    return pattern


def test_audit_that_fails_is_set_aside() -> None:
    """An event that failed in every attempt is kept for 14 days."""
    config = properties("AuditHostFunctionEventInvokeConfig")
    assert config["DestinationConfig"] == {"OnFailure": {"Destination": get("AuditHostDeadLetterQueue")}}
    assert properties("AuditHostDeadLetterQueue")["MessageRetentionPeriod"] == 14 * 86400


# --- who watches the watcher --------------------------------------------------------------------------------------


def test_alarms() -> None:
    """Every dead-letter queue and every function's errors raise an alarm, which reaches the topic."""
    alarms = of_type("AWS::CloudWatch::Alarm").values()
    watched = {json.dumps(alarm["Dimensions"][0]["Value"]) for alarm in alarms}
    wanted = [get(queue, "QueueName") for queue in QUEUES if "DeadLetter" in queue]
    assert watched == {json.dumps(value) for value in [*wanted, *({"Ref": name} for name in FUNCTIONS)]}
    for alarm in alarms:
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlertTopic"}]
        assert alarm["TreatMissingData"] == "notBreaching"
        assert len(alarm["Dimensions"]) == 1
        assert alarm["AlarmDescription"]


@pytest.mark.parametrize("name", ["CheckErrorAlarm", "NotifyErrorAlarm", "AuditHostErrorAlarm"])
def test_one_wrong_test_event_is_no_alarm(name: str) -> None:
    """A single failed invocation is not reported; errors that go on are, within a quarter of an hour."""
    alarm = properties(name)
    assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == (2, 3)
    assert alarm["Period"] * alarm["EvaluationPeriods"] <= 900
    # A message that fails comes back within the alarm's window.
    assert properties("CheckQueue")["VisibilityTimeout"] < alarm["Period"] * (alarm["EvaluationPeriods"] - 1) + 1


# --- parameters and outputs ---------------------------------------------------------------------------------------


def test_parameters_are_explained() -> None:
    """The console shows each parameter with a label, in a group, with its meaning and what a value may be."""
    interface = source()["Metadata"]["AWS::CloudFormation::Interface"]
    grouped = [name for group in interface["ParameterGroups"] for name in group["Parameters"]]
    parameters = source()["Parameters"]
    assert sorted(grouped) == sorted(parameters)
    assert set(interface["ParameterLabels"]) == set(parameters)
    for name, parameter in parameters.items():
        assert len(parameter["Description"]) > 20, name
        assert "Default" in parameter, f"{name}: a first deploy must not need it"
        if "AllowedPattern" in parameter or "MinValue" in parameter:
            assert parameter["ConstraintDescription"].startswith("Write "), name


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        (
            "Sites",
            ["", "example.com", "example.com, www.example.org,bücher.example"],
            ["https://a.b", "a.b/c", "a.b c.d", ","],
        ),
        ("AlertEmail", ["", "ops@example.com"], ["ops", "ops@example", "a@b.c,d@e.f", "ops @example.com"]),
        ("ScheduleExpression", ["rate(5 minutes)", "cron(0/10 * * * ? *)"], ["5 minutes", "rate(0 minutes)", ""]),
        ("AllowedNetworks", ["", "10.0.0.0/8", "10.0.0.0/8, fd00::/8"], ["10.0.0.1", "10.0.0.0/8;", "lan/8"]),
        ("Resolvers", ["", "1.1.1.1", "9.9.9.9:53, [2620:fe::fe]:53"], ["dns.example", "1.1.1.1;8.8.8.8"]),
        (
            "PublicResolvers",
            ["", "none", " 1.1.1.1, [2620:fe::fe]:53 "],
            ["dns.example", "none, 1.1.1.1", "1.1.1.1;"],
        ),
        ("CertificateTransparency", ["", "https://crt.sh/"], ["crt.sh", "ftp://x", "https://a b"]),
        ("EndpointUrl", ["", "http://198.18.0.1:5000"], ["198.18.0.1", "ftp://x"]),
    ],
)
def test_parameters_refuse_typing_errors(name: str, good: list[str], bad: list[str]) -> None:
    """A value that cannot work is refused before anything is deployed."""
    parameter = source()["Parameters"][name]
    pattern = re.compile(parameter["AllowedPattern"])
    assert [value for value in [*good, parameter["Default"]] if not pattern.fullmatch(value)] == []
    assert [value for value in bad if pattern.fullmatch(value)] == []


def commands() -> dict[str, str]:
    """Return the outputs that are commands, with names in place of references."""
    found = {}
    for name, output in source()["Outputs"].items():
        value = output["Value"].get("Fn::Sub", "") if isinstance(output["Value"], dict) else ""
        if value.startswith("aws "):
            found[name] = re.sub(r"\$\{([A-Za-z:]+)\}", lambda match: match[1].replace(":", ""), value)
    return found


@pytest.mark.parametrize("name", sorted(commands()))
def test_outputs_are_commands_that_a_shell_understands(name: str) -> None:
    """An output can be pasted: the shell parses it as one line, and its JSON is JSON."""
    command = commands()[name]
    assert "\n" not in command.strip()
    subprocess.run(["bash", "-n", "-c", command], check=True, timeout=10)
    for word in shlex.split(command):
        if word.startswith("{"):
            json.loads(word)


@pytest.mark.parametrize("name", sorted(name for name in commands() if name.startswith("Query")))
def test_outputs_query_by_key(name: str) -> None:
    """A query of the outputs names the keys of the table or index that it reads: no scan, no filter."""
    words = shlex.split(commands()[name])
    options = {option: words[at + 1] for at, option in enumerate(words[:-1]) if option.startswith("--")}
    table: Any = properties(options["--table-name"])
    schemas = {index["IndexName"]: index["KeySchema"] for index in table["GlobalSecondaryIndexes"]}
    schema = schemas[options["--index-name"]] if "--index-name" in options else table["KeySchema"]
    used = re.findall(r"(?:begins_with\()?([a-z_]+)(?: =|,)", options["--key-condition-expression"])
    assert used == keys(schema)[: len(used)]
    assert set(json.loads(options["--expression-attribute-values"])) == set(
        re.findall(r":[a-z]+", options["--key-condition-expression"])
    )


def test_outputs_fit() -> None:
    """CloudFormation cuts nothing: an output's value has at most 1024 bytes once names are filled in."""
    assert commands()
    for command in commands().values():
        assert len(command.encode()) < 800


# --- linters ------------------------------------------------------------------------------------------------------


def test_cfn_lint_is_silent() -> None:
    """cfn-lint knows CloudFormation's own rules; it has nothing to say."""
    assert [str(match) for match in lint_file(TEMPLATE)] == []


def test_no_yaml_alias() -> None:
    """CloudFormation refuses YAML aliases, which linters let pass."""
    assert re.findall(r"(?m)[:-] [&*]\w+", TEMPLATE.read_text()) == []
