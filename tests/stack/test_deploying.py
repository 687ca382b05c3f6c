"""Deploying, a second time beside the first, into the Serverless Application Repository, and removing it again."""

import json
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
from samtranslator.yaml_helper import yaml_parse

from local.aws import EmbeddedAws
from tests.stack.conftest import ROOT, SAM, sam
from tests.stack.translated import properties, resources, source

BUCKET = "packages"


# --- a second stack -----------------------------------------------------------------------------------------------


def _identified() -> Iterator[tuple[str, dict[str, Any]]]:
    """Return (logical id, property → value) of each set of properties by which AWS tells resources apart."""
    for name, resource in resources().items():
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", resource["Type"]).schema
        for identifier in (schema.get("primaryIdentifier", []), *(schema.get("additionalIdentifiers") or [])):
            fields = [path.removeprefix("/properties/") for path in identifier]
            given = {field: properties_of(name)[field] for field in fields if field in properties_of(name)}
            if fields and len(given) == len(fields):  # otherwise AWS makes up the rest
                yield name, given


def test_a_second_stack_meets_no_name_of_the_first() -> None:
    """What names a resource in its account comes from the stack's name, or from a resource with such a name."""
    identified = list(_identified())
    assert {field for _, given in identified for field in given} >= {"DashboardName", "LogGroupName", "FunctionName"}
    for name, given in identified:
        text = json.dumps(given)
        referred = re.findall(r'"(?:Ref|Fn::GetAtt)": \[?"(\w+)"', text)
        assert "${AWS::StackName}" in text or any(other in resources() for other in referred), (name, text)


def test_no_export_that_another_stack_would_meet() -> None:
    """Names of exports are unique in an account and region."""
    assert [name for name, output in source()["Outputs"].items() if "Export" in output] == []


# --- removing it --------------------------------------------------------------------------------------------------


def test_what_stays_when_the_stack_is_removed() -> None:
    """The two tables and nothing else: nothing costs anything without a word, and nothing blocks the removal."""
    kept = {name for name, resource in resources().items() if resource.get("DeletionPolicy", "Delete") != "Delete"}
    assert kept == {"SitesTable", "ResultsTable"}
    protected = {name for name in resources() if properties_of(name).get("DeletionProtectionEnabled")}
    assert protected == kept
    readme = (ROOT / "README.md").read_text()
    assert "aws dynamodb update-table --table-name TABLE --no-deletion-protection-enabled" in readme
    assert "aws dynamodb delete-table --table-name TABLE" in readme


def properties_of(name: str) -> dict[str, Any]:
    """Return a resource's properties; none where it has none."""
    return properties(name) if "Properties" in resources()[name] else {}


# --- the Serverless Application Repository ------------------------------------------------------------------------


def test_metadata_of_the_repository() -> None:
    """What `sam publish` asks for, within its limits, with the version of the package."""
    told = source()["Metadata"]["AWS::ServerlessRepo::Application"]
    assert re.fullmatch(r"[a-zA-Z0-9-]{1,140}", told["Name"])
    assert 1 <= len(told["Description"]) <= 256
    assert 1 <= len(told["Author"]) <= 127
    assert len(told["Labels"]) <= 10
    assert all(re.fullmatch(r"[a-zA-Z0-9+_:/@-]{1,127}", label) for label in told["Labels"])
    package = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert told["SemanticVersion"] == package["version"]
    assert told["SpdxLicenseId"] == "Apache-2.0"
    assert "Apache License" in (ROOT / told["LicenseUrl"]).read_text()
    assert (ROOT / told["ReadmeUrl"]).stat().st_size <= 256_000


@pytest.mark.sam
@pytest.mark.timeout(300)
def test_package_for_the_repository(built: Path, tmp_path: Path) -> None:
    """`sam package` uploads functions, layers, licence and README, and the template that it writes is valid."""
    target = tmp_path / "packaged.yaml"
    with EmbeddedAws() as aws:
        storage = aws.client("s3")
        region = storage.meta.region_name
        storage.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
        ended = sam(
            *("package", "--template-file", str(built / "template.yaml"), "--s3-bucket", BUCKET),
            *("--region", region, "--output-template-file", str(target)),
            path=f"{SAM.parent}:{os.environ['PATH']}",
            **aws.environment("CheckFunction"),
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        kept = {item["Key"] for item in storage.list_objects_v2(Bucket=BUCKET)["Contents"]}
    packaged = yaml_parse(target.read_text())
    told = packaged["Metadata"]["AWS::ServerlessRepo::Application"]
    places = [told["LicenseUrl"], told["ReadmeUrl"]]
    built_parts = [
        resource["Properties"]
        for resource in packaged["Resources"].values()
        if resource["Type"] in ("AWS::Serverless::Function", "AWS::Serverless::LayerVersion")
    ]
    places += [part.get("CodeUri") or part["ContentUri"] for part in built_parts]
    assert {place.removeprefix(f"s3://{BUCKET}/") for place in places} == kept
    assert len(places) == 2 + 5 + 3
    checked = sam("validate", "--template-file", str(target), "--lint", path=f"{SAM.parent}:{os.environ['PATH']}")
    assert checked.returncode == 0, checked.stdout + checked.stderr
