"""The document in the 24,000 characters that Systems Manager keeps, and in the 4 MB of --full."""

import pytest

from tests.host.machine import COLLECTOR, Machine
from tests.host_collector.reading import SHELLS, understood

pytestmark = pytest.mark.lab
SSM_CHARACTERS = 24_000
BIG_LOG = "seq 100000 | sed 's/.*/line & of a log that repeats itself, again and again and again/' | tail -n 2000"


@pytest.mark.parametrize("shell", SHELLS)
def test_compresses_what_is_long(web: Machine, shell: str) -> None:
    """More than 23,000 characters come compressed, with nothing missing where that is enough."""
    web.must(f"{BIG_LOG} >/var/log/nginx/access.log")
    full, packed = web.collect("--full", shell=shell), web.collect(shell=shell)
    assert len(full) > SSM_CHARACTERS > len(packed)
    assert packed.startswith(b"padlock-host/1 gzip ")
    assert understood(packed).output("log_access") == understood(full).output("log_access")
    assert not any(section["cut"] for section in understood(packed).whole["sections"])


def test_short_ones_are_plain(web: Machine) -> None:
    """A host that says little gives plain JSON, unless it is told to compress."""
    web.must("systemctl stop nginx && rm -rf /etc/nginx/* /etc/letsencrypt/*")
    plain, packed = web.collect(), web.collect("--compress")
    assert plain.startswith(b'{"format":"padlock-host/1",')
    assert packed.startswith(b"padlock-host/1 gzip ")
    assert understood(plain).names == understood(packed).names


@pytest.mark.parametrize("shell", SHELLS)
def test_cuts_logs_first(web: Machine, shell: str) -> None:
    """What does not compress is cut: logs first, their oldest lines first; the configuration stays whole."""
    for log in ("access", "error"):
        words = "openssl rand -base64 90000 | tr -d '\\n' | tr / x | fold -w 32 | paste -d ' ' - - - - - -"
        web.must(f"{{ {words}; echo newest; }} >/var/log/nginx/{log}.log")
    document = web.collect(shell=shell)
    assert len(document) <= SSM_CHARACTERS
    said = understood(document)
    for log in ("log_access", "log_error"):
        assert said.section(log)["cut"]
        assert said.output(log).endswith(b"\nnewest\n")
        assert len(said.output(log).split(b"\n")[0]) == 197
    assert not any(section["cut"] for section in said.whole["sections"] if not section["name"].startswith("log_"))


def test_fits_in_any_case(web: Machine) -> None:
    """A configuration that does not compress is cut as well, at whole lines, and every section is still there."""
    web.must("openssl rand -hex 300000 | fold -w 64 | sed 's/.*/set $x &;/' >/etc/nginx/snippets/x")
    web.must("echo broken >>/etc/nginx/sites-available/shop")
    document = web.collect()
    assert len(document) <= SSM_CHARACTERS
    said = understood(document)
    assert said.section("nginx_config")["cut"]
    assert said.output("nginx_config").endswith(b"\n")
    assert b"emerg" in said.output("nginx_test")


def test_full_has_a_bound(web: Machine) -> None:
    """--full stays below 4 MB where every octet takes six characters."""
    for log in range(4):
        web.must(f"head -c 400000 /dev/urandom | tr -d '\\n' | fold -b -w 590 >/var/log/nginx/{log}.log")
        text = f"access_log /var/log/nginx/{log}.log; error_log /var/log/nginx/{log}.log;\n"
        web.write(f"/etc/nginx/conf.d/{log}.conf", text)
    document = web.collect("--full")
    assert len(document) <= 4_000_000
    assert understood(document).names.count("log_access") == 4


def test_script_fits_a_document_of_systems_manager() -> None:
    """The script is ASCII, has nothing that Systems Manager would replace, and leaves room in a document's 64 KB."""
    script = COLLECTOR.read_bytes()
    assert script.isascii()
    assert b"{{" not in script
    assert len(script) < 48_000
