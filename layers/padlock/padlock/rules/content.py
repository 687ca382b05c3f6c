"""What the site's pages load (checklist step 16): mixed content as browsers sort it, and files that do not load.

Links, canonical URLs, structured data and comments are never mixed content: browsers load nothing from them. No
script is run: silence about mixed content holds for what markup, stylesheets and literals in inline scripts name.
"""

import re
from collections.abc import Callable, Iterator

from padlock.evidence import Asset, Evidence, Mix, Page
from padlock.findings import Severity
from padlock.rules._rule import NotApplicable, Outcome, Problem, Unknown, rule
from padlock.rules._subjects import listed, quoted, unseen
from padlock.site import Site

_SHOWN = 5
"""References that a finding names."""
_PROBER_ONLY = frozenset({401, 403, 429})
"""Statuses that a checker may get where visitors do not."""
_UPGRADE = (
    "Meanwhile `add_header Content-Security-Policy upgrade-insecure-requests always;` in nginx has browsers ask for "
    "all of it over HTTPS."
)


@rule(
    "content.mixed_active",
    Severity.ERROR,
    step=16,
    reads="page",
    summary="page loads code over HTTP",
    impact="Browsers block it: scripts do not run, styles, fonts and frames are missing, forms warn. Elsewhere "
    "whoever is on the way can take over the page.",
    remediation="Write https:// or a relative URL there; `grep -rn 'http://' templates static` finds more. If "
    "the app writes these URLs itself, it does not know that it is behind HTTPS: in nginx `proxy_set_header "
    "X-Forwarded-Proto $scheme;`, in Flask `app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1, x_host=1)`. " + _UPGRADE,
    reference="W3C Mixed Content, section 3.1; checklist step 16",
)
def mixed_active(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find scripts, styles, frames, fonts, requests and forms over plain HTTP on an HTTPS page."""
    yield from _judged(evidence, lambda page: _mixed(page, "active"))


@rule(
    "content.mixed_passive",
    Severity.WARNING,
    step=16,
    reads="page",
    summary="page loads media over HTTP",
    impact="Browsers ask for these files over HTTPS instead, or not at all: what is not there is missing on the "
    "page. Older ones show the page as not secure.",
    remediation="Write https:// or a relative URL there; `grep -rn 'http://' templates static` finds more; look "
    "also in what editors wrote into the database. " + _UPGRADE,
    reference="W3C Mixed Content, section 3.2; checklist step 16",
)
def mixed_passive(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find images, audio and video over plain HTTP on an HTTPS page."""
    yield from _judged(evidence, lambda page: _mixed(page, "passive"))


@rule(
    "content.broken_asset",
    Severity.WARNING,
    step=16,
    reads="page",
    reachability=True,
    summary="file of the page fails",
    impact="The page is shown without it: unstyled, with buttons that do nothing, or with gaps for images.",
    remediation="See it with `curl -sI` and compare with nginx: `sudo nginx -T | grep -nE 'location|root|alias'` and "
    "`sudo tail -n 50 /var/log/nginx/error.log`; a static file needs `location /static/ { alias "
    "/path/to/app/static/; }` and `include /etc/nginx/mime.types;`.",
    reference="checklist step 16; Fetch standard, section 3.6",
)
def broken_asset(site: Site, evidence: Evidence) -> Iterator[Outcome]:
    """Find the page's own scripts, stylesheets and images that fail over HTTPS, in a sample of them."""
    yield from _judged(evidence, _broken)


def _judged(evidence: Evidence, judge: Callable[[Page], Iterator[Outcome]]) -> Iterator[Outcome]:
    """Yield what is wrong with each page, and which pages were not read."""
    pages = evidence.page or ()
    for page in pages:
        if page.foreign:
            continue
        if page.unread:
            yield Unknown(_subject(page), page.unread, partial=page.purpose == "health")
        elif page.is_html:
            yield from judge(page)
    if pages and all(page.foreign for page in pages):
        yield NotApplicable("the site redirects to another one")
    if not pages:
        for host in evidence.hosts:
            yield Unknown(host, unseen(evidence, host) or evidence.incomplete or "no page was read")


def _mixed(page: Page, kind: Mix) -> Iterator[Outcome]:
    loose, upgraded = page.counts.get(kind, 0), page.counts.get(f"{kind} upgraded", 0)
    if not loose and not upgraded:
        if page.truncated:
            yield Unknown(_subject(page), "only the beginning of the page was read", partial=True)
        return
    shown = [each for each in page.references if each.kind == kind and each.upgraded == (not loose)][:_SHOWN]
    count = loose or upgraded
    named = listed(
        f"{each.element} {quoted(each.url)}"
        + (f" of {each.stylesheet}" if each.stylesheet else "")
        + (f" (line {each.line})" if each.line else "")
        for each in shown
    )
    more = f", and {count - len(shown)} more" if count > len(shown) else ""
    observed = f"{named}{more}" if shown else f"{count} of them"
    expected = "https:// URLs only"
    if loose:
        blocked = "; block-all-mixed-content has browsers load none of it" if page.blocks_all else ""
        yield Problem(_subject(page), observed + blocked, expected)
        return
    told = f"{observed}; upgrade-insecure-requests has browsers ask for it over HTTPS"
    yield Problem(_subject(page), told, expected, Severity.NOTICE)


def _broken(page: Page) -> Iterator[Outcome]:
    faults = [(asset, fault) for asset in page.assets if (fault := _fault(asset))]
    if faults:
        observed = listed((f"the {asset.kind} {quoted(asset.url)}: {fault}" for asset, fault in faults), _SHOWN)
        of = (
            f"{len(faults)} of the {len(page.assets)} files looked at"
            if len(page.assets) > 1
            else "the file looked at"
        )
        yield Problem(_subject(page), f"{of}: {observed}", "every file of the page loads over HTTPS")
    unseen_files = [asset for asset in page.assets if _unknown(asset)]
    if unseen_files:
        first = unseen_files[0]
        reason = f"the {first.kind} {quoted(first.url)}: {_unknown(first)}"
        more = f", and {len(unseen_files) - 1} more" if len(unseen_files) > 1 else ""
        yield Unknown(_subject(page), reason + more, partial=len(unseen_files) < len(page.assets) or bool(faults))


def _fault(asset: Asset) -> str:
    """Return why browsers do not use a file; empty where they do, or that is not known."""
    if asset.failure:
        return "" if asset.failure.is_ours else asset.failure.words
    if asset.status is not None and asset.status >= 400 and asset.status not in _PROBER_ONLY:
        return f"it answered {asset.status}"
    return asset.fault


def _unknown(asset: Asset) -> str:
    """Return why it is not known whether a file loads; empty where it is."""
    if asset.failure:
        return asset.failure.words if asset.failure.is_ours else ""
    return f"the checker was answered {asset.status}" if asset.status in _PROBER_ONLY else ""


def _subject(page: Page) -> str:
    """Return the page's URL without what changes from run to run."""
    return re.split("[?;]", page.url or page.start, maxsplit=1)[0]
