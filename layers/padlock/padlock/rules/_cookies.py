"""Set-Cookie as browsers read it (RFC 6265 section 5.2; the prefixes of RFC 6265bis section 4.1.3).

What browsers refuse beyond that is Chromium's, as the conformance suite saw it: SameSite=None or Partitioned without
Secure, and the prefixes __Http- and __Host-Http-.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

_SESSION = re.compile(
    r"(?:.*[._-])?(?:sess(?:ion)?(?:[._-]?(?:id|key|token))?|sid|(?:php|asp|j|cgi)sess(?:ion)?id|asp\.net_sessionid"
    r"|(?:remember|auth|access|refresh|login|user|id|web)[._-]?(?:user[._-]?)?token|remember[._-]?me|jwt|\.?aspxauth)"
    r"|asp\.net_sessionid|wordpress_(?:logged_in|sec)_[0-9a-f]{8,}|aspsessionid[a-z]{8}|cftoken",
    re.IGNORECASE,
)
"""Where frameworks keep who a visitor is: session, sessionid, PHPSESSID, connect.sid, remember_token and so on."""
_JWT = re.compile(r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]+")
_PREFIXES = ("__secure-", "__host-", "__http-")
_CUT = "…"
"""Ends a header's value of which the evidence keeps only the beginning."""


class SetCookie(msgspec.Struct, frozen=True):
    """One cookie as it is set."""

    name: str
    value: str
    attributes: dict[str, str]
    """Names in lower case; the last of each counts."""
    cut: bool
    """Its end, and so maybe an attribute, is not known."""

    @property
    def secure(self) -> bool:
        """Whether it is sent over HTTPS alone."""
        return "secure" in self.attributes

    @property
    def identifies(self) -> bool:
        """Whether it tells the app who a visitor is: whoever has it, is that visitor."""
        return bool(_SESSION.fullmatch(self.name.removeprefix("__Secure-").removeprefix("__Host-"))) or bool(
            _JWT.fullmatch(self.value)
        )

    def deletes(self, now: datetime) -> bool:
        """Whether it only removes a cookie."""
        if re.fullmatch(r"-?\d{1,18}", age := self.attributes.get("max-age", "")):
            return int(age) <= 0
        expires = _date(self.attributes.get("expires", ""))
        return not self.value or (expires is not None and expires <= now)

    def is_for(self, host: str) -> bool:
        """Whether its Domain, if it has one, covers the host that sets it; no browser takes another."""
        domain = self.attributes.get("domain", "").lower().removeprefix(".")
        return domain in ("", host) or (host.endswith(f".{domain}") and "." in domain)

    def refused(self) -> str:
        """Return why browsers do not take it, of cookies that matter; empty where they do."""
        name = self.name.lower()
        if not name.startswith(_PREFIXES) and not self.identifies:
            return ""
        if name.startswith(_PREFIXES) and not self.secure:
            return "Secure is missing"
        if name.startswith(("__http-", "__host-http-")) and "httponly" not in self.attributes:
            return "HttpOnly is missing"
        if name.startswith("__host-") and self.attributes.get("path") != "/":
            return "Path=/ is missing"
        if name.startswith("__host-") and self.attributes.get("domain"):
            return "it has a Domain"
        if self.attributes.get("samesite", "").lower() == "none" and not self.secure:
            return "SameSite=None without Secure"
        return "Partitioned without Secure" if "partitioned" in self.attributes and not self.secure else ""


def set_cookie(header: str) -> SetCookie:
    """Read one Set-Cookie header."""
    pair, *rest = header.split(";")
    name, equals, value = pair.partition("=")
    attributes = {key.strip().lower(): text.strip() for key, _, text in (part.partition("=") for part in rest)}
    # A pair without an equals sign is a value without a name.
    return SetCookie(
        name.strip() if equals else "",
        (value if equals else name).strip().strip('"'),
        attributes,
        header.endswith(_CUT),
    )


def _date(text: str) -> datetime | None:
    try:
        when = parsedate_to_datetime(text.replace("-", " "))
    except (ValueError, OverflowError):
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)
