"""What can be seen of the renewal of certificates from outside (checklist steps 7 and 14).

The way that a certificate authority would take to a challenge (RFC 8555 section 8.3), the time at which it wants a
certificate renewed (RFC 9773), and what certificate-transparency logs hold (RFC 9162).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from padlock.evidence.failure import Failure
from padlock.evidence.http import Exchange, Hop


def organisation(name: str) -> str:
    """Return the organisation in a distinguished name, without its legal form; empty where it has none.

    Read are RFC 4514's form and the one of OpenSSL and crt.sh, which quotes what holds a comma.
    """
    match = re.search(r'(?:^|[,+]\s*)O=("(?:[^"\\]|\\.)*"|(?:[^,+\\]|\\.)*)', name)
    text = re.sub(r"\\(.)", r"\1", match[1].strip('"')) if match else ""
    return re.sub(r",? (LLC|GmbH|Inc\.?)$", "", text)


class Challenge(msgspec.Struct, frozen=True):
    """The way from one address to where an HTTP-01 challenge would be answered, for a token that nobody has."""

    host: str
    address: str
    url: str
    """`http://<host>/.well-known/acme-challenge/<random token>`."""
    end: Literal["answer", "not_followed", "failure"]
    """`not_followed`: a redirect that certificate authorities do not follow, `detail` says why."""
    hops: tuple[Hop, ...] = ()
    """Every answer on the way, the last one included."""
    answer: Exchange | None = None
    """What came last; of its body the first 4 KB."""
    failure: Failure | None = None
    """Why there was no answer in the end."""
    detail: str = ""
    confirmed: bool = False
    """A failure, a 429, or a status of 500 and above, that was seen twice."""


class RenewalInformation(msgspec.Struct, frozen=True):
    """When the issuer wants one certificate renewed (RFC 9773 section 4.2)."""

    certificate: str
    """Its digest: a key of Tls.certificates."""
    failure: Failure | None = None
    """Why the issuer did not say; it may be asked again later."""
    offered: bool = True
    """False: the issuer's ACME directory has no renewalInfo."""
    start: datetime | None = None
    end: datetime | None = None
    """The suggested window."""
    explanation: str = ""
    """The issuer's page about why; printable, at most 300 characters."""


class Logged(msgspec.Struct, frozen=True):
    """One certificate that the logs hold."""

    serial: str
    """Upper-case hexadecimal, whole octets."""
    issuer: str
    """As the search writes it."""
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...]
    """Those of its names in which the searched name occurs."""


class Search(msgspec.Struct, frozen=True):
    """A search of certificate-transparency logs for one name."""

    name: str
    failure: Failure | None = None
    found: tuple[Logged, ...] = ()
    """Not yet expired, the newest first, precertificates counted once; at most 20."""


class Renewal(msgspec.Struct, frozen=True):
    """Everything that was seen of renewal."""

    challenges: tuple[Challenge, ...] = ()
    """One for each host and address; none where plain HTTP is closed on purpose."""
    information: Mapping[str, RenewalInformation] = {}
    """Digest of a leaf → what its issuer says, for issuers whose ACME directory is known."""
    search: Search | None = None
    """None: the operator named no search."""
