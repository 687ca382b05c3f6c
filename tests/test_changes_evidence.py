"""Changes of what real rules find in real evidence: what hides a finding does not resolve it."""

from datetime import timedelta

import pytest
from padlock import evidence as ev

from tests import evidence_builder as builder
from tests.watched import Watched, codes


def failing_evidence() -> ev.Evidence:
    """Return what a site shows whose certificate has expired and whose app is down."""
    whole = builder.healthy()
    assert whole.tls is not None
    assert whole.http is not None
    old = builder.certificate(not_after=builder.NOW - timedelta(days=2))
    chain = (builder.LEAF, builder.INTERMEDIATE)
    tls = builder.change(
        whole.tls,
        certificates={**whole.tls.certificates, builder.LEAF: old},
        verifications=(ev.Verification(chain, "expired"),),
    )
    front = "https://example.com/"
    exchanges = tuple(
        builder.change(one, status=502) if (one.url, one.purpose) == (front, "front") else one
        for one in whole.http.exchanges
    )
    chains = tuple(
        builder.change(
            one, hops=tuple(builder.change(hop, status=502) if hop.url == front else hop for hop in one.hops)
        )
        for one in whole.http.chains
    )
    return builder.change(whole, tls=tls, http=ev.Http(exchanges, chains))


def blind_evidence(why: str) -> ev.Evidence:
    """Return what the healthy site shows a checker that could not see certificate and app."""
    whole = builder.healthy()
    if why == "deadline":
        return builder.change(whole, tls=None, http=None, incomplete="the 30 seconds for this site ran out")
    assert whole.dns is not None
    if why == "dns":
        names = (host.host for host in whole.dns.hosts)
        dns = ev.Dns(tuple(ev.HostDns(name, nothing(name, "A"), nothing(name, "AAAA")) for name in names))
        return builder.change(whole, dns=dns, ports=(), tls=ev.Tls((), {}), http=ev.Http(()))
    failure = ev.Failure("timeout", "connect")
    ports = tuple(builder.change(one, failure=failure, confirmed=True) for one in whole.ports or ())
    return builder.change(whole, ports=ports, tls=ev.Tls((), {}), http=ev.Http(()))


def nothing(host: str, rdtype: str) -> ev.Lookup:
    """Return the answer that a name does not exist."""
    return builder.lookup(host, rdtype, status="nxdomain")


def failing_site() -> Watched:
    """Return a site whose failing evidence was told of."""
    site, judged = Watched(), builder.report(failing_evidence())
    change = site.told(judged, judged)
    assert {"certificate.expired", "app.bad_gateway"} <= set(codes(change.opened))
    return site


@pytest.mark.parametrize("why", ["deadline", "dns", "closed"])
def test_what_hides_a_finding_does_not_resolve_it(why: str) -> None:
    """A site that broke further, or that we saw less of, is not told to be better."""
    site, judged = failing_site(), builder.report(blind_evidence(why))
    change = site.run(judged, judged)
    assert {"certificate.expired", "app.bad_gateway"} <= set(site.open)
    assert change is None or not (change.resolved or change.eased)


def test_seeing_again_resolves() -> None:
    """The same findings end once the site is seen healthy."""
    site, judged = failing_site(), builder.report(builder.healthy())
    change = site.told(judged, judged)
    assert {"certificate.expired", "app.bad_gateway"} <= set(codes(change.resolved))
    assert change.after == "notice"


def test_a_502_needs_two_looks_and_an_expired_certificate_one() -> None:
    """The rules say themselves what may pass by itself."""
    judged = builder.report(failing_evidence())
    site = Watched()
    change = site.told(judged)
    assert "certificate.expired" in codes(change.opened)
    assert "app.bad_gateway" in site.pending


def test_one_5xx_of_port_80_alarms_nobody() -> None:
    """HTTP that answers 503 once, while HTTPS is well, is told only where the second look sees it too."""
    well = builder.healthy()
    busy = builder.with_exchange(well, "http://example.com/", status=503, headers=())
    assert "redirect.missing" in codes(builder.report(busy).findings)
    site = Watched()
    site.run(builder.report(well))
    assert site.run(builder.report(busy), builder.report(well)) is None
    change = site.told(builder.report(busy), builder.report(busy))
    assert "redirect.missing" in codes(change.opened)
