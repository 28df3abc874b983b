"""Type texts read back into annotations.

A stored definition knows types by their texts only. Names without a colon are the short names of the printer, and
the abstract containers are known; every other name goes to the caller's `resolve`, which decides what may be loaded.
"""

import ast
import collections.abc
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Union, final

from ruvon.ir._errors import RuvonError
from ruvon.ir.types._text import SHORT_NAMES

__all__ = ["TypeTextError", "parse_type"]

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<quoted>b?'(?:[^'\\]|\\.)*'|b?"(?:[^"\\]|\\.)*")
      | (?P<number>-?\d+(?![\w:.]))
      | (?P<dots>\.\.\.)
      | (?P<name>[^\W\d][\w.<>:]*)
      | (?P<mark>[\[\]()|,])
    )""",
    re.VERBOSE,
)
_ABSTRACT: Final[Mapping[str, object]] = {
    f"collections.abc:{name}": getattr(collections.abc, name)
    for name in ("Collection", "Mapping", "MutableMapping", "MutableSequence", "MutableSet", "Sequence", "Set")
}
"""Types of values that can be stored, which no import root holds: a value of one is read back as a dict, list or set."""
_LITERAL_NAMES: Final = {"True": True, "False": False, "None": None}


class TypeTextError(RuvonError):
    """A text is not the text of a type."""

    def __init__(self, text: str, position: int, expected: str) -> None:
        self.text = text
        self.position = position
        super().__init__(f"`{text}` is not a type: {expected} at character {position + 1}")


@final
@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


def parse_type(text: str, resolve: Callable[[str], object]) -> object:
    """The annotation that a type text stands for; the inverse of `type_text`.

    Args:
        text: A text such as `dict[str, shop.models:Item] | None`.
        resolve: Gives the object of a path `module:Qualname`; its errors are passed on.

    Raises:
        TypeTextError: The text does not follow the grammar, or uses an unknown short name.
    """
    parser = _Parser(text, _tokens(text), resolve)
    found = parser.union()
    parser.expect("end")
    return found


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    end = len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None or match.lastgroup is None:
            raise TypeTextError(text, position, "unexpected character")
        found.append(_Token(match.lastgroup, match.group(match.lastgroup), match.start(match.lastgroup)))
        position = match.end()
    return [*found, _Token("end", "", len(text))]


@final
class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str, tokens: list[_Token], resolve: Callable[[str], object]) -> None:
        self._text = text
        self._tokens = tokens
        self._index = 0
        self._resolve = resolve

    def union(self) -> object:
        """One type, or several with bars between them."""
        members = [self._single()]
        while self._accept("|"):
            members.append(self._single())
        return members[0] if len(members) == 1 else Union[tuple(members)]  # noqa: UP007 - built from a tuple

    def expect(self, wanted: str) -> None:
        """Take the token `wanted` (a mark, or `end`), or say that it is missing."""
        token = self._tokens[self._index]
        if token.kind == "end" and wanted == "end":
            return
        if not self._accept(wanted):
            raise TypeTextError(
                self._text, token.position, f"expected {'the end' if wanted == 'end' else f'`{wanted}`'}"
            )

    def _accept(self, mark: str) -> bool:
        token = self._tokens[self._index]
        if token.kind != "mark" or token.text != mark:
            return False
        self._index += 1
        return True

    def _single(self) -> object:
        token = self._tokens[self._index]
        self._index += 1
        if token.kind == "dots":
            return ...
        if token.kind == "mark" and token.text == "[":
            return self._list_until_close()
        if token.kind != "name":
            raise TypeTextError(self._text, token.position, "expected the name of a type")
        if token.text == "None":
            return None
        if token.text == "Literal":
            return self._literal()
        return self._generic(token)

    def _generic(self, token: _Token) -> object:
        origin = self._named(token)
        if not self._accept("["):
            return origin
        if origin is tuple and self._accept("("):
            self.expect(")")
            self.expect("]")
            return tuple[()]
        arguments = tuple(self._list_until_close())
        subscriptable: Any = origin
        try:
            return subscriptable[arguments if len(arguments) != 1 else arguments[0]]
        except TypeError as exc:
            raise TypeTextError(self._text, token.position, f"`{token.text}` takes no such arguments ({exc})") from exc

    def _list_until_close(self) -> list[object]:
        found: list[object] = []
        while not self._accept("]"):
            if found:
                self.expect(",")
            found.append(self.union())
        return found

    def _named(self, token: _Token) -> object:
        if token.text in _ABSTRACT:
            return _ABSTRACT[token.text]
        if ":" in token.text:
            return self._resolve(token.text)
        if token.text in SHORT_NAMES:
            return SHORT_NAMES[token.text]
        known = ", ".join(sorted(SHORT_NAMES))
        raise TypeTextError(
            self._text, token.position, f"`{token.text}` is no built-in type (known: {known}; others are `module:Name`)"
        )

    def _literal(self) -> object:
        self.expect("[")
        values: list[object] = []
        while not self._accept("]"):
            if values:
                self.expect(",")
            values.append(self._literal_value())
        if not values:
            raise TypeTextError(self._text, len(self._text) - 1, "expected a value of the Literal")
        alias: Any = Literal
        return typing.cast("object", alias[tuple(values)])

    def _literal_value(self) -> object:
        token = self._tokens[self._index]
        self._index += 1
        if token.kind in {"quoted", "number"}:
            return ast.literal_eval(token.text)
        if token.kind == "name" and token.text in _LITERAL_NAMES:
            return _LITERAL_NAMES[token.text]
        if token.kind == "name" and ":" in token.text:
            path, _, member = token.text.rpartition(".")
            return getattr(self._resolve(path), member)
        raise TypeTextError(self._text, token.position, "expected a value of the Literal")
