"""The pages of `make run SERVE=1` on loopback, with a widget that acts: what CloudWatch does with a click.

A click on what stands before a `<cwdb-action>` asks for confirmation, sends its text to the function, and puts the
answer in the widget's place. What a click has put into the queue is worked off at once.
"""

import json
import sys
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from local.pump import Pump

MOST = 100_000
"""Octets of a click that are read."""
INDEX = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Padlock</title>
<h1>Padlock</h1><ul><li><a href="/widget">the dashboard's widget</a></li>
<li><a href="/reports.html">the reports of the sites</a></li></ul></html>
"""
WIDGET = """<!doctype html><html lang="en"><meta charset="utf-8"><title>The dashboard's widget</title>
<style>
body{margin:1rem;font:14px/1.4 system-ui,sans-serif}
.btn{border:1px solid;padding:0 .4em}
a{cursor:pointer}
</style>
<body><div id="widget"></div><script>
const place = document.getElementById("widget");
async function call(event) {
  const theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  document.body.style.background = theme === "dark" ? "#161d26" : "#fff";
  const sent = JSON.stringify({...event, widgetContext: {theme}});
  const answer = await fetch("/call", {method: "POST", headers: {"Content-Type": "application/json"}, body: sent});
  place.innerHTML = await answer.json();
}
place.addEventListener("click", (click) => {
  const action = click.target.closest("a")?.nextElementSibling;
  if (action?.tagName !== "CWDB-ACTION") return;
  const question = action.getAttribute("confirmation");
  if (!question || confirm(question)) call(JSON.parse(action.textContent));
});
call({});
</script></body></html>
"""


def serve(pump: Pump, folder: Path, port: int) -> None:
    """Serve until Ctrl-C; OSError where the port is taken."""
    with HTTPServer(("127.0.0.1", port), handler(pump, folder)) as server:
        sys.stdout.write(f"  http://127.0.0.1:{server.server_port}/   Ctrl-C ends it\n")
        sys.stdout.flush()
        with suppress(KeyboardInterrupt):
            server.serve_forever()


def handler(pump: Pump, folder: Path) -> type[BaseHTTPRequestHandler]:
    """Return what answers requests."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer with one of three pages."""
            match self.path:
                case "/":
                    self._send(HTTPStatus.OK, INDEX.encode())
                case "/widget":
                    self._send(HTTPStatus.OK, WIDGET.encode())
                case "/reports.html" if (folder / "reports.html").exists():
                    self._send(HTTPStatus.OK, (folder / "reports.html").read_bytes())
                case _:
                    self._send(HTTPStatus.NOT_FOUND, b"not found")

        def do_POST(self) -> None:
            """Hand a click to the function, as its own page sends it: no page of another site can."""
            length = int(self.headers.get("Content-Length") or 0)
            own = self.headers.get("Content-Type") == "application/json"
            if self.path != "/call" or not own or not 0 < length <= MOST:
                self._send(HTTPStatus.BAD_REQUEST, b"not understood")
                return
            try:
                answer = pump.invoke("dashboard", json.loads(self.rfile.read(length)))
            except ValueError as error:
                self._send(HTTPStatus.BAD_REQUEST, str(error).encode("ascii", "backslashreplace"))
                return
            self._send(HTTPStatus.OK, json.dumps(answer).encode(), "application/json")
            pump.drain()
            pump.stream()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the library's name
            """Say nothing: the terminal has the story."""

        def _send(self, status: HTTPStatus, content: bytes, kind: str = "text/html; charset=utf-8") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler
