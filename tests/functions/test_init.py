"""A function's init: in Lambda nothing of it is looked through for garbage, neither meanwhile nor afterwards."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from padlock import init

from local.aws import EmbeddedAws
from local.pump import FUNCTIONS, logical

ROOT = Path(__file__).parents[2]
SCRIPT = """
import gc, json, sys
from tests.handlers import load
collected = []
gc.callbacks.append(lambda phase, told: collected.append(told) if phase == "start" else None)
load(sys.argv[1])
found = {"enabled": gc.isenabled(), "collections": len(collected), "frozen": gc.get_freeze_count()}
print(json.dumps({**found, "young": gc.get_threshold()[0]}))
"""


def loaded(aws: EmbeddedAws, function: str, **more: str) -> dict[str, Any]:
    """Load a function in a process of its own; return how the garbage collector did and stands."""
    environment = {name: value for name, value in os.environ.items() if name != "AWS_LAMBDA_RUNTIME_API"}
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, function],
        env=environment | aws.environment(logical(function)) | more,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    answer: dict[str, Any] = json.loads(ended.stdout)
    return answer


@pytest.mark.parametrize("function", FUNCTIONS)
def test_init_collects_no_garbage_in_lambda(aws: EmbeddedAws, function: str) -> None:
    """All that the init makes is passed over from then on, and garbage is collected again once it is over."""
    found = loaded(aws, function, AWS_LAMBDA_RUNTIME_API="127.0.0.1:1")
    assert found["enabled"]
    assert found["collections"] == 0
    assert found["frozen"] > 50_000
    assert found["young"] == init.YOUNG


def test_elsewhere_the_collector_is_left_alone(aws: EmbeddedAws) -> None:
    """A process that is not Lambda's has more to do than one function."""
    found = loaded(aws, "check")
    assert found["enabled"]
    assert found["collections"] > 0
    assert found["frozen"] < 1_000
    assert found["young"] < init.YOUNG
