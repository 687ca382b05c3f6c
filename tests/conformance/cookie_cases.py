"""Set-Cookie headers, with the reason where Chromium and Padlock differ on purpose."""

from collections.abc import Mapping

import msgspec


class CookieCase(msgspec.Struct, frozen=True):
    """One cookie that is set over HTTPS."""

    cookie: str
    reason: str = ""
    """Why Chromium and Padlock differ; empty: they agree."""
    headers: Mapping[str, str] = {}
    """What comes with it."""


_DELETES = "it deletes a cookie, which endangers nobody"
_ELSEWHERE = "no browser takes a cookie for another site, so that it endangers nobody"
_OTHER = "it tells nobody who the visitor is"
_JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"

CASES: tuple[CookieCase, ...] = (
    CookieCase("session=1"),
    CookieCase("session=1; Secure"),
    CookieCase("session=1;SECURE"),
    CookieCase("session=1;\tsecure"),
    CookieCase("session=1\t;\tHttpOnly"),
    CookieCase("session=1; Secure=false"),
    CookieCase("session=1; Secure; Secure"),
    CookieCase("session=1; Secured"),
    CookieCase("session=1, Secure"),
    CookieCase('session="1; Secure"'),
    CookieCase("session=1; HttpOnly; SameSite=Lax"),
    CookieCase("session=1; SameSite=Strict"),
    CookieCase("session=1; SameSite=None"),
    CookieCase("session=1; SameSite=None; Secure"),
    CookieCase("session=1; samesite=NONE"),
    CookieCase("session=1; SameSite=Nonsense"),
    CookieCase("session=1; Partitioned"),
    CookieCase("session=1; Partitioned; Secure; SameSite=None; Path=/"),
    CookieCase("session=1; Max-Age=3600; Path=/"),
    CookieCase("session=1; Max-Age=0", _DELETES),
    CookieCase("session=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", _DELETES),
    CookieCase("session=1; Expires=nonsense"),
    CookieCase("session=1; Domain=example.com"),
    CookieCase("session=1; Domain=.example.com"),
    CookieCase("session=1; Domain=.example.com; Secure"),
    CookieCase("session=1; Domain=other.net", _ELSEWHERE),
    CookieCase("session=1; Domain=com", _ELSEWHERE),
    CookieCase(f"who={_JWT}; Path=/"),
    CookieCase(f"who={_JWT}; Path=/; Secure"),
    CookieCase("theme=dark", _OTHER),
    CookieCase("theme=dark; SameSite=None", _OTHER),
    CookieCase("__Secure-session=1"),
    CookieCase("__Secure-session=1; Secure"),
    CookieCase("__secure-session=1"),
    CookieCase("__Host-session=1; Secure; Path=/"),
    CookieCase("__Host-session=1; Secure"),
    CookieCase("__Host-session=1; Path=/"),
    CookieCase("__Host-session=1; Secure; Path=/; Domain=example.com"),
    CookieCase("__Host-session=1; Secure; Path=/; Domain="),
    CookieCase("__Host-session=1; Secure; Path=/deep"),
    CookieCase("__host-session=1; Secure"),
    CookieCase("__HostSession=1; Secure"),
    CookieCase("__Http-session=1; Secure"),
    CookieCase("__Http-session=1; Secure; HttpOnly"),
    CookieCase("__Host-Http-session=1; Secure; Path=/"),
    CookieCase("__Host-Http-session=1; Secure; Path=/; HttpOnly"),
    CookieCase(
        "session=1; HttpOnly",
        "while HSTS lasts nothing is asked for over plain HTTP; a visitor without it, and a lapse of it, remain",
        {"Strict-Transport-Security": "max-age=31536000"},
    ),
)
