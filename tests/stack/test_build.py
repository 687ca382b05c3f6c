"""What `sam build` makes: the right machine code for both architectures, small, complete, and the same every time."""

import importlib.util
import os
import platform
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack.conftest import ROOT, SAM, sam

pytestmark = [pytest.mark.sam, pytest.mark.timeout(300)]

MB = 1_000_000
DEPENDENCIES = {"aarch64": "DependenciesArm64Layer", "x86_64": "DependenciesX8664Layer"}
ELF_MACHINE = {"aarch64": 183, "x86_64": 62}  # e_machine of the ELF header
PT_LOAD = 1
FUNCTIONS = {
    "DispatchFunction": "dispatch",
    "CheckFunction": "check",
    "NotifyFunction": "notify",
    "AuditHostFunction": "audit_host",
    "DashboardFunction": "dashboard",
}
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-central-1",
    "AWS_ENDPOINT_URL": "",
    "SITES_TABLE": "sites",
    "RESULTS_TABLE": "results",
    "QUEUE_URL": "https://queue.invalid/1/queue",
    "TOPIC_ARN": "arn:aws:sns:eu-central-1:123456789012:topic",
    "CHAT_TOPIC_ARN": "arn:aws:sns:eu-central-1:123456789012:chat",
    "HEARTBEAT_URL": "",
    "QUIET_HOURS": "1",
    "CHECK_FUNCTION": "check",
    "DASHBOARD_URL": "https://console.invalid/",
    "MAX_RECEIVES": "5",
    "DOCUMENT": "document",
    "SITES": "",
    "RETENTION_DAYS": "90",
    "ALLOWED_NETWORKS": "",
    "RESOLVERS": "",
    "PUBLIC_RESOLVERS": "",
    "CT_SEARCH_URL": "",
    "POWERTOOLS_SERVICE_NAME": "test",
    "POWERTOOLS_METRICS_NAMESPACE": "Padlock/padlock",
    "POWERTOOLS_LOG_LEVEL": "INFO",
}


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file but bytecode, by its path under the folder."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def run(code: str, *path: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a Python that sees its standard library and the given folders, nothing else."""
    program = f"import sys; sys.path[:0] = {[str(folder) for folder in path]!r}\n{code}"
    return subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program],
        env={"PATH": os.environ["PATH"], **ENVIRONMENT},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def layers(built: Path) -> list[Path]:
    """Return the two layers that a function on this machine's architecture gets."""
    return [built / DEPENDENCIES[platform.machine()] / "python", built / "PadlockLayer" / "python"]


def test_template_is_valid() -> None:
    """`sam validate --lint` finds nothing."""
    ended = sam("validate", "--lint", path=f"{SAM.parent}:{os.environ['PATH']}")
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("machine", sorted(DEPENDENCIES))
def test_machine_code(built_without_python: Path, machine: str) -> None:
    """Each architecture's layer has compiled modules for that machine and Python 3.13 only, whatever built it."""
    modules = sorted((built_without_python / DEPENDENCIES[machine]).rglob("*.so*"))
    names = {module.name.split(".")[0] for module in modules}
    assert {"_rust", "_cffi_backend", "_core"} <= names
    for module in modules:
        header = module.read_bytes()[:20]
        assert header[:4] == b"\x7fELF", module
        assert int.from_bytes(header[18:20], "little") == ELF_MACHINE[machine], module
        assert ".abi3." in module.name or f".cpython-313-{machine}-" in module.name


@pytest.mark.parametrize("machine", sorted(DEPENDENCIES))
def test_machine_code_is_whole(built: Path, machine: str) -> None:
    """Whatever a module of machine code says is to be loaded is in it, and little else: no symbols for debuggers."""
    for module in (built / DEPENDENCIES[machine]).rglob("*.so"):
        octets = module.read_bytes()
        (table,), (size, count) = struct.unpack_from("<Q", octets, 32), struct.unpack_from("<HH", octets, 54)
        parts = [struct.unpack_from("<I4xQ16xQ", octets, table + size * number) for number in range(count)]
        assert max(offset + length for kind, offset, length in parts if kind == PT_LOAD) == len(octets), module


@pytest.mark.parametrize("machine", sorted(DEPENDENCIES))
def test_layers_are_small(built: Path, machine: str) -> None:
    """Both layers together, bytecode included, stay under 25 MB unpacked; a cold start reads them."""
    folders = [built / DEPENDENCIES[machine], built / "PadlockLayer"]
    size = sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
    assert 10 * MB < size < 25 * MB


def test_result_does_not_depend_on_the_machine(built: Path, built_without_python: Path) -> None:
    """With or without a Python 3.13 the files are the same, but for bytecode: third-party sources stand in for it."""
    for name in ("PadlockLayer", *FUNCTIONS):
        assert contents(built / name) == contents(built_without_python / name), name
    for name in DEPENDENCIES.values():
        sources = contents(built_without_python / name)
        modules = {path for path in sources if path.endswith(".py")}
        assert contents(built / name) == {path: sources[path] for path in sources.keys() - modules}, name
        compiled = {str(path.relative_to(built / name)) for path in (built / name).rglob("*.pyc")}
        assert compiled == {f"{path}c" for path in modules}
    assert not list(built_without_python.rglob("*.pyc"))


def test_bytecode_is_used_as_it_is(built: Path) -> None:
    """Every module has bytecode of Python 3.13 that is never checked against its source: Lambda changes times."""
    sources = [path for path in (built / "PadlockLayer").rglob("*.py") if path.stat().st_size]
    assert len(list((built / "PadlockLayer").rglob("*.cpython-313.pyc"))) >= len(sources) > 0
    for layer in [*DEPENDENCIES.values(), "PadlockLayer"]:
        for path in (built / layer).rglob("*.pyc"):
            header = path.read_bytes()[:8]
            assert header[:4] == importlib.util.MAGIC_NUMBER
            assert int.from_bytes(header[4:], "little") == 1, f"{path}: not an unchecked hash"


def test_functions_are_their_handlers_alone(built: Path) -> None:
    """A function's package holds the Python files of its folder and nothing else."""
    for name, folder in FUNCTIONS.items():
        sources = {path.name: path.read_bytes() for path in (ROOT / "functions" / folder).glob("*.py")}
        assert "app.py" in sources
        assert contents(built / name) == sources


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_functions_import_from_the_build_alone(built: Path, layers: list[Path], name: str) -> None:
    """Each handler starts with what the build holds, from the layers and not from anything that is installed here."""
    code = "import app, padlock, boto3; print(callable(app.handler), padlock.__file__, boto3.__file__)"
    ended = run(code, built / name, *layers)
    assert ended.returncode == 0, ended.stderr
    callable_, padlock, boto3 = ended.stdout.split()[-3:]
    assert callable_ == "True"
    assert padlock == str(layers[1] / "padlock/__init__.py")
    assert boto3 == str(layers[0] / "boto3/__init__.pyc")


def test_every_module_of_the_library_imports(layers: list[Path]) -> None:
    """No module of the library needs a package that the layer lacks, but the command line, which is not run there."""
    modules = [
        ".".join(path.relative_to(layers[1]).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((layers[1] / "padlock").rglob("*.py"))
    ]
    assert "padlock.assess" in modules
    assert "padlock.cli" not in modules
    wanted = [name for name in modules if not name.startswith("padlock.render.terminal")]
    assert len(wanted) > 10
    ended = run(f"import importlib\nfor name in {wanted!r}: importlib.import_module(name)", *layers)
    assert ended.returncode == 0, ended.stderr
    assert run("import rich", *layers).returncode != 0, "rich belongs to the command line only"


def test_services_in_use_are_in_the_layer(layers: list[Path]) -> None:
    """Every AWS service that the functions call is among those that the layer keeps of botocore."""
    sources = [*(ROOT / "functions").rglob("*.py"), *(ROOT / "layers/padlock/padlock").rglob("*.py")]
    called = {
        name
        for path in sources
        if "cli" not in path.parts and path.name != "cli.py"
        for name in re.findall(r"""\.client\(\s*["'](\w+)["']""", path.read_text())
    }
    assert "dynamodb" in called
    ended = run(f"import boto3\nfor name in {sorted(called)!r}: boto3.client(name)", *layers)
    assert ended.returncode == 0, ended.stderr


def test_licences_travel_along(built: Path) -> None:
    """Every pinned package keeps its metadata, which names its licence."""
    pinned = re.findall(r"(?m)^([a-z0-9-]+)==", (ROOT / "layers/dependencies/requirements.txt").read_text())
    for layer in DEPENDENCIES.values():
        folders = list((built / layer / "python").glob("*.dist-info"))
        assert len(folders) == len(pinned)
        for folder in folders:
            assert "\nLicense" in (folder / "METADATA").read_text(), folder.name
