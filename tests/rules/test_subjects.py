"""What all rules share: which address is odd, and how lists and times are told."""

from datetime import timedelta

import pytest
from padlock.findings import Severity
from padlock.rules import Problem
from padlock.rules._subjects import listed, quoted, span, spread


def problem(observed: str, severity: Severity | None = None) -> Problem:
    """Return a fault of one address."""
    return Problem("", observed, "fine", severity)


def test_a_fault_of_all_addresses_is_about_the_host() -> None:
    """One finding, which groups the addresses by what was seen there."""
    faults = {"a": problem("red"), "b": problem("blue"), "c": problem("red")}
    assert list(spread("host", faults, "abc")) == [Problem("host", "red (at a and c); blue (at b)", "fine")]


def test_a_fault_of_some_addresses_names_each() -> None:
    """Each odd address has a finding of its own, with its own severity."""
    faults = {"a": problem("red"), "b": problem("blue", Severity.NOTICE)}
    found = list(spread("host", faults, "abc"))
    assert [(p.subject, p.observed, p.severity) for p in found] == [
        ("host at a", "red", None),
        ("host at b", "blue", Severity.NOTICE),
    ]


def test_the_worst_address_leads() -> None:
    """The severity of a finding about a host is its worst address's; the rule's own is the worst of all."""
    mild, bad = problem("mild", Severity.NOTICE), problem("bad", Severity.WARNING)
    assert next(spread("host", {"a": mild, "b": bad}, "ab")).severity is Severity.WARNING
    assert next(spread("host", {"a": mild, "b": problem("worst")}, "ab")).severity is None


def test_no_fault_no_finding() -> None:
    """Nothing is told of addresses that are fine, or that nobody looked at."""
    assert list(spread("host", {}, "ab")) == list(spread("host", {}, "")) == []


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (timedelta(days=3, hours=5), "3 days"),
        (timedelta(hours=47), "47 hours"),
        (timedelta(minutes=-90), "1 hour"),
        (timedelta(minutes=5), "5 minutes"),
        (timedelta(seconds=30), "less than a minute"),
    ],
)
def test_span(time: timedelta, text: str) -> None:
    """A length of time is told in the unit that still says something, whatever its sign."""
    assert span(time) == text


def test_lists_and_quotes_are_bounded() -> None:
    """Long lists are counted, long texts cut, and line ends folded."""
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed("abcd", 2) == "a, b and 2 more"
    assert listed([]) == ""
    assert quoted("one\ntwo") == '"one two"'
    assert len(quoted("x" * 1000)) == 122


def test_alternatives_are_joined_by_or() -> None:
    """What may be one of several is listed with `or`."""
    assert listed(["200", "204", "301"], last="or") == "200, 204 or 301"
