"""Cases of rules/_passes.py: which upstream serves the front page of a host."""

import pytest
from padlock.rules._nginx import read
from padlock.rules._passes import passes

from tests.host_builder import configuration

HEAD = "listen 443 ssl; server_name example.com;"
APP, OTHER = "proxy_pass http://unix:/app;", "proxy_pass http://unix:/other;"


def app_of(rules: str) -> dict[str, bool]:
    """Return target → whether it is the app's."""
    http = read(configuration(f"http {{ server {{ {HEAD} {rules} }} }}"))
    return {way.targets[0]: way.app for way in passes(http, "example.com", (80, 443))}


@pytest.mark.parametrize(
    "rules",
    [
        f"location / {{ {APP} }}",
        f"location / {{ if ($args) {{ {APP} }} }}",
        f"location / {{ try_files $uri @app; }} location @app {{ {APP} }}",
        f"location / {{ try_files $uri $uri/ /index.php?$args; }} location ~ \\.php$ {{ {APP} }}",
        f"root /srv; index index.html index.php; location ~ \\.php$ {{ {APP} }}",
        f"location / {{ error_page 404 = @app; }} location @app {{ {APP} }}",
        f"location = / {{ return 302 /shop/; }} location /shop/ {{ {APP} }}",
        f"location = / {{ return 301 https://example.com/shop/; }} location /shop/ {{ {APP} }}",
        f"location / {{ root /srv; auth_request /auth; }} location = /auth {{ internal; {APP} }}",
        f"location = / {{ {APP} }}",
        f"location ~ ^/ {{ {APP} }}",
        f"location / {{ location /x/ {{ {OTHER} }} {APP} }}",
    ],
)
def test_the_app(rules: str) -> None:
    """What answers the front page is the app, by whatever way; a location beside it is not."""
    found = app_of(f"{rules} location /grafana/ {{ {OTHER} }}")
    assert found == {"unix:/app": True, "unix:/other": False}


@pytest.mark.parametrize(
    "rules",
    [
        f"location / {{ rewrite ^ /x last; }} location /x {{ {APP} }}",
        f"location ~ ^(?=/)a++$ {{ {APP} }}",
    ],
    ids=["rewrite", "a pattern that is not tried"],
)
def test_not_to_be_told(rules: str) -> None:
    """Where it cannot be told what answers the front page, every place may be the app."""
    assert app_of(rules) == {"unix:/app": True}


def test_no_app() -> None:
    """A front page of files, or a redirect of all, makes nothing the app."""
    assert app_of(f"root /srv; location /x {{ {OTHER} }}") == {"unix:/other": False}
    assert app_of(f"location / {{ return 301 https://www.example.com$request_uri; }} location /x {{ {OTHER} }}") == {
        "unix:/other": False
    }
    assert app_of(f"return 301 https://www.example.com$request_uri; location /x {{ {OTHER} }}") == {}


def test_endless() -> None:
    """Ways that lead in circles, or to ever more places, come to an end."""
    many = " ".join(f"i{number}/" for number in range(100))
    assert app_of(f"index {many}; location /x {{ {OTHER} }}") == {"unix:/other": False}
    assert app_of(f"location / {{ try_files a @b; }} location @b {{ try_files c / @b; }} location /x {{ {OTHER} }}")
