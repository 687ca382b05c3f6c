"""The JSON schema of reports in docs/report.schema.json, made from their types: python -m local.report_schema.

It is of what `padlock check --json` prints: one report, as each line of `--format ndjson` is, or an array of
them.
"""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from padlock import findings
from padlock.findings import Report

DOCUMENT = Path(__file__).parent.parent / "docs" / "report.schema.json"


def document() -> str:
    """Return the schema, with what the types say of their fields."""
    made = msgspec.json.schema(Report)
    parts: dict[str, Any] = made["$defs"]
    for name, part in parts.items():
        kind = getattr(findings, name)
        for field, text in _descriptions(kind):
            if field in part.get("properties", {}):
                part["properties"][field] = _described(part["properties"][field], text)
        if issubclass(kind, msgspec.Struct):
            for info in msgspec.structs.fields(kind):
                if isinstance(msgspec.inspect.type_info(info.type), msgspec.inspect.DateTimeType):
                    part["properties"][info.encode_name]["format"] = "date-time"
    one = {"$ref": made["$ref"]}
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Reports of padlock check",
        "description": "One report, or an array of them where several sites were asked for. Fields may be added.",
        "anyOf": [one, {"type": "array", "items": one}],
        "$defs": parts,
    }
    return json.dumps(schema, indent=2) + "\n"


def _described(field: dict[str, Any], text: str) -> dict[str, Any]:
    return {"description": text, **field}


def _descriptions(kind: type) -> Iterator[tuple[str, str]]:
    """Yield the fields of a type that have a text beneath them, with that text in one line."""
    [body] = [node.body for node in ast.parse(textwrap.dedent(inspect.getsource(kind))).body if hasattr(node, "body")]
    for field, text in pairwise(body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(said))):
                yield name, " ".join(said.split())


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
