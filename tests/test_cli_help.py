"""--help of every command: golden texts, examples that the command itself takes, and what a typing error meant."""

import argparse
import re
import shlex

import pytest
from padlock.cli import main
from padlock.cli.arguments import parser

from tests.cli_golden import GOLDEN, commands, file_of, text

ALL = dict(commands())
LEAVES = {name: grammar for name, grammar in ALL.items() if not any(other.startswith(f"{name} ") for other in ALL)}


@pytest.mark.parametrize("name", ALL)
def test_golden(name: str) -> None:
    """The help of each command is what it was; `python -m tests.cli_golden` writes what was changed on purpose."""
    assert text(ALL[name]) == file_of(name).read_text(encoding="utf-8")


def test_no_golden_text_is_left_over() -> None:
    """Each golden text is of a command that there is."""
    assert {path.name for path in GOLDEN.iterdir()} == {file_of(name).name for name in ALL}


@pytest.mark.parametrize("name", ALL)
def test_examples_are_commands(name: str) -> None:
    """Each example is understood by the command that it is an example of."""
    found = examples(ALL[name])
    assert found
    for line in found:
        if "COMMAND" not in line:
            parser().parse_args(shlex.split(line)[1:])


@pytest.mark.parametrize("name", LEAVES)
def test_examples_show_the_command_itself(name: str) -> None:
    """A command's examples are of that command, most of all."""
    assert any(line.startswith(name) for line in examples(ALL[name]))


@pytest.mark.parametrize("name", LEAVES)
def test_exit_status_is_told(name: str) -> None:
    """Whoever writes a script learns what the exit status means, where it is more than success and wrong usage."""
    apart = {"padlock sites add", "padlock sites list", "padlock sites remove", "padlock sites import", "padlock ack"}
    assert ("exit status:" in text(ALL[name])) == (name not in apart)


def examples(grammar: argparse.ArgumentParser) -> list[str]:
    """Return the calls of padlock in the examples of a command, without what a shell takes for itself."""
    block = (grammar.epilog or "").partition("examples:\n")[2].partition("\n\n")[0]
    lines = [line for line in block.splitlines() if not line.strip().startswith("#")]
    inner = [found for line in lines for found in re.findall(r"\$\(([^)]*)\)", line)]
    outer = [part for line in lines for part in re.split(r"[|;]|&&", re.sub(r'"?\$\([^)]*\)"?', "x", line))]
    calls = [call.strip().removeprefix("sudo ") for call in (*inner, *outer)]
    return [re.split(r" [<>]", call)[0] for call in calls if call.startswith("padlock ")]


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["chekc", "example.com"], "did you mean 'check'?"),
        (["check", "--format", "jnit", "example.com"], "did you mean 'junit'?"),
        (["sites", "ad", "example.com"], "did you mean 'add'?"),
        (["completion", "bsh"], "did you mean 'bash'?"),
    ],
)
def test_typing_errors(arguments: list[str], meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A word that is nearly one of the choices is named."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.rstrip().endswith(meant)


def test_a_word_that_is_no_choice_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is guessed where nothing is near, and what was typed drives no terminal."""
    with pytest.raises(SystemExit):
        main(["\x1b[31mxyzzy'"])
    said = capsys.readouterr().err
    assert "did you mean" not in said
    assert "\x1b" not in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0", "no length of time"),
        ("2h", "out of range; use 1s to 1h"),
        ("soon", "no length of time"),
        ("99999", "out of range"),
    ],
)
def test_pauses(text: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The time between two looks is bounded, in seconds or with a unit."""
    with pytest.raises(SystemExit):
        main(["watch", "example.com", "--every", text])
    assert said in capsys.readouterr().err
    assert parser().parse_args(["watch", "example.com", "--every", "5m"]).every == 300


@pytest.mark.parametrize("text", ["0", "-1", "10000", "many", "1e3"])
def test_limits(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The number of lines is from 1 to 9999."""
    with pytest.raises(SystemExit):
        main(["history", "example.com", f"--limit={text}"])
    assert "is no number from 1 to 9999" in capsys.readouterr().err
