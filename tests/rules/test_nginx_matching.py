"""Which virtual server answers a host: our reading of a configuration against the real nginx's answers."""

import random
from pathlib import Path

from padlock.rules._nginx import Http, Socket, read
from padlock.rules._nginx_names import Matcher

from tests.host_builder import configuration
from tests.real_nginx import RealNginx, needed, running

HOSTS = (
    "example.com", "www.example.com", "a.b.example.com", "api.example.com", "example.org", "www.example.org",
    "www.example.co.uk", "xexample.com", "example.com.evil.net", "com", "shop.example.com", "a.shop.example.com",
    "mail.example.net", "www.example", "other.test", "a-1.example.com",
)  # fmt: skip
NAMES = (
    "example.com", "www.example.com", "EXAMPLE.com", "api.example.com", "example.org", "*.example.com",
    ".example.com", "*.com", ".com", "*.b.example.com", "*.shop.example.com", ".shop.example.com", "www.example.*",
    "example.*", "www.*", "a.b.*", "_", "localhost", r"~^www\.", r"~^(?<sub>[a-z]+)\.example\.com$", r"~example",
    '""', r"~^(www|api)\.(?<rest>.+)$", r"~\.NET$", r'"~^a-[0-9]{1}\."', "mail.example.net", "xn--bcher-kva.example",
)  # fmt: skip


def socket(http: Http, address: str, port: int) -> Socket:
    """Return one socket of a configuration."""
    return next(each for each in http.sockets if (each.address, each.port) == (address, port))


def server(index: int, names: str, listen: str) -> str:
    """Return a virtual server that answers with its number."""
    return f"server {{ {listen} server_name {names}; return 200 {index}; }}\n"


def ours(http: Http, place: str, port: int, host: str) -> str:
    """Return the number of the virtual server that answers a host, as we read the configuration."""
    match = Matcher(socket(http, place, port)).match(host)
    assert match, "our reading is unsure"
    return next(match.server.directive.all("return")).args[1]


def agree(nginx: RealNginx, places: dict[str, str]) -> int:
    """Compare every host's answer at each address with our reading of its socket; return how many there were."""
    http = read(nginx.configuration())
    for address, place in places.items():
        for host in HOSTS:
            answered = nginx.ask(host, address=address).body
            assert ours(http, place, nginx.port, host) == answered, (address, host)
    return len(places) * len(HOSTS)


@needed
def test_random_names(tmp_path: Path) -> None:
    """For 60 random sets of names in random order, with duplicates, nginx answers with the server that we say."""
    chance = random.Random(20_261_121)  # noqa: S311 — the same cases in every run
    text = "server_names_hash_bucket_size 128;\n"
    for case in range(60):
        for index in range(chance.randint(2, 6)):
            names = " ".join(chance.sample(NAMES, chance.randint(1, 4)))
            default = " default_server" if index == case % 9 else ""
            text += server(index, names, f"listen 127.0.1.{case + 1}:{{port}}{default};")
    with running(tmp_path, text) as nginx:
        places = {f"127.0.1.{case + 1}": f"127.0.1.{case + 1}" for case in range(60)}
        assert agree(nginx, places) == 60 * len(HOSTS)
        warned = {line.split('"')[1] for line in nginx.warnings().splitlines() if "conflicting server name" in line}
        http = read(nginx.configuration())
        found = [conflict.name for each in http.sockets for conflict in Matcher(each).names.conflicts]
        assert sorted(set(found)) == sorted(warned)
        assert len(found) == nginx.warnings().count("conflicting server name")


@needed
def test_sockets(tmp_path: Path) -> None:
    """A specific address shadows the wildcard; each socket has its own default server and its own names."""
    text = (
        server(0, "other.test", "listen {port};")
        + server(1, "example.com", "listen 127.0.0.2:{port};")
        + server(2, "www.example.com", "listen *:{port} default_server;")
        + server(3, "www.example.com", "listen 127.0.0.2:{port} default_server; listen 127.0.0.3:{port};")
        + server(4, "example.com", "listen 0.0.0.0:{port};")
    )
    with running(tmp_path, text) as nginx:
        agree(nginx, {"127.0.0.1": "*", "127.0.0.2": "127.0.0.2", "127.0.0.3": "127.0.0.3"})


@needed
def test_ipv6_sockets(tmp_path: Path) -> None:
    """IPv6 has its own socket and names; with ipv6only=off it takes IPv4 as well."""
    text = (
        server(0, "other.test", "listen [::1]:{port};")
        + server(1, "example.com", "listen [::]:{port} ipv6only=off;")
        + server(2, "www.example.com", "listen [::]:{port};")
    )
    with running(tmp_path, text) as nginx:
        agree(nginx, {"127.0.0.1": "::", "::1": "::1"})
        assert socket(read(nginx.configuration()), "::", nginx.port).families == ("IPv6", "IPv4")


@needed
def test_names_over_several_lines_and_files(tmp_path: Path) -> None:
    """Names of several directives, lines and included files count together, in nginx's order of files."""
    text = "include sites/*;\ninclude one.conf;\n"
    files = {
        "sites/b": "server { listen {port}; server_name\n  example.com # a\n  www.example.com; return 200 b; }",
        "sites/B": "server { listen {port}; server_name example.org; server_name *.com; return 200 B; }",
        "sites/.hidden": "server { listen {port} default_server; return 200 hidden; }",
        "one.conf": "server { listen {port}; server_name example.com api.example.com; return 200 one; }",
    }
    with running(tmp_path, text, files) as nginx:
        agree(nginx, {"127.0.0.1": "*"})
        assert nginx.ask("nobody.test").body == "B"


def test_hostname_is_not_guessed() -> None:
    """Where a name is the machine's own, which the configuration does not tell, other names stay unsure."""
    http = read(configuration("http { server { listen 80; server_name $hostname a.test; } }"))
    matcher = Matcher(http.sockets[0])
    assert matcher.match("example.com") is None
    found = matcher.match("a.test")
    assert found
    assert found.named
