"""The commands of the measurements: `python -m tests.bench compare`, `cold`, `fleet`, `count`, `page`."""

import argparse
import signal
import sys

from tests.bench import cold, compare, count, fleet, page


def main() -> int:
    """Do what the command line asks for; return the exit status: 0 all holds, 1 something does not."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for module in (compare, cold, fleet, count, page):
        name, text = module.COMMAND
        command = commands.add_parser(name, help=text, description=text)
        module.add_options(command)
        command.set_defaults(action=module.main)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    status: int = options.action(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
