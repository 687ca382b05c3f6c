"""template.yaml as CloudFormation gets it: SAM's own translation, with the resources by logical id."""

import functools
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from local.aws import TEMPLATE, translated

FUNCTIONS = ("DispatchFunction", "CheckFunction", "NotifyFunction", "AuditHostFunction", "DashboardFunction")


@functools.cache
def source() -> dict[str, Any]:
    """Return the template as it is written."""
    template: dict[str, Any] = yaml_parse(TEMPLATE.read_text())
    return template


@functools.cache
def resources() -> dict[str, Any]:
    """Return the translated resources."""
    found: dict[str, Any] = translated({})["Resources"]
    return found


def of_type(kind: str) -> dict[str, Any]:
    """Return the properties of every resource of a type, by logical id."""
    return {name: item.get("Properties", {}) for name, item in resources().items() if item["Type"] == kind}


def properties(name: str) -> dict[str, Any]:
    """Return the properties of one resource."""
    found: dict[str, Any] = resources()[name]["Properties"]
    return found


def get(name: str, attribute: str = "Arn") -> dict[str, list[str]]:
    """Return Fn::GetAtt as the translation writes it."""
    return {"Fn::GetAtt": [name, attribute]}


def keys(schema: list[dict[str, str]]) -> list[str]:
    """Return the key attributes, the hash key first."""
    return [key["AttributeName"] for key in sorted(schema, key=lambda key: key["KeyType"])]


def statements(role: str) -> list[dict[str, Any]]:
    """Return the statements of a role's inline policies, actions and resources always as lists."""
    return [
        {**statement, "Action": _listed(statement["Action"]), "Resource": _listed(statement["Resource"])}
        for policy in properties(role).get("Policies", [])
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
