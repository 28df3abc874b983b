"""What a definition took from the author's modules, so that a cached one can be compared with what they say now.

A compiled definition holds values that importing a module made: constants, and options of steps. Where the text of the
modules decides them, the hashes of the files are enough. Where it does not (`LIMIT = int(os.environ["LIMIT"])`), the entry
keeps a hash of each such value; a cached definition then counts only while the imported module still says the same.
"""

import ast
import hashlib
import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, fields
from enum import Enum
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final, TypeAlias, final

from ruvon.ir import Definition
from ruvon.ir._nodes import Compensation, RetryPolicy
from ruvon.ir._paths import split_path
from ruvon_dsl._link import ChildTarget, ConstantTarget, Missing, ModuleLookup, StepTarget, constant_expr, describe
from ruvon_dsl._written import ModuleText, is_written_out

__all__ = ["Importer", "Taken", "homes_of", "taken_from"]

Importer: TypeAlias = Callable[[str], ModuleType | None]
"""From the name of a module to the module; None where it cannot be imported."""
_OPTIONS: Final = (str, int, float, bool, type(None), Enum, RetryPolicy, Compensation)


@final
@dataclass(frozen=True, slots=True)
class Taken:
    """One value that only importing the module can tell, and the hash it had."""

    module: str
    name: str
    sha256: str

    def holds(self, importer: Importer) -> bool:
        """Whether the module still says the same."""
        module = importer(self.module)
        return module is not None and _hash(module, self.name) == self.sha256


def taken_from(asked: Iterable[tuple[str, str]], watched: Collection[str]) -> tuple[Taken, ...]:
    """What must be compared of the names that were looked up.

    Args:
        asked: modules and dotted names.
        watched: the author's modules, whose files are hashed.
    """

    @cache
    def text_of(name: str) -> ModuleText | None:
        return _text(name) if name in watched else None

    found: list[Taken] = []
    for module_name, name in sorted(asked):
        module, text = sys.modules.get(module_name), text_of(module_name)
        value = None if module is None else _hash(module, name)
        if value is not None and (text is None or not is_written_out(text, name, text_of)):
            found.append(Taken(module_name, name, value))
    return tuple(found)


def homes_of(asked: Iterable[tuple[str, str]], definitions: Iterable[Definition]) -> set[str]:
    """The modules that what was looked up, and the classes of definitions with their bases, were written in.

    Args:
        asked: modules and dotted names.
        definitions: compiled ones.
    """
    classes = {split_path(path) for definition in definitions for path in definition.types}
    found: set[str] = set()
    for module_name, name in {*asked, *classes}:
        module = sys.modules.get(module_name)
        value = Missing if module is None else ModuleLookup(module)(name)
        for item in value.__mro__ if isinstance(value, type) else (value,):
            home = getattr(item, "__module__", None)
            found.add(home if isinstance(home, str) else module_name)
    return found


def _text(name: str) -> ModuleText | None:
    file = getattr(sys.modules.get(name), "__file__", None)
    if file is None:
        return None
    try:
        return ModuleText(name, Path(file).stem == "__init__", ast.parse(Path(file).read_bytes()))
    except (OSError, SyntaxError, ValueError):
        return None


def _hash(module: ModuleType, name: str) -> str | None:
    """A hash of what the compiler takes from a value; None where it takes nothing but the path."""
    value = ModuleLookup(module)(name)
    if value is Missing:
        return None
    target = describe(value)
    match target:
        case ConstantTarget():
            text = repr(constant_expr(value))
        case StepTarget():
            options = {item.name: getattr(target, item.name) for item in fields(target)}
            text = repr(sorted((key, repr(item)) for key, item in options.items() if isinstance(item, _OPTIONS)))
        case ChildTarget():
            text = repr((target.workflow_type, target.version))
        case _:
            return None
    return hashlib.sha256(text.encode()).hexdigest()
