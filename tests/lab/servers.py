"""The processes of a lab's servers: started in a namespace, waited for, and ended."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_SECONDS = 20.0


@contextlib.contextmanager
def serving(
    within: list[str],
    directory: Path,
    commands: Mapping[str, list[str]],
    ready: Callable[[], bool],
    **environment: str,
) -> Iterator[None]:
    """Run servers, name → command, behind the words that enter their namespace, until the block ends.

    Their logs are in the directory. RuntimeError with these: they are not ready in time.
    """
    with contextlib.ExitStack() as stack:
        started = {
            name: stack.enter_context(server(within, directory / f"{name}.log", words, **environment))
            for name, words in commands.items()
        }
        _wait(started, directory, ready)
        yield


@contextlib.contextmanager
def server(within: list[str], log: Path, command: list[str], **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run one server; it also ends with this process, however that ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*within, "setpriv", "--pdeathsig", "TERM", *command],
            cwd=ROOT,
            env={**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            # Ctrl-C in a terminal reaches the foreground group; the servers end when the lab ends them.
            start_new_session=True,
        )
        try:
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a session, and all of that session if it will not."""
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(5)


def _wait(servers: Mapping[str, subprocess.Popen[bytes]], directory: Path, ready: Callable[[], bool]) -> None:
    """Return once it is ready; RuntimeError with the servers' logs if one has ended or it takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        ended = [name for name, process in servers.items() if process.poll() is not None]
        if ended or time.monotonic() > deadline:
            raise RuntimeError(f"the servers did not start; ended: {ended}\n{_logs(directory)}")
        time.sleep(0.1)


def _logs(directory: Path) -> str:
    texts = ((log.name, log.read_text(errors="replace")) for log in sorted(directory.glob("*.log")))
    return "\n".join(f"{name}: {text[-2000:]}" for name, text in texts if text)


def answers(endpoint: tuple[str, int]) -> bool:
    """Whether something listens there, on TCP."""
    try:
        socket.create_connection(endpoint, timeout=1).close()
    except OSError:
        return False
    return True
