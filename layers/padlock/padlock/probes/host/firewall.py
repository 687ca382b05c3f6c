"""The host's own firewalls: ufw, nftables and iptables (checklist step 3).

A port is allowed or blocked only where every way that the rules leave open ends so for a visitor from anywhere.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from padlock.evidence.host import Filter
from padlock.probes.host import iptables, nftables, ufw
from padlock.probes.host.document import Document, Section
from padlock.probes.host.packets import PACKETS, Fate, Packet, judged

_FAMILIES: dict[Literal[4, 6], tuple[str, str]] = {4: ("iptables", "ip"), 6: ("ip6tables", "ip6")}
_LEGACY = "# Warning: iptables-legacy tables present"


def read(document: Document) -> tuple[Filter, ...] | None:
    """Return what each of them does; empty: the host has none; None: none of them could be read."""
    sections = [document.section(name) for name in ("ufw", "nftables", "iptables", "ip6tables")]
    tables = {version: saved for version in _FAMILIES if (saved := _tables(document, version))}
    filters = [each for each in (_ufw(document), _nftables(document, tables), _iptables(document, tables)) if each]
    if filters or all(section and section.ran().missing for section in sections):
        return tuple(_without_translated(filters, tables))
    return None


def _whole(section: Section | None) -> bool:
    return section is not None and section.status == 0 and not section.cut


def _tables(document: Document, version: Literal[4, 6]) -> iptables.Tables | None:
    section = document.section(_FAMILIES[version][0])
    return iptables.parse(section.output, version) if section and _whole(section) else None


def _ufw(document: Document) -> Filter | None:
    section = document.section("ufw")
    if section is None or section.status != 0:
        return None
    return Filter("ufw") if section.cut else ufw.read(section.output)


def _nftables(document: Document, tables: dict[Literal[4, 6], iptables.Tables]) -> Filter | None:
    section = document.section("nftables")
    if section is None or section.status != 0:
        return None
    if section.cut:
        return Filter("nftables")
    kept = {
        _FAMILIES[version][1]: tuple(saved.found)
        for version, saved in tables.items()
        if _in_nftables(document, version)
    }
    ruleset = nftables.parse(section.output, kept)
    if ruleset is None:
        return Filter("nftables")
    return judged("nftables", {packet: nftables.fates(ruleset, packet) for packet in PACKETS}, active=ruleset.active)


def _in_nftables(document: Document, version: Literal[4, 6]) -> bool:
    """Return whether iptables keeps its rules in nftables, where they are listed once more."""
    section = document.section(_FAMILIES[version][0])
    return section is not None and ("(nf_tables)" in section.output or "xtables-save" in section.output)


def _iptables(document: Document, tables: dict[Literal[4, 6], iptables.Tables]) -> Filter | None:
    if not tables:
        return None
    unseen = [Fate({"unclear": "legacy tables"})]
    legacy = {
        name: _LEGACY in section.output for name, _ in _FAMILIES.values() if (section := document.section(name))
    }

    def fates(packet: Packet) -> list[Fate]:
        name = _FAMILIES[packet.version][0]
        return iptables.fates(tables[packet.version], packet) + (unseen if legacy[name] else [])

    known = {packet: fates(packet) for packet in PACKETS if packet.version in tables}
    return judged("iptables", known, active=any(saved.active for saved in tables.values()))


def _without_translated(found: list[Filter], tables: dict[Literal[4, 6], iptables.Tables]) -> Iterator[Filter]:
    """Yield the filters, less what never reaches them: Docker hands a published port on before ufw's rules."""
    away = {
        str(packet)
        for packet in PACKETS
        if packet.version in tables
        for fate in iptables.fates(tables[packet.version], packet)
        if "translate" in fate.verdicts
    }
    for each in found:
        left = {
            name: tuple(p for p in getattr(each, name) if p not in away)
            for name in ("blocked", "allowed", "restricted")
        }
        yield msgspec.structs.replace(each, **left) if each.kind != "iptables" else each
