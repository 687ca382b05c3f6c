"""The `padlock` command: its exit status, what it writes where, and what it says of wrong use."""

import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from padlock import evidence
from padlock.cli import main
from padlock.cli.declarations import collect, load
from padlock.site import parse

from local.sites import SITES, DemoSites
from tests.evidence_builder import change, handshake, healthy

PADLOCK = [str(Path(sys.executable).parent / "padlock")]
BROKEN = [site for site in SITES if site.first_code]


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoSites]:
    """Serve the demo's sites on loopback."""
    with DemoSites() as running:
        yield running


@pytest.fixture
def flags(demo: DemoSites) -> list[str]:
    """Return what lets the command see the demo."""
    return ["--resolver", demo.resolver, "--allow-network", "127.0.0.0/8"]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command."""
    return subprocess.run(
        [*PADLOCK, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **environment},
    )


def site_file(folder: Path, *declarations: Any, name: str = "sites.json") -> str:
    """Write a site file and return its path."""
    path = folder / name
    path.write_text(json.dumps(declarations[0] if len(declarations) == 1 else declarations))
    return str(path)


def declared(demo: DemoSites, *names: str) -> list[dict[str, Any]]:
    """Return the declarations of some demo sites."""
    return [entry for entry in demo.declarations() if entry["name"] in names]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "required: COMMAND"),
        (["chekc", "example.com"], "invalid choice: 'chekc'"),
        (["check"], "name a site"),
        (
            ["check", "--resolver", "dns.example.com", "example.com"],
            "'dns.example.com' does not appear to be an IPv4 or IPv6 address",
        ),
        (["check", "--resolver", "127.0.0.1:99999", "example.com"], "'127.0.0.1:99999' has no port from 1 to 65535"),
        (["check", "--public-resolver", "none", "example.com"], "'none' does not appear to be an IPv4 or IPv6"),
        (["check", "--allow-network", "10.0.0.1/8", "example.com"], "is no CIDR range"),
        (["check", "--ct", "crt.sh", "example.com"], "is no URL such as https://crt.sh/"),
        (["check", "--ca-file", "absent.pem", "example.com"], "cannot read --ca-file absent.pem: No such file"),
        (["check", "https://example.com/"], "is a URL; write the host name alone"),
        (["check", "93.184.215.14"], "is an address, not a host name"),
        (["check", "--site-file", "absent.json"], "cannot read the site file absent.json: No such file"),
        (["assess", "absent.json"], "cannot read the evidence absent.json: No such file"),
        (["sites"], "required: ACTION"),
        (["sites", "add"], "required: SITE"),
    ],
)
def test_wrong_usage_is_one_clear_line(arguments: list[str], said: str) -> None:
    """Wrong usage exits with 2, says what is wrong on stderr, and never shows a traceback."""
    done = run(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    "arguments",
    [[], ["check"], ["audit-host"], ["assess"], ["sites"], ["sites", "add"], ["sites", "import"]],
)
def test_help_has_examples_at_every_level(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """--help of each command shows how it is called."""
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--help"])
    assert ended.value.code == 0
    examples = capsys.readouterr().out.partition("examples:\n")[2]
    assert "\n  padlock " + " ".join(arguments) in "\n" + examples


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    """--version names the product and its version."""
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.startswith("padlock 0.")


class TestAssess:
    """`padlock assess` judges stored evidence."""

    def test_healthy_evidence(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A healthy site exits with 0 and shows the record."""
        assert main(["assess", self.stored(tmp_path, healthy())]) == 0
        assert "Checklist" in capsys.readouterr().out

    def test_error_and_json(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """An error exits with 1; --json prints the one Report as an object."""
        assert main(["assess", self.stored(tmp_path, self.broken()), "--json"]) == 1
        report = json.loads(capsys.readouterr().out)
        assert report["status"] == "error"
        assert {"code", "severity", "subject", "observed", "remediation", "step"} <= set(report["findings"][0])
        assert [row["step"] for row in report["checklist"]] == list(range(1, 19))

    def test_several(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A file with a list of evidence gives an array, in its order."""
        both = f"[{evidence.encode(healthy()).decode()},{evidence.encode(self.broken()).decode()}]"
        path = tmp_path / "both.json"
        path.write_text(both)
        assert main(["assess", str(path), "--json"]) == 1
        assert [report["status"] for report in json.loads(capsys.readouterr().out)][1] == "error"

    @pytest.mark.parametrize("content", ["{", "[1]", "{}", "\xff", '{"site": {"name": 3}}'])
    def test_what_is_no_evidence(self, content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A file that holds no evidence is named, with how to make one."""
        path = tmp_path / "wrong.json"
        path.write_bytes(content.encode("latin-1"))
        assert main(["assess", str(path)]) == 2
        said = capsys.readouterr().err
        assert "wrong.json" in said
        assert "--evidence-out" in said
        assert said.count("\n") == 1

    def broken(self) -> evidence.Evidence:
        """Return evidence of a site whose TLS handshakes fail."""
        whole = healthy()
        assert whole.tls is not None
        failed = tuple(
            handshake(
                host, chain=(), protocol="", failure=evidence.Failure("alert", "internal_error"), confirmed=True
            )
            for host in whole.hosts
        )
        return change(whole, tls=change(whole.tls, handshakes=failed))

    def stored(self, folder: Path, seen: evidence.Evidence) -> str:
        """Write evidence to a file and return its path."""
        path = folder / "evidence.json"
        path.write_bytes(evidence.encode(seen))
        return str(path)


class TestCheck:
    """`padlock check` on the demo's real servers."""

    def test_healthy_site(
        self, demo: DemoSites, flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A healthy site exits with 0, plain text in a pipe, and writes nothing to stderr."""
        file = site_file(tmp_path, *declared(demo, "healthy.example"))
        assert main(["check", "--site-file", file, *flags]) == 0
        said = capsys.readouterr()
        assert said.err == ""
        assert "\x1b" not in said.out
        assert "healthy.example" in said.out

    def test_strict_fails_on_warnings(self, demo: DemoSites, flags: list[str], tmp_path: Path) -> None:
        """A warning fails only with --strict."""
        [entry] = declared(demo, "healthy.example")
        file = site_file(tmp_path, entry | {"severity": {"tls.no_http2": "warning"}})
        assert main(["check", "--site-file", file, "--json", *flags]) == 0
        assert main(["check", "--site-file", file, "--json", "--strict", *flags]) == 1

    def test_every_broken_site_names_its_fault_first(
        self, demo: DemoSites, flags: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        """All demo sites in one run: an array in the file's order, each report beginning with the right code."""
        assert main(["check", "--site-file", str(demo.write_site_file()), "--json", *flags]) == 1
        reports = json.loads(capsys.readouterr().out)
        assert [report["site"] for report in reports] == [site.name for site in SITES]
        first = {report["site"]: (report["findings"] or [{"code": ""}])[0]["code"] for report in reports}
        assert {name: first[name] for name in first if name != "healthy.example"} == {
            site.name: site.first_code for site in BROKEN
        }
        healthy_one = next(report for report in reports if report["site"] == "healthy.example")
        assert healthy_one["status"] in ("ok", "notice")

    def test_evidence_is_judged_alike(
        self, demo: DemoSites, flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What --evidence-out writes gives the same report through assess."""
        file = site_file(tmp_path, *declared(demo, "expired.example"))
        out = str(tmp_path / "evidence.json")
        assert main(["check", "--site-file", file, "--evidence-out", out, "--json", *flags]) == 1
        first = json.loads(capsys.readouterr().out)
        assert main(["assess", out, "--json"]) == 1
        assert json.loads(capsys.readouterr().out) == first

    def test_wrong_entries_are_named_and_the_others_checked(
        self, demo: DemoSites, flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Each wrong entry is one line on stderr; the others are reported; the exit status is 2."""
        good = declared(demo, "healthy.example")
        wrong = [{"name": "a.example", "heath": "/"}, {"hosts": ["b.example"]}, 7, {"name": "c.example", "slow": "x"}]
        file = site_file(tmp_path, *good, *wrong)
        assert main(["check", "--site-file", file, "--json", *flags]) == 2
        said = capsys.readouterr()
        assert [report["site"] for report in json.loads(said.out)] == ["healthy.example"]
        lines = said.err.strip().split("\n")
        assert len(lines) == len(wrong)
        assert "entry 2" in lines[0]
        assert "did you mean 'health'?" in lines[0]

    def test_unwritable_evidence(
        self, demo: DemoSites, flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Evidence that cannot be written does not cost the report; it is said and exits with 2."""
        file = site_file(tmp_path, *declared(demo, "healthy.example"))
        assert main(["check", "--site-file", file, "--evidence-out", str(tmp_path / "no" / "x.json"), *flags]) == 2
        said = capsys.readouterr()
        assert "healthy.example" in said.out
        assert "cannot write the evidence" in said.err

    def test_unresolvable_site_is_an_error(self, flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        """A name that does not exist is a finding about the site, not a fault of ours."""
        assert main(["check", "absent.example", "--json", *flags]) == 1
        assert json.loads(capsys.readouterr().out)["findings"][0]["code"] == "dns.unresolvable"

    def test_ca_file(self, demo: DemoSites, flags: list[str], tmp_path: Path) -> None:
        """Authorities of --ca-file are trusted; without them the same site is untrusted."""
        [entry] = declared(demo, "healthy.example")
        roots = tmp_path / "ca.pem"
        roots.write_text(entry["private_ca"])
        file = site_file(tmp_path, {key: value for key, value in entry.items() if key != "private_ca"})
        assert main(["check", "--site-file", file, "--json", *flags]) == 1
        assert main(["check", "--site-file", file, "--json", "--ca-file", str(roots), *flags]) == 0

    def test_public_resolvers_are_those_that_are_named(
        self, demo: DemoSites, flags: list[str], tmp_path: Path
    ) -> None:
        """Beside a resolver of one's own none is asked unless it is named."""
        file = site_file(tmp_path, *declared(demo, "healthy.example"))
        out = tmp_path / "evidence.json"

        def asked(*named: str) -> set[tuple[str, tuple[str, ...]]]:
            main(["check", "--site-file", file, "--json", "--evidence-out", str(out), *flags, *named])
            seen = evidence.decode(out.read_bytes())
            return {(one.resolver, one.a.records) for one in seen.dns.public} if seen.dns else set()

        assert asked() == set()
        assert asked("--public-resolver", demo.resolver) == {("127.0.0.1", ("127.0.0.1",))}

    def test_interrupt_is_quiet(self) -> None:
        """Ctrl-C ends the run with 130 and without a word."""
        # Whoever runs the tests in a shell's background has it ignored, which a child inherits.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            silent.settimeout(20)
            resolver = f"127.0.0.1:{silent.getsockname()[1]}"
            process = subprocess.Popen(
                [*PADLOCK, "check", "example.com", "--resolver", resolver],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            silent.recv(512)
            process.send_signal(signal.SIGINT)
            out, said = process.communicate(timeout=20)
        assert (process.returncode, out, said) == (130, "", "")


class TestTerminal:
    """What a person at a terminal gets beyond a pipe."""

    def test_colour_and_progress(self, demo: DemoSites, flags: list[str], tmp_path: Path) -> None:
        """On a terminal the report is coloured and a progress line shows, and goes away."""
        code, shown = self.in_terminal(demo, flags, tmp_path)
        assert code == 0
        assert "\x1b[1m" in shown
        assert "0 of 1 checked" in shown
        assert "\x1b[2K" in shown

    def test_no_color_is_honoured(self, demo: DemoSites, flags: list[str], tmp_path: Path) -> None:
        """NO_COLOR keeps the report plain on a terminal."""
        _, shown = self.in_terminal(demo, flags, tmp_path, NO_COLOR="1")
        assert "\x1b[1m" not in shown
        assert "healthy.example" in shown

    def test_closed_pipe_is_quiet(self, tmp_path: Path) -> None:
        """A reader that goes away, as `| head` does, costs no traceback."""
        path = tmp_path / "evidence.json"
        path.write_bytes(b"[" + b",".join([evidence.encode(healthy())] * 40) + b"]")
        command = ["bash", "-c", f"{PADLOCK[0]} assess {path} | head -n 1"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert "example.com" in done.stdout
        assert done.stderr == ""

    def test_low_limit_of_open_files(self, demo: DemoSites, flags: list[str], tmp_path: Path) -> None:
        """A shell that allows few open files costs no check: the command raises its limit as far as it may."""
        file = site_file(tmp_path, *declared(demo, "healthy.example"))
        command = ["bash", "-c", 'ulimit -Sn 16; exec "$@"', "bash", *PADLOCK, "check", "--site-file", file, *flags]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
    @pytest.mark.parametrize("debug", ["", "0", "1"])
    def test_output_that_cannot_be_written(self, debug: str, tmp_path: Path) -> None:
        """A full disk is one line that says so; PADLOCK_DEBUG adds the traceback."""
        path = tmp_path / "evidence.json"
        path.write_bytes(evidence.encode(healthy()))
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [*PADLOCK, "assess", str(path)],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=60,
                check=False,
                env={**os.environ, "PADLOCK_DEBUG": debug},
            )
        assert done.returncode == 2
        assert "judging the evidence failed: [Errno 28]" in done.stderr.strip().split("\n")[-1]
        assert ("Traceback" in done.stderr) == (debug == "1")

    def in_terminal(self, demo: DemoSites, flags: list[str], folder: Path, **environment: str) -> tuple[int, str]:
        """Check the healthy site in a pseudo-terminal; return the exit status and all that was shown."""
        file = site_file(folder, *declared(demo, "healthy.example"))
        master, slave = pty.openpty()
        base = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        process = subprocess.Popen(
            [*PADLOCK, "check", "--site-file", file, *flags],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**base, "TERM": "xterm", **environment},
        )
        os.close(slave)
        shown = b""
        # Reading ends with an error once the last process has closed the terminal.
        with contextlib.suppress(OSError):
            while piece := os.read(master, 65536):
                shown += piece
        os.close(master)
        return process.wait(timeout=20), shown.decode()


class TestSiteFiles:
    """Site files in YAML."""

    @pytest.mark.parametrize("word", ["off", "optional", "required"])
    def test_yaml_words_stay_words(self, word: str, tmp_path: Path) -> None:
        """`hsts: off` means the word, not false as in YAML 1.1."""
        path = tmp_path / "sites.yaml"
        path.write_text(
            f"- name: example.com\n  hsts: {word}\n  labels: {{since: 2026-11-20, paid: yes}}\n- example.org\n"
        )
        sites, wrong = load(str(path))
        assert wrong == []
        assert [site.name for site in sites] == ["example.com", "example.org"]
        assert sites[0].hsts == word
        assert sites[0].labels == {"since": "2026-11-20", "paid": "yes"}

    def test_yaml_times_stay_times(self, tmp_path: Path) -> None:
        """`12:30` means half past twelve, not 750 as in YAML 1.1; numbers stay numbers."""
        path = tmp_path / "sites.yaml"
        path.write_text("name: example.com\nmaintenance: {every: 12:30, for: 1h}\nports: {https: 8443}\n")
        sites, wrong = load(str(path))
        assert wrong == []
        assert sites[0].maintenance[0].every == "12:30"
        assert sites[0].ports.https == 8443

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            ("[]", "the list of sites is empty"),
            ("", "neither a site's declaration nor a list"),
            ("a: [", "while parsing"),
            ("- !!python/object/apply:os.system [true]", "could not determine a constructor"),
        ],
    )
    def test_unusable_files(self, content: str, said: str, tmp_path: Path) -> None:
        """A file without declarations is one message that names it; YAML runs nothing."""
        path = tmp_path / "sites.yaml"
        path.write_text(content)
        sites, [message] = load(str(path))
        assert sites == []
        assert str(path) in message
        assert said in message

    def test_a_name_uses_its_declaration(self, tmp_path: Path) -> None:
        """A host named on the command line that stands in a file too is checked once, as declared."""
        file = site_file(tmp_path, {"name": "example.com", "health": "/up"}, name="one.json")
        sites, wrong = collect(["example.com", "example.net"], [file])
        assert wrong == []
        assert sites == [parse({"name": "example.com", "health": "/up"}), parse("example.net")]

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"- name: a.example\n  hsts: off\n  hsts: required\n", "the key 'hsts' stands there twice"),
            (b"sites:\n- a.example\n", "without the key 'sites' around it"),
            (b"[" * 5000, "nested too deeply"),
            (b"- [a.example]\n", "not a list"),
            (b"\xff\xfe- a", "not UTF-8 text"),
        ],
    )
    def test_strange_site_files(self, content: bytes, said: str, tmp_path: Path) -> None:
        """A file of another form is told what is wrong with it, and nothing in it is dropped without a word."""
        path = tmp_path / "sites.yaml"
        path.write_bytes(content)
        sites, [message] = load(str(path))
        assert (sites, str(path) in message) == ([], True)
        assert said in message

    def test_byte_order_mark_and_merged_defaults(self, tmp_path: Path) -> None:
        """What Windows editors write first is no part of a name; merged defaults may be replaced."""
        path = tmp_path / "sites.yaml"
        path.write_bytes(b"\xef\xbb\xbf- &d {name: a.example, hsts: off}\n- {<<: *d, name: b.example}\n")
        sites, wrong = load(str(path))
        assert ([(site.name, site.hsts) for site in sites], wrong) == (
            [("a.example", "off"), ("b.example", "off")],
            [],
        )


def test_no_evidence_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty list of evidence is no healthy result."""
    path = tmp_path / "none.json"
    path.write_text("[]")
    assert main(["assess", str(path)]) == 2
    assert "holds an empty list of evidence" in capsys.readouterr().err


def test_networks_that_are_not_allowed_are_told(
    demo: DemoSites, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Networks that only the file declares stay closed, and the option that opens them is named."""
    file = site_file(tmp_path, *declared(demo, "healthy.example"))
    main(["check", "--site-file", file, "--resolver", demo.resolver])
    assert "add --allow-network 127.0.0.0/8" in capsys.readouterr().err
