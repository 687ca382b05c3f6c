"""The client that the functions use: what it sends and reads is what a plain one does."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from padlock import storage
from padlock.storage import Sites

from local.aws import CREDENTIALS, EmbeddedAws

SITES: tuple[dict[str, Any], ...] = (
    {"name": "a.example", "slow": 1.5, "ports": {"http": "closed", "https": 8443}, "hosts": ["a.example"], "x": None},
    {"name": "b.example", "labels": {"B": "as a name", "ü": "\u2028\\"}, "health": "/ü"},
    {"name": "c.example", "key": b"\x00\xff"},
)


@pytest.fixture
def ours(aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the functions' client of the embedded AWS."""
    for name, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": aws.endpoint}.items():
        monkeypatch.setenv(name, value)
    return storage.client()


@pytest.mark.parametrize("declared", [SITES[:1], SITES[:2], SITES[2:], SITES, ()], ids=len)
def test_scan_gives_what_a_plain_client_gives(aws: EmbeddedAws, ours: Any, declared: tuple[Any, ...]) -> None:
    """Items come back value for value, page by page, whatever types are in them."""
    table = aws.physical["SitesTable"]
    plain = aws.client("dynamodb")
    for site in declared:
        Sites(plain, table).put(site)
    found, wanted = ours.scan(TableName=table, Limit=2), plain.scan(TableName=table, Limit=2)
    for answer in (found, wanted):
        del answer["ResponseMetadata"]
    assert found == wanted
    assert sorted(Sites(ours, table).all(), key=str) == sorted(declared, key=str)


def test_refusal_is_an_error_still(ours: Any) -> None:
    """What the service refuses is a ClientError with its code, of a scan as of any other call."""
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        ours.scan(TableName="no-such-table")
    with pytest.raises(ClientError):
        ours.get_item(TableName="no-such-table", Key={"site": {"S": ""}})


def test_client_says_who_it_is(ours: Any) -> None:
    """The header is one text, the same for every request."""
    seen: list[Any] = []
    ours.meta.events.register("before-send.dynamodb", lambda request, **_: seen.append(request.headers["User-Agent"]))
    for _ in range(2):
        with pytest.raises(ClientError):
            ours.scan(TableName="no-such-table")
    (agent,) = {str(agent, "ascii") if isinstance(agent, bytes) else agent for agent in seen}
    # Powertools, once a process has imported it, adds itself to whatever is sent.
    assert agent.partition(" PT/")[0] == f"{storage.USER_AGENT} Botocore/{storage.USER_AGENT.rpartition('/')[2]}"
