"""What is held against a declaration beyond its form: codes that no check has, certificates that nobody can read."""

from typing import Any

import pytest
from padlock.declaration import read_declaration, read_declarations, readable
from padlock.site import InvalidSite

from local.demo.authority import Authority

PEM = Authority("http://127.0.0.1/intermediate.der").root_pem
CUT = PEM[: len(PEM) // 2] + "\n-----END CERTIFICATE-----\n"
NO_BASE64 = "-----BEGIN CERTIFICATE-----\n*** paste here ***\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"disable": ["hsts.mising"]}, "disable: no check has the code 'hsts.mising'; did you mean 'hsts.missing'?"),
        ({"disable": "htsts"}, "disable: no check has the code 'htsts'; did you mean 'hsts'?"),
        ({"disable": ["zzzzzz"]}, "docs/checks.md lists the codes"),
        ({"severity": {"certificate.expirin": "error"}}, "did you mean 'certificate.expiring'?"),
        ({"severity": {"hsts": "error"}}, "severity: no check has the code 'hsts'"),
        (
            {"acknowledge": {"code": "certificate.expirin", "until": "2026-12-24"}},
            "did you mean 'certificate.expiring'?",
        ),
        ({"acknowledge": {"code": "site.stael", "until": "2026-12-24"}}, "did you mean 'site.stale'?"),
        ({"acknowledge": {"code": "hsts", "until": "2026-12-24"}}, "acknowledge: no check has the code 'hsts'"),
        ({"private_ca": PEM + CUT}, "private_ca: certificate 2 cannot be read"),
        ({"private_ca": NO_BASE64}, "private_ca: certificate 1 cannot be read"),
        ({"private_ca": PEM[:200]}, "private_ca: certificate 1 cannot be read"),
    ],
)
def test_wrong_entries(keys: dict[str, Any], told: str) -> None:
    """A typo in a code, and a certificate that was not pasted whole, are refused with what to write."""
    with pytest.raises(InvalidSite) as caught:
        read_declaration({"name": "example.com", **keys})
    assert told in str(caught.value)
    assert str(caught.value).startswith("site 'example.com': ")


@pytest.mark.parametrize("entry", ["hsts", "hsts.", "hsts.*", "hsts.missing"])
def test_codes_and_prefixes_are_accepted(entry: str) -> None:
    """Each form in which codes are switched off is read, and so are whole certificates."""
    keys = {"disable": [entry], "severity": {"hsts.missing": "error"}, "private_ca": PEM + PEM}
    assert read_declaration({"name": "example.com", **keys}).disable == (entry,)


@pytest.mark.parametrize("code", ["hsts.missing", "site.invalid", "site.stale", "*"])
def test_what_can_be_acknowledged(code: str) -> None:
    """A check's code, a finding that no check makes, and everything."""
    keys = {"acknowledge": {"code": code, "until": "2026-12-24"}}
    assert [known.code for known in read_declaration({"name": "example.com", **keys}).acknowledge] == [code]


def test_one_wrong_entry_never_stops_the_others() -> None:
    """The usable sites are returned beside one numbered error for each that is not."""
    sites, errors = read_declarations(["a.example", {"name": "b.example", "disable": ["x"]}, "c.example"])
    assert [site.name for site in sites] == ["a.example", "c.example"]
    assert [str(error).partition(":")[0] for error in errors] == ["entry 2"]


def test_what_a_wrong_declaration_says_of_telling() -> None:
    """A typo elsewhere takes neither windows nor acknowledgements away; what is wrong itself is left out."""
    declaration = {
        "name": "not a host",
        "helth": "/",
        "timezone": "Europe/Berlin",
        "reminder": "soon",
        "acknowledge": {"code": "certificate.expired", "until": "2999-01-01"},
        "labels": {"team": "shop"},
    }
    site = readable(declaration)
    assert (site.timezone, site.reminder, site.labels) == ("Europe/Berlin", "1d", {"team": "shop"})
    assert [entry.code for entry in site.acknowledge] == ["certificate.expired"]
    assert readable("bare.example/") == readable({})
