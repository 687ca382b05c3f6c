"""`padlock completion`: what lets a shell complete Padlock's commands, options and codes, made from the grammar."""

import argparse
from collections.abc import Iterator, Mapping

from padlock.cli.catalogue import codes, related
from padlock.cli.output import FAULT, HEALTHY, complain, write

SHELLS = ("bash", "zsh", "fish")
FILES = ("FILE", "FILE|TIME", "EVIDENCE")
"""Metavars of options and arguments that take a file."""


def completion(options: argparse.Namespace) -> int:
    """Print the script for a shell; return the exit status."""
    try:
        import shtab  # noqa: PLC0415 — only this command needs it
    except ImportError:
        complain("the package shtab is missing: `pip install shtab`, or install Padlock with its extra `cli`")
        return FAULT
    from padlock.cli.arguments import parser  # noqa: PLC0415 — it imports this module

    grammar = parser()
    for action in _actions(grammar):
        _describe(action, shtab.FILE)
    write(shtab.complete(grammar, options.shell).rstrip("\n") + "\n")
    return HEALTHY


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield every option and argument of every command."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _actions(inner)


def _describe(action: argparse.Action, file: Mapping[str, object]) -> None:
    """Say what may be completed in the place of an argument."""
    if action.metavar in FILES:
        vars(action)["complete"] = file  # shtab reads it there
    elif action.metavar == "CODE":
        more = {"codes": tuple(related()), "clear": ("all",)}.get(action.dest, ())
        action.choices = [*codes(), *more]
