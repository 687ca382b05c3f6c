"""What is worked out once belongs to one evidence, and to nothing else."""

from padlock.evidence import decode, encode
from padlock.rules import RULES, Problem
from padlock.rules._answers import look
from padlock.rules._rule import outcomes
from padlock.rules._subjects import ports

from tests.evidence_builder import HOSTS, fires, healthy, report, silent, with_exchange, with_port

HOST = HOSTS[0]


def test_it_is_worked_out_once() -> None:
    """The same question to the same evidence has the same answer, not only an equal one."""
    evidence = healthy()
    assert look(evidence, HOST) is look(evidence, HOST)
    assert look(evidence, HOST, scheme="http") is not look(evidence, HOST)


def test_a_rule_is_asked_once() -> None:
    """Rules that go by another rule's outcomes have those that the report has."""
    evidence = with_port(healthy(), "https", "refused", confirmed=True)
    found = outcomes(RULES["port.https_closed"], evidence)
    assert {type(outcome) for outcome in found} == {Problem}
    assert outcomes(RULES["port.https_closed"], evidence) is found


def test_equal_evidence_shares_nothing() -> None:
    """What one run saw is never told of another one."""
    one, other = healthy(), healthy()
    assert one == other
    assert ports(one, HOST, "https") is not ports(other, HOST, "https")


def test_changed_evidence_is_judged_anew() -> None:
    """A copy with other fields forgets what was known, whichever of both was judged first."""
    well = healthy()
    silent("port.https_closed", well)
    ill = with_port(well, "https", "refused", confirmed=True)
    fires("port.https_closed", ill)
    silent("port.https_closed", well)
    assert report(with_exchange(ill, "https://example.com/", status=500)) != report(ill)


def test_it_is_no_part_of_the_evidence() -> None:
    """What is known is neither written down nor compared."""
    judged = healthy()
    look(judged, HOST)
    assert judged.known
    assert judged == healthy()
    assert encode(judged) == encode(healthy())
    assert not decode(encode(judged)).known


def test_a_report_leaves_nothing_behind() -> None:
    """Many sites' evidence may be held at a time; the same comes of it again."""
    evidence = healthy()
    first = report(evidence)
    assert not evidence.known
    assert report(evidence) == first
