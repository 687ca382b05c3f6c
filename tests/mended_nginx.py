"""Proof that the lines which a finding proposes heal it: run on real files, which the real nginx reads again.

    finding = mends(tmp_path, "nginx.proxy_headers", {"shop": "server { … }"})

Sites lie in sites-available and are linked from sites-enabled; `%certificate%` and `%key%` are a real pair.
"""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import trustme
from padlock.assess import assess
from padlock.evidence import Directive, Evidence
from padlock.findings import Finding

from tests.evidence_builder import fires, healthy, silent
from tests.host_builder import RELOAD, certbot, certificate_file, lineage, nginx, with_audit
from tests.real_nginx import MAIN, RealNginx


def laid(directory: Path, sites: Mapping[str, str]) -> tuple[Directive, ...]:
    """Write nginx's files and a certificate, and return what the real nginx prints of them."""
    pair = trustme.CA().issue_cert("example.com", "www.example.com")
    (directory / "cert.pem").write_bytes(pair.cert_chain_pems[0].bytes())
    pair.private_key_pem.write_to_path(directory / "key.pem")
    (directory / "site").write_text("include sites-enabled/*;")
    (directory / "nginx.conf").write_text(MAIN.format(directory=directory))
    for folder in ("sites-available", "sites-enabled"):
        (directory / folder).mkdir()
    for name, text in sites.items():
        filled = text.replace("%certificate%", f"{directory}/cert.pem").replace("%key%", f"{directory}/key.pem")
        (directory / "sites-available" / name).write_text(filled)
        (directory / "sites-enabled" / name).symlink_to(f"../sites-available/{name}")
    return taken(directory)


def taken(directory: Path) -> tuple[Directive, ...]:
    """Return what the real nginx reads of its files; it must find them valid."""
    found = RealNginx(directory, 0)
    tested = found.run("-t")
    assert tested.returncode == 0, tested.stderr
    return found.configuration()


def audited(
    directory: Path, configuration: tuple[Directive, ...], evidence: Evidence | None, fields: Mapping[str, Any]
) -> Evidence:
    """Return the evidence of a site on a machine with this configuration, its certificate certbot's."""
    paths = {"path": f"{directory}/cert.pem", "key_path": f"{directory}/key.pem"}
    return with_audit(
        evidence or healthy(),
        nginx=nginx(configuration=configuration, **fields),
        certificates=(certificate_file(**paths, real_path=paths["path"]),),
        certbot=certbot(lineages=(lineage(**paths),)),
    )


def mends(
    directory: Path, code: str, sites: Mapping[str, str], evidence: Evidence | None = None, **fields: Any
) -> Finding:
    """Return the first finding of a code after the lines of all of them were run, and it was gone.

    nginx is not reloaded; it must find the changed files valid.
    """
    ill = audited(directory, laid(directory, sites), evidence, fields)
    finding = fires(code, ill)
    found = [each.commands for each in assess(ill).findings if each.code == code]
    assert all(found), f"no commands: {finding.observed}"
    assert {commands[-1] for commands in found} == {RELOAD}
    lines = "\n".join(line for commands in found for line in commands[:-1])
    for _ in ("once", "by mistake twice"):
        subprocess.run(["bash", "-euc", lines], check=True, timeout=30)
    assert all(path.is_symlink() for path in (directory / "sites-enabled").iterdir())
    silent(code, audited(directory, taken(directory), evidence, fields))
    return finding
