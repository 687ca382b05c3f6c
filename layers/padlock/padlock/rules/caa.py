"""Rules over CAA: whether the authority that issued the certificate may issue the next one (RFC 8659).

The table beside this file maps the organisation of an issuer's name, without its legal form, to the identifiers
that the authority accepts, its own first. It is kept by hand, as of 2026-11; an authority missing there makes a check
not assessed, never a finding; identifiers of sister brands stand with an authority, so that doubt stays silent. Its
column `source` says where a row was compared:

* `ccadb-2026-09`: CCADB's `List of CAA Identifiers` (https://www.ccadb.org/resources) as read on 2026-09-22;
* `open-mpic-2025`: Open MPIC's table, made in July 2025 of practice statements and that list;
* `tlsight-2026`: a merge of that list with SSLMate's of issuers, in 2026;
* `sectigo-operated`, `ssl.com-operated`: issuers under the authority's own name or brand that it runs for others.

Public copies of these were read, not the lists themselves; ZeroSSL's own help pages confirm its row.
"""

import csv
import functools
import importlib.resources
import re
from collections.abc import Iterator, Mapping

import msgspec

from padlock.evidence import CaaRecord, CaaSet, Evidence, organisation
from padlock.findings import Severity
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._served import Served, covers, served
from padlock.rules._subjects import listed, quoted
from padlock.site import Site

UNDERSTOOD = frozenset({"issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"})
"""Properties of the IANA registry; an authority need not refuse for these where they are critical."""


_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")


class Restriction(msgspec.Struct, frozen=True):
    """The part of a CAA set that decides over one kind of name."""

    at: str
    """The name that the set stands at."""
    values: tuple[str, ...]
    """Of its issue or issuewild properties, as published."""
    unknown: tuple[str, ...] = ()
    """Critical properties that nobody knows."""
    tag: str = "issue"

    @property
    def issuers(self) -> frozenset[str]:
        """The identifiers that are permitted, without their parameters."""
        named = (value.partition(";")[0].strip(" \t").lower().removesuffix(".") for value in self.values)
        return frozenset(name for name in named if _DOMAIN.fullmatch(name))


@rule(
    "dns.caa_forbids_issuer",
    Severity.ERROR,
    step=14,
    reads="caa",
    summary="CAA forbids the certificate's issuer",
    impact="The authority must refuse to renew the certificate: it will expire, and HTTPS with it.",
    remediation='Allow the issuer in DNS, as in `CAA 0 issue "letsencrypt.org"` beside the records of '
    "`dig {host} CAA` (or at the name that they stand at), then try `sudo certbot renew --dry-run`; or have the "
    "certificate issued by an authority that is allowed.",
    reference="checklist step 14; RFC 8659 sections 3 to 5",
)
def forbids_issuer(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Compare the CAA set in force for each host, climbing up from it, with who issued the served certificates.

    Parameters (account, validation method) bind the next order, which nobody sees from here: they are shown only.
    """
    for host in evidence.hosts:
        found = served(evidence, host)
        if not found:
            yield from _without_certificate(evidence, host)
        outcomes = dict.fromkeys(outcome for item in found for outcome in _judged(evidence.caa or {}, host, item))
        problems = [outcome for outcome in outcomes if isinstance(outcome, Problem)]
        yield from problems[:1] or outcomes


def _without_certificate(evidence: Evidence, host: str) -> Iterator[Unknown]:
    """Yield why a restriction cannot be judged; where there is none, no issuer is forbidden."""
    restriction = _in_force(evidence.caa or {}, host, wildcard=False)
    if isinstance(restriction, Restriction):
        yield Unknown(host, f"the CAA records at {restriction.at} restrict issuers, and no certificate was seen")
    elif restriction:
        yield Unknown(host, restriction)


def _judged(caa: Mapping[str, CaaSet], host: str, item: Served) -> Iterator[Problem | Unknown | NotApplicable]:
    """Yield what stands against issuing one served certificate again."""
    for name, wildcard in _issued_for(item, host):
        restriction = _in_force(caa, name, wildcard=wildcard)
        if isinstance(restriction, str):
            yield Unknown(host, restriction)
        elif restriction:
            outcome = _compared(host, name, restriction, item)
            if outcome:
                yield outcome


def _issued_for(item: Served, host: str) -> Iterator[tuple[str, bool]]:
    """Yield (name, whether a wildcard of it): what the authority looks CAA up for on the host's account."""
    names = {name.lower() for name in item.leaf.dns_names}
    parent = host.partition(".")[2]
    if host in names or not covers(item.leaf, host):
        yield host, False
    if f"*.{parent}" in names and covers(item.leaf, host):
        yield parent, True


def _in_force(caa: Mapping[str, CaaSet], name: str, *, wildcard: bool) -> Restriction | str | None:
    """Return what the nearest CAA set upwards restricts; text says why it is not known."""
    at = name
    while at:
        looked = caa.get(at)
        if looked is None or looked.failure:
            why = looked.failure if looked else "it was not asked for"
            return f"the CAA records at {at} are not known: {why}; authorities do not issue either while that lasts"
        if looked.records:
            return _restriction(looked, wildcard=wildcard)
        at = at.partition(".")[2]
    return None


def _restriction(found: CaaSet, *, wildcard: bool) -> Restriction | None:
    at = f"{found.name} (an alias of {found.alias})" if found.alias else found.name
    unknown = tuple(record.tag for record in found.records if record.critical and record.tag not in UNDERSTOOD)
    # issuewild, where there is one, stands in the place of issue for wildcards (RFC 8659 section 4.3).
    tag = "issuewild" if wildcard and _values(found.records, "issuewild") else "issue"
    values = _values(found.records, tag)
    return Restriction(at, values, unknown, tag) if values or unknown else None


def _values(records: tuple[CaaRecord, ...], tag: str) -> tuple[str, ...]:
    return tuple(record.value for record in records if record.tag == tag)


def _compared(host: str, name: str, found: Restriction, item: Served) -> Problem | Unknown | NotApplicable | None:
    look, issuer = item.verification, organisation(item.leaf.issuer)
    if look and look.private:
        return NotApplicable("certificates of a private authority do not depend on CAA")
    if look is None or look.status not in ("trusted", "incomplete", "expired", "weak"):
        return Unknown(host, "the certificate was issued by no public authority")
    accepted = identifiers().get(issuer.casefold(), ())
    if found.unknown:
        properties = listed(quoted(tag) for tag in found.unknown)
        observed = f"the CAA records at {found.at} hold the critical property {properties}, which no authority knows"
        return Problem(host, observed, "only properties that authorities know, or no critical flag (128)")
    if found.issuers and found.issuers & set(accepted):
        return None
    if found.issuers and not accepted:
        shown = f"{issuer or item.leaf.issuer or 'it'}, whose CAA identifiers are not in Padlock's table"
        return Unknown(host, f"the CAA records at {found.at} restrict issuers; the certificate is from {shown}")
    permitted = listed(f"{found.tag} {quoted(value)}" for value in found.values)
    wanted = accepted[0] if accepted else "the issuer's identifier"
    return Problem(
        host,
        f"the CAA records at {found.at} are {permitted}; the certificate{_for(name, host)} is from "
        f"{issuer or item.leaf.issuer}, known to CAA as {listed(accepted, 2) or 'nothing'}",
        f'{found.tag} "{wanted}" among the CAA records, or none',
    )


def _for(name: str, host: str) -> str:
    return "" if name == host else f" for *.{name}"


@functools.cache
def identifiers() -> Mapping[str, tuple[str, ...]]:
    """Return organisation, in lower case → the identifiers that it accepts, its own first."""
    text = (importlib.resources.files(__package__) / "caa-identifiers.csv").read_text(encoding="utf-8")
    return {
        row["organisation"].casefold(): tuple(row["identifiers"].split()) for row in csv.DictReader(text.splitlines())
    }
