"""Names of a printed module: what it imports, under which short names, and what it may not shadow.

Every class and function has one short name in the whole module. It is its own name where that is free and `<module>_<name>`
where two definitions, a variable of the workflow or a name of ours would clash with it.
"""

import builtins
import importlib
import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, final
from uuid import UUID

from ruvon.ir._paths import canonical_path, split_path
from ruvon.ir.expr import Const, ConstValue, Expr, Name, walk
from ruvon.ir.expr._language import DEFINITION_PATHS
from ruvon_dsl.printing._layout import is_identifier

__all__ = ["Imports", "free_name", "plain_names", "public_name", "snake_case", "type_names"]

_PLAIN_HOMES: Final = {
    name: path.partition(":")[0] for path, name in DEFINITION_PATHS.items() if not path.startswith("builtins:")
}
"""Where the names of the expression language come from that are not builtins: `Decimal` from `decimal`."""
_TYPE_TOKEN: Final = re.compile(r"""b?'(?:[^'\\]|\\.)*'|b?"(?:[^"\\]|\\.)*"|[^\W\d][\w.]*(?::[\w.]+)?""")
_BUILTINS: Final = frozenset(dir(builtins))
_EXPORTERS: Final = ("ruvon.models", "ruvon.authoring")


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """`wanted`, or the first of `wanted_2`, `wanted_3`, ... that is not taken."""
    used = set(taken)
    name, number = wanted, 1
    while name in used:
        number += 1
        name = f"{wanted}_{number}"
    return name


def public_name(path: str) -> str | None:
    """The name under which `ruvon` itself exports what lies at a path of its own modules; None for other paths."""
    module, name = split_path(path)
    if module.partition(".")[0] != "ruvon" or "." in name:
        return None
    for exporter in _EXPORTERS:
        if canonical_path(getattr(importlib.import_module(exporter), name, None)) == path:
            return name
    return None


def snake_case(text: str) -> str:
    """An identifier in lower case for a text: `OrderProcessing` gives `order_processing`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    name = re.sub(r"_+", "_", re.sub(r"\W", "_", spaced)).strip("_").lower()
    if not name or name[0].isdigit():
        name = f"workflow_{name}".rstrip("_")
    return name if is_identifier(name) else f"{name}_"


def type_names(text: str) -> set[str]:
    """The paths of the classes that a type text names."""
    return {
        token for token in _TYPE_TOKEN.findall(text) if ":" in token and token[0] not in "'\"" and token[:2] != "b'"
    }


def plain_names(expr: Expr) -> frozenset[str]:
    """The names of the expression language in an expression that a module has to import."""
    found: set[str] = set()
    for part in walk(expr):
        match part:
            case Name(id=name) if name in _PLAIN_HOMES:
                found.add(name)
            case Const(value=value):
                found |= _value_names(value)
            case _:
                pass
    return frozenset(found)


def _value_names(value: ConstValue) -> set[str]:
    match value:
        case Decimal() | UUID() | timedelta():
            return {type(value).__name__}
        case datetime() | time():
            zone = {"timezone", "timedelta"} if value.tzinfo is not None else set[str]()
            return {type(value).__name__} | zone
        case date():
            return {"date"}
        case _:
            return set()


@final
class Imports:
    """The import lines of one module, filled while its body is written."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        """Names that module-level names may not have: variables of the workflow and names of ours."""
        self._used: dict[str, set[tuple[str, str]]] = {}
        self._short: dict[str, str] = {}
        self._ours: dict[str, str] = {}
        self.names: dict[str, str] = {}
        """Short names by path, for the printer of expressions."""

    def reserve(self, name: str) -> str:
        """Take a name of the module for something else; gives the free name it got."""
        found = free_name(name, self._taken | _BUILTINS)
        self._taken.add(found)
        return found

    def ours(self, name: str) -> str:
        """A name of `ruvon` itself."""
        if name not in self._ours:
            self._ours[name] = free_name(f"ruvon_{name}", self._taken) if name in self._taken else name
            self._line("ruvon", name, self._ours[name])
        return self._ours[name]

    def plain(self, name: str) -> str:
        """A name of the expression language (`Decimal`, `now`), imported from its home; builtins need none."""
        if name in _PLAIN_HOMES:
            self._line(_PLAIN_HOMES[name], name, name)
        return name

    def path(self, path: str) -> str:
        """The short name of a class or function; imports it."""
        if path in self.names:
            return self.names[path]
        if public_name(path) is not None:
            self.names[path] = self.ours(split_path(path)[1])
            return self.names[path]
        module, qualname = split_path(path)
        top, dot, rest = qualname.partition(".")
        key = f"{module}:{top}"
        if key not in self._short:
            self._short[key] = self._take(module, top)
        self.names[path] = f"{self._short[key]}{dot}{rest}"
        return self.names[path]

    def _take(self, module: str, name: str) -> str:
        if module == "builtins" and name not in self._taken:
            return name
        clashes = name in self._taken or (name in _BUILTINS and module != "builtins")
        short = free_name(f"{module.rpartition('.')[2]}_{name}", self._taken | _BUILTINS) if clashes else name
        self._taken.add(short)
        self._line(module, name, short)
        return short

    def type(self, text: str) -> str:
        """The annotation for a canonical type text."""
        return _TYPE_TOKEN.sub(lambda match: self._type_token(match.group()), text)

    def _type_token(self, token: str) -> str:
        if token[-1] in "'\"":
            return token if "\\" in token or '"' in token else token.replace("'", '"')
        if ":" in token:
            return self.path(token)
        if token == "Literal":  # noqa: S105 - a word of a type
            self._line("typing", token, token)
        return self.plain(token)

    def _line(self, module: str, name: str, short: str) -> None:
        self._taken.add(short)
        self._used.setdefault(module, set()).add((name, short))

    def lines(self) -> list[list[str]]:
        """The import lines in three groups: standard library, `ruvon`, the author's modules."""
        groups: tuple[dict[str, set[tuple[str, str]]], ...] = ({}, {}, {})
        for module, items in self._used.items():
            place = 1 if module.partition(".")[0] == "ruvon" else 0 if module in _STANDARD else 2
            groups[place][module] = items
        return [
            [line for module in sorted(group) for line in _import(module, group[module])] for group in groups if group
        ]


_STANDARD: Final = frozenset({*_PLAIN_HOMES.values(), "typing", "builtins"} - {"ruvon"})


def _import(module: str, items: set[tuple[str, str]]) -> list[str]:
    shown = [name if name == short else f"{name} as {short}" for name, short in sorted(items, key=_order)]
    line = f"from {module} import {', '.join(shown)}"
    if len(line) <= 120:
        return [line]
    return [f"from {module} import (", *(f"    {item}," for item in shown), ")"]


def _order(item: tuple[str, str]) -> tuple[int, str]:
    """Constants, then classes, then functions, as import sorters do."""
    name = item[0]
    return (0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2, name)
