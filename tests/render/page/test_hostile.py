"""Whatever stands in whatever field of a report: it is shown, and is never markup, script, style or layout."""

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from padlock.findings import Report
from padlock.render.page import Beside, Past, page
from padlock.render.page.route import STAGES

from tests.evidence_builder import NOW
from tests.hostile_text import HOSTILE, LONG, fields, filled, spoilt
from tests.render.page.parsed import assert_harmless, parsed, shape, text
from tests.render.reports import broken

MARK = "7zqmark"
UNSHOWN = {"Report.timezone", "Cause.inhibits"}
"""Fields that the page has no use for: a mail's, and an alert's."""
WORDS = ("`", "\n", "</script>", "<b>", '"', "'", "&lt;", "  ", "-->", "]]>", "<!--", "\u202e", "#", "href=")
anything = (
    st.text(max_size=80)
    | st.lists(st.sampled_from(WORDS) | st.text(max_size=20), max_size=9).map("".join)
    | st.just(HOSTILE)
)


def full() -> Report:
    """Return a report in which every collection has an entry, and every text is another one."""
    report: Report = filled(Report, "x")
    whole = msgspec.structs.replace(report, checklist=broken().checklist)
    return spoilt(whole, lambda path, _: path)


def only(field: str, new: str) -> Callable[[str, str], str]:
    """Return a change of one field."""
    return lambda path, old: new if path == field else old


@pytest.mark.parametrize("field", sorted(fields(Report)))
@pytest.mark.parametrize("others", [(), (broken(),)], ids=["alone", "among others"])
def test_field_is_shown_and_only_as_text(field: str, others: tuple[Report, ...]) -> None:
    """Each text of a report reaches its reader, escaped, and leaves the page's elements as they were."""
    tame, wild = (spoilt(full(), only(field, value)) for value in ("tame", f"{MARK} {HOSTILE}"))
    plain, tree = (assert_harmless(page([report, *others])) for report in (tame, wild))
    assert (MARK in text(tree)) is (field not in UNSHOWN)
    if field not in ("Finding.remediation", "Cause.remediation"):  # prose of ours: it has paragraphs and commands
        assert shape(plain) == shape(tree)


@given(anything)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_any_text_in_every_field(words: str) -> None:
    """One text everywhere at once, in the earlier checks too."""
    report = spoilt(full(), lambda _, __: words)
    past = (Past(NOW, "ok", words), Past(NOW, "error", words))
    beside = Beside(past, {stage.name: (words, words) for stage in STAGES})
    assert_harmless(page([report], {words: beside}))
    assert_harmless(page([report, broken()], {words: beside}))


def test_long_text_is_cut() -> None:
    """A flood in one field costs a line, not the page."""
    report = spoilt(broken(), lambda path, old: LONG if path == "Finding.observed" else old)
    assert len(page([report])) < len(page([broken()])) + 60_000


def test_commands_are_whole() -> None:
    """A command is never cut, wrapped or changed: what is copied is what was meant."""
    command = "printf '%s\\n' \"a  b\" <in >out && " + "x" * 3000
    report = msgspec.structs.replace(
        broken(), causes=(msgspec.structs.replace(broken().causes[0], commands=(command,)),)
    )
    shown = [node.text() for node in parsed(page([report])).css("pre code")]
    assert command in shown
