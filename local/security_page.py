"""The parts of docs/security.md that are facts of the template and of the code: python -m local.security_page.

Each stands between marks, `<!-- rights: CheckRole -->` and `<!-- end -->`; what is around them is written by hand.
"""

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from padlock.network import limits

from local.aws import translated

DOCUMENT = Path(__file__).parent.parent / "docs" / "security.md"
MARKED = re.compile(r"<!-- (rights|caps): ([\w ]+) -->\n.*?<!-- end -->\n", re.DOTALL)
UNITS = {"_SECONDS": "s", "_BYTES": "octets"}
BESIDE: Mapping[str, Mapping[str, str]] = {
    "answers": {
        "checking.GRACE": "s beyond a site's time in which gathering must have ended",
        "probes.references.SHOWN": "references of a page that are kept beside their number",
    },
    "hosts": {
        "probes.host.document.PLAIN_BYTES": "octets of what a host answers",
        "probes.host.document.INFLATED_BYTES": "octets of it once inflated",
        "probes.host.document.SECTIONS": "sections",
        "probes.host.document.ROWS": "lines of fields of one section",
        "probes.host.nginx_config.LARGEST": "octets of nginx's configuration that are parsed",
        "probes.host.nginx_config.DEEPEST": "blocks inside each other",
    },
    "storage": {
        "storage._items.MAX_ITEM": "octets of an item",
        "storage.hosts.MAX_OCTETS": "octets of one machine's evidence, compressed",
        "storage.cache.MAX_VALUE": "octets of a value of the cache",
        "schedule.queue.MAX_BODY": "octets of one request to the queue",
        "message.MAX_MESSAGE": "octets of a mail",
        "message.subject.MAX_TITLE": "characters of a mail's subject, printable ASCII in one line",
        "message.machines.MAX_EVENT": "octets of an event",
        "render.escape.LIMIT": "characters of one value that are shown",
        "site.MAX_HOSTS": "hosts of one site",
        "on_demand.MAX_SITES": "sites of one event from the console",
    },
}
"""Caps that stand beside what they bound: where, and what they are of."""


def document() -> str:
    """Return the page as it should be: what is marked is made anew, the rest is as it stands."""
    return MARKED.sub(_made, DOCUMENT.read_text(encoding="utf-8"))


def _made(marked: re.Match[str]) -> str:
    kind, name = marked[1], marked[2]
    makers: Mapping[str, Callable[[str], str]] = {"rights": rights, "caps": caps}
    return f"<!-- {kind}: {name} -->\n{makers[kind](name)}<!-- end -->\n"


# --- rights -------------------------------------------------------------------------------------------------------


def rights(role: str) -> str:
    """Return the statements of a role of the translated template as a table."""
    statements = [
        statement
        for policy in translated({})["Resources"][role]["Properties"]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    rows = [
        f"| {statement['Sid']} | {_codes(statement['Action'])} | {_resources(statement['Resource'])} |"
        f" {'; '.join(_conditions(statement.get('Condition', {})))} |\n"
        for statement in statements
    ]
    return "| statement | may | on | only where |\n|---|---|---|---|\n" + "".join(rows)


def _codes(value: Any) -> str:
    return ", ".join(f"`{one}`" for one in (value if isinstance(value, list) else [value]))


def _resources(value: Any) -> str:
    return _codes([_resource(one) for one in (value if isinstance(value, list) else [value])])


def _resource(value: Any) -> str:
    """Return what an ARN of the template stands for, by logical ids."""
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), "Arn"]}:
            return name
        case {"Fn::GetAtt": [str(name), str(attribute)]}:
            return f"{name}.{attribute}"
        case {"Fn::Sub": str(text)}:
            here = re.sub(r"^arn:\$\{AWS::Partition\}:\w+:\$\{AWS::Region\}:\$\{AWS::AccountId\}:", "", text)
            return re.sub(r"\$\{(\w+)(\.Arn)?\}", r"\1", here)
    return str(value)


def _conditions(written: Mapping[str, Any]) -> Iterator[str]:
    for operator, keys in written.items():
        for key, values in keys.items():
            what = "the partition key" if key == "dynamodb:LeadingKeys" else f"`{key}`"
            yield f"{what} is {'not ' if 'Not' in operator else ''}{_resources(values)}"


# --- caps ---------------------------------------------------------------------------------------------------------


def caps(which: str) -> str:
    """Return a table of caps: those of network/limits.py, or one of those that stand elsewhere."""
    if which == "network":
        said = documented()
        rows = [(name, getattr(limits, name), said.get(name, "")) for name in vars(limits) if name.isupper()]
        return _table(rows)
    return _table([(name, value(name), said) for name, said in BESIDE[which].items()])


def _table(rows: list[tuple[str, Any, str]]) -> str:
    lines = [f"| `{name}` | {shown(number)} | {said} |\n" for name, number, said in rows]
    return "| cap | value | of |\n|---|---|---|\n" + "".join(lines)


def shown(number: float) -> str:
    """Return a number as the page has it: 1,000,000 and 2.5."""
    return f"{int(number):,}" if number == int(number) else str(number)


def documented() -> dict[str, str]:
    """Return what network/limits.py says of its constants, in their order: the unit and what they bound."""
    body = ast.parse(inspect.getsource(limits)).body
    found = {}
    for statement, after in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            name = statement.targets[0].id
            unit = next((unit for suffix, unit in UNITS.items() if name.endswith(suffix)), "")
            match after:
                case ast.Expr(ast.Constant(str(text))):
                    said = " ".join(text.split()).removesuffix(".")
                    said = said[0].lower() + said[1:]
                case _:
                    said = ""
            found[name] = f"{unit} {said}".strip()
    return found


def value(name: str) -> Any:
    """Return a cap by its dotted name below padlock."""
    module, _, constant = name.rpartition(".")
    return getattr(importlib.import_module(f"padlock.{module}"), constant)


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
