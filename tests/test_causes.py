"""Causes: inferred from findings alone, in the order of debugging, and none without its findings."""

import pytest
from padlock.causes import infer
from padlock.findings import Finding, Severity


def finding(
    code: str, subject: str = "example.com", severity: Severity = Severity.ERROR, observed: str = ""
) -> Finding:
    """Return a finding of a code."""
    return Finding(code, severity, subject, observed, "", "", f"fix {code}", "", None)


CAUSES = {
    "cause.dns_broken": ["dns.unresolvable"],
    "cause.dns_wrong_server": ["dns.unexpected_address"],
    "cause.port_blocked": ["port.https_closed"],
    "cause.server_name": ["server.default_site"],
    "cause.certificate_coverage": ["certificate.name_mismatch"],
    "cause.renewal_broken": ["certificate.expired"],
    "cause.redirect_loop": ["redirect.loop"],
    "cause.proxy_headers": ["proxy.scheme_lost"],
    "cause.upstream_down": ["app.bad_gateway"],
}


@pytest.mark.parametrize(("cause", "codes"), CAUSES.items())
def test_each_cause_has_its_findings(cause: str, codes: list[str]) -> None:
    """A finding leads to its cause, which names the host, explains the code and never claims to be certain."""
    (found,) = infer([finding(code) for code in codes])
    assert found.code == cause
    assert found.explains == tuple(codes)
    assert found.confidence in ("likely", "possible")
    assert "example.com" in found.explanation
    assert found.remediation


def test_no_cause_without_findings() -> None:
    """Nothing found, or findings that no cause explains, give no cause."""
    assert infer([]) == ()
    assert infer([finding("hsts.missing", severity=Severity.NOTICE), finding("canonical.split")]) == ()


def test_order_of_debugging() -> None:
    """DNS, firewall, nginx, certificate, redirects, app, whatever the order of the findings."""
    found = infer([finding(code) for codes in reversed(CAUSES.values()) for code in codes if "mismatch" not in code])
    assert [cause.code for cause in found] == [cause for cause in CAUSES if "coverage" not in cause]


def test_default_site_explains_the_mismatch() -> None:
    """The default server's certificate is not one that was issued with too few names."""
    found = infer([finding("server.default_site"), finding("certificate.name_mismatch")])
    assert [(cause.code, cause.explains) for cause in found] == [
        ("cause.server_name", ("server.default_site", "certificate.name_mismatch"))
    ]


def test_mismatch_of_another_host() -> None:
    """A second host with the wrong certificate, and the right site, lacks coverage."""
    found = infer([finding("server.default_site"), finding("certificate.name_mismatch", "www.example.com")])
    assert [cause.code for cause in found] == ["cause.server_name", "cause.certificate_coverage"]
    assert "-d www.example.com" in found[1].remediation


def test_wrong_server_explains_what_it_shows() -> None:
    """A stray address explains the stranger's certificate of the same host, not of others."""
    found = infer(
        [
            finding("dns.unexpected_address"),
            finding("certificate.untrusted", "example.com at 192.0.2.7"),
            finding("server.unexpected_content", "www.example.com"),
        ]
    )
    assert found[0].explains == ("dns.unexpected_address", "certificate.untrusted")


def test_firewall_or_nothing_listening() -> None:
    """Silence is a firewall's; a refusal comes from the machine, and may have either cause."""
    dropped = infer([finding("port.https_closed", observed="port 443: no answer to the connection: a firewall")])
    refused = infer([finding("port.https_closed", observed="port 443: the connection is refused")])
    assert (dropped[0].confidence, refused[0].confidence) == ("likely", "possible")
    assert "firewall" in dropped[0].explanation


def test_expiring_in_time_is_no_broken_renewal() -> None:
    """A certificate that is due for renewal (a warning) has no cause to look for yet; at the last moment it has."""
    assert infer([finding("certificate.expiring", severity=Severity.WARNING)]) == ()
    assert infer([finding("certificate.expiring")])[0].code == "cause.renewal_broken"


def test_several_hosts_are_one_cause() -> None:
    """One broken renewal of two hosts is one cause that names both, and the premature HSTS that it makes."""
    (found,) = infer(
        [
            finding("certificate.expired"),
            finding("certificate.expired", "www.example.com"),
            finding("hsts.premature", severity=Severity.WARNING),
        ]
    )
    assert found.explains == ("certificate.expired", "hsts.premature")
    assert "example.com and www.example.com" in found.explanation


def test_loop_takes_the_findings_own_fix() -> None:
    """The loop's finding knows which side to mend."""
    assert infer([finding("redirect.loop")])[0].remediation == "fix redirect.loop"


def test_overdue_renewal_takes_along_what_stopped_it() -> None:
    """A way that no challenge gets through, and the warning of the expiry, are explained by it; none leads to it."""
    challenge = finding("renewal.challenge_unreachable")
    expiring = finding("certificate.expiring", severity=Severity.WARNING)
    (found,) = infer([challenge, expiring, finding("renewal.overdue")])
    assert found.code == "cause.renewal_broken"
    assert set(found.explains) == {"renewal.overdue", "renewal.challenge_unreachable", "certificate.expiring"}
    assert infer([challenge, expiring]) == ()


def test_lost_headers_explain_what_visitors_meet() -> None:
    """A redirect to plain HTTP or to the upstream, at the same host, comes from the headers that the app lacks."""
    found = infer(
        [
            finding("redirect.downgrade"),
            finding("redirect.refused", "other.example.com"),
            finding("proxy.scheme_lost"),
            finding("proxy.host_lost"),
        ]
    )
    (cause,) = found
    assert cause.code == "cause.proxy_headers"
    assert cause.explains == ("proxy.scheme_lost", "proxy.host_lost", "redirect.downgrade")
    assert "the scheme and the host" in cause.explanation
    assert cause.remediation == "fix proxy.scheme_lost"
