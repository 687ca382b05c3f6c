"""`padlock explain`: every code and every cause, said from the rules themselves."""

import json
import re
from pathlib import Path

import pytest
from padlock.cli import main
from padlock.cli.catalogue import APART, codes, explained, related
from padlock.rules import RULES

CAUSES = Path(__file__).parent.parent / "layers" / "padlock" / "padlock" / "causes"


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what the command says, which must succeed."""
    assert main(["explain", *arguments]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    return output.out


def test_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    """A code is explained by what its rule says, and its causes are named."""
    text = " ".join(told(capsys, "certificate.expired").split())
    rule = RULES["certificate.expired"]
    assert text.startswith("certificate.expired certificate expired severity error")
    for part in (
        rule.impact,
        rule.remediation,
        rule.reference,
        "8. A certificate exists for the required host names",
    ):
        assert part in text
    assert "sign of cause.renewal_broken or due to" in text
    assert "\x1b" not in text


def test_a_cause(capsys: pytest.CaptureFixture[str]) -> None:
    """A cause is explained as it is told of a site, with its signs and what may follow from it."""
    text = " ".join(told(capsys, "cause.renewal_broken").split())
    assert "long past the point at which it is renewed" in text
    assert re.search(r"signs .*certbot\.no_timer.* leads to .*hsts\.premature", text)


@pytest.mark.parametrize("code", [*codes(), *related()])
def test_every_code(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each code has a meaning and a fix; each of a finding a severity, an impact and a source."""
    [found] = json.loads(told(capsys, code, "--json"))
    assert found["code"] == code
    assert found["summary"]
    assert found["fix"]
    assert "{host}" not in found["fix"]
    if not code.startswith("cause."):
        assert found["severities"]
        assert found["impact"]
        assert found["reference"]
        assert found["looks"] in (1, 2)


def test_every_cause_is_known() -> None:
    """The causes that are found by asking are those that the source names."""
    named = {code for path in CAUSES.glob("*.py") for code in re.findall(r'"(cause\.\w+)"', path.read_text())}
    assert set(related()) == named
    assert all(cause.signs for cause in related().values())


@pytest.mark.parametrize(
    ("code", "severities"),
    [
        ("certificate.expiring", ("warning", "error")),
        ("hsts.missing", ("notice", "warning")),
        ("certificate.expired", ("error",)),
        ("upstream.unreachable", ("error", "warning", "notice")),
    ],
)
def test_severities(code: str, severities: tuple[str, ...]) -> None:
    """The usual severity comes first, then those of particular cases."""
    assert explained(code).severities == severities


@pytest.mark.parametrize(
    ("code", "sign_of", "follows"),
    [
        ("port.https_closed", "cause.port_blocked", "cause.nginx_down"),
        ("proxy.scheme_lost", "cause.proxy_headers", "cause.redirect_loop"),
        ("app.blocked", "cause.prober_blocked", ""),
    ],
)
def test_related_causes(code: str, sign_of: str, follows: str) -> None:
    """What leads to a cause is told apart from what it brings about."""
    found = explained(code)
    assert sign_of in found.sign_of
    assert not follows or follows in found.brought_about_by
    assert not set(found.sign_of) & set(found.brought_about_by)


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a code all are listed, causes too; with the beginning of some, those."""
    lines = told(capsys).splitlines()
    listed = [line.split()[0] for line in lines if line.startswith("  ")]
    assert listed == [*RULES, *APART, *related()]
    assert max(map(len, lines)) <= 110
    some = told(capsys, "hsts").splitlines()
    assert [line.split()[0] for line in some[1:]] == [code for code in RULES if code.startswith("hsts.")]


def test_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """However narrow it is, each code is whole, something of its meaning is shown, and no command is broken."""
    monkeypatch.setenv("COLUMNS", "30")
    listed = [line for line in told(capsys).splitlines() if line.startswith("  ")]
    assert [line.split()[0] for line in listed] == [*RULES, *APART, *related()]
    assert all(len(line.split(maxsplit=2)) == 3 for line in listed)
    assert "`sudo certbot renew && sudo systemctl reload nginx`" in told(capsys, "certificate.expired")


def test_several(capsys: pytest.CaptureFixture[str]) -> None:
    """Several codes are explained one after the other, each once."""
    text = told(capsys, "hsts.short", "dns.unresolvable", "hsts.short")
    assert re.findall(r"^\S+", text, re.MULTILINE) == ["hsts.short", "dns.unresolvable"]


def test_all_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The whole catalogue can be read by a program."""
    found = json.loads(told(capsys, "--format", "json"))
    assert [one["code"] for one in found] == [*RULES, *APART, *related()]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("certifcate.expird", "did you mean certificate.expired"),
        ("hsts.mising", "did you mean hsts.missing"),
        ("cause.renewal", "did you mean cause.renewal_broken"),
        ("\x1b[31mxyzzy", "`padlock explain` lists the codes"),
        ("x" * 5000, "`padlock explain` lists the codes"),
    ],
)
def test_unknown_codes(asked: str, meant: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A code that there is not is one line that names what is near, and exit status 2."""
    assert main(["explain", asked]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert meant in output.err
    assert output.err.count("\n") == 1
    assert "\x1b" not in output.err
    assert len(output.err) < 300


def test_an_unknown_code_beside_a_known_one(capsys: pytest.CaptureFixture[str]) -> None:
    """What is known is explained all the same."""
    assert main(["explain", "hsts.shrt", "hsts.short"]) == 2
    output = capsys.readouterr()
    assert "did you mean hsts.short" in output.err
    assert "hsts.short" in output.out
