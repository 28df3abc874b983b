"""Expressions as YAML values: plain where the front end reads the same constant, `=expression` everywhere else.

What a plain text, number or mapping means depends on what its place expects (`"12.50"` where a Decimal is expected is
one). `Expected` repeats what the front end knows of a place, as far as the definition records it; where the definition
does not say, the safe spelling is used.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final, final

from ruvon.ir._nodes import Definition
from ruvon.ir._text import duration_text
from ruvon.ir.expr import Call, Const, Dict, Expr, FormatString, List, Ref, print_expr, refs
from ruvon.ir.expr._language import FUNCTION_NAMES
from ruvon_dsl.printing._imports import free_name, public_name
from ruvon_dsl.printing._layout import soft
from ruvon_dsl.printing._yaml_text import Pairs, Tree

__all__ = ["FREE", "UNKNOWN", "Expected", "Values"]


@final
@dataclass(frozen=True, slots=True)
class Expected:
    """The type of a place, or that none is expected, or that it is not known whether one is."""

    text: str | None = None
    known: bool = True

    @property
    def free(self) -> bool:
        """Whether the front end takes a value here as it stands."""
        return self.known and self.text is None


FREE: Final = Expected()
UNKNOWN: Final = Expected(known=False)
_PLAIN_TYPES: Final = frozenset({"int", "float", "str", "bool", "object", "bytes", "complex"})
_CONTAINER: Final = re.compile(r"(list|dict|tuple|set|frozenset)(?:\[(.*)\])?")
_TOKEN: Final = re.compile(r"""b?'(?:[^'\\]|\\.)*'|b?"(?:[^"\\]|\\.)*"|[^\W\d][\w.]*:[\w.]+""")
_SPECIAL: Final = re.compile(r"\{\{|\}\}|\{%|\{#")


@final
class Values:
    """Prints values of one definition and keeps its `uses` table."""

    def __init__(self, definition: Definition, taken: frozenset[str]) -> None:
        self._definition = definition
        self._taken = set(taken) | FUNCTION_NAMES
        self.names: dict[str, str] = {}
        """Short names by path."""
        self.uses: dict[str, str] = {}
        """Paths by short name."""

    # --- names --------------------------------------------------------------------------------------------------------

    def path(self, path: str) -> str:
        """The short name of a class or function."""
        if path not in self.names:
            last = re.split(r"[:.]", path)[-1]
            common = path == f"builtins:{last}" or public_name(path) is not None
            builtin = common and last not in self._taken
            short = last if builtin else free_name(last if last.isidentifier() else "used", self._taken)
            self._taken.add(short)
            self.names[path] = short
            if not builtin:
                self.uses[short] = path
        return self.names[path]

    def type(self, text: str) -> str:
        """A type text with short names."""
        return _TOKEN.sub(lambda match: self._type_token(match.group()), text)

    def _type_token(self, token: str) -> str:
        if token[-1] in "'\"":
            return token
        module, _, name = token.partition(":")
        top, dot, rest = name.partition(".")
        return f"{self.path(f'{module}:{top}')}{dot}{rest}" if dot else self.path(token)

    # --- expressions --------------------------------------------------------------------------------------------------

    def text(self, expr: Expr) -> str:
        """The text of an expression with short names."""
        for path in sorted(refs(expr)):
            self.path(path)
        return soft(print_expr(expr, self.names))

    def bare(self, expr: Expr) -> str:
        """An expression where the key says that it is one (conditions, lists)."""
        text = self.text(expr)
        return f"={text}" if text.startswith("{{") or text != text.strip() else text

    def value(self, expr: Expr, expected: Expected = FREE) -> Tree:
        """An expression where a value stands."""
        match expr:
            case Const():
                return self._constant(expr, expected)
            case FormatString():
                return self._template(expr)
            case Dict() if expected.free or self._container(expected) == "dict":
                return self._dict(expr, expected)
            case List() if expected.free or self._container(expected) == "list":
                return self._list(expr, expected)
            case Call(function=Ref(path=path), args=(), keywords=keywords) if expected.text == path and keywords:
                return self._construction(expr, path)
            case _:
                return self._marked(expr)

    def _marked(self, expr: Expr) -> str:
        return f"={self.text(expr)}"

    def _constant(self, expr: Const, expected: Expected) -> Tree:
        kind = _single(expected)
        match expr.value:
            case None:
                return None
            case bool() as truth:
                return truth if kind is None or kind in _PLAIN_TYPES else self._marked(expr)
            case int() | float() as number:
                plain = expected.known and (kind is None or kind in _PLAIN_TYPES)
                return number if plain and number - number == 0 else self._marked(expr)
            case str() as text:
                plain = kind is None or kind in {"str", "object"}
                return text if plain and not _means_more(text) else self._marked(expr)
            case Decimal() as amount if kind == "Decimal" and amount.is_finite():
                return str(amount)
            case timedelta() as span if kind == "timedelta" and span >= timedelta(0):
                return duration_text(span // timedelta(microseconds=1))
            case _:
                return self._marked(expr)

    def _template(self, expr: FormatString) -> Tree:
        """Text with `{{ }}` where every part is simple."""
        pieces: list[str] = []
        for part in expr.parts:
            if isinstance(part, str):
                if _SPECIAL.search(part) or "{" in part or "}" in part:
                    return self._marked(expr)
                pieces.append(part)
                continue
            inner = self.text(part.value)
            odd = (
                any(mark in inner for mark in "{}|")
                or inner[:1] in "-+"
                or inner.endswith("-")
                or " is defined" in inner
            )
            if odd or part.conversion or part.spec is not None:
                return self._marked(expr)
            pieces.append(f"{{{{ {inner} }}}}")
        text = "".join(pieces)
        lone = text.strip().startswith("{{") and text.strip().endswith("}}")
        return self._marked(expr) if lone or text.startswith("=") or not text.isprintable() else text

    def _dict(self, expr: Dict, expected: Expected) -> Tree:
        inner = _argument(expected, 1)
        made: dict[str | int, Tree] = {}
        for item in expr.items:
            key = item.key.value if isinstance(item.key, Const) else None
            plain = isinstance(key, str) and not key.startswith("=") and key != "<<"
            number = isinstance(key, int) and not isinstance(key, bool)
            if not (plain or number) or key is None or not isinstance(key, str | int) or key in made:
                return self._marked(expr)
            made[key] = self.value(item.value, inner)
        return Pairs(tuple(made.items())) if len({str(key) for key in made}) == len(made) else self._marked(expr)

    def _list(self, expr: List, expected: Expected) -> Tree:
        if any(type(item).__name__ == "Starred" for item in expr.items):
            return self._marked(expr)
        return [self.value(item, _argument(expected, 0)) for item in expr.items]

    def _construction(self, expr: Call, path: str) -> Tree:
        made: dict[str, Tree] = {}
        fields = self.fields(path)
        for word in expr.keywords:
            if word.name is None or word.name in made:
                return self._marked(expr)
            made[word.name] = self.value(word.value, fields.get(word.name, UNKNOWN))
        return made

    # --- what places expect -------------------------------------------------------------------------------------------

    def fields(self, path: str) -> Mapping[str, Expected]:
        """What the fields of a class expect."""
        entry = self._definition.types.get(path)
        return {} if entry is None else {item.name: Expected(item.type) for item in entry.fields}

    def parameters(self, path: str | None) -> Mapping[str, Expected]:
        """What the parameters of a function expect."""
        contract = self._definition.contracts.get(path or "")
        return {} if contract is None else {name: Expected(text) for name, text, _ in contract.parameters}

    def _container(self, expected: Expected) -> str:
        kind = _single(expected)
        match = _CONTAINER.fullmatch(kind) if kind is not None else None
        return match.group(1) if match is not None else ""


def _means_more(text: str) -> bool:
    """Whether the front end would take a text for an expression or a template."""
    return (text.startswith("=") and len(text) > 1) or "{{" in text or "{%" in text


def _single(expected: Expected) -> str | None:
    """The one type that is expected besides None; None where several or none are."""
    if expected.text is None:
        return None
    parts = [part for part in _split(expected.text, "|") if part != "None"]
    return parts[0] if len(parts) == 1 and not parts[0].startswith("Literal[") else None


def _argument(expected: Expected, index: int) -> Expected:
    """What the elements of a container expect."""
    kind = _single(expected)
    match = _CONTAINER.fullmatch(kind) if kind is not None else None
    if match is None or match.group(2) is None:
        return FREE if expected.free or match is not None else UNKNOWN
    parts = _split(match.group(2), ",")
    return Expected(parts[index]) if index < len(parts) else FREE


def _split(text: str, mark: str) -> list[str]:
    """The parts of a type text at a mark outside brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "[(":
            depth += 1
        elif character in "])":
            depth -= 1
        elif character == mark and depth == 0:
            parts.append("")
            continue
        parts[-1] += character
    return [part.strip() for part in parts]
