"""What became of a value, path by path, and the same done to another value: the two halves of a three-way merge.

Dicts and models are looked into key by key; anything else, lists and dataclasses too, changes as a whole.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeAlias, final

from pydantic import BaseModel

from ruvon.ir.values._codec import same
from ruvon.ir.values._copy import copy_value

__all__ = ["GONE", "Path", "changed_parts", "with_changes"]

Path: TypeAlias = tuple[Any, ...]


@final
class _Gone:
    """Marks a key that is no more."""

    __slots__ = ()


GONE: Final = _Gone()


def changed_parts(old: object, new: object, path: Path = ()) -> Iterator[tuple[Path, object]]:
    """The innermost paths at which two values differ, with the new value there, or `GONE`."""
    if same(old, new):
        return
    before, after = _parts(old), _parts(new)
    if before is None or after is None or type(old) is not type(new) or not _same_extra(old, new):
        yield path, new
        return
    for key in before:
        if key not in after:
            yield (*path, key), GONE
    for key, value in after.items():
        if key in before:
            yield from changed_parts(before[key], value, (*path, key))
        else:
            yield (*path, key), value


def with_changes(value: object, changes: Iterable[tuple[Path, object]]) -> object:
    """A copy of a value with changes made to it.

    Raises:
        LookupError: a path leads through what the value does not have.
    """
    made = copy_value(value)
    for path, new in changes:
        if not path:
            made = copy_value(new)
            continue
        holder = made
        for key in path[:-1]:
            holder = _inside(holder, path)[key]
        inside = _inside(holder, path)
        if new is GONE:
            inside.pop(path[-1], None)
        else:
            inside[path[-1]] = copy_value(new)
    return made


def _parts(value: object) -> dict[Any, Any] | None:
    if isinstance(value, BaseModel):
        return vars(value)
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]


def _same_extra(old: object, new: object) -> bool:
    return same(getattr(old, "__pydantic_extra__", None), getattr(new, "__pydantic_extra__", None))


def _inside(value: object, path: Path) -> dict[Any, Any]:
    """What a dict or a model holds, to be changed in place."""
    found = _parts(value)
    if found is None:
        raise LookupError(path)
    return found
