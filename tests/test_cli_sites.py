"""`padlock sites` on an embedded AWS: the table is found through the stack; a wrong entry costs only itself."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from padlock.cli import main
from padlock.storage import Sites

from local.aws import CREDENTIALS, EmbeddedAws


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """Serve an AWS that has a stack `padlock` with a Sites table, named by the output that the template gives."""
    with EmbeddedAws() as running:
        outputs = {"SitesTableName": {"Value": running.physical["SitesTable"]}}
        resources = {"Queue": {"Type": "AWS::SQS::Queue"}}
        for name, shown in (("padlock", outputs), ("other", {})):
            running.client("cloudformation").create_stack(
                StackName=name, TemplateBody=json.dumps({"Resources": resources, "Outputs": shown})
            )
        yield running
        for name in ("padlock", "other"):
            running.client("cloudformation").delete_stack(StackName=name)


@pytest.fixture
def table(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Sites:
    """Return the emptied table, and point the command at the embedded AWS."""
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": aws.endpoint}).items():
        monkeypatch.setenv(name, value)
    sites = Sites(aws.client("dynamodb"), aws.physical["SitesTable"])
    for item in list(sites.all()):
        sites.delete(item["name"])
    return sites


def stored(table: Sites) -> dict[str, dict[str, Any]]:
    """Return the table's items by name."""
    return {item["name"]: item for item in table.all()}


def test_template_has_the_output(aws: EmbeddedAws) -> None:
    """The output through which the table is found stands in the template."""
    assert aws.template["Outputs"]["SitesTableName"]["Value"] == {"Ref": "SitesTable"}


def test_add_stores_bare_names(table: Sites, capsys: pytest.CaptureFixture[str]) -> None:
    """Added names stand in the table without defaults, in their normal form; adding again changes nothing."""
    assert main(["sites", "add", "Example.COM", "bücher.example"]) == 0
    assert main(["sites", "add", "example.com"]) == 0
    assert stored(table) == {
        "example.com": {"name": "example.com"},
        "xn--bcher-kva.example": {"name": "xn--bcher-kva.example"},
    }
    assert "added example.com" in capsys.readouterr().out


def test_a_wrong_name_costs_only_itself(table: Sites, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong name is one line on stderr; the others are added; the exit status is 2."""
    assert main(["sites", "add", "https://x.example/", "good.example"]) == 2
    assert list(stored(table)) == ["good.example"]
    assert capsys.readouterr().err.count("\n") == 1


def test_import_and_list_round_trip(table: Sites, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a YAML file declares is stored as declared, and the JSON of `list` is a site file again."""
    path = tmp_path / "sites.yaml"
    path.write_text(
        "- name: shop.example\n"
        "  hosts: [shop.example, www.shop.example]\n"
        "  health: {path: /health, json: {status: ok}}\n"
        "  hsts: off\n"
        "  slow: 1.5\n"
        "  ports: {http: closed}\n"
        "- {name: typo.example, interwal: 5m}\n"
        "- plain.example\n"
    )
    assert main(["sites", "import", str(path)]) == 2
    said = capsys.readouterr()
    assert "entry 2" in said.err
    assert "did you mean 'interval'?" in said.err
    assert stored(table)["shop.example"]["hsts"] == "off"
    assert stored(table)["shop.example"]["slow"] == 1.5
    assert "redirect" not in stored(table)["shop.example"]
    assert main(["sites", "list", "--json"]) == 0
    listed = capsys.readouterr().out
    again = tmp_path / "again.json"
    again.write_text(listed)
    before = stored(table)
    assert main(["sites", "import", str(again)]) == 0
    assert stored(table) == before
    assert set(before) == {"shop.example", "plain.example"}


def test_list_shows_right_and_wrong_entries(table: Sites, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong item of the table is named on stderr with what to do; the others are listed."""
    table.put({"name": "good.example", "interval": "1h", "health": "/up"})
    table.put({"name": "wrong.example", "slow": "fast"})
    assert main(["sites", "list"]) == 2
    said = capsys.readouterr()
    assert "good.example" in said.out
    assert "every 1h" in said.out
    assert "wrong.example" in said.err
    assert "padlock sites import" in said.err


def test_remove(table: Sites, capsys: pytest.CaptureFixture[str]) -> None:
    """Removing names what it removed and what was not there; a wrong item can be removed as it is written."""
    table.put({"name": "good.example"})
    table.put({"name": "Not A Host"})
    assert main(["sites", "remove", "GOOD.example", "Not A Host", "absent.example"]) == 2
    assert stored(table) == {}
    said = capsys.readouterr()
    assert said.out.count("removed") == 2
    assert "'absent.example' is not declared" in said.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--stack", "absent"], "deploy it with `make deploy`"),
        (["--stack", "other"], "has no output SitesTableName"),
        (["--table", "absent"], "name another stack with --stack"),
    ],
)
def test_what_aws_refuses_is_one_line(
    options: list[str], said: str, table: Sites, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stack or table that is not there gives one line that names it and says what to do."""
    assert main(["sites", "list", *options]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert options[1] in shown
    assert shown.count("\n") == 1


def test_without_credentials(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Without credentials or a region the line says how to get them; nothing is sent anywhere."""
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "")  # what the command sets in its environment is undone with it
    for name in [key for key in os.environ if key.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    assert main(["sites", "list"]) == 2
    assert "AWS_REGION" in capsys.readouterr().err
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert main(["sites", "list"]) == 2
    assert "AWS_PROFILE" in capsys.readouterr().err


def test_binary_attribute_is_one_wrong_entry(
    aws: EmbeddedAws, table: Sites, capsys: pytest.CaptureFixture[str]
) -> None:
    """An item with a binary attribute is a wrong entry of the list; its JSON shows it beside the others."""
    table.put({"name": "good.example"})
    odd = {"name": {"S": "odd.example"}, "private_ca": {"B": b"\xff"}, "labels": {"BS": [b"a"]}}
    aws.client("dynamodb").put_item(TableName=aws.physical["SitesTable"], Item=odd)
    assert main(["sites", "list"]) == 2
    said = capsys.readouterr()
    assert "good.example" in said.out
    assert "odd.example" in said.err
    assert main(["sites", "list", "--json"]) == 0
    assert [item["name"] for item in json.loads(capsys.readouterr().out)] == ["good.example", "odd.example"]
