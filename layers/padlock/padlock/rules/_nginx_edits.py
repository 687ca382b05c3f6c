"""Shell lines that change one line of nginx's configuration and leave the number of lines as it is.

So the lines of several findings can be run one after another. A link in sites-enabled stays a link. Where a line's
text leaves a doubt about what would be changed, there is no line. A line run twice changes nothing more.
"""

import re
from collections.abc import Iterable

from padlock.evidence import Directive
from padlock.rules._machines import reload_nginx, shell
from padlock.rules._nginx_hosts import Configured

PATH = re.compile(r"/[A-Za-z0-9._/@+-]+")
HOST = re.compile(r"[a-z0-9._-]+")
MOST_BESIDE = 100
"""Directives on one line; nobody writes more by hand."""
REDIRECT = "return 301 https://$host$request_uri;"


def substituted(
    here: Configured,
    directive: Directive,
    pattern: str,
    replacement: str,
    *,
    once: str = "",
    among: Iterable[Directive] = (),
) -> tuple[str, ...]:
    """Return the line that replaces sed's pattern once, where a directive stands; empty where that is not safe.

    It does nothing where `once`, another pattern, already stands there: two findings may propose the same. Where the
    directive's name stands there several times, each must be one of `among`, any of which will do.
    """
    beside = here.lines.get((directive.file, directive.line), set())
    word = re.compile(rf"(?<!\w){re.escape(directive.name)}(?!\w)")
    if len(beside) > MOST_BESIDE:
        return ()
    having = [each for each in beside if word.search(" ".join((each.name, *each.args)))]
    if (len(having) != 1 and not set(having) <= set(among)) or any(
        mark in pattern + replacement + once for mark in "|\n"
    ):
        return ()
    script = f"s|{pattern}|{replacement}|"
    script = rf"{directive.line}{{\|{once}|!{script}}}" if once else f"{directive.line}{script}"
    return shell(("sed", "-i", "--follow-symlinks", script, directive.file))


def before(here: Configured, directive: Directive, text: str, among: Iterable[Directive] = ()) -> tuple[str, ...]:
    """Return the line that puts directives before another, on its line, unless they are there."""
    # sed's basic expressions: of what directives are written with only these are special.
    once = re.sub(r"[.*$\[\]\\^]", r"\\\g<0>", text)
    text = re.sub(r"[&\\]", r"\\\g<0>", text)
    return substituted(here, directive, rf"\b{directive.name}\b", f"{text} &", once=once, among=among)


def argument(here: Configured, directive: Directive, text: str) -> tuple[str, ...]:
    """Return the line that gives a directive of one argument another."""
    return substituted(here, directive, rf"\b{directive.name}[[:space:]][^;]*;", f"{directive.name} {text};")


def then_reload(here: Configured, edits: Iterable[tuple[str, ...]], *, invalid: bool = False) -> tuple[str, ...]:
    """Return all edits and the line that reloads nginx; empty where one of the edits could not be made.

    Nor is there one while `nginx -t` fails, unless the edits are what it needs.
    """
    made = list(dict.fromkeys(edits))
    if not made or () in made or (here.nginx.test.status != 0 and not invalid):
        return ()
    return (*(line for edit in made for line in edit), reload_nginx(here.machine))
