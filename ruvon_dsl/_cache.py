"""Compiled definitions on disk, so that an unchanged file is not compiled, nor its code imported, again.

An entry is found by source text, options and compiler, and holds the files it was made of with their hashes, and hashes
of the values that these files alone do not decide (`_taken`); it counts only while all of them are what they were. Entries
are written atomically and carry their own hash; one that cannot be read is as good as none. The format is JSON, never
pickle, because a cache folder must not be able to run code.
"""

import hashlib
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, final

import orjson

import ruvon
from ruvon.ir._canonical import dump, from_tree
from ruvon.ir._diagnostics import Diagnostic, Related, Severity
from ruvon.ir._errors import RuvonError
from ruvon.ir._nodes import Contract, Definition
from ruvon.ir._spans import Position, Span
from ruvon_dsl._draft import SourceText
from ruvon_dsl._recording import Dependency
from ruvon_dsl._taken import Importer, Taken

__all__ = ["CacheKey", "CachedWorkflow", "DefinitionCache", "Entry", "forget"]

_FORMAT: Final = "ruvon-cache-3"
_VARIABLE: Final = re.compile(r"\$\{(\w+)")
_LOG: Final = logging.getLogger(__name__)


@final
@dataclass(frozen=True, slots=True)
class CacheKey:
    """What finds an entry: a hash of the text, the options and the compiler."""

    value: str

    @classmethod
    def of(cls, source: SourceText, *, workflow: str | None, options: tuple[str, ...]) -> "CacheKey":
        """The key of one compilation; environment variables that the text names are part of it."""
        named = sorted(set(_VARIABLE.findall(source.text)))
        variables = [(name, os.environ.get(name)) for name in named]
        parts = [_FORMAT, _compiler(), source.file, source.text, workflow, options, variables]
        return cls(hashlib.sha256(orjson.dumps(parts)).hexdigest())


@final
@dataclass(frozen=True, slots=True)
class CachedWorkflow:
    """One workflow of an entry."""

    definition: Definition
    digest: bytes
    span: Span | None
    path: str | None
    file: str


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """What was compiled, the findings that are no errors, and the files it was made of."""

    workflows: tuple[CachedWorkflow, ...]
    diagnostics: tuple[Diagnostic, ...]
    dependencies: tuple[Dependency, ...]
    taken: tuple[Taken, ...] = ()
    """Values that the files alone do not decide."""


_REMEMBERED: Final = 256
_MEMORY: Final[dict[tuple[Path, CacheKey], Entry]] = {}
"""What this process has read: definitions are values, so all may share them."""


@final
class DefinitionCache:
    """Entries below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def default(cls) -> "DefinitionCache":
        """The cache in `RUVON_CACHE_DIR`, else in `$XDG_CACHE_HOME/ruvon`, else in `~/.cache/ruvon`."""
        given = os.environ.get("RUVON_CACHE_DIR")
        if given:
            return cls(Path(given))
        home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        return cls(Path(home) / "ruvon")

    def load(self, key: CacheKey, importer: Importer) -> Entry | None:
        """The entry, where there is one and everything it was made of is unchanged.

        Only an entry with values that its files do not decide asks `importer` for modules.
        """
        known = _MEMORY.get((self.folder, key))
        entry = self._read(key) if known is None else known
        if entry is None or not all(item.holds() for item in entry.dependencies):
            return None
        if not all(item.holds(importer) for item in entry.taken):
            return None
        if len(_MEMORY) >= _REMEMBERED:
            _MEMORY.clear()
        _MEMORY[self.folder, key] = entry
        return entry

    def _read(self, key: CacheKey) -> Entry | None:
        place = self._place(key)
        try:
            name, _, payload = place.read_bytes().partition(b"\n")
        except OSError:
            return None
        try:
            if hashlib.sha256(payload).hexdigest().encode() != name:
                raise ValueError("it was changed after it was written")
            return _entry(orjson.loads(payload))
        except (RuvonError, ValueError, KeyError, TypeError, IndexError) as exc:
            _LOG.debug("the cache entry %s is not readable and will be written again: %s", place, exc)
            return None

    def store(self, key: CacheKey, entry: Entry) -> None:
        """Keep an entry; a folder that cannot be written to is no error, the next run compiles again."""
        place = self._place(key)
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:
                payload = _bytes(entry)
                file.write(hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
            Path(file.name).replace(place)
        except OSError as exc:
            _LOG.debug("the cache entry %s could not be written: %s", place, exc)

    def _place(self, key: CacheKey) -> Path:
        return self.folder / key.value[:2] / f"{key.value}.json"


def forget() -> None:
    """Drop what this process remembers of the disk, as a new process would begin."""
    _MEMORY.clear()


@cache
def _compiler() -> str:
    """A text that changes with Python, with Ruvon's version and with any file of the compiler."""
    library = Path(ruvon.__file__ or "").parent
    folders = [Path(__file__).parent, library / "ir", library / "models", library / "authoring"]
    facts = sorted(fact for folder in folders for fact in _sources(str(folder)))
    return hashlib.sha256("\n".join([sys.version, *facts]).encode()).hexdigest()


def _sources(folder: str) -> Iterator[str]:
    """Path, size and time of every source file below a folder; `scandir`, because each new process pays for this."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                stat = entry.stat()
                yield f"{entry.path}:{stat.st_size}:{stat.st_mtime_ns}"
            elif entry.is_dir() and entry.name != "__pycache__":
                yield from _sources(entry.path)


def _bytes(entry: Entry) -> bytes:
    tree = {
        "dependencies": [[item.file, item.sha256] for item in entry.dependencies],
        "taken": [[item.module, item.name, item.sha256] for item in entry.taken],
        "diagnostics": [_diagnostic_tree(item) for item in entry.diagnostics],
        "workflows": [
            {
                "definition": orjson.Fragment(dump(item.definition)),
                "schemas": dict(item.definition.schemas),
                "digest": item.digest.hex(),
                "span": _span_tree(item.span),
                "path": item.path,
                "file": item.file,
            }
            for item in entry.workflows
        ],
    }
    return orjson.dumps(tree)


def _entry(tree: Any) -> Entry:
    return Entry(
        tuple(_workflow(item) for item in tree["workflows"]),
        tuple(_diagnostic(item) for item in tree["diagnostics"]),
        tuple(Dependency(file, sha) for file, sha in tree["dependencies"]),
        tuple(Taken(module, name, sha) for module, name, sha in tree["taken"]),
    )


def _workflow(tree: Any) -> CachedWorkflow:
    definition = _definition(tree["definition"], tree["schemas"])
    return CachedWorkflow(definition, bytes.fromhex(tree["digest"]), _span(tree["span"]), tree["path"], tree["file"])


def _definition(tree: Any, schemas: Any) -> Definition:
    """The file form read back; its digest is not computed again, because the hash of the entry has vouched for it.

    The file form sorts its keys, and people are asked for fields in the order of the schemas: these are kept as they were.
    """
    beside = tree["beside"]
    contracts = {
        path: Contract(
            parameters=tuple((name, text, required) for name, text, required in item["parameters"]),
            result=item["result"],
            is_async=item["is_async"],
        )
        for path, item in beside["contracts"].items()
    }
    return replace(
        from_tree(tree["definition"], display=beside["display"]),
        contracts=MappingProxyType(contracts),
        schemas=MappingProxyType(schemas),
        description=beside["description"],
        tags=tuple(beside["tags"]),
        owner=beside["owner"],
    )


def _span_tree(span: Span | None) -> list[object] | None:
    return None if span is None else [span.file, span.start.line, span.start.column, span.end.line, span.end.column]


def _span(tree: Any) -> Span | None:
    return None if tree is None else Span(tree[0], Position(tree[1], tree[2]), Position(tree[3], tree[4]))


def _diagnostic_tree(item: Diagnostic) -> dict[str, object]:
    """A finding that is no error; fixes are not kept, they matter where the text is being edited."""
    return {
        "code": item.code,
        "message": item.message,
        "span": _span_tree(item.span),
        "severity": item.severity.value,
        "label": item.label,
        "related": [[_span_tree(part.span), part.label] for part in item.related],
        "reason": item.reason,
        "help": item.help,
    }


def _diagnostic(tree: Any) -> Diagnostic:
    related = tuple(Related(span, label) for place, label in tree["related"] if (span := _span(place)) is not None)
    return Diagnostic(
        code=tree["code"],
        message=tree["message"],
        span=_span(tree["span"]),
        severity=Severity(tree["severity"]),
        label=tree["label"],
        related=related,
        reason=tree["reason"],
        help=tree["help"],
    )
