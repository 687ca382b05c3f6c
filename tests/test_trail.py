"""What a request met on its way, in a few words: from evidence, for the drawn way."""

import json
from pathlib import Path

import msgspec
import pytest
from padlock.evidence import Evidence, Failure
from padlock.render.page.route import STAGES
from padlock.trail import of

from tests import evidence_builder as build
from tests.evidence_builder import NOW, healthy
from tests.hostile_text import HOSTILE, filled

CAPTURED = sorted((Path(__file__).parent / "evidence").glob("*.json"))


def captured(name: str) -> Evidence:
    """Return evidence as the lab showed it."""
    document = json.loads((Path(__file__).parent / "evidence" / f"{name}.json").read_text(encoding="utf-8"))
    return msgspec.convert(document["evidence"], Evidence)


def test_healthy_site() -> None:
    """Each stage says what was met; what all hosts and addresses have in common is said once."""
    assert of(healthy()) == {
        "DNS": ("1 address",),
        "Address": ("93.184.215.14",),
        "Port": ("port 443: opens", "port 80: opens"),
        "TLS": ("TLS 1.3 and h2",),
        "Redirects": (
            "example.com: HTTP gives 301 → 200 at https://example.com/",
            "www.example.com: HTTP gives 301 → 301 → 200 at https://example.com/",
        ),
        "App": ('example.com: 200, "Shop"', "www.example.com: 301"),
    }


def test_closed_port_is_said_once() -> None:
    """Behind a firewall the later stages do not repeat what the port says."""
    met = of(captured("firewall.test"))
    assert met["Port"][0].startswith("port 443: no answer to the connection")
    assert met["Port"][1] == "port 80: opens"
    assert "TLS" not in met
    assert "App" not in met


def test_where_addresses_differ() -> None:
    """What one address alone does is said with that address."""
    evidence = build.with_address(healthy())
    assert evidence.ports is not None
    first, *others = evidence.ports
    refusing = msgspec.structs.replace(first, failure=Failure("refused"))
    lines = of(msgspec.structs.replace(evidence, ports=(refusing, *others)))["Port"]
    assert any(first.address in line and "refused" in line for line in lines)


def test_loop() -> None:
    """A loop is named as one."""
    assert all(line.endswith(", loop") for line in of(captured("loop-hosts.test"))["Redirects"])


def test_many_addresses_are_counted() -> None:
    """A host with fifty addresses takes a few lines."""
    addresses = [f"93.184.215.{n}" for n in range(50)]
    evidence = build.with_host(healthy(), "example.com", a=build.lookup("example.com", "A", *addresses))
    lines = of(evidence)["Address"]
    assert len(lines) == 5
    assert lines[-1] == "and 46 more"


def test_nothing_gathered() -> None:
    """A run that gathered nothing has no trail."""
    assert of(Evidence(healthy().site, NOW)) == {}


@pytest.mark.parametrize("file", CAPTURED, ids=lambda file: file.stem)
def test_every_stage_is_one_of_the_drawn_ones(file: Path) -> None:
    """What is met at a stage has its place on the drawn way."""
    assert set(of(captured(file.stem))) <= {stage.name for stage in STAGES}


def test_hostile_evidence() -> None:
    """Evidence in which every text means harm makes a trail of bounded length."""
    met = of(filled(Evidence, HOSTILE))
    assert set(met) <= {stage.name for stage in STAGES}
    assert all(len(lines) <= 10 for lines in met.values())
