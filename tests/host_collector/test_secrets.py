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
VISITORS = f"""
map $cookie_login $in {{ default 0; "{SECRET}" 1; }}
map $http_x_signature $signed {{ "{SECRET}" 1; }}
map $http_x_forwarded_proto $scheme_seen {{ default $scheme; https https; }}
server {{
    listen 8081; server_name signature.example.com auth.example.com;
    add_header Set-Cookie "auth={SECRET}; Secure"; add_header Strict-Transport-Security "max-age=300" always;
    if ($arg_key = "{SECRET}") {{ return 403; }}
    if ($cookie_session = {SECRET}) {{ set $mysig {SECRET}; }}
    if ($http_x_auth_key != {SECRET}) {{ return 200 "password={SECRET}"; }}
    if ($host = www.example.com) {{ return 301 https://example.com$request_uri; }}
    location / {{
        proxy_set_header Cookie "sessionid={SECRET}"; proxy_set_header X-Auth {SECRET};
        proxy_set_header X-Amz-Signature '{SECRET}'; proxy_set_header X-Vault {SECRET};
        proxy_set_header X-Own $host; proxy_set_header Authorization ""; proxy_set_header X-Forwarded-Proto https;
        proxy_set_header Connection "upgrade"; proxy_cookie_path / "/; Secure"; proxy_pass_header Set-Cookie;
        set $target http://user:{SECRET}@127.0.0.1:8000; proxy_pass $target/x?sig={SECRET};
    }}
    location /said {{ return 200 '{{"token": "{SECRET}", "state": "up"}}'; }}
}}
"""
COMMANDS = (
    f"curl -u admin:{SECRET} https://x",
    f"curl -fsSu admin:{SECRET} https://x",
    f"curl --user admin:{SECRET} https://x",
    f"curl --user=admin:{SECRET} https://x",
    f"curl --proxy-user 'admin:{SECRET} {SECRET}' https://x",
    f"curl -H 'X-Auth: {SECRET}' https://x",
    f"curl --cookie 'session={SECRET}' https://x",
    f"sshpass -p {SECRET} ssh x",
)
LOG = f"""\
192.0.2.1 - - [x] "GET /a?token={SECRET} HTTP/1.1" 200 5 "https://shop.test/?q={SECRET} {SECRET}" "curl"
192.0.2.1 - - [x] "GET /b?x=1,{SECRET};y={SECRET} and {SECRET} HTTP/1.1" 301 5 "-" "curl"
[error] upstream timed out, request: "GET /c?{SECRET} HTTP/2.0", upstream: "http://unix:/x:/c?{SECRET}", host: "h"
Authorization: Basic {SECRET}
"Authorization": "Bearer {SECRET}"
authorization=Digest {SECRET} Cookie: session={SECRET}; other={SECRET}
https://user:{SECRET}@example.com/ password={SECRET} "api_key": "{SECRET}" --eab-hmac-key {SECRET}
dns_cloudflare_api_token = {SECRET}
dns_linode_key = {SECRET} aws_secret_access_key  =  "{SECRET}"
Running deploy-hook command: curl -u admin:{SECRET} https://shop.test/
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


def test_what_visitors_must_know(web: Machine) -> None:
    """Cookies, signatures, keys of the query and what only the app should get are ***; what rules judge stays."""
    web.write("/etc/nginx/conf.d/visitors.conf", VISITORS)
    said = understood(web.collect("--full"))
    assert said.status("nginx_test") == 0, said.output("nginx_test")
    dumped = said.output("nginx_config").partition(b"conf.d/visitors.conf:\n")[2].decode()
    lines = dumped.partition("\n# configuration file")[0].split("\n")
    assert SECRET.encode() not in said.text, "\n".join(lines)
    assert [line.strip() for line in lines[1:-1]] == [
        'map $cookie_login $in { *** ***; "***" ***; }',
        'map $http_x_signature $signed { "***" ***; }',
        "map $http_x_forwarded_proto $scheme_seen { default $scheme; https https; }",
        "server {",
        "listen 8081; server_name signature.example.com auth.example.com;",
        'add_header Set-Cookie "***"; add_header Strict-Transport-Security "max-age=300" always;',
        'if ($arg_key = "***") { return 403; }',
        "if ($cookie_session = ***) { set $mysig ***; }",
        'if ($http_x_auth_key != ***) { return 200 "password=***"; }',
        "if ($host = www.example.com) { return 301 https://example.com$request_uri; }",
        "location / {",
        'proxy_set_header Cookie "***"; proxy_set_header X-Auth ***;',
        "proxy_set_header X-Amz-Signature '***'; proxy_set_header X-Vault ***;",
        'proxy_set_header X-Own $host; proxy_set_header Authorization ""; proxy_set_header X-Forwarded-Proto https;',
        'proxy_set_header Connection "upgrade"; proxy_cookie_path / "/; Secure"; proxy_pass_header Set-Cookie;',
        "set $target http://***@127.0.0.1:8000; proxy_pass $target/x?sig=***;",
        "}",
        """location /said { return 200 '{"token": "***", "state": "up"}'; }""",
        "}",
    ]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (f"location /x {{ proxy_pass http://user:{SECRET}@app.test:8000; }}", 'in upstream "***@app.test:8000" in'),
        (
            f"location /x {{ proxy_pass http://127.0.0.1:80; auth_token {SECRET}; }}",
            'unknown directive "auth_token" in',
        ),
        ("servername shop.test;", 'unknown directive "servername" in'),
        (f"{SECRET}; listen 81;", 'unknown directive "***" in'),
        (f'set $api_key "{SECRET}" "{SECRET}";', 'invalid number of arguments in "set" directive in'),
        (f"listen 81 password={SECRET};", 'invalid parameter "password=***" in'),
    ],
)
def test_complaints_without_secrets(web: Machine, line: str, complaint: str) -> None:
    """`nginx -t` quotes the line that is wrong: without its secrets, with its place and the directive's name."""
    web.write("/etc/nginx/conf.d/secrets.conf", f"server {{ {line} }}\n")
    said = understood(web.collect("--full"))
    assert f"{complaint} /etc/nginx/conf.d/secrets.conf:1".encode() in said.output("nginx_test")
    assert SECRET.encode() not in said.output("nginx_test")
    if line != f"{SECRET}; listen 81;":  # as a directive's name, nothing tells it from a mistyped one
        assert SECRET.encode() not in said.text
    if "app.test" in line:
        assert b"app.test:8000" in [row[0] for row in said.rows("upstreams")]


def test_complaint_of_a_masked_word(web: Machine) -> None:
    """A word that the configuration masks for what stands before it is masked in the complaint, too."""
    text = f'map $http_x_api_key $known {{ "{SECRET}" 1; "{SECRET}" 2; }}\n'
    web.write("/etc/nginx/conf.d/secrets.conf", text)
    said = understood(web.collect("--full"))
    assert b'conflicting parameter "***" in /etc/nginx/conf.d/secrets.conf:1' in said.output("nginx_test")
    assert SECRET.encode() not in said.text


def test_commands_without_credentials(web: Machine) -> None:
    """What cron lines and hooks give curl to log in with is ***; the commands themselves stay."""
    entries = "".join(
        f'{minute} 3 * * * root certbot renew --deploy-hook "{each}"\n' for minute, each in enumerate(COMMANDS)
    )
    web.write("/etc/cron.d/own", entries)
    script = "\n".join(f"{each} # nginx" for each in COMMANDS)
    web.must("mkdir -p /etc/letsencrypt/renewal-hooks/deploy /etc/letsencrypt/renewal-hooks/post")
    web.write("/etc/letsencrypt/renewal-hooks/deploy/a", script, "755")
    web.write("/etc/letsencrypt/renewal-hooks/post/b", "\n".join(reversed(script.split("\n"))), "755")
    web.write("/etc/letsencrypt/renewal/own.conf", "".join(f"deploy_hook = {each}\n" for each in COMMANDS))
    web.must("echo '9 9 * * * root sudo -u www-data certbot renew && systemctl reload nginx' >>/etc/cron.d/own")
    said = understood(web.collect("--full"))
    for name in ("certbot_timers", "certbot_renewal_conf"):
        assert SECRET.encode() not in said.output(name), said.output(name).decode()
        assert said.output(name).count(b"curl") >= len(COMMANDS) - 1
    assert b"curl -u *** https://x" in said.output("certbot_timers")
    assert b"sudo -u www-data certbot renew && systemctl reload nginx" in said.output("certbot_timers")


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
