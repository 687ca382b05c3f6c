"""What the trimmed layers can still do, in a Python that sees nothing else: all that the functions ask of them."""

import ast
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore import __file__ as botocore_of_this_machine
from padlock.storage import Results, Sites

from local.aws import REGION, EmbeddedAws
from tests.loopback_site import LoopbackSite
from tests.stack.conftest import ROOT

pytestmark = [pytest.mark.sam, pytest.mark.timeout(300)]

LAYERS = {"aarch64": "DependenciesArm64Layer", "x86_64": "DependenciesX8664Layer"}
OURS = (ROOT / "layers/padlock/padlock", ROOT / "functions")
SERVICES = ("dynamodb", "ec2", "events", "sns", "sqs", "ssm", "sts")
ENDPOINTS = """
import json, boto3, botocore.config
found = {}
for fips in (False, True):
    config = botocore.config.Config(use_fips_endpoint=fips)
    for service in json.loads(sys.argv[1]):
        for region in json.loads(sys.argv[2]):
            client = boto3.client(service, region_name=region, config=config)
            signer = client._request_signer
            told = [client.meta.endpoint_url, client.meta.partition, signer.region_name, signer.signing_name]
            found[f"{service} {region} {fips}"] = told
print(json.dumps(found))
"""
HANDLED = """
import json, app
from types import SimpleNamespace
context = SimpleNamespace(
    function_name="check", memory_limit_in_mb=512, invoked_function_arn="arn:aws:lambda:::function:check",
    aws_request_id="1", get_remaining_time_in_millis=lambda: 60_000,
)
answer = app.handler(json.loads(sys.argv[1]), context)
alien = [m.__file__ for m in list(sys.modules.values()) if "site-packages" in str(getattr(m, "__file__", ""))]
print("answer", json.dumps({"answer": answer, "alien": alien}))
"""


@pytest.fixture
def path(built: Path) -> list[Path]:
    """Return what a function on this machine's architecture has of third parties, and the library."""
    return [built / LAYERS[platform.machine()] / "python", built / "PadlockLayer" / "python"]


def run(code: str, path: list[Path], *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run code in a Python that sees its standard library and the given folders; return what it printed."""
    ended = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-B",
            "-c",
            f"import sys; sys.path[:0] = {[*map(str, path)]!r}\n{code}",
            *arguments,
        ],
        env={
            "PATH": os.environ["PATH"],
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            **(environment or {}),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_whatever_is_imported_is_there(path: list[Path]) -> None:
    """Every import of the library and the functions works, also those within functions; the command line apart."""
    statements = {
        ast.unparse(node)
        for folder in OURS
        for file in folder.rglob("*.py")
        if "cli" not in file.parts and "terminal" not in file.parts and file.name != "terminal.py"
        for node in ast.walk(_without_types(ast.parse(file.read_text())))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert "from OpenSSL import crypto" in statements
    assert "import dns.rdata" in statements
    run("\n".join(sorted(statements)), path)


def _without_types(module: ast.Module) -> ast.Module:
    """Return a module without what only type checkers import."""
    kept = [
        node for node in module.body if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    ]
    return ast.Module(kept, [])


def test_every_record_type_can_be_read(path: list[Path]) -> None:
    """All types of records that dnspython knows are read, and one that nobody knows as plain octets (RFC 3597)."""
    types = sorted(
        ".".join(file.relative_to(path[0]).with_suffix("").parts) for file in path[0].rglob("dns/rdtypes/**/*.pyc")
    )
    assert {"dns.rdtypes.ANY.CAA", "dns.rdtypes.IN.SVCB"} <= set(types)
    unknown = "import dns.rdata; print(dns.rdata.from_wire(1, 65400, b'abc', 0, 3).to_text())"
    assert run("\n".join(f"import {name}" for name in types) + f"\n{unknown}", path).strip() == r"\# 3 616263"


def test_endpoints_are_those_of_the_whole_botocore(path: list[Path]) -> None:
    """Clients call and sign in every region of every partition as those of an untrimmed botocore do."""
    botocore = Path(botocore_of_this_machine).parent
    known = json.loads((botocore / "data/endpoints.json").read_text())
    regions = sorted({region for partition in known["partitions"] for region in partition["regions"]})
    assert {"eu-central-1", "cn-north-1", "us-gov-west-1"} <= set(regions)
    asked = json.dumps(SERVICES), json.dumps([*regions, "eu-nowhere-9"])
    told = json.loads(run(ENDPOINTS, path, *asked))
    assert len(told) == 2 * len(SERVICES) * (len(regions) + 1)
    assert told == json.loads(run(ENDPOINTS, [botocore.parent], *asked))


def test_a_site_is_checked_by_the_build_alone(
    built: Path, path: list[Path], aws: EmbeddedAws, shop: LoopbackSite, sites: Sites, results: Results
) -> None:
    """The check function works a message off with what was built: its result is that of the sources, and stored."""
    sites.put(shop.declaration)
    body = json.dumps({"site": shop.declaration, "slot": "2026-11-20T17:05:00Z"})
    record = {"messageId": "1", "body": body, "attributes": {}, "eventSource": "aws:sqs"}
    environment = aws.environment("CheckFunction") | {
        "RESOLVERS": shop.resolver,
        "ALLOWED_NETWORKS": "127.0.0.0/8",
        "SECOND_LOOK_PAUSE": "0",
        # As in Lambda, so that the init is the one that runs there.
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1",
        "AWS_DEFAULT_REGION": REGION,
    }
    event = json.dumps({"Records": [record]})
    lines = run(HANDLED, [built / "CheckFunction", *path], event, environment=environment).splitlines()
    ended: dict[str, Any] = next(json.loads(line[7:]) for line in lines if line.startswith("answer "))
    assert ended == {"answer": {"batchItemFailures": []}, "alien": []}
    (row,) = results.history(shop.declaration["name"])
    assert (row["kind"], row["status"]) == ("applied", "notice")
