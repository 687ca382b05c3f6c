"""docs/security.md says what the template and the code say."""

import re

import pytest
from padlock.network import limits

from local.security_page import BESIDE, DOCUMENT, caps, document, documented, rights, value
from tests.stack.translated import FUNCTIONS, properties, statements


def test_documented_rights_and_caps_are_the_real_ones() -> None:
    """Every marked part is what `make docs` writes."""
    assert DOCUMENT.read_text() == document()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_statement_of_every_function_is_on_the_page(function: str) -> None:
    """Each function's part has a row for each statement of its role, with each action."""
    role = properties(function)["Role"]["Fn::GetAtt"][0]
    assert f"<!-- rights: {role} -->\n{rights(role)}" in DOCUMENT.read_text()
    rows = rights(role).splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == [f"| {statement['Sid']}" for statement in statements(role)]
    for row, statement in zip(rows, statements(role), strict=True):
        assert re.findall(r"`(\w+:\w+)`", row.split(" | ")[1]) == statement["Action"]


def test_conditions_are_told() -> None:
    """A right that holds for some partitions only says for which."""
    assert "the partition key is not `host#*`, `#dispatch`, `#checker`" in rights("CheckRole")
    assert "`ssm:resourceTag/Padlock` is `audit`" in rights("AuditHostRole")
    assert "`ResultsTable/index/pending`" in rights("NotifyRole")


def test_every_cap_of_the_network_is_on_the_page() -> None:
    """Each constant of network/limits.py stands in the table with its value."""
    constants = {name: number for name, number in vars(limits).items() if name.isupper()}
    assert set(documented()) == set(constants)
    assert all(said not in ("", "s", "octets") for said in documented().values()), "each has a unit and a meaning"
    rows = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", caps("network"), re.MULTILINE))
    assert {name: float(text.replace(",", "")) for name, text in rows.items()} == constants
    assert "| `BODY_BYTES` | 1,000,000 | octets read of one body |" in caps("network")


@pytest.mark.parametrize("name", [name for which in BESIDE.values() for name in which])
def test_caps_beside_are_numbers(name: str) -> None:
    """Each is a number that bounds something."""
    assert value(name) > 0
