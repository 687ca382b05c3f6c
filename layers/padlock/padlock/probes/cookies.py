"""Cookies between the hops of one redirect chain (RFC 6265), by the standard library's jar."""

import re
import warnings
from collections.abc import Iterable
from email.message import Message
from http.client import HTTPResponse
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import cast
from urllib.request import Request

from padlock.probes.urls import Url

_LONGEST = 4096
_MOST = 50
"""Octets of a cookie, and cookies, that browsers take at least (RFC 6265 section 6.1)."""


class _Answer:
    """As much of an HTTP response as the jar reads."""

    def __init__(self, cookies: Iterable[str]) -> None:
        self._headers = Message()
        for cookie in cookies:
            self._headers["Set-Cookie"] = cookie

    def info(self) -> Message:
        """Return the headers."""
        return self._headers


def new_jar() -> CookieJar:
    """Return an empty jar, whose cookies go back to exactly the host that set them unless they name a domain."""
    return CookieJar(DefaultCookiePolicy(strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain))


def keep(jar: CookieJar, url: Url, cookies: Iterable[str]) -> None:
    """Keep the Set-Cookie headers of an answer; those that no browser would keep are left out."""
    usable = [cookie for cookie in cookies if len(cookie) <= _LONGEST and re.fullmatch(r"[\t -~]+", cookie)]
    answer = _Answer(usable[:_MOST])
    with warnings.catch_warnings():
        # The jar leaves out a cookie whose Max-Age no number can hold, and says so on standard error.
        warnings.filterwarnings("ignore", "http.cookiejar bug!")
        jar.extract_cookies(cast("HTTPResponse", answer), _request(url))


def header(jar: CookieJar, url: Url) -> str:
    """Return the Cookie header for a URL; empty if there is none to send."""
    request = _request(url)
    jar.add_cookie_header(request)
    return request.get_header("Cookie") or ""


def _request(url: Url) -> Request:
    return Request(str(url))  # noqa: S310 — nothing is opened: the jar reads host, path and scheme from it
