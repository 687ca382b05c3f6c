"""The document in the 24,000 characters that Systems Manager keeps, and in the 4 MB of --full."""

import pytest

from tests.host.machine import COLLECTOR, Machine
from tests.host_collector.reading import SHELLS, understood

pytestmark = pytest.mark.lab
SSM_CHARACTERS = 24_000
SITES = r"""
mkdir -p /etc/ssl/sites
openssl ecparam -name prime256v1 -genkey -noout -out /etc/ssl/sites/key
for i in $(seq 60); do
  pair=$((i % 20))
  [ -e /etc/ssl/sites/$pair.pem ] || openssl req -x509 -key /etc/ssl/sites/key -subj /CN=site$i.example -days 30 \
    -addext subjectAltName=$(openssl rand -hex 600 | fold -w 50 | sed 's/.*/DNS:&/' | paste -sd ,) \
    -out /etc/ssl/sites/$pair.pem
  cat >/etc/nginx/sites-enabled/a-site$i <<X
server { listen 80; server_name site$i.example www.site$i.example; return 301 https://\$host\$request_uri; }
server {
    listen 443 ssl; server_name site$i.example www.site$i.example;
    ssl_certificate /etc/ssl/sites/$pair.pem; ssl_certificate_key /etc/ssl/sites/key;
    root /srv/site$i/$(openssl rand -hex 16); location / { include proxy_params; proxy_pass http://127.0.0.1:80; }
}
X
done
"""
"""A server with 60 sites and 20 certificates of many names."""
BIG_LOG = "seq 100000 | sed 's/.*/line & of a log that repeats itself, again and again and again/' | tail -n 2000"


@pytest.mark.parametrize("shell", SHELLS)
def test_compresses_what_is_long(web: Machine, shell: str) -> None:
    """More than 23,000 characters come compressed, with nothing missing where that is enough."""
    web.must(f"{BIG_LOG} >/var/log/nginx/access.log")
    full, packed = web.collect("--full", shell=shell), web.collect(shell=shell)
    assert len(full) > SSM_CHARACTERS > len(packed)
    assert packed.startswith(b"padlock-host/1 gzip ")
    assert understood(packed).output("log_access") == understood(full).output("log_access")
    assert not any(section["cut"] for section in understood(packed).whole["sections"])


def test_short_ones_are_plain(web: Machine) -> None:
    """A host that says little gives plain JSON, unless it is told to compress."""
    web.must("systemctl stop nginx && rm -rf /etc/nginx/* /etc/letsencrypt/*")
    plain, packed = web.collect(), web.collect("--compress")
    assert plain.startswith(b'{"format":"padlock-host/1",')
    assert packed.startswith(b"padlock-host/1 gzip ")
    assert understood(plain).names == understood(packed).names


@pytest.mark.parametrize("shell", SHELLS)
def test_cuts_logs_first(web: Machine, shell: str) -> None:
    """What does not compress is cut: logs first, their oldest lines first; the configuration stays whole."""
    for log in ("access", "error"):
        words = "openssl rand -base64 90000 | tr -d '\\n' | tr / x | fold -w 32 | paste -d ' ' - - - - - -"
        web.must(f"{{ {words}; echo newest; }} >/var/log/nginx/{log}.log")
    document = web.collect(shell=shell)
    assert len(document) <= SSM_CHARACTERS
    said = understood(document)
    for log in ("log_access", "log_error"):
        assert said.section(log)["cut"]
        assert said.output(log).endswith(b"\nnewest\n")
        assert len(said.output(log).split(b"\n")[0]) == 197
    assert not any(section["cut"] for section in said.whole["sections"] if not section["name"].startswith("log_"))


def test_keeps_the_configuration_of_many_sites(web: Machine) -> None:
    """With 60 sites, logs and certificates are cut and the configuration is whole, in what there is room for."""
    web.must(SITES)
    web.must("openssl rand -hex 200000 | fold -w 40 >/var/log/nginx/access.log")
    whole, document = understood(web.collect("--full")), web.collect()
    said = understood(document)
    assert 18_000 < len(document) <= SSM_CHARACTERS  # in steps of a quarter
    assert said.section("log_access")["cut"]
    assert said.section("certificates")["cut"]
    assert not said.section("nginx_config")["cut"]
    assert said.output("nginx_config") == whole.output("nginx_config")
    # Of each pair there is still where it leads and whether it fits; of the first, the certificates themselves.
    rows = said.rows("certificates")
    for row, before in zip(rows, whole.rows("certificates"), strict=False):
        assert row[:8] == before[:8]
        assert row[8] in (before[8], b"")
    kept = [len(row) == 9 and row[8].startswith(b"-----BEGIN") and row[8].endswith(b"-----\n") for row in rows]
    assert kept[0]
    assert not kept[-1]
    assert kept == sorted(kept, reverse=True)
    assert not any(row[8] for row, is_kept in zip(rows, kept, strict=True) if not is_kept)


def test_media_types_are_left_out(web: Machine) -> None:
    """Of `types { … }` the lines stay and the types do not; what follows is there."""
    web.write("/etc/nginx/conf.d/types.conf", "types {\n  text/html html;\n  x/y z; } server {\n listen 81;\n}\n")
    said = understood(web.collect("--full"))
    assert said.status("nginx_test") == 0
    assert b"conf.d/types.conf:\ntypes {\n\n} server {\n listen 81;\n}\n" in said.output("nginx_config")
    assert b"application/json" not in said.output("nginx_config")
    assert not said.section("nginx_config")["cut"]


def test_fits_in_any_case(web: Machine) -> None:
    """A configuration that does not compress is cut as well, at whole lines, and every section is still there."""
    web.must("openssl rand -hex 300000 | fold -w 64 | sed 's/.*/set $x &;/' >/etc/nginx/snippets/x")
    web.must("echo broken >>/etc/nginx/sites-available/shop")
    document = web.collect()
    assert len(document) <= SSM_CHARACTERS
    said = understood(document)
    assert said.section("nginx_config")["cut"]
    assert said.output("nginx_config").endswith(b"\n")
    assert b"emerg" in said.output("nginx_test")


def test_full_has_a_bound(web: Machine) -> None:
    """--full stays below 4 MB where every octet takes six characters."""
    for log in range(4):
        web.must(f"head -c 400000 /dev/urandom | tr -d '\\n' | fold -b -w 590 >/var/log/nginx/{log}.log")
        text = f"access_log /var/log/nginx/{log}.log; error_log /var/log/nginx/{log}.log;\n"
        web.write(f"/etc/nginx/conf.d/{log}.conf", text)
    document = web.collect("--full")
    assert len(document) <= 4_000_000
    assert understood(document).names.count("log_access") == 4


def test_script_fits_a_document_of_systems_manager() -> None:
    """The script is ASCII, has nothing that Systems Manager would replace, and leaves room in a document's 64 KB."""
    script = COLLECTOR.read_bytes()
    assert script.isascii()
    assert b"{{" not in script
    assert len(script) < 48_000
