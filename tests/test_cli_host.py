"""`padlock audit-host` and `--host-evidence`: a machine's word about itself beside what is seen from outside."""

import base64
import gzip
import json
import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from padlock import evidence
from padlock.cli import host_evidence, main
from padlock.cli.arguments import parser
from padlock.probes.host import read

from tests.host_document import document, section
from tests.loopback_site import LoopbackSite

PADLOCK = str(Path(sys.executable).parent / "padlock")
ROOT = Path(__file__).parents[1]


@pytest.fixture
def site(shop: LoopbackSite, tmp_path: Path) -> list[str]:
    """Return the options with which the command sees a healthy site on loopback."""
    file = tmp_path / "site.json"
    file.write_text(json.dumps(shop.declaration))
    return ["--site-file", str(file), "--resolver", shop.resolver, "--allow-network", "127.0.0.0/8"]


def today(**fields: Any) -> str:
    """Return the document of a machine that was asked just now."""
    return document(section("listeners", "127.0.0.1\t443\tnginx\n"), at=datetime.now(UTC), **fields)


def machines(out: Path) -> list[str]:
    """Return the names of the machines in written evidence."""
    return [host.name for host in evidence.decode(out.read_bytes()).host or ()]


class TestHostEvidence:
    """`padlock check --host-evidence`."""

    def test_files_of_several_machines(self, site: list[str], tmp_path: Path) -> None:
        """Each file's machine is part of the evidence, plain or compressed."""
        plain, packed, out = tmp_path / "1.json", tmp_path / "2.json", tmp_path / "evidence.json"
        plain.write_text(today(host="web-1"))
        packed.write_text(
            f"padlock-host/1 gzip {base64.encodebytes(gzip.compress(today(host='web-2').encode())).decode()}"
        )
        files = ["--host-evidence", str(plain), "--host-evidence", str(packed)]
        assert main(["check", *site, *files, "--evidence-out", str(out), "--json"]) in (0, 1)
        assert machines(out) == ["web-1", "web-2"]

    def test_stdin(self, site: list[str], tmp_path: Path) -> None:
        """`-` reads what another command pipes in."""
        out = tmp_path / "evidence.json"
        ended = subprocess.run(
            [PADLOCK, "check", *site, "--host-evidence", "-", "--evidence-out", str(out), "--json"],
            input=today(host="web-1"),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (ended.returncode in (0, 1), ended.stderr) == (True, "")
        assert machines(out) == ["web-1"]

    @pytest.mark.parametrize("packed", [False, True])
    def test_a_greeting_before_the_document(self, packed: bool) -> None:
        """What a login prints before the collector's output is passed over."""
        written = today(host="web-1")
        if packed:
            written = f"padlock-host/1 gzip {base64.b64encode(gzip.compress(written.encode())).decode()}\n"
        greeting = b"Welcome to {web-1}\r\n\xff Last login: Fri\n\n"
        assert host_evidence.read(greeting + written.encode()).name == "web-1"

    def test_without_it_there_is_none(self, site: list[str], tmp_path: Path) -> None:
        """A check from outside alone has no machine, declared or not: here is no table of audits to look into."""
        out = tmp_path / "evidence.json"
        main(["check", *site, "--evidence-out", str(out), "--json"])
        assert evidence.decode(out.read_bytes()).host is None

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("", "it is empty: see whether the collector, or the ssh that ran it, failed"),
            (" \n", "it is empty"),
            ("Welcome to {web-1}\n{ no document }", "no document of the collector"),
            ("nginx: the configuration file is fine", "no document of the collector"),
            ("\x00\xff", "no document of the collector"),
            ("[" * 100_000, "no document of the collector"),
            (today()[:-9], "no document of the collector"),
            (document(format="padlock-host/7"), "padlock-host/7"),
            ("padlock-host/1 gzip !!!!", "compressed document cannot be read"),
        ],
    )
    def test_file_that_is_no_evidence(
        self, content: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A file that cannot be used is one clear line with how to make one, before anything is contacted."""
        file = tmp_path / "web-1.json"
        file.write_bytes(content.encode("latin-1"))
        assert main(["check", "example.com", "--host-evidence", str(file)]) == 2
        told = capsys.readouterr()
        assert (told.out, told.err.count("\n")) == ("", 1)
        assert "web-1.json" in told.err
        assert said in told.err
        assert "padlock audit-host" in told.err

    def test_file_that_is_not_there(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A missing file is named."""
        assert main(["check", "example.com", "--host-evidence", "absent.json"]) == 2
        assert "cannot read the host evidence absent.json: No such file" in capsys.readouterr().err

    def test_same_machine_twice(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Two files of one machine contradict each other, and neither is chosen."""
        for name in ("a.json", "b.json"):
            (tmp_path / name).write_text(today(host="web-1"))
        files = [word for name in ("a.json", "b.json") for word in ("--host-evidence", str(tmp_path / name))]
        assert main(["check", "example.com", *files]) == 2
        assert "b.json is of web-1, of which another file is given too" in capsys.readouterr().err

    def test_one_stdin_for_two(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Sites and evidence cannot both come from stdin."""
        assert main(["check", "--site-file", "-", "--host-evidence", "-"]) == 2
        assert "cannot both read stdin" in capsys.readouterr().err


class TestAuditHost:
    """`padlock audit-host` on this machine, with the real collector."""

    def test_prints_the_document(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Without a site the document is printed, ready for --host-evidence."""
        assert main(["audit-host"]) == 0
        printed = capsys.readouterr().out
        host = read(printed)
        assert host.name == os.uname().nodename
        assert host.root is (os.geteuid() == 0)
        assert {"nginx_version", "certbot_list", "listeners"} <= set(host.sections)
        assert "certbot_dry_run" not in host.sections

    def test_checks_a_site_with_it(self, site: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """With a site the report is printed, and the document is written where it is wanted."""
        out, written = tmp_path / "evidence.json", tmp_path / "host.json"
        code = main(["audit-host", *site, "--out", str(written), "--evidence-out", str(out), "--json"])
        assert code in (0, 1)
        assert json.loads(capsys.readouterr().out)["site"] == "shop.example"
        assert machines(out) == [read(written.read_bytes()).name] == [os.uname().nodename]

    def test_only_writes_a_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """With --out alone nothing is printed."""
        written = tmp_path / "host.json"
        assert main(["audit-host", "--out", str(written)]) == 0
        assert capsys.readouterr().out == ""
        assert json.loads(written.read_text())["format"] == "padlock-host/1"

    def test_file_that_cannot_be_written(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A document that cannot be written is said, and exits with 2."""
        assert main(["audit-host", "--out", str(tmp_path / "no" / "host.json")]) == 2
        assert "cannot write the document to" in capsys.readouterr().err

    def test_script_for_another_machine(self, capsys: pytest.CaptureFixture[str]) -> None:
        """--script-path names the collector: a file that sh takes from stdin, as over ssh."""
        assert main(["audit-host", "--script-path"]) == 0
        path = capsys.readouterr().out.strip()
        with Path(path).open() as script:
            command = ["sh", "-s", "--", "--full"]
            ended = subprocess.run(command, stdin=script, capture_output=True, timeout=60, check=True)
        assert read(ended.stdout).name == os.uname().nodename

    @pytest.mark.parametrize("more", [["example.com"], ["--dry-run"], ["--out", "web-1.json"]])
    def test_script_path_stands_alone(self, more: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        """A site beside it would not be checked, so that it is refused."""
        assert main(["audit-host", "--script-path", *more]) == 2
        output = capsys.readouterr()
        assert (output.out, "stands alone" in output.err) == ("", True)

    @pytest.mark.parametrize("option", ["--html", "--evidence-out"])
    def test_files_of_a_check_need_a_site(
        self, option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Without a site there is no check whose page or evidence could be written, which is said."""
        assert main(["audit-host", option, str(tmp_path / "x")]) == 2
        output = capsys.readouterr()
        assert (output.out, "name a site" in output.err) == ("", True)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
    def test_not_as_root(self) -> None:
        """Who is not root is told so, and gets what can be read."""
        ended = subprocess.run(
            [sys.executable, "-c", AS_NOBODY],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert "run it with sudo" in ended.stderr
        assert read(ended.stdout).root is False


AS_NOBODY = """
import os, sys
import padlock.probes.host
from padlock.cli import main
os.setgid(65534)
os.setuid(65534)
sys.exit(main(["audit-host"]))
"""
"""Python itself may be where nobody else can read it, so that all is imported before."""


def test_commands_of_the_readme() -> None:
    """The README's commands for machines without Systems Manager are ones that bash and the command understand."""
    text = (ROOT / "README.md").read_text()
    lines = [line.strip() for line in text.splitlines() if re.match(r" {4}.*(audit-host|host-evidence)", line)]
    assert len(lines) >= 4
    for line in lines:
        subprocess.run(["bash", "-n", "-c", line], check=True, timeout=10)
        calls = [part.partition(">")[0] for part in re.split(r"[|)]|\$\(", line) if ".venv/bin/padlock " in part]
        assert calls
        for call in calls:
            parser().parse_args(shlex.split(call.partition(".venv/bin/padlock ")[2]))
