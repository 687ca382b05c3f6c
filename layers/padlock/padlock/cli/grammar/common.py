"""What the grammars of several commands share: how help looks, the options that many take, what options hold."""

import argparse
import difflib
import ipaddress
import os
import re
from collections.abc import Sequence
from typing import NoReturn, override
from urllib.parse import urlsplit

from padlock.network.vantage import Endpoint, endpoint
from padlock.render.escape import printable
from padlock.times import length

type Commands = "argparse._SubParsersAction[argparse.ArgumentParser]"

EXIT_STATUS = """exit status:
  0    healthy: no finding above the ones that fail
  1    an error was found; with --strict also a warning
  2    wrong usage, a wrong entry, a fault of Padlock's, or a site of which nothing could be seen
  130  interrupted
The highest applies where several sites are checked."""
SHOWN = """exit status:
  0    shown
  2    wrong usage, or there is nothing to show"""
CREDENTIALS = "Credentials and region are those of the AWS command line: AWS_PROFILE, AWS_REGION and so on."
_CHOICE = re.compile(r"invalid choice: '(.*)' \(choose from (.*)\)$", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are safe to show: argparse writes unknown arguments as they are."""

    @override
    def error(self, message: str) -> NoReturn:
        super().error(printable(message + _meant(message)))


def _meant(message: str) -> str:
    """Return which choice was probably meant, for a complaint of a wrong one."""
    wrong = _CHOICE.search(message)
    if wrong is None:
        return ""
    close = difflib.get_close_matches(wrong[1][:80], [choice.strip("'") for choice in wrong[2].split(", ")], 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def described(
    parser: argparse.ArgumentParser, description: str, examples: str, notes: str = ""
) -> argparse.ArgumentParser:
    """Give a parser its description, its examples, and what every command understands."""
    shown = "\n".join(f"  {line}".rstrip() for line in examples.split("\n"))
    parser.description = description
    parser.epilog = f"examples:\n{shown}" + (f"\n\n{notes}" if notes else "")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    debug = os.environ.get("PADLOCK_DEBUG", "0").lower() not in ("", "0", "no", "false", "off")
    parser.set_defaults(debug=debug)
    return parser


def command(
    commands: Commands, name: str, description: str, examples: str, notes: str = ""
) -> argparse.ArgumentParser:
    """Add a command and return its parser."""
    parser = described(commands.add_parser(name, help=description), description, examples, notes)
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show a fault's traceback")
    return parser


def formats(parser: argparse.ArgumentParser, choices: Sequence[str], json: str) -> None:
    """Let a command write in several formats, the first of them by itself; `json` is the help of its own flag."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--format",
        choices=choices,
        default=choices[0],
        metavar="FORMAT",
        help=f"{', '.join(choices[:-1])} or {choices[-1]} (default: %(default)s)",
    )
    group.add_argument("--json", dest="format", action="store_const", const="json", help=json)


def on_stack(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the deployed stack."""
    parser.add_argument("--stack", default="padlock", help="the deployed stack (default: %(default)s)")


def on_table(parser: argparse.ArgumentParser) -> None:
    """Add the options that name the deployed stack, or its table."""
    on_stack(parser)
    parser.add_argument("--table", default="", help="the table's name, instead of looking it up in the stack")


def resolver(text: str) -> Endpoint:
    """Read `IP`, `IP:PORT` or `[IPv6]:PORT`; ArgumentTypeError where it is none."""
    try:
        return endpoint(text)
    except ValueError as error:
        form = "write an address with or without a port: 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:53"
        raise argparse.ArgumentTypeError(f"{error}; {form}") from None


def network(text: str) -> str:
    """Read a CIDR range; ArgumentTypeError where it is none."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no CIDR range such as 10.0.0.0/8: {error}") from None


def url(text: str) -> str:
    """Read the URL of a service; ArgumentTypeError where it is none."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        usable = False
    if not usable:
        raise argparse.ArgumentTypeError(f"{text!r} is no URL such as https://crt.sh/")
    return text


def pause(text: str) -> int:
    """Read the time between two looks, in seconds; ArgumentTypeError where it is none."""
    return _span(text, "1s", "1h")


def patience(text: str) -> int:
    """Read how long to wait, in seconds; ArgumentTypeError where it is none."""
    return _span(text, "1s", "1d")


def _span(text: str, shortest: str, longest: str) -> int:
    """Read seconds, or a length of time such as 15m."""
    try:
        return length(text + "s" if text.isdecimal() else text, shortest, longest)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def count(text: str) -> int:
    """Read how many lines to show; ArgumentTypeError where it is no such number."""
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text):
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is no number from 1 to 9999")
    return int(text)
