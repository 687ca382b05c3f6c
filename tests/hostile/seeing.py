"""Short words for what a check saw of a hostile site, as the table shows them."""

from collections.abc import Callable

from padlock.evidence import Chain, Exchange, Failure, Page

from tests.hostile.behaviour import Outcome

type Seen = Callable[[Outcome], str]

_PHASES = ("connect", "tls", "headers", "body", "tls record")


def exchange(outcome: Outcome, scheme: str = "https") -> Exchange:
    """Return what the front page was answered with."""
    assert outcome.evidence.http
    return next(outcome.evidence.http.of("front", scheme))


def failed(failure: Failure) -> str:
    """Return a failure's kind, and the phase or the alert that it names."""
    phase = failure.detail.partition(":")[0]
    return f"{failure.kind}({phase})" if phase in _PHASES or failure.kind == "alert" else failure.kind


def answered(scheme: str = "https") -> Seen:
    """Say how the front page was answered: `200 timeout(body)`."""

    def seen(outcome: Outcome) -> str:
        front = exchange(outcome, scheme)
        parts = [str(front.status) if front.status else "", failed(front.failure) if front.failure else ""]
        return " ".join(filter(None, [*parts, "truncated" if front.truncated else ""]))

    return seen


def found(prefix: str) -> Seen:
    """Say which codes of a subject were found, errors and warnings."""

    def seen(outcome: Outcome) -> str:
        codes = {each.code for each in outcome.report.findings if each.code.startswith(prefix)}
        return ", ".join(sorted(codes))

    return seen


def chain(outcome: Outcome, scheme: str = "https") -> Chain:
    """Return where the front page leads."""
    assert outcome.evidence.http
    start = exchange(outcome, scheme).url
    return next(each for each in outcome.evidence.http.chains if each.start == start and each.purpose == "front")


def page(outcome: Outcome) -> Page:
    """Return what the front page holds."""
    assert outcome.evidence.page
    return next(each for each in outcome.evidence.page if each.purpose == "front")


def read(outcome: Outcome) -> str:
    """Say that a page was read, whole or so far, in time, and how many references over plain HTTP were found."""
    seen = page(outcome)
    if outcome.evidence.incomplete or seen.unread:
        return outcome.evidence.incomplete or seen.unread
    counted = sum(seen.counts.values())
    parts = ["read", "truncated" if seen.truncated else "whole", *([f"{counted} counted"] if counted else [])]
    return ", ".join([*parts, *([f"{len(seen.references)} kept"] if counted else [])])
