"""The table of checks in docs/checks.md, made from the rules themselves: python -m local.catalogue."""

from pathlib import Path

from padlock.rules import RULES, Rule

DOCUMENT = Path(__file__).parent.parent / "docs" / "checks.md"
HEAD = """# What Padlock checks

Every check has a stable code. A site's declaration switches codes off with `disable` and changes their severity
with `severity`. A check that could not look is *not assessed*: neither passed nor failed. Errors raise alerts,
warnings and notices stand in the report. The step is that of the deployment checklist, `beyond` what goes beyond
it. The severity is the usual one, and a case may differ from it: `certificate.expiring` is an error in the last
tenth of the lifetime (or under `thresholds.certificate_days`), `hsts.missing` a warning where `hsts: required` is
declared.

`site.invalid` (error, beyond) is no check of the site: its declaration cannot be used, so that nothing is checked.

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
    return (
        f"\n## {subject}\n\n| code | severity | step | finding | why it matters |\n|---|---|---|---|---|\n"
        + "".join(rows)
    )


def _row(rule: Rule) -> str:
    steps = ", ".join(str(step) for step in rule.steps) or "beyond"
    cells = (f"`{rule.code}`", rule.severity, steps, rule.summary, rule.impact)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


if __name__ == "__main__":
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(document())
