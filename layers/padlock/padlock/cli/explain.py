"""`padlock explain`: what a code means, why it matters, what heals it, and which causes it belongs to."""

import argparse
import difflib
from collections.abc import Iterable, Iterator, Sequence

from padlock.checklist import TITLES
from padlock.cli.catalogue import APART, Explained, codes, explained, related
from padlock.cli.output import FAULT, HEALTHY, columns, complain, show_json
from padlock.cli.signs import coloured_as, show_lines
from padlock.findings import is_among
from padlock.render.prose import rows

FORMATS = ("text", "json")
_CLOSE = 3
"""Codes that are named where one is misspelled."""


def explain(options: argparse.Namespace) -> int:
    """Explain codes, or list them; return the exit status."""
    known = (*codes(), *related())
    found: dict[str, None] = {}
    unknown = [asked for asked in options.codes if not (among := _among(asked, known)) or found.update(among)]
    for asked in unknown:
        complain(_advice(asked, known))
    shown = [explained(code) for code in (found if options.codes else known)]
    if options.format == "json":
        if shown:
            show_json(shown)
    elif options.codes and all(asked in known for asked in options.codes):
        show_lines(line for number, one in enumerate(shown) for line in ([""] if number else []) + list(_text(one)))
    else:
        show_lines(_listed(shown))
    return FAULT if unknown else HEALTHY


def _among(asked: str, known: Sequence[str]) -> dict[str, None]:
    """Return the codes that are meant: one, or those that begin so."""
    return dict.fromkeys([asked] if asked in known else [code for code in known if is_among(code, [asked])])


def _advice(asked: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(asked[:80], known, _CLOSE)
    meant = f"did you mean {' or '.join(close)}?" if close else "`padlock explain` lists the codes"
    return f"no check and no cause has the code {asked[:80]!r}; {meant}"


def _listed(shown: Iterable[Explained]) -> Iterator[str]:
    """Yield one line for each code, by their subjects."""
    before = ""
    for one in shown:
        subject = one.code.partition(".")[0]
        if subject != before:
            yield from [""] if before else []
            yield subject
        before = subject
        says = one.summary if one.severities else f"signs: {', '.join(one.signs)}"
        room = max(columns() - 48, 20)
        says = says if len(says) <= room else says[: room - 1] + "…"
        severity = one.severities[0] if one.severities else "cause"
        yield f"  {one.code:<34}  {coloured_as(severity, f'{severity:<8}')}  {says}"


def _text(one: Explained) -> Iterator[str]:
    """Yield the explanation of one code."""
    severity = one.severities[0] if one.severities else ""
    yield f"{coloured_as(severity or 'bold', one.code)}{f'  {one.summary}' if severity else ''}"
    yield from rows(_facts(one), columns())


def _facts(one: Explained) -> Iterator[tuple[str, str]]:
    """Yield what is known, as (label, text)."""
    if one.severities:
        yield "severity", _severities(one)
        yield "step", "; ".join(f"{step}. {TITLES[step]}" for step in one.steps) or "beyond the checklist"
        yield "counts", _looks(one)
        yield "why", one.impact
    else:
        yield "means", one.summary
    yield "fix", one.fix
    yield "source", one.reference
    yield "sign of", ", ".join(one.sign_of)
    yield "or due to", ", ".join(one.brought_about_by)
    yield "signs", ", ".join(one.signs)
    yield "leads to", ", ".join(one.brings_about)


def _severities(one: Explained) -> str:
    usual, *others = one.severities
    some = f"; in some cases {' or '.join(others)}" if others else ""
    if one.code in APART:
        return usual
    return f"{usual}{some}; a site's `severity: {{{one.code}: …}}` changes it, `disable: [{one.code}]` ends it"


def _looks(one: Explained) -> str:
    if one.looks == 1:
        return "after one look"
    return f"after {one.looks} looks in a row that see it, for it may pass by itself"
