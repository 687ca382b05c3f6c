"""Write samples/healthy.json anew: what the collector says of a healthy host, dry run included (as root)."""

import datetime as dt
import tempfile
from pathlib import Path

from tests.host.machine import install, machine
from tests.host.outside import outside
from tests.lab.network import network

SAMPLE = Path(__file__).parent / "samples/healthy.json"

if __name__ == "__main__":
    with (
        tempfile.TemporaryDirectory() as directory,
        network([]) as cable,
        outside(cable, Path(directory), dt.datetime.now(dt.UTC)) as around,
        machine(cable) as web,
    ):
        install(web, around)
        SAMPLE.write_bytes(web.collect("--full", "--dry-run"))
