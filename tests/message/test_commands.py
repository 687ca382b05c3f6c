"""The commands that a mail gives are those that the command line takes."""

import shlex
from datetime import timedelta

import pytest
from padlock.changes import Policy, Silence
from padlock.cli.arguments import parser
from padlock.message import Further, compose

from tests.message.changes import EXPIRED, LOOP, NOW, change_of, margin, of_kind, report

SILENT = Policy(1, 1, silences=(Silence("redirect.loop", NOW + timedelta(days=9)),))


@pytest.mark.parametrize("table", ["", "padlock-SitesTable-1AB", "staging-SitesTable-1AB"])
def test_each_command_is_understood(table: str) -> None:
    """They parse as they stand, and name the table where it is not that of the usual stack."""
    further = Further("t", sites_table=table)
    change = change_of(report(LOOP), report(LOOP, EXPIRED), policy=SILENT)
    told = compose(change, "a", 1, further).body + compose(of_kind("removed", change), "a", 1, further).body
    lines = [line for line in margin(told, 6) if line.startswith("padlock ")]
    assert [shlex.split(line)[1:4] for line in lines] == [
        ["ack", "example.com", "certificate.expired"],
        ["ack", "example.com", "--list"],
        ["ack", "example.com", "--clear"],
        ["sites", "add", "example.com"],
    ]
    for line in lines:
        read = parser().parse_args(shlex.split(line)[1:])
        assert read.table == (table if table.startswith("staging") else "")
    silencing = parser().parse_args(shlex.split(lines[0])[1:])
    assert (silencing.site, silencing.code) == ("example.com", "certificate.expired")
    assert silencing.duration == timedelta(days=3)
