"""A whole document: the collector's own of a healthy machine, and the sections that are plain lists."""

from datetime import timedelta
from pathlib import Path

import pytest
from padlock.evidence import Listener, Upstream
from padlock.probes.host import read

from tests.probes.host.documents import compressed, document, section

HEALTHY = Path(__file__).parents[2] / "host_collector" / "samples" / "healthy.json"


@pytest.mark.parametrize("form", [bytes, compressed])
def test_a_healthy_machine(form: type[bytes]) -> None:
    """What the real collector wrote of a real host: nothing is missing, and nothing is wrong with it."""
    host = read(form(HEALTHY.read_bytes()))
    assert host.root
    assert host.nginx
    assert (host.nginx.running, host.nginx.unread) == (True, "")
    assert host.nginx.configuration
    assert host.nginx.workers_started
    # The time of the document is in whole seconds, that of a file is finer.
    assert all(changed < host.collected_at + timedelta(seconds=1) for changed in host.nginx.files.values())
    assert host.certbot
    assert host.certbot.lineages
    assert host.certbot.reload_hook
    assert host.certbot.dry_run
    assert host.certbot.dry_run.succeeded
    assert not host.certbot.dry_run.failed
    assert any(timer.active for timer in host.certbot.timers or ())
    assert host.filters
    assert not any(each.blocked for each in host.filters)
    assert {listener.port for listener in host.listeners or ()} == {80, 443}
    assert host.upstreams
    assert all(upstream.accepts for upstream in host.upstreams)
    assert host.logs
    serials = {line.serial for line in host.certbot.lineages}
    files = host.certificates or ()
    assert {file.certificate.serial for file in files if file.certificate} == serials
    assert all(file.key_matches for file in files)


def test_listeners() -> None:
    """Of ports 80 and 443 only; the program may be unknown."""
    rows = "0.0.0.0\t80\tnginx\n::\t443\t\n127.0.0.1\t8000\tgunicorn\n127.0.0.1\t443\n"
    assert read(document(section("listeners", rows))).listeners == (
        Listener("0.0.0.0", 80, "nginx"),  # noqa: S104
        Listener("::", 443, ""),
        Listener("127.0.0.1", 443, ""),
    )


def test_upstreams() -> None:
    """What accepts, what does not and why, and what could not be tried."""
    rows = "unix:/run/a.sock\taccepts\t\nunix:/run/b.sock\tmissing\t\n"
    rows += "127.0.0.1:8000\trefused\tconnection refused\nx:1\tunknown\tno bash\n"
    assert read(document(section("upstreams", rows))).upstreams == (
        Upstream("unix:/run/a.sock", True, ""),
        Upstream("unix:/run/b.sock", False, "no such file"),
        Upstream("127.0.0.1:8000", False, "connection refused"),
        Upstream("x:1", None, "no bash"),
    )


@pytest.mark.parametrize("name", ["listeners", "upstreams", "certificates"])
def test_what_could_not_be_listed(name: str) -> None:
    """A section that is absent or failed is None; one that is empty is an empty tuple."""
    assert getattr(read(document()), name) is None
    assert getattr(read(document(section(name, status=124))), name) is None
    assert getattr(read(document(section(name))), name) == ()
