"""The share of a processor that Lambda gives to a memory size, by a control group of the kernel's (needs root)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
PERIOD_US = 20_000
"""For which a share is dealt out anew."""
WHOLE_MB = 1769
"""Memory with which a function has one whole processor (AWS Lambda developer guide, "Configure function memory")."""


def share_of(memory_mb: int) -> float:
    """Return the part of one processor that a function of this memory gets."""
    return memory_mb / WHOLE_MB


@contextmanager
def limited(process: int, share: float) -> Iterator[bool]:
    """Hold a process to a share of one processor; yields False, and does nothing, where that is not possible here."""
    group = _made(f"padlock-bench-{os.getpid()}", share)
    if group is None:
        yield False
        return
    above = group.parent / "cgroup.procs"
    try:
        (group / "cgroup.procs").write_text(str(process))
        yield True
    finally:
        for left in (group / "cgroup.procs").read_text().split():
            above.write_text(left)
        group.rmdir()


def _made(name: str, share: float) -> Path | None:
    """Return a new control group, of the kernel's first or second kind."""
    old = (GROUPS / "cpu").is_dir()
    group = (GROUPS / "cpu" if old else GROUPS) / name
    quota = round(share * PERIOD_US)
    try:
        group.mkdir()
        if old:
            (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{quota} {PERIOD_US}")
    except OSError:
        if group.is_dir():
            group.rmdir()
        return None
    return group
