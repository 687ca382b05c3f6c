"""A page of Padlock's opened in headless Chromium, as a reader opens the file.

async with browsing() as chromium, opened(chromium, path) as tab:
    await tab.run("document.title")
"""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from tests.conformance.chromium import Chromium, running

DESKTOP = (1200, 900)
PHONE = (390, 844)


class Tab:
    """One open page."""

    def __init__(self, chromium: Chromium, session: str, context: str) -> None:
        self._chromium, self._session, self._context = chromium, session, context

    async def run(self, expression: str) -> Any:
        """Return what an expression of JavaScript comes to, awaited; AssertionError where it throws."""
        said = await self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True, userGesture=True
        )
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    async def until(self, expression: str, seconds: float = 5.0) -> Any:
        """Return what an expression comes to as soon as that is something; its last value where time runs out."""
        value = None
        for _ in range(int(seconds / 0.05)):
            if value := await self.run(expression):
                return value
            await asyncio.sleep(0.05)
        return value

    async def reload(self) -> None:
        """Load the page again."""
        loads = len(self.events("Page.loadEventFired"))
        await self.call("Page.reload")
        for _ in range(200):
            if len(self.events("Page.loadEventFired")) > loads:
                return
            await asyncio.sleep(0.05)
        raise TimeoutError("the page did not load again within 10 s")

    async def grant(self, *permissions: str) -> None:
        """Allow the page what a browser asks its user for."""
        await self._chromium.call(
            "Browser.grantPermissions", permissions=list(permissions), browserContextId=self._context
        )

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol."""
        return await self._chromium.call(method, self._session, **parameters)

    async def press(self, key: str, text: str = "") -> None:
        """Press a key and let it go."""
        code = {"Tab": 9, "Enter": 13, "Space": 32}.get(key, 0)
        common: dict[str, Any] = {"key": text or key, "code": key, "windowsVirtualKeyCode": code}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **common, **({"text": text} if text else {}))
        await self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    async def node(self, selector: str) -> int:
        """Return the protocol's number of the first element that a selector finds; needs no script."""
        root = (await self.call("DOM.getDocument", depth=0))["root"]["nodeId"]
        found: int = (await self.call("DOM.querySelector", nodeId=root, selector=selector))["nodeId"]
        assert found, f"there is no {selector}"
        return found

    async def styled(self, selector: str, name: str) -> str:
        """Return a computed style; needs no script."""
        await self.call("DOM.enable")
        await self.call("CSS.enable")
        said = await self.call("CSS.getComputedStyleForNode", nodeId=await self.node(selector))
        return next(str(each["value"]) for each in said["computedStyle"] if each["name"] == name)

    async def click(self, selector: str) -> None:
        """Press the mouse in the middle of an element; needs no script."""
        corners = (await self.call("DOM.getBoxModel", nodeId=await self.node(selector)))["model"]["content"]
        place = {"x": (corners[0] + corners[4]) / 2, "y": (corners[1] + corners[5]) / 2}
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **place)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return what the page has told of one kind so far."""
        return [told for method, told in self._chromium.events(self._session) if method == name]

    def complaints(self) -> list[str]:
        """Return what the console says: exceptions, refusals of the page's policy, warnings."""
        thrown = [told["exceptionDetails"]["text"] for told in self.events("Runtime.exceptionThrown")]
        logged = [told["entry"]["text"] for told in self.events("Log.entryAdded")]
        called = [str(told["args"]) for told in self.events("Runtime.consoleAPICalled")]
        return [*thrown, *logged, *called]

    def requests(self) -> list[str]:
        """Return every URL that was asked for, the page itself first."""
        return [told["request"]["url"] for told in self.events("Network.requestWillBeSent")]

    async def counted(self, name: str) -> float:
        """Return a figure of Chromium's own about the page so far, such as LayoutCount."""
        figures = (await self.call("Performance.getMetrics"))["metrics"]
        return float(next(figure["value"] for figure in figures if figure["name"] == name))

    async def shot(self, *, whole: bool = True) -> bytes:
        """Return what is to be seen as PNG; `whole`: all of the page, not its window alone."""
        said = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(said["data"])

    async def printed(self) -> bytes:
        """Return the page as PDF."""
        said = await self.call("Page.printToPDF", preferCSSPageSize=False)
        return base64.b64decode(said["data"])


@contextlib.asynccontextmanager
async def browsing() -> AsyncIterator[Chromium]:
    """Run a browser that knows no host."""
    async with running(None, {}) as chromium:
        yield chromium


@contextlib.asynccontextmanager
async def opened(
    chromium: Chromium,
    file: Path,
    *,
    size: tuple[int, int] = DESKTOP,
    dark: bool = False,
    scripts: bool = True,
    place: str = "",
) -> AsyncIterator[Tab]:
    """Open a file in a profile of its own; `place`: an id on the page, as a link has it."""
    context = await chromium.new_context()
    target = (await chromium.call("Target.createTarget", url="about:blank", browserContextId=context))["targetId"]
    session = (await chromium.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
    tab = Tab(chromium, session, context)
    try:
        for domain in ("Page", "Network", "Runtime", "Log", "Performance"):
            await tab.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await tab.call("Emulation.setEmulatedMedia", features=[scheme])
        await tab.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        await tab.call(
            "Emulation.setDeviceMetricsOverride",
            width=size[0],
            height=size[1],
            deviceScaleFactor=1,
            mobile=size[0] < 600,
        )
        await tab.call("Page.navigate", url=file.as_uri() + (f"#{place}" if place else ""))
        await chromium.event(session, "Page.loadEventFired")
        yield tab
    finally:
        await chromium.call("Target.closeTarget", targetId=target)
        await chromium.call("Target.disposeBrowserContext", browserContextId=context)
