"""Import roots that remember what was loaded through them, so that a cached definition knows what it depends on."""

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Final, final

from ruvon.ir._paths import ImportRoots, split_path

__all__ = ["Dependency", "RecordingRoots"]

_LIBRARIES: Final = frozenset({*sys.stdlib_module_names, "ruvon", "ruvon_dsl", "pydantic"})
_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})


@final
@dataclass(frozen=True, slots=True)
class Dependency:
    """A file that a definition was made of, and the hash it had then."""

    file: str
    sha256: str

    @classmethod
    def of(cls, file: Path) -> "Dependency | None":
        """The file as it is now; None where it cannot be read."""
        try:
            return cls(str(file), hashlib.sha256(file.read_bytes()).hexdigest())
        except OSError:
            return None

    def holds(self) -> bool:
        """Whether the file still is what it was."""
        return self == Dependency.of(Path(self.file))


@final
@dataclass(slots=True)
class RecordingRoots(ImportRoots):
    """Import roots with a memory."""

    loaded: set[str] = field(default_factory=set[str])
    """Names of modules."""
    paths: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Modules and the names that were taken from them by path."""

    @classmethod
    def of(cls, roots: ImportRoots | None) -> "RecordingRoots":
        """Roots that allow what `roots` allows, or what the environment does, and remember."""
        if isinstance(roots, RecordingRoots):
            return roots
        given = ImportRoots.from_environment() if roots is None else roots
        return cls(set(given.packages), list(given.folders))

    def record(self, name: str) -> None:
        """Remember a module that was loaded in another way."""
        self.loaded.add(name)

    def load(self, path: str) -> object:
        """Import the object at `path`, and remember it."""
        found = ImportRoots.load(self, path)
        self.paths.add(split_path(path))
        return found

    def load_module(self, name: str, path: str | None = None) -> ModuleType:
        """Import the module `name`, and remember it."""
        module = ImportRoots.load_module(self, name, path)
        self.loaded.add(name)
        return module

    def dependencies(self) -> dict[str, Dependency]:
        """The files of all modules that were loaded and of the author's modules that those import, by name, in order."""
        found: dict[str, Dependency] = {}
        pending = sorted(self.loaded)
        seen: set[str] = set()
        while pending:
            name = pending.pop()
            file = self._file_of(name)
            if name in seen or file is None:
                continue
            seen.add(name)
            pending.extend([name.rpartition(".")[0]] if "." in name else [])
            dependency = Dependency.of(file)
            if dependency is not None:
                found[name] = dependency
                pending.extend(_imports(file, name))
        return dict(sorted(found.items()))

    def libraries(self, names: Iterable[str]) -> dict[str, Dependency]:
        """The files of installed libraries among these modules, by name; Python's own and Ruvon's are none."""
        files = {name: _source_file(name) for name in names}
        made = {name: Dependency.of(file) for name, file in sorted(files.items()) if file is not None}
        return {name: dependency for name, dependency in made.items() if dependency is not None}

    def _file_of(self, name: str) -> Path | None:
        """The file of a loaded module that the roots allow; None for libraries."""
        top = name.partition(".")[0]
        path = _source_file(name)
        if path is None:
            return None
        if not _INSTALLED.isdisjoint(path.parts):
            return path if top in self.packages else None
        return path if top in self.packages or any(path.is_relative_to(folder) for folder in self.folders) else None


def _source_file(name: str) -> Path | None:
    """The source of a loaded module; None for Python's own modules and Ruvon's, and where there is none."""
    file: str | None = getattr(sys.modules.get(name), "__file__", None)
    if name.partition(".")[0] in _LIBRARIES or file is None or not file.endswith(".py"):
        return None
    return Path(file)


def _imports(file: Path, name: str) -> Iterator[str]:
    """The names of the modules that a file imports, as far as its import statements show."""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    package = name if file.stem == "__init__" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, package)
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    kept = parts[: len(parts) - node.level + 1]
    return ".".join([*kept, *([node.module] if node.module else [])])
