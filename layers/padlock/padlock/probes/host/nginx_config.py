"""The directives of an nginx configuration, from what `nginx -T` prints of its files.

Tokens are crossplane's; blocks and includes are put together here as nginx does it: an `include` in its place, its
pattern relative to the directory of the main file and its files in the order of their octets. Directives need not be
known; what stands in `types` (file name extensions) is left out. An `include` of what is not in the dump stays as it
is. The text is a host's, thus hostile: size, depth and count of what comes of it are bounded.

Source: nginx's ngx_conf_file.c; https://nginx.org/en/docs/switches.html (-T).
"""

import fnmatch
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

import crossplane
from crossplane.errors import NgxParserBaseException

from padlock.evidence.host import Directive

LARGEST = 1_000_000
"""Characters of a dump; that of a large server has some 200,000."""
DEEPEST = 32
"""Blocks and includes within each other."""
MOST = 50_000
"""Directives, those of files included several times counted each time."""

FILES = 2_000
PATTERNS = 100
"""Different patterns of `include`, each of which is compared with every file."""

MARKER = re.compile(r"^# configuration file (/[^\n]{0,4096}):$", re.MULTILINE)
ESCAPE = re.compile(r"""\\(["'\\trn])""")
ESCAPED = {"t": "\t", "r": "\r", "n": "\n"}
# crossplane ends a word at any white space of Unicode, nginx only at ASCII's: a no-break space is part of a name.
FOREIGN_SPACES = "\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)
HIDDEN = {ord(space): 0xE000 + index for index, space in enumerate(FOREIGN_SPACES)}
SHOWN = {hidden: space for space, hidden in HIDDEN.items()}


class Token(NamedTuple):
    """One word of a configuration file."""

    text: str
    line: int
    quoted: bool

    def ends(self, mark: str) -> bool:
        """Whether it is this unquoted sign."""
        return self.text == mark and not self.quoted


def parse(dump: str) -> tuple[Directive, ...]:
    """Return the top-level directives of the main file of a dump, with includes resolved.

    Raises ValueError, with the reason, where they cannot be had.
    """
    if len(dump) > LARGEST:
        raise ValueError(f"the configuration is larger than {LARGEST:,} characters")
    # To be told by the tokens alone, they would have to be read first.
    if dump.count(";") + dump.count("{") > MOST:
        raise ValueError(f"there are more than {MOST:,} directives")
    texts = split(dump)
    if not texts:
        raise ValueError("there is no configuration file in it")
    if len(texts) > FILES:
        raise ValueError(f"the configuration has more than {FILES:,} files")
    includes = _Includes({file: read(file, text) for file, text in texts.items()})
    return tuple(includes.file(includes.main, (), 0))


def split(dump: str) -> dict[str, str]:
    """Return file → its text, the main file first."""
    texts: dict[str, str] = {}
    file, start = "", 0
    for marker in MARKER.finditer(dump):
        # nginx prints each file once: the line of a file that was there is a comment, as in a saved dump.
        if marker[1] in texts or marker[1] == file:
            continue
        if file:
            texts[file] = dump[start : marker.start()]
        file, start = marker[1], marker.end() + 1
    return {**texts, file: dump[start:]} if file else {}


def read(file: str, text: str) -> tuple[Directive, ...]:
    """Return the directives of one file as they stand there, its includes not yet resolved."""
    blocks: list[list[Directive]] = [[]]
    heads: list[list[Token]] = []
    words: list[Token] = []
    for token in tokens(file, text):
        if token.ends("{"):
            if not words:
                raise ValueError(f'unexpected "{{" in {file}:{token.line}')
            if len(blocks) > DEEPEST:
                raise ValueError(f"blocks lie deeper than {DEEPEST} within each other in {file}:{token.line}")
            heads.append(words)
            blocks.append([])
            words = []
        elif token.ends("}"):
            if words or not heads:
                raise ValueError(f'unexpected "}}" in {file}:{token.line}')
            block = tuple(blocks.pop())
            blocks[-1].append(_directive(heads.pop(), file, block))
        elif token.ends(";"):
            if not words:
                raise ValueError(f'unexpected ";" in {file}:{token.line}')
            blocks[-1].append(_directive(words, file))
            words = []
        else:
            words.append(token)
    if words or heads:
        raise ValueError(f'unexpected end of file, expecting ";" or "}}" in {file}')
    return tuple(blocks[0])


def tokens(file: str, text: str) -> Iterator[Token]:
    """Yield the words and signs of one file, comments left out."""
    with tempfile.TemporaryFile() as kept:
        # The lexer loses a word at the very end of a file, ends a line at a lone CR, and closes what it is given.
        plain = text.replace("\r", " ").translate(HIDDEN)
        kept.write(f"{plain}\n".encode(errors="replace"))
        kept.seek(0)
        try:
            for word, line, quoted in crossplane.lex(os.dup(kept.fileno())):
                if quoted or not word.startswith("#"):
                    yield Token(_plain(word), line, quoted)
        except NgxParserBaseException as fault:
            raise ValueError(f"{fault.strerror} in {file}:{fault.lineno or 1}") from fault


def _plain(word: str) -> str:
    """Return a word as nginx has it in its memory."""
    if "\\" in word:
        word = ESCAPE.sub(lambda escape: ESCAPED.get(escape[1], escape[1]), word)
    return word.translate(SHOWN)


def _directive(words: list[Token], file: str, block: tuple[Directive, ...] | None = None) -> Directive:
    name, *args = words
    return Directive(name.text, tuple(arg.text for arg in args), file, name.line, block)


class _Includes:
    """The files of one dump, and what was spent on resolving their includes."""

    def __init__(self, files: Mapping[str, tuple[Directive, ...]]) -> None:
        self.files = files
        self.main = next(iter(files))
        self.count = 0
        self.named: dict[str, list[str]] = {}

    def file(self, name: str, within: tuple[str, ...], depth: int) -> Iterator[Directive]:
        """Yield the directives of a file, those that it includes in their place."""
        if name in within:
            raise ValueError(f"{name} includes itself")
        yield from self.block(self.files[name], (*within, name), depth)

    def block(self, directives: tuple[Directive, ...], within: tuple[str, ...], depth: int) -> Iterator[Directive]:
        """Yield these directives, those that they include in their place."""
        if depth > DEEPEST:
            raise ValueError(f"blocks and includes lie deeper than {DEEPEST} within each other in {within[-1]}")
        for directive in directives:
            self.count += 1
            if self.count > MOST:
                raise ValueError(f"there are more than {MOST:,} directives")
            if directive.name == "include" and directive.args and directive.block is None:
                files = self.matching(directive)
                for file in files:
                    yield from self.file(file, within, depth + 1)
                if not files:
                    yield directive
            elif directive.block:
                kept = () if directive.name == "types" else self.block(directive.block, within, depth + 1)
                yield Directive(directive.name, directive.args, directive.file, directive.line, tuple(kept))
            else:
                yield directive

    def matching(self, include: Directive) -> list[str]:
        """Return the files that an include names, in the order in which nginx reads them."""
        pattern = include.args[0]
        if not pattern.startswith("/"):
            pattern = f"{PurePosixPath(self.main).parent}/{pattern}"
        if not re.search(r"[*?\[]", pattern):
            return [pattern] if pattern in self.files else []
        if pattern not in self.named:
            if len(self.named) == PATTERNS:
                raise ValueError(f"more than {PATTERNS} patterns are included")
            parts = pattern.split("/")
            self.named[pattern] = sorted((f for f in self.files if _fits(f.split("/"), parts)), key=_octets)
        return self.named[pattern]


def _octets(file: str) -> bytes:
    return file.encode(errors="replace")


def _fits(names: list[str], patterns: list[str]) -> bool:
    """Whether a path's names fit a pattern's, as glob(3) has it: no wildcard stands for `/` or a leading dot."""
    return len(names) == len(patterns) and all(
        fnmatch.fnmatchcase(name, pattern) and name.startswith(".") <= pattern.startswith(".")
        for name, pattern in zip(names, patterns, strict=True)
    )
