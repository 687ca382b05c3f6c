"""Which registry a name's registration is asked for at (RFC 9224, the public suffix list).

IANA's list of RDAP services is kept beside this file as published on 2026-07-23. To refresh it:

    curl -fsSLo layers/padlock/padlock/probes/iana-rdap-dns.json https://data.iana.org/rdap/dns.json
"""

import functools
import importlib.resources
from collections.abc import Mapping

import msgspec
from publicsuffixlist import PublicSuffixList

SPECIAL = ("test", "example", "invalid", "localhost", "local", "internal", "onion", "alt", "arpa")
"""Top-level names that nobody registers under (RFC 6761, RFC 6762, RFC 7686, RFC 9476; ICANN's `internal`)."""
DOCUMENTATION = ("example.com", "example.net", "example.org")
"""Names of documents (RFC 2606 section 3)."""


class _Bootstrap(msgspec.Struct):
    services: list[tuple[list[str], list[str]]]


def is_special(host: str) -> bool:
    """Whether a name is set aside, so that nobody holds it."""
    return host.rpartition(".")[2] in SPECIAL or any(f".{host}".endswith(f".{name}") for name in DOCUMENTATION)


def registrable(host: str) -> str:
    """Return the domain that somebody registered at a registry, empty for a registry's own name."""
    return _suffixes(icann=True).privatesuffix(host) or ""


def provider(host: str) -> str:
    """Return the suffix under which a provider gives names away (`github.io`), empty where none does."""
    suffix = _suffixes(icann=False).publicsuffix(host) or ""
    return suffix if suffix and suffix != _suffixes(icann=True).publicsuffix(host) else ""


def service(domain: str) -> str:
    """Return the base URL of the RDAP service for a domain, the longest match; empty: its registry has none."""
    labels = domain.split(".")
    for start in range(1, len(labels)):
        found = _services().get(".".join(labels[start:]))
        if found:
            return found
    return ""


@functools.cache
def _suffixes(*, icann: bool) -> PublicSuffixList:
    return PublicSuffixList(only_icann=icann)


@functools.cache
def _services() -> Mapping[str, str]:
    data = (importlib.resources.files(__package__) / "iana-rdap-dns.json").read_bytes()
    listed = msgspec.json.decode(data, type=_Bootstrap).services
    secure = [(names, [url for url in urls if url.startswith("https://")]) for names, urls in listed]
    return {name.lower(): urls[0] for names, urls in secure if urls for name in names}
