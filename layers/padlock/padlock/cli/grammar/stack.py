"""The commands that look after a deployed stack: sites, status, history, ack, test-alert."""

from padlock.cli import ack, alerts, history, sites, status
from padlock.cli.grammar.common import (
    CREDENTIALS,
    SHOWN,
    Commands,
    command,
    count,
    described,
    formats,
    on_stack,
    on_table,
)


def add(commands: Commands) -> None:
    """Add the commands."""
    _sites(commands)
    _status(commands)
    _history(commands)
    _ack(commands)
    _test_alert(commands)


def _sites(commands: Commands) -> None:
    parser = described(
        commands.add_parser("sites", help="Manage the sites that the deployed stack checks."),
        "Manage the sites that the deployed stack checks, the items of its Sites table.",
        "padlock sites add example.com\n"
        "padlock sites import sites.yaml\n"
        "padlock sites list --stack padlock-staging\n"
        "padlock sites remove example.com",
        CREDENTIALS,
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    add = command(
        actions, "add", "Add bare host names, with default intent.", "padlock sites add example.com example.org"
    )
    add.add_argument("sites", nargs="+", metavar="SITE", help="host name")
    add.set_defaults(run=sites.add, doing="adding sites")
    listing = command(actions, "list", "List the declared sites.", "padlock sites list\npadlock sites list --json")
    listing.add_argument("--json", action="store_true", help="print the declarations as a JSON array, a site file")
    listing.set_defaults(run=sites.show, doing="listing the sites")
    remove = command(actions, "remove", "Stop checking sites.", "padlock sites remove example.com")
    remove.add_argument("sites", nargs="+", metavar="SITE", help="host name")
    remove.set_defaults(run=sites.remove, doing="removing sites")
    load = command(
        actions,
        "import",
        "Add or replace the sites of a site file; wrong entries are named, the others are imported.",
        "padlock sites import sites.yaml\n"
        "# copy the sites of one stack to another\n"
        "padlock sites list --json | padlock sites import - --stack padlock-copy",
    )
    load.add_argument("file", metavar="FILE", help="JSON or YAML with one declaration or a list, `-` for stdin")
    load.set_defaults(run=sites.load, doing="importing the sites")
    for action in (add, listing, remove, load):
        on_table(action)


def _status(commands: Commands) -> None:
    parser = command(
        commands,
        "status",
        "Show whether the deployed stack itself is well, and whoever it should tell can be told.",
        "padlock status\n"
        "padlock status --stack padlock-staging --json\n"
        "# for the textfile collector of Prometheus' node exporter\n"
        "padlock status --format prometheus >padlock.prom",
        "exit status:\n"
        "  0    all is well\n"
        "  1    something needs attention; what to do stands beside it\n"
        "  2    wrong usage, or a part that could not be read\n\n"
        f"{CREDENTIALS}",
    )
    formats(parser, status.FORMATS, "the same as --format json")
    on_stack(parser)
    parser.set_defaults(run=status.status, doing="reading the status")


def _history(commands: Commands) -> None:
    parser = command(
        commands,
        "history",
        "Show the checks of a site that the deployed stack stored, the newest first, and what changed with each.",
        "# the last twenty changes; checks that say the same are one line\n"
        "padlock history example.com\n"
        "# more of them, as a spreadsheet\n"
        "padlock history example.com --limit 500 --format csv >history.csv\n"
        "# each stored check by itself\n"
        "padlock history example.com --each",
        f"{SHOWN}\n\n{CREDENTIALS}",
    )
    parser.add_argument("site", metavar="SITE", help="the site's name, as alerts have it")
    parser.add_argument(
        "--limit", type=count, default=20, metavar="N", help="lines that are shown (default: %(default)s)"
    )
    parser.add_argument("--each", action="store_true", help="do not put checks that say the same into one line")
    formats(parser, history.FORMATS, "the same as --format json: an array, the newest first")
    on_table(parser)
    parser.set_defaults(run=history.history, doing="reading the history")


def _ack(commands: Commands) -> None:
    parser = command(
        commands,
        "ack",
        "Acknowledge a finding of a site: no alert tells of it for a time. It is checked and reported as before.",
        "# for a day\n"
        "padlock ack example.com certificate.expiring\n"
        "# for a time, and why\n"
        "padlock ack example.com port.https_closed --for 4h --note 'the provider works on it'\n"
        "# of one host alone, until a date\n"
        "padlock ack example.com tls.handshake_failed --subject www.example.com --until 2026-12-24T18:00\n"
        "# what is acknowledged, and take it back\n"
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
    on_table(parser)
    parser.set_defaults(run=ack.ack, doing="acknowledging a finding")


def _test_alert(commands: Commands) -> None:
    parser = command(
        commands,
        "test-alert",
        "Send a test alert through the whole way, from the outbox to every subscriber, and say who gets it.",
        "padlock test-alert\n# do not wait until it is published\npadlock test-alert --wait 0",
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
    on_stack(parser)
    parser.set_defaults(run=alerts.test_alert, doing="sending a test alert")
