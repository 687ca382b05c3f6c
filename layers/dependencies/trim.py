"""Called by the Makefile: takes out of the installed packages what no function reads.

What is taken out is the same on every machine and for both architectures: this needs no tools, only a Python, and not
that of Lambda. Licences and the packages' metadata stay. Exit status: 0 it is done, 2 a package is not as it was.
"""

from __future__ import annotations

import argparse
import json
import shutil
import struct
import sys
from pathlib import Path

SERVICES = ("dynamodb", "ec2", "events", "sns", "sqs", "ssm", "sts")
"""botocore describes 400 services in 25 MB; these are the ones that the functions call."""

UNUSED = (
    "bin",
    # pip's own bookkeeping has the path of this machine's Python in it: no two machines would build the same.
    *("*.dist-info/RECORD", "*.dist-info/INSTALLER", "*.dist-info/REQUESTED"),
    # What compilers and type checkers read.
    *("**/*.h", "**/*.pyi"),
    # cryptography needs _cffi_backend alone, not the rest of cffi with its parser of C.
    *("cffi", "pycparser"),
    # Of Powertools all but the logger and metrics.
    "aws_lambda_powertools/event_handler",
    *(
        f"aws_lambda_powertools/utilities/{name}"
        for name in (
            *("auth_alpha", "batch", "circuit_breaker", "data_classes", "data_masking", "feature_flags"),
            *("idempotency", "kafka", "parameters", "parser", "streaming", "validation"),
        )
    ),
    # Of boto3 and botocore the resource API, S3's C library, what tests use, and roots that certifi has, too.
    *("boto3/crt.py", "boto3/data", "boto3/examples", "s3transfer/crt.py", "s3transfer/processpool.py"),
    *("botocore/cacert.pem", "botocore/crt/auth.py", "botocore/data/*/*/examples-1.json", "botocore/stub.py"),
    # Of dateutil calendars, and a second database of time zones; of tzdata the text that the zones are compiled from.
    *("dateutil/easter.py", "dateutil/rrule.py", "dateutil/zoneinfo", "tzdata/zoneinfo/tzdata.zi"),
    # Of dnspython all but names, types and the data of records: messages and servers are our own.
    *("dns/dnssecalgs", "dns/quic"),
    *(
        f"dns/{name}.py"
        for name in (
            *("_asyncbackend", "_asyncio_backend", "_ddr", "_trio_backend", "asyncbackend", "asyncquery"),
            *("asyncresolver", "btree", "btreezone", "dnssec", "e164", "message", "namedict", "nameserver", "node"),
            *("query", "resolver", "reversename", "transaction", "tsigkeyring", "update", "versioned"),
            *("win32util", "xfr", "zone", "zonefile"),
        )
    ),
    # Commands, tests and other platforms.
    *("crossplane/__main__.py", "idna/__main__.py", "idna/cli.py"),
    *("publicsuffixlist/test.py", "publicsuffixlist/test_psl.txt", "publicsuffixlist/update.py"),
    "urllib3/contrib/emscripten",
)
"""Patterns of files and folders, each of which has to be there."""

LOADED = 1
"""Type of a part of machine code that is mapped into memory (ELF, PT_LOAD)."""


def main() -> int:
    """Trim the folder that the command line names; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where pip has installed the packages, without bytecode")
    folder = parser.parse_args().folder
    gone = [pattern for pattern in UNUSED if not remove(folder, pattern)]
    if gone:
        sys.stderr.write(f"trim.py: no package has {', '.join(gone)} any more: take it out of UNUSED\n")
        return 2
    keep_services(folder / "botocore" / "data")
    for module in sorted(folder.rglob("*.so")):
        strip(module)
    return 0


def remove(folder: Path, pattern: str) -> bool:
    """Remove what a pattern matches; return whether that was anything."""
    found = list(folder.glob(pattern))
    for path in found:
        if path.is_dir():
            shutil.rmtree(str(path))
        else:
            path.unlink()
    return bool(found)


def keep_services(data: Path) -> None:
    """Keep the services in use, of each the newest description, which is the one that is read, and its endpoints."""
    for service in data.iterdir():
        if service.is_dir() and service.name not in SERVICES:
            shutil.rmtree(str(service))
    for name in SERVICES:
        for older in sorted((data / name).iterdir())[:-1]:
            shutil.rmtree(str(older))
    # Read in each cold start: all partitions and regions stay, with the services' exceptions from their rules.
    file = data / "endpoints.json"
    known = json.loads(file.read_text("utf-8"))
    for partition in known["partitions"]:
        partition["services"] = {name: each for name, each in partition["services"].items() if name in SERVICES}
    file.write_text(json.dumps(known, separators=(",", ":")), "utf-8")


def strip(module: Path) -> None:
    """Cut off of a module of machine code what is never loaded: symbols for debuggers, and the list of sections."""
    octets = bytearray(module.read_bytes())
    if octets[:6] != b"\x7fELF\x02\x01":
        raise SystemExit(f"trim.py: {module} is no 64-bit little-endian ELF file")
    (table,) = struct.unpack_from("<Q", octets, 32)
    size, count = struct.unpack_from("<HH", octets, 54)
    end = table + size * count
    for at in range(table, end, size):
        kind, offset, length = struct.unpack_from("<I4xQ16xQ", octets, at)
        if kind == LOADED:
            end = max(end, offset + length)
    struct.pack_into("<Q", octets, 40, 0)
    struct.pack_into("<HHH", octets, 58, 0, 0, 0)
    module.write_bytes(octets[:end])


if __name__ == "__main__":
    sys.exit(main())
