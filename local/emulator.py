"""The built functions in Lambda's own emulator, `sam local invoke`, against an AWS on this machine.

    python -m local.emulator

invokes each function with the events of events/ and prints every answer. It needs the result of `make build` and a
container engine; local/local-lambda says which. RESOLVERS and ALLOWED_NETWORKS, if they are set, reach the functions
as the stack's parameters of these names would.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from local.aws import CREDENTIALS, EmbeddedAws

ROOT = Path(__file__).resolve().parent.parent
SAM = ROOT / ".venv-sam/bin/sam"
BUILT = ROOT / ".aws-sam/build/template.yaml"
ARCHITECTURES = {"x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
"""Machine → value of the template's Architecture: an engine runs its own machine's code."""

START_SECONDS = 600
"""The first start of a private engine installs Debian packages and makes an image."""
INVOKE_SECONDS = 180
ANSWERS = ROOT / ".cache/local"
"""Where every answer stands whole."""
SHOWN_LINES = 30
"""Lines of an answer that are printed."""
SHOWN_CHARACTERS = 200
"""Of each line."""

EVENTS = (
    ("DispatchFunction", "schedule.json"),
    ("CheckFunction", "console-check.json"),
    ("CheckFunction", "console-check-list.json"),
    ("CheckFunction", "console-check-intent.json"),
    ("NotifyFunction", "stream.json"),
    ("CheckFunction", "queue.json"),
    ("DispatchFunction", "removal.json"),
    ("CheckFunction", "queue-removed.json"),
    ("DispatchFunction", "digest.json"),
    ("NotifyFunction", "sweep.json"),
    ("AuditHostFunction", "audit-all.json"),
    ("AuditHostFunction", "audit-site.json"),
    ("AuditHostFunction", "audit-ended.json"),
    ("DashboardFunction", "dashboard-describe.json"),
    ("DashboardFunction", "dashboard.json"),
    ("DashboardFunction", "dashboard-show.json"),
    ("DashboardFunction", "dashboard-check.json"),
    ("DashboardFunction", "dashboard-acknowledge.json"),
)


class NoEngine(RuntimeError):
    """There is no container engine; the message says what is missing."""


class Engine(msgspec.Struct, frozen=True):
    """A container engine, and how a container reaches this machine."""

    bind: str
    """The address on which a server of this machine has to listen."""
    host: str
    """The name or address by which the container calls it."""
    variables: Mapping[str, str]
    """Environment variables under which SAM finds the engine."""
    image: str
    """The image in place of Lambda's own, made on this machine; empty: SAM gets Lambda's."""
    started: bool
    """Whether it was started for us, and is to be stopped by us."""


class Invocation(msgspec.Struct, frozen=True):
    """What came of one `sam local invoke`."""

    answer: Any
    """What the handler returned; an error is a mapping with errorMessage, as from Lambda."""
    log: str

    @property
    def failed(self) -> bool:
        """Whether the handler raised an error, or the batch has failures."""
        answer = self.answer
        return isinstance(answer, dict) and bool(answer.get("errorMessage") or answer.get("batchItemFailures"))


@contextmanager
def container_engine() -> Iterator[Engine]:
    """Yield the engine of this machine, started and stopped if it does not run; NoEngine says why there is none."""
    engine = _read_engine(_local_lambda("up"))
    try:
        yield engine
    finally:
        if engine.started:
            _local_lambda("down")


def _read_engine(exports: str) -> Engine:
    words = [word for line in exports.splitlines() for word in line.removeprefix("export ").split()]
    values = dict(word.split("=", 1) for word in words)
    return Engine(
        bind=values["LAMBDA_BIND"],
        host=values["LAMBDA_HOST"],
        variables={name: value for name, value in values.items() if name == "DOCKER_HOST"},
        image=values.get("LAMBDA_IMAGE", ""),
        started="LAMBDA_STARTED" in values,
    )


def _local_lambda(command: str) -> str:
    ended = subprocess.run(  # noqa: S603 — our own script
        [ROOT / "local/local-lambda", command], capture_output=True, text=True, timeout=START_SECONDS, check=False
    )
    if ended.returncode:
        raise NoEngine((ended.stderr.strip().splitlines() or ["local-lambda failed"])[-1])
    return ended.stdout


def invoke(
    engine: Engine, function: str, event: Any, environment: Mapping[str, str], template: Path = BUILT
) -> Invocation:
    """Run one function of a built template; `environment` replaces values of variables that the template declares."""
    with tempfile.TemporaryDirectory() as folder:
        variables, input_ = Path(folder, "variables.json"), Path(folder, "event.json")
        variables.write_text(json.dumps({function: dict(environment)}))
        input_.write_text(json.dumps(event))
        ended = subprocess.run(  # noqa: S603 — no shell; the arguments are ours
            [
                *(SAM, "local", "invoke", function, "--template", template),
                *("--event", input_, "--env-vars", variables),
                *("--parameter-overrides", f"Architecture={ARCHITECTURES[platform.machine()]}"),
                *(["--invoke-image", engine.image, "--skip-pull-image"] if engine.image else []),
            ],
            cwd=ROOT,
            env={**os.environ, **engine.variables, **CREDENTIALS, "SAM_CLI_TELEMETRY": "0"},
            capture_output=True,
            text=True,
            timeout=INVOKE_SECONDS,
            check=False,
        )
    last = ended.stdout.strip().splitlines()[-1:] or [""]
    try:
        return Invocation(json.loads(last[0]), ended.stderr)
    except json.JSONDecodeError as error:
        raise RuntimeError(f"sam local invoke {function} gave no answer:\n{ended.stdout}{ended.stderr}") from error


def environment(aws: EmbeddedAws, function: str, engine: Engine) -> dict[str, str]:
    """Return a function's variables with the embedded AWS where the container finds it."""
    there = f"//{engine.host}:{urlsplit(aws.endpoint).port}"
    here = aws.endpoint.removeprefix("http:")
    return {name: value.replace(here, there) for name, value in aws.environment(function).items()}


def main() -> int:
    """Invoke every function with every event of events/ and print the answers."""
    if not BUILT.exists():
        sys.stderr.write("nothing is built yet; run: make build\n")
        return 2
    try:
        with container_engine() as engine:
            return _invoke_all(engine)
    except NoEngine as error:
        sys.stderr.write(f"sam local invoke cannot run here: {error}\n")
        return 2


def _invoke_all(engine: Engine) -> int:
    say = sys.stdout.write
    network = {name: os.environ[name] for name in ("RESOLVERS", "ALLOWED_NETWORKS") if name in os.environ}
    failed = 0
    with EmbeddedAws(host=engine.bind, Sites="example.com, example.org") as aws:
        say(f"An AWS of this machine's own serves at {aws.endpoint}. Each invocation takes about ten seconds.\n")
        for function, name in EVENTS:
            event = ready(aws, name, json.loads((ROOT / "events" / name).read_text()))
            invocation = invoke(engine, function, event, environment(aws, function, engine) | network)
            failed += invocation.failed
            answer = _kept(name, invocation)
            say(f"\n{function} with events/{name} answers\n{_shown(invocation, answer)}\n")
        for mail in aws.mails():
            say(f"\nThe topic was sent this mail:\n\nSubject: {mail.subject}\n\n{mail.text}\n")
    return 1 if failed else 0


def ready(aws: EmbeddedAws, name: str, event: Any) -> Any:
    """Return one of the events after making true what it tells of."""
    dynamodb = aws.client("dynamodb")
    match name:
        case "stream.json":  # the stream only says where to look
            for record in event["Records"]:
                dynamodb.put_item(TableName=aws.physical["ResultsTable"], Item=record["dynamodb"]["NewImage"])
        case "audit-site.json":
            site = {"name": {"S": event["site"]}, "instances": {"L": [{"S": "i-0123456789abcdef0"}]}}
            dynamodb.put_item(TableName=aws.physical["SitesTable"], Item=site)
        case "audit-ended.json":
            (command,) = aws.client("ssm").list_commands(InstanceId=event["detail"]["instance-id"])["Commands"][-1:]
            event["detail"] |= {"command-id": command["CommandId"], "document-name": command["DocumentName"]}
    return event


def _kept(event: str, invocation: Invocation) -> Path:
    """Write an answer whole into a file, and return its path."""
    ANSWERS.mkdir(parents=True, exist_ok=True)
    file = (ANSWERS / event).with_suffix(".html" if isinstance(invocation.answer, str) else ".json")
    file.write_text(_text(invocation.answer) + "\n")
    return file


def _text(answer: Any) -> str:
    """Return an answer as people read it: HTML as it is, all else as JSON."""
    return answer if isinstance(answer, str) else json.dumps(answer, indent=2, ensure_ascii=False)


def _shown(invocation: Invocation, kept: Path) -> str:
    lines = [line[:SHOWN_CHARACTERS] for line in _text(invocation.answer).splitlines()]
    more = f"... and {len(lines) - SHOWN_LINES} lines more in {kept.relative_to(ROOT)}"
    rest = [more] if len(lines) > SHOWN_LINES else []
    return "\n".join([*lines[:SHOWN_LINES], *rest, *([invocation.log] if invocation.failed else [])])


if __name__ == "__main__":
    sys.exit(main())
