"""The commands of the soak test: `python -m tests.soak run`, `mutants` and `fleet`."""

import argparse
import sys

from tests.soak import fleet, mutants, runs


def main() -> int:
    """Do what the command line asks for; return the exit status: 0 all holds, 1 something does not."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (runs, mutants, fleet):
        name, text = module.COMMAND
        command = commands.add_parser(name, help=text, description=text)
        module.add_options(command)
        command.set_defaults(action=module.main)
    options = parser.parse_args()
    status: int = options.action(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
