"""renewal.*: an automatic renewal that did not happen, an issuer that wants one, and one that nobody sees."""

from datetime import timedelta
from typing import Any

import pytest
from padlock import evidence as ev
from padlock.checklist import UNPROVEN
from padlock.evidence import Evidence, organisation

from tests.evidence_builder import (
    ADDRESS_6,
    HOSTS,
    LEAF,
    NOW,
    certificate,
    change,
    codes,
    fires,
    healthy,
    outcomes,
    report,
    silent,
    unassessed,
    with_address,
    with_handshakes,
    with_leaf,
    with_renewal,
    with_trust,
)
from tests.host_builder import certificate_file, with_audit

DAY = timedelta(days=1)
OVERDUE, SUGGESTED, NEWER = "renewal.overdue", "renewal.suggested_now", "renewal.newer_certificate_not_served"
OTHER = "4" * 64


def aged(age: float, left: float, *, told: bool = False, **fields: Any) -> Evidence:
    """Return the site with a certificate of that age, in days; without `told` the issuer says nothing of it."""
    site = with_leaf(healthy(), not_before=NOW - age * DAY, not_after=NOW + left * DAY, **fields)
    return site if told else with_renewal(site, information={})


def window(start: float, end: float, **fields: Any) -> dict[str, ev.RenewalInformation]:
    """Return a window of the issuer's, in days from now."""
    return {LEAF: ev.RenewalInformation(LEAF, start=NOW + start * DAY, end=NOW + end * DAY, **fields)}


@pytest.mark.parametrize(
    ("age", "left"), [(62.1, 27.9), (89.9, 0.1), (32.1, 12.9), (4.5, 1.5)], ids=["90", "last day", "45", "6"]
)
def test_a_certificate_that_no_program_renewed(age: float, left: float) -> None:
    """Past two thirds of its lifetime and two days' grace, half of a short one: weeks before it expires."""
    found = fires("renewal.overdue", aged(age, left))
    assert found.subject in HOSTS
    assert found.severity == "error"
    assert "not renewed" in found.observed


@pytest.mark.parametrize(
    ("age", "left"), [(10, 80), (61.9, 28.1), (31.9, 13.1), (3.2, 2.8)], ids=["fresh", "90", "45", "6"]
)
def test_a_certificate_whose_renewal_is_not_late(age: float, left: float) -> None:
    """Up to the day on which a client that looks once a day has renewed."""
    silent("renewal.overdue", aged(age, left))


@pytest.mark.parametrize(
    "issuer", ["CN=DigiCert TLS RSA,O=DigiCert Inc,C=US", "CN=ZeroSSL RSA,O=ZeroSSL,C=AT", "CN=Lab R11"]
)
def test_authorities_that_sell_by_hand(issuer: str) -> None:
    """Nobody promised to renew such a certificate early; that it expires soon is another finding."""
    seen = aged(70, 20, issuer=issuer)
    assert outcomes(OVERDUE, seen) == []
    assert "certificate.expiring" in codes(seen)


def test_a_year_from_an_automated_authority() -> None:
    """No ACME certificate lives so long: it was made by hand."""
    assert outcomes(OVERDUE, aged(350, 15)) == []


def test_the_window_of_the_issuer_counts() -> None:
    """A client that goes by a late window is well until that window is over, and two days longer."""
    silent("renewal.overdue", with_renewal(aged(63, 27), information=window(-0.5, 1)))
    fires("renewal.overdue", with_renewal(aged(65, 25), information=window(-4, -2.5)))


def test_a_window_that_moved_early_makes_nothing_overdue() -> None:
    """That the issuer wants it renewed early says nothing of the client."""
    silent("renewal.overdue", with_renewal(healthy(), information=window(-1, -0.5)))


def test_a_window_beyond_the_expiry_is_nonsense() -> None:
    """It cannot keep the finding away."""
    fires("renewal.overdue", with_renewal(aged(70, 20), information=window(100, 200)))


def test_what_browsers_refuse_already_is_not_overdue_too() -> None:
    """An expired certificate, or a self-made one that borrows the authority's name, has its own finding."""
    assert OVERDUE not in codes(aged(91, -1))
    assert OVERDUE not in codes(with_trust(aged(70, 20), "unknown_issuer"))


def test_overdue_is_explained_together_with_expiring() -> None:
    """One cause stands behind both."""
    judged = report(aged(70, 20))
    assert judged.causes[0].code == "cause.renewal_broken"
    assert {OVERDUE, "certificate.expiring"} <= set(judged.causes[0].explains)


def test_an_unreadable_certificate_is_not_judged() -> None:
    """Without dates there is nothing to compute."""
    unassessed(OVERDUE, with_leaf(healthy(), not_before=None, not_after=None))


def test_the_issuer_wants_it_renewed_now() -> None:
    """A window far ahead of the usual time is shown with its reason, and the site is not down."""
    told = window(-2, -1, explanation="https://ca.example/incident?a=<b>")
    found = fires("renewal.suggested_now", with_renewal(healthy(), information=told))
    assert found.severity == "warning"
    assert "https://ca.example/incident?a=<b>" in found.observed


def test_a_window_moved_a_little_with_a_reason() -> None:
    """Shortly before the usual time it takes the issuer's own reason to tell a moved window from an ordinary one."""
    near = aged(57, 33, told=True)
    silent("renewal.suggested_now", with_renewal(near, information=window(-0.5, 2)))
    fires("renewal.suggested_now", with_renewal(near, information=window(-0.5, 2, explanation="https://ca.example/")))


@pytest.mark.parametrize(
    ("age", "left", "start", "end"),
    [(59.5, 30.5, -0.4, 1.4), (10, 80, 20, 22), (10, 80, 49.1, 50.9), (65, 25, -30, -29)],
    ids=["ordinary window is open", "moved, yet to come", "ordinary", "overdue anyway"],
)
def test_ordinary_windows(age: float, left: float, start: float, end: float) -> None:
    """The window around two thirds of the lifetime is no news, nor is one that has yet to begin."""
    silent("renewal.suggested_now", with_renewal(aged(age, left), information=window(start, end)))


def test_an_issuer_that_is_down() -> None:
    """Nothing is known, and the checklist's step is not held open by it."""
    down = {LEAF: ev.RenewalInformation(LEAF, failure=ev.Failure("timeout", "no whole answer in 8 seconds"))}
    seen = with_renewal(healthy(), information=down)
    assert "did not say" in unassessed(SUGGESTED, seen)
    row = next(row for row in report(seen).checklist if row.step == 14)
    assert (row.status, row.reason) == ("unknown", UNPROVEN)


def test_an_issuer_without_renewal_information() -> None:
    """There is nothing to ask."""
    assert outcomes(SUGGESTED, with_renewal(healthy(), information={})) == []
    none = {LEAF: ev.RenewalInformation(LEAF, offered=False)}
    assert outcomes(SUGGESTED, with_renewal(healthy(), information=none)) == []


def test_an_issuer_that_was_not_asked_in_time() -> None:
    """A run that was cut off does not pass."""
    cut = change(with_renewal(healthy(), information={}), incomplete="the 30 seconds for this site ran out")
    assert "ran out" in unassessed(SUGGESTED, cut)


def logged(days: float = 5, serial: str = "0BEEF0", names: tuple[str, ...] = HOSTS, **fields: Any) -> ev.Logged:
    """Return a certificate from the logs, issued that many days ago."""
    issuer = fields.pop("issuer", "C=US, O=Let's Encrypt, CN=R12")
    return ev.Logged(serial, issuer, NOW - days * DAY, NOW + 85 * DAY, names)


def found(*entries: ev.Logged, name: str = "example.com") -> Evidence:
    """Return the site with these certificates in the logs."""
    return with_renewal(healthy(), search=ev.Search(name, found=entries))


def test_a_newer_certificate_is_not_served() -> None:
    """Both serials are named, and what to look for."""
    problem = fires("renewal.newer_certificate_not_served", found(logged()))
    assert "04A1B2" in problem.observed
    assert "0BEEF0" in problem.observed
    assert "reload nginx" in problem.remediation


@pytest.mark.parametrize(
    "entry",
    [
        logged(15),
        logged(0.9),
        logged(serial="4A1B2"),
        logged(names=("example.com",)),
        logged(names=(*HOSTS, "shop.example.com")),
        logged(issuer="C=US, O=Google Trust Services, CN=WE1"),
    ],
    ids=["older", "of today", "the same", "fewer names", "more names", "a CDN's own"],
)
def test_certificates_that_replace_nothing(entry: ev.Logged) -> None:
    """Older ones, others' and those for other names are no reason to reload, nor is one of the last hours."""
    silent("renewal.newer_certificate_not_served", found(entry))


def test_names_beside_the_searched_one_are_not_compared() -> None:
    """The search lists only names in which the searched one occurs."""
    more = with_leaf(found(logged()), dns_names=(*HOSTS, "example.net"), dns_name_count=3)
    fires("renewal.newer_certificate_not_served", more)


def test_a_newer_one_that_is_served_elsewhere() -> None:
    """Two machines that renew each on its own, or a pair of RSA and ECDSA: all of them are served."""
    seen = with_address(found(logged()), ADDRESS_6)
    assert seen.tls
    other = change(seen.tls.certificates[LEAF], sha256=OTHER, serial="BEEF0", not_before=NOW - 5 * DAY)
    seen = change(seen, tls=change(seen.tls, certificates={**seen.tls.certificates, OTHER: other}))
    silent("renewal.newer_certificate_not_served", with_handshakes(seen, address=ADDRESS_6, chain=(OTHER,)))


def test_the_search_is_off_or_down() -> None:
    """Off it says nothing at all; down it is not assessed."""
    assert outcomes(NEWER, with_renewal(healthy(), search=None)) == []
    down = ev.Search("example.com", ev.Failure("protocol_error", "status 502"))
    assert "status 502" in unassessed(NEWER, with_renewal(healthy(), search=down))


def renewed(**fields: Any) -> Evidence:
    """Return the site whose machine has a newer certificate in the file that nginx has not read since."""
    return audit_of(healthy(), **fields)


def audit_of(site: Evidence, modified: float = 1, **fields: Any) -> Evidence:
    """Return a site's evidence with a certificate of five days ago on disk, changed that many days ago."""
    leaf = certificate(
        OTHER, **{"serial": "0BEEF0", "not_before": NOW - 5 * DAY, "not_after": NOW + 85 * DAY, **fields}
    )
    file = certificate_file(certificate=leaf, modified=NOW - modified * DAY)
    return with_audit(with_renewal(site, search=None), certificates=(file,))


def test_renewed_on_disk_and_not_reloaded() -> None:
    """Seen on the machine no search of logs is needed; a reload heals it."""
    problem = fires(NEWER, renewed())
    assert "04A1B2" in problem.observed
    assert '"/etc/letsencrypt/live/example.com/fullchain.pem" on web-1 holds serial 0BEEF0' in problem.observed
    assert "not read the file" in problem.observed
    assert problem.commands == ("nginx -t && systemctl reload nginx",)


@pytest.mark.parametrize(
    "fields",
    [
        {"not_before": NOW - 15 * DAY},
        {"serial": "4A1B2"},
        {"issuer": "C=US, O=Google Trust Services, CN=WE1"},
        {"dns_names": ("blog.example",)},
        {"not_after": NOW - DAY, "not_before": NOW - 9 * DAY},
    ],
    ids=["older", "the same", "other authority", "another site's", "expired itself"],
)
def test_files_that_replace_nothing(fields: dict[str, Any]) -> None:
    """Older ones, others' and those for other names are no reason to reload."""
    silent(NEWER, renewed(**fields))


def test_an_authority_without_organisation() -> None:
    """A private authority is compared by its whole name."""
    site = with_leaf(healthy(), issuer="CN=Lab R11")
    fires(NEWER, audit_of(site, issuer="CN=Lab R11"))
    silent(NEWER, audit_of(site, issuer="CN=Lab R12"))


def test_nginx_has_read_the_newer_file() -> None:
    """Then something in front serves its own: wrong only once that should have been renewed."""
    silent(NEWER, audit_of(healthy(), modified=9.5))
    late = with_leaf(healthy(), not_before=NOW - 70 * DAY, not_after=NOW + 20 * DAY)
    problem = fires(NEWER, audit_of(late, modified=9.5))
    assert "in front of it" in problem.remediation
    assert problem.commands == ()


def test_the_served_one_lies_in_another_file() -> None:
    """Two certificates for one name are each renewed; an old one that nginx still names is not."""
    for site, found in (
        (healthy(), False),
        (with_leaf(healthy(), not_before=NOW - 70 * DAY, not_after=NOW + 20 * DAY), True),
    ):
        newer = audit_of(site)
        assert newer.host
        assert newer.host[0].certificates
        assert site.tls
        served = certificate_file(path="/etc/ssl/old.pem", certificate=site.tls.certificates[LEAF])
        both = change(newer, host=(change(newer.host[0], certificates=(*newer.host[0].certificates, served)),))
        if found:
            problem = fires(NEWER, both)
            assert '"/etc/ssl/old.pem"' in problem.observed
            assert problem.commands == ()
        else:
            silent(NEWER, both)


def test_two_machines_renew_each_on_its_own() -> None:
    """The newer certificate of one is served at its address: nothing is missing."""
    seen = with_address(renewed(), ADDRESS_6)
    assert seen.tls
    assert seen.host
    other = change(seen.tls.certificates[LEAF], sha256=OTHER, serial="0BEEF0", not_before=NOW - 5 * DAY)
    seen = change(seen, tls=change(seen.tls, certificates={**seen.tls.certificates, OTHER: other}))
    silent(NEWER, with_handshakes(seen, address=ADDRESS_6, chain=(OTHER,)))


@pytest.mark.parametrize(
    "fields",
    [{"collected_at": NOW - 3 * DAY}, {"root": False}, {"fault": "gone"}],
    ids=["stale", "not root", "failed"],
)
def test_a_machine_that_cannot_be_judged_says_nothing(fields: dict[str, Any]) -> None:
    """Its files are not compared; the search of the logs still is."""
    seen = renewed()
    assert seen.host
    unusable = (change(seen.host[0], **fields),)
    silent(NEWER, change(seen, host=unusable))
    fires(NEWER, change(found(logged()), host=unusable))


def test_the_search_is_down_and_the_machine_tells() -> None:
    """One source is enough."""
    down = ev.Search("example.com", ev.Failure("protocol_error", "status 502"))
    fires(NEWER, with_renewal(renewed(), search=down))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("CN=R11,O=Let's Encrypt,C=US", "Let's Encrypt"),
        ("C=US, O=Let's Encrypt, CN=R11", "Let's Encrypt"),
        ("CN=WR2,O=Google Trust Services LLC,C=US", "Google Trust Services"),
        ('C=US, O="CLOUDFLARE, INC.", CN=x', "CLOUDFLARE, INC."),
        ("CN=x,O=CLOUDFLARE\\, INC.,C=US", "CLOUDFLARE, INC."),
        ("CN=O=Let's Encrypt", ""),
        ("CN=Lab R11", ""),
        ("", ""),
    ],
)
def test_organisations(name: str, expected: str) -> None:
    """Both spellings of a name give the same organisation, and a common name cannot pose as one."""
    assert organisation(name) == expected
