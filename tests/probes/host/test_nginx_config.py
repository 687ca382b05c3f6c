"""Reading what `nginx -T` prints: files, includes, words, and whatever a host may put there instead."""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from padlock.evidence import Directive
from padlock.probes.host.nginx_config import DEEPEST, FILES, LARGEST, MOST, parse, split

from tests.host_builder import dump
from tests.real_nginx import needed, running

MAIN = "/etc/nginx/nginx.conf"


def one(text: str) -> Directive:
    """Return the only directive of a file."""
    (found,) = parse(dump({MAIN: text}))
    return found


def test_blocks_and_places() -> None:
    """Directives keep their words, file and line, and what stands between their braces."""
    found = one("\n# a comment; with { signs }\nhttp {\n  server {\n    listen 80; listen 81;\n  }\n}\n")
    server = found.block[0] if found.block else None
    assert server
    assert (found.name, found.line, server.line) == ("http", 3, 4)
    assert server.block == (Directive("listen", ("80",), MAIN, 5), Directive("listen", ("81",), MAIN, 5))
    assert server.place == f"{MAIN}:4"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b c;", ("a", "b", "c")),
        ("a 'b c' \"d e\";", ("a", "b c", "d e")),
        ("a b'c;", ("a", "b'c")),
        (r"a ~^www\.b\\.$;", ("a", r"~^www\.b\.$")),
        (r'a "b\"c" "d\te";', ("a", 'b"c', "d\te")),
        ("a ${b}c;", ("a", "${b}c")),
        ("a '{' ';' '}' '#';", ("a", "{", ";", "}", "#")),
        ("a #b\n c;", ("a", "c")),
        ("a b#c;", ("a", "b#c")),
        ("a\r\n  b;\r\n", ("a", "b")),
        ("a example.com\xa0;", ("a", "example.com\xa0")),
        ("a b\u3000c;", ("a", "b\u3000c")),
        ("a '';", ("a", "")),
        ("log_format main '$a'\n    '$b';", ("log_format", "main", "$a", "$b")),
        ("unheard_of on;", ("unheard_of", "on")),
    ],
)
def test_words(text: str, words: tuple[str, ...]) -> None:
    """Words are nginx's: quotes, escapes, variables, comments; only ASCII's white space ends them."""
    found = one(text)
    assert (found.name, *found.args) == words
    assert found.block is None


@needed
def test_words_as_nginx_has_them(tmp_path: Path) -> None:
    """The real nginx answers with the very words that are read of its `nginx -T`."""
    texts = (r'"a\"b\\c"', "'it\\'s'", "a#b", r"a\.b", '"tab\\there"', "a'b", '"${scheme}s"', "é\xa0", r'"\;"')
    lines = "".join(f"location = /{index} {{ return 200 {text}; }}\n" for index, text in enumerate(texts))
    with running(tmp_path, f"server {{ listen {{port}}; {lines} }}") as nginx:
        http = next(each for each in nginx.configuration() if each.name == "http")
        for index, location in enumerate(next(http.all("server")).all("location")):
            read = next(location.all("return")).args[1].replace("${scheme}", "http")
            assert read == nginx.ask("a.test", f"/{index}").body, texts[index]
        assert index + 1 == len(texts)


def test_lua_is_one_word() -> None:
    """A block of Lua, with braces and quotes of its own, does not end the configuration around it."""
    found = one('location / { content_by_lua_block { local a = {"}"} -- {\n ngx.say(a) } root /a; }')
    assert [each.name for each in found.block or ()] == ["content_by_lua_block", "root"]


def test_includes() -> None:
    """Files are put in the place of their include, in the order of their octets; hidden ones are not matched."""
    files = {
        MAIN: "include mods/*.conf; http { include sites/*; include /etc/nginx/one; include none/*; }",
        "/etc/nginx/mods/b.conf": "b;",
        "/etc/nginx/mods/a.conf": "a;",
        "/etc/nginx/mods/c.load": "c;",
        "/etc/nginx/sites/b": "b;",
        "/etc/nginx/sites/B": "B;",
        "/etc/nginx/sites/.hidden": "hidden;",
        "/etc/nginx/sites/deep/er": "deeper;",
        "/etc/nginx/one": "one; include /etc/nginx/[t]w?;",
        "/etc/nginx/two": "two;",
    }
    a, b, http = parse(dump(files))
    assert (a.name, a.file, b.name) == ("a", "/etc/nginx/mods/a.conf", "b")
    assert [each.name for each in http.block or ()] == ["B", "b", "one", "two", "include"]


def test_one_file_in_many_places() -> None:
    """A file that is included several times stands in each place."""
    found = parse(dump({MAIN: "a { include /p; } b { include /p; }", "/p": "x y;"}))
    assert [each.block for each in found] == [(Directive("x", ("y",), "/p", 1),)] * 2


def test_a_dump_within_a_file() -> None:
    """A saved `nginx -T` in a file of its own does not tear that file apart."""
    saved = f"a;\n# configuration file {MAIN}:\nb;"
    assert split(dump({MAIN: "include /saved;", "/saved": saved}))["/saved"].strip() == saved
    assert [each.name for each in parse(dump({MAIN: "include /saved;", "/saved": saved}))] == ["a", "b"]


def test_what_stands_before_the_first_file() -> None:
    """Warnings before the first file are no configuration, and types of files are left out."""
    text = "nginx: [warn] odd\n" + dump({MAIN: "types { text/html html; } a;"})
    assert [(each.name, each.block) for each in parse(text)] == [("types", ()), ("a", None)]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a", "unexpected end of file"),
        ("a {", 'expecting "}"'),
        ("a { b; } }", 'unexpected "}" in /etc/nginx/nginx.conf:1'),
        ("\n\na { b }", 'unexpected "}" in /etc/nginx/nginx.conf:3'),
        ("{ }", 'unexpected "{"'),
        (";", 'unexpected ";"'),
        ('a "b', "unexpected end of file"),
        ("content_by_lua_block x", "Lua"),
        ("include /etc/nginx/nginx.conf;", "includes itself"),
        ("a { " * (DEEPEST + 1) + "}" * (DEEPEST + 1), "deeper"),
        ("a;" * (MOST + 1), "more than 50,000 directives"),
        ("".join(f"include a{index}*;" for index in range(101)), "more than 100 patterns"),
        ("x" * LARGEST, "larger than"),
    ],
)
def test_what_cannot_be_read(text: str, reason: str) -> None:
    """What is no configuration, or too much of one, is refused with its reason."""
    with pytest.raises(ValueError, match=r"^[^\n]{1,200}$") as refused:
        parse(dump({MAIN: text}))
    assert reason in str(refused.value)


def test_no_dump() -> None:
    """Output without a file, or of more files than any server has, is refused."""
    with pytest.raises(ValueError, match="no configuration file"):
        parse("nginx: [emerg] open() failed")
    with pytest.raises(ValueError, match="files"):
        parse(dump({f"/{index}": "" for index in range(FILES + 1)}))


def test_includes_that_multiply() -> None:
    """Includes within includes are counted before they are put together."""
    files = {f"/{level}": f"include /{level + 1};" * 100 for level in range(8)}
    with pytest.raises(ValueError, match="more than 50,000"):
        parse(dump({**files, "/8": "a;"}))
    chain = {f"/{level}": f"include /{level + 1};" for level in range(100)}
    with pytest.raises(ValueError, match="deeper"):
        parse(dump({**chain, "/100": "a;"}))


HOSTILE = ("a{", '"', "a;", "a b ", "\udc80", "include *a*a;", "content_by_lua_block {'")


def swallow() -> None:
    """Read a megabyte of each hostile text, and print the slowest one's seconds and the memory in kilobytes."""
    slowest = 0.0
    for text in HOSTILE:
        filler = text * ((LARGEST - 100) // len(text))
        started = time.process_time()
        with contextlib.suppress(ValueError):
            parse(dump({MAIN: filler}))
        slowest = max(slowest, time.process_time() - started)
    # getrusage would count what the process was before it ran this program: a fork of pytest.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    print(slowest, status.partition("VmHWM:")[2].split()[0])  # noqa: T201


def test_a_megabyte_of_it() -> None:
    """A megabyte of anything ends within seconds, and the process stays small."""
    code = f"from {__name__} import swallow; swallow()"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    seconds, kilobytes = ran.stdout.split()
    assert float(seconds) < 5
    assert int(kilobytes) < 250_000


def test_many_files_and_patterns() -> None:
    """As many files and patterns as are read are compared in a few seconds."""
    files = {f"/etc/nginx/{'a' * 200}{index}": "x;" for index in range(FILES - 1)}
    text = "".join(f"include {'*a' * 100}b{index};" for index in range(100))
    started = time.process_time()
    assert {each.name for each in parse(dump({MAIN: text, **files}))} == {"include"}
    assert time.process_time() - started < 20


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab {};\"'\\#$\n\r\t*/~()=", max_size=60))
@example("a${")
@example("a {b} c {d")
def test_anything(text: str) -> None:
    """Whatever stands in a file is read or refused with a reason."""
    found: tuple[Directive, ...] = ()
    with contextlib.suppress(ValueError):
        found = parse(dump({MAIN: text, "/etc/nginx/a": text}))
    assert all(each.name is not None and each.line >= 1 for each in found)
