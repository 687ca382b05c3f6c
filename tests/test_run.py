"""`make run`, for real: the whole way from the schedule to the mailbox, and nothing is left behind."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from local.run import named
from local.sites import SITES, DemoSite

ROOT = Path(__file__).parents[1]
MAKE_RUN = ["make", "--old-file=.venv/.installed", "run"]
"""What is installed stays as it is: the tests run in it."""
STRANGE = {"AWS_PROFILE": "absent", "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
"""What a user's own environment may have, and what must not matter."""
ENDINGS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL]
BROKEN = [site for site in SITES if site.first_code]

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Run the demo once; return all that it printed."""
    folder = tmp_path_factory.mktemp("temporary")
    done = subprocess.run(
        MAKE_RUN,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "TMPDIR": str(folder), "COLUMNS": "100", **STRANGE},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert done.stderr == ""
    assert left_over(folder) == []
    return done.stdout


def chapter(story: str, title: str) -> str:
    """Return the part of the story under a title."""
    parts = re.split(r"^── ", story, flags=re.MULTILINE)
    [found] = [part for part in parts if part.startswith(title)]
    return found


def left_over(folder: Path) -> list[str]:
    """Return the demo's files in a folder for temporary files."""
    return [path.name for path in folder.iterdir() if path.name.startswith("padlock")]


def test_healthy_site_has_nothing_above_a_notice(story: str) -> None:
    """The healthy site is ok or has notices only, and its steps are proven from outside."""
    text = chapter(story, "The healthy site")
    assert re.search(r"^ (OK|NOTICE)   healthy\.example", text, re.MULTILINE)
    for step in (1, 3, 7, 8, 10, 11, 12, 13, 15):
        assert re.search(rf"^  ✓ {step:>2}  ", text, re.MULTILINE), f"step {step}\n{text}"
    # The demo's name server cannot have port 53, at which its zones' servers would be asked.
    assert re.search(r"^  \? +2  .*\n? +no name server of its zone", text, re.MULTILINE)


@pytest.mark.parametrize("site", BROKEN, ids=lambda site: site.name)
def test_broken_site_names_its_fault_first(story: str, site: DemoSite) -> None:
    """Each broken site's report begins with the code of its fault."""
    assert len(BROKEN) >= 5
    text = chapter(story, f"{site.name}: ")
    findings = text.partition("Findings\n")[2]
    assert findings.startswith(f"  ✗ {site.first_code}  "), text


def test_pages_are_left_for_a_browser(story: str) -> None:
    """The reports and the widget are files of their own, which the story names."""
    named_files = re.findall(r"^  (\S+\.html)$", chapter(story, "The same in a browser"), re.MULTILINE)
    assert [Path(name).name for name in named_files] == ["reports.html", "widget-light.html", "widget-dark.html"]
    for name in named_files:
        assert BROKEN[0].name in (ROOT / name).read_text(encoding="utf-8")


def test_wrong_port_is_said_before_anything_starts() -> None:
    """A port that is none is wrong usage."""
    done = subprocess.run(
        [sys.executable, "-m", "local", ""],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "SERVE": "http"},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "SERVE=8000" in done.stderr


def test_stored_items_are_shown(story: str) -> None:
    """The failing sites and the certificates come out of the table's indexes, in their order."""
    failing = chapter(story, "In the Results table: sites that fail now")
    assert [site.name for site in BROKEN if site.name not in failing] == []
    assert "healthy.example" not in failing
    certificates = chapter(story, "In the Results table: certificates by expiry").strip().split("\n")[2:]
    assert "expired.example" in certificates[0]


def test_mail_says_what_happened_and_what_to_do(story: str) -> None:
    """One mail for each broken site; the one shown has subject, observation, reason and command."""
    text = chapter(story, f"{len(BROKEN)} mails sent")
    assert len(re.findall(r"^  \[Padlock\] ", text, re.MULTILINE)) == len(BROKEN)
    for part in ("│ Subject: [Padlock] expired.example", "expired 3 days ago", "Fix:", "sudo certbot renew"):
        assert part in text


def test_healed_site_sends_one_mail(story: str) -> None:
    """After the healing only that site's mail is sent, and it says what is over."""
    text = chapter(story, "1 mail sent")
    assert "│ Subject: [Padlock] expired.example" in text
    assert "resolved" in text
    history = chapter(story, "In the Results table: the history of expired.example")
    assert re.findall(r"Z  (\w+)", history) == ["notice", "error"]


def test_short_reports_name_their_notices(story: str) -> None:
    """A report that leaves the notices out names their codes."""
    for site in BROKEN:
        if site.name != "closed.example":
            assert re.search(r"^  notices: .*hsts\.missing", chapter(story, f"{site.name}: "), re.MULTILINE)


def test_no_machine_talk(story: str) -> None:
    """The functions' JSON logs and metrics stay out of what a person reads."""
    assert '{"level"' not in story
    assert '"_aws"' not in story


def test_own_sites_that_cannot_be_reached(tmp_path: Path) -> None:
    """Own sites that do not exist, and a wrong name, are reported as such; the run ends well."""
    done = subprocess.run(
        [*MAKE_RUN, "SITES=padlock-absent.invalid https://x/"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "padlock-absent.invalid" in chapter(done.stdout, "padlock-absent.invalid")
    assert "write the host name alone" in " ".join(done.stdout.split())  # whatever the width of the lines


def test_names_with_commas() -> None:
    """Sites may be given as the stack's parameter takes them, with commas, or with spaces."""
    assert named(["a.example,b.example", "c.example d.example,"]) == [f"{x}.example" for x in "abcd"]


@pytest.mark.parametrize("seconds", [0.1, 0.4, 0.8])
def test_interrupt_while_it_starts_is_quiet(seconds: float, tmp_path: Path) -> None:
    """Ctrl-C in the first second ends it without a traceback, and leaves nothing."""
    process = subprocess.Popen(
        [sys.executable, "-m", "local"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    # Before Python itself has started the signal ends the process; a shell shows 130 for both.
    assert process.returncode in (130, -signal.SIGINT), said
    assert "Traceback" not in said
    assert left_over(tmp_path) == []


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes are found through Linux's /proc")
@pytest.mark.parametrize("number", ENDINGS, ids=lambda number: number.name)
def test_nothing_is_left_behind(number: signal.Signals, tmp_path: Path) -> None:
    """Ctrl-C, a termination, even a kill ends every process; all but the kill remove the files too."""
    process = subprocess.Popen(
        [sys.executable, "-m", "local.run"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert process.stdout is not None
    shown = ""
    for line in process.stdout:
        shown += line
        if "declaring the sites" in line:
            break
    children = descendants(process.pid)
    assert len(children) >= 4, shown
    process.send_signal(number)
    rest = process.stdout.read()
    expected = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129, signal.SIGKILL: -signal.SIGKILL}
    assert process.wait(timeout=30) == expected[number], rest
    assert "Traceback" not in rest
    end = time.monotonic() + 10
    while time.monotonic() < end and any(alive(pid) for pid in children):
        time.sleep(0.1)
    assert [pid for pid in children if alive(pid)] == []
    assert number == signal.SIGKILL or left_over(tmp_path) == []


def descendants(pid: int) -> list[int]:
    """Return the process ids of all that a process has started."""
    found: list[int] = []
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, children.read_text().split()):
            found += [child, *descendants(child)]
    return found


def alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended and waits to be collected does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return status != "Z"
