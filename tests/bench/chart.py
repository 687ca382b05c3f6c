"""Line charts as plain SVG, in light and dark as the reader's system is set."""

import math
from collections.abc import Iterator, Sequence
from html import escape

import msgspec

WIDTH, HEIGHT = 440, 300
"""Of one panel, in pixels."""
LEFT, RIGHT, TOP, BOTTOM = 62, 32, 62, 44
COLUMNS = 2
STYLE = """\
  text { font: 12px system-ui, sans-serif; fill: #444 }
  .title { font-weight: 600; font-size: 14px; fill: #111 }
  .grid { stroke: #ddd } .limit { stroke: #b00; stroke-dasharray: 5 4 } .over { fill: #b00 }
  .s0 { --c: #0b62c4 } .s1 { --c: #c2570c } .s2 { --c: #2b7d3d }
  path { fill: none; stroke: var(--c); stroke-width: 2 } circle, .key { fill: var(--c) } .back { fill: #fff }
  @media (prefers-color-scheme: dark) {
    text { fill: #bbb } .title { fill: #eee } .grid { stroke: #3a3a3a } .limit { stroke: #f77 } .over { fill: #f77 }
    .s0 { --c: #6cb2ff } .s1 { --c: #ff9d57 } .s2 { --c: #6fcf86 } .key { fill: var(--c) } .back { fill: #16181c }
  }"""


class Series(msgspec.Struct, frozen=True):
    """One line."""

    name: str
    points: Sequence[tuple[float, float]]


class Panel(msgspec.Struct, frozen=True):
    """One chart; the horizontal axis is logarithmic, and has a mark at each point."""

    title: str
    across: str
    """What the horizontal axis counts."""
    series: Sequence[Series]
    logarithmic: bool = False
    """The vertical axis is, too; otherwise it begins at 0."""
    limit: float | None = None
    """A level that must not be passed, drawn as a broken line."""


def svg(panels: Sequence[Panel], told: str) -> str:
    """Return panels, two in a row, as one picture; `told` is its description for who cannot see it."""
    rows = math.ceil(len(panels) / COLUMNS)
    width, height = WIDTH * min(COLUMNS, len(panels)), HEIGHT * rows
    drawn = "\n".join(
        f'<g transform="translate({WIDTH * (number % COLUMNS)} {HEIGHT * (number // COLUMNS)})">\n'
        + "\n".join(_panel(panel))
        + "\n</g>"
        for number, panel in enumerate(panels)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">\n'
        f"<title>{escape(told)}</title>\n<style>\n{STYLE}\n</style>\n"
        f'<rect class="back" width="{width}" height="{height}"/>\n{drawn}\n</svg>\n'
    )


def _panel(panel: Panel) -> Iterator[str]:
    xs = sorted({x for line in panel.series for x, _ in line.points})
    ys = [y for line in panel.series for _, y in line.points] + ([panel.limit] if panel.limit else [])
    marks = _decades(min(ys), max(ys)) if panel.logarithmic else _steps(max(ys))

    def across(x: float) -> float:
        span = math.log(xs[-1] / xs[0]) or 1.0
        return LEFT + (WIDTH - LEFT - RIGHT) * math.log(x / xs[0]) / span

    def up(y: float) -> float:
        low, high = (math.log(marks[0]), math.log(marks[-1])) if panel.logarithmic else (0.0, marks[-1])
        part = ((math.log(max(y, marks[0])) if panel.logarithmic else y) - low) / ((high - low) or 1.0)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * part

    yield f'<text class="title" x="12" y="22">{escape(panel.title)}</text>'
    for y in marks:
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(y):.1f}" y2="{up(y):.1f}"/>'
        yield f'<text x="{LEFT - 6}" y="{up(y) + 4:.1f}" text-anchor="end">{_short(y)}</text>'
    for x in xs:
        yield f'<text x="{across(x):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{_short(x)}</text>'
    yield f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{escape(panel.across)}</text>'
    if panel.limit:
        y = up(panel.limit)
        yield f'<line class="limit" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="over" x="{LEFT + 4}" y="{y - 5:.1f}">{_short(panel.limit)}</text>'
    place = 12.0
    for number, line in enumerate(panel.series):
        way = " L".join(f"{across(x):.1f} {up(y):.1f}" for x, y in line.points)
        yield f'<g class="s{number}"><path d="M{way}"/>'
        yield from (f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3"/>' for x, y in line.points)
        yield f'<text class="key" x="{place:.0f}" y="42">● {escape(line.name)}</text></g>'
        place += 30 + 6.4 * len(line.name)


def _decades(low: float, high: float) -> list[float]:
    """Return the powers of ten around these values."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**power for power in range(first, max(last, first + 1) + 1)]


def _steps(high: float) -> list[float]:
    """Return four to six even marks from 0 up to this value or a little more."""
    rough = high / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    return [step * number for number in range(math.ceil(high / step) + 1)]


def _short(value: float) -> str:
    """Return a number as a mark of an axis."""
    return f"{value:,.0f}" if value >= 10 or value == int(value) else f"{value:g}"
