"""nginx as the collector saw it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from padlock.evidence.host import Nginx
from padlock.probes.host import read

from tests.probes.host.documents import document, section

VERSION = section("nginx_version", "nginx version: nginx/1.22.1\nbuilt with OpenSSL 3.0.15 3 Sep 2024\n")
RUNNING = (
    "master\t10\t1795250000.5\nworker\t11\t1795250001\nworker\t12\t1795250002\nworker-shutting-down\t9\t1795240000\n"
)


def nginx(*sections: dict[str, Any]) -> Nginx:
    """Return what is read of an installed nginx."""
    found = read(document(VERSION, *sections)).nginx
    assert found
    return found


@pytest.mark.parametrize(
    ("output", "version"),
    [
        ("nginx version: nginx/1.22.1\n", "1.22.1"),
        ("nginx version: nginx/1.18.0 (Ubuntu)\nbuilt by gcc", "1.18.0"),
        ("nginx version: openresty/1.21.4.1\n", "1.21.4.1"),
        ("", ""),
    ],
)
def test_the_version(output: str, version: str) -> None:
    """As each distribution writes it."""
    found = read(document(section("nginx_version", output))).nginx
    assert found
    assert found.version == version


@pytest.mark.parametrize("sections", [(), (section("nginx_version", status=127), section("nginx_test", status=127))])
def test_no_nginx(sections: tuple[dict[str, Any], ...]) -> None:
    """A host without it has none, even though the other sections are there."""
    assert read(document(*sections, section("nginx_processes"), section("nginx_files"))).nginx is None


def test_one_that_is_not_on_the_path() -> None:
    """A process of it is enough: it was built by hand, or lives where the collector does not look."""
    missing = section("nginx_version", status=127), section("nginx_test", status=127)
    found = read(document(*missing, section("nginx_processes", RUNNING))).nginx
    assert found
    assert found.running
    assert found.test.missing


def test_start_times() -> None:
    """Workers that shut down take no new connections, and are left out."""
    found = nginx(section("nginx_processes", RUNNING))
    assert found.master_started == datetime.fromtimestamp(1795250000.5, UTC)
    assert found.workers_started == tuple(datetime.fromtimestamp(1795250000 + n, UTC) for n in (1, 2))


@pytest.mark.parametrize(
    ("processes", "service", "running"),
    [
        (section("nginx_processes", RUNNING), section("nginx_service", status=127), True),
        (section("nginx_processes"), section("nginx_service", "inactive\n", 3), False),
        (section("nginx_processes"), section("nginx_service", status=127), False),
        (section("nginx_processes"), section("nginx_service", "active\n"), True),
        (section("nginx_processes", status=124), section("nginx_service", status=127), None),
        (section("nginx_processes", status=124), section("nginx_service", "failed\n", 3), False),
    ],
)
def test_whether_it_runs(processes: dict[str, Any], service: dict[str, Any], running: bool | None) -> None:
    """A process tells, or the service manager where none can be seen; otherwise it is not known."""
    assert nginx(processes, service).running is running


def test_the_configuration() -> None:
    """The directives come with their files; the words of the test are kept."""
    dump = "# configuration file /etc/nginx/nginx.conf:\nhttp {\n  server { listen 80; }\n}\n"
    test = section(
        "nginx_test", "nginx: configuration file /etc/nginx/nginx.conf test is successful\n", command="nginx -t"
    )
    found = nginx(section("nginx_config", dump), test)
    assert found.configuration
    assert [(one.name, one.place) for one in found.configuration] == [("http", "/etc/nginx/nginx.conf:1")]
    assert found.unread == ""
    assert found.test.output.endswith("test is successful")


@pytest.mark.parametrize(
    ("config", "reason", "kept"),
    [
        (section("nginx_config", "# configuration file /a:\nuser www;\n", 1), "failed", True),
        (section("nginx_config", "# configuration file /a:\nuser www;\n", cut=True), "longer", True),
        (section("nginx_config", "", 1), "gave nothing", False),
        (section("nginx_config", "# configuration file /a:\nhttp {\n"), "", False),
    ],
)
def test_a_configuration_that_is_not_all(config: dict[str, Any], reason: str, kept: bool) -> None:
    """A refused, cut, absent or broken one says so."""
    found = nginx(config)
    assert reason in found.unread
    assert found.unread
    assert (found.configuration is not None) is kept


def test_when_files_changed() -> None:
    """A link that was set anew counts, though the file behind it is old; names come unescaped."""
    rows = "/etc/nginx/sites-enabled/a\\tb\t100\t200.5\t/srv/a\n/etc/nginx/gone\t\t\t\n"
    assert nginx(section("nginx_files", rows)).files == {
        "/etc/nginx/sites-enabled/a\\tb": datetime.fromtimestamp(200.5, UTC)
    }
