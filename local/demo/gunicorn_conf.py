"""Gunicorn's settings for the demo: a certificate per server name, read anew when its file changes."""

import os
import signal
import ssl
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["DEMO_FOLDER"])
PARENT = int(os.environ["DEMO_PARENT"])

wsgi_app = "local.demo.app:app"
bind = os.environ["DEMO_BIND"]
workers = 1
threads = 16
graceful_timeout = 1
keepalive = 5
loglevel = "error"
control_socket_disable = True
if os.environ["DEMO_SCHEME"] == "https":
    certfile = str(FOLDER / "default.pem")
    keyfile = certfile


def ssl_context(_config: Any, default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """Choose the certificate by server name, as nginx does with server blocks."""
    context = default()
    context.sni_callback = _choose
    return context


def on_starting(_server: Any) -> None:
    """End with the process that started the demo, however that ended."""
    threading.Thread(target=_watch_parent, daemon=True).start()


def _choose(connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
    file = FOLDER / f"{(name or 'default').removeprefix('www.')}.pem"
    if file.exists():
        connection.context = _loaded(file, file.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _loaded(file: Path, _changed: int) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def _watch_parent() -> None:
    while os.getppid() == PARENT:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
