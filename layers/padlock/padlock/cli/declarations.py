"""Which sites a command is about: host names of the command line and declarations of site files."""

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from padlock.declaration import read_declaration, read_declarations
from padlock.site import InvalidSite, Site


class _Loader(yaml.SafeLoader):
    """YAML as of 1.2, where only true and false are booleans, and neither a date nor a time is anything but text.

    YAML 1.1 would turn `hsts: off` into False, a label such as 2026-11-20 into a date, and `every: 12:30` into 750.
    """


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":int", ":timestamp"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF")
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(?:0|[1-9][0-9]*)$"), "-+0123456789")


def collect(names: Sequence[str], files: Sequence[str]) -> tuple[list[Site], list[str]]:
    """Return the sites of names and files, each once, and one message for each that cannot be used.

    A name that stands in a file too is checked as the file declares it.
    """
    bare: dict[str, Site] = {}
    declared: dict[str, Site] = {}
    wrong: list[str] = []
    for name in names:
        try:
            site = read_declaration(name)
        except InvalidSite as error:
            wrong.append(str(error))
            continue
        bare[site.name] = site
    for file in files:
        found, errors = load(file)
        wrong += errors
        wrong += [
            f"{file}: site {site.name!r} is declared in another file too" for site in found if site.name in declared
        ]
        declared = {site.name: site for site in found} | declared
    return list((bare | declared).values()), wrong


def load(file: str) -> tuple[list[Site], list[str]]:
    """Return the sites that a file declares, and one message for each entry that cannot be used."""
    try:
        sites, errors = read_declarations(read(file))
    except OSError as error:
        return [], [f"cannot read the site file {file}: {error.strerror or error}"]
    except ValueError as error:
        return [], [f"cannot read the site file {file}: {error}"]
    return sites, [f"{file}, {error}" for error in errors]


def read(file: str) -> list[Any]:
    """Return the declarations of a JSON or YAML file, `-` for stdin; OSError or ValueError where it is none."""
    data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    try:
        text = data.decode("utf-8-sig")  # editors on Windows write a byte order mark
        document = _document(text, is_json=file.endswith(".json"))
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 text ({error.reason} at octet {error.start + 1})") from error
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply for a list of sites") from error
    if isinstance(document, list):
        if not document:
            raise ValueError("the list of sites is empty")
        return document
    if isinstance(document, dict) and "sites" in document and "name" not in document:
        raise ValueError("write the list of sites itself, without the key 'sites' around it")
    if isinstance(document, (dict, str)):
        return [document]
    raise ValueError("it holds neither a site's declaration nor a list of them")


def _document(text: str, *, is_json: bool) -> Any:
    if is_json:
        return json.loads(text, object_pairs_hook=_once)
    return yaml.load(text, _Loader)  # noqa: S506 — safe subclass


def _once(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, Any]:
    """Return a mapping of which each key was written once: of two values one would be dropped without a word."""
    found: dict[Any, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key {str(key)[:80]!r} stands there twice")
        found[key] = value
    return found


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    _once((key.value, None) for key, _ in node.value if isinstance(key, yaml.ScalarNode))
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
