"""Each command that the documentation tells readers to run is one that its program takes; queries are carried out."""

import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from padlock.cli.arguments import parser
from padlock.storage import Results

from local.aws import EmbeddedAws
from tests.documented import ROOT, Command, WrongCommand, calls, commands, read, substituted
from tests.reports import NOW, finding, report
from tests.runs import stored
from tests.stack.conftest import SAM
from tests.stack.translated import source

FOUND = list(commands())
TARGETS = set(re.findall(r"(?m)^([a-z-]+):", (ROOT / "Makefile").read_text()))
CARRIED_OUT = ("dynamodb query", "dynamodb put-item", "dynamodb update-item")


def of(*programs: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test for each command of these programs."""
    chosen = [command for command in FOUND if command.text.removeprefix("sudo ").startswith(programs)]
    assert chosen, programs
    return pytest.mark.parametrize("command", chosen, ids=lambda command: command.place)


@pytest.mark.parametrize("command", FOUND, ids=lambda command: command.place)
def test_a_shell_takes_it(command: Command) -> None:
    """It can be pasted."""
    subprocess.run(["bash", "-n", "-c", command.text], check=True, timeout=10)


@of("make ")
def test_make_has_the_target(command: Command) -> None:
    """Targets exist, and what is set on the line is a variable that the Makefile reads."""
    makefile = (ROOT / "Makefile").read_text()
    _, *words = shlex.split(command.text.removeprefix("sudo "), comments=True)
    for word in words:
        name, is_set, _ = word.partition("=")
        assert (f"$({name})" in makefile or name in ("ALLOWED_NETWORKS", "RESOLVERS")) if is_set else word in TARGETS


@of("padlock ", ".venv/bin/padlock ")
def test_padlock_takes_it(command: Command) -> None:
    """The command line parses it; what stands behind a pipe or in brackets is another command."""
    line = re.split(r" \| | > | < |\)", command.text.removeprefix("sudo "))[0]
    parser().parse_args(shlex.split(line, comments=True)[1:])


@of("sam ")
@pytest.mark.sam
def test_sam_has_the_options(command: Command) -> None:
    """The SAM CLI's own help names each subcommand and option."""
    if not SAM.exists():
        pytest.skip("the SAM CLI is not installed: make .venv-sam/.installed")
    for part in command.text.split(" && "):
        _, *words = shlex.split(part, comments=True)
        subcommand = [word for word in words[:2] if re.fullmatch(r"[a-z]+", word)]
        told = subprocess.run([SAM, *subcommand, "--help"], capture_output=True, text=True, check=True, timeout=60)
        for option in (word.partition("=")[0] for word in words if word.startswith("--")):
            assert option in told.stdout, option


AWS = [(command, words) for command in FOUND for words in calls(re.sub(r"^\w+=\$\((.*)\)$", r"\1", command.text))]


@pytest.mark.parametrize(("command", "words"), AWS, ids=lambda value: getattr(value, "place", ""))
def test_aws_has_the_operation(command: Command, words: list[str]) -> None:
    """The service's model has the operation, its options, and all that it requires."""
    assert read(words).service, command


def test_a_wrong_command_is_noticed() -> None:
    """What holds the commands would not let each pass."""
    for wrong in (
        "aws dynamodb querry --table-name T",
        "aws dynamodb query --table T",
        "aws dynamodb put-item --table-name T",
        "aws dynamodb query --table-name",
    ):
        with pytest.raises(WrongCommand):
            read(wrong.split())


def test_outputs_that_commands_ask_for_exist() -> None:
    """A command that picks an output by its key picks one that the stack has."""
    asked = {key for command in FOUND for key in re.findall(r"OutputKey=='(\w+)'", command.text)}
    assert asked
    assert asked <= source()["Outputs"].keys()


@pytest.fixture(scope="module")
def aws() -> Iterator[EmbeddedAws]:
    """Return an embedded AWS that knows of a failing and a healthy site."""
    with EmbeddedAws() as running:
        results = Results(running.client("dynamodb"), running.physical["ResultsTable"])
        soon = datetime.now(UTC) + timedelta(days=3)
        stored(
            results,
            report(finding("certificate.expired"), expires=NOW + timedelta(days=2)),
            slot="2026-11-20T12:00:00Z",
        )
        stored(
            results, report(finding("port.https_closed"), site="b.example", expires=soon), slot="2026-11-20T12:00:00Z"
        )
        yield running


QUERIES = [pair for pair in AWS if " ".join(pair[1][1:3]) in CARRIED_OUT]


@pytest.mark.parametrize(("command", "words"), QUERIES, ids=lambda value: getattr(value, "place", ""))
def test_a_command_for_tables_does_what_it_says(aws: EmbeddedAws, command: Command, words: list[str]) -> None:
    """It is carried out on the template's own tables; a query of sites finds what it promises."""
    tables = {"RESULTS": aws.physical["ResultsTable"], "SITES": aws.physical["SitesTable"]}
    call = read([substituted(word, tables) for word in words])
    answer: Any = call.of(aws.client(call.service))
    if call.method == "query" and "host#" not in command.text:
        assert answer, "the query found nothing"
        rows = answer if call.query else answer["Items"]
        assert all(rows), rows
        assert not any(cell is None for row in rows if isinstance(row, list) for cell in row), rows
