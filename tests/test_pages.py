"""What `make run` leaves for a browser: files that need nothing else, and a server whose widget acts."""

import json
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import HTTPServer
from pathlib import Path
from typing import Any

import pytest
from padlock.storage import Results, Sites

from local import pages, serving
from local.aws import EmbeddedAws
from local.pump import Pump
from tests.reports import SITE, finding, report
from tests.runs import stored


@pytest.fixture
def failing(results: Results, sites: Sites) -> Results:
    """Return the table with one site in trouble."""
    sites.put({"name": SITE})
    stored(results, report(finding("certificate.expired")))
    return results


@pytest.fixture
def server(pump: Pump, failing: Results, tmp_path: Path) -> Iterator[HTTPServer]:
    """Serve the pages of that site."""
    pages.write(pump, failing, [SITE], tmp_path)
    with HTTPServer(("127.0.0.1", 0), serving.handler(pump, tmp_path)) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def asked(server: HTTPServer, method: str, path: str, content: Any = None, **headers: str) -> tuple[int, str]:
    """Return status and text of an answer."""
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    body = None if content is None else json.dumps(content)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    read = answer.status, answer.read().decode()
    connection.close()
    return read


def clicked(server: HTTPServer, event: Any) -> tuple[int, str]:
    """Return what a click of the served page is answered."""
    return asked(server, "POST", "/call", event, Content_Type="application/json")


def test_files_are_pages(pump: Pump, failing: Results, tmp_path: Path) -> None:
    """The reports are one page, the widget one in each theme; where no report is stored, the widget alone."""
    files = pages.write(pump, failing, [SITE, "nobody.example"], tmp_path)
    assert [file.name for file in files] == ["reports.html", "widget-light.html", "widget-dark.html"]
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert text.startswith("<!doctype html>")
        assert SITE in text
    assert "padlock widget dark" in files[2].read_text(encoding="utf-8")
    assert len(pages.write(pump, failing, [], tmp_path)) == 2


@pytest.mark.parametrize(("path", "found"), [("/", "/widget"), ("/widget", "/call"), ("/reports.html", SITE)])
def test_pages_are_served(server: HTTPServer, path: str, found: str) -> None:
    """Each link of the first page leads somewhere."""
    status, text = asked(server, "GET", path)
    assert status == 200
    assert found in text


def test_a_click_acts(server: HTTPServer, aws: EmbeddedAws, sites: Sites) -> None:
    """What is acknowledged is kept, and what is to be checked has been when the answer is there."""
    event = {"action": "acknowledge", "site": SITE, "code": "certificate.expired", "subject": SITE}
    assert clicked(server, event)[0] == 200
    item = sites.get(SITE)
    assert item
    assert item["acknowledge"][0]["code"] == "certificate.expired"
    status, text = clicked(server, {"action": "check", "site": SITE})
    assert (status, "under way" in text) == (200, True)
    assert clicked(server, {})[0] == 200
    waiting = aws.client("sqs").receive_message(QueueUrl=aws.physical["CheckQueue"], WaitTimeSeconds=0)
    assert "Messages" not in waiting


def test_what_no_page_of_its_own_sends_is_refused(server: HTTPServer, sites: Sites) -> None:
    """Another site's page cannot send JSON here; what is no event, or nowhere, is said to be that."""
    before = list(sites.rows())
    assert asked(server, "POST", "/call", {"action": "check", "site": SITE}, Content_Type="text/plain")[0] == 400
    assert clicked(server, {"action": "restart"})[0] == 400
    assert clicked(server, "x" * serving.MOST)[0] == 400
    assert asked(server, "GET", "/../template.yaml")[0] == 404
    assert list(sites.rows()) == before
