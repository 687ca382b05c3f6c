"""The way of a request, drawn: name → address → port → TLS → redirects → app, and where it breaks.

A list that looks like a line; it reads as the same in a screen reader, on a phone and on paper. Each stage is judged
by the findings that are about it and by the steps of the checklist that prove it.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from padlock.findings import Finding, Report, Severity, StepRecord, host_of, is_among
from padlock.render.escape import phrase
from padlock.render.page.elements import Markup, element, join
from padlock.render.page.marks import Anchors, icon, outside, sentence, several, tone
from padlock.render.words import alike, counted, title_of

SHOWN = 3
"""Findings that a stage names."""


type Trail = Mapping[str, Sequence[str]]
"""A stage's name → what a request met there, in a line each (`padlock.trail`)."""


class Stage(msgspec.Struct, frozen=True):
    """One stage of a request's way."""

    name: str
    codes: tuple[str, ...]
    """Codes, or prefixes of codes, of what breaks it."""
    steps: tuple[int, ...]
    """Steps of the checklist that prove it."""


class Passage(msgspec.Struct, frozen=True):
    """How a stage was found."""

    stage: Stage
    status: str
    """A severity, ok, inconclusive or not applicable."""
    findings: tuple[Finding, ...] = ()
    says: str = ""
    cut: bool = False
    """It lies behind a break and nobody came so far."""


STAGES: Sequence[Stage] = (
    Stage(
        "DNS",
        (
            *("dns.unresolvable", "dns.cname_at_apex", "dns.cname_and_other_data", "dns.dangling_cname"),
            *("dns.cname_chain", "dns.www_missing", "dns.apex_missing", "dns.nameservers_disagree"),
            *("dns.lame_nameserver", "dns.resolvers_disagree", "dns.dnssec_bogus", "registration"),
        ),
        (1, 2),
    ),
    Stage(
        "Address",
        ("dns.unexpected_address", "dns.missing_address", "dns.reserved_address", "dns.ipv6_broken"),
        (1, 2),
    ),
    Stage("Port", ("port", "firewall", "nginx.inactive", "nginx.no_https_listener"), (3,)),
    Stage("TLS", ("tls", "certificate"), (10,)),
    Stage("Redirects", ("redirect", "canonical"), (7, 11)),
    Stage("App", ("app", "server", "upstream", "content", "proxy"), (12, 13)),
)


def passages(report: Report) -> Iterator[Passage]:
    """Yield how each stage was found, in the order of the way."""
    broken = False
    for stage in STAGES:
        found = tuple(finding for finding in report.findings if is_among(finding.code, stage.codes))
        yield _passage(stage, found, [row for row in report.checklist if row.step in stage.steps], broken=broken)
        broken = broken or any(finding.severity is Severity.ERROR for finding in found)


def _passage(stage: Stage, found: tuple[Finding, ...], rows: Sequence[StepRecord], *, broken: bool) -> Passage:
    """Judge a stage; `broken`: an earlier one has an error."""
    worst = min((finding.severity for finding in found), key=lambda severity: severity.rank, default=None)
    if worst and worst is not Severity.NOTICE:
        says = "passes, but" if worst is Severity.WARNING else "fails too" if broken else "breaks here"
        return Passage(stage, worst.value, found, says)
    # A step that fails with none of this stage's codes fails somewhere else on the way.
    unseen = [row for row in rows if row.status == "unknown" or (row.status == "fail" and broken)]
    if unseen or not rows:
        reason = next((row.reason for row in unseen if row.reason), "not seen")
        return Passage(stage, "inconclusive", found, "not reached" if broken else reason, cut=broken)
    if all(row.status == "not applicable" for row in rows):
        return Passage(stage, "not applicable", found, rows[0].reason)
    return Passage(stage, worst.value if worst else "ok", found, "as it should be")


def route(report: Report, anchors: Anchors, met: Trail) -> Markup:
    """Return the way as an ordered list, with what was met at each stage where that is known."""
    stages = (_stage(passage, report.site, anchors, met.get(passage.stage.name, ())) for passage in passages(report))
    return element("ol", *stages, class_="route")


def _stage(passage: Passage, site: str, anchors: Anchors, met: Sequence[str]) -> Markup:
    listed = list(alike(passage.findings).items())
    links = [
        element("a", _named(finding, subjects, site), href=f"#{anchors[finding.key]}")
        for finding, subjects in listed[:SHOWN]
    ]
    more = element("span", f"and {counted(len(listed) - SHOWN, 'more finding')}") if len(listed) > SHOWN else None
    return element(
        "li",
        element("span", icon(passage.status), class_="node"),
        element("p", passage.stage.name, class_="name"),
        element(
            "div",
            element("p", phrase(passage.says), class_=tone(passage.status) + " says"),
            *links,
            more,
            *(element("p", outside(line), class_="met") for line in met),
            class_="what",
        ),
        class_=tone(passage.status) + (" cut" if passage.cut else ""),
    )


def _named(finding: Finding, subjects: Sequence[str], site: str) -> Markup:
    """Return a finding in a few words, and what it is about where that is not the site."""
    return join(sentence(title_of(finding)), None if host_of(subjects[0]) == site else [": ", several(subjects, 1)])
