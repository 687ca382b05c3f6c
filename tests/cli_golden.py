"""The texts of --help, as they are kept in tests/golden/help: python -m tests.cli_golden writes them anew."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from padlock.cli.arguments import parser

GOLDEN = Path(__file__).parent / "golden" / "help"
COLUMNS = "100"


def commands() -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield `padlock`, each command and each of its actions, by their names."""

    def walk(name: str, grammar: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
        yield name, grammar
        for action in grammar._actions:
            if isinstance(action, argparse._SubParsersAction):
                for inner, each in action.choices.items():
                    yield from walk(f"{name} {inner}", each)

    yield from walk("padlock", parser())


def text(grammar: argparse.ArgumentParser) -> str:
    """Return the help of a command as a terminal of a fixed width shows it."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = COLUMNS
    try:
        return grammar.format_help()
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


def file_of(name: str) -> Path:
    """Return where the help of a command is kept."""
    return GOLDEN / f"{name.replace(' ', '-')}.txt"


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name, grammar in commands():
        file_of(name).write_text(text(grammar), encoding="utf-8")
