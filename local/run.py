"""The main job on one machine: a schedule's tick becomes checks, stored results and a mail.

    make run                                       nine demo sites on loopback, eight of them broken
    make run SITES="example.com example.org"       your own
    make run SERVE=1                               and then a server of the pages; SERVE=8000 on that port

The functions' real handlers run on an embedded AWS made from template.yaml. Nothing needs root or an account, and
nothing is left behind, however this ends, but the pages in .cache/run.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
from padlock import storage
from padlock.findings import Report
from padlock.render.escape import printable
from padlock.render.terminal import render
from padlock.site import key_of

from local import pages, serving
from local.aws import EmbeddedAws, Mail
from local.pump import Pump
from local.sites import SITES, DemoSites

INTERVAL = timedelta(minutes=5)
"""Time between two ticks, as ScheduleExpression has it."""
LOG_LEVEL = "ERROR"
"""Of the functions: their running commentary is left out of the story."""
HERE = {"POWERTOOLS_METRICS_DISABLED": "true", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
"""What the embedded AWS needs of the environment: no metrics in the story, and no proxy on the way to it."""
INTERRUPTED = 130
MAX_PORT = 65535


def main(names: Sequence[str]) -> int:
    """Tell the whole story; return the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A terminal that is closed ends it as a termination does: with everything stopped and removed.
        signal.signal(number, _end)
    try:
        _port()
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    try:
        with patch.dict(os.environ, HERE):
            # A profile or endpoint of the user's own AWS account has no say in this.
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                del os.environ[name]
            if names:
                _own_sites(names)
            else:
                _demo()
    except KeyboardInterrupt:
        say("\ninterrupted; nothing is left behind")
        return INTERRUPTED
    return 0


def _end(received: int, _frame: object) -> None:
    """End in order, wherever the signal came; what it broke off half-made has nothing to say of that."""
    sys.unraisablehook = lambda _: None
    if received == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + received)


def named(arguments: Sequence[str]) -> list[str]:
    """Return the names of sites, which may stand with spaces or commas between them."""
    return [name for argument in arguments for name in argument.replace(",", " ").split()]


def _demo() -> None:
    """Check the demo's sites, heal one, and check again."""
    with ExitStack() as stack:
        with step("starting nine demo sites on loopback: a name server, Gunicorn with TLS, Gunicorn in clear"):
            demo = stack.enter_context(DemoSites())
        with step("starting an embedded AWS with the tables, queues and topic of template.yaml"):
            aws = stack.enter_context(
                EmbeddedAws(Resolvers=demo.resolver, AllowedNetworks="127.0.0.0/8", LogLevel=LOG_LEVEL)
            )
            pump = Pump(aws)
        with step("declaring the sites in the Sites table"):
            table = storage.Sites(aws.client("dynamodb"), aws.physical["SitesTable"])
            for declaration in demo.declarations():
                table.put(declaration)
        # The second tick is now, so that whoever clicks later is not before it.
        first = datetime.now(UTC) - INTERVAL
        _round(pump, first)

        results = storage.Results(aws.client("dynamodb"), aws.physical["ResultsTable"])
        heading("The healthy site, with its whole record")
        _show(results, "healthy.example", short=False)
        for site in SITES:
            if site.first_code:
                heading(f"{site.name}: {site.story}")
                _show(results, site.name, short=True)
        _stored(results)
        _mails(aws.mails(), "expired.example")

        heading("expired.example is healed: a new certificate, and five minutes later the next tick")
        sent = len(aws.mails())
        with step("renewing the certificate"):
            demo.renew_certificate()
        _round(pump, first + INTERVAL)
        _history(results, "expired.example")
        _mails(aws.mails()[sent:], "expired.example")
        _pages(pump, results, [site.name for site in SITES])
    _further()


def _own_sites(names: Sequence[str]) -> None:
    """Check real sites once."""
    with ExitStack() as stack:
        with step("starting an embedded AWS with the tables, queues and topic of template.yaml"):
            aws = stack.enter_context(EmbeddedAws(Sites=",".join(names), LogLevel=LOG_LEVEL))
            pump = Pump(aws)
        _round(pump, datetime.now(UTC))
        results = storage.Results(aws.client("dynamodb"), aws.physical["ResultsTable"])
        seen = {key: results.state(key) for key in dict.fromkeys(map(key_of, names))}
        for name in seen:
            heading(name)
            _show(results, name, short=False)
        blind = [name for name, state in seen.items() if state is None or state["status"] == "inconclusive"]
        if blind:
            say(f"\nNothing could be seen of {', '.join(blind)}: is this machine on the network? That alerts nobody.")
        _stored(results)
        _mails(aws.mails(), "")
        _pages(pump, results, list(seen))
    _further()


def _round(pump: Pump, at: datetime) -> None:
    """Play one tick through to the mails, saying what happens."""
    with step(f"the schedule ticks at {at:%H:%M:%S} UTC: dispatch puts the due sites into the queue") as note:
        note(_count(pump.tick(at)["sent"], "message"))
    with step("the queue wakes check: it looks at every site and stores what it found") as note:
        note(_count(pump.drain(), "site"))
    with step("the table's stream wakes notify: it publishes what changed") as note:
        note(_count(pump.stream(), "change"))


def _show(results: storage.Results, name: str, *, short: bool) -> None:
    """Print a site's latest report as it is stored."""
    state = results.state(name)
    if state is None:
        say(f"  no result is stored for {printable(name)}")
        return
    # Beside the stored report stand the findings that it names.
    report = msgspec.convert(state["report"] | {"findings": state["findings"]}, Report)
    say(render(report, width=_width(), colour=_colour(), short=short).rstrip())


def _stored(results: storage.Results) -> None:
    """Print what the README's queries give."""
    heading("In the Results table: sites that fail now, the longest failing first (index failing)")
    rows(results.failing(), "failing_since", "site", "summary")
    heading("In the Results table: certificates by expiry (index certificates)")
    rows(results.certificates(), "certificate_expires", "certificate_host", "certificate_issuer")


def _history(results: storage.Results, name: str) -> None:
    heading(f"In the Results table: the history of {name}, newest first")
    rows(results.history(name), "checked_at", "status", "summary")


def _mails(mails: Sequence[Mail], shown: str) -> None:
    """Print the subjects of the mails, and one mail as it arrives: that of the site `shown`, or the first."""
    heading(f"{_count(len(mails), 'mail')} sent")
    for mail in mails:
        say(f"  {mail.subject}")
    chosen = next((mail for mail in mails if mail.attributes.get("site") == shown), mails[0] if mails else None)
    if chosen:
        say("\n  one of them, as it arrives:\n")
        for line in (f"Subject: {chosen.subject}", "", *chosen.text.split("\n")):
            say(f"  │ {line}".rstrip())


def _pages(pump: Pump, results: storage.Results, names: Sequence[str]) -> None:
    """Write the same for a browser, and say where."""
    heading("The same in a browser")
    for file in pages.write(pump, results, names):
        say(f"  {file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file}")
    if (port := _port()) is None:
        say("\n  make run SERVE=1 serves them, with a widget that can be clicked")
        return
    try:
        serving.serve(pump, pages.FOLDER, port)
    except OSError as error:
        say(f"  nothing can be served on port {port}: {error.strerror}; name another with SERVE=8000")


def _port() -> int | None:
    """Return the port that SERVE names, 0 for a free one; None: nothing is to be served. ValueError: it is none."""
    wanted = os.environ.get("SERVE", "")
    if not wanted:
        return None
    if not wanted.isascii() or not wanted.isdecimal() or int(wanted) > MAX_PORT:
        raise ValueError(f"SERVE={wanted[:20]!r} is no port; write SERVE=1 for a free one, or SERVE=8000")
    return 0 if wanted == "1" else int(wanted)


def _further() -> None:
    heading("Where to look further")
    say("  check a site from here     make check SITE=example.com, or .venv/bin/padlock check --help")
    say('  all of this on your sites  make run SITES="example.com example.org"')
    say("  run every test             make test")
    say("  deploy it to AWS           make deploy; the stack's outputs have the commands for everything above")
    say("  how it works               README.md")


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def heading(text: str) -> None:
    """Print the title of a part."""
    title = f"\x1b[1;36m{text}\x1b[0m" if _colour() else text
    say(f"\n── {title} " + "─" * max(0, min(_width(), 100) - len(text) - 4) + "\n")


@contextmanager
def step(text: str) -> Iterator[Callable[[str], None]]:
    """Print what is being done, and behind it how long it took and what is noted about it."""
    notes: list[str] = []
    began = time.monotonic()
    sys.stdout.write(f"  {text} ... ")
    sys.stdout.flush()
    yield notes.append
    say(", ".join([*notes, f"{time.monotonic() - began:.1f} s"]))


def rows(items: Iterator[dict[str, Any]], *columns: str) -> None:
    """Print attributes of items as a table."""
    found = [[printable(str(item.get(column, ""))) for column in columns] for item in items]
    if not found:
        say("  none")
    widths = [max((len(row[n]) for row in found), default=0) for n in range(len(columns))]
    for row in found:
        say("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _colour() -> bool:
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 110)


if __name__ == "__main__":
    sys.exit(main(named(sys.argv[1:])))
