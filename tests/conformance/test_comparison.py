"""What fails a run of the comparison: every difference that nobody can explain."""

import pytest

from tests.conformance.case import Case, Opinion, Peer, Verdict
from tests.conformance.comparison import Row, agreement, as_markdown, as_text, differences, table


def row(ours: Opinion, peer: Peer, theirs: Opinion, **reasons: str) -> Row:
    """Return one case with one peer."""
    return Row(Case("expired", "certificate", reasons=reasons), Verdict(ours), {peer: Verdict(theirs)})


@pytest.mark.parametrize(
    ("ours", "peer", "theirs"),
    [
        ("refuses", "chromium", "refuses"),
        ("accepts", "curl", "accepts"),
        ("warns", "curl", "accepts"),
        ("warns", "openssl", "accepts"),
        ("warns", "testssl", "warns"),
    ],
)
def test_agreement_is_none_to_explain(ours: Opinion, peer: Peer, theirs: Opinion) -> None:
    """The same opinion, or the same as far as the peer has one, is no difference."""
    assert differences(row(ours, peer, theirs)) == []


@pytest.mark.parametrize(
    ("ours", "peer", "theirs"),
    [
        ("refuses", "chromium", "accepts"),
        ("warns", "chromium", "accepts"),
        ("warns", "curl", "refuses"),
        ("accepts", "openssl", "refuses"),
    ],
)
def test_a_difference_needs_a_reason(ours: Opinion, peer: Peer, theirs: Opinion) -> None:
    """Without one the run fails, with one it does not."""
    assert [each.wrong for each in differences(row(ours, peer, theirs))] == [True]
    assert [each.wrong for each in differences(row(ours, peer, theirs, **{peer: "it is so"}))] == [False]


@pytest.mark.parametrize("ours", ["accepts", "warns"])
def test_no_reason_lets_padlock_pass_what_a_browser_refuses(ours: Opinion) -> None:
    """Visitors do not get the page: no reason makes that right."""
    assert [each.wrong for each in differences(row(ours, "chromium", "refuses", chromium="it is so"))] == [True]


def test_a_reason_without_a_difference_is_stale() -> None:
    """It would hide the next difference."""
    assert [each.wrong for each in differences(row("refuses", "curl", "refuses", curl="it is so"))] == [True]
    assert [each.wrong for each in differences(row("refuses", "curl", "refuses", openssl="it is so"))] == [True]


def test_the_table_counts_and_marks() -> None:
    """Each peer's agreement is of the cases that it was asked; a difference is marked in its cell."""
    rows = [row("refuses", "curl", "accepts"), row("refuses", "curl", "refuses"), row("warns", "testssl", "warns")]
    assert agreement(rows) == {"curl": (1, 2), "testssl": (1, 1)}
    assert table(rows)[1][4] == "accepts *"
    assert as_text(table(rows)).splitlines()[0].startswith("case")
    assert as_markdown([("a", "b"), ("x|y", "z")]) == "| a | b |\n| --- | --- |\n| x\\|y | z |"
