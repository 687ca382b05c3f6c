"""The collector where tools are missing, hang, or fail: a fact about one section, and no harm to the others."""

import time

import pytest

from tests.host.machine import Machine
from tests.host_collector.reading import SHELLS, Said, understood
from tests.host_collector.test_healthy import SECONDS, SECTIONS, comparable

pytestmark = pytest.mark.lab
LEAVE = "trap '' TERM; while :; do sleep 100; done"
"""What ignores being asked to end."""


def hide(web: Machine, *tools: str) -> None:
    """Take tools away."""
    paths = [f"/usr/{directory}/{tool}" for directory in ("bin", "sbin", "local/bin") for tool in tools]
    web.must(f"rm -f {' '.join(paths)}")


def replace(web: Machine, tool: str, script: str) -> None:
    """Put a script before a tool."""
    web.write(f"/usr/local/bin/{tool}", f"#!/bin/bash\n{script}\n", "755")


def timed(web: Machine, shell: str = "sh") -> Said:
    """Return the document, which must come in time."""
    began = time.monotonic()
    said = understood(web.collect("--full", shell=shell))
    assert time.monotonic() - began < SECONDS
    assert said.names == SECTIONS
    return said


@pytest.mark.parametrize("shell", SHELLS)
def test_missing_tools(web: Machine, shell: str) -> None:
    """A tool that the host lacks is status 127; what it was not needed for is still told."""
    missing = {
        "nginx": ("nginx_version", "nginx_test", "nginx_config"),
        "certbot": ("certbot_version", "certbot_list"),
        "ufw": ("ufw",),
        "nft": ("nftables",),
        "iptables-save": ("iptables",),
        "ip6tables-save": ("ip6tables",),
        "systemctl": ("nginx_service",),
    }
    web.must("systemctl stop nginx")
    hide(web, *missing)
    said = timed(web, shell)
    gone = {section for sections in missing.values() for section in sections}
    assert {name for name in said.names if said.status(name) == 127} == gone
    assert said.rows("certificates")[0][0] == b"/etc/letsencrypt/live/shop.test/fullchain.pem"
    assert said.rows("certbot_timers")[-1] == [b"cron-daemon", b"stopped"]


@pytest.mark.parametrize("shell", SHELLS)
def test_without_optional_tools(web: Machine, shell: str) -> None:
    """Without timeout(1), openssl, perl and ss the same facts come by other ways, or are unknown."""
    before = timed(web, shell)
    hide(web, "timeout", "openssl", "perl", "ss", "unshare", "getconf")
    said = timed(web, shell)
    (certificate,) = said.rows("certificates")
    assert certificate[7] == b"unknown"
    assert certificate[8] == before.rows("certificates")[0][8]
    assert said.rows("upstreams") == before.rows("upstreams")
    assert sorted(row[:2] for row in said.rows("listeners")) == sorted(row[:2] for row in before.rows("listeners"))
    assert comparable(said)["sections"][2] == comparable(before)["sections"][2]


@pytest.mark.parametrize("shell", SHELLS)
def test_hanging_tools(web: Machine, shell: str) -> None:
    """Tools that never end are 124, all of them at once within ten seconds, and are not left running."""
    for tool in ("certbot", "ufw"):
        replace(web, tool, LEAVE)
    said = timed(web, shell)
    failed = {name: said.status(name) for name in said.names if said.status(name)}
    assert failed == {"certbot_version": 124, "certbot_list": 124, "ufw": 124}
    assert "sleep 100" not in web.must("ps -eo args").splitlines()


@pytest.mark.parametrize("shell", SHELLS)
def test_hanging_tools_without_timeout(web: Machine, shell: str) -> None:
    """The watcher that stands in for timeout(1) ends them as well."""
    hide(web, "timeout")
    replace(web, "ufw", LEAVE)
    said = timed(web, shell)
    assert said.status("ufw") == 124
    assert said.status("nftables") == 0


def test_hanging_nginx(web: Machine) -> None:
    """Where `nginx -T` hangs, as on a dead resolver, the files are read from disk and the rest goes on."""
    web.must("systemctl stop nginx")
    replace(web, "nginx", LEAVE)
    said = timed(web)
    assert (said.status("nginx_test"), said.status("nginx_config")) == (124, 124)
    assert b"# configuration file /etc/nginx/sites-enabled/shop:" in said.output("nginx_config")
    assert said.status("certbot_list") == 0
    assert said.rows("certificates")[0][7] == b"yes"


def test_tool_that_leaves_a_child(web: Machine) -> None:
    """A child that a tool leaves behind with the pipe open does not hold the collector up."""
    replace(web, "nft", "setsid sleep 100 & echo done")
    said = timed(web)
    assert b"done" in said.output("nftables")
    assert said.status("listeners") == 0


def test_tool_that_writes_without_end(web: Machine) -> None:
    """Endless output is cut, and its section says so."""
    replace(web, "nft", "yes 'more and more of it'")
    said = timed(web)
    assert said.section("nftables")["cut"]
    assert len(said.output("nftables")) <= 400_000
    assert said.status("nftables") == 124


def test_not_root(web: Machine) -> None:
    """Without root it tells what it may see, and calls missing only what it could have seen."""
    web.must("chmod 711 /etc/letsencrypt && chmod 700 /etc/letsencrypt/live")
    with_drop = "setpriv --reuid=nobody --clear-groups sh"
    said = timed(web, with_drop)
    assert said.whole["uid"] == 65534
    faults = {row[0]: row[5] for row in said.rows("certificates")}
    assert faults[b"/etc/letsencrypt/live/shop.test/fullchain.pem"] == b"unreadable"
