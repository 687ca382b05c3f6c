"""The collector on a host whose names and logs mean harm: every octet arrives, and nothing of it is obeyed."""

import pytest

from tests.host.machine import Machine
from tests.host_collector.reading import SHELLS, understood

pytestmark = pytest.mark.lab
HOSTILE = (
    "quote\"s and 'such'",
    "$(touch ${IFS}.ran)`touch .ran`;touch .ran",
    "back\\slash\\n\\0101\\c",
    "new\nline",
    "tab\tand \x1b[31mred\x07\x7f",
    "-rf",
    "%s%n {{x}} \\u0041",
    "umläut ☃ \u202e",
    "ends with newline\n",
)
"""File names."""
INVALID = b"\xc3\x28\xff\xfe\x81\x82\x88"
"""No UTF-8, and the octets that dash uses inside."""


LAY = """
import os, sys
shop = b"/etc/letsencrypt/live/shop.test/"
for name in eval(sys.stdin.read()):
    os.symlink(shop + b"fullchain.pem", b"/etc/nginx/odd/" + name)
    live = b"/etc/letsencrypt/live/" + name
    os.mkdir(live)
    for file in (b"/fullchain.pem", b"/privkey.pem"):
        os.symlink(shop + file[1:], live + file)
    hook = b"/etc/letsencrypt/renewal-hooks/deploy/" + name
    open(hook, "w").write("#!/bin/sh\\nsystemctl reload nginx\\n")
    os.chmod(hook, 0o755)
    open(b"/etc/cron.d/" + name, "w").write("0 3 * * * root certbot renew\\n")
"""
"""Lays files of the names that it reads where the collector looks."""
ECHO = "/usr/bin/python3 -c 'import sys; sys.stdout.buffer.write(eval(sys.stdin.read()))'"
"""Prints the octets that it reads the name of."""


def nothing_ran(web: Machine) -> None:
    """Hold that no name was taken for a command."""
    assert not web.must("find / -xdev -name .ran 2>/dev/null; find /tmp /run /etc /var/log -name .ran")


@pytest.mark.parametrize("shell", SHELLS)
def test_hostile_file_names(web: Machine, shell: str) -> None:
    """Certificates, links, hooks and crontabs of any name are told by that very name, and nothing is run."""
    names = [*(name.encode() for name in HOSTILE), INVALID]
    web.must("mkdir -p /etc/nginx/odd /etc/letsencrypt/renewal-hooks/deploy")
    web.write("/etc/lay.py", LAY)
    web.must("/usr/bin/python3 /etc/lay.py", repr(names))
    in_nginx = [name for name in HOSTILE if "$" not in name]
    web.write("/etc/nginx/sites-available/odd", "".join(map(server, in_nginx)))
    web.must('ln -s ../sites-available/odd "/etc/nginx/sites-enabled/o d\'d\\$(touch .ran)"')
    said = understood(web.collect("--full", shell=shell))
    assert said.status("nginx_test") == 0, said.output("nginx_test")
    certificates = {row[0]: row for row in said.rows("certificates")}
    for name in names:
        live = certificates[b"/etc/letsencrypt/live/" + name + b"/fullchain.pem"]
        assert live[1] == b"/etc/letsencrypt/live/" + name + b"/privkey.pem"
        assert (live[2], live[7]) == (b"/etc/letsencrypt/archive/shop.test/fullchain1.pem", b"yes")
    assert [certificates[f"odd/{name}".encode()][5:8] for name in in_nginx] == [[b"", b"", b"yes"]] * len(in_nginx)
    hooks = {row[0] for row in said.rows("certbot_renewal_conf") if row[1] == b"hook"}
    assert {hook.rpartition(b"deploy/")[2] for hook in hooks} == set(names)
    crontabs = {row[1] for row in said.rows("certbot_timers") if row[0] == b"cron"}
    assert crontabs == {b"/etc/cron.d/" + name for name in names}
    assert b"/etc/nginx/sites-enabled/o d'd$(touch .ran)" in {row[0] for row in said.rows("nginx_files")}
    nothing_ran(web)


def server(name: str) -> str:
    """Return a server block of nginx that has its certificate and its log under a name."""
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    key = "/etc/letsencrypt/live/shop.test/privkey.pem"
    files = f'ssl_certificate "odd/{quoted}"; ssl_certificate_key {key}; access_log "/var/log/{quoted}";'
    return f"server {{ listen 127.0.0.1:8443 ssl; {files} }}\n"


@pytest.mark.parametrize("shell", SHELLS)
def test_hostile_log_lines(web: Machine, shell: str) -> None:
    """Escape sequences, invalid UTF-8, NUL, JSON, forged ends and a line of 1 MB stay text in their section."""
    lines = [
        b"\x1b]0;owned\x07\x1b[2J" + INVALID,
        b'"}],"format":"evil/1","sections":[{"name":"nginx_test","status":9,"output":"',
        b"\\u0041 \\n \\ \\\\ $(touch .ran) `touch .ran` %s %d",
        b"nul\0nul",
        b"\x010",
        b"0 false",
        b"\n\n",
        b"x " * 500_000,
        "☃ the last line".encode(),
    ]
    web.must(f"{ECHO} >/var/log/nginx/error.log", repr(b"".join(line + b"\n" for line in lines)))
    said = understood(web.collect("--full", shell=shell))
    got = said.output("log_error").split(b"\n")
    assert said.status("log_error") == 0
    # The line of 1 MB is longer than what is read of a log: it, and what stood before it, is not there.
    assert got[1:] == ["☃ the last line".encode(), b""]
    assert (len(got[0]), got[0].strip(b"x ")) == (600, b"")
    short = [line for line in lines if len(line) < 1000]
    web.must(f"{ECHO} >/var/log/nginx/error.log", repr(b"".join(line + b"\n" for line in short)))
    said = understood(web.collect("--full", shell=shell))
    assert said.output("log_error") == b"".join(line.replace(b"\0", b"") + b"\n" for line in short)
    assert said.status("nginx_test") == 0
    nothing_ran(web)


def test_two_hundred_lines_of_a_log(web: Machine) -> None:
    """The newest 200 lines are told, each cut to 600 octets."""
    web.must("for i in $(seq 1000); do printf '%s %700s\\n' $i .; done >>/var/log/nginx/access.log")
    lines = understood(web.collect("--full")).output("log_access").splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(801, 1001))
    assert {len(line) for line in lines} == {600}


def test_logs_that_are_no_files(web: Machine) -> None:
    """A pipe is not waited for, and a link that a visitor's user laid to a secret is not followed."""
    web.must("rm /var/log/nginx/*.log && mkfifo /var/log/nginx/error.log")
    web.must("ln -s /etc/shadow /var/log/nginx/access.log && chown -h www-data /var/log/nginx/access.log")
    said = understood(web.collect("--full"))
    assert (said.status("log_error"), said.output("log_error")) == (1, b"not a readable file\n")
    assert (said.status("log_access"), said.output("log_access")) == (1, b"a link that does not belong to root\n")
    assert web.must("head -n 1 /etc/shadow").strip().encode() not in said.text


def test_processes_that_call_themselves_nginx(web: Machine) -> None:
    """Whoever calls a process `nginx: master process nginx -c …` does not choose root's configuration by it."""
    web.write("/srv/evil.conf", "load_module /srv/evil.so;\n")
    web.must("systemctl stop nginx")
    title = "nginx: master process nginx -c /srv/evil.conf"
    web.must(f"setpriv --reuid=www-data --clear-groups bash -c 'exec -a \"{title}\" sleep 60' >/dev/null 2>&1 &")
    said = understood(web.collect("--full"))
    assert said.status("nginx_test") == 0
    assert b"evil" not in said.output("nginx_config") + said.output("nginx_test")


def test_nginx_of_containers_is_not_this_machines(web: Machine) -> None:
    """A master process of another process namespace is not told."""
    web.must("systemctl stop nginx")
    title = "nginx: master process nginx"
    web.must(f"unshare --pid --fork bash -c 'exec -a \"{title}\" sleep 60' >/dev/null 2>&1 & sleep 0.3")
    assert web.must("grep -ls '^nginx: master' /proc/[0-9]*/cmdline")
    assert understood(web.collect("--full")).rows("nginx_processes") == []
