"""A declaration read with all that can be held against it before anything is contacted.

`site` knows the form. Whether the codes that a declaration names exist, and whether its certificates can be read,
takes the rules and OpenSSL; whoever takes in declarations reads them here, so that all refuse the same.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from padlock.rules import RULES
from padlock.site import InvalidSite, Site, parse, parse_all

TELLING = ("timezone", "labels", "interval", "thresholds", "reminder", "digest", "maintenance", "acknowledge")
"""Keys that say how a site's owner is told."""
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.*?(?:-----END CERTIFICATE-----|\Z)", re.DOTALL)

_OF_NO_RULE = ("site.invalid", "site.stale")
"""Findings that are made where no check could look."""


def read_declaration(declaration: str | Mapping[str, Any]) -> Site:
    """Read one declaration; InvalidSite says what is wrong with it."""
    site = parse(declaration)
    for fault in (*_unknown_codes(site), *_unreadable(site.private_ca)):
        raise InvalidSite(f"site {site.name!r}: {fault}")
    return site


def read_declarations(declarations: Sequence[Any]) -> tuple[list[Site], list[InvalidSite]]:
    """Read a list of declarations: the sites that can be used, and one error for each that cannot."""
    return parse_all(declarations, read_declaration)


def readable(declaration: Any) -> Site:
    """Return what a wrong declaration still says of how its owner is told, each key that can be read by itself.

    Its name is none that is checked.
    """
    kept: dict[str, Any] = {"name": "wrong.example"}
    for key in TELLING:
        if isinstance(declaration, Mapping) and key in declaration:
            try:
                parse(kept | {key: declaration[key]})
            except InvalidSite:
                continue
            kept[key] = declaration[key]
    return parse(kept)


def _unknown_codes(site: Site) -> Iterator[str]:
    """Yield the codes that no check has: a typo there would go unnoticed for good."""
    subjects = {code.partition(".")[0] for code in RULES}
    for entry in site.disable:
        code = entry.removesuffix(".*").removesuffix(".")
        if code not in RULES and code not in subjects:
            yield f"disable: no check has the code {entry[:80]!r}{_likely(code, [*RULES, *sorted(subjects)])}"
    for code in site.severity:
        if code not in RULES:
            yield f"severity: no check has the code {code[:80]!r}{_likely(code, list(RULES))}"
    for known in site.acknowledge:
        if known.code not in (*RULES, *_OF_NO_RULE, "*"):
            likely = _likely(known.code, [*RULES, *_OF_NO_RULE])
            yield f"acknowledge: no check has the code {known.code[:80]!r}{likely}"


def _likely(code: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(code[:80], known, 1)
    return f"; did you mean {close[0]!r}?" if close else "; docs/checks.md lists the codes"


def _unreadable(pem: str) -> Iterator[str]:
    """Yield the certificates of a private CA that OpenSSL does not take: no chain of the site could be verified."""
    if not pem:
        return
    # 50 ms that sites without a CA of their own need not pay.
    from OpenSSL import crypto  # noqa: PLC0415 — only a private CA needs it

    for number, block in enumerate(_PEM.findall(pem), 1):
        try:
            crypto.load_certificate(crypto.FILETYPE_PEM, block.encode())
        except crypto.Error:
            yield f"private_ca: certificate {number} cannot be read; paste it whole, with its BEGIN and END lines"
