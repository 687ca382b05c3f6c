"""Pages of a megabyte, made to take those who parse them quadratic time or a multiple of their size."""

from collections.abc import Mapping

from padlock.network.limits import BODY_BYTES


def filled(part: str) -> str:
    """Return a text of a body's cap, of one part again and again."""
    return (part * (BODY_BYTES // len(part) + 1))[:BODY_BYTES]


def _doubling() -> str:
    """Return a script whose strings double until they would fill any memory."""
    steps = "".join(f"var a{n}=a{n - 1}+a{n - 1};" for n in range(1, 200))
    return f"<script>var a0='{'x' * 1000}';{steps}document.write(a199);fetch(a199)</script>"


_SOUPS = {
    "nested": filled("<div>"),
    "misnested": filled("<b><i>"),
    "distinct": "".join(f"<b id={number}>" for number in range(80_000)),
    "foster-parented": filled("<table><td>"),
    "open-attribute": filled("<a b='"),
    "many-attributes": "<a " + " ".join(f"a{number}=" for number in range(120_000)),
    "comments": filled("<!-- --!"),
    "end-tags": filled("</"),
    "scripts": filled("<script></script>"),
    "long-base": f"<base href='https://a{'/a' * 4000}/'>" + filled("<img src=../../x>"),
    "entities": "<iframe srcdoc='" + filled("&#x41;&am"),
    "frames": filled("<iframe srcdoc='&lt;iframe srcdoc=&quot;x&quot;&gt;'></iframe>"),
    "doubling-script": _doubling(),
    "written-scripts": "<script>" + filled("document.write('<script>document.write(\"<b>\")<\\/script>');"),
    "open-url": "<style>" + filled("url("),
    "braces": "<style>" + filled("{"),
    "quoted-forms": filled("<form \"'<form '\""),
}
SOUPS: Mapping[str, str] = {name: text[:BODY_BYTES] for name, text in _SOUPS.items()}
"""Name → page."""
