"""How large the built layers are, unpacked and zipped, by package and by kind; whether their bytecode holds."""

import importlib.util
import io
import re
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec

KINDS = {".pyc": "bytecode", ".py": "source", ".so": "machine code", ".gz": "data", ".json": "data"}
UNCHECKED = 1
"""Flags of a .pyc file that is never compared with its source."""
_DIST_INFO = re.compile(r"(.+?)-[^-]+\.dist-info$")


class Layer(msgspec.Struct, frozen=True):
    """One built layer."""

    unpacked_octets: int
    zipped_octets: int
    files: int
    packages_octets: Mapping[str, int]
    """Top-level package → octets unpacked, metadata apart; the largest first."""
    kinds_octets: Mapping[str, int]
    bytecode_files: int
    bytecode_missing: int
    """Modules without bytecode, which are compiled at each cold start."""
    bytecode_unusable: int
    """Bytecode of another Python, or bytecode that is checked against its source's time, which Lambda changes."""


def look(folder: Path) -> Layer:
    """Look at a built layer."""
    root = folder / "python"
    files = sorted(path for path in root.rglob("*") if path.is_file())
    packages: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for path in files:
        size = path.stat().st_size
        packages[_package(path.relative_to(root))] += size
        kinds[_kind(path)] += size
    compiled = [path for path in files if path.suffix == ".pyc"]
    return Layer(
        sum(packages.values()),
        _zipped(folder, files),
        len(files),
        dict(packages.most_common()),
        dict(kinds.most_common()),
        len(compiled),
        sum(not _compiled(path).exists() for path in files if path.suffix == ".py"),
        sum(not _is_usable(path) for path in compiled),
    )


def _package(path: Path) -> str:
    top = path.parts[0]
    return "metadata (*.dist-info)" if _DIST_INFO.match(top) else top


def _kind(path: Path) -> str:
    if ".so" in path.suffixes:
        return "machine code"
    if ".dist-info" in path.parts[0]:
        return "metadata"
    return KINDS.get(path.suffix, "other")


def _compiled(source: Path) -> Path:
    """Return where the bytecode of a module is looked for: beside it, under this interpreter's name."""
    return Path(importlib.util.cache_from_source(str(source), optimization=""))


def _is_usable(path: Path) -> bool:
    with path.open("rb") as file:
        header = file.read(8)
    return header[:4] == importlib.util.MAGIC_NUMBER and int.from_bytes(header[4:], "little") == UNCHECKED


def _zipped(folder: Path, files: list[Path]) -> int:
    """Return the octets of the archive that a deployment uploads."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path in files:
            zipped.write(path, path.relative_to(folder))
    return len(archive.getvalue())
