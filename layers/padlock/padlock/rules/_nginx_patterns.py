"""Regular expressions of nginx (PCRE), searched for without backtracking, so that none can take long.

The patterns are an audited machine's. `re` tries the ways through a pattern one after another, of which thirty
characters can have a billion; here all are followed at once, one step for each character of the text. Each step
and each part of a pattern costs work, of which there is a fixed amount.

Source: V. M. Glushkov's construction, https://en.wikipedia.org/wiki/Glushkov%27s_construction_algorithm
"""

import re
import string
from collections.abc import Callable, Iterable
from operator import or_
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from padlock.rules._nginx import Levels

LONGEST = 200
"""Characters of a pattern that is tried."""
MOST_WORK = 10_000
"""Steps of building and searching together, some three milliseconds; ordinary patterns need hundreds."""
MOST_TOGETHER = 1_000_000
"""The same for all searches of a configuration."""
MOST_POSITIONS = 1000
"""A repeated part has its positions once for each time."""
UNTRIED = re.compile(r"\(\?(?!:|P?<[A-Za-z_])|\\[1-9gkNUu]|\{,|\[[^\]]*(?:\[|\(\?<|--|&&|~~|\|\|)")
"""Assertions, options and references; `{,2}`, which PCRE's versions read differently; classes of POSIX, and what
Python may read as an operation on sets one day."""
NAMED_GROUP = re.compile(r"(?<!\\)\(\?<(?=[A-Za-z_])")

WORD = frozenset(string.ascii_letters + string.digits + "_")
CATEGORIES = {
    sre.CATEGORY_DIGIT: (frozenset(string.digits), True),
    sre.CATEGORY_NOT_DIGIT: (frozenset(string.digits), False),
    sre.CATEGORY_SPACE: (frozenset(string.whitespace), True),
    sre.CATEGORY_NOT_SPACE: (frozenset(string.whitespace), False),
    sre.CATEGORY_WORD: (WORD, True),
    sre.CATEGORY_NOT_WORD: (WORD, False),
}

START, END, BOUNDARY = 1, 2, 4
"""What may be said of a place between two characters; every combination of them is a situation."""
SITUATIONS = range(8)
ANCHORS = {
    sre.AT_BEGINNING: (START, True),
    sre.AT_BEGINNING_STRING: (START, True),
    sre.AT_END: (END, True),
    sre.AT_END_STRING: (END, True),
    sre.AT_BOUNDARY: (BOUNDARY, True),
    sre.AT_NON_BOUNDARY: (BOUNDARY, False),
}

type Sets = tuple[int, ...]
"""For each situation a set of positions: an integer with a bit for each."""
NOWHERE: Sets = (0,) * len(SITUATIONS)
type Class = tuple[tuple[Any, Any], ...]
"""The items of a class of characters, as Python's parser gives them."""

FOUND = 1
"""The position that ends the pattern."""


class Unjudged(Exception):
    """The pattern has a part that is not searched for here, or takes too much work."""


class Searches:
    """The searches of one configuration: what they may cost together, and what they came to."""

    def __init__(self) -> None:
        self.left = MOST_TOGETHER
        self.reserve = 0
        self.known: dict[tuple[str, str, bool], bool | None] = {}

    def search(self, pattern: str, text: str, *, any_case: bool = True) -> bool | None:
        """Whether a pattern is found in a text; None: not judged, for its cost or as PCRE may read it otherwise."""
        # A line's end would give `$` a second meaning.
        if len(pattern) > LONGEST or "\n" in text:
            return None
        asked = _octets(pattern), _octets(text), any_case
        if asked not in self.known:
            if self.left <= 0:
                return None
            self.reserve = max(self.left - MOST_WORK, 0)
            self.known[asked] = self._found(*asked)
        return self.known[asked]

    def _found(self, pattern: str, text: str, any_case: bool) -> bool | None:
        try:
            self._spend(len(pattern))
            if UNTRIED.search(pattern):
                return None
            parsed = _parser.parse(NAMED_GROUP.sub("(?P<", pattern), re.ASCII)
            return Automaton(parsed, self._spend, any_case=any_case).finds(text)
        except (Unjudged, re.error, OverflowError, RecursionError):
            return None

    def _spend(self, work: int) -> None:
        self.left -= work
        if self.left < self.reserve:
            raise Unjudged


def _octets(text: str) -> str:
    """Return a text with a character for each of its bytes: nginx's patterns know no others."""
    return text.encode(errors="replace").decode("latin-1")


def searches(levels: Levels) -> Searches:
    """Return the searches of the configuration that these levels are of."""
    # They are kept with the outermost level, which all virtual servers of a configuration have in common.
    found: Searches = vars(levels[0]).setdefault("searches", Searches())
    return found


class Automaton:
    """A pattern as positions, each of which takes one character and leads to others."""

    def __init__(self, parsed: Iterable[tuple[Any, Any]], spend: Callable[[int], None], *, any_case: bool) -> None:
        self.spend = spend
        self.any_case = any_case
        self.following = [NOWHERE]
        """Position → those that may come after it."""
        self.classes: dict[Class, int] = {}
        """Class → the positions that take its characters."""
        self.taking: dict[str, int] = {}
        """Character → the positions that take it."""
        self.reached: dict[tuple[int, int], int] = {}
        """Positions and situation → those that may come after them."""
        self.first = self._sequence(parsed, (FOUND,) * len(SITUATIONS))

    def finds(self, text: str) -> bool:
        """Whether the pattern is found anywhere in a text."""
        held, word = 0, False
        for place in range(len(text) + 1):
            situation = START * (place == 0) | END * (place == len(text))
            before, word = word, place < len(text) and text[place] in WORD
            situation |= BOUNDARY * (before is not word)
            reached = self.first[situation] | self._after(held, situation)
            if reached & FOUND:
                return True
            if place < len(text):
                held = reached & self._taking(text[place])
        return False

    def _after(self, held: int, situation: int) -> int:
        self.spend(1)
        reached = self.reached.get((held, situation))
        if reached is None:
            self.spend(held.bit_count())
            reached, rest = 0, held
            while rest:
                reached |= self.following[rest.bit_length() - 1][situation]
                rest ^= 1 << (rest.bit_length() - 1)
            self.reached[held, situation] = reached
        return reached

    def _taking(self, character: str) -> int:
        taking = self.taking.get(character)
        if taking is None:
            self.spend(sum(map(len, self.classes)))
            cases = {character}
            if self.any_case and character.isascii():
                cases |= {character.lower(), character.upper()}
            taking = 0
            for items, positions in self.classes.items():
                if _within(items, cases):
                    taking |= positions
            self.taking[character] = taking
        return taking

    # Each of these builds a part of the pattern, given what may come after it, and returns what it may begin with.

    def _sequence(self, nodes: Iterable[tuple[Any, Any]], after: Sets) -> Sets:
        for operation, argument in reversed(list(nodes)):
            after = self._part(operation, argument, after)
        return after

    def _part(self, operation: Any, argument: Any, after: Sets) -> Sets:
        self.spend(4)
        match operation:
            case sre.LITERAL:
                return self._position(((operation, argument),), after)
            case sre.NOT_LITERAL:
                return self._position(((sre.NEGATE, None), (sre.LITERAL, argument)), after)
            case sre.ANY:
                return self._position(((sre.NEGATE, None), (sre.LITERAL, ord("\n"))), after)
            case sre.IN:
                return self._position(tuple(argument), after)
            case sre.BRANCH:
                return _union(*(self._sequence(branch, after) for branch in argument[1]))
            case sre.SUBPATTERN:
                return self._sequence(argument[3], after)
            case sre.MAX_REPEAT | sre.MIN_REPEAT:
                least, most, part = argument
                return self._repeat(least, most, part, after)
            case sre.AT:
                place, wanted = ANCHORS[argument]
                return tuple(after[each] if bool(each & place) is wanted else 0 for each in SITUATIONS)
        raise Unjudged

    def _position(self, items: Class, after: Sets) -> Sets:
        position = self._new(after)
        self.classes[items] = self.classes.get(items, 0) | position
        return (position,) * len(SITUATIONS)

    def _new(self, after: Sets) -> int:
        if len(self.following) > MOST_POSITIONS:
            raise Unjudged
        self.following.append(after)
        return 1 << (len(self.following) - 1)

    def _repeat(self, least: int, most: int, part: Iterable[tuple[Any, Any]], after: Sets) -> Sets:
        begin = after
        if most is sre.MAXREPEAT:
            begin = self._loop(part, after)
            if least == 0:
                begin = _union(begin, after)
            least -= 1
        else:
            for _ in range(most - least):
                self.spend(4)
                begin = _union(self._sequence(part, begin), after)
        for _ in range(least):
            self.spend(2)
            begin = self._sequence(part, begin)
        return begin

    def _loop(self, part: Iterable[tuple[Any, Any]], after: Sets) -> Sets:
        """Build one or more of a part."""
        # What the part begins with is known only when it is built: until then a position of its own stands for it.
        start = len(self.following)
        again = self._new(NOWHERE)
        begin = tuple(each & ~again for each in self._sequence(part, tuple(each | again for each in after)))
        self.spend(5 * (len(self.following) - start))
        for position in range(start + 1, len(self.following)):
            self.following[position] = tuple(
                (each & ~again) | new if each & again else each
                for each, new in zip(self.following[position], begin, strict=True)
            )
        return begin


def _union(*several: Sets) -> Sets:
    union = several[0]
    for sets in several[1:]:
        union = tuple(map(or_, union, sets))
    return union


def _within(items: Class, cases: set[str]) -> bool:
    """Whether a class has a character, given in the cases that count as the same."""
    negated = items[0][0] is sre.NEGATE
    return any(_has(*item, each) for item in items[negated:] for each in cases) is not negated


def _has(kind: Any, value: Any, character: str) -> bool:
    match kind:
        case sre.LITERAL:
            return bool(value == ord(character))
        case sre.RANGE:
            return bool(value[0] <= ord(character) <= value[1])
        case sre.CATEGORY:
            characters, wanted = CATEGORIES[value]
            return (character in characters) is wanted
    raise Unjudged
