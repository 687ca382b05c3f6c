"""One canonical host: what is declared holds, and without a declaration only a split site fires."""

import pytest
from padlock import evidence as ev
from padlock.findings import Severity

from tests.evidence_builder import (
    PAGE,
    chain,
    change,
    codes,
    exchange,
    fires,
    healthy,
    silent,
    unassessed,
    with_chains,
    with_exchange,
    with_exchanges,
    with_leaf,
)

HTTP, HTTPS, WWW = "http://example.com/", "https://example.com/", "https://www.example.com/"
APEX_DECLARED = {"name": "example.com", "canonical": "example.com"}
WWW_DECLARED = {"name": "example.com", "canonical": "www.example.com"}


def both_serve(evidence: ev.Evidence, body: str = PAGE) -> ev.Evidence:
    """Return the evidence with a page at the www host, in the place of its redirect."""
    seen = with_exchange(evidence, WWW, status=200, headers=(), body=body)
    return with_chains(seen, chain(WWW, (WWW, 200, None)))


def test_split() -> None:
    """Two hosts that both serve a page are a warning; a canonical link in the page is for search engines only."""
    linked = both_serve(healthy(), f'<link rel="canonical" href="{HTTPS}">')
    assert fires("canonical.split", linked).severity is Severity.WARNING
    assert fires("canonical.split", both_serve(healthy())).subject == "example.com"
    silent("canonical.split", healthy())


def test_split_gives_way_to_the_declaration() -> None:
    """With a declared canonical host the same fault is canonical.unexpected, once."""
    found = codes(both_serve(healthy(APEX_DECLARED)))
    assert "canonical.unexpected" in found
    assert "canonical.split" not in found


@pytest.mark.parametrize("status", [404, 500])
def test_an_error_page_is_no_second_site(status: int) -> None:
    """A www host that answers with an error does not serve the site."""
    silent("canonical.split", with_exchange(healthy(), WWW, status=status, headers=()))


def test_hosts_without_a_sibling() -> None:
    """Hosts that are no pair of apex and www have nothing to agree on."""
    silent("canonical.split", healthy({"name": "example.com", "hosts": ["example.com", "shop.example.com"]}))


def test_split_is_not_assessed_without_answers() -> None:
    """A host that gave no answer, or that blocks the checker, may still serve the site."""
    dead = with_exchange(healthy(), WWW, status=None, failure=ev.Failure("timeout", "headers"))
    assert "do not come in time" in unassessed("canonical.split", dead)
    unassessed("canonical.split", with_exchange(healthy(), WWW, status=403, headers=()))


def test_split_is_judged_by_what_browsers_show() -> None:
    """A host whose certificate browsers refuse, or that shows the server's welcome page, serves no second site."""
    refused = with_leaf(both_serve(healthy()), dns_names=("example.com",), dns_name_count=1)
    assert "other names" in unassessed("canonical.split", refused)
    welcome = with_exchange(both_serve(healthy()), WWW, title="Welcome to nginx!")
    assert "welcome page" in unassessed("canonical.split", welcome)


def test_unexpected() -> None:
    """Every host must end at the declared one."""
    finding = fires("canonical.unexpected", healthy(WWW_DECLARED))
    assert finding.subject == "example.com"
    assert finding.expected == WWW
    silent("canonical.unexpected", healthy(APEX_DECLARED))
    silent("canonical.unexpected", healthy())


def test_another_domain_without_a_declaration() -> None:
    """A name that leads to another domain is often meant; only a declaration makes it a fault."""
    goal = "https://brand.example/"
    way = chain(HTTPS, (HTTPS, 301, goal), (goal, 200, None))
    silent("canonical.unexpected", with_chains(healthy(), way))
    fires("canonical.unexpected", with_chains(healthy(APEX_DECLARED), way))


def test_http_rules_that_differ_from_https() -> None:
    """HTTP that ends at the wrong host fires, even where HTTPS ends at the right one."""
    way = chain(HTTP, (HTTP, 301, WWW), (WWW, 200, None))
    assert HTTP in fires("canonical.unexpected", with_chains(healthy(APEX_DECLARED), way)).observed


@pytest.mark.parametrize("status", [403, 502])
def test_unexpected_leaves_doubt_alone(status: int) -> None:
    """A host that fails, or blocks the checker, might redirect otherwise."""
    seen = with_exchange(healthy(APEX_DECLARED), WWW, status=status, headers=())
    http_www = "http://www.example.com/"
    chains = [chain(WWW, (WWW, status, None)), chain(http_www, (http_www, 301, WWW), (WWW, status, None))]
    unassessed("canonical.unexpected", with_chains(seen, *chains))


def test_unexpected_without_an_end() -> None:
    """A chain that led nowhere is not assessed."""
    seen = healthy(APEX_DECLARED)
    assert seen.http
    chains = tuple(change(c, end="failure") if c.purpose == "front" else c for c in seen.http.chains)
    unassessed("canonical.unexpected", change(seen, http=change(seen.http, chains=chains)))


def test_skips_upgrade() -> None:
    """http://apex straight to https://www leaves the apex without HSTS: worth a notice, unless HSTS is off."""
    way = chain(HTTP, (HTTP, 301, WWW), (WWW, 200, None))
    assert fires("canonical.skips_upgrade", with_chains(healthy(), way)).severity is Severity.NOTICE
    silent("canonical.skips_upgrade", healthy())
    silent("canonical.skips_upgrade", with_chains(healthy({"name": "example.com", "hsts": "off"}), way))


def test_www_that_skips_to_the_apex() -> None:
    """The other direction is fine: a policy of the apex can cover its subdomains."""
    start = "http://www.example.com/"
    way = chain(start, (start, 301, HTTPS), (HTTPS, 200, None))
    silent("canonical.skips_upgrade", with_chains(healthy(), way))


def test_skips_upgrade_without_http() -> None:
    """No answer over HTTP is not assessed."""
    way = chain(HTTP, (HTTP, None, None), end="failure", detail="no answer to the connection")
    unassessed("canonical.skips_upgrade", with_chains(healthy(), way))


def test_final_answer_is_found_among_the_hops() -> None:
    """A block met only at the end of the redirects is seen there."""
    goal = "https://cdn.example.net/"
    blocked = exchange(goal, purpose="hop", status=403, headers=(("cf-mitigated", "challenge"),))
    seen = with_exchanges(healthy(APEX_DECLARED), blocked)
    way = chain(HTTPS, (HTTPS, 301, goal), (goal, 403, None))
    assert "challenge" in unassessed("canonical.unexpected", with_chains(seen, way))
