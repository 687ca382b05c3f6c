"""Causes: inferred from findings alone, in the order of debugging, and none without its findings."""

import msgspec
import pytest
from padlock.causes import infer
from padlock.findings import Finding, NotAssessed, Severity


def finding(
    code: str,
    subject: str = "example.com",
    severity: Severity = Severity.ERROR,
    observed: str = "",
    commands: tuple[str, ...] = (),
) -> Finding:
    """Return a finding of a code."""
    return Finding(code, severity, subject, observed, "", "", f"fix {code}", "", None, commands=commands)


CAUSES = {
    "cause.dns_broken": ["dns.unresolvable"],
    "cause.dns_wrong_server": ["dns.unexpected_address"],
    "cause.port_blocked": ["port.https_closed"],
    "cause.not_reloaded": ["renewal.newer_certificate_not_served"],
    "cause.server_name": ["server.default_site"],
    "cause.certificate_coverage": ["certificate.name_mismatch"],
    "cause.renewal_broken": ["certificate.expired"],
    "cause.redirect_loop": ["redirect.loop"],
    "cause.proxy_headers": ["proxy.scheme_lost"],
    "cause.upstream_down": ["app.bad_gateway"],
    "cause.insecure_urls": ["content.mixed_active"],
}
BY_HOST = {
    "cause.port_blocked": ["firewall.blocked"],
    "cause.nginx_down": ["nginx.inactive"],
    "cause.stale_nginx_config": ["nginx.conflicting_server_name"],
    "cause.not_reloaded": ["nginx.not_reloaded"],
    "cause.server_name": ["nginx.server_name_missing"],
    "cause.certificate_coverage": ["certbot.names"],
    "cause.renewal_broken": ["certbot.no_timer"],
    "cause.redirect_loop": ["redirect.loop", "nginx.proxy_headers"],
    "cause.proxy_headers": ["proxy.scheme_lost", "nginx.proxy_headers"],
    "cause.upstream_down": ["upstream.unreachable"],
}
"""What the host itself shows."""


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


@pytest.mark.parametrize(("cause", "codes"), BY_HOST.items())
def test_what_the_host_shows_is_certain(cause: str, codes: list[str]) -> None:
    """The host's own word makes a cause certain, and brings the commands for that host, each once."""
    lines = ("nginx -t", "systemctl reload nginx")
    audited = [finding(code, "example.com on web-1", commands=lines) for code in codes]
    (found,) = infer(audited)
    assert (found.code, found.confidence, found.commands) == (cause, "certain", lines)
    assert found.explains == tuple(codes)
    assert found.inhibits == ()


def test_commands_of_several_findings_end_with_one_reload() -> None:
    """What two findings need at their end is run once, after both."""
    reload = "nginx -t && systemctl reload nginx"
    mended = [
        finding("nginx.certificate_path", f"{host} on web-1", commands=(f"sed -i s/{host}/x/ shop", reload))
        for host in ("a.example", "b.example")
    ]
    (found,) = infer(mended)
    assert found.commands == ("sed -i s/a.example/x/ shop", "sed -i s/b.example/x/ shop", reload)


def test_order_of_debugging() -> None:
    """DNS, firewall, nginx, certificate, redirects, app, whatever the order of the findings."""
    hosts = {code: f"{number}.example.com" for number, code in enumerate(CAUSES)}
    found = infer([finding(code, hosts[cause]) for cause, codes in reversed(CAUSES.items()) for code in codes])
    assert [cause.code for cause in found] == list(CAUSES)


def test_a_finding_has_one_cause() -> None:
    """What a wrong address brings about is not blamed on nginx and on the certificate as well."""
    shown = [finding(code) for code in ("server.default_site", "certificate.name_mismatch", "certificate.expired")]
    (found,) = infer([*shown, finding("dns.unexpected_address")])
    assert found.code == "cause.dns_wrong_server"
    assert found.inhibits == tuple(one.label for one in shown)


def test_the_right_server_has_faults_of_its_own() -> None:
    """A stale address beside the right one does not explain an expired certificate at the right one."""
    found = infer(
        [
            finding("dns.unexpected_address", observed="93.184.215.14, 192.0.2.7 is not declared"),
            finding("certificate.untrusted", "example.com at 192.0.2.7"),
            finding("certificate.expired", "example.com at 203.0.113.5"),
        ]
    )
    assert [(cause.code, cause.explains) for cause in found] == [
        ("cause.dns_wrong_server", ("dns.unexpected_address", "certificate.untrusted")),
        ("cause.renewal_broken", ("certificate.expired",)),
    ]


@pytest.mark.parametrize("code", ["dns.dnssec_bogus", "registration.on_hold"])
def test_broken_dns_that_no_record_mends(code: str) -> None:
    """A bogus signature and a domain on hold are causes of their own, with the fix that their finding knows."""
    (found,) = infer([finding("dns.unresolvable"), finding(code)])
    assert (found.code, found.explains) == ("cause.dns_broken", ("dns.unresolvable", code))
    assert found.remediation == f"fix {code}"


def test_not_reloaded_is_no_broken_renewal() -> None:
    """An expired certificate is explained by the newer one on disk; renewal works."""
    (found,) = infer(
        [
            finding("certificate.expired"),
            finding("renewal.newer_certificate_not_served"),
            finding("nginx.not_reloaded", "example.com on web-1", observed="the certificate on disk is newer"),
        ]
    )
    assert found.code == "cause.not_reloaded"
    assert found.confidence == "certain"
    assert found.explains == (
        "nginx.not_reloaded",
        "renewal.newer_certificate_not_served",
        "certificate.expired",
    )


def test_a_changed_configuration_leaves_the_certificate_alone() -> None:
    """A configuration that waits for a reload explains the wrong site, not an expired certificate."""
    reload = finding("nginx.not_reloaded", "example.com on web-1", observed="shop.conf is newer than the workers")
    found = infer([reload, finding("certificate.expired"), finding("server.default_site", "www.example.com")])
    assert [cause.code for cause in found] == ["cause.not_reloaded", "cause.renewal_broken"]
    assert found[0].explains == ("nginx.not_reloaded", "server.default_site")


def test_a_refusal_of_a_stopped_nginx_is_no_firewall() -> None:
    """Where the host says that nginx is down, the refused port and the invalid configuration are explained."""
    (found,) = infer(
        [
            finding("port.https_closed", observed="port 443: the connection is refused"),
            finding("nginx.inactive", "example.com on web-1", commands=("systemctl start nginx",)),
            finding("nginx.invalid", "example.com on web-1", commands=()),
        ]
    )
    assert found.code == "cause.nginx_down"
    assert found.explains == ("nginx.invalid", "nginx.inactive", "port.https_closed")
    assert "cannot start" in found.explanation


def test_a_blocked_checker_is_a_cause_without_a_finding() -> None:
    """A firewall of the app's that turns the checker away is said, though it finds nothing."""
    (found,) = infer([], [NotAssessed("app.blocked", "https://example.com/", "a challenge page")])
    assert (found.code, found.explains) == ("cause.prober_blocked", ("app.blocked",))
    assert infer([], [NotAssessed("app.slow", "https://example.com/", "no answer")]) == ()
    assert infer([], [NotAssessed("app.blocked", "example.com", "no evidence", whole=True)]) == ()


def test_mixed_content_of_a_lost_scheme_is_the_proxys() -> None:
    """URLs that the app writes wrong for want of a header are no wrong templates."""
    (found,) = infer([finding("content.mixed_active"), finding("proxy.scheme_lost")])
    assert found.code == "cause.proxy_headers"


def test_default_site_explains_the_mismatch() -> None:
    """The default server's certificate is not one that was issued with too few names."""
    found = infer([finding("server.default_site"), finding("certificate.name_mismatch")])
    assert [(cause.code, cause.explains) for cause in found] == [
        ("cause.server_name", ("server.default_site", "certificate.name_mismatch"))
    ]


def test_plain_http_on_the_port_of_https() -> None:
    """A `listen 443` without `ssl` explains what visitors meet there, and is not called a missing name."""
    listener = finding("nginx.no_https_listener", "example.com on web-1", commands=("sed",))
    (found,) = infer([finding("port.not_tls"), listener])
    assert found.explains == ("nginx.no_https_listener", "port.not_tls")
    assert "`listen 443 ssl;`" in found.explanation
    assert "default server" not in found.explanation


def test_mismatch_of_another_host() -> None:
    """A second host with the wrong certificate, and the right site, lacks coverage."""
    found = infer([finding("server.default_site"), finding("certificate.name_mismatch", "www.example.com")])
    assert [cause.code for cause in found] == ["cause.server_name", "cause.certificate_coverage"]
    assert "-d www.example.com" in found[1].remediation


def test_wrong_server_explains_what_it_shows() -> None:
    """A stray address explains the stranger's certificate of the same host, not of others."""
    found = infer(
        [
            finding("dns.unexpected_address", observed="192.0.2.7"),
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


def test_wrong_paths_of_a_stopped_nginx_come_first() -> None:
    """An nginx that is down with wrong certificate paths is started after they are mended, and is no second cause."""
    start = "nginx -t && systemctl start nginx"
    paths = finding("nginx.certificate_path", "example.com on web-1", observed="x is not the key of y")
    inactive = finding("nginx.inactive", "example.com on web-1", commands=(start,))
    closed = finding("port.https_closed", observed="port 443: the connection is refused")
    shake = finding("tls.handshake_failed")
    mended = msgspec.structs.replace(paths, commands=("sed -i s/x/y/ shop", "nginx -t && systemctl start nginx"))
    (found,) = infer([inactive, mended, closed, shake])
    assert found.code == "cause.stale_nginx_config"
    assert found.commands == ("sed -i s/x/y/ shop", start)
    assert set(found.explains) == {
        "nginx.certificate_path",
        "nginx.inactive",
        "port.https_closed",
        "tls.handshake_failed",
    }
    unmended = infer([inactive, paths, closed])
    assert [each.code for each in unmended] == ["cause.nginx_down", "cause.stale_nginx_config"]


def test_a_handshake_fails_for_the_key_alone() -> None:
    """A numbered file in archive/ breaks no handshake; a key of another certificate does."""
    shake = finding("tls.handshake_failed")
    old = finding("nginx.certificate_path", "example.com on web-1", observed="names a numbered file")
    key = finding("nginx.certificate_path", "example.com on web-1", observed="x is not the key of y")
    assert "tls.handshake_failed" not in infer([old, shake])[0].explains
    assert "tls.handshake_failed" in infer([key, shake])[0].explains


def test_a_listener_that_waits_for_a_reload() -> None:
    """A port that the files open and the running nginx does not is no firewall's, unless packets are dropped."""
    waiting = finding("nginx.not_reloaded", "example.com on web-1", commands=("systemctl reload nginx",))
    (found,) = infer([waiting, finding("port.https_closed", "www.example.com", observed="the connection is refused")])
    assert (found.code, found.explains) == ("cause.not_reloaded", ("nginx.not_reloaded", "port.https_closed"))
    silent = finding("port.https_closed", observed="port 443: no answer to the connection: a firewall")
    assert [each.code for each in infer([waiting, silent])] == ["cause.port_blocked", "cause.not_reloaded"]


def test_a_name_that_is_missing_by_accident_counts_once_it_is_met() -> None:
    """The site's own block as the default is a warning without a cause, until that host's visitors end wrong."""
    warning = Severity.WARNING
    missing = finding("nginx.server_name_missing", "www.example.com on web-1", warning, commands=("sed",))
    assert infer([missing]) == ()
    assert infer([missing, finding("canonical.unexpected")]) == ()
    (found,) = infer([missing, finding("canonical.unexpected", "www.example.com")])
    assert (found.code, found.commands) == ("cause.server_name", ("sed",))
    assert found.explains == ("nginx.server_name_missing", "canonical.unexpected")
    down = infer([missing, finding("canonical.unexpected", "www.example.com"), finding("app.bad_gateway")])
    assert down[1].explains == ("app.bad_gateway",)


def test_a_loop_of_another_hosts_block() -> None:
    """The block of another host that sends visitors to themselves explains the loop; a welcome page does not."""
    loop = finding("redirect.loop")
    circling = finding("nginx.server_name_missing", "example.com on web-1", observed='to "example.com", in a loop')
    (found,) = infer([loop, circling])
    assert (found.code, found.explains) == ("cause.server_name", ("nginx.server_name_missing", "redirect.loop"))
    other = finding("nginx.server_name_missing", "example.com on web-1", observed="shows nginx's welcome page")
    assert [each.code for each in infer([loop, other])] == ["cause.server_name", "cause.redirect_loop"]


def test_words_for_what_nginx_lacks() -> None:
    """A name that has its block, without a listener for HTTPS, is not said to have none."""
    listener = finding("nginx.no_https_listener", "example.com on web-1")
    missing = finding("nginx.server_name_missing", "www.example.com on web-1")
    (one,) = infer([listener, finding("server.default_site")])
    assert "No server block of nginx names" not in one.explanation
    (both,) = infer([listener, missing])
    assert "HTTPS for example.com:" in both.explanation
    assert "no server block of nginx names www.example.com," in both.explanation


def test_a_firewall_that_is_closed_to_ipv6_alone() -> None:
    """It explains the IPv6 addresses that do not work, and names their hosts; one open to IPv6 does not."""
    broken = [finding("dns.ipv6_broken"), finding("dns.ipv6_broken", "www.example.com")]
    closed = finding("firewall.blocked", "example.com on web-1", observed="nftables blocks 443/tcp IPv6")
    (found,) = infer([*broken, closed])
    assert found.explains == ("firewall.blocked", "dns.ipv6_broken")
    assert "example.com and www.example.com" in found.explanation
    other = finding("firewall.blocked", "example.com on web-1", observed="nftables blocks 443/tcp IPv4")
    assert infer([*broken, other])[0].explains == ("firewall.blocked",)


TIMEOUT = 'the dry run fails: "example.com: connection: Get x: context deadline exceeded"'


def test_a_dry_run_that_fails_for_the_closed_port() -> None:
    """The port is the one cause; a dry run that fails otherwise, or beside an open port 80, is its own."""
    closed = finding("firewall.blocked", "example.com on web-1", observed="ufw blocks 80/tcp IPv4")
    failed = finding("certbot.dry_run_failed", "example.com on web-1", observed=TIMEOUT)
    (found,) = infer([closed, failed])
    assert found.explains == ("firewall.blocked", "certbot.dry_run_failed")
    caa = finding("certbot.dry_run_failed", "example.com on web-1", observed="example.com: caa: forbidden")
    only_https = finding("firewall.blocked", "example.com on web-1", observed="ufw blocks 443/tcp IPv4")
    for findings in ([closed, caa], [only_https, failed]):
        assert [one.code for one in infer(findings)] == ["cause.port_blocked", "cause.renewal_broken"]
    down = finding("nginx.inactive", "example.com on web-1")
    assert [one.code for one in infer([down, failed])] == ["cause.nginx_down"]


def test_a_refusal_is_looked_into_at_the_listeners_first() -> None:
    """A port that listens on loopback alone looks the same from outside as one that nobody listens on."""
    (found,) = infer([finding("port.https_closed", observed="port 443: the connection is refused")])
    assert "127.0.0.1" in found.explanation
    assert found.remediation.index("ss -ltnp") < found.remediation.index("ufw")


def test_without_a_certificate_there_is_none_to_expand() -> None:
    """certbot.missing has its own words; so has a certificate whose configuration certbot cannot read."""
    missing = infer([finding("certbot.missing", "example.com on web-1")])[0]
    assert missing.remediation == "fix certbot.missing"
    assert "--expand" in infer([finding("certbot.names", "example.com on web-1")])[0].remediation
    assert infer([finding("certbot.expired", "example.com on web-1")])[0].remediation == "fix certbot.expired"
