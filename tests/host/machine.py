"""The host itself: a machine with a file system, processes and a network of its own, laid out as Debian's are.

One thing cannot be had in a namespace: systemd as process 1. templates/systemctl stands for it, and really starts,
stops and reloads what its units name.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.host.outside import SITE, Outside
from tests.lab import names
from tests.lab.network import SERVERS, Network

TEMPLATES = Path(__file__).parent / "templates"
COLLECTOR = Path(__file__).parents[2] / "layers/padlock/padlock/host/collect.sh"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
}
SITE_FILE = "/etc/nginx/sites-available/shop"
_NGINX = {
    "start": "nginx -t -q && nginx",
    "stop": "kill -QUIT $(cat /run/nginx.pid) && while [ -e /run/nginx.pid ]; do sleep 0.05; done",
    "reload": "nginx -s reload && sleep 0.3",
    "alive": 'kill -0 "$(cat /run/nginx.pid)"',
    "show": "",
}
_SHOP = {
    "start": "cd /srv/shop && /mnt/venv/bin/python -m gunicorn --daemon --pid /run/shop/pid --umask 0 --threads 4 "
    "--bind unix:/run/shop/gunicorn.sock --log-file /var/log/shop.log shop:application "
    "&& until [ -S /run/shop/gunicorn.sock ]; do sleep 0.05; done",
    "stop": "kill $(cat /run/shop/pid) && while [ -e /run/shop/pid ]; do sleep 0.05; done",
    "reload": "kill -HUP $(cat /run/shop/pid)",
    "alive": 'kill -0 "$(cat /run/shop/pid)"',
    "show": "",
}
_TIMER = {
    "start": ": >/run/systemd/certbot.timer",
    "stop": "rm -f /run/systemd/certbot.timer",
    "alive": "test -e /run/systemd/certbot.timer",
    "show": "Unit=certbot.service\n",
}
_CERTBOT = {
    "start": "certbot -q renew --no-random-sleep-on-renew",
    "alive": "false",
    "show": "ExecStart={ path=/usr/bin/certbot ; argv[]=/usr/bin/certbot -q renew ; ignore_errors=no ; }\n",
}
UNITS = {"nginx.service": _NGINX, "shop.service": _SHOP, "certbot.timer": _TIMER, "certbot.service": _CERTBOT}


class Ran(msgspec.Struct, frozen=True):
    """One command that ran on the host."""

    command: str
    status: int
    output: str


class Machine(msgspec.Struct, frozen=True):
    """A host that runs."""

    pid: int
    """Of its process 1, as seen from here."""

    def words(self, *command: str) -> list[str]:
        """Return the words that run a command on the host, as root."""
        environment = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        inside = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--net", "--uts", "--wd=/"]
        return [*inside, "env", "-i", *environment, *command]

    def sh(self, command: str, given: str = "", seconds: float = 60) -> Ran:
        """Run a line of shell on the host."""
        done = subprocess.run(
            self.words("bash", "-c", command),
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
        )
        return Ran(command, done.returncode, done.stdout)

    def must(self, command: str, given: str = "") -> str:
        """Return what a line of shell prints; RuntimeError if it fails."""
        ran = self.sh(command, given)
        if ran.status:
            raise RuntimeError(f"{command}: status {ran.status}\n{ran.output[-3000:]}")
        return ran.output

    def write(self, path: str, text: str, mode: str = "644") -> None:
        """Write a file of the host."""
        self.must(f"cat >'{path}' && chmod {mode} '{path}'", text)

    def read(self, path: str) -> str:
        """Return a file of the host."""
        return self.must(f"cat '{path}'")

    def collect(self, *options: str, shell: str = "sh", seconds: float = 120) -> bytes:
        """Return the collector's document, as ssh would: the script comes by standard input."""
        command = self.words(*shell.split(), "-s", "--", *options)
        with COLLECTOR.open("rb") as script:
            done = subprocess.run(command, stdin=script, capture_output=True, check=True, timeout=seconds)
        return done.stdout


@contextlib.contextmanager
def machine(network: Network) -> Iterator[Machine]:
    """Start a bare host on the servers' side, and end all that runs on it."""
    quiet = ["unshare", "--mount", "--pid", "--uts", "--fork", "--kill-child=KILL"]
    process = subprocess.Popen(
        [
            *network.within(SERVERS),
            "setpriv",
            "--pdeathsig",
            "KILL",
            *quiet,
            "bash",
            "-c",
            _setup(),
            "setup",
            sys.prefix,
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        if process.stdout.readline() != b"ready\n":
            raise RuntimeError("the host's namespaces could not be set up")
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Machine(int(children[0]))
    finally:
        process.kill()
        process.wait(5)
        process.stdout.close()
        subprocess.run([*network.within(SERVERS), "nft", "flush", "ruleset"], check=True)


def _setup() -> str:
    return (TEMPLATES / "setup").read_text()


def install(made: Machine, outside: Outside, letsencrypt: bytes = b"") -> None:
    """Set the checklist's site up: units, the app, certbot's certificate (or a kept copy), nginx, the timer."""
    made.write("/etc/resolv.conf", f"nameserver {names.RESOLVER}\n")
    made.must("cat >>/etc/ssl/certs/ca-certificates.crt", outside.ca_file.read_text())
    made.write("/usr/local/bin/systemctl", (TEMPLATES / "systemctl").read_text(), "755")
    made.write("/usr/local/bin/sudo", '#!/bin/sh\nexec "$@"\n', "755")
    made.write("/srv/shop/shop.py", (TEMPLATES / "shop.py").read_text())
    for unit, files in UNITS.items():
        for part, text in files.items():
            made.write(f"/etc/systemd/padlock/{unit}.{part}", text)
    made.must("systemctl enable --now shop certbot.timer")
    _certificate(made, letsencrypt)
    made.write(SITE_FILE, (TEMPLATES / "shop.conf").read_text())
    made.must(f"ln -s {SITE_FILE} /etc/nginx/sites-enabled/shop && systemctl enable --now nginx")


def _certificate(made: Machine, letsencrypt: bytes) -> None:
    """Let certbot get its first certificate, by HTTP-01 from nginx's web root; or unpack one that it got before."""
    if letsencrypt:
        subprocess.run(made.words("tar", "-xC", "/"), input=letsencrypt, check=True)
        return
    made.write("/etc/letsencrypt/cli.ini", "max-log-backups = 0\npreconfigured-renewal = True\n")
    first = "server { listen 80 default_server; listen [::]:80 default_server; root /var/www/html; }\n"
    made.write("/etc/nginx/sites-enabled/first", first)
    made.must("systemctl start nginx")
    made.must(
        f"certbot certonly --webroot --webroot-path /var/www/html -d {SITE} -d www.{SITE} "
        "--agree-tos --register-unsafely-without-email --non-interactive --deploy-hook 'systemctl reload nginx'"
    )
    made.must("systemctl stop nginx && rm /etc/nginx/sites-enabled/first")


def kept_letsencrypt(made: Machine) -> bytes:
    """Return certbot's configuration, certificates and log as a tar file."""
    command = made.words("tar", "-cC", "/", "etc/letsencrypt", "var/log/letsencrypt")
    return subprocess.run(command, capture_output=True, check=True).stdout
