"""Headless Chromium over its DevTools protocol, with the corpus' root trusted as a user's own root is.

    async with running(directory, ca_file, hosts) as chromium:
        visit = await chromium.visit("https://expired.badssl.test/")

The protocol is spoken over two pipes; its methods and events: https://chromedevtools.github.io/devtools-protocol/
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

VISIT_SECONDS = 60.0
"""After which it hangs; a visit takes one on an idle machine."""
_SETTLE_SECONDS = 0.6
"""For what a page asks for after it has loaded; a favicon is asked for last."""
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--no-default-browser-check", "--no-pings"),
    # It tries HTTPS first, and falls back where that fails: an attacker who closes port 443 has it as without.
    "--disable-features=HttpsUpgrades,HttpsFirstBalancedModeAutoEnable",
    *("--remote-debugging-pipe", "--disable-dev-shm-usage", "--disable-extensions", "--password-store=basic"),
)


class Visit(msgspec.Struct, frozen=True):
    """What one visit of a URL came to."""

    error: str
    """Chromium's net error, such as net::ERR_CERT_DATE_INVALID; empty: a page was shown."""
    status: int
    """Of the page's own answer; 0: there was none."""
    url: str
    """Where it ended."""
    mixed: tuple[tuple[str, str], ...]
    """(URL, what became of it) of mixed content: MixedContentBlocked, MixedContentAutomaticallyUpgraded,
    MixedContentWarning."""
    requests: tuple[tuple[str, Mapping[str, str]], ...] = ()
    """(URL, headers as sent) of every request."""


class Chromium:
    """One running browser."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._sessions: dict[str, list[tuple[str, dict[str, Any]]]] = {}
        self._moved = asyncio.Condition()
        self._next = 0

    async def listen(self) -> None:
        """Take in answers and events until the browser closes."""
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                message = msgspec.json.decode((await self._reader.readuntil(b"\0"))[:-1])
                if "id" in message:
                    self._answers.pop(message["id"]).set_result(message)
                    continue
                async with self._moved:
                    seen = self._sessions.setdefault(message.get("sessionId", ""), [])
                    seen.append((message["method"], message["params"]))
                    self._moved.notify_all()
        for waiting in self._answers.values():
            waiting.set_exception(RuntimeError("Chromium ended"))

    async def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        """Call a method and return its result; RuntimeError where Chromium refuses."""
        self._next += 1
        message: dict[str, Any] = {"id": self._next, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        answer = self._answers[self._next] = asyncio.get_running_loop().create_future()
        self._writer.write(msgspec.json.encode(message) + b"\0")
        said = await asyncio.wait_for(answer, VISIT_SECONDS)
        if "error" in said:
            raise RuntimeError(f"Chromium refuses {method}: {said['error']}")
        result: dict[str, Any] = said["result"]
        return result

    async def visit(self, url: str, context: str = "", settle: float = _SETTLE_SECONDS) -> Visit:
        """Open a URL in a tab of its own, in a profile of its own unless one is given, and say what came of it."""
        own = context or await self.new_context()
        target = (await self.call("Target.createTarget", url="about:blank", browserContextId=own))["targetId"]
        try:
            session = (await self.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
            for domain in ("Page", "Network", "Audits"):
                await self.call(f"{domain}.enable", session)
            error = (await self.call("Page.navigate", session, url=url)).get("errorText", "")
            if not error:
                with contextlib.suppress(TimeoutError):
                    await self.event(session, "Page.loadEventFired")
                await asyncio.sleep(settle)
            return _told(error, self._sessions.get(session, []))
        finally:
            await self.call("Target.closeTarget", targetId=target)

    async def new_context(self) -> str:
        """Return a fresh profile, which has no cookies and has seen no host."""
        context: str = (await self.call("Target.createBrowserContext"))["browserContextId"]
        return context

    def events(self, session: str) -> list[tuple[str, dict[str, Any]]]:
        """Return (event, parameters) of a tab so far, in their order."""
        return self._sessions.setdefault(session, [])

    async def version(self) -> str:
        """Return its name and version."""
        product: str = (await self.call("Browser.getVersion"))["product"]
        return product

    async def event(self, session: str, method: str) -> None:
        """Wait until a tab has told of an event."""

        def seen() -> bool:
            return any(name == method for name, _ in self._sessions.get(session, []))

        async with asyncio.timeout(VISIT_SECONDS), self._moved:
            await self._moved.wait_for(seen)


def _told(error: str, events: list[tuple[str, dict[str, Any]]]) -> Visit:
    mixed: list[tuple[str, str]] = []
    sent: dict[str, dict[str, str]] = {}
    urls: dict[str, str] = {}
    status, ended = 0, ""
    for method, told in events:
        if method == "Audits.issueAdded" and told["issue"]["code"] == "MixedContentIssue":
            details = told["issue"]["details"]["mixedContentIssueDetails"]
            mixed.append((details["insecureURL"], details["resolutionStatus"]))
        elif method == "Network.responseReceived" and told.get("type") == "Document" and not status:
            status = told["response"]["status"]
        elif method == "Page.frameNavigated" and "parentId" not in told["frame"]:
            ended = told["frame"]["url"]
        elif method == "Network.requestWillBeSent":
            urls[told["requestId"]] = told["request"]["url"]
        elif method == "Network.requestWillBeSentExtraInfo":
            sent[told["requestId"]] = told["headers"]
    requests = tuple((url, sent.get(request, {})) for request, url in urls.items())
    return Visit(error, status, ended, tuple(dict.fromkeys(mixed)), requests)


@contextlib.asynccontextmanager
async def running(ca_file: Path | None, hosts: Mapping[str, str]) -> AsyncIterator[Chromium]:
    """Run a browser that knows these hosts (→ address or address:port) and no others, and trusts an authority."""
    with tempfile.TemporaryDirectory(prefix="padlock-chromium-") as home, contextlib.ExitStack() as stack:
        if ca_file:
            await _trust(Path(home), ca_file)
        rules = ", ".join([*(f"MAP {host} {place}" for host, place in hosts.items()), "MAP * ~NOTFOUND"])
        commands, answers = os.pipe(), os.pipe()
        # The browser reads descriptor 3 and writes descriptor 4.
        shell = f'exec "$@" 3<&{commands[0]} 4>&{answers[1]}'
        program = shutil.which("chromium") or "chromium"
        words = (
            program,
            *_OPTIONS,
            f"--user-data-dir={home}/profile",
            f"--host-resolver-rules={rules}",
            "about:blank",
        )
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", shell, "chromium", *words),
            env={**os.environ, "HOME": home, "XDG_DATA_HOME": f"{home}/.local/share"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            pass_fds=(commands[0], answers[1]),
        )
        os.close(commands[0])
        os.close(answers[1])
        reader, writer = await _streams(answers[0], commands[1], stack)
        chromium = Chromium(reader, writer)
        listening = asyncio.create_task(chromium.listen())
        try:
            yield chromium
        finally:
            with contextlib.suppress(RuntimeError, TimeoutError, OSError):
                await asyncio.wait_for(chromium.call("Browser.close"), 5)
            await _end(process)
            listening.cancel()
            writer.close()


async def _streams(
    read: int, write: int, stack: contextlib.ExitStack
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return the streams of two descriptors, which close with the stack."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    protocol = asyncio.StreamReaderProtocol(reader)
    await loop.connect_read_pipe(lambda: protocol, stack.enter_context(os.fdopen(read, "rb")))
    transport, flow = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, stack.enter_context(os.fdopen(write, "wb"))
    )
    return reader, asyncio.StreamWriter(transport, flow, reader, loop)


async def _trust(home: Path, ca_file: Path) -> None:
    """Make the user's certificate database, where Chromium looks for roots beside its own."""
    for place in (".pki/nssdb", ".local/share/pki/nssdb"):
        (home / place).mkdir(parents=True)
        database = f"sql:{home / place}"
        for words in (
            ("-N", "--empty-password", "-d", database),
            ("-A", "-d", database, "-n", "corpus", "-t", "C,,", "-i", str(ca_file)),
        ):
            process = await asyncio.create_subprocess_exec("certutil", *words)
            if await process.wait():
                raise RuntimeError(f"certutil {' '.join(words)} failed")


async def _end(process: asyncio.subprocess.Process) -> None:
    try:
        await asyncio.wait_for(process.wait(), 5)
    except TimeoutError:
        process.kill()
        await process.wait()
