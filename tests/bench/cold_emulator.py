"""Cold starts in Lambda's own emulator: one new container for each, with the built function and layers mounted.

The emulator writes `INIT REPORT(durationMs: …)` once the runtime asks for its first event, and the time of each
invocation. The `Init Duration` of its REPORT line is no such time: it is always near zero.
"""

import http.client
import json
import os
import platform
import re
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from local.emulator import ARCHITECTURES, Engine
from tests.bench.cold_record import ROOT
from tests.servers import free_port

LAYERS = {"x86_64": "DependenciesX8664Layer", "arm64": "DependenciesArm64Layer"}
EMULATOR = ".venv-sam/lib/python3.*/site-packages/samcli/local/rapid/aws-lambda-rie-{}"
START_SECONDS = 20
INVOKE_SECONDS = 120
LOG_SECONDS = 5
MEMORY_MB = 512
_INIT = re.compile(r"INIT REPORT\(durationMs: ([\d.]+)\)")
_INVOKE = re.compile(r"INVOKE RTDONE\(status: (\w+), .*?duration: ([\d.]+)ms\)")


class Cold(msgspec.Struct, frozen=True):
    """One new environment, and the invocations that it had."""

    init_ms: float
    """From the start of the runtime until it asked for an event."""
    invoke_ms: Sequence[float]
    """Of each invocation; the first one is that of the cold start."""


class NotMeasured(RuntimeError):
    """The emulator or the function did not do what was asked; the text says what it did."""


def architecture() -> str:
    """Return this machine's architecture as Lambda calls it."""
    return ARCHITECTURES[platform.machine()]


def emulator() -> Path:
    """Return the emulator that the SAM CLI carries."""
    found = sorted(ROOT.glob(EMULATOR.format(architecture())))
    if not found:
        raise NotMeasured("the SAM CLI is not installed; run: make .venv-sam/.installed")
    return found[-1]


def image(engine: Engine) -> str:
    """Return the image of Lambda's Python: our own, or the one that an earlier `make local` has fetched."""
    if engine.image:
        return engine.image
    listed = _docker(engine, "image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
    fetched = [name for name in listed if "/lambda/python:3.13" in name and architecture() in name]
    if not fetched:
        raise NotMeasured("Docker has no image of Lambda's Python 3.13 yet; run: make local")
    return fetched[0]


@contextmanager
def merged(built: Path, folder: Path) -> Iterator[Path]:
    """Put both layers into one folder, as Lambda does under /opt, without a copy of any file."""
    opt = folder / "opt"
    shutil.rmtree(opt, ignore_errors=True)
    for layer in (LAYERS[architecture()], "PadlockLayer"):
        shutil.copytree(built / layer, opt, copy_function=os.link, dirs_exist_ok=True)
    try:
        yield opt
    finally:
        shutil.rmtree(opt, ignore_errors=True)


class Lambda:
    """Where functions start cold."""

    def __init__(self, engine: Engine, opt: Path) -> None:
        """Take a running engine, and the layers' folder."""
        self._engine = engine
        self._image = image(engine)
        self._mounts = {"/opt": opt, "/usr/local/bin/aws-lambda-rie": emulator()}

    def start(self, code: Path, environment: Mapping[str, str], events: Sequence[Any]) -> Cold:
        """Start a function in a new container, and hand it these events one after the other."""
        name, front, inner = f"padlock-cold-{uuid.uuid4().hex[:8]}", free_port("127.0.0.1"), free_port("127.0.0.1")
        variables = {
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY_MB),
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(INVOKE_SECONDS),
            **environment,
        }
        # The host's network: the sites and the AWS of this machine listen on loopback, and nothing else is in reach.
        _docker(
            self._engine,
            *("run", "--detach", "--name", name, "--network", "host"),
            *(f"--volume={path}:{place}:ro" for place, path in {**self._mounts, "/var/task": code}.items()),
            *(f"--env={key}={value}" for key, value in variables.items()),
            *("--entrypoint", "/usr/local/bin/aws-lambda-rie", self._image),
            *("--runtime-interface-emulator-address", f"127.0.0.1:{front}"),
            *("--runtime-api-address", f"127.0.0.1:{inner}", "/var/runtime/bootstrap", "app.handler"),
        )
        try:
            _wait_for(front)
            answers = [_invoke(front, event) for event in events]
            log = self._log(name, len(answers))
        finally:
            _docker(self._engine, "rm", "--force", name)
        return read(log, answers)

    def _log(self, name: str, invocations: int) -> str:
        """Return the emulator's log, once the last invocation stands in it: that comes after its answer."""
        end = time.monotonic() + LOG_SECONDS
        while len(_INVOKE.findall(log := _docker(self._engine, "logs", name))) < invocations:
            if time.monotonic() > end:
                break
            time.sleep(0.05)
        return log


def read(log: str, answers: Sequence[Any]) -> Cold:
    """Return what the emulator's log says of one environment; NotMeasured where an invocation failed."""
    init, done = _INIT.findall(log), _INVOKE.findall(log)
    wrong = ("errorMessage", "batchItemFailures")
    failed = [answer for answer in answers if isinstance(answer, dict) and any(answer.get(name) for name in wrong)]
    if failed or len(init) != 1 or len(done) != len(answers) or any(status != "success" for status, _ in done):
        raise NotMeasured(f"an invocation failed: {failed}\n{log}")
    return Cold(float(init[0]), [float(took) for _, took in done])


def _docker(engine: Engine, *arguments: str) -> str:
    ended = subprocess.run(
        ["docker", *arguments],
        env={**os.environ, **engine.variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    if ended.returncode:
        raise NotMeasured(f"docker {arguments[0]} failed: {ended.stdout.strip()}")
    return ended.stdout


def _wait_for(port: int) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        with suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
            connection.connect()
            connection.close()
            return
        time.sleep(0.02)
    raise NotMeasured(f"the emulator did not listen within {START_SECONDS} s")


def _invoke(port: int, event: Any) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=INVOKE_SECONDS)
    try:
        connection.request("POST", "/2015-03-31/functions/function/invocations", json.dumps(event))
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()
