"""Objects by path (`module:Qualname`), resolved only inside allowed import roots.

A definition may name code, never choose it freely: a path is imported only when its module lies in an allowed package
or below an allowed folder. The standard library is never allowed, except for the exception classes that handlers and
`raise` may name. (Law 7 of the design.)
"""

import builtins
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Final

from ruvon.ir._errors import RuvonError

__all__ = ["ImportRefusedError", "ImportRoots", "ObjectNotFoundError", "canonical_path", "split_path"]


_ALLOW: Final = "allow its package with import_roots= or RUVON_IMPORT_ROOTS"
_WRAP: Final = "use it inside a step or a @pure function of your own"


class ImportRefusedError(RuvonError):
    """A path points outside the allowed import roots; name its package in `import_roots=` or `RUVON_IMPORT_ROOTS`."""

    def __init__(self, path: str, reason: str, remedy: str = _ALLOW) -> None:
        self.path = path
        self.problem = f"`{path}` may not be loaded: {reason}"
        self.remedy = remedy
        super().__init__(f"{self.problem}; {remedy}")


class ObjectNotFoundError(RuvonError):
    """A path names a module or an attribute that does not exist, or whose module fails to import."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(f"`{path}` was not found: {reason}")


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
        for part in name.split("."):
            if part.startswith("__") or not hasattr(found, part):
                raise ObjectNotFoundError(path, f"`{module_name}` has no `{name}`")
            found = getattr(found, part)
        return self._permit(module_name, path, found)

    def load_module(self, name: str, path: str | None = None) -> ModuleType:
        """Import the module `name`; `path` is what the message speaks of."""
        shown = path or name
        top = name.partition(".")[0]
        if name == "builtins" or top == "ruvon":
            return importlib.import_module(name) if name != "builtins" else builtins
        if top in sys.stdlib_module_names:
            raise ImportRefusedError(shown, "the standard library is never an import root", _WRAP)
        self._extend_search_path()
        if not self._allowed(top):
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
        return found

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
