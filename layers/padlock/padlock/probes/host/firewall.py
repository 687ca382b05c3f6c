"""The host's own firewalls: ufw, nftables and iptables (checklist step 3).

A port is allowed or blocked only where every way that the rules leave open ends so for a visitor from anywhere.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from padlock.evidence.host import Filter
from padlock.probes.host import iptables, nftables, ufw
from padlock.probes.host.document import Document
from padlock.probes.host.packets import ENDLESS, LARGEST, PACKETS, Fate, Looks, Packet, followed, judged

_FAMILIES: dict[Literal[4, 6], tuple[str, str]] = {4: ("iptables", "ip"), 6: ("ip6tables", "ip6")}
_LEGACY = "# Warning: iptables-legacy tables present"

type _Tables = dict[Literal[4, 6], iptables.Tables]


def read(document: Document) -> tuple[Filter, ...] | None:
    """Return what each of them does; empty: the host has none; None: none of them could be read."""
    sections = [document.section(name) for name in ("ufw", "nftables", "iptables", "ip6tables")]
    tables = {version: saved for version in _FAMILIES if (saved := _tables(document, version))}
    looks = Looks()
    of_ufw = _ufw(document, looks)  # first, as it is the shortest: what one takes the next does not have
    ways = _ways(document, tables, looks)
    filters = [each for each in (of_ufw, _nftables(document, tables, looks), _iptables(ways, tables)) if each]
    if filters or all(section and section.ran().missing for section in sections):
        return tuple(_without_translated(filters, ways))
    return None


def _tables(document: Document, version: Literal[4, 6]) -> iptables.Tables | None:
    section = document.section(_FAMILIES[version][0])
    whole = section is not None and section.status == 0 and not section.cut
    return iptables.parse(section.output, version) if section and whole else None


def _ufw(document: Document, looks: Looks) -> Filter | None:
    section = document.section("ufw")
    if section is None or section.status != 0:
        return None
    return Filter("ufw") if section.cut or len(section.output) > LARGEST else ufw.read(section.output, looks)


def _nftables(document: Document, tables: _Tables, looks: Looks) -> Filter | None:
    section = document.section("nftables")
    if section is None or section.status != 0:
        return None
    if section.cut:
        return Filter("nftables")
    kept = {
        _FAMILIES[version][1]: saved.found.keys()
        for version, saved in tables.items()
        if _in_nftables(document, version)
    }
    ruleset = nftables.parse(section.output, kept, looks)
    if ruleset is None:
        return Filter("nftables")
    ways = {packet: followed(lambda one: nftables.fates(ruleset, one), packet) for packet in PACKETS}
    return judged("nftables", ways, active=ruleset.active)


def _in_nftables(document: Document, version: Literal[4, 6]) -> bool:
    """Return whether iptables keeps its rules in nftables, where they are listed once more."""
    section = document.section(_FAMILIES[version][0])
    return section is not None and ("(nf_tables)" in section.output or "xtables-save" in section.output)


def _ways(document: Document, tables: _Tables, looks: Looks) -> dict[Packet, list[Fate]]:
    """Return what becomes of each packet in iptables' chains."""
    unseen = [Fate({"unclear": "legacy tables"})]
    legacy = {
        name: _LEGACY in section.output for name, _ in _FAMILIES.values() if (section := document.section(name))
    }

    def fates(packet: Packet) -> list[Fate]:
        name = _FAMILIES[packet.version][0]
        return iptables.fates(tables[packet.version], packet, looks) + (unseen if legacy[name] else [])

    return {packet: followed(fates, packet) for packet in PACKETS if packet.version in tables}


def _iptables(ways: dict[Packet, list[Fate]], tables: _Tables) -> Filter | None:
    return judged("iptables", ways, active=any(saved.active for saved in tables.values())) if tables else None


def _without_translated(found: list[Filter], ways: dict[Packet, list[Fate]]) -> Iterator[Filter]:
    """Yield the filters, less what may never reach them: Docker hands a published port on before ufw's rules."""
    away = {
        str(packet)
        for packet, fates in ways.items()
        if any("translate" in fate.verdicts or fate.why == ENDLESS for fate in fates)
    }
    for each in found:
        left = {
            name: tuple(p for p in getattr(each, name) if p not in away)
            for name in ("blocked", "allowed", "restricted")
        }
        yield msgspec.structs.replace(each, **left) if each.kind != "iptables" else each
