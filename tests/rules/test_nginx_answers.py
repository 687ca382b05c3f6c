"""What nginx answers to a plain request: our reading of a virtual server against the real nginx's own answer."""

from pathlib import Path

import pytest
from padlock.rules._nginx import effective, read
from padlock.rules._nginx_answers import answer, condition, proxied
from padlock.rules._nginx_patterns import Searches

from tests.host_builder import configuration
from tests.real_nginx import RealNginx, Reply, needed, running

TO_HTTPS = "return 301 https://$host$request_uri;"
CASES: tuple[tuple[str, str, str], ...] = (
    # what stands in the virtual server, our answer for /, our answer for /page
    (TO_HTTPS, "https", "https"),
    ("return 301 https://$server_name$request_uri;", "https", "https"),
    ("return https://example.com;", "https", "https"),
    ("return 301 $scheme://www.example.com$request_uri;", "http", "http"),
    ("return 301 http://www.example.com$request_uri;", "http", "http"),
    ("return 200 hello;", "content", "content"),
    ("return 404;", "refused", "refused"),
    ("return 404; " + TO_HTTPS, "refused", "refused"),
    ("rewrite ^ https://$host$request_uri? permanent;", "https", "https"),
    ("rewrite ^/(.*)$ https://$host/$1 permanent;", "https", "https"),
    ("rewrite ^/page https://$host/page redirect;", "content", "https"),
    ("rewrite ^/old/ /page last;", "content", "content"),
    ("rewrite ^/page /index.html last;", "content", "unknown"),
    ("if ($host = example.com) { return 301 https://$host$request_uri; } return 404;", "https", "https"),
    ("if ($host = www.example.com) { return 301 https://$host$request_uri; } return 404;", "refused", "refused"),
    ("if ($host ~* ^www\\.) { return 301 https://www.example.com; }", "content", "content"),
    ("if ($host !~ ^www\\.) { return 301 https://www.$host$request_uri; }", "https", "https"),
    ("if ($scheme = http) { return 301 https://$host$request_uri; }", "https", "https"),
    ('if ($scheme != "https") { rewrite ^ https://$host$uri permanent; }', "https", "https"),
    ("if ($https = '') { return 301 https://$host; }", "https", "https"),
    ("if ( $scheme = http ) { return 301 https://$host; }", "https", "https"),
    ("if ($https) { return 301 https://$host; }", "content", "content"),
    ('if ($http_x_forwarded_proto != "https") { return 301 https://$host$request_uri; }', "https", "https"),
    ("if ($http_x_forwarded_proto = http) { return 301 https://$host; }", "unknown", "unknown"),
    ("if ($http_user_agent ~ bot) { return 403; }", "unknown", "unknown"),
    ("if ($http_cookie) { set $seen 1; }", "content", "content"),
    ("if ($request_method = POST) { return 405; }", "content", "content"),
    ("if ($request_uri = /page) { return 301 https://$host/page; }", "content", "https"),
    ("if (-f $request_filename) { return 403; }", "unknown", "unknown"),
    ("if ($to_https) { return 301 https://$host$request_uri; }", "unknown", "unknown"),
    ("break; " + TO_HTTPS, "content", "content"),
    ("location / { " + TO_HTTPS + " }", "https", "https"),
    ("location = / { " + TO_HTTPS + " }", "https", "content"),
    ("location /page { " + TO_HTTPS + " } location / { return 200 a; }", "content", "https"),
    ("location ^~ /pa { return 200 a; } location ~ page { " + TO_HTTPS + " }", "content", "content"),
    ("location /pa { return 200 a; } location ~* PAGE { " + TO_HTTPS + " }", "content", "https"),
    ("location /pa { return 200 a; } location ~ PAGE { " + TO_HTTPS + " }", "content", "content"),
    ("rewrite ^/PAGE https://$host/page redirect;", "content", "content"),
    ("if ($host ~ EXAMPLE) { return 404; }", "content", "content"),
    ("if ($host ~* EXAMPLE) { return 404; }", "refused", "refused"),
    ("location ~* \\.(png|css)$ { return 404; } location / { " + TO_HTTPS + " }", "https", "https"),
    ("location ~ ^/pa { return 404; } location ~ ^/page { " + TO_HTTPS + " }", "content", "refused"),
    ("location /p { location /page { " + TO_HTTPS + " } return 200 p; }", "content", "https"),
    ("location / { location ~ e$ { return 404; } } location ~ page { " + TO_HTTPS + " }", "content", "refused"),
    ("location ^~ / { location /p { root {root}; } } location ~ p { return 404; }", "content", "content"),
    ("location =/page { return 404; } location ^~/ { " + TO_HTTPS + " }", "https", "refused"),
    ("location ~ ^/(?!x) { return 404; } location / { " + TO_HTTPS + " }", "unknown", "unknown"),
    ("location / { deny all; }", "refused", "refused"),
    ("location / { allow 127.0.0.1; deny all; }", "unknown", "unknown"),
    ("location / { internal; }", "refused", "refused"),
    ("location / { try_files $uri $uri/ =404; }", "content", "content"),
    ("location / { try_files $uri @app; } location @app { include app; }", "content", "content"),
    ("location / { try_files /none @secure; } location @secure { " + TO_HTTPS + " }", "unknown", "unknown"),
    ("location / { proxy_pass http://127.0.0.1:{port}/; proxy_set_header Host up.test; }", "content", "content"),
    ("error_page 404 = @secure; location @secure { " + TO_HTTPS + " } return 404;", "unknown", "unknown"),
    ("error_page 404 /page; return 404;", "refused", "refused"),
    ("set $a b; return 301 https://$host/$a;", "https", "https"),
    ("return 301 /page;", "unknown", "unknown"),
    ("location /.well-known/acme-challenge/ { return 200 a; } location / { " + TO_HTTPS + " }", "https", "https"),
)


def agrees(kind: str, reply: Reply) -> bool:
    """Whether nginx's answer is of this kind."""
    if kind == "https":
        return reply.status in (301, 302) and reply.location.startswith("https://")
    if kind == "http":
        return reply.status in (301, 302) and reply.location.startswith("http://")
    if kind == "content":
        return reply.status == 200
    return kind == "unknown" or reply.status in (403, 404)


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Yield one nginx with every case on an address of its own."""
    directory = tmp_path_factory.mktemp("answers")
    root = directory / "root"
    root.mkdir()
    (root / "index.html").write_text("index")
    (root / "page").write_text("page")
    directory.chmod(0o755)
    text = "map $host $to_https { default 1; }\n"
    for index, (rules, _, _) in enumerate(CASES):
        text += (
            f"server {{ listen 127.0.2.{index + 1}:{{port}}; server_name example.com; root {root};\n"
            f"{rules.replace('{root}', str(root))}\n}}\n"
        )
    text += "server { listen {port}; server_name up.test; return 200 app; }\n"
    for parent in directory.parents:
        if parent.stat().st_uid == 0 and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    app = "proxy_pass http://127.0.0.1:{port}; proxy_set_header Host up.test;"
    with running(directory, text, {"app": app}) as running_nginx:
        yield running_nginx


@needed
@pytest.mark.parametrize("case", range(len(CASES)), ids=[rules[:50] for rules, _, _ in CASES])
def test_answers(nginx: RealNginx, case: int) -> None:
    """The real nginx does what we say of the virtual server, for the front page and for another."""
    rules, *kinds = CASES[case]
    server = read(nginx.configuration()).servers[case]
    for path, kind in zip(("/", "/page"), kinds, strict=True):
        assert answer(server, "example.com", path).kind == kind, (rules, path)
        assert agrees(kind, nginx.ask("example.com", path, f"127.0.2.{case + 1}")), (rules, path)


def test_unread_conditions() -> None:
    """A condition that is not one, or has more to it, is neither true nor false."""
    for args in ((), ("$host",), ("($host", "=", "a", "b)"), ("(", ")"), ("($nobody", "=", "a)")):
        assert condition(args, {"host": ("a",)}, Searches()) is None
    assert condition(("(", "$host", "=", "a", ")"), {"host": ("a",)}, Searches()) is True


def test_scripts_are_not_guessed() -> None:
    """A script anywhere on a request's way makes the answer unknown."""
    lua = 'rewrite_by_lua_block { return ngx.redirect("https://" .. ngx.var.host) }'
    for text in (
        f"http {{ {lua} server {{ listen 80; root /a; }} }}",
        f"http {{ server {{ {lua} root /a; }} }}",
        f"http {{ server {{ location / {{ {lua} }} }} }}",
    ):
        assert answer(read(configuration(text)).servers[0], "example.com", "/").kind == "unknown"


@needed
def test_inherited_headers(tmp_path: Path) -> None:
    """Headers to the app are inherited all or none, through locations, `if` and included files, as nginx does it."""
    listing = " ".join(f"$http_{name}" for name in ("x_a", "x_b", "x_c"))
    text = (
        "proxy_set_header X-A http;\n"
        f'server {{ listen 127.0.3.1:{{port}}; server_name up.test; return 200 "{listing}"; }}\n'
        "server { listen 127.0.3.2:{port}; server_name a.test; set $up 127.0.3.1:{port};\n"
        "  location /inherits { proxy_pass http://127.0.3.1:{port}; }\n"
        "  location /own { proxy_set_header X-B own; proxy_pass http://127.0.3.1:{port}; }\n"
        "  location /params { include params; proxy_pass http://127.0.3.1:{port}; }\n"
        "  location /outer { proxy_set_header X-B outer;\n"
        "    location /outer/inner { proxy_pass http://127.0.3.1:{port}; }\n"
        "    location /outer/other { proxy_set_header X-C inner; proxy_pass http://127.0.3.1:{port}; }\n"
        "    proxy_pass http://127.0.3.1:{port}; }\n"
        "  location /if { proxy_set_header X-B if; if ($scheme = http) { proxy_pass http://127.0.3.1:{port}; } }\n"
        "}\n"
        "server { listen 127.0.3.2:{port}; server_name b.test; proxy_set_header X-C server;\n"
        "  location /inherits { proxy_pass http://127.0.3.1:{port}; } }\n"
    )
    with running(tmp_path, text, {"params": "proxy_set_header X-B $scheme; proxy_set_header X-C params;"}) as nginx:
        compared = 0
        for server in read(nginx.configuration()).servers[1:]:
            for found in proxied(server.levels):
                sent = {each.args[0]: each.args[1] for each in effective(found.levels, "proxy_set_header")}
                ours = " ".join(sent.get(name, "").replace("$scheme", "http") for name in ("X-A", "X-B", "X-C"))
                theirs = nginx.ask(server.names[0][0], found.paths[-1], "127.0.3.2").body
                assert ours == theirs, found
                compared += 1
        assert compared == 8
