"""Mixed content and broken files of the site's pages."""

from typing import Any

import pytest
from padlock.evidence import Asset, Failure, Mix, Reference
from padlock.findings import Severity

from tests.evidence_builder import change, fires, healthy, outcomes, page, report, silent, unassessed, with_page

SCRIPT = Reference("active", "http://cdn.example/jquery.js", "script src", line=7)
IMAGE = Reference("passive", "http://cdn.example/logo.png", "img src", line=9)
SHEET = "https://example.com/static/shop.css"


def upgraded(reference: Reference) -> Reference:
    """Return a reference under upgrade-insecure-requests."""
    return change(reference, upgraded=True)


def asset(**fields: Any) -> Asset:
    """Return a script of the page."""
    return Asset(**{"kind": "script", "url": "https://example.com/static/shop.js", "status": 200, **fields})


@pytest.mark.parametrize("code", ["content.mixed_active", "content.mixed_passive", "content.broken_asset"])
def test_a_page_that_loads_everything_over_https(code: str) -> None:
    """Nothing to say, and the step of the checklist is passed."""
    silent(code, healthy())
    row = next(row for row in report(healthy()).checklist if row.step == 16)
    assert row.status == "pass"


def test_a_script_over_http_is_an_error() -> None:
    """The finding is about the page, and names the element, the URL and the line."""
    finding = fires("content.mixed_active", with_page(healthy(), SCRIPT))
    silent("content.mixed_passive", with_page(healthy(), SCRIPT))
    assert (finding.severity, finding.subject, finding.step) == (Severity.ERROR, "https://example.com/", 16)
    assert finding.observed == 'script src "http://cdn.example/jquery.js" (line 7)'


def test_an_image_over_http_is_a_warning() -> None:
    """Browsers upgrade it or show it, the page works."""
    finding = fires("content.mixed_passive", with_page(healthy(), IMAGE))
    silent("content.mixed_active", with_page(healthy(), IMAGE))
    silent("content.broken_asset", with_page(healthy(), IMAGE))
    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize("code", ["content.mixed_active", "content.mixed_passive"])
def test_what_browsers_upgrade_is_a_notice(code: str) -> None:
    """upgrade-insecure-requests mends the page, the URLs are still to be corrected."""
    finding = fires(code, with_page(healthy(), upgraded(SCRIPT), upgraded(IMAGE)))
    assert finding.severity is Severity.NOTICE
    assert "upgrade-insecure-requests" in finding.observed


def test_what_stands_before_the_policy_keeps_its_severity() -> None:
    """One reference that is not upgraded is enough, and it is the one that is named."""
    finding = fires("content.mixed_active", with_page(healthy(), SCRIPT, upgraded(change(SCRIPT, url="http://b/"))))
    assert finding.severity is Severity.ERROR
    assert "http://b/" not in finding.observed


def test_block_all_mixed_content_is_told() -> None:
    """Images are then missing in every browser."""
    finding = fires("content.mixed_passive", with_page(healthy(), IMAGE, blocks_all=True))
    assert "block-all-mixed-content" in finding.observed


def test_many_references_are_counted() -> None:
    """Five are named, the true number is told."""
    references = [change(SCRIPT, url=f"http://cdn.example/{n}.js") for n in range(50)]
    finding = fires("content.mixed_active", with_page(healthy(), *references, counts={"active": 50_000}))
    assert finding.observed.count("http://") == 5
    assert finding.observed.endswith("and 49995 more")


def test_references_of_one_kind_may_have_found_no_room() -> None:
    """The count stands for itself where the first references are all of the other kind."""
    finding = fires("content.mixed_passive", with_page(healthy(), SCRIPT, counts={"active": 50, "passive": 3}))
    assert finding.observed == "3 of them"


def test_a_stylesheet_is_named() -> None:
    """What stands in a file of its own is looked for there."""
    font = Reference("active", "http://cdn.example/a.woff2", "@font-face", 3, SHEET)
    assert f"of {SHEET} (line 3)" in fires("content.mixed_active", with_page(healthy(), font)).observed


def test_the_health_page_has_a_finding_of_its_own() -> None:
    """Each page is a subject."""
    health = page("https://example.com/health", purpose="health", counts={"active": 1}, references=(SCRIPT,))
    seen = change(healthy(), page=(page(), health))
    assert fires("content.mixed_active", seen).subject == "https://example.com/health"


def test_a_subject_stays_the_same() -> None:
    """Session ids and queries of the final URL do not make new findings."""
    moved = page(url="https://example.com/start;jsessionid=7?next=%2F", counts={"active": 1}, references=(SCRIPT,))
    assert fires("content.mixed_active", change(healthy(), page=(moved,))).subject == "https://example.com/start"


@pytest.mark.parametrize("code", ["content.mixed_active", "content.mixed_passive", "content.broken_asset"])
def test_a_page_that_was_not_read_is_not_assessed(code: str) -> None:
    """A blocked checker, a redirect loop and a cut-off run say nothing about what the page loads."""
    assert unassessed(code, with_page(healthy(), unread="it answered 403")) == "it answered 403"
    assert unassessed(code, change(healthy(), page=None))
    assert (
        unassessed(code, change(healthy(), page=(), incomplete="the 30 seconds ran out")) == "the 30 seconds ran out"
    )


def test_an_unread_health_page_leaves_the_step_alone() -> None:
    """The front page was read, which is what the step asks for."""
    health = page("https://example.com/health", purpose="health", unread="it answered 403")
    judged = report(change(healthy(), page=(page(), health)))
    assert next(row for row in judged.checklist if row.step == 16).status == "pass"


def test_a_page_of_another_site_is_not_judged() -> None:
    """A site that only redirects elsewhere has no content of its own."""
    seen = with_page(healthy(), SCRIPT, foreign=True, unread="it belongs to another site, example.net")
    silent("content.mixed_active", seen)
    row = next(row for row in report(seen).checklist if row.step == 16)
    assert row.status == "not applicable"


def test_json_has_no_mixed_content() -> None:
    """Only HTML loads anything."""
    silent("content.mixed_active", with_page(healthy(), is_html=False, assets=()))


@pytest.mark.parametrize("kind", ["active", "passive"])
def test_the_beginning_of_a_page_proves_nothing(kind: Mix) -> None:
    """Of a page longer than is read, nothing found is no pass; the step is not held up by it."""
    reason = unassessed(f"content.mixed_{kind}", with_page(healthy(), truncated=True))
    assert reason == "only the beginning of the page was read"


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ({"status": 404}, "it answered 404"),
        ({"status": 502}, "it answered 502"),
        ({"fault": "an HTML page came in place of the script"}, "an HTML page came in place of the script"),
        ({"failure": Failure("tls", "the certificate does not cover static.example.com")}, "does not cover"),
        ({"failure": Failure("timeout", "headers")}, "the headers of the answer do not come in time"),
    ],
)
def test_a_file_that_fails(broken: dict[str, Any], told: str) -> None:
    """Statuses, wrong types and failures of TLS are told with the file."""
    finding = fires("content.broken_asset", with_page(healthy(), assets=(asset(**broken), asset())))
    assert finding.severity is Severity.WARNING
    assert finding.observed.startswith("1 of the 2 files looked at: the script ")
    assert told in finding.observed


@pytest.mark.parametrize("shut", [{"status": 403}, {"status": 429}, {"failure": Failure("deadline"), "status": None}])
def test_a_file_that_only_the_checker_is_refused(shut: dict[str, Any]) -> None:
    """Hotlink protection, rate limits and our own time are no fault of the page."""
    assert unassessed("content.broken_asset", with_page(healthy(), assets=(asset(**shut),)))
    partly = with_page(healthy(), assets=(asset(**shut), asset()))
    assert next(row for row in report(partly).checklist if row.step == 16).status == "pass"


def test_a_page_without_files_of_its_own() -> None:
    """There is nothing to fail."""
    assert outcomes("content.broken_asset", with_page(healthy(), assets=())) == []


def test_a_redirected_or_cached_file_loads() -> None:
    """Statuses below 400 are no failure."""
    silent("content.broken_asset", with_page(healthy(), assets=(asset(status=304), asset(status=206))))
