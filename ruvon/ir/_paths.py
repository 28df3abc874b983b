"""Objects by path (`module:Qualname`), resolved only inside allowed import roots.

A definition may name code, never choose it freely: a path is imported only when its module lies in an allowed package
or below an allowed folder, and only what such a module defines: classes and functions that it imports from elsewhere
are as far away as where they come from. The standard library is never allowed, except for the exception classes that
handlers and `raise` may name, and the classes of plain values. Of Ruvon itself there are data classes, exceptions and what
was declared for workflows, never the functions that it works with, unless the roots name their very package. (Law 7 of the
design.)
"""

import builtins
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field, is_dataclass
from enum import Enum
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Final, cast

from ruvon.ir._errors import RuvonError

__all__ = ["ImportRefusedError", "ImportRoots", "ObjectNotFoundError", "canonical_path", "is_there", "split_path"]


_ALLOW: Final = (
    "allow its package or folder with --import-root on the command line, import_roots= in Python, or RUVON_IMPORT_ROOTS"
)
_WRAP: Final = "use it inside a step or a @pure function of your own"
_AT_TOP: Final = "name a function, or a class and what it defines"
_OWN_MODULE: Final = "name an object by the module that defines it"
_CODE: Final = (type, FunctionType, BuiltinFunctionType, MethodType)
"""What can be called to some effect. Other objects (steps, constants, partial functions) are the making of the module."""
_VALUE_MODULES: Final = frozenset({"datetime", "decimal", "uuid"})
_OWN: Final = frozenset(
    {"authoring", "builder", "engine", "implementations", "ir", "models", "providers", "steps", "testing"}
)
"""The packages of Ruvon that have something a definition may name; others do things when they are imported."""
_DECLARED: Final = ("__ruvon_step__", "__ruvon_compensation__", "__ruvon_workflow__", "__ruvon_pure__")
_PLAIN: Final = frozenset({bool, int, float, str, bytes, list, tuple, dict, set, frozenset, object})


class ImportRefusedError(RuvonError):
    """A path points outside the allowed import roots; name its package in `import_roots=` or `RUVON_IMPORT_ROOTS`."""

    def __init__(self, path: str, reason: str, remedy: str = _ALLOW) -> None:
        self.path = path
        self.problem = f"`{path}` may not be loaded: {reason}"
        self.remedy = remedy
        super().__init__(f"{self.problem}; {remedy}")


class ObjectNotFoundError(RuvonError):
    """A path names a module or an attribute that does not exist, or whose module fails to import."""

    def __init__(self, path: str, reason: str, remedy: str = "") -> None:
        self.path = path
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"`{path}` was not found: {reason}" + (f"; {remedy}" if remedy else ""))


def split_path(path: str) -> tuple[str, str]:
    """Split `module:Qual.name` (or the dotted `module.name`) into module and qualified name."""
    if ":" in path:
        module, _, name = path.partition(":")
    else:
        module, _, name = path.rpartition(".")
    return module, name


def canonical_path(target: object) -> str | None:
    """The path of an object's definition, or None where importing that path does not give the same object."""
    module = getattr(target, "__module__", None)
    name = getattr(target, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or "<" in name:
        return None
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return f"{module}:{name}" if found is target else None


@dataclass(slots=True)
class ImportRoots:
    """The packages and folders that definitions may take code from; folders are put on `sys.path` when first used."""

    packages: set[str] = field(default_factory=set[str])
    folders: list[Path] = field(default_factory=list[Path])

    @classmethod
    def from_environment(cls, packages: Iterable[str] = (), folders: Iterable[Path] = ()) -> "ImportRoots":
        """Roots given by the caller plus those of `RUVON_IMPORT_ROOTS` (separated by `os.pathsep` or commas)."""
        roots = cls(set(packages), [Path(folder).resolve() for folder in folders])
        for part in os.environ.get("RUVON_IMPORT_ROOTS", "").replace(",", os.pathsep).split(os.pathsep):
            entry = part.strip()
            if not entry:
                continue
            if os.sep in entry or Path(entry).is_dir():
                roots.folders.append(Path(entry).resolve())
            else:
                roots.packages.add(entry)
        return roots

    def allow_package(self, name: str) -> None:
        """Allow the top-level package that `name` (a module name) belongs to."""
        self.packages.add(name.partition(".")[0])

    def allow_folder(self, folder: Path) -> None:
        """Allow the modules that lie below `folder`."""
        resolved = folder.resolve()
        if resolved not in self.folders:
            self.folders.append(resolved)

    def load(self, path: str) -> object:
        """Import the object at `path`.

        Raises:
            ImportRefusedError: the module lies outside the roots.
            ObjectNotFoundError: there is no such module or attribute, or the module fails to import.
        """
        module_name, name = split_path(path)
        if not module_name or not name:
            raise ObjectNotFoundError(path, "write it as `module:name`")
        found: object = self.load_module(module_name, path)
        owner: object = found
        for part in name.split("."):
            if part.startswith("__") or not hasattr(found, part):
                raise ObjectNotFoundError(path, f"`{module_name}` has no `{name}`")
            if found is not owner and not isinstance(found, type):
                raise ImportRefusedError(path, "it goes through an object that is no class", _AT_TOP)
            found = getattr(found, part)
            self._require_inside(path, found)
        return self._permit(module_name, path, found)

    def load_module(self, name: str, path: str | None = None) -> ModuleType:
        """Import the module `name`; `path` is what the message speaks of."""
        shown = path or name
        top = name.partition(".")[0]
        if name == "builtins":
            return builtins
        if top == "ruvon":
            return _own_module(name, shown)
        if top in sys.stdlib_module_names:
            raise ImportRefusedError(shown, "the standard library is never an import root", _WRAP)
        self._extend_search_path()
        if not self._allowed(top):
            if top not in sys.modules and not is_there(top):
                raise ObjectNotFoundError(shown, f"there is no module `{top}`", _ALLOW)
            raise ImportRefusedError(shown, f"`{top}` is not an allowed import root")
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as exc:
            raise ObjectNotFoundError(shown, str(exc)) from exc
        except Exception as exc:
            raise ObjectNotFoundError(shown, f"its module fails to import: {type(exc).__name__}: {exc}") from exc

    def _permit(self, module_name: str, path: str, found: object) -> object:
        if module_name == "builtins" and not (isinstance(found, type) and issubclass(found, Exception)):
            raise ImportRefusedError(path, "of the builtins only exception classes may be named", _WRAP)
        is_own = module_name.partition(".")[0] == "ruvon" and not self._names_own(module_name)
        if is_own and not _is_for_workflows(found):
            raise ImportRefusedError(path, "it is a part of Ruvon that no workflow calls", _WRAP)
        return found

    def _names_own(self, module_name: str) -> bool:
        """Whether the roots name the very package of Ruvon that a module lies in, as contract suites do with theirs."""
        own = [name for name in self.packages if name.startswith("ruvon.")]
        return any(module_name == name or module_name.startswith(f"{name}.") for name in own)

    def _require_inside(self, path: str, found: object) -> None:
        """Refuse what a module only imported: another module, or a class or function from outside of the roots."""
        if isinstance(found, ModuleType):
            raise ImportRefusedError(path, f"it leads to the module `{found.__name__}`", _OWN_MODULE)
        if not isinstance(found, _CODE) or (isinstance(found, type) and _is_harmless(found)):
            return
        home: object = getattr(found, "__module__", None)
        top = home.partition(".")[0] if isinstance(home, str) else "builtins"
        if top in sys.stdlib_module_names:
            raise ImportRefusedError(path, f"`{found.__name__}` is of the standard library (`{home or top}`)", _WRAP)
        if top != "ruvon" and not self._allowed(top):
            raise ImportRefusedError(path, f"`{found.__name__}` is defined in `{home}`, which is not an import root")

    def _extend_search_path(self) -> None:
        for folder in self.folders:
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))

    def _allowed(self, top: str) -> bool:
        if top in self.packages:
            return True
        loaded = sys.modules.get(top)
        try:
            spec = getattr(loaded, "__spec__", None) or importlib.util.find_spec(top)
        except (ImportError, ValueError):
            return False
        places = [spec.origin, *(spec.submodule_search_locations or [])] if spec else []
        origins = [Path(place).resolve() for place in places if place and place not in {"built-in", "frozen"}]
        return any(origin.is_relative_to(folder) for origin in origins for folder in self.folders)


def _own_module(name: str, shown: str) -> ModuleType:
    """A module of Ruvon itself."""
    package = name.split(".")[1:2]
    if package and package[0] not in _OWN:
        raise ImportRefusedError(shown, f"`{name}` is a part of Ruvon that has nothing for workflows", _WRAP)
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        raise ObjectNotFoundError(shown, str(exc)) from exc


def _is_for_workflows(found: object) -> bool:
    """Whether something of Ruvon itself is an exception, a class of data, or was declared for workflows."""
    if not isinstance(found, type):
        return any(hasattr(found, mark) for mark in _DECLARED)
    cls = cast("type[object]", found)
    return issubclass(cls, Exception | Enum) or is_dataclass(cls) or hasattr(cls, "model_fields")


def is_there(module: str) -> bool:
    """Whether any top-level module of this name can be found, allowed or not."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _is_harmless(cls: type) -> bool:
    """Whether building an instance can do nothing: exceptions and plain values, wherever they are defined."""
    return issubclass(cls, Exception) or cls in _PLAIN or cls.__module__ in _VALUE_MODULES
