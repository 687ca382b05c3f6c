"""The commands that README.md and docs/ tell readers to run, and what stands in for the AWS command line.

The AWS command line is the SDK's models in another spelling: `aws SERVICE OPERATION --member value`. A command is
held to the model, and carried out by the SDK.
"""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import botocore.session
import jmespath  # type: ignore[import-untyped]  # it ships no types
import msgspec
from botocore import xform_name
from botocore.model import OperationModel, Shape

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")) if page.name not in ("alerts.md", "checks.md")
)
"""Pages that people write; what mails and findings say is tested with them."""
PROGRAMS = ("make", "sudo make", "padlock", ".venv/bin/padlock", "aws", "sam", "ssh", "sudo .venv/bin/padlock")
_GLOBAL = ("query", "output", "region", "profile", "cli-binary-format", "cli-read-timeout", "no-cli-pager")
_PAGED = ("max-items", "page-size", "starting-token")
_RENAMED = {"subscribe": {"notification-endpoint": "Endpoint"}}
"""Operation → the AWS command line's own names of members that would mean something else there."""
_SESSION = botocore.session.Session()


class Command(msgspec.Struct, frozen=True):
    """One command of a page."""

    page: str
    line: int
    text: str

    @property
    def place(self) -> str:
        """Return how a failing test names it."""
        return f"{self.page}:{self.line} {self.text[:60]}"


class WrongCommand(ValueError):
    """A command that its program would refuse; the text says why."""


def commands(pages: Sequence[Path] = PAGES) -> Iterator[Command]:
    """Yield every command of code blocks, continuation lines joined, comments and prompts cut off."""
    for page in pages:
        fenced, whole, began = False, "", 0
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
            if line.lstrip().startswith("```"):
                fenced = not fenced
                continue
            if not (fenced or line.startswith("    ")) and not whole:
                continue
            began = began if whole else number
            whole += line.strip()
            if whole.endswith("\\"):
                whole = whole[:-1]
                continue
            if re.match(rf"(\w+=\$\()?({'|'.join(map(re.escape, PROGRAMS))}) ", whole):
                yield Command(page.name, began, whole)
            whole = ""


def substituted(text: str, values: Mapping[str, str]) -> str:
    """Return a command with its variables filled in."""
    return re.sub(r"\$(\w+)", lambda found: values.get(found[1], found[0]), text)


def calls(text: str) -> Iterator[list[str]]:
    """Yield the words of each `aws` command in a line, what stands in $(…) first."""
    inner = re.findall(r"\$\((aws [^()]*(?:\([^()]*\)[^()]*)*)\)", text)
    for part in inner:
        yield from calls(part)
    outer = text
    for part in inner:
        outer = outer.replace(f"$({part})", "SUBSTITUTED")
    if outer.startswith("aws "):
        yield shlex.split(outer, comments=True)


class Call(msgspec.Struct, frozen=True):
    """An `aws` command as the SDK takes it."""

    service: str
    method: str
    arguments: dict[str, Any]
    query: str

    def of(self, client: Any) -> Any:
        """Carry it out, and return what `--query` leaves of the answer."""
        answer = getattr(client, self.method)(**self.arguments)
        return jmespath.search(self.query, answer) if self.query else answer


def read(words: Sequence[str]) -> Call:
    """Read the words of an `aws` command by the service's model; WrongCommand where it would be refused."""
    _, service, operation, *rest = words
    model = _SESSION.get_service_model(service)
    named = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in named:
        raise WrongCommand(f"{service} has no {operation}")
    known = model.operation_model(named[operation])
    arguments, others = _arguments(known, rest)
    members = known.input_shape.required_members if known.input_shape else []
    lacking = set(members) - arguments.keys()
    if lacking:
        raise WrongCommand(f"{operation} lacks {', '.join(sorted(lacking))}")
    return Call(service, xform_name(named[operation]), arguments, others.get("query", ""))


def _arguments(operation: OperationModel, words: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
    members = {xform_name(name, "-"): name for name in _members(operation)}
    members |= _RENAMED.get(xform_name(operation.name, "-"), {})
    arguments: dict[str, Any] = {}
    others: dict[str, str] = {}
    left = list(words)
    while left:
        word = left.pop(0)
        if not word.startswith("--"):
            others[word] = word  # the file that an answer's payload goes to
            continue
        option = word.removeprefix("--")
        if option in members or option.removeprefix("no-") in members:
            member = members.get(option) or members[option.removeprefix("no-")]
            shape = _members(operation)[member]
            if shape.type_name == "boolean":
                arguments[member] = option in members
            else:
                arguments[member] = _value(shape, _taken(left, word))
        elif option in _GLOBAL or option in _PAGED:
            others[option] = _taken(left, word)
        else:
            raise WrongCommand(f"{operation.name} has no option {word}")
    return arguments, others


def _members(operation: OperationModel) -> Mapping[str, Shape]:
    return operation.input_shape.members if operation.input_shape else {}


def _taken(left: list[str], option: str) -> str:
    if not left:
        raise WrongCommand(f"{option} has no value")
    return left.pop(0)


def _value(shape: Shape, text: str) -> Any:
    """Read a value: JSON or shorthand of structures, lists and maps, otherwise the text itself."""
    if shape.type_name in ("structure", "map", "list"):
        if text[:1] in "{[":
            return json.loads(text)
        pairs = dict(pair.split("=", 1) for pair in text.split(",")) if "=" in text else text
        return [pairs] if shape.type_name == "list" else pairs
    if shape.type_name in ("integer", "long"):
        return int(text)
    return text
