"""The collector on hosts that are broken: each fault is told as what it is."""

import pytest

from tests.host.machine import SITE_FILE, Machine
from tests.host_collector.reading import understood

pytestmark = pytest.mark.lab
LIVE = "/etc/letsencrypt/live/shop.test"
SERVER = "server {{ listen 127.0.0.1:8443 ssl; ssl_certificate {0}; ssl_certificate_key {1}; }}\n"


def test_invalid_configuration(web: Machine) -> None:
    """Where nginx refuses its configuration, its words are told, and the files as they lie there, faults and all."""
    web.must(f"sed -i 's/listen 80;/listen 80/' {SITE_FILE}")
    said = understood(web.collect("--full"))
    assert said.status("nginx_test") == said.status("nginx_config") == 1
    assert b"/etc/nginx/sites-enabled/shop:3" in said.output("nginx_test")
    assert b"# configuration file /etc/nginx/sites-enabled/shop:\nserver {\n    listen 80\n" in said.output(
        "nginx_config"
    )
    assert said.rows("certificates")[0][0] == f"{LIVE}/fullchain.pem".encode()


def test_certificates_and_keys(web: Machine) -> None:
    """Missing, malformed, foreign and locked keys and certificates are told apart."""
    web.must("openssl genrsa -out /etc/ssl/other.key 2048")
    web.must("openssl genrsa -aes128 -passout pass:x -out /etc/ssl/locked.key 2048")
    web.must("echo nothing >/etc/ssl/bad.pem; mkfifo /etc/ssl/pipe.pem")
    web.write("/etc/ssl/odd.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    pairs = {
        (f"{LIVE}/fullchain.pem", "/etc/ssl/other.key"): [b"", b"", b"no"],
        (f"{LIVE}/fullchain.pem", "/etc/ssl/locked.key"): [b"", b"", b"unknown"],
        (f"{LIVE}/fullchain.pem", "/etc/ssl/none.key"): [b"", b"missing", b"unknown"],
        (f"{LIVE}/fullchain.pem", "/etc/ssl/bad.pem"): [b"", b"malformed", b"unknown"],
        ("/etc/ssl/none.pem", f"{LIVE}/privkey.pem"): [b"missing", b"", b"unknown"],
        ("/etc/ssl/bad.pem", f"{LIVE}/privkey.pem"): [b"malformed", b"", b"unknown"],
        ("/etc/ssl/odd.pem", f"{LIVE}/privkey.pem"): [b"malformed", b"", b"unknown"],
        ("/etc/ssl/pipe.pem", f"{LIVE}/privkey.pem"): [b"unreadable", b"", b"unknown"],
    }
    web.write("/etc/nginx/conf.d/pairs.conf", "".join(SERVER.format(*pair) for pair in pairs))
    rows = {
        (row[0].decode(), row[1].decode()): row[5:8] for row in understood(web.collect("--full")).rows("certificates")
    }
    assert {pair: rows[pair] for pair in pairs} == pairs


def test_inherited_and_included_pairs(web: Machine) -> None:
    """Certificate and key from http{}, from a snippet, and two of them in one server are paired as nginx does."""
    web.must("openssl ecparam -genkey -name prime256v1 -noout -out /etc/ssl/ec.key")
    web.must("openssl req -x509 -new -key /etc/ssl/ec.key -subj /CN=x -out /etc/ssl/ec.pem")
    web.write(
        "/etc/nginx/snippets/tls.conf", "ssl_certificate /etc/ssl/ec.pem;\nssl_certificate_key /etc/ssl/ec.key;\n"
    )
    web.write(
        "/etc/nginx/conf.d/pairs.conf",
        f"ssl_certificate {LIVE}/cert.pem; ssl_certificate_key {LIVE}/privkey.pem;\n"
        "server { listen 127.0.0.1:8443 ssl; include snippets/tls.conf; }\n"
        f"server {{ listen 127.0.0.1:8444 ssl; ssl_certificate /etc/ssl/ec.pem; ssl_certificate {LIVE}/chain.pem;\n"
        f" ssl_certificate_key /etc/ssl/ec.key; ssl_certificate_key {LIVE}/privkey.pem; }}\n",
    )
    rows = {
        (row[0].decode(), row[1].decode()): row[7] for row in understood(web.collect("--full")).rows("certificates")
    }
    assert rows[f"{LIVE}/cert.pem", f"{LIVE}/privkey.pem"] == b"yes"
    assert rows["/etc/ssl/ec.pem", "/etc/ssl/ec.key"] == b"yes"
    assert rows[f"{LIVE}/chain.pem", f"{LIVE}/privkey.pem"] == b"no"


def test_upstreams(web: Machine) -> None:
    """Sockets and ports are tried as nginx's worker would: refused, missing, denied, accepting."""
    web.must("/usr/bin/python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('/run/dead.sock')\"")
    web.must("chmod 777 /run/dead.sock")
    web.must("install -d -m 700 /run/closed && ln -s /run/shop/gunicorn.sock /run/closed/s && touch /run/file.sock")
    web.must("chmod 660 /run/shop/gunicorn.sock && chgrp adm /run/shop/gunicorn.sock")
    targets = {
        "unix:/run/shop/gunicorn.sock": b"denied",
        "unix:/run/dead.sock": b"refused",
        "unix:/run/none.sock": b"missing",
        "unix:/run/file.sock": b"missing",
        "unix:/run/closed/s": b"denied",
        "127.0.0.1:1": b"refused",
        "[::1]:1": b"refused",
        "127.0.0.1:80": b"accepts",
        "localhost": b"accepts",
    }
    servers = "".join(f"server {target};\n" for target in targets if target != "localhost")
    web.write(
        "/etc/nginx/conf.d/upstreams.conf",
        f"upstream pool {{ {servers} }}\nserver {{ listen 8080; location / {{ proxy_pass http://localhost/x; }}\n"
        "location /p { proxy_pass http://pool; } location /v { proxy_pass http://$host; } }\n",
    )
    web.must("systemctl reload nginx")
    rows = {row[0].decode(): row[1] for row in understood(web.collect("--full")).rows("upstreams")}
    assert rows == targets


def test_upstream_of_a_busy_network(web: Machine) -> None:
    """A port that swallows everything is a timeout, and several of them do not add up."""
    web.must("nft 'add table inet t; add chain inet t o { type filter hook output priority 0; }'")
    web.must("nft add rule inet t o tcp dport 9000-9009 drop")
    servers = "".join(f"server 127.0.0.1:{port};" for port in range(9000, 9008))
    web.write("/etc/nginx/conf.d/upstreams.conf", f"upstream pool {{ {servers} }}\n")
    said = understood(web.collect("--full"))
    assert [row[1] for row in said.rows("upstreams")].count(b"timeout") == 8
    assert said.section("upstreams")["seconds"] < 4


def test_timers_and_crontabs(web: Machine) -> None:
    """What runs certbot is told with its state: timer, crontab, a script, a commented-out line, cron itself."""
    web.must("systemctl disable --now certbot.timer; mkdir -p /etc/cron.daily /var/spool/cron/crontabs")
    web.write("/usr/local/bin/renew-all", "#!/bin/sh\ncertbot renew\n", "755")
    web.write(
        "/etc/cron.d/ours",
        "#0 4 * * * root certbot renew --old\n17 3 * * * root /usr/local/bin/renew-all\n0 5 * * * root true\n",
    )
    web.write("/var/spool/cron/crontabs/root", "# run certbot sometimes\n@daily /opt/certbot/bin/certbot renew -q\n")
    web.write("/etc/cron.d/backup", "0 2 * * * root tar czf /srv/backup.tgz /etc/letsencrypt\n")
    web.write("/etc/cron.daily/letsencrypt", "#!/bin/sh\ncertbot renew\n", "755")
    web.write("/etc/cron.daily/renew.sh", "#!/bin/sh\ncertbot renew\n", "755")
    web.write("/etc/systemd/padlock/own-renewal.timer.alive", "true\n")
    web.write("/etc/systemd/padlock/own-renewal.timer.show", "Unit=own-renewal.service\n")
    web.write(
        "/etc/systemd/padlock/own-renewal.service.show",
        "ExecStart={ path=/usr/local/bin/renew-all ; argv[]=/usr/local/bin/renew-all ; }\n",
    )
    web.write("/etc/systemd/padlock/other.timer.alive", "true\n")
    web.write("/etc/systemd/padlock/other.timer.show", "Unit=other.service\n")
    rows = understood(web.collect("--full")).rows("certbot_timers")
    found = {(row[0], row[1]): row[2] for row in rows[:-1]}
    assert found[b"timer", b"certbot.timer"].startswith(b"inactive disabled")
    assert found[b"timer", b"own-renewal.timer"].startswith(b"active disabled")
    assert (b"timer", b"other.timer") not in found
    assert found[b"cron-inactive", b"/etc/cron.d/ours"] == b"0 4 * * * root certbot renew --old"
    assert found[b"cron", b"/etc/cron.d/ours"] == b"17 3 * * * root /usr/local/bin/renew-all"
    assert found[b"cron", b"/var/spool/cron/crontabs/root"] == b"@daily /opt/certbot/bin/certbot renew -q"
    assert (b"cron", b"/etc/cron.daily/letsencrypt") in found
    assert (b"cron-inactive", b"/etc/cron.daily/renew.sh") in found
    assert b"/etc/cron.d/backup" not in {row[1] for row in rows}
    assert rows[-1] == [b"cron-daemon", b"stopped"]
    web.must("cron")
    assert understood(web.collect("--full")).rows("certbot_timers")[-1] == [b"cron-daemon", b"running"]


def test_firewalls(web: Machine) -> None:
    """ufw's, nftables' and iptables' own words are told."""
    web.must("ufw --force enable && ufw allow 80/tcp && iptables -A INPUT -p tcp --dport 8443 -j DROP")
    said = understood(web.collect("--full"))
    assert b"Status: active" in said.output("ufw")
    assert b"80/tcp" in said.output("ufw")
    assert b"--dport 8443 -j DROP" in said.output("iptables")
    assert said.output("nftables").startswith(b'{"nftables": [')


def test_running_nginx_with_its_own_configuration(web: Machine) -> None:
    """The configuration is that of the nginx that runs, where root started it with another one."""
    web.must(
        "systemctl stop nginx && mkdir /etc/other && cp -r /etc/nginx/. /etc/other && nginx -c /etc/other/nginx.conf"
    )
    said = understood(web.collect("--full"))
    assert said.output("nginx_config").startswith(b"# configuration file /etc/other/nginx.conf:")
