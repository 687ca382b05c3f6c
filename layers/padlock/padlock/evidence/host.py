"""What a host says of itself: nginx, certificates, certbot, firewall, upstreams, logs (checklist steps 3-9, 14, 17).

Read by the collector script on the host, or from the cloud's own API. It is as hostile as anything a server sends.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal

import msgspec

from padlock.evidence.tls import Certificate

TIMED_OUT = 124
NO_SUCH_COMMAND = 127


class Ran(msgspec.Struct, frozen=True):
    """What became of one command of the collector."""

    command: str
    """As a person would type it: `nginx -t`."""
    status: int
    """Exit status; 124: its time ran out; 127: the host has no such command."""
    output: str = ""
    """Both streams, bounded; kept where a rule or a person needs the words."""
    cut: bool = False
    """There was more output than is kept."""

    @property
    def missing(self) -> bool:
        """The host has no such command."""
        return self.status == NO_SUCH_COMMAND


class Directive(msgspec.Struct, frozen=True):
    """One directive of nginx's configuration, includes resolved in their place."""

    name: str
    args: tuple[str, ...]
    file: str
    line: int
    block: tuple["Directive", ...] | None = None
    """What stands between its braces; None: it has none."""

    @property
    def place(self) -> str:
        """Where it stands, as nginx writes it: `/etc/nginx/sites-enabled/shop:3`."""
        return f"{self.file}:{self.line}"

    def all(self, name: str) -> Iterator["Directive"]:
        """Yield the directives of this name that stand directly between its braces."""
        return (inner for inner in self.block or () if inner.name == name)


class Nginx(msgspec.Struct, frozen=True):
    """The installed nginx."""

    test: Ran
    """`nginx -t`."""
    version: str = ""
    """Such as 1.22.1; empty: it did not say."""
    running: bool | None = None
    """None: that could not be seen."""
    master_started: datetime | None = None
    workers_started: tuple[datetime, ...] = ()
    """Of the workers that take new connections; those that shut down are left out."""
    configuration: tuple[Directive, ...] | None = None
    """Top-level directives of `nginx -T`, the files on disk; None: see `unread`."""
    unread: str = ""
    """Why there is no configuration, or why it is not all of it."""
    files: Mapping[str, datetime] = {}
    """Configuration file → when it, or the link to it, last changed."""


type FileFault = Literal["", "missing", "unreadable", "malformed"]


class CertificateFile(msgspec.Struct, frozen=True):
    """One pair of ssl_certificate and ssl_certificate_key, as the files on disk are."""

    path: str
    key_path: str
    real_path: str = ""
    """Where the certificate's path leads when links are followed; empty: nowhere."""
    modified: datetime | None = None
    """When the certificate's file last changed."""
    key_modified: datetime | None = None
    fault: FileFault = ""
    key_fault: FileFault = ""
    key_matches: bool | None = None
    """The key's public part is the certificate's; None: that could not be compared."""
    certificate: Certificate | None = None
    """The leaf, the first of the file; None: see `fault`."""


class Lineage(msgspec.Struct, frozen=True):
    """One certificate of certbot's."""

    name: str
    names: tuple[str, ...]
    """The host names that it covers."""
    path: str
    key_path: str
    serial: str = ""
    """Upper-case hexadecimal."""
    not_after: datetime | None = None
    valid: bool = False
    verdict: str = ""
    """certbot's words: `VALID: 89 days`, `INVALID: EXPIRED`, `INVALID: TEST_CERT`."""
    authenticator: str = ""
    """Of its renewal: `nginx`, `webroot`, `standalone`, `dns-route53`, `manual`; empty: not known."""
    installer: str = ""
    """`nginx`, or empty: none, or not known."""
    webroot: str = ""
    """The first webroot_path of its renewal; empty: none, or not known."""


class RenewalTimer(msgspec.Struct, frozen=True):
    """One timer or cron entry that runs certbot."""

    kind: Literal["timer", "cron"]
    name: str
    """The unit (certbot.timer, snap.certbot.renew.timer) or the file with the entry."""
    active: bool
    """It will run: the timer is active, the entry is not commented out and cron runs."""
    detail: str = ""
    """The entry, or the unit's state and next run."""


class RenewalTest(msgspec.Struct, frozen=True):
    """`certbot renew --dry-run`."""

    ran: Ran
    succeeded: tuple[str, ...] = ()
    """Names or paths of the lineages that would be renewed."""
    failed: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    """What the authority or certbot said of each failure: the challenge's error, one line each."""


class Certbot(msgspec.Struct, frozen=True):
    """The installed certbot."""

    listing: Ran
    """`certbot certificates`."""
    version: str = ""
    lineages: tuple[Lineage, ...] | None = None
    """None: the listing could not be had or read."""
    timers: tuple[RenewalTimer, ...] | None = None
    """Empty: none runs it; None: neither systemd nor cron could be asked."""
    cron_runs: bool | None = None
    """A cron daemon runs; None: that could not be seen."""
    dry_run: RenewalTest | None = None
    """None: it was not asked for."""
    reload_hook: bool | None = None
    """A deploy or post hook, or certbot's own nginx installer, reloads nginx after a renewal; None: not known."""


class Filter(msgspec.Struct, frozen=True):
    """What one firewall does with new connections to ports 80 and 443."""

    kind: Literal["ufw", "nftables", "iptables", "security group", "network acl"]
    name: str = ""
    """The group's or list's identifier; empty: the host's own firewall."""
    active: bool = True
    blocked: tuple[str, ...] = ()
    """`443/tcp IPv4` and so on."""
    allowed: tuple[str, ...] = ()
    """What is in neither could not be told."""
    detail: Mapping[str, str] = {}
    """Entry that is not in `allowed` → the rule, policy or absence that decides, or why that cannot be told."""
    chains: Mapping[str, str] = {}
    """The same → the chain that decides, as its tool takes it: nft `inet filter input`, iptables `INPUT`."""
    restricted: tuple[str, ...] = ()
    """Open to some sources only (a balancer, an office), closed to others; in neither of the above, with a detail."""


class Listener(msgspec.Struct, frozen=True):
    """One listening TCP socket of port 80 or 443."""

    address: str
    """`0.0.0.0`, `::`, `127.0.0.1` and so on."""
    port: int
    process: str = ""
    """Name of the program; empty: not known."""


class Upstream(msgspec.Struct, frozen=True):
    """One place to which nginx passes requests on."""

    target: str
    """As nginx writes it: `unix:/run/gunicorn.sock`, `127.0.0.1:8000`."""
    accepts: bool | None = None
    """A connection opened; None: that could not be tried."""
    detail: str = ""
    """Why not: `no such file`, `refused`, `permission denied`, `timeout`."""
    unit: str = ""
    """The systemd unit that names the target in its ExecStart or ListenStream: `shop.service`; empty: not known."""


class LogTail(msgspec.Struct, frozen=True):
    """The last lines of one log, without query strings and credentials."""

    kind: Literal["error", "access", "certbot"]
    path: str
    lines: tuple[str, ...] = ()
    """The newest last."""
    fault: str = ""
    """Why it could not be read; empty: it could."""


class Host(msgspec.Struct, frozen=True):
    """One machine's word about itself. None: not gathered."""

    name: str
    """Its managed node (`i-0abc…`, `mi-0abc…`), or its host name."""
    collected_at: datetime
    """UTC, by its own clock."""
    fault: str = ""
    """Why nothing could be had of it; then every field below is None."""
    system: str = ""
    """Such as `Debian GNU/Linux 12 (bookworm)`."""
    root: bool = True
    """The collector ran as root; otherwise much of it could not be read."""
    sections: Mapping[str, Ran] = {}
    """Section of the collector → what became of it, without its output."""
    nginx: Nginx | None = None
    """None: the host has no nginx."""
    certificates: tuple[CertificateFile, ...] | None = None
    certbot: Certbot | None = None
    """None: the host has no certbot."""
    filters: tuple[Filter, ...] | None = None
    listeners: tuple[Listener, ...] | None = None
    upstreams: tuple[Upstream, ...] | None = None
    logs: tuple[LogTail, ...] | None = None
