"""What tests of the pipeline share: an embedded AWS of their own, its tables, and the functions that run on it."""

from collections.abc import Generator, Iterator
from http import HTTPStatus

import pytest
from padlock.storage import Hosts, Outbox, Results, Sites

from local.aws import EmbeddedAws
from local.pump import Pump
from tests.loopback_site import LoopbackSite


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write half characters in what a test logged or printed as escapes: pytest-xdist cannot pass them on."""
    report = yield
    report.sections = [(title, text.encode("utf-8", "backslashreplace").decode()) for title, text in report.sections]
    return report


@pytest.fixture(scope="session")
def embedded() -> Iterator[EmbeddedAws]:
    """Yield the one server that all tests of a process share."""
    with EmbeddedAws() as server:
        yield server


@pytest.fixture
def aws(embedded: EmbeddedAws) -> EmbeddedAws:
    """Return an embedded AWS with a fresh stack: the template's own tables, queues and topic, all empty."""
    embedded.deploy()
    return embedded


@pytest.fixture
def results(aws: EmbeddedAws) -> Results:
    """Return the Results table."""
    return Results(aws.client("dynamodb"), aws.physical["ResultsTable"])


@pytest.fixture
def sites(aws: EmbeddedAws) -> Sites:
    """Return the Sites table."""
    return Sites(aws.client("dynamodb"), aws.physical["SitesTable"])


@pytest.fixture
def hosts(aws: EmbeddedAws) -> Hosts:
    """Return the audits of machines in the Results table."""
    return Hosts(aws.client("dynamodb"), aws.physical["ResultsTable"])


@pytest.fixture
def outbox(aws: EmbeddedAws) -> Outbox:
    """Return the outbox of the Results table."""
    return Outbox(aws.client("dynamodb"), aws.physical["ResultsTable"])


@pytest.fixture(scope="session")
def loopback() -> Iterator[LoopbackSite]:
    """Yield the one site that all tests of a process share."""
    with LoopbackSite() as site:
        yield site


@pytest.fixture
def shop(loopback: LoopbackSite) -> LoopbackSite:
    """Return a real healthy site on loopback with its name server."""
    loopback.status = HTTPStatus.OK
    return loopback


@pytest.fixture
def pump(aws: EmbeddedAws, shop: LoopbackSite) -> Pump:
    """Return the functions; names are resolved by the loopback site's name server alone."""
    return Pump(
        aws,
        {
            "RESOLVERS": shop.resolver,
            "ALLOWED_NETWORKS": "127.0.0.0/8",
            "POWERTOOLS_METRICS_DISABLED": "true",
            "SECOND_LOOK_PAUSE": "0",
        },
    )
