"""What the collector never tells (keys, passwords, query strings), and what it must not hide with them."""

import pytest

from tests.host.machine import SITE_FILE, Machine
from tests.host_collector.reading import understood

pytestmark = pytest.mark.lab
SECRET = "hunter2hunter2"  # noqa: S105 — what is looked for
HTTP = f"""
# the password was {SECRET}
map $http_x_api_key $allowed {{ "{SECRET}" 1; default 0; }}
map $host $backend_token {{ shop.test {SECRET}; }}
upstream token_backend {{ server unix:/run/shop/gunicorn.sock; }}
server {{
    listen 8080; # token={SECRET}
    server_name token.example.com secret.example.com www.example.com;
    set $api_key "{SECRET}"; set $password '{SECRET}
{SECRET} ; }}';
    location /token {{
        proxy_pass http://token_backend; proxy_set_header Authorization "Basic {SECRET}";
        proxy_set_header X-Secret-Key {SECRET}; proxy_set_header Host $host;
        proxy_set_header Authorization $http_authorization;
        if ($arg_token = "{SECRET}") {{ return 403; }}
        fastcgi_param DB_PASSWORD {SECRET};
    }}
    location /away {{ return 301 https://www.example.com/?token={SECRET}&page=1; }}
}}
"""
LOG = f"""\
192.0.2.1 - - [x] "GET /a?token={SECRET} HTTP/1.1" 200 5 "https://shop.test/?q={SECRET} {SECRET}" "curl"
192.0.2.1 - - [x] "GET /b?x=1,{SECRET};y={SECRET} and {SECRET} HTTP/1.1" 301 5 "-" "curl"
[error] upstream timed out, request: "GET /c?{SECRET} HTTP/2.0", upstream: "http://unix:/x:/c?{SECRET}", host: "h"
Authorization: Basic {SECRET}
"Authorization": "Bearer {SECRET}"
authorization=Digest {SECRET} Cookie: session={SECRET}; other={SECRET}
https://user:{SECRET}@example.com/ password={SECRET} "api_key": "{SECRET}" --eab-hmac-key {SECRET}
Arguments: ['--eab-hmac-key', '{SECRET}'] eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ9.{SECRET}
"""


def test_configuration_without_its_secrets(web: Machine) -> None:
    """Values that the configuration calls secret are ***, comments are gone, and all else stays in its line."""
    web.write("/etc/nginx/conf.d/secrets.conf", HTTP)
    said = understood(web.collect("--full"))
    assert said.status("nginx_test") == 0, said.output("nginx_test")
    assert SECRET.encode() not in said.octets + said.text
    dumped = (
        said.output("nginx_config").partition(b"# configuration file /etc/nginx/conf.d/secrets.conf:\n")[2].decode()
    )
    lines = dumped.partition("\n# configuration file")[0].split("\n")
    assert lines[1] == ""
    assert lines[2] == 'map $http_x_api_key $allowed { "***" ***; *** ***; }'
    assert lines[6] == "    listen 8080; "
    assert lines[7] == "    server_name token.example.com secret.example.com www.example.com;"
    assert lines[8:10] == ['    set $api_key "***"; set $password \'***', "';"]
    assert 'proxy_set_header Authorization "***";' in lines[11]
    assert lines[12] == "        proxy_set_header X-Secret-Key ***; proxy_set_header Host $host;"
    assert lines[13] == "        proxy_set_header Authorization $http_authorization;"
    assert lines[14] == '        if ($arg_token = "***") { return 403; }'
    assert lines[17] == "    location /away { return 301 https://www.example.com/?token=***&page=1; }"
    assert [b"unix:/run/shop/gunicorn.sock", b"accepts", b""] in said.rows("upstreams")


def test_logs_without_credentials(web: Machine) -> None:
    """Query strings, authorization, cookies, passwords in URLs and tokens are ***; path, status and host stay."""
    web.must("mkdir -p /var/log/letsencrypt")
    for log in ("nginx/access.log", "nginx/error.log", "letsencrypt/letsencrypt.log"):
        web.write(f"/var/log/{log}", LOG)
    web.must(
        f"echo '0 3 * * * root certbot renew --post-hook \"curl https://u:{SECRET}@x/?{SECRET}\"' >/etc/cron.d/own"
    )
    said = understood(web.collect("--full"))
    for name in ("log_access", "log_error"):
        assert SECRET.encode() not in said.output(name), said.output(name).decode()
        assert b'"GET /a?*** HTTP/1.1" 200 5 "https://shop.test/?***" "curl"' in said.output(name)
        assert b'"GET /b?*** HTTP/1.1" 301 5' in said.output(name)
        assert b'request: "GET /c?*** HTTP/2.0", upstream: "http://unix:/x:/c?***", host: "h"' in said.output(name)
    assert SECRET.encode() not in said.output("certbot_timers")
    assert b"certbot renew --post-hook" in said.output("certbot_timers")
    # certbot's log has no quoted requests of visitors: only its first two lines are not its own.
    assert SECRET.encode() not in b"\n".join(said.output("log_certbot").split(b"\n")[2:])


def test_no_key_material(web: Machine) -> None:
    """A private key is told from nowhere: its file, beside its certificate, or where it does not belong."""
    key = web.must("cat /etc/letsencrypt/live/shop.test/privkey.pem")
    web.must("cd /etc/letsencrypt/live/shop.test && cat privkey.pem fullchain.pem >/etc/ssl/both.pem")
    web.must(f"sed -i 's#ssl_certificate .*#ssl_certificate /etc/ssl/both.pem;#' {SITE_FILE}")
    for place in ("/var/log/nginx/error.log", "/var/log/nginx/access.log", "/etc/letsencrypt/renewal-hooks/deploy/x"):
        web.must(f"mkdir -p $(dirname {place}) && cat >{place} && chmod 755 {place}", f"{key}nginx reloaded\n{key}")
    web.must("echo '0 3 * * * root certbot renew' >/etc/cron.d/own; cat >>/etc/cron.d/own", key)
    web.must("cat >>/etc/letsencrypt/renewal/shop.test.conf", key)
    web.write("/etc/nginx/conf.d/stray.conf", f"log_format stray '{key}';\n")
    said = understood(web.collect("--full"))
    (certificate, _) = said.rows("certificates")
    assert (certificate[0], certificate[7]) == (b"/etc/ssl/both.pem", b"yes")
    assert b"nginx reloaded" in said.output("log_error")
    for line in key.splitlines()[1:-1]:
        assert line.encode() not in said.text
    assert b"PRIVATE KEY" not in said.text


def test_key_that_is_no_file(web: Machine) -> None:
    """`ssl_certificate_key data:…` holds the key itself: only its scheme is told."""
    key = web.must("sed 's/$/\\\\n/' /etc/letsencrypt/live/shop.test/privkey.pem | tr -d '\\n'")
    web.must(f"sed -i 's#ssl_certificate_key .*#ssl_certificate_key \"data:{key}\";#' {SITE_FILE}")
    said = understood(web.collect("--full"))
    assert said.rows("certificates")[0][1] == b"data:"
    assert key[60:100].encode() not in said.text
