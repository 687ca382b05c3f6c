"""Which sites a command is about: host names of the command line and declarations of site files."""

import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from padlock.site import InvalidSite, Site, parse, parse_all


class _Loader(yaml.SafeLoader):
    """YAML as of 1.2, where only true and false are booleans and a date is text.

    YAML 1.1 would turn `hsts: off` into False and a label such as 2026-11-20 into a date.
    """


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":timestamp"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF")


def collect(names: Sequence[str], files: Sequence[str]) -> tuple[list[Site], list[str]]:
    """Return the sites of names and files, each once, and one message for each that cannot be used.

    A name that stands in a file too is checked as the file declares it.
    """
    bare: dict[str, Site] = {}
    declared: dict[str, Site] = {}
    wrong: list[str] = []
    for name in names:
        try:
            site = parse(name)
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
        sites, errors = parse_all(read(file))
    except OSError as error:
        return [], [f"cannot read the site file {file}: {error.strerror or error}"]
    except ValueError as error:
        return [], [f"cannot read the site file {file}: {error}"]
    return sites, [f"{file}, {error}" for error in errors]


def read(file: str) -> list[Any]:
    """Return the declarations of a JSON or YAML file, `-` for stdin; OSError or ValueError where it is none."""
    text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    try:
        document = json.loads(text) if file.endswith(".json") else yaml.load(text, _Loader)  # noqa: S506 — safe subclass
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    if isinstance(document, list):
        if not document:
            raise ValueError("the list of sites is empty")
        return document
    if isinstance(document, (dict, str)):
        return [document]
    raise ValueError("it holds neither a site's declaration nor a list of them")
