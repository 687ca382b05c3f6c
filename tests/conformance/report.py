"""The outcome of a run, as text for a terminal and as the page that documents it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from tests.conformance import cookies, mixed_content
from tests.conformance.comparison import Row, agreement, as_markdown, as_text, differences, table

_INTRODUCTION = """# Agreement with browsers and other checkers

`make conformance` builds a corpus of server configurations after badssl.com's list, with authorities of its own,
serves it with real nginx, `openssl s_server` and `gnutls-serv` in a network namespace, and asks Padlock, headless
Chromium (the root in its user's certificate database, verdicts over its DevTools protocol), curl, `openssl s_client
-verify_return_error -verify_hostname` and testssl.sh what they make of it. `make conformance WRITE=1` writes this.

It needs root on Linux and Debian's packages, which it installs. Where it cannot, it says what is missing, compares
nothing, and ends with exit status 3 (which make turns into its own 2), so that nobody takes that for agreement.

A peer *accepts* (a visitor gets the page), *warns* (gets it with a fault) or *refuses* (does not get it; a status of
400 or more counts so). curl and OpenSSL cannot warn: they agree where they refuse just what Padlock says is refused.
Of pages only Chromium and curl are asked; testssl.sh, which takes its time, is asked with `--fast -S` of certificates
and with `--fast -p` of protocols, not of ciphers. `*` marks a difference; each has its reason below, which stands
beside its case in `tests/conformance/cases.py`. The run fails on a difference without a reason, on a reason without a
difference, and always where Chromium refuses what Padlock passes.

Not in the corpus: SSL 3.0 (no library of Debian's has it; `tests/probes/test_obsolete.py` has a server by hand),
Certificate Transparency, pinning and intercepted roots (Chromium judges them only below roots of its own store), and
badssl.com's pages of user interface.
"""


class Run(msgspec.Struct, frozen=True):
    """Everything that one run found."""

    rows: Sequence[Row]
    elements: Sequence[mixed_content.Row]
    jars: Sequence[cookies.Row]
    when: datetime
    versions: Mapping[str, str]
    seconds: float


def wrong(run: Run) -> list[str]:
    """Return what fails the run, in words."""
    found = [f"{each.case}: {each.text}" for row in run.rows for each in differences(row) if each.wrong]
    found += [
        f"mixed content: {row.case.name}: {row.ours or '-'}, {row.theirs or '-'}" for row in run.elements if row.wrong
    ]
    return found + [f"cookie: {row.case.cookie}: {row.ours or '-'}, {row.theirs}" for row in run.jars if row.wrong]


def text(run: Run) -> str:
    """Return the run for a terminal."""
    explained = [f"{each.case}: {each.text}" for row in run.rows for each in differences(row) if not each.wrong]
    failures = wrong(run)
    return "\n".join(
        [
            *(as_text(table(run.rows)), "", "Differences and their reasons", *explained, ""),
            *(as_text(_elements(run)), "", as_text(_jars(run)), ""),
            *_summary(run),
            f"{run.seconds:.0f} s; {', '.join(f'{name} {version}' for name, version in run.versions.items())}",
            *(["", "WRONG", *failures] if failures else ["no difference without a reason"]),
        ]
    )


def page(run: Run) -> str:
    """Return the run as Markdown."""
    reasons = [("case", "peer", "difference and reason")]
    reasons += [(each.case, each.peer, each.text) for row in run.rows for each in differences(row)]
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    return "\n".join(
        [
            _INTRODUCTION,
            f"Last written on {run.when:%Y-%m-%d}, on Debian, with {versions}.\n",
            *(f"* {line}" for line in _summary(run)),
            "\n## Servers\n",
            as_markdown(table(run.rows)),
            "\n### Differences\n",
            as_markdown(reasons),
            "\n## Mixed content\n",
            "What Padlock finds in a page that names one insecure URL, and what Chromium does with that URL.\n",
            as_markdown(_elements(run)),
            "\n## Cookies\n",
            "What Padlock says of a cookie that is set over HTTPS, and where Chromium then sends it, its own upgrade",
            "of navigations being off, as an attacker who closes port 443 has it.\n",
            as_markdown(_jars(run)),
            "",
        ]
    )


def _summary(run: Run) -> list[str]:
    lines = [f"{len(run.rows)} servers"]
    lines += [f"{peer}: agrees on {same} of {asked}" for peer, (same, asked) in agreement(run.rows).items()]
    lines.append(
        f"mixed content: Chromium agrees on {sum(row.agreed for row in run.elements)} of {len(run.elements)}"
    )
    lines.append(f"cookies: Chromium agrees on {sum(row.agreed for row in run.jars)} of {len(run.jars)}")
    return lines


def _elements(run: Run) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = [("element", "Padlock", "Chromium", "reason to differ")]
    return lines + [(row.case.name, row.ours or "-", row.theirs or "-", row.case.reason) for row in run.elements]


def _jars(run: Run) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = [("Set-Cookie", "Padlock", "Chromium", "reason to differ")]
    return lines + [(repr(row.case.cookie)[1:-1], row.ours or "-", row.theirs, row.case.reason) for row in run.jars]
