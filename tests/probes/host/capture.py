"""Make the samples anew: what the real ufw, iptables, nft and certbot print, in namespaces of their own.

As root on Debian with ufw, iptables, nftables, nginx, certbot and pebble: `python -m tests.probes.host.capture`
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SAMPLES = Path(__file__).parent / "samples"
HIDDEN = ("/etc/letsencrypt", "/var/lib/letsencrypt", "/var/log/letsencrypt", "/etc/cron.d", "/run")
"""Directories that an empty one covers while the samples are made, so that paths are the usual ones."""
AUTHORITY = "https://localhost:14000/dir"

UFW = {
    "inactive": "",
    "web": "ufw allow 22/tcp; ufw allow 'Nginx Full'; ufw --force enable",
    "ssh-only": "ufw allow 22/tcp; ufw --force enable",
    "limited-to-sources": (
        "ufw allow 22/tcp; ufw allow from 198.51.100.0/24 to any port 443 proto tcp comment 'the # balancer';"
        " ufw allow 80/tcp; ufw --force enable"
    ),
    "order": (
        "ufw deny from 203.0.113.9 to any port 443 proto tcp; ufw reject log 80/tcp; ufw allow 80,443/tcp;"
        " ufw allow 53/udp; ufw allow out 443/tcp; ufw route allow 443/tcp; ufw --force enable"
    ),
    "interface": "ufw allow in on eth0 to any port 443 proto tcp; ufw limit 79:81/tcp; ufw --force enable",
    "default-allow": "ufw default allow incoming; ufw deny 443/tcp; ufw --force enable",
}
IPTABLES = {
    "empty": "true",
    "multiport": """
        iptables -P INPUT DROP; iptables -A INPUT -i lo -j ACCEPT
        iptables -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
        iptables -A INPUT -p tcp -m multiport --dports 22,80,443 -m conntrack --ctstate NEW -m comment \
            --comment 'say "hello" -j DROP' -j ACCEPT
        ip6tables -P INPUT DROP; ip6tables -A INPUT -p tcp --dport 80:443 -j ACCEPT""",
    "fail2ban": """
        iptables -N f2b-nginx; iptables -A f2b-nginx -s 203.0.113.9 -j REJECT; iptables -A f2b-nginx -j RETURN
        iptables -A INPUT -p tcp -m multiport --dports http,https -j f2b-nginx
        iptables -A INPUT -p tcp --dport 443 -m connlimit --connlimit-above 100 -j REJECT
        iptables -A INPUT -p tcp --dport 443 -j REJECT --reject-with tcp-reset
        ip6tables -A INPUT -p tcp ! --syn -m state --state NEW -j DROP""",
    "docker": """
        iptables -t nat -N DOCKER; iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
        iptables -t nat -A DOCKER -i docker0 -j RETURN
        iptables -t nat -A DOCKER ! -i docker0 -p tcp --dport 443 -j DNAT --to-destination 172.17.0.2:443
        iptables -P INPUT DROP; iptables -A INPUT -p tcp --dport 80 -j ACCEPT""",
    "sources": """
        iptables -P INPUT DROP; iptables -A INPUT -s 198.51.100.0/24 -p tcp --dport 443 -j ACCEPT
        iptables -A INPUT ! -s 192.0.2.0/24 -p tcp --dport 80 -j DROP; iptables -A INPUT -p tcp --dport 80 -j ACCEPT
        ip6tables -P INPUT DROP; ip6tables -A INPUT -i eth0 -p tcp --dport 443 -j ACCEPT""",
}
NFTABLES = {
    "empty": "",
    "web": """table inet filter {
        chain web { tcp dport { 80, 443 } ct state new accept; }
        chain input { type filter hook input priority 0; policy drop;
          ct state vmap { established : accept, related : accept, invalid : drop }
          iif lo accept; meta l4proto { icmp, ipv6-icmp } accept; tcp dport 22 accept; jump web; }
      }""",
    "verdict-map": """table inet filter {
        set banned { type ipv4_addr; flags interval; elements = { 192.0.2.0/24, 198.51.100.7 } }
        map ports { type inet_service : verdict; elements = { 22 : accept, 80 : accept, 443 : drop } }
        chain input { type filter hook input priority 0; policy accept;
          ip saddr @banned drop; fib saddr . iif oif missing drop;
          tcp flags & (fin|syn|rst|ack) != syn ct state new drop;
          tcp dport vmap @ports; }
      }""",
    "priorities": """table inet early {
        chain input { type filter hook input priority -10; policy accept; tcp dport 443 reject with tcp reset; }
      }
      table inet filter {
        chain input { type filter hook input priority 0; policy drop; tcp dport { 80, 443 } accept; }
      }""",
    "one-family": """table ip filter {
        chain input { type filter hook input priority 0; policy drop; tcp dport 80-443 accept; }
      }
      table ip6 filter {
        chain input { type filter hook input priority 0; policy drop; tcp dport 22 accept; }
      }""",
    "sources": """table inet filter {
        set trusted { type ipv4_addr; flags interval; elements = { 198.51.100.0/24 } }
        chain input { type filter hook input priority 0; policy drop;
          ip saddr @trusted tcp dport 443 accept; ip6 saddr != 2001:db8:5::/48 tcp dport 443 drop;
          tcp dport 443 meta nfproto ipv6 accept; tcp dport 80 limit rate over 50/second drop; tcp dport 80 accept; }
      }""",
    "translated": """table inet nat {
        chain prerouting { type nat hook prerouting priority dstnat; tcp dport 80 redirect to :8080;
          iifname "wg0" tcp dport 443 dnat ip to 10.0.0.1:443; }
      }
      table inet filter {
        chain input { type filter hook input priority 0; policy drop; iifname "eth0" tcp dport 443 accept; }
      }""",
}


def shell(script: str) -> str:
    """Run a script of ours as root in this namespace; return both of its streams."""
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr


def keep(name: str, text: str) -> None:
    """Write one sample."""
    (SAMPLES / name).write_text(text, encoding="utf-8")


def ufw_script(rules: str, folder: str) -> str:
    """Return a script that sets ufw up on a copy of its files and prints its status."""
    copy = f"mkdir {folder}; cp -a /etc/ufw {folder}/etc; cp -a /etc/default/ufw {folder}/default"
    cover = f"mount --bind {folder}/etc /etc/ufw; mount --bind {folder}/default /etc/default/ufw"
    return f"rm -rf {folder}; {copy}; {cover}; ({rules or 'true'}) >/dev/null 2>&1; ufw status verbose"


def firewalls() -> None:
    """Make each firewall in a network of its own."""
    for name, rules in UFW.items():
        saved = "iptables-save > /run/saved; ip6tables-save > /run/saved6; nft -j list ruleset > /run/nft"
        Path("/run/rules").write_text(f"{ufw_script(rules, '/run/u')} > /run/out\n{saved}\n")
        shell("unshare -mn bash /run/rules")
        keep(f"ufw-{name}.txt", Path("/run/out").read_text(encoding="utf-8"))
        if name in ("web", "ssh-only"):
            keep(f"iptables-ufw-{name}.txt", Path("/run/saved").read_text(encoding="utf-8"))
            keep(f"ip6tables-ufw-{name}.txt", Path("/run/saved6").read_text(encoding="utf-8"))
            keep(f"nftables-ufw-{name}.json", Path("/run/nft").read_text(encoding="utf-8"))
    for name, rules in IPTABLES.items():
        Path("/run/rules").write_text(f"{rules}\niptables-save > /run/out; ip6tables-save > /run/out6\n")
        shell("unshare -n bash -e /run/rules")
        keep(f"iptables-{name}.txt", Path("/run/out").read_text(encoding="utf-8"))
        keep(f"ip6tables-{name}.txt", Path("/run/out6").read_text(encoding="utf-8"))
    for name, rules in NFTABLES.items():
        Path("/run/rules").write_text(rules)
        keep(f"nftables-{name}.json", shell("unshare -n bash -c 'nft -f /run/rules && nft -j list ruleset'"))


@contextlib.contextmanager
def running(*command: str, **environment: str) -> Iterator[None]:
    """Run a server while the body runs."""
    server = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL)
    time.sleep(1.5)
    try:
        yield
    finally:
        server.terminate()
        server.wait(10)


def pebble(directory: Path, validity: int) -> contextlib.AbstractContextManager[None]:
    """Return pebble, with certificates that are valid for so many seconds."""
    settings = {
        "listenAddress": "127.0.0.1:14000",
        "managementListenAddress": "127.0.0.1:15000",
        "certificate": str(directory / "tls.pem"),
        "privateKey": str(directory / "tls.key"),
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "certificateValidityPeriod": validity,
    }
    (directory / "pebble.json").write_text(json.dumps({"pebble": settings}))
    words = ("pebble", "-config", str(directory / "pebble.json"), "-dnsserver", "127.0.0.1:8053")
    return running(*words, PEBBLE_VA_NOSLEEP="1", PEBBLE_WFE_NONCEREJECT="0", PEBBLE_AUTHZREUSE="0")


def nginx(directory: Path) -> contextlib.AbstractContextManager[None]:
    """Return a server of the challenges."""
    configuration = f"""pid {directory}/nginx.pid; error_log stderr; events {{}}
        http {{ access_log off; server {{ listen 80; root /var/lib/letsencrypt; }} }}"""
    (directory / "nginx.conf").write_text(configuration)
    return running("nginx", "-g", "daemon off;", "-c", str(directory / "nginx.conf"))


def certbot(directory: Path, arguments: str) -> str:
    """Run certbot; return both of its streams."""
    return shell(f"REQUESTS_CA_BUNDLE={directory}/tls.pem certbot {arguments}")


def issue(directory: Path, *names: str, extra: str = "") -> str:
    """Have one certificate issued over HTTP-01."""
    wanted = " ".join(f"-d {name}" for name in names)
    usual = f"--server {AUTHORITY} --agree-tos --register-unsafely-without-email --non-interactive"
    return certbot(directory, f"certonly {usual} --webroot -w /var/lib/letsencrypt {wanted} {extra}")


def certbots(directory: Path) -> None:
    """List, renew and fail to renew certificates of a real authority."""
    name = "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
    files = f"-keyout {directory}/tls.key -out {directory}/tls.pem"
    shell(f"ip link set lo up; openssl req -x509 -newkey rsa:2048 -nodes -days 2 {files} {name}")
    Path("/var/lib/letsencrypt").chmod(0o755)
    resolver = ("-dns01", "127.0.0.1:8053", "-http01", "", "-https01", "", "-tlsalpn01", "", "-management", ":8055")
    renew = f"renew --dry-run --no-random-sleep-on-renew --server {AUTHORITY}"
    keep("certbot-version.txt", certbot(directory, "--version"))
    keep("certbot-none.txt", certbot(directory, "certificates"))
    with running("pebble-challtestsrv", "-defaultIPv6", "", *resolver):
        with pebble(directory, 90 * 86_400):
            with nginx(directory):
                reload = "--deploy-hook 'systemctl reload nginx'"
                issue(directory, "example.com", "www.example.com", extra=reload)
                issue(directory, "shop.example.org", "www.shop.example.org", extra="--key-type rsa")
                keep("certbot-valid.txt", certbot(directory, "certificates"))
                keep("certbot-dry-run-success.txt", certbot(directory, renew))
                shell(
                    "sed -i 's#^webroot_path.*#webroot_path = /srv/gone,#;s#= /var/lib/letsencrypt$#= /srv/gone#'"
                    " /etc/letsencrypt/renewal/shop.example.org.conf; mkdir -p /run/gone"
                )
                keep("certbot-dry-run-mixed.txt", certbot(directory, renew))
            keep("certbot-dry-run-failure.txt", certbot(directory, f"{renew} --cert-name example.com"))
            shutil.copy("/var/log/letsencrypt/letsencrypt.log", SAMPLES / "letsencrypt.log")
        shutil.rmtree("/etc/letsencrypt/accounts")
        with pebble(directory, 4), nginx(directory):
            issue(directory, "old.example.net")
            time.sleep(6)
    shell(
        "sed -i 's#^server = .*#server = https://acme-staging-v02.api.letsencrypt.org/directory#'"
        " /etc/letsencrypt/renewal/shop.example.org.conf; rm /etc/letsencrypt/live/example.com/cert.pem"
    )
    keep("certbot-faults.txt", certbot(directory, "certificates"))
    keep("certbot-renewal.conf", Path("/etc/letsencrypt/renewal/example.com.conf").read_text(encoding="utf-8"))


def main() -> None:
    """Cover the directories, then make every sample."""
    if sys.argv[1:] != ["inside"]:
        words = (
            "unshare",
            "-mn",
            "--propagation",
            "private",
            sys.executable,
            "-m",
            "tests.probes.host.capture",
            "inside",
        )
        sys.exit(subprocess.call(words))
    SAMPLES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        for path in HIDDEN:
            Path(path).mkdir(parents=True, exist_ok=True)
            subprocess.run(["mount", "-t", "tmpfs", "none", path], check=True)
        firewalls()
        certbots(Path(directory))


if __name__ == "__main__":
    main()
