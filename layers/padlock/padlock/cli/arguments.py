"""The command line's grammar, with examples at every level of --help."""

import argparse
import importlib.metadata
import ipaddress
import os
from typing import NoReturn, override
from urllib.parse import urlsplit

from padlock.cli import ack, alerts, audit_host, check, record, sites, status
from padlock.network.vantage import Endpoint, endpoint
from padlock.render.escape import printable

EXIT_STATUS = """exit status:
  0    healthy: no finding above the ones that fail
  1    an error was found; with --strict also a warning
  2    wrong usage, a wrong entry, a fault of Padlock's, or a site of which nothing could be seen
  130  interrupted
The highest applies where several sites are checked."""
CREDENTIALS = "Credentials and region are those of the AWS command line: AWS_PROFILE, AWS_REGION and so on."


class Parser(argparse.ArgumentParser):
    """A parser whose complaints are safe to show: argparse writes unknown arguments as they are."""

    @override
    def error(self, message: str) -> NoReturn:
        super().error(printable(message))


def parser() -> argparse.ArgumentParser:
    """Return the grammar of `padlock`; each command sets `run`, a function of the parsed options."""
    main = _parser(
        Parser(prog="padlock"),
        "Check whether a site's domain and HTTPS set-up work, and name what is wrong and the command that fixes it.",
        "padlock check example.com\n"
        "padlock check --site-file sites.yaml --json\n"
        "padlock sites add example.com\n"
        "padlock status\n"
        "padlock COMMAND --help",
    )
    main.add_argument("--version", action="version", version=f"padlock {importlib.metadata.version('padlock')}")
    commands = main.add_subparsers(metavar="COMMAND", required=True)
    _check(commands)
    _audit_host(commands)
    _assess(commands)
    _record(commands)
    _sites(commands)
    _ack(commands)
    _status(commands)
    _test_alert(commands)
    return main


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


def _parser(
    parser: argparse.ArgumentParser, description: str, examples: str, notes: str = ""
) -> argparse.ArgumentParser:
    """Give a parser its description, its examples, and what every command understands."""
    shown = "\n".join(f"  {line}" for line in examples.split("\n"))
    parser.description = description
    parser.epilog = f"examples:\n{shown}" + (f"\n\n{notes}" if notes else "")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    debug = os.environ.get("PADLOCK_DEBUG", "0").lower() not in ("", "0", "no", "false", "off")
    parser.set_defaults(debug=debug)
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    description: str,
    examples: str,
    notes: str = "",
) -> argparse.ArgumentParser:
    parser = _parser(commands.add_parser(name, help=description), description, examples, notes)
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help="show a fault's traceback")
    return parser


def _check(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands,
        "check",
        "Check sites from here and print what is wrong, why, and the command that fixes it.",
        "padlock check example.com\n"
        "padlock check example.com example.org --json\n"
        "padlock check --site-file sites.yaml --strict\n"
        "padlock check intranet.example.com --resolver 10.0.0.53 --allow-network 10.0.0.0/8 --ca-file ca.pem",
        EXIT_STATUS,
    )
    _looking(parser)
    _host_evidence(parser)
    parser.set_defaults(run=check.check, doing="checking the sites")


def _audit_host(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands,
        "audit-host",
        "Ask this machine, as root, how nginx, certificates, certbot and the firewall are set up on it; "
        "with SITE, check the site with that.",
        "sudo padlock audit-host example.com\n"
        "sudo padlock audit-host --out web-1.json\n"
        "padlock audit-host --script-path\n"
        "padlock check example.com --host-evidence web-1.json\n"
        'ssh web-1 sudo sh -s -- --full < "$(padlock audit-host --script-path)" | '
        "padlock check example.com --host-evidence -",
        f"Nothing is changed on the machine. Without SITE the document is printed.\n\n{EXIT_STATUS}",
    )
    parser.add_argument("--dry-run", action="store_true", help="also run `certbot renew --dry-run`: up to 90 s")
    parser.add_argument("--out", default="", metavar="FILE", help="write the document there")
    parser.add_argument(
        "--script-path", action="store_true", help="print where the collector is, a shell script without dependencies"
    )
    _looking(parser)
    parser.set_defaults(run=audit_host.audit_host, doing="auditing this machine")


def _looking(parser: argparse.ArgumentParser) -> None:
    """Add what says which sites are looked at, from where, and how they are reported."""
    parser.add_argument("sites", nargs="*", metavar="SITE", help="host name; its www or apex sibling is checked too")
    parser.add_argument(
        "--site-file",
        action="append",
        default=[],
        metavar="FILE",
        help="JSON or YAML with one site's declaration or a list of them, `-` for stdin; may be repeated",
    )
    _output(parser)
    parser.add_argument(
        "--resolver",
        action="append",
        default=[],
        type=resolver,
        metavar="IP[:PORT]",
        help="ask this resolver instead of the system's, without comparing it with public ones; may be repeated",
    )
    parser.add_argument(
        "--public-resolver",
        action="append",
        default=[],
        type=resolver,
        metavar="IP[:PORT]",
        help="compare with this resolver instead of 1.1.1.1, 8.8.8.8 and 9.9.9.9; may be repeated",
    )
    parser.add_argument(
        "--ct",
        type=url,
        metavar="URL",
        help="search of certificate-transparency logs, such as https://crt.sh/; none is asked otherwise",
    )
    parser.add_argument("--ca-file", default="", metavar="FILE", help="PEM file of authorities that are trusted too")
    parser.add_argument(
        "--allow-network",
        action="append",
        default=[],
        type=network,
        metavar="CIDR",
        help="also connect to addresses of this private or special range; may be repeated",
    )
    parser.add_argument(
        "--evidence-out", default="", metavar="FILE", help="write what was observed, as JSON for `padlock assess`"
    )


def _assess(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands,
        "assess",
        "Judge stored evidence anew, without a network, with the clock that it carries.",
        "padlock check example.com --evidence-out evidence.json\npadlock assess evidence.json",
        EXIT_STATUS,
    )
    parser.add_argument("evidence", metavar="EVIDENCE", help="file of `padlock check --evidence-out`, `-` for stdin")
    _output(parser)
    parser.set_defaults(run=check.judge, doing="judging the evidence")


def _record(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands,
        "record",
        "Print the deployment checklist of a site as Markdown, for a launch file: 18 steps, the final checklist and "
        "the five results.",
        "padlock record example.com >launch.md\n"
        "sudo padlock audit-host --dry-run --out web-1.json\n"
        "padlock record example.com --host-evidence web-1.json\n"
        "padlock check example.com --json >before.json; padlock record example.com --since before.json\n"
        "padlock record example.com --stored --at 2026-11-20 --since 2026-11-01",
        EXIT_STATUS,
    )
    _looking(parser)
    _host_evidence(parser)
    parser.add_argument(
        "--report",
        default="",
        metavar="FILE",
        help="of a report of `padlock check --json` instead of a new check, `-` for stdin",
    )
    parser.add_argument("--stored", action="store_true", help="of what the deployed stack stored")
    parser.add_argument(
        "--at", type=record.moment, metavar="TIME", help="with --stored: the last check before this time or date, UTC"
    )
    parser.add_argument(
        "--since",
        default="",
        metavar="FILE|TIME",
        help="say what changed: since a report of `padlock check --json`, or with --stored since a time or date",
    )
    _stack(parser)
    parser.set_defaults(run=record.record, doing="reading the results")


def _host_evidence(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host-evidence",
        action="append",
        default=[],
        metavar="FILE",
        help="what a machine behind the sites says of itself, by `padlock audit-host` there, `-` for stdin; "
        "may be repeated",
    )


def _stack(parser: argparse.ArgumentParser) -> None:
    _stack_alone(parser)
    parser.add_argument("--table", default="", help="the table's name, instead of looking it up in the stack")


def _stack_alone(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stack", default="padlock", help="the deployed stack (default: %(default)s)")


def _output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print the report as JSON; an array for several sites")
    parser.add_argument("--strict", action="store_true", help="a warning fails too")


def _sites(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _parser(
        commands.add_parser("sites", help="Manage the sites that the deployed stack checks."),
        "Manage the sites that the deployed stack checks, the items of its Sites table.",
        "padlock sites add example.com\n"
        "padlock sites import sites.yaml\n"
        "padlock sites list --stack padlock-staging\n"
        "padlock sites remove example.com",
        CREDENTIALS,
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    add = _command(
        actions, "add", "Add bare host names, with default intent.", "padlock sites add example.com example.org"
    )
    add.add_argument("sites", nargs="+", metavar="SITE", help="host name")
    add.set_defaults(run=sites.add, doing="adding sites")
    listing = _command(actions, "list", "List the declared sites.", "padlock sites list\npadlock sites list --json")
    listing.add_argument("--json", action="store_true", help="print the declarations as a JSON array, a site file")
    listing.set_defaults(run=sites.show, doing="listing the sites")
    remove = _command(actions, "remove", "Stop checking sites.", "padlock sites remove example.com")
    remove.add_argument("sites", nargs="+", metavar="SITE", help="host name")
    remove.set_defaults(run=sites.remove, doing="removing sites")
    load = _command(
        actions,
        "import",
        "Add or replace the sites of a site file; wrong entries are named, the others are imported.",
        "padlock sites import sites.yaml\npadlock sites list --json | padlock sites import - --stack padlock-copy",
    )
    load.add_argument("file", metavar="FILE", help="JSON or YAML with one declaration or a list, `-` for stdin")
    load.set_defaults(run=sites.load, doing="importing the sites")
    for action in (add, listing, remove, load):
        _stack(action)


def _ack(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands,
        "ack",
        "Acknowledge a finding of a site: no alert tells of it for a time. It is checked and reported as before.",
        "padlock ack example.com certificate.expiring\n"
        "padlock ack example.com port.https_closed --for 4h --note 'the provider works on it'\n"
        "padlock ack example.com tls.handshake_failed --subject www.example.com --until 2026-12-24T18:00\n"
        "padlock ack example.com --list\n"
        "padlock ack example.com --clear certificate.expiring",
        CREDENTIALS,
    )
    parser.add_argument("site", metavar="SITE", help="the site's name, as alerts have it")
    parser.add_argument("code", nargs="?", default="", metavar="CODE", help="the finding's code; '*': every one")
    parser.add_argument(
        "--subject", default="", help="only of this host, address or URL, as the alert names it; otherwise of all"
    )
    end = parser.add_mutually_exclusive_group()
    end.add_argument(
        "--for",
        dest="duration",
        type=ack.duration,
        default="1d",
        metavar="TIME",
        help="such as 4h or 3d (default: %(default)s)",
    )
    end.add_argument(
        "--until", type=ack.until, metavar="TIME", help="UTC, unless it names a zone; a date alone is its beginning"
    )
    parser.add_argument("--note", default="", metavar="TEXT", help="why; it is kept beside the acknowledgement")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--list", action="store_true", help="show what is acknowledged at the site")
    instead.add_argument("--clear", default="", metavar="CODE", help="take an acknowledgement back; all: every one")
    _stack(parser)
    parser.set_defaults(run=ack.ack, doing="acknowledging a finding")


def _status(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands,
        "status",
        "Show whether the deployed stack itself is well, and whoever it should tell can be told.",
        "padlock status\npadlock status --stack padlock-staging --json",
        "exit status:\n"
        "  0    all is well\n"
        "  1    something needs attention; what to do stands beside it\n"
        "  2    wrong usage, or a part that could not be read\n\n"
        f"{CREDENTIALS}",
    )
    parser.add_argument("--json", action="store_true", help="print the same as JSON")
    _stack_alone(parser)
    parser.set_defaults(run=status.status, doing="reading the status")


def _test_alert(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = _command(
        commands,
        "test-alert",
        "Send a test alert through the whole way, from the outbox to every subscriber, and say who gets it.",
        "padlock test-alert\npadlock test-alert --wait 0",
        "exit status:\n"
        "  0    published, and somebody gets it\n"
        "  1    not published in time, or nobody gets it\n"
        "  2    wrong usage, or AWS refused something\n\n"
        f"{CREDENTIALS}",
    )
    parser.add_argument(
        "--wait",
        type=alerts.seconds,
        default=60,
        metavar="SECONDS",
        help="how long to wait until it is published; 0: not at all (default: %(default)s)",
    )
    _stack_alone(parser)
    parser.set_defaults(run=alerts.test_alert, doing="sending a test alert")
