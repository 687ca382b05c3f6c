"""Draw the pictures of the report's page and of the widget: python -m tests.render.page.screenshots docs/screenshots.

They need Debian's chromium, and show reports that were written by hand or captured from the lab.
"""

import argparse
import asyncio
import json
import shutil
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import msgspec
from padlock.assess import assess
from padlock.evidence import Evidence
from padlock.findings import Status
from padlock.render.page import Beside, Past, page, widget
from padlock.trail import of

from tests.evidence_builder import NOW, healthy
from tests.render.page.browser import DESKTOP, PHONE, browsing, opened
from tests.render.page.test_widget import ARN, GLANCE

EVIDENCE = Path(__file__).parents[2] / "evidence"
WIDGET = (640, 480)
HISTORY: tuple[tuple[Status, int], ...] = (("ok", 60), ("warning", 8), ("error", 10), ("ok", 30), ("error", 6))
"""(status, checks in a row): a history in which something happened."""


def seen(name: str) -> Evidence:
    """Return evidence that the lab showed."""
    document = json.loads((EVIDENCE / f"{name}.test.json").read_text(encoding="utf-8"))
    return msgspec.convert(document["evidence"], Evidence)


def pages() -> dict[str, str]:
    """Return name → HTML of what is drawn."""
    broken = seen("forgotten")
    statuses = [status for status, checks in HISTORY for _ in range(checks)]
    past = tuple(
        Past(NOW - timedelta(minutes=15 * (len(statuses) - number)), status, "certificate does not cover host")
        for number, status in enumerate(statuses)
    )
    several = [*(seen(name) for name in ("forgotten", "expired", "firewall", "shop", "loop-hosts")), healthy()]
    glance = widget(GLANCE, ARN)
    return {
        "site": page([assess(broken)], {broken.site.name: Beside(past, of(broken))}),
        "overview": page([assess(one) for one in several], {one.site.name: Beside((), of(one)) for one in several}),
        "widget": f'<!doctype html><html lang="en"><title>Widget</title>{glance}</html>',
    }


async def draw(folder: Path) -> list[Path]:
    """Write the pictures; return where they are."""
    views = (
        ("site", "site", DESKTOP, False),
        ("site", "site-dark", DESKTOP, True),
        ("site", "site-phone", PHONE, False),
        ("overview", "overview", DESKTOP, False),
        ("widget", "widget", WIDGET, False),
    )
    drawn = []
    with tempfile.TemporaryDirectory() as work:
        for name, html in pages().items():
            (Path(work) / f"{name}.html").write_text(html, encoding="utf-8")
        async with browsing() as chromium:
            for name, picture, size, dark in views:
                sys.stderr.write(f"drawing {picture}\n")
                async with opened(chromium, Path(work) / f"{name}.html", size=size, dark=dark) as tab:
                    shot = await tab.shot(whole=False)
                drawn.append(folder / f"{picture}.png")
                drawn[-1].write_bytes(shot)
    return drawn


def main() -> int:
    """Draw what the command line asks for; return the exit status: 0, or 2 where it cannot be drawn."""
    parser = argparse.ArgumentParser(prog="python -m tests.render.page.screenshots", description=__doc__)
    parser.add_argument("folder", type=Path, help="where the pictures go, such as docs/screenshots")
    folder: Path = parser.parse_args().folder
    if not shutil.which("chromium"):
        sys.stderr.write("screenshots: there is no chromium; as root on Debian: local/install-lab page\n")
        return 2
    try:
        folder.mkdir(parents=True, exist_ok=True)
        drawn = asyncio.run(draw(folder))
    except OSError as error:
        sys.stderr.write(f"screenshots: cannot draw into {folder}: {error.strerror or error}\n")
        return 2
    for file in drawn:
        print(f"{file}: {file.stat().st_size // 1000} kB")  # noqa: T201 — the command's output
    return 0


if __name__ == "__main__":
    sys.exit(main())
