"""The commands that look at sites from here, or judge what was seen: check, watch, record, assess, audit-host."""

import argparse

from padlock.cli import audit_host, check, record, watch
from padlock.cli.formats import FORMATS
from padlock.cli.grammar.common import (
    EXIT_STATUS,
    Commands,
    command,
    formats,
    network,
    on_table,
    patience,
    pause,
    resolver,
    url,
)

JSON = "the same as --format json: one object, or an array for several sites"
FORMS = """formats:
  text        for people
  json        one object for one site, an array for several (docs/report.schema.json)
  ndjson      one object in each line, as each site is done
  csv         one row for each finding, for a spreadsheet
  markdown    for a ticket, or the summary of a CI job
  junit       JUnit XML, which CI systems read: a suite for each site, a test for each step
  prometheus  for the textfile collector of Prometheus' node exporter"""


def add(commands: Commands) -> None:
    """Add the commands."""
    _check(commands)
    _watch(commands)
    _record(commands)
    _assess(commands)
    _audit_host(commands)


def _check(commands: Commands) -> None:
    parser = command(
        commands,
        "check",
        "Check sites from here and print what is wrong, why, and the command that fixes it.",
        "# what is wrong with a site, and what heals it\n"
        "padlock check example.com\n"
        "# the same as a page for a browser\n"
        "padlock check example.com --html report.html\n"
        "# several sites, as JSON\n"
        "padlock check example.com example.org --json\n"
        "# in CI: the sites of a file, warnings fail too, the result as JUnit XML\n"
        "padlock check --site-file sites.yaml --strict --format junit >padlock.xml\n"
        "# check once, write several formats\n"
        "padlock check --site-file sites.yaml --evidence-out seen.json\n"
        'padlock assess seen.json --format markdown >>"$GITHUB_STEP_SUMMARY"\n'
        "# inside a network of one's own\n"
        "padlock check intranet.example.com --resolver 10.0.0.53 --allow-network 10.0.0.0/8 --ca-file ca.pem",
        f"{FORMS}\n\n{EXIT_STATUS}",
    )
    _sites(parser)
    _reports(parser)
    _vantage(parser)
    _host_evidence(parser)
    parser.set_defaults(run=check.check, doing="checking the sites")


def _watch(commands: Commands) -> None:
    parser = command(
        commands,
        "watch",
        "Check sites again and again during a launch, show what changed, and end once all is green.",
        "# while certbot and nginx are set up\n"
        "padlock watch example.com\n"
        "# every ten seconds, for a quarter of an hour at most\n"
        "padlock watch example.com --every 10 --timeout 15m\n"
        "# wait until a deployment has healed, then go on\n"
        "padlock watch --site-file sites.yaml --strict && echo launched",
        "A look tells only of the errors and warnings that came or went since the one before; what could not be\n"
        "looked at again is not over. What a resolver has cached is seen until it expires: --resolver asks another.\n"
        "\n"
        "exit status:\n"
        "  0    green: no error; with --strict no warning either\n"
        "  1    not green when the time was over\n"
        "  2    wrong usage, a wrong entry, a fault of Padlock's, or nothing could be seen when the time was over\n"
        "  130  interrupted",
    )
    _sites(parser)
    parser.add_argument(
        "--every",
        type=pause,
        default=30,
        metavar="TIME",
        help="from the beginning of one look to that of the next, such as 10 or 5m (default: %(default)s s)",
    )
    parser.add_argument(
        "--timeout", type=patience, default=3600, metavar="TIME", help="when to give up (default: %(default)s s)"
    )
    parser.add_argument("--strict", action="store_true", help="green is without warnings too")
    _vantage(parser)
    parser.set_defaults(run=watch.watch, doing="watching the sites")


def _record(commands: Commands) -> None:
    parser = command(
        commands,
        "record",
        "Print the deployment checklist of a site as Markdown, for a launch file: 18 steps, the final checklist and "
        "the five results.",
        "# of a check made now\n"
        "padlock record example.com >launch.md\n"
        "# with what the host says of itself, without which some steps stay unknown\n"
        "sudo padlock audit-host --dry-run --out web-1.json\n"
        "padlock record example.com --host-evidence web-1.json\n"
        "# what changed since a report that was kept\n"
        "padlock check example.com --json >before.json; padlock record example.com --since before.json\n"
        "# of what the deployed stack stored\n"
        "padlock record example.com --stored --at 2026-11-20 --since 2026-11-01",
        EXIT_STATUS,
    )
    _sites(parser)
    parser.add_argument("--json", action="store_true", help="print the record as JSON; an array for several sites")
    parser.add_argument("--strict", action="store_true", help="a warning fails too")
    _vantage(parser)
    _files(parser)
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
    on_table(parser)
    parser.set_defaults(run=record.record, doing="reading the results")


def _assess(commands: Commands) -> None:
    parser = command(
        commands,
        "assess",
        "Judge stored evidence anew, without a network, with the clock that it carries.",
        "# look once, judge as often as you like\n"
        "padlock check example.com --evidence-out evidence.json\n"
        "padlock assess evidence.json\n"
        "# the same in another format\n"
        "padlock assess evidence.json --format junit >padlock.xml",
        f"{FORMS}\n\n{EXIT_STATUS}",
    )
    parser.add_argument("evidence", metavar="EVIDENCE", help="file of `padlock check --evidence-out`, `-` for stdin")
    _format(parser)
    _html(parser)
    parser.set_defaults(run=check.judge, doing="judging the evidence")


def _audit_host(commands: Commands) -> None:
    parser = command(
        commands,
        "audit-host",
        "Ask this machine, as root, how nginx, certificates, certbot and the firewall are set up on it; "
        "with SITE, check the site with that.",
        "# on the host itself\n"
        "sudo padlock audit-host example.com\n"
        "# there, to be used here\n"
        "sudo padlock audit-host --out web-1.json\n"
        "padlock check example.com --host-evidence web-1.json\n"
        "# over ssh; nothing is installed there\n"
        "padlock audit-host --script-path\n"
        'ssh web-1 sudo sh -s -- --full < "$(padlock audit-host --script-path)" | '
        "padlock check example.com --host-evidence -",
        f"Nothing is changed on the machine. Without SITE the document is printed.\n\n{EXIT_STATUS}",
    )
    parser.add_argument("--dry-run", action="store_true", help="also run `certbot renew --dry-run`: up to 90 s")
    parser.add_argument("--out", default="", metavar="FILE", help="write the document there")
    parser.add_argument(
        "--script-path", action="store_true", help="print where the collector is, a shell script without dependencies"
    )
    _sites(parser)
    _reports(parser)
    _vantage(parser)
    parser.set_defaults(run=audit_host.audit_host, doing="auditing this machine")


def _sites(parser: argparse.ArgumentParser) -> None:
    """Add what says which sites are meant."""
    parser.add_argument("sites", nargs="*", metavar="SITE", help="host name; its www or apex sibling is checked too")
    parser.add_argument(
        "--site-file",
        action="append",
        default=[],
        metavar="FILE",
        help="JSON or YAML with one site's declaration or a list of them, `-` for stdin; may be repeated",
    )


def _reports(parser: argparse.ArgumentParser) -> None:
    """Add what says how reports of a check are written, and where."""
    _format(parser)
    _files(parser)


def _format(parser: argparse.ArgumentParser) -> None:
    formats(parser, FORMATS, JSON)
    parser.add_argument("--strict", action="store_true", help="a warning fails too")


def _files(parser: argparse.ArgumentParser) -> None:
    """Add the files that a check writes beside its output."""
    _html(parser)
    parser.add_argument(
        "--evidence-out", default="", metavar="FILE", help="write what was observed, as JSON for `padlock assess`"
    )


def _html(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--html",
        default="",
        metavar="FILE",
        help="write the reports as one page for a browser, which needs no network",
    )


def _vantage(parser: argparse.ArgumentParser) -> None:
    """Add what says from where a site is looked at, and what may be reached."""
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


def _host_evidence(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host-evidence",
        action="append",
        default=[],
        metavar="FILE",
        help="what a machine behind the sites says of itself, by `padlock audit-host` there, `-` for stdin; "
        "may be repeated",
    )
