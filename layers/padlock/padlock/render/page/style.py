"""The page's style: system fonts, one column that fits a phone, colours that WCAG 2.2 AA allows, print without them.

Colours are pairs (light, dark), so that a test can measure every contrast. Nothing is styled by an attribute: the
policy of the page allows this one sheet, by its hash. All of it holds below `.padlock`, so that it can stand within a
dashboard's page too.
"""

from collections.abc import Mapping

COLOURS: Mapping[str, tuple[str, str]] = {
    "page": ("#f6f7f9", "#14171c"),
    "card": ("#ffffff", "#1c2128"),
    "code": ("#f0f2f5", "#262d37"),
    "line": ("#d5dae1", "#363e4a"),
    "control": ("#737e8c", "#8592a3"),
    "text": ("#1b2430", "#e6eaf0"),
    "quiet": ("#566171", "#a3afbf"),
    "accent": ("#175fb3", "#7db5f5"),
    "error": ("#b3211c", "#ff8a80"),
    "error-tint": ("#fdeeed", "#3a2022"),
    "warning": ("#8a5200", "#f2b74b"),
    "warning-tint": ("#fdf3e1", "#36290f"),
    "notice": ("#175fb3", "#7db5f5"),
    "notice-tint": ("#eaf2fc", "#1b2c40"),
    "ok": ("#1a7038", "#6fd08c"),
    "ok-tint": ("#e9f6ed", "#183122"),
    "inconclusive": ("#7a3a9c", "#d3a4ee"),
    "inconclusive-tint": ("#f6eefa", "#30223a"),
    "not-applicable": ("#566171", "#a3afbf"),
    "not-applicable-tint": ("#f0f2f5", "#262d37"),
}
"""Name → its value on light and on dark; a status' tint is the ground that its own colour stands on."""
TONES = ("error", "warning", "notice", "ok", "inconclusive", "not-applicable")

_LAYOUT = """
.padlock, .padlock * { box-sizing: border-box; }
.padlock {
  margin: 0; background: var(--page); color: var(--text); accent-color: var(--accent);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: anywhere; -webkit-text-size-adjust: 100%; text-size-adjust: 100%;
}
.padlock code, .padlock pre {
  font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .875em;
}
.padlock a { color: var(--accent); text-underline-offset: .15em; }
.padlock h1, .padlock h2, .padlock h3, .padlock h4 { line-height: 1.25; margin: 0; font-weight: 650; }
.padlock p, .padlock dl, .padlock dd, .padlock ol, .padlock ul, .padlock pre { margin: 0; padding: 0; }
.padlock ol, .padlock ul { list-style: none; }
.padlock :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.padlock [hidden] { display: none !important; }
.padlock .quiet { color: var(--quiet); }
.padlock .small { font-size: .8125rem; }
.padlock .label { color: var(--quiet); font-size: .8125rem; font-weight: 600; }
.padlock .away {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
.padlock .skip { position: absolute; left: -999rem; }
.padlock .skip:focus { left: 1rem; top: .5rem; background: var(--card); padding: .5rem 1rem; z-index: 2; }

.padlock .icon { width: 1.05em; height: 1.05em; vertical-align: -.16em; flex: none; }
.padlock .icon .outline { fill: var(--tone); }
.padlock .icon .sign { fill: none; stroke: var(--card); stroke-width: 1.8; stroke-linecap: round; }
.padlock .badge { color: var(--tone); font-weight: 600; }
.padlock td .badge, .padlock summary .badge { white-space: nowrap; }

.padlock .top, .padlock main, .padlock .foot { max-width: 68rem; margin: 0 auto; padding: 0 1rem; }
.padlock .top { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: center; padding-block: 1rem .75rem; }
.padlock .brand { font-weight: 700; letter-spacing: .01em; display: flex; gap: .45rem; align-items: center; }
.padlock .brand svg { width: 1.15rem; height: 1.15rem; fill: none; stroke: currentcolor; stroke-width: 1.6; }
.padlock .theme { border: 0; margin: 0 0 0 auto; padding: 0; display: flex; gap: .9rem; font-size: .875rem; }
.padlock .theme label { display: inline-flex; gap: .3rem; align-items: center; min-height: 1.75rem; }
.padlock .foot { padding-block: 1rem 2.5rem; font-size: .875rem; color: var(--quiet); }

.padlock .card {
  background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1.1rem 1.25rem;
  margin: 0 0 1rem;
}
.padlock .card > h2, .padlock .card > h3 { font-size: 1.125rem; margin: 0 0 .75rem; }
.padlock .card h4 { font-size: 1rem; }

.padlock .banner { border-left: .4rem solid var(--tone); background: var(--tint); }
.padlock .banner h1, .padlock .banner h2 { font-size: 1.6rem; }
.padlock .banner .badge { font-size: 1.125rem; }
.padlock .facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .5rem 1.5rem; }
.padlock .banner .facts { margin-top: .9rem; font-size: .9375rem; }
.padlock dt { color: var(--quiet); font-size: .8125rem; font-weight: 600; }

.padlock .route { display: flex; counter-reset: stage; }
.padlock .route li { flex: 1 1 0; min-width: 0; padding-right: .9rem; position: relative; }
.padlock .route li::before {
  content: ""; position: absolute; top: 1.05rem; left: 0; right: 0; border-top: 3px solid var(--tone);
}
.padlock .route li:last-child::before { right: auto; width: 1rem; }
.padlock .route li.cut::before { border-top-style: dotted; }
.padlock .route .node {
  position: relative; display: inline-grid; place-items: center; width: 2.2rem; height: 2.2rem; border-radius: 50%;
  background: var(--card); border: 3px solid var(--tone); margin-bottom: .5rem;
}
.padlock .route li.cut .node { border-style: dotted; }
.padlock .route .name { font-weight: 650; }
.padlock .route .what { font-size: .875rem; }
.padlock .route .what a { display: block; }
.padlock .route .met { color: var(--quiet); margin-top: .35rem; }

.padlock .cause + .cause { border-top: 1px solid var(--line); margin-top: 1rem; padding-top: 1rem; }
.padlock .cause .sure { font-weight: 400; color: var(--quiet); font-size: .875rem; }
.padlock .cause > * + * { margin-top: .5rem; }

.padlock .commands > * + * { margin-top: .4rem; }
.padlock pre {
  display: flex; gap: .75rem; align-items: flex-start; background: var(--code); border-radius: .4rem;
  padding: .5rem .75rem; white-space: pre-wrap;
}
.padlock pre code { flex: 1 1 auto; padding: .1rem 0; }
.padlock p code { background: var(--code); border-radius: .3rem; padding: .1em .3em; }
.padlock .copy {
  flex: none; font: 600 .75rem/1.4 system-ui, sans-serif; color: var(--accent); background: var(--card);
  border: 1px solid var(--control); border-radius: .35rem; padding: .2rem .55rem; min-height: 1.6rem; cursor: pointer;
}
.padlock .copy.done { color: var(--ok); border-color: var(--ok); }
.padlock .copy.small { width: 1.5rem; height: 1.5rem; min-height: 0; padding: 0; margin: 0; border: 0; }
.padlock .copy.small { background: none; vertical-align: -.35rem; position: relative; }
.padlock .copy.small::before, .padlock .copy.small::after {
  content: ""; position: absolute; width: .55rem; height: .65rem; left: .35rem; top: .3rem;
  border: 1.5px solid currentcolor; border-radius: 2px;
}
.padlock .copy.small::after { left: .55rem; top: .5rem; background: var(--code); }
.padlock .copy.small.done::after { background: currentcolor; }

.padlock .step { margin-top: 1.1rem; }
.padlock .step > h3, .padlock .step > h4 { display: flex; gap: .5rem; align-items: baseline; font-size: 1rem; }
.padlock .step .number { color: var(--quiet); font-weight: 600; white-space: nowrap; }
.padlock .finding { border: 1px solid var(--line); border-left: .3rem solid var(--tone); border-radius: .4rem; }
.padlock .finding { margin-top: .5rem; }
.padlock .flood .finding { content-visibility: auto; contain-intrinsic-size: auto 2.7rem; }
.padlock .finding > summary { display: flex; gap: .6rem; padding: .55rem .8rem; align-items: baseline; }
.padlock summary { cursor: pointer; border-radius: .4rem; }
.padlock .finding > summary .grow { flex: 1 1 auto; min-width: 0; }
.padlock .finding > summary .grow > * { margin-right: .6rem; }
.padlock .finding > summary code { color: var(--quiet); }
.padlock .finding > summary::after, .padlock .site > summary::after {
  content: ""; flex: none; width: .5rem; height: .5rem; border: solid var(--quiet); border-width: 0 2px 2px 0;
  transform: rotate(45deg); align-self: center; margin: 0 .2rem;
}
.padlock .finding[open] > summary::after, .padlock .site[open] > summary::after { transform: rotate(-135deg); }
.padlock .finding > summary::-webkit-details-marker, .padlock .site > summary::-webkit-details-marker {
  display: none;
}
.padlock .body { padding: .1rem .9rem .9rem; }
.padlock .body dl { display: grid; grid-template-columns: 6rem 1fr; gap: .45rem 1rem; }
.padlock .body dl dt { padding-top: .15rem; }
.padlock .body .commands { margin-top: .6rem; }
.padlock .body dd p + p { margin-top: .4rem; }
.padlock .aside > summary { color: var(--accent); font-weight: 600; padding: .3rem 0; width: fit-content; }
.padlock .aside { margin-top: .75rem; }

.padlock table { border-collapse: collapse; width: 100%; font-size: .9375rem; }
.padlock table, .padlock td { color: inherit; }
.padlock caption { text-align: left; color: var(--quiet); font-size: .875rem; padding-bottom: .5rem; }
.padlock th, .padlock td { text-align: left; vertical-align: baseline; padding: .4rem .9rem .4rem 0; }
.padlock thead th { font-size: .8125rem; color: var(--quiet); font-weight: 600; white-space: nowrap; }
.padlock tbody tr { border-top: 1px solid var(--line); }
.padlock tbody th { font-weight: 500; }
.padlock td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.padlock th.number { text-align: right; }
.padlock td.wide { width: 45%; }
.padlock .expiry td.wide { width: 34%; min-width: 10rem; }
.padlock tbody th, .padlock td.least { min-width: 9rem; }
.padlock .expiry tbody th { min-width: 13rem; }
.padlock .steps td.number { text-align: left; width: 2.5rem; }
.padlock .steps tbody th { width: 40%; }
.padlock .thirds td, .padlock .thirds th { width: 33%; }
.padlock .nowrap { white-space: nowrap; }
.padlock .sort {
  font: inherit; color: inherit; background: none; border: 0; padding: .2rem 0; cursor: pointer; min-height: 1.6rem;
}
.padlock .sort::after { content: "\\2195"; padding-left: .3rem; color: var(--quiet); }
.padlock [aria-sort="ascending"] .sort::after { content: "\\2191"; color: var(--text); }
.padlock [aria-sort="descending"] .sort::after { content: "\\2193"; color: var(--text); }
.padlock .filters { display: flex; flex-wrap: wrap; gap: .6rem 1rem; align-items: end; margin-bottom: .8rem; }
.padlock .filters label { font-size: .8125rem; color: var(--quiet); font-weight: 600; display: grid; gap: .2rem; }
.padlock .filters input, .padlock .filters select {
  font: 400 1rem/1.3 system-ui, sans-serif; color: var(--text); background: var(--card); padding: .35rem .5rem;
  border: 1px solid var(--control); border-radius: .35rem; min-height: 2.2rem; min-width: 10rem;
}
.padlock .filters output { color: var(--quiet); font-size: .875rem; padding-bottom: .4rem; }

.padlock .bar { width: 100%; height: .8rem; display: block; overflow: visible; }
.padlock .bar .ground { fill: var(--code); }
.padlock .bar .fill, .padlock .spark .run { fill: var(--tone); }
.padlock .bar .tick { stroke: var(--line); stroke-width: 1; }
.padlock .scale { width: 100%; height: 1rem; display: block; overflow: visible; }
.padlock .scale text { font: .75rem system-ui, sans-serif; fill: var(--quiet); }
.padlock .spark { width: 100%; height: 3rem; display: block; margin: .5rem 0; }
.padlock .spark .base { stroke: var(--line); stroke-width: 1; }
.padlock .keys { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; font-size: .875rem; }

.padlock .site > summary {
  display: flex; gap: .75rem; align-items: baseline; padding: .8rem 1.25rem; background: var(--card);
  border: 1px solid var(--line); border-left: .4rem solid var(--tone); border-radius: .6rem; margin-bottom: 1rem;
}
.padlock .site > summary h2 { font-size: 1.2rem; flex: 1 1 auto; min-width: 0; }
.padlock .site > summary .sum { font-size: .875rem; color: var(--quiet); text-align: right; }
.padlock .results { display: flex; flex-wrap: wrap; gap: .4rem 1.6rem; margin-bottom: .9rem; }

.padlock.widget { background: none; font-size: .875rem; }
.padlock.widget h2 { font-size: 1rem; margin: 1rem 0 .4rem; }
.padlock.widget .keys { font-size: 1rem; }
.padlock.widget tbody th { min-width: 10.5rem; }
.padlock.widget td.wide { width: 20%; min-width: 4rem; }
.padlock cwdb-action { display: none; }

@media (max-width: 44rem) {
  .padlock .route { display: block; }
  .padlock .route li { padding: 0 0 .9rem 3rem; min-height: 3.4rem; }
  .padlock .route li::before, .padlock .route li:last-child::before {
    top: 0; bottom: 0; left: 1rem; right: auto; width: 0; border-top: 0; border-left: 3px solid var(--tone);
  }
  .padlock .route li:last-child::before { height: 1rem; bottom: auto; }
  .padlock .route li.cut::before { border-left-style: dotted; }
  .padlock .route .node { position: absolute; left: 0; top: 0; }
  .padlock .card { padding: .9rem; border-radius: .5rem; }
  .padlock .body dl { display: block; }
  .padlock .body dd { margin-bottom: .55rem; }
  .padlock .finding > summary, .padlock .site > summary {
    display: grid; grid-template-columns: 1fr auto; gap: .2rem .6rem; padding-inline: .7rem;
  }
  .padlock .finding > summary .grow, .padlock .site > summary h2, .padlock .site > summary .sum { grid-column: 1; }
  .padlock .site > summary .sum { text-align: left; }
  .padlock .finding > summary::after, .padlock .site > summary::after { grid-area: 1 / 2; }
  .padlock .finding > summary .grow > * { display: block; margin: 0; }
  .padlock .banner h1, .padlock .banner h2 { font-size: 1.3rem; }
  .padlock .stack thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  .padlock .stack tr { display: grid; grid-template-columns: 1fr; padding: .6rem 0; }
  .padlock .stack th, .padlock .stack td { padding: .1rem 0; text-align: left; width: auto; }
  .padlock .stack.steps tr { grid-template-columns: 2rem 1fr; }
  .padlock .stack.steps tr > * { grid-column: 2; width: auto; }
  .padlock .stack.steps td.number { grid-column: 1; width: auto; }
  .padlock .stack td.wide, .padlock .expiry td.wide { width: auto; padding: .35rem 0; }
  .padlock .stack.sorts tr { display: flex; flex-wrap: wrap; gap: .1rem 1rem; }
  .padlock .stack.sorts th, .padlock .stack.sorts td:last-child { flex-basis: 100%; }
  .padlock .stack.sorts th { order: -1; font-weight: 650; }
  .padlock .stack td:empty { display: none; }
  .padlock .stack [data-text]::before {
    content: attr(data-text) ": "; color: var(--quiet); font-size: .8125rem; font-weight: 600;
  }
}
@media (prefers-reduced-motion: no-preference) { .padlock summary::after { transition: transform .12s; } }
@media (forced-colors: active) {
  .padlock .icon .outline, .padlock .bar .fill, .padlock .spark .run { forced-color-adjust: none; }
}
@media print {
  .padlock { background: none; }
  .padlock .card, .padlock .finding, .padlock pre { break-inside: avoid; }
  .padlock .card.long { break-inside: auto; }
  .padlock h2, .padlock h3, .padlock h4 { break-after: avoid; }
  .padlock .theme, .padlock .copy, .padlock .filters, .padlock .skip { display: none; }
  .padlock .top, .padlock main, .padlock .foot { max-width: none; padding-inline: 0; }
  .padlock details::details-content { content-visibility: visible; display: block; height: auto; }
  .padlock .flood .finding { content-visibility: visible; }
  .padlock summary::after, .padlock .sort::after { display: none; }
  .padlock * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""


def _variables(side: int) -> str:
    return "".join(f"--{name}:{pair[side]};" for name, pair in COLOURS.items())


def _both() -> str:
    return "".join(f"--{name}:light-dark({light},{dark});" for name, (light, dark) in COLOURS.items())


def _tones() -> str:
    return "".join(f".padlock .is-{tone}{{--tone:var(--{tone});--tint:var(--{tone}-tint)}}" for tone in TONES)


def sheet() -> str:
    """Return the sheet of a whole page, the same for every page."""
    return _joined(
        ":root{color-scheme:light dark}"
        ":root:has(#theme-light:checked){color-scheme:light}"
        ":root:has(#theme-dark:checked){color-scheme:dark}"
        "@media print{:root{color-scheme:light!important;font-size:81%}}"
    )


def sheet_within() -> str:
    """Return the sheet of a part within a page that is not ours: it touches nothing outside, and has no switch."""
    return _joined(".padlock.light{color-scheme:light}.padlock.dark{color-scheme:dark}")


def _joined(themes: str) -> str:
    colours = f".padlock{{{_variables(0)}}}@supports (color:light-dark(#000,#fff)){{.padlock{{{_both()}}}}}"
    lines = f"{colours}{themes}{_tones()}{_LAYOUT}".splitlines()
    return "\n".join(line.strip() for line in lines if line.strip())
