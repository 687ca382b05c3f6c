"""Only network/ opens sockets: by what each file imports and calls, and by what the check function really does."""

import ast
import functools
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from local.pump import Pump
from tests.loopback_site import LoopbackSite
from tests.socket_watch import watched
from tests.test_architecture import FILES, LIBRARY, ROOT, imports

HANDLERS = sorted((ROOT / "functions").rglob("*.py"))
OPENERS: Mapping[str, set[str]] = {
    "socket": {"network/connection.py", "network/dns.py"},
    "ssl": {"network/connection.py", "network/tls.py"},
    "OpenSSL.SSL": {"network/leaves.py"},
    "OpenSSL._util": {"network/leaves.py"},
    "h11": {"network/http.py"},
    "dns": {"network/dns.py", "network/dns_message.py"},
    # The classes that a cookie jar reads headers from: http.client.HTTPResponse and urllib.request.Request.
    "http.client": {"probes/cookies.py"},
    "urllib.request": {"probes/cookies.py"},
    # AWS's own endpoints, which the stack names: tables, topics, queues, commands.
    "boto3": {"storage", "schedule", "notify.py", "audit.py", "cli/stack.py"},
    "botocore": {"storage", "schedule", "channels.py", "notify.py", "audit.py", "cli", "functions/check/app.py"},
    # The collector, a script of ours that asks this machine alone.
    "subprocess": {"cli/audit_host.py"},
}
"""Module that opens connections, starts processes or loads such → who of ours may import it, files and folders."""
NEVER_IMPORTED = (
    "_socket", "_ssl", "asyncio.streams", "asyncio.base_events", "asyncio.subprocess", "asyncio.events",
    "asyncio.selector_events", "asyncio.unix_events", "asyncio.base_subprocess", "select", "selectors", "posix",
    "_posixsubprocess", "runpy",
    "socketserver", "http.server", "xmlrpc", "wsgiref", "ftplib", "smtplib", "poplib", "imaplib", "telnetlib",
    "urllib3", "httpx", "httpcore", "requests", "aiohttp", "websockets", "pycurl", "paramiko", "trio", "anyio",
    "multiprocessing", "pty", "ctypes", "cffi", "importlib.util", "imp", "logging.handlers", "xml.sax",
)  # fmt: skip
ASKING = {"resolver", "asyncresolver", "query", "asyncquery", "asyncbackend", "nameserver", "quic", "e164", "_ddr"}
"""What of dnspython opens sockets of its own; the rest reads and writes messages."""
CALLS: Mapping[str, set[str]] = {
    "open_connection": {"network/dns.py"},
    "add_reader": {"network/connection.py", "network/dns.py"},
    "add_writer": {"network/connection.py"},
    "recv": {"network/connection.py", "network/dns.py"},
    "sock_sendall": {"network/connection.py", "network/dns.py"},
    "wrap_bio": {"network/connection.py"},
}
"""Function that connects, sends, receives or speaks TLS → the files that call it."""
NEVER_CALLED = (
    "open_unix_connection", "start_server", "start_unix_server", "create_connection", "create_server",
    "create_unix_connection", "create_datagram_endpoint", "sock_connect", "connect_ex", "sock_sendto",
    "sock_sendfile", "sendto", "sendmsg", "recvfrom", "recvmsg",
    "getaddrinfo", "getnameinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getfqdn", "wrap_socket",
    "urlopen", "urlretrieve", "HTTPConnection", "HTTPSConnection", "build_opener", "create_subprocess_exec",
    "create_subprocess_shell", "os.system", "os.popen", "posix_spawn", "execv", "execve", "execvp", "spawnv",
    "fork", "forkpty", "__import__", "import_module", "eval", "exec", "*",
)  # fmt: skip
"""What would open connections, look up names, start processes or hide an import, as `import *` does."""


@functools.cache
def place(path: Path) -> str:
    """Return a file's place in the library, or in the repository where it is a handler."""
    return str(path.relative_to(LIBRARY if path.is_relative_to(LIBRARY) else ROOT))


def is_within(path: Path, places: set[str]) -> bool:
    """Whether a file is one of these places, or in one."""
    return any(place(path) == one or place(path).startswith(one + "/") for one in places)


@functools.cache
def imported(path: Path) -> frozenset[str]:
    """Return the dotted names that a file imports."""
    return frozenset(imports(path))


@functools.cache
def users(module: str) -> list[Path]:
    """Return the files that import a module, or something of it."""
    return [
        path for path in [*FILES, *HANDLERS] if any(f"{name}.".startswith(f"{module}.") for name in imports(path))
    ]


@functools.cache
def called(path: Path) -> frozenset[str]:
    """Return the names of what a file calls, mentions or imports: `b` and `a.b` of `a.b()`.

    `from a import b as c` is `b` and `a.b` as well, and so is `import a as c` with `c.b()`.
    """
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    modules = {
        alias.asname: alias.name
        for node in nodes
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.asname
    }
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
            if isinstance(node.value, ast.Name):
                found.add(f"{modules.get(node.value.id, node.value.id)}.{node.attr}")
        elif isinstance(node, ast.ImportFrom):
            found |= {name for alias in node.names for name in (alias.name, f"{node.module}.{alias.name}")}
    return frozenset(found)


@pytest.mark.parametrize("module", [*OPENERS, *NEVER_IMPORTED])
def test_who_may_import(module: str) -> None:
    """What opens connections is imported by network/, and AWS's own client by what speaks to AWS alone."""
    for path in users(module):
        assert is_within(path, OPENERS.get(module, set())), f"{place(path)} imports {module}"


@pytest.mark.parametrize("module", OPENERS)
def test_who_may_import_still_does(module: str) -> None:
    """No exception outlives its reason."""
    for one in OPENERS[module]:
        assert any(is_within(path, {one}) for path in users(module)), f"{one} no longer imports {module}"


@pytest.mark.parametrize("name", [*CALLS, *NEVER_CALLED])
def test_who_may_call(name: str) -> None:
    """Connections, lookups of the system and processes hide behind no other module either."""
    callers = {place(path) for path in [*FILES, *HANDLERS] if name in called(path)}
    assert callers == CALLS.get(name, set())


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("from asyncio import open_connection as oc; oc", "open_connection"),
        ("from asyncio import open_connection", "open_connection"),
        ("import asyncio as a; a.open_connection", "open_connection"),
        ("from asyncio import get_running_loop as g; g().create_connection", "create_connection"),
        ("from os import system as s; s", "os.system"),
        ("from os import popen", "os.popen"),
        ("import os; os.system", "os.system"),
        ("import os as o; o.system", "os.system"),
        ("def f():\n    import os as o\n    return o.popen", "os.popen"),
        ("from os import execv as path", "execv"),
        ("from importlib import import_module as load", "import_module"),
        ("from builtins import eval as read", "eval"),
        ("from os import *", "*"),
    ],
)
def test_another_name_hides_nothing(code: str, name: str, tmp_path: Path) -> None:
    """What is imported counts as called, whatever it is named here."""
    assert name in {*CALLS, *NEVER_CALLED}
    file = tmp_path / "file.py"
    file.write_text(code, encoding="utf-8")
    assert name in called(file)


def test_harmless_names_are_none_of_those(tmp_path: Path) -> None:
    """A word of ours that a module has a function of, and what is imported for its values, call nothing."""
    file = tmp_path / "file.py"
    file.write_text("from os import environ as e, path; e; host.system; system = 2 * 3", encoding="utf-8")
    assert not called(file) & {*CALLS, *NEVER_CALLED}


def test_only_classes_are_taken_from_clients() -> None:
    """Of Python's HTTP clients a cookie jar needs two classes; nothing of them connects."""
    taken = imported(LIBRARY / "probes" / "cookies.py")
    clients = {name for name in taken if name.startswith(("http.client", "urllib.request"))}
    assert clients == {"http.client.HTTPResponse", "urllib.request.Request"}


def test_of_dnspython_only_the_parser() -> None:
    """Names are resolved by our own resolver, never by dnspython's, which asks whom it likes."""
    for path in users("dns"):
        assert "dns" not in imported(path), f"{place(path)}: import dns alone hides what of it is used"
        assert not {name.split(".")[1] for name in imported(path) if name.startswith("dns.")} & ASKING, place(path)


def test_check_function_opens_no_other_socket(pump: Pump, shop: LoopbackSite) -> None:
    """A whole check, queued and on demand, connects to the site, its name server and AWS, and looks up no name."""
    address, port = shop.resolver.split(":")
    resolver = (address, int(port))
    site = {(address, number) for number in shop.declaration["ports"].values()}
    aws = (pump.aws._server.host, pump.aws._server.port)
    # A datagram socket that is connected and never written to tells whether there is a route.
    unsent = {("192.0.2.1", 443), ("2001:db8::1", 443)}
    body = json.dumps({"site": shop.declaration, "slot": "2026-11-20T17:05:00Z"})
    record = {"messageId": "m-1", "eventSource": "aws:sqs", "body": body, "attributes": {}}
    pump.aws.client("dynamodb").put_item(TableName=pump.aws.physical["SitesTable"], Item={"name": {"S": shop.name}})
    with watched() as sockets:
        assert pump.invoke("check", {"Records": [record]}) == {"batchItemFailures": []}
        assert pump.invoke("check", {"site": shop.declaration})["status"] == "notice"
    assert sockets.connected == site | {aws}
    assert resolver in sockets.named
    assert sockets.named <= {resolver} | unsent
    assert sockets.looked_up <= {aws[0]}, "getaddrinfo is told AWS's address, and no site's name"


def test_watch_hears_other_libraries() -> None:
    """What is connected to and looked up behind our back is heard, whichever library does it."""
    import socket  # noqa: PLC0415 — only to do what the product must not
    import urllib.request  # noqa: PLC0415 — as above

    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with watched() as sockets:
        with pytest.raises(OSError, match="refused"):
            urllib.request.urlopen(f"http://localhost:{port}/", timeout=5)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
            datagram.sendto(b"x", ("127.0.0.1", port))
    assert ("127.0.0.1", port) in sockets.connected
    assert sockets.named == {("127.0.0.1", port)}
    assert sockets.looked_up == {"localhost"}
