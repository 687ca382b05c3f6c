"""Cases of rules/nginx_certificates.py."""

import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from padlock.evidence import CertificateFile, Directive, Evidence
from padlock.findings import Severity
from padlock.probes.host.nginx_config import parse

from tests.evidence_builder import HOSTS, NOW, certificate, fires, healthy, report, silent, unassessed
from tests.host_builder import (
    CERTIFICATE,
    KEY,
    LIVE,
    RELOAD,
    SITE,
    SITE_FILE,
    certbot,
    certificate_file,
    dump,
    lineage,
    nginx,
    site,
    with_audit,
)

COPY, COPY_KEY = "/etc/nginx/ssl/shop.pem", "/etc/nginx/ssl/shop.key"
OLD = certificate(serial="0F", not_before=NOW - timedelta(days=85), not_after=NOW + timedelta(days=5))


def named(path: str = CERTIFICATE, key: str = KEY, text: str = SITE) -> tuple[Directive, ...]:
    """Return a configuration whose block for HTTPS names this pair."""
    return site(text.replace(CERTIFICATE, path).replace(KEY, key))


def kept(configuration: tuple[Directive, ...], *files: CertificateFile, **fields: Any) -> Evidence:
    """Return a machine with this configuration and these files."""
    return with_audit(healthy(), nginx=nginx(configuration=configuration), certificates=files, **fields)


def copy(**fields: Any) -> CertificateFile:
    """Return a pair that lies outside certbot's directory."""
    return certificate_file(**{"path": COPY, "key_path": COPY_KEY, "real_path": COPY, **fields})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"fault": "missing", "certificate": None}, f'ssl_certificate "{CERTIFICATE}" does not exist'),
        ({"fault": "unreadable", "certificate": None}, "cannot be read"),
        ({"fault": "malformed", "certificate": None}, "is no certificate in PEM form"),
        ({"key_fault": "missing", "key_matches": None}, f'ssl_certificate_key "{KEY}" does not exist'),
        ({"key_matches": False}, f'"{KEY}" is not the key of "{CERTIFICATE}"'),
        ({"real_path": CERTIFICATE}, "is a file of its own where certbot keeps a link"),
    ],
)
def test_faults_of_the_files(fields: dict[str, Any], said: str) -> None:
    """A file that is missing, unreadable, no certificate, of another key or no link is a finding at its line."""
    evidence = kept(named(), certificate_file(**fields))
    finding = fires("nginx.certificate_path", evidence)
    assert (finding.subject, finding.severity) == ("example.com on web-1", Severity.ERROR)
    assert said in finding.observed
    assert f"{SITE_FILE}:14" in finding.observed
    assert [row.status for row in report(evidence).checklist if row.step == 9] == ["fail"]


def test_a_numbered_file() -> None:
    """A file of archive/ stays behind at the next renewal; the links are proposed in its place."""
    path, key = (f"/etc/letsencrypt/archive/example.com/{name}3.pem" for name in ("fullchain", "privkey"))
    finding = fires(
        "nginx.certificate_path", kept(named(path, key), certificate_file(path=path, key_path=key, real_path=path))
    )
    assert "numbered file" in finding.observed
    edit = r"sed -i --follow-symlinks '{0}s|\b{1}[[:space:]][^;]*;|{1} {2};|' " + SITE_FILE
    assert finding.commands == (
        edit.format(14, "ssl_certificate", CERTIFICATE),
        edit.format(15, "ssl_certificate_key", KEY),
        RELOAD,
    )


def test_without_its_chain() -> None:
    """cert.pem lacks the chain that fullchain.pem has."""
    path = f"{LIVE}/cert.pem"
    finding = fires("nginx.certificate_path", kept(named(path), certificate_file(path=path)))
    assert finding.expected == "fullchain.pem"
    assert len(finding.commands) == 2, "the key is right"


def test_another_lineage() -> None:
    """A certificate of certbot's for other names is a finding; certbot's for the host is proposed."""
    path = "/etc/letsencrypt/live/other.test/fullchain.pem"
    key = path.replace("fullchain", "privkey")
    other = certificate(serial="0A", dns_names=("other.test",))
    lines = certbot(lineages=(lineage(), lineage(name="other.test", names=("other.test",), path=path, key_path=key)))
    file = certificate_file(path=path, key_path=key, certificate=other)
    finding = fires("nginx.certificate_path", kept(named(path, key), file, certbot=lines))
    assert 'is for other.test; certbot has "example.com" for example.com' in finding.observed
    assert CERTIFICATE in finding.commands[0]


def test_a_copy() -> None:
    """A copy of certbot's certificate is a warning, unless a hook may renew it; due or expired it is an error."""
    unhooked = certbot(reload_hook=False)
    finding = fires("nginx.certificate_path", kept(named(COPY, COPY_KEY), copy(), certbot=unhooked))
    assert finding.severity is Severity.WARNING
    assert "is a copy of certbot's certificate" in finding.observed
    silent("nginx.certificate_path", kept(named(COPY, COPY_KEY), copy()))
    due = fires("nginx.certificate_path", kept(named(COPY, COPY_KEY), copy(certificate=OLD)))
    assert (due.severity, "due for renewal" in due.observed) == (Severity.ERROR, True)
    expired = certificate(serial="0F", not_after=NOW - timedelta(days=1))
    assert (
        "expired on"
        in fires("nginx.certificate_path", kept(named(COPY, COPY_KEY), copy(certificate=expired))).observed
    )


def test_certificates_of_others() -> None:
    """A sound certificate that is not certbot's, a link to certbot's, and one of two lineages are all well."""
    bought = certificate(serial="0C", issuer="CN=R1,O=DigiCert Inc,C=US", not_after=NOW + timedelta(days=5))
    silent("nginx.certificate_path", kept(named(COPY, COPY_KEY), copy(certificate=bought)))
    silent("nginx.certificate_path", kept(named(COPY, COPY_KEY), copy(certificate=OLD), certbot=None))
    silent(
        "nginx.certificate_path",
        kept(named(COPY, COPY_KEY), copy(real_path="/etc/letsencrypt/archive/example.com/fullchain3.pem")),
    )
    second = f"{LIVE}-0001/fullchain.pem"
    known = certbot(lineages=(lineage(), lineage(name="example.com-0001", path=second)))
    file = certificate_file(path=second, real_path=f"{second}.real", certificate=certificate(serial="0D"))
    silent("nginx.certificate_path", kept(named(second), file, certbot=known))


def test_paths_made_up_for_each_request() -> None:
    """A path with a variable, or a key in an engine, leads to no file that could be looked at."""
    silent("nginx.certificate_path", kept(named("/etc/ssl/$ssl_server_name.pem")))
    silent(
        "nginx.certificate_path",
        kept(named(key="engine:pkcs11:shop"), certificate_file(key_path="engine:pkcs11:shop")),
    )


def test_inherited_and_default_certificates() -> None:
    """A certificate stated in `http`, or that of the socket's default server, is the host's too."""
    lifted = SITE.replace(f"    ssl_certificate {CERTIFICATE};\n    ssl_certificate_key {KEY};\n", "")
    pair = f"ssl_certificate {CERTIFICATE}; ssl_certificate_key {KEY};"
    for text in (f"{pair}\n{lifted}", f"server {{ listen 443 ssl default_server; {pair} }}\n{lifted}"):
        evidence = kept(site(text), certificate_file(fault="missing", certificate=None))
        assert f"{SITE_FILE}:1" in fires("nginx.certificate_path", evidence).observed


def test_relative_paths() -> None:
    """A relative path counts from the directory of the main file."""
    file = certificate_file(path="/etc/nginx/ssl/a.pem", key_path="/etc/nginx/ssl/a.key", key_matches=False)
    assert fires("nginx.certificate_path", kept(named("ssl/a.pem", "ssl/a.key"), file))


def test_unknown_files() -> None:
    """Without root or a listing of the files nothing is known of them."""
    assert "root" in unassessed("nginx.certificate_path", with_audit(healthy(), root=False))
    assert "nothing was gathered" in unassessed("nginx.certificate_path", with_audit(healthy(), certificates=None))


def test_a_block_that_others_share_is_left_alone() -> None:
    """Where another site has the same line, certbot's certificate without its name is not put there."""
    pair = f"ssl_certificate {COPY}; ssl_certificate_key {COPY_KEY};\n"
    text = pair + "server { listen 443 ssl; server_name example.com; }"
    file = copy(fault="missing", certificate=None)
    assert fires("nginx.certificate_path", kept(site(text), file)).commands
    shared = text + "server { listen 443 ssl; server_name other.test; }"
    assert fires("nginx.certificate_path", kept(site(shared), file)).commands == ()


@pytest.mark.parametrize("joined", ["\n", " "], ids=["two lines", "one line"])
def test_the_lines_name_the_links(tmp_path: Path, joined: str) -> None:
    """Run on a file, the proposed lines put certbot's links into it and nothing else."""
    file = tmp_path / "it's a shop"
    rest = "listen 443 ssl; server_name example.com www.example.com;\n"
    text = f"server {{\n{rest}ssl_certificate {COPY};{joined}ssl_certificate_key {COPY_KEY}; }}\n"
    file.write_text(text)
    main = f'events {{ }} http {{ include "{file}"; }}'
    broken = copy(key_matches=False)
    before = kept(parse(dump({"/etc/nginx/nginx.conf": main, str(file): text})), broken)
    lines = fires("nginx.certificate_path", before).commands
    subprocess.run(["bash", "-euc", "\n".join(lines[:-1])], check=True, timeout=30)
    assert file.read_text() == text.replace(COPY, CERTIFICATE).replace(COPY_KEY, KEY)
    after = parse(dump({"/etc/nginx/nginx.conf": main, str(file): file.read_text()}))
    silent("nginx.certificate_path", kept(after, broken, certificate_file()))


def test_hostile_paths_give_no_lines() -> None:
    """A path of certbot's with a quote or a newline is written into no file, a file's with one into no line."""
    bad = certbot(lineages=(lineage(path=f"{LIVE}/full;chain.pem"),))
    assert (
        fires("nginx.certificate_path", kept(named(), certificate_file(key_matches=False), certbot=bad)).commands
        == ()
    )
    pair = f"ssl_certificate {COPY}; ssl_certificate_key {COPY_KEY};"
    text = f"server {{ listen 443 ssl; server_name {' '.join(HOSTS)}; {pair} }}"
    file = "/etc/nginx/a\x1b[31mb"
    both = parse(dump({"/etc/nginx/nginx.conf": "http { include a*; }", file: text}))
    assert fires("nginx.certificate_path", kept(both, copy(key_matches=False))).commands == ()


def test_default_server_that_turns_away() -> None:
    """A default server that answers 404 is no host's: its own certificate is not the wrong one of a misspelt host."""
    pair = f"ssl_certificate {COPY}; ssl_certificate_key {COPY_KEY};"
    catch_all = f"server {{ listen 443 ssl default_server; server_name _; {pair} return 404; }}\n"
    misspelt = SITE.replace("server_name example.com", "server_name exmaple.com")
    own = copy(certificate=certificate(dns_names=("default.example",)))
    silent("nginx.certificate_path", kept(site(catch_all + misspelt), own, certificate_file()))
    pages = catch_all.replace("return 404;", "root /srv/shop;")
    assert COPY in fires("nginx.certificate_path", kept(site(pages + misspelt), own, certificate_file())).observed
