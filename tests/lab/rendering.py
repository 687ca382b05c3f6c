"""The lab's configuration templates."""

from pathlib import Path

import jinja2

_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=False,  # noqa: S701 — configuration files, not HTML
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.filters["socket"] = lambda address: f"[{address}]" if ":" in address else address


def render(template: str, **values: object) -> str:
    """Return a configuration file's text."""
    return _TEMPLATES.get_template(template).render(**values)
