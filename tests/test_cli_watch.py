"""`padlock watch`: looks at real servers until all is green, and what it says between two looks."""

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from padlock.assess import assess
from padlock.cli import main
from padlock.cli.watch import Look, after, changes
from padlock.findings import Finding, NotAssessed, Report, Severity

from local.sites import DemoSites
from tests.evidence_builder import NOW, change, healthy, with_leaf
from tests.hostile_text import HOSTILE, filled, raw

HEALTHY = assess(healthy("example.com"))
EXPIRED = assess(with_leaf(healthy("example.com"), not_after=NOW - timedelta(days=1)))
LOOK = re.compile(r"^\d\d:\d\d:\d\d UTC  look (\d+)  (.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def demo() -> Iterator[DemoSites]:
    """Serve the demo's sites on loopback."""
    with DemoSites() as running:
        yield running


def options(demo: DemoSites, folder: Path, *names: str, every: int = 1) -> list[str]:
    """Return the arguments that watch some of the demo's sites."""
    entries = [entry for entry in demo.declarations() if entry["name"] in names]
    (folder / "sites.json").write_text(json.dumps(entries))
    vantage = ["--resolver", demo.resolver, "--allow-network", "127.0.0.0/8"]
    return ["watch", "--site-file", str(folder / "sites.json"), *vantage, "--every", str(every)]


def padlock(*arguments: str) -> list[str]:
    """Return the installed command with arguments."""
    return [str(Path(sys.executable).parent / "padlock"), *arguments]


def test_until_green(demo: DemoSites, tmp_path: Path) -> None:
    """What is wrong is said once, what healed is said when it did, and the end is a success."""
    command = padlock(*options(demo, tmp_path, "expired.example"), "--timeout", "60")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout
        lines = []
        for line in running.stdout:
            lines.append(line)
            if "look 2" in line:
                demo.renew_certificate()
        _, said = running.communicate(timeout=60)
    assert (running.returncode, said) == (0, "")
    text = "".join(lines)
    looks = LOOK.findall(text)
    assert looks[0] == ("1", "2 errors")
    assert looks[1] == ("2", "nothing changed, 2 errors")
    assert looks[-1] == (str(len(looks)), "no error, no warning")
    assert text.count("✗ error  certificate.expired  expired.example, www.expired.example\n") == 1
    assert text.count("sudo certbot renew && sudo systemctl reload nginx") == 1
    assert text.count("  ✓ over  certificate.expired  expired.example, www.expired.example\n") == 1
    assert lines[-1].startswith(f"✓ green after {len(looks)} looks, ")


def test_green_at_once(demo: DemoSites, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A healthy site needs one look."""
    assert main([*options(demo, tmp_path, "healthy.example"), "--timeout", "30"]) == 0
    assert re.search(r"^✓ green after 1 look, \d s$", capsys.readouterr().out, re.MULTILINE)


def test_the_time_is_over(demo: DemoSites, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends when its time is over, with a last look then, and the exit status of a check."""
    assert main([*options(demo, tmp_path, "loop.example", "healthy.example"), "--timeout", "2"]) == 1
    output = capsys.readouterr()
    assert "redirect.loop" in output.out
    assert "(loop.example)" in output.out
    assert len(LOOK.findall(output.out)) >= 2
    assert re.fullmatch(r"padlock: not green after \d looks, \d+ s: \d errors?.*\n", output.err)


def test_wrong_entries_are_not_watched(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A launch is not green without the sites that were meant: a wrong entry ends it at once."""
    (tmp_path / "sites.json").write_text('[{"name": "a.example", "heath": "/"}, "b.example"]')
    assert main(["watch", "--site-file", str(tmp_path / "sites.json")]) == 2
    assert main(["watch"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "did you mean 'health'?" in output.err
    assert "name a site, as in `padlock watch example.com`" in output.err


def test_interrupt(demo: DemoSites, tmp_path: Path) -> None:
    """Ctrl-C between two looks ends it with 130 and without a word."""
    # Whoever runs the tests in a shell's background has it ignored, which a child inherits.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command = padlock(*options(demo, tmp_path, "loop.example", every=60))
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout
        first = running.stdout.readline()
        assert "look 1" in first
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
    assert (running.returncode, said) == (130, "")


def test_on_a_terminal(demo: DemoSites, tmp_path: Path) -> None:
    """A line that is replaced says when the next look is; a look without a change is no line of its own."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command = padlock(*options(demo, tmp_path, "loop.example", every=3), "--timeout", "60")
    ours, its = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm"}
    with subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=environment) as running:
        os.close(its)
        written, ended = b"", False
        # Reading ends with an error once the last process has closed the terminal.
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 65536):
                written += piece
                if b"look 3 in" in written and not ended:
                    ended = True
                    running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130
    os.close(ours)
    shown = written.decode()
    assert re.search(r"\x1b\[2Klook 3 in \d s · \d+ s of 1 min 0 s · 1 error · Ctrl-C ends it\r\x1b\[2K", shown)
    assert "nothing changed" not in shown
    assert shown.count("UTC  look ") == 1
    assert "\x1b[1;31m✗\x1b[0m" in shown
    assert shown.endswith("\r\x1b[2K")


class TestLooks:
    """What follows from one look and the one before it."""

    def test_what_cannot_be_seen_any_more_is_not_over(self) -> None:
        """A finding that could not be looked at again stays open, and nothing is green."""
        first = after(Look(), [EXPIRED])
        hidden = NotAssessed("certificate.expired", "example.com", "the site could not be reached", whole=True)
        unseen = change(HEALTHY, not_assessed=(*HEALTHY.not_assessed, hidden))
        second = after(first, [unseen])
        assert list(changes(second, first)) == []
        assert second.status(strict=False) == 1
        third = after(second, [HEALTHY])
        assert third.status(strict=False) == 0
        assert any("over" in line and "certificate.expired" in line for line in changes(third, second))

    def test_a_site_that_cannot_be_seen(self) -> None:
        """A site of which nothing could be seen is told as such, once, and again when it can be."""
        blind = change(HEALTHY, status="inconclusive", findings=())
        first = after(Look(), [EXPIRED])
        second = after(first, [blind])
        assert [line for line in changes(second, first) if "could not be seen" in line]
        assert not [line for line in changes(second, first) if "over" in line]
        assert second.status(strict=False) == 2
        assert list(changes(after(second, [blind]), second)) == []
        third = after(second, [HEALTHY])
        assert any("over" in line for line in changes(third, second))
        assert third.status(strict=False) == 0

    @pytest.mark.parametrize(("strict", "status"), [(False, 0), (True, 1)])
    def test_warnings(self, strict: bool, status: int) -> None:
        """A warning is told, and is not green with --strict."""
        slight = tuple(change(finding, severity=Severity.WARNING) for finding in EXPIRED.findings[:1])
        look = after(Look(), [change(HEALTHY, status="warning", findings=slight)])
        assert look.status(strict=strict) == status
        assert any("▲ warning" in line for line in changes(look, Look()))

    def test_what_got_worse(self) -> None:
        """A finding whose severity changed is told again; one that only says something else is not."""
        [finding, *_] = EXPIRED.findings
        slight = self.report(change(finding, severity=Severity.WARNING))
        first = after(Look(), [slight])
        second = after(first, [self.report(finding)])
        assert any("✗ error" in line for line in changes(second, first))
        third = after(second, [self.report(change(finding, observed="expired 3 days ago"))])
        assert list(changes(third, second)) == []

    def test_a_fault_is_not_green(self) -> None:
        """A fault of Padlock's says nothing of the site: the look stands for exit status 2."""
        assert after(Look(), [HEALTHY], ["checking x failed"]).status(strict=False) == 2

    def test_text_that_means_harm(self) -> None:
        """What a server says drives no terminal."""
        report: Report = filled(Report, HOSTILE)
        spoilt = change(report, status="error", findings=(change(report.findings[0], severity=Severity.ERROR),))
        look = after(Look(), [spoilt, change(spoilt, site="other", status="inconclusive")])
        lines = list(changes(look, Look()))
        assert lines
        assert not raw("\n".join(lines))

    def report(self, *findings: Finding) -> Report:
        """Return a report with these findings."""
        return change(EXPIRED, findings=findings)
