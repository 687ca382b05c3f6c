"""The table of checks in docs/checks.md, made from the rules themselves: python -m local.catalogue."""

from pathlib import Path

from padlock.rules import RULES, Rule
from padlock.site import Thresholds

DOCUMENT = Path(__file__).parent.parent / "docs" / "checks.md"
HEAD = """# What Padlock checks

Every check has a stable code. A site's declaration switches codes off with `disable` and changes their severity
with `severity`. A check that could not look is *not assessed*: neither passed nor failed. Errors raise alerts,
warnings and notices stand in the report. The step is that of the deployment checklist, `beyond` what goes beyond
it. The severity is the usual one, and a case may differ from it: `certificate.expiring` is an error in the last
tenth of the lifetime (or under `thresholds.certificate_days`), `hsts.missing` a warning where `hsts: required` is
declared.

Where 2 stands under *looks* the finding may pass by itself, as a timeout, a refused connection or a 5xx does: it
counts once two looks in a row have seen it, the second at once where time allows. `thresholds.failures` moves that
number. All else is a fact, and counts after one look. Any finding is over after two looks in a row that do not see it
(`thresholds.successes`).

Two codes are no checks of the site. `site.invalid` (error, beyond): its declaration cannot be used, so that nothing
is checked. `site.stale` (error, beyond): no check has come to a result for three intervals.

`content.mixed_active` and `content.mixed_passive` read a page's markup, its stylesheets, and in its inline scripts
the literals that are fetched; they run no script. Silence of theirs says nothing of what a script puts together
while it runs, of scripts in files of their own, and of what happens after a click: `docs/conformance.md` lists what
of it only a browser can tell.

Made from the rules by `make docs`.
"""


def document() -> str:
    """Return the page: one table per subject, in the order of a report."""
    subjects = dict.fromkeys(code.split(".")[0] for code in RULES)
    return HEAD + "".join(_table(subject) for subject in subjects)


def _table(subject: str) -> str:
    rows = [_row(rule) for rule in RULES.values() if rule.code.startswith(subject + ".")]
    titles = "| code | severity | looks | step | finding | why it matters |\n|---|---|---|---|---|---|\n"
    return f"\n## {subject}\n\n{titles}" + "".join(rows)


def _row(rule: Rule) -> str:
    steps = ", ".join(str(step) for step in rule.steps) or "beyond"
    looks = str(Thresholds().failures if rule.reachability else 1)
    cells = (f"`{rule.code}`", rule.severity, looks, steps, rule.summary, rule.impact)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(document())
