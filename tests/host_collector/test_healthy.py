"""The collector on a healthy host: complete, the same under every shell, quick, and without a trace."""

import json
import re
import time
from typing import Any

import pytest

from tests.host.machine import COLLECTOR, Machine
from tests.host_collector.reading import SHELLS, Said, understood

pytestmark = pytest.mark.lab
SECONDS = 10.0
SECTIONS = [
    *("nginx_version", "nginx_test", "nginx_config", "nginx_processes", "nginx_service", "nginx_files"),
    *("certificates", "certbot_renewal_conf", "certbot_timers", "ufw", "nftables", "iptables", "ip6tables"),
    *("listeners", "upstreams", "log_error", "log_access", "log_certbot", "certbot_version", "certbot_list"),
]
TRACE = """
import hashlib, os, stat, sys
layers = ["/mnt/" + name + "/upper" for name in ("etc", "root", "srv", "usr", "var")]
for top in ["/run", "/tmp", *layers]:
    for directory, names, files in os.walk(top):
        for path in sorted([directory] + [os.path.join(directory, name) for name in files + names]):
            seen = os.lstat(path)
            kept = (seen.st_mode, seen.st_uid, seen.st_gid, seen.st_size, seen.st_ino)
            times = () if path in sys.argv[1:] else (seen.st_mtime_ns, seen.st_ctime_ns)
            content = hashlib.sha256(open(path, "rb").read()).hexdigest() if stat.S_ISREG(seen.st_mode) else ""
            print(repr(path), kept, times, content)
"""
"""Prints all that was ever written on a host, most of which lies in layers above the files of this machine.

Arguments: paths that may have another time.
"""


def listing(web: Machine, *timeless: str) -> str:
    """Return what lies on the host, with times and contents."""
    return web.must(f"/usr/bin/python3 -S - {' '.join(timeless)}", TRACE)


def comparable(said: Said) -> dict[str, Any]:
    """Return a document without what differs from one moment to the next."""
    sections = [
        section | {"seconds": 0, "output": _without_moments(section["output"])} for section in said.whole["sections"]
    ]
    return said.whole | {"collected_at": 0, "sections": sections}


def _without_moments(output: str) -> str:
    # The start of a process is reckoned from the uptime, to a hundredth of a second.
    return re.sub(r"(?m)^((?:master|worker)\t\d+\t\d+)\.\d\d$", r"\1", re.sub(r"padlock\.\w+", "padlock.X", output))


def test_says_the_same_under_every_shell(web: Machine) -> None:
    """dash, busybox sh and bash give the same document, every section of it, within ten seconds each."""
    documents = []
    for shell in SHELLS:
        began = time.monotonic()
        documents.append(understood(web.collect("--full", shell=shell)))
        assert time.monotonic() - began < SECONDS
    assert documents[0].names == SECTIONS
    first, *others = map(comparable, documents)
    assert all(other == first for other in others)


def test_says_what_is_there(web: Machine) -> None:
    """Everything that the healthy host has is told, with status 0."""
    said = understood(web.collect("--full"))
    assert {section["name"]: section["status"] for section in said.whole["sections"]} == dict.fromkeys(SECTIONS, 0)
    assert said.whole["uid"] == 0
    assert said.whole["host"] == "web-1"
    assert b"test is successful" in said.output("nginx_test")
    assert b"# configuration file /etc/nginx/sites-enabled/shop:\nserver {\n    listen 80;" in said.output(
        "nginx_config"
    )
    assert [row[0] for row in said.rows("nginx_processes")].count(b"master") == 1
    files = {row[0]: row[1:] for row in said.rows("nginx_files")}
    assert files[b"/etc/nginx/sites-enabled/shop"][2] == b"/etc/nginx/sites-available/shop"
    (certificate,) = said.rows("certificates")
    assert certificate[2] == b"/etc/letsencrypt/archive/shop.test/fullchain1.pem"
    assert certificate[5:8] == [b"", b"", b"yes"]
    assert certificate[8].startswith(b"-----BEGIN CERTIFICATE-----\n")
    assert certificate[8].endswith(b"\n-----END CERTIFICATE-----\n")
    assert b"VALID: 89 days" in said.output("certbot_list")
    assert said.rows("certbot_timers")[0][:2] == [b"timer", b"certbot.timer"]
    assert said.rows("upstreams") == [[b"unix:/run/shop/gunicorn.sock", b"accepts", b""]]
    assert sorted(row[:2] for row in said.rows("listeners")) == [
        [address, port] for address in (b"0.0.0.0", b"::") for port in (b"443", b"80")
    ]


def test_modification_times_are_those_of_the_files(web: Machine) -> None:
    """Times have hundredths of a second: a reload within the second after a change counts as one."""
    web.must("touch -d @1700000000.250000000 /etc/nginx/sites-available/shop")
    said = understood(web.collect("--full"))
    files = {row[0]: row[1:] for row in said.rows("nginx_files")}
    assert files[b"/etc/nginx/sites-enabled/shop"][0] == b"1700000000.25"
    began = web.must("systemctl restart nginx && date +%s.%N")
    (master,) = [row for row in understood(web.collect("--full")).rows("nginx_processes") if row[0] == b"master"]
    assert abs(float(master[2]) - float(began)) < 2


def test_leaves_no_trace(web: Machine) -> None:
    """Nothing on the host is changed: no file, no time, no owner; only that /tmp was used shows."""
    web.must("certbot --version")  # what Python writes when it first starts is not the collector's
    before = listing(web, "/tmp")  # noqa: S108 — of the host
    for shell in SHELLS:
        web.collect("--full", shell=shell)
        assert listing(web, "/tmp") == before  # noqa: S108


def test_leaves_no_trace_where_nginx_does_not_run(web: Machine) -> None:
    """The empty pid file that `nginx -T` makes then is gone again, and so is certbot's directory."""
    web.must("systemctl stop nginx && certbot --version")
    before = listing(web, "/tmp", "/run")  # noqa: S108
    said = understood(web.collect("--full"))
    assert listing(web, "/tmp", "/run") == before  # noqa: S108
    assert said.output("nginx_service") == b"inactive\n"
    assert said.rows("nginx_processes") == []
    assert said.status("nginx_test") == 0


def test_reads_from_read_only_file_systems(web: Machine) -> None:
    """A host of which nothing but logs, /run and /tmp can be written says the same."""
    before = comparable(understood(web.collect("--full")))
    for directory in ("/etc", "/srv", "/usr", "/var/lib"):
        web.must(f"mount --bind {directory} {directory} && mount -o remount,bind,ro {directory}")
    web.must("! touch /etc/x && ! touch /var/lib/x")
    assert comparable(understood(web.collect("--full"))) == before


def test_leaves_no_process(web: Machine) -> None:
    """All that it started has ended with it."""
    shown = "ps -eo pid,args --no-headers | grep -v 'ps -eo\\|grep\\|bash -c\\|sleep 3600'"
    web.collect("--full")  # once nginx has started all of its own
    before = web.must(shown)
    web.collect("--full")
    assert web.must(shown) == before


@pytest.mark.parametrize("shell", SHELLS)
def test_leaves_nothing_where_it_is_broken_off(web: Machine, shell: str) -> None:
    """Whether its reader goes away or it is told to end: certbot's private directory goes with it."""
    script = COLLECTOR.read_text()
    web.must(f"{shell} -s -- --full | head -c 1 >/dev/null", script)
    web.sh(f"timeout 0.3 {shell} -s -- --full >/dev/null", script)
    assert not web.must("sleep 1; ls /tmp")


def test_dry_run_asks_the_authority(web: Machine) -> None:
    """With --dry-run certbot's own test of the renewal stands at the end, and only then."""
    said = understood(web.collect("--full", "--dry-run"))
    assert said.names == [*SECTIONS, "certbot_dry_run"]
    assert said.status("certbot_dry_run") == 0
    assert b"/etc/letsencrypt/live/shop.test/fullchain.pem (success)" in said.output("certbot_dry_run")


def test_a_script_that_arrives_cut_off_does_nothing(web: Machine) -> None:
    """Over a connection that breaks, no part of the script runs: its last line starts it."""
    script = COLLECTOR.read_text()
    for part in (0.1, 0.3, 0.5, 0.7, 0.9, 0.999):
        ran = web.sh("sh -s -- --full 2>/dev/null", script[: int(len(script) * part)])
        assert "padlock-host/1" not in ran.output
        assert not web.must("ls /tmp")


def test_help_and_wrong_options(web: Machine) -> None:
    """--help explains, and an option that it does not know is refused before anything is read."""
    script = COLLECTOR.read_text()
    assert "--dry-run" in web.must("sh -s -- --help", script)
    ran = web.sh("sh -s -- --dryrun", script)
    assert (ran.status, ran.output.startswith("usage:")) == (2, True)


def test_sample_is_of_this_collector() -> None:
    """The committed sample has the sections that the collector writes today."""
    sample = json.loads((COLLECTOR.parents[4] / "tests/host_collector/samples/healthy.json").read_text())
    assert [section["name"] for section in sample["sections"]] == [*SECTIONS, "certbot_dry_run"]
