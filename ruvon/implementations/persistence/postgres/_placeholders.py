"""An author's statement in the driver's own words: `?` and `:name` become `$1`, `$2`, as they work on SQLite.

What stands in quotes, in dollar quotes and in comments is left alone, and so are casts (`::`). A statement that already
says `$1` is passed on as it is; `??` is the operator `?`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

__all__ = ["first_word", "numbered"]

_TOKENS: Final = re.compile(
    r"""
      (?P<skip> [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*"
        | (?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?P=tag) | --[^\n]* | /\*.*?\*/ | :: | := )
    | (?P<escaped> \?\? )
    | (?P<mark> \? )
    | (?P<name> :[A-Za-z_]\w* )
    | (?P<number> \$\d+ )
    """,
    re.VERBOSE | re.DOTALL,
)
_NOISE: Final = re.compile(r"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/|\()*", re.DOTALL)
_WORD: Final = re.compile(r"[A-Za-z]+")


def numbered(statement: str, parameters: Sequence[object] | Mapping[str, object]) -> tuple[str, list[object]]:
    """The statement with numbered parameters, and their values in that order.

    Raises:
        LookupError: a name has no value, or the count of values is not that of the marks.
    """
    by_name = isinstance(parameters, Mapping)
    values: list[object] = [] if by_name else list(parameters)
    places: dict[str, int] = {}
    marks = 0

    def replace(found: "re.Match[str]") -> str:
        nonlocal marks
        match found.lastgroup:
            case "escaped":
                return "?"
            case "mark" if not by_name:
                marks += 1
                return f"${marks}"
            case "name" if isinstance(parameters, Mapping):
                name = found[0][1:]
                if name not in places:
                    if name not in parameters:
                        raise LookupError(f"the parameter :{name} has no value")
                    values.append(parameters[name])
                    places[name] = len(values)
                return f"${places[name]}"
            case _:
                return found[0]

    text = _TOKENS.sub(replace, statement)
    if marks and marks != len(values):
        raise LookupError(f"it has {marks} parameters, and {len(values)} values were given")
    return text, values


def first_word(statement: str) -> str:
    """The word that a statement begins with, in capitals, behind comments and parentheses."""
    start = _NOISE.match(statement)
    found = _WORD.match(statement, start.end() if start is not None else 0)
    return found[0].upper() if found is not None else ""
