"""The house keeps its shape: who may import whom, and where tables and topics are touched.

Where sockets are opened: test_sockets.py.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "layers" / "padlock" / "padlock"
ALLOWED: dict[str, set[str]] = {
    "times": set(),
    "explanations": set(),
    "site": {"explanations", "times"},
    "evidence": {"site"},
    "findings": set(),
    "network": set(),
    "probes": {"site", "evidence", "network"},
    "rules": {"site", "evidence", "findings"},
    "trail": {"evidence"},
    "causes": {"findings"},
    "changes": {"findings"},
    "silence": {"site", "times", "changes"},
    "acknowledging": {"site", "times", "changes"},
    "digest": set(),
    "message": {"findings", "changes", "digest", "render"},
    "render": {"findings", "record"},
    "checklist": {"findings"},
    "record": {"checklist", "findings"},
    "assess": {"evidence", "findings", "rules", "causes", "checklist", "site"},
    "storage": {"evidence", "findings", "changes", "record"},
    "outage": {"evidence", "findings", "changes", "storage"},
    "alerting": {"changes", "findings", "message", "storage"},
    "weekly": {"alerting", "digest", "message", "storage"},
    "schedule": {"site", "storage"},
    "channels": {"message", "storage"},
    "notify": {"channels", "storage"},
    "dashboard": {"acknowledging", "changes", "findings", "render", "schedule", "site", "storage"},
    "heartbeat": {"network"},
}
"""Module or package → what it may import of ours, itself aside."""
LEAVES = {"cli", "functions"}
"""Nothing imports these."""


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides its direction"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(path: Path) -> str:
    """Return the module or package of the library that a file belongs to."""
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def ours(path: Path) -> set[str]:
    """Return the parts of the library that a file imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("padlock.")}


FILES = sorted(LIBRARY.rglob("*.py"))


@pytest.mark.parametrize("part", ALLOWED)
def test_import_directions(part: str) -> None:
    """Each part imports only what stands before it on the way from a site to an alert."""
    files = [path for path in FILES if part_of(path) == part]
    assert files, f"{part} has no file"
    for path in files:
        assert ours(path) <= ALLOWED[part] | {part}, f"{path.relative_to(ROOT)} imports against the direction"


def test_nothing_imports_the_ends() -> None:
    """The command line and the handlers import the library; the library imports neither."""
    for path in FILES:
        if part_of(path) not in LEAVES:
            assert not ours(path) & LEAVES, path
            assert not any(name.split(".")[0] == "functions" for name in imports(path)), path


@pytest.mark.parametrize(
    ("service", "part"),
    [("dynamodb", "storage"), ("sns", "notify"), ("sqs", "schedule"), ("ssm", "audit"), ("ec2", "audit")],
)
def test_one_place_for_each_service(service: str, part: str) -> None:
    """Only storage speaks to DynamoDB, only notify publishes, only schedule queues, only audit runs commands."""
    handlers = sorted((ROOT / "functions").rglob("*.py"))
    users = [p for p in [*FILES, *handlers] if f'boto3.client("{service}"' in p.read_text(encoding="utf-8")]
    assert {part_of(path) if path in FILES else str(path) for path in users} == {part}


def test_rules_are_pure() -> None:
    """Rules, causes, assessment and policies read no clock, no file, no environment and no chance."""
    impure = {"os", "time", "random", "secrets", "pathlib", "asyncio", "boto3", "io", "subprocess"}
    for path in FILES:
        pure = ("rules", "causes", "assess", "checklist", "evidence", "findings", "times", "silence")
        if part_of(path) in pure:
            used = {name.split(".")[0] for name in imports(path)} & impure
            assert not used, f"{path.relative_to(ROOT)} imports {used}"
            assert ".now(" not in path.read_text(encoding="utf-8"), path


def test_files_stay_small() -> None:
    """No source file reaches 400 lines."""
    for path in FILES:
        assert len(path.read_text(encoding="utf-8").splitlines()) < 400, path
