"""The stack as it will be deployed: tables, wiring and the host audit, read from the translated template."""

import json
import re
from typing import Any

import pytest
from cfnlint.api import lint_file
from padlock.cli.host_evidence import COLLECTOR

from local.aws import TEMPLATE
from local.document import MAX_OCTETS, written
from local.pump import matches
from tests.ssm_agent import event
from tests.stack.translated import FUNCTIONS, get, keys, of_type, properties, resources, source

TABLES = ("SitesTable", "ResultsTable")


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
    assert properties("SitesTable")["StreamSpecification"] == {"StreamViewType": "KEYS_ONLY"}
    results = properties("ResultsTable")
    assert keys(results["KeySchema"]) == ["site", "sk"]
    assert results["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert results["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}


def test_indexes() -> None:
    """Sites with errors or warnings, certificates by expiry, and unpublished alerts are one Query each."""
    indexes = {index["IndexName"]: index for index in properties("ResultsTable")["GlobalSecondaryIndexes"]}
    assert {name: keys(index["KeySchema"]) for name, index in indexes.items()} == {
        "failing": ["failing", "failing_since"],
        "certificates": ["certificate_group", "certificate_expires"],
        "pending": ["pending", "created_at"],
    }
    projected = {name: index["Projection"].get("NonKeyAttributes", []) for name, index in indexes.items()}
    assert projected == {
        "failing": ["status", "summary"],
        "certificates": ["certificate_host", "certificate_subject", "certificate_issuer", "digest"],
        "pending": [],
    }
    assert "checked_at" not in str(indexes), "would cost a write of the index at every check"


# --- wiring -------------------------------------------------------------------------------------------------------


def test_schedules() -> None:
    """Tick and digest carry their time, the sweeper comes every 5 minutes, the audit daily; no name collides."""
    schedules = of_type("AWS::Scheduler::Schedule")
    found = {
        name: (schedule["ScheduleExpression"], schedule["Target"]["Arn"], json.loads(schedule["Target"]["Input"]))
        for name, schedule in schedules.items()
    }
    digest = {"Fn::If": ["HasDigest", {"Ref": "DigestSchedule"}, "rate(7 days)"]}
    assert found == {
        "DispatchFunctionTick": (
            {"Ref": "ScheduleExpression"},
            get("DispatchFunction"),
            {"scheduled_at": "<aws.scheduler.scheduled-time>"},
        ),
        "DispatchFunctionDigest": (digest, get("DispatchFunction"), {"digest": "<aws.scheduler.scheduled-time>"}),
        "NotifyFunctionSweep": ("rate(5 minutes)", get("NotifyFunction"), {"sweep": True}),
        "AuditHostFunctionDaily": ("rate(1 day)", get("AuditHostFunction"), {"audit": "all"}),
    }
    assert not [name for name, schedule in schedules.items() if "Name" in schedule]
    assert {schedule["GroupName"]["Ref"] for schedule in schedules.values()} == {"ScheduleGroup"}
    assert "Name" not in properties("ScheduleGroup"), "would collide with a second stack of the account"


def test_digest_can_be_switched_off() -> None:
    """With DigestSchedule at off the schedule exists and does nothing."""
    assert properties("DispatchFunctionDigest")["State"] == {"Fn::If": ["HasDigest", "ENABLED", "DISABLED"]}
    assert source()["Conditions"]["HasDigest"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "DigestSchedule"}, "off"]}]}


def test_check_queue() -> None:
    """A check in progress is not handed out again, and a message that fails 5 times is set aside for 14 days."""
    queue = properties("CheckQueue")
    mapping = properties("CheckFunctionQueue")
    window = mapping["MaximumBatchingWindowInSeconds"]
    assert queue["VisibilityTimeout"] >= 6 * properties("CheckFunction")["Timeout"] + window
    assert queue["RedrivePolicy"] == {"deadLetterTargetArn": get("CheckDeadLetterQueue"), "maxReceiveCount": 5}
    variables = properties("CheckFunction")["Environment"]["Variables"]
    assert variables["MAX_RECEIVES"] == str(queue["RedrivePolicy"]["maxReceiveCount"]), "or the last one is not known"
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


def test_stream_of_removed_sites() -> None:
    """Removals alone wake dispatch; nothing is skipped, one bad record is isolated and set aside in time to look."""
    mapping = properties("DispatchFunctionRemovals")
    assert mapping["EventSourceArn"] == get("SitesTable", "StreamArn")
    assert mapping["StartingPosition"] == "TRIM_HORIZON"
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BisectBatchOnFunctionError"] is True
    assert [json.loads(item["Pattern"]) for item in mapping["FilterCriteria"]["Filters"]] == [
        {"eventName": ["REMOVE"]}
    ]
    # The stream forgets a record after 24 hours, and what is set aside only points at it.
    assert mapping["MaximumRecordAgeInSeconds"] <= 43200


def test_subscription_is_confirmed_by_mail_when_an_address_is_given() -> None:
    """AlertEmail subscribes to the topic; without it there is no subscription."""
    assert resources()["AlertSubscription"]["Condition"] == "HasAlertEmail"
    assert properties("AlertSubscription") == {
        "TopicArn": {"Ref": "AlertTopic"},
        "Protocol": "email",
        "Endpoint": {"Ref": "AlertEmail"},
    }


@pytest.mark.parametrize("topic", ["AlertTopic", "ChatTopic"])
def test_topics_are_encrypted(topic: str) -> None:
    """Messages are encrypted at rest and on the way; the key is one that alarms may use, which that of SNS is not."""
    assert properties(topic)["KmsMasterKeyId"] == {"Ref": "TopicKey"}
    key = properties("TopicKey")
    assert key["EnableKeyRotation"] is True
    services = [statement["Principal"].get("Service") for statement in key["KeyPolicy"]["Statement"]]
    assert "cloudwatch.amazonaws.com" in services
    policy = properties(f"{topic}Policy")
    assert policy["Topics"] == [{"Ref": topic}]
    (denied,) = [entry for entry in policy["PolicyDocument"]["Statement"] if entry["Effect"] == "Deny"]
    assert (denied["Action"], denied["Resource"]) == ("sns:Publish", {"Ref": topic})
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_alarms_go_to_mail_and_not_to_chat() -> None:
    """CloudWatch may publish to the alert topic; the chat topic takes nothing but what notify sends."""
    allowed = {
        topic: [
            statement["Principal"]["Service"]
            for statement in properties(f"{topic}Policy")["PolicyDocument"]["Statement"]
            if statement["Effect"] == "Allow"
        ]
        for topic in ("AlertTopic", "ChatTopic")
    }
    assert allowed == {"AlertTopic": ["cloudwatch.amazonaws.com"], "ChatTopic": []}


def test_slack_channel_shows_messages_and_can_do_nothing() -> None:
    """Given both ids, the channel reads the chat topic; neither its role nor its guardrail allows anything."""
    channel = properties("SlackChannel")
    assert channel["SnsTopicArns"] == [{"Ref": "ChatTopic"}]
    assert channel["IamRoleArn"] == get("SlackChannelRole")
    assert properties("SlackChannelRole").keys() == {"Description", "AssumeRolePolicyDocument"}
    # Where no guardrail is given, AWS takes AdministratorAccess.
    assert channel["GuardrailPolicies"] == [{"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AWSDenyAll"}]
    assert {resources()[name]["Condition"] for name in ("SlackChannel", "SlackChannelRole")} == {"HasSlackChannel"}
    assert channel["SlackWorkspaceId"] == {"Ref": "SlackWorkspaceId"}
    assert channel["SlackChannelId"] == {"Ref": "SlackChannelId"}


def test_queues_are_encrypted() -> None:
    """Roles use queues under the key of SQS; where a service writes in its own name, under one that it may use."""
    for name, queue in of_type("AWS::SQS::Queue").items():
        services = {
            statement["Principal"]["Service"]
            for policy in of_type("AWS::SQS::QueuePolicy").values()
            if policy["Queues"] == [{"Ref": name}]
            for statement in policy["PolicyDocument"]["Statement"]
        }
        assert queue["KmsMasterKeyId"] == ({"Ref": "TopicKey"} if services else "alias/aws/sqs"), name
        assert services <= users_of_the_key(), name


def users_of_the_key() -> set[str]:
    """Return the services that may use the stack's key, for what is of this account alone."""
    statements = properties("TopicKey")["KeyPolicy"]["Statement"]
    return {
        statement["Principal"]["Service"]
        for statement in statements
        if "Service" in statement["Principal"]
        and statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    }


def test_reserved_concurrency_of_every_function() -> None:
    """Where the account has some to set aside, no function can take the others' place, nor the account's."""
    reserved = {name: properties(name)["ReservedConcurrentExecutions"]["Fn::If"] for name in FUNCTIONS}
    assert {condition for condition, _, _ in reserved.values()} == {"HasReservedConcurrency"}
    assert {json.dumps(otherwise) for _, _, otherwise in reserved.values()} == {'{"Ref": "AWS::NoValue"}'}
    assert {name: number for name, (_, number, _) in reserved.items()} == {
        "CheckFunction": {"Ref": "ReservedConcurrency"}
    } | dict.fromkeys(set(FUNCTIONS) - {"CheckFunction"}, 10)


def test_environment_of_the_functions() -> None:
    """Each function gets the variables that it reads, and none that it does not."""
    common = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL", "AWS_ENDPOINT_URL"}
    own = {name: set(properties(name)["Environment"]["Variables"]) - common for name in FUNCTIONS}
    assert own == {
        "DispatchFunction": {
            *("SITES_TABLE", "RESULTS_TABLE", "QUEUE_URL", "SITES"),
            *("RETENTION_DAYS", "CHECK_FUNCTION", "DASHBOARD_URL"),
        },
        "CheckFunction": {
            *("SITES_TABLE", "RESULTS_TABLE", "SITES", "MAX_RECEIVES", "RETENTION_DAYS", "DASHBOARD_URL"),
            *("ALLOWED_NETWORKS", "RESOLVERS", "PUBLIC_RESOLVERS", "CT_SEARCH_URL"),
        },
        "NotifyFunction": {"RESULTS_TABLE", "TOPIC_ARN", "CHAT_TOPIC_ARN", "HEARTBEAT_URL", "QUIET_HOURS"},
        "AuditHostFunction": {"SITES_TABLE", "RESULTS_TABLE", "RETENTION_DAYS", "DOCUMENT"},
        "DashboardFunction": {"SITES_TABLE", "RESULTS_TABLE", "QUEUE_URL", "SITES"},
    }
    spaces = {
        json.dumps(properties(name)["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"]) for name in own
    }
    assert spaces == {'{"Fn::Sub": "Padlock/${AWS::StackName}"}'}, "two stacks of an account would count as one"


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


# --- linters ------------------------------------------------------------------------------------------------------


def test_cfn_lint_is_silent() -> None:
    """cfn-lint knows CloudFormation's own rules; it has nothing to say."""
    assert [str(match) for match in lint_file(TEMPLATE)] == []


def test_no_yaml_alias() -> None:
    """CloudFormation refuses YAML aliases, which linters let pass."""
    assert re.findall(r"(?m)[:-] [&*]\w+", TEMPLATE.read_text()) == []
