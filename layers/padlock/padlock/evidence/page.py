"""What a site's pages refer to, and whether a sample of it loads over HTTPS (checklist step 16)."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from padlock.evidence.failure import Failure

type Mix = Literal["active", "passive"]
"""Mixed Content, section 3: `active` is what browsers block (it could take over the page), `passive` what they fetch
over HTTPS instead, or show with a warning."""
type AssetKind = Literal["stylesheet", "script", "image"]


class Reference(msgspec.Struct, frozen=True):
    """One thing that a page loads, or sends a form to, over plain HTTP."""

    kind: Mix
    url: str
    """Absolute, as a browser resolves it; printable, at most 300 characters."""
    element: str
    """What refers to it: `script src`, `img srcset`, `style @import`, `fetch()`."""
    line: int = 0
    """Line of the page or stylesheet, 0 where it is not known."""
    stylesheet: str = ""
    """URL of the stylesheet in which it stands; empty: the page itself."""
    upgraded: bool = False
    """upgrade-insecure-requests was in force: browsers ask for it over HTTPS."""


class Asset(msgspec.Struct, frozen=True):
    """One file of the page, on one of the site's own hosts, as asked for over HTTPS."""

    kind: AssetKind
    url: str
    """Printable, at most 300 characters."""
    failure: Failure | None = None
    status: int | None = None
    """Where its redirects end."""
    content_type: str = ""
    fault: str = ""
    """Why browsers do not use what came; empty: they do, or `failure` or `status` says it."""


class Page(msgspec.Struct, frozen=True):
    """One page of the site, at the end of its redirects."""

    start: str
    """The https URL that was asked for first."""
    purpose: Literal["front", "health"]
    url: str = ""
    """Where its redirects end; empty where they lead to no answer."""
    unread: str = ""
    """Why it could not be judged; empty: it was."""
    foreign: bool = False
    """It belongs to another site, and is not judged."""
    is_html: bool = False
    truncated: bool = False
    """Only the beginning was read."""
    blocks_all: bool = False
    """block-all-mixed-content is in force: browsers load nothing over plain HTTP."""
    counts: Mapping[str, int] = {}
    """`active`, `passive`, and the upgraded ones as `active upgraded`, `passive upgraded` → how many."""
    references: tuple[Reference, ...] = ()
    """The worst first, at most 50."""
    assets: tuple[Asset, ...] = ()
    """A sample, at most 10."""
