"""Which authorities may issue certificates for a name (CAA, RFC 8659)."""

import msgspec


class CaaRecord(msgspec.Struct, frozen=True):
    """One CAA record."""

    tag: str
    """The property in lower case: issue, issuewild, iodef..."""
    value: str
    critical: bool = False
    """Bit 128 of the flags: who does not know the property must not issue."""


class CaaSet(msgspec.Struct, frozen=True):
    """The CAA records at one name, through its CNAMEs."""

    name: str
    records: tuple[CaaRecord, ...] = ()
    alias: str = ""
    """The end of the CNAME chain that the records stand at; empty: the name itself."""
    failure: str = ""
    """Why it is not known what stands there; empty: it is."""
