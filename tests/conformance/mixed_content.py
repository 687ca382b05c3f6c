"""Mixed content as Chromium itself reports it, beside Padlock's verdict on the same elements.

    python -m tests.conformance.mixed_content

One page holds an element of each kind over a real TLS server; Chromium says on its console what it blocked and what
it asked for over HTTPS instead. A difference without a reason ends with exit status 1.
"""

import asyncio
import re
import shutil
import sys
import tempfile

from padlock.probes.references import in_page

from tests.servers import Authority, listen, pages, reply

CASES = {
    "script": "<script src={}></script>",
    "module script": "<script type=module src={}></script>",
    "script in SVG": "<svg><script href={}></script></svg>",
    "stylesheet": "<link rel=stylesheet href={}>",
    "alternate stylesheet": '<link rel="alternate stylesheet" title=x href={}>',
    "@import": "<style>@import '{}';</style>",
    "font": "<style>@font-face {{ font-family: A; src: url({}) }} p {{ font-family: A }}</style><p>x</p>",
    "manifest": "<link rel=manifest href={}>",
    "preloaded font": "<link rel=preload as=font crossorigin href={}>",
    "modulepreload": "<link rel=modulepreload href={}>",
    "iframe": "<iframe src={}></iframe>",
    "object": "<object data={}></object>",
    "embed": "<embed src={}>",
    "form action": "<form action={}></form>",
    "fetch": "<script>fetch('{}').catch(() => 0)</script>",
    "XMLHttpRequest": "<script>var r = new XMLHttpRequest; r.open('GET', '{}'); r.send()</script>",
    "EventSource": "<script>new EventSource('{}')</script>",
    "sendBeacon": "<script>navigator.sendBeacon('{}')</script>",
    "import()": "<script>import('{}').catch(() => 0)</script>",
    "img": "<img src={}>",
    "img srcset": '<img srcset="{} 1x">',
    "picture": "<picture><source srcset={}><img></picture>",
    "preloaded image": "<link rel=preload as=image href={}>",
    "audio": "<audio preload=auto src={}></audio>",
    "video": "<video preload=auto src={}></video>",
    "video source": "<video preload=auto><source src={}></video>",
    "poster": "<video poster={}></video>",
    "input image": "<input type=image src={}>",
    "image in SVG": "<svg><image href={} width=9 height=9></image></svg>",
    "background": '<b style="background: url({})">x</b>',
    "image-set": "<b style=\"background: image-set('{}' 1x)\">x</b>",
    "new Image": "<script>new Image().src = '{}'</script>",
    "prefetch": "<link rel=prefetch href={}>",
    "link": "<a href={}>x</a>",
    "canonical": "<link rel=canonical href={}>",
    "feed": "<link rel=alternate type=application/rss+xml href={}>",
    "Open Graph": "<meta property=og:image content={}>",
    "comment": "<!-- <img src={}> -->",
    "noscript": "<noscript><img src={}></noscript>",
    "template": "<template><img src={}></template>",
    "JSON-LD": '<script type=application/ld+json>{{"url": "{}"}}</script>',
    "nomodule": "<script nomodule src={}></script>",
    "@namespace": "<style>@namespace x url({});</style>",
    "unused rule": "<style>.never {{ background: url({}) }}</style>",
}
REASONS = {
    "manifest": "a headless browser fetches it late or never; where it does, it blocks it",
    "img srcset": "Chromium blocks it; the catalogue counts every image as passive, whose impact tells it",
    "picture": "as img srcset",
    "prefetch": "a prefetch that is blocked changes nothing on the page",
    "unused rule": "no element of this page uses the rule; which ones do on others only a browser can tell",
}
AGREED = {"active": ("blocked", "warned"), "passive": ("upgraded",), "": ("",)}
_CHROMIUM = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--ignore-certificate-errors"),
    *("--enable-logging=stderr", "--v=0", "--timeout=8000", "--dump-dom"),
    "--host-resolver-rules=MAP example.com 127.0.0.1, MAP m.example.com 127.0.0.1:1, MAP * ~NOTFOUND",
)


def _url(number: int) -> str:
    return f"http://m.example.com/{number}."


async def by_chromium(page: str) -> dict[int, str]:
    """Return number of the case → what Chromium says of it."""
    html = reply(200, page, ("Content-Type", "text/html"))
    async with listen(pages({"/": html}), tls=Authority().context("example.com")) as port:
        with tempfile.TemporaryDirectory() as profile:
            command = ("chromium", *_CHROMIUM, f"--user-data-dir={profile}", f"https://example.com:{port}/")
            process = await asyncio.create_subprocess_exec(
                *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
            )
            try:
                async with asyncio.timeout(60):
                    _, printed = await process.communicate()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
    said: dict[int, str] = {}
    for message in re.findall(r"Mixed Content: [^\n]*", printed.decode(errors="replace")):
        verdict = "blocked" if "been blocked" in message else "upgraded" if "upgraded" in message else "warned"
        said |= dict.fromkeys(map(int, re.findall(r"m\.example\.com/(\d+)\.", message)), verdict)
    return said


def by_padlock(html: str) -> str:
    """Return Padlock's verdict on one element."""
    return " ".join(in_page(html, "https://example.com/").counts)


def main() -> int:
    """Print the table; 1 where a difference has no reason, 2 where there is no Chromium."""
    if not shutil.which("chromium"):
        print("conformance needs Chromium: on Debian, apt-get install chromium", file=sys.stderr)  # noqa: T201
        return 2
    elements = [template.format(_url(number)) for number, template in enumerate(CASES.values())]
    said = asyncio.run(by_chromium("<!doctype html><title>x</title>" + "".join(elements)))
    unexplained = 0
    for number, (name, html) in enumerate(zip(CASES, elements, strict=True)):
        ours, theirs = by_padlock(html), said.get(number, "")
        agreed = theirs in AGREED[ours]
        note = "agreed" if agreed else REASONS.get(name, "DIFFERENT, and no reason is known")
        unexplained += not agreed and name not in REASONS
        print(f"{name:22} {ours or '-':8} {theirs or '-':9} {note}")  # noqa: T201
    print(f"{len(CASES)} cases, {unexplained} unexplained differences")  # noqa: T201
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
