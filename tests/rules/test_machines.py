"""Audited machines: those whose word counts, and why that of others does not."""

from datetime import timedelta

import pytest
from padlock.evidence import Evidence, Host, Listener, Ran
from padlock.rules._machines import NOT_ROOT, each, machines, reload_nginx, shell, unread
from padlock.rules._rule import NotApplicable, Problem, Unknown

from tests.evidence_builder import NOW, change, healthy
from tests.host_builder import host, nginx


def audited(*all_machines: Host) -> Evidence:
    """Return the site with these machines."""
    return change(healthy(), host=all_machines)


def test_a_machine_that_can_be_judged() -> None:
    """One whose audit is a few minutes old, or up to two days, or whose clock is a little ahead."""
    assert list(machines(audited(host()))) == [host()]
    old = host(collected_at=NOW - timedelta(hours=47))
    assert list(machines(audited(old))) == [old]
    ahead = host(collected_at=NOW + timedelta(minutes=50))
    assert list(machines(audited(ahead))) == [ahead]


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        (host(fault="the command timed out"), "the audit of web-1 failed: the command timed out"),
        (host(collected_at=NOW - timedelta(days=3, hours=1)), "the audit of web-1 is 3 days old"),
        (host(collected_at=NOW + timedelta(days=40)), "the clock of web-1 is 40 days ahead"),
        (host(collected_at=NOW + timedelta(hours=2)), "the clock of web-1 is 2 hours ahead"),
    ],
    ids=["failed", "stale", "clock", "clock, hours"],
)
def test_a_machine_that_cannot(machine: Host, reason: str) -> None:
    """It is not known, and as it is the only one nothing that was found on it is over."""
    assert list(machines(audited(machine))) == [Unknown("example.com on web-1", reason, whole=True)]


def test_one_of_two_machines_cannot() -> None:
    """The other is judged, and what was found there may be over."""
    second = host(name="web-2", fault="it is off")
    assert list(machines(audited(host(), second))) == [
        host(),
        Unknown("example.com on web-2", "the audit of web-2 failed: it is off"),
    ]


def test_no_machine_at_all() -> None:
    """An audit of nothing passes nothing."""
    assert [seen.whole for seen in machines(audited()) if isinstance(seen, Unknown)] == [True]


def test_sections_that_cannot_be_judged() -> None:
    """One whose time ran out, one that was cut, and all of a collector that was not root."""
    sections = {"ufw": Ran("ufw status verbose", 124), "nftables": Ran("nft list ruleset", 0, cut=True)}
    machine = host(sections=sections)
    assert unread(machine, "ufw") == "the time for `ufw status verbose` ran out there"
    assert unread(machine, "iptables", "nftables") == "`nft list ruleset` had more output than is kept"
    assert unread(machine, "iptables") == ""
    assert unread(host(root=False)) == NOT_ROOT


def test_not_applicable_only_where_no_machine_has_a_say() -> None:
    """A machine that passes, or fails, outweighs one that the question does not concern."""
    absent, problem = NotApplicable("no certbot"), Problem("x", "y", "z")
    both = audited(host(), host(name="web-2"))
    assert list(each(both, lambda _: [absent])) == [absent]
    assert list(each(both, lambda machine: [absent] if machine.name == "web-1" else [])) == []
    assert list(each(both, lambda machine: [absent] if machine.name == "web-1" else [problem])) == [problem]


def test_shell_lines() -> None:
    """Words from a host are quoted; what nobody would see makes no line."""
    assert shell(("certbot", "--cert-name", "a b; rm -rf /")) == ("certbot --cert-name 'a b; rm -rf /'",)
    assert shell(("certbot", "a\nb")) == ()


def test_reloading_without_systemd() -> None:
    """A machine without systemctl gets nginx's own signal."""
    assert reload_nginx(host()) == "nginx -t && systemctl reload nginx"
    bare = host(sections={"nginx_service": Ran("systemctl is-active nginx", 127)})
    assert reload_nginx(bare) == "nginx -t && nginx -s reload"


def test_a_stopped_nginx_is_started() -> None:
    """An nginx that is down cannot be reloaded; it is started, unless another program has its port."""
    down = nginx(running=False)
    assert reload_nginx(host(nginx=down, listeners=())) == "nginx -t && systemctl reload-or-restart nginx"
    bare = host(nginx=down, listeners=(), sections={"nginx_service": Ran("systemctl is-active nginx", 127, "")})
    assert reload_nginx(bare) == "nginx -t && { nginx -s reload || nginx; }"
    taken = (Listener("*", 80, "apache2"),)
    assert reload_nginx(host(nginx=down, listeners=taken)) == "nginx -t && systemctl reload nginx"
