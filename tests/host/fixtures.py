"""The host as fixtures: the world around it is started once, each test gets a healthy host of its own."""

import datetime as dt
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.host.host import Host
from tests.host.machine import Machine, install, kept_letsencrypt, machine
from tests.host.outside import Outside, outside
from tests.lab import lab
from tests.lab.network import network

TOOLS = ("certbot", "pebble", "ufw", "nft", "iptables-save", "busybox", "tar")


class World(msgspec.Struct, frozen=True):
    """What all hosts of a test run share."""

    outside: Outside
    letsencrypt: bytes
    """What certbot keeps of the site's certificate, as a tar file: getting it anew takes seconds."""


def missing() -> str:
    """Return what this machine lacks for a whole host; empty: nothing."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    absent = [tool for tool in TOOLS if not shutil.which(tool, path=path)]
    return lab.missing() or (f"the host needs {', '.join(absent)}: run `make lab-tools`" if absent else "")


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """Start DNS and the certificate authority, and get the site's certificate."""
    if lack := missing():
        pytest.skip(lack)
    now = dt.datetime.now(dt.UTC)
    with (
        tempfile.TemporaryDirectory(prefix="padlock-host-") as directory,
        network([]) as cable,
        outside(cable, Path(directory), now) as around,
    ):
        with machine(cable) as first:
            install(first, around)
            kept = kept_letsencrypt(first)
        yield World(around, kept)


@pytest.fixture
def web(world: World) -> Iterator[Machine]:
    """Start a healthy host."""
    with machine(world.outside.network) as made:
        install(made, world.outside, world.letsencrypt)
        yield made


@pytest.fixture
def host(web: Machine, world: World) -> Host:
    """Start a healthy host, which can be checked from outside."""
    return Host(web, world.outside)
