"""What is asked at a deploy, and the commands that a deployed stack hands out."""

import json
import re
import shlex
import subprocess
from typing import Any

import pytest
from padlock.cli.arguments import parser

from tests.stack.translated import keys, properties, source


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
            ["https://a.b", "a.b/c", "a.b c.d", ",", "#slot", "a.b,host#i-0123456789abcdef0"],
        ),
        ("AlertEmail", ["", "ops@example.com"], ["ops", "ops@example", "a@b.c,d@e.f", "ops @example.com"]),
        ("ScheduleExpression", ["rate(5 minutes)", "cron(0/10 * * * ? *)"], ["5 minutes", "rate(0 minutes)", ""]),
        (
            "DigestSchedule",
            ["off", "rate(1 day)", "cron(0 7 ? * MON *)"],
            ["", "on", "never", "rate(0 days)", "0 7 * * 1"],
        ),
        ("SlackWorkspaceId", ["", "T01234ABCDE"], ["t01234", "https://x.slack.com", "T1 "]),
        ("SlackChannelId", ["", "C01234ABCDE"], ["#alerts", "alerts-1", "C1 "]),
        ("HeartbeatUrl", ["", "https://hc-ping.com/0b5f"], ["hc-ping.com/0b5f", "ftp://x", "https://a b"]),
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


def test_no_parameter_is_left_unused() -> None:
    """Every parameter reaches a resource, an output, or the condition or rule of one."""
    used = json.dumps({name: part for name, part in source().items() if name not in {"Metadata", "Parameters"}})
    for name in source()["Parameters"]:
        assert f'{{"Ref": "{name}"}}' in used or f"${{{name}}}" in used, name


def test_secret_url_is_not_shown() -> None:
    """CloudFormation masks the heartbeat's URL: who knows it can keep a dead Padlock looking alive."""
    assert source()["Parameters"]["HeartbeatUrl"]["NoEcho"] is True


def test_slack_needs_both_ids() -> None:
    """One id without the other is refused before anything is deployed, not taken for no chat."""
    (rule,) = source()["Rules"].values()
    ((neither, both),) = [assertion["Assert"]["Fn::Or"] for assertion in rule["Assertions"]]
    empty = [{"Fn::Equals": [{"Ref": name}, ""]} for name in ("SlackWorkspaceId", "SlackChannelId")]
    assert neither == {"Fn::And": empty}
    assert both == {"Fn::And": [{"Fn::Not": [one]} for one in empty]} == source()["Conditions"]["HasSlackChannel"]


def commands() -> dict[str, str]:
    """Return the outputs that are commands, with names in place of references."""
    found = {}
    for name, output in source()["Outputs"].items():
        value = output["Value"].get("Fn::Sub", "") if isinstance(output["Value"], dict) else ""
        if value.startswith(("aws ", "AWS_DEFAULT_REGION=")):
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


@pytest.mark.parametrize("name", ["TestAlert", "Status", "Acknowledge"])
def test_outputs_of_the_command_line(name: str) -> None:
    """A command of ours is one that the command line knows, with the stack and its region named."""
    region, program, *arguments = shlex.split(commands()[name])
    assert (region, program) == ("AWS_DEFAULT_REGION=AWSRegion", ".venv/bin/padlock")
    assert parser().parse_args(arguments).stack == "AWSStackName"


def test_outputs_fit() -> None:
    """CloudFormation cuts nothing: an output's value has at most 1024 bytes once names are filled in."""
    assert commands()
    for command in commands().values():
        assert len(command.encode()) < 800
