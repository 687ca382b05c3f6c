"""The command line's grammar, with examples at every level of --help."""

import argparse
import importlib.metadata

from padlock.cli.grammar import learning, looking, stack
from padlock.cli.grammar.common import Parser, described


def parser() -> argparse.ArgumentParser:
    """Return the grammar of `padlock`; each command sets `run`, a function of the parsed options."""
    main = described(
        Parser(prog="padlock"),
        "Check whether a site's domain and HTTPS set-up work, and name what is wrong and the command that fixes it.",
        "# what is wrong with a site, and what heals it\n"
        "padlock check example.com\n"
        "# what a code means\n"
        "padlock explain certificate.expired\n"
        "# during a launch: what changes, until all is green\n"
        "padlock watch example.com\n"
        "# in CI\n"
        "padlock check --site-file sites.yaml --strict --format junit >padlock.xml\n"
        "# for the launch file\n"
        "padlock record example.com >launch.md\n"
        "# the deployed stack: what it checks, how it is, what was\n"
        "padlock sites add example.com\n"
        "padlock status\n"
        "padlock history example.com\n"
        "# more of each\n"
        "padlock COMMAND --help",
    )
    main.add_argument("--version", action="version", version=f"padlock {importlib.metadata.version('padlock')}")
    commands = main.add_subparsers(metavar="COMMAND", required=True)
    looking.add(commands)
    learning.add(commands)
    stack.add(commands)
    return main
