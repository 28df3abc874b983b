"""The class table: which author's classes a definition may instantiate when it reads stored bytes.

Stored bytes name classes by path. A table decides what a path means, so bytes can never choose code; and because codecs
are compiled against one table, the table also keeps them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, final

from ruvon.ir.types import class_kind, class_path, reachable_classes

__all__ = ["VIEW_OF", "ClassTable", "class_table", "text_key"]

VIEW_OF: Final = "__ruvon_view_of__"
"""Set on the private subclass behind a state view: the author's class that it stands for."""


@final
class ClassTable(Mapping[str, type]):
    """An immutable mapping from class paths to classes, compared by identity."""

    __slots__ = ("__weakref__", "_classes", "cache", "is_open")

    def __init__(self, classes: Mapping[str, type], *, is_open: bool = False) -> None:
        """Take a copy of `classes`; with `is_open`, every class may be written (reading still needs the table)."""
        self._classes: dict[str, type] = dict(classes)
        self.cache: dict[object, object] = {}
        self.is_open = is_open

    def __getitem__(self, path: str) -> type:
        return self._classes[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __len__(self) -> int:
        return len(self._classes)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def holds(self, cls: type) -> bool:
        """Whether instances of this very class may be written."""
        return self.is_open or self._classes.get(class_path(cls)) is cls


def class_table(annotations: Iterable[object], *, subclasses: bool = True) -> ClassTable:
    """The table of all classes that can be reached from the annotations.

    Args:
        annotations: Types of state, variables, parameters and results.
        subclasses: Also take the subclasses of reached models and dataclasses that are imported by now, so that a
            field of a base class can hold them.
    """
    found = reachable_classes(annotations)
    if subclasses:
        waiting = list(found.values())
        while waiting:
            added = {class_path(cls): cls for cls in _subclasses(waiting.pop())}
            fresh = reachable_classes(cls for path, cls in added.items() if path not in found)
            waiting.extend(cls for path, cls in fresh.items() if path not in found)
            found = fresh | found
    return ClassTable(found)


def _subclasses(cls: type) -> Iterator[type]:
    if class_kind(cls) not in {"model", "dataclass"}:
        return
    found: list[type] = cls.__subclasses__()
    for sub in found:
        if VIEW_OF not in vars(sub) and class_kind(sub) == class_kind(cls):
            yield sub


def text_key(key: object) -> str:
    """A key of a state that is a dict.

    Raises:
        TypeError: it is no text.
    """
    if not isinstance(key, str):
        raise TypeError(f"the keys of a state are texts, and {key!r} is of the type {type(key).__name__}")
    return key
