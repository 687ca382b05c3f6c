"""What each peer that is a command runs for one site, and how it is known that it saw that site and found it well."""

from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench.delay import ROOT
from tests.bench.peers_station import Command
from tests.lab import names
from tests.lab.scenarios._scenario import WEB, WEB_6

SSLYZE = ROOT / ".venv-bench/bin/sslyze"

type Commands = Callable[[str, Path], Sequence[Command]]
"""A site's apex and the file of the trust anchor → its commands."""


def seed(apex: str, _ca: Path) -> Sequence[Command]:
    """Return the commands of the checklist that look from outside: its quick set-up, steps 1, 7, 10 to 13 and 15."""
    fine = "HTTP/2 200"
    address = f"^{WEB}$"
    return [
        _command(f"dig +short {apex}", f"(?m){address}"),
        _command(f"dig +short www.{apex}", f"(?m){address}"),
        _command(f"dig +short @{names.PUBLIC_RESOLVERS[0]} {apex}", f"(?m){address}"),
        _command(f"curl -sSI http://{apex}", f"(?s)HTTP/1.1 301.*Location: https://{apex}/"),
        _command(f"curl -sSI http://www.{apex}", f"(?s)HTTP/1.1 301.*Location: https://www.{apex}/"),
        _command(f"curl -sSI https://{apex}", fine),
        _command(f"curl -sSI https://www.{apex}", f"(?s)HTTP/2 301.*location: https://{apex}/"),
        _command(f"curl -sSIv https://{apex}", f'subjectAltName: host "{apex}" matched'),
        _command(f"curl -sSI https://{apex}/health", fine),
        _command(f"curl -sSI https://{apex}/", fine),  # step 15 looks for HSTS in it
        _command(f"openssl s_client -connect {apex}:443 -servername {apex}", r"Verify return code: 0 \(ok\)"),
    ]


def plugins(apex: str, _ca: Path) -> Sequence[Command]:
    """Return monitoring-plugins' checks of both hosts: addresses, NS and CAA, port 80, HTTPS, certificate, health."""
    www = f"www.{apex}"
    https = f"check_http -S --sni -H {apex}"
    return [
        _command(f"check_dns -H {apex} -a {WEB_6},{WEB}", "^DNS OK"),
        _command(f"check_dns -H {www} -a {WEB_6},{WEB}", "^DNS OK"),
        _command(f"check_dig -H {names.RESOLVER} -l {apex} -T NS -a ns1.dns.test.", "^DNS OK"),
        _command(f"check_dig -H {names.RESOLVER} -l {apex} -T CAA -a letsencrypt.org", "^DNS OK"),
        *(_command(f"check_http -H {host} -e 301", "^HTTP OK") for host in (apex, www)),
        *(_command(f"{https} {family} -e 200 -s Welcome", "^HTTP OK") for family in ("-4", "-6")),
        *(_command(f"check_http -S --sni -H {www} {family} -e 301", "^HTTP OK") for family in ("-4", "-6")),
        *(_command(f"check_http -S --sni -H {host} -C 14,7", "^OK - Certificate") for host in (apex, www)),
        _command(f"{https} -u /health -e 200 -s database", "^HTTP OK"),
    ]


def sslyze(apexes: Sequence[str], ca: Path) -> Command:
    """Return sslyze's look at the certificates of both hosts of each site, and at nothing else that it can see."""
    hosts = [host for apex in apexes for host in (apex, f"www.{apex}")]
    options = f"--certinfo --certinfo_ca_file {ca} --mozilla_config disable"
    # Its trust stores do not take the lab's authorities, whose certificates lack a key usage: the chain tells.
    results = "".join(rf"(?=.*SCAN RESULTS FOR {host.upper()}:443)" for host in hosts)
    chains = "".join(rf"(?=(?:.*Received Chain: +{apex} --> E7){{2}})" for apex in apexes)
    return Command([str(SSLYZE), *options.split(), *hosts], f"(?s){results}{chains}")


def testssl(apex: str, ca: Path) -> Sequence[Command]:
    """Return testssl.sh's look at one host and one address: protocols, server defaults, headers."""
    options = f"--color 0 --warnings off --add-ca {ca} -p -S -h --ip one"
    says = r"(?s)TLS 1\.3 +offered \(OK\).*HTTP Status Code +200 OK"
    return [Command(f"testssl {options} https://{apex}/".split(), says)]


def _command(line: str, says: str) -> Command:
    return Command(line.split(), says)
