"""Validation of what was changed in place, deep inside a field.

Pydantic takes an instance of a model as valid, whatever was done to it since it was made: `state.lines[0].qty = -1` would
pass. So a changed field is compared with what it was, and only the fields of nested models that differ are validated.
A field without validators of the author is validated in new instances too, which is harmless; one with such validators
was run when the instance was made and is not run again.
"""

from collections.abc import Callable, Iterable
from typing import Final, cast

import pydantic

from ruvon.ir.types import class_kind, reachable_classes, unwrap
from ruvon.ir.types._shape import union_members
from ruvon.ir.values._checks import FieldCheck, checks_of
from ruvon.ir.values._codec import same
from ruvon.ir.values._copy import IMMUTABLE
from ruvon.ir.values._table import VIEW_OF

__all__ = ["MISSING", "may_hold_models", "recheck"]

MISSING: Final = object()
"""Stands for "there was no value here before"."""


def may_hold_models(annotation: object) -> bool:
    """Whether values of this type can hold instances of models, so that `recheck` has something to do."""
    if any(class_kind(cls) == "model" for cls in reachable_classes([annotation]).values()):
        return True
    return any(item is object for item in _parts(annotation))


def _parts(annotation: object) -> Iterable[object]:
    for member in union_members(unwrap(annotation)):
        yield member
        for argument in getattr(member, "__args__", ()):
            if argument is not ... and not isinstance(argument, str | int | bytes | bool):
                yield from _parts(argument)


def recheck(new: object, old: object, path: str) -> None:
    """Validate the nested model fields of `new` that differ from `old`; coerced values are put in place.

    Raises:
        InvalidValueError: A field was set to what its type refuses.
    """
    kind = type(new)
    if kind in IMMUTABLE or new is old:
        return
    if isinstance(new, list | tuple):
        _recheck_items(cast("list[object]", new), old, path)
    elif isinstance(new, dict):
        before = cast("dict[object, object]", old) if isinstance(old, dict) else {}
        for key, item in cast("dict[object, object]", new).items():
            recheck(item, before.get(key, MISSING), f"{path}[{key!r}]")
    elif isinstance(new, pydantic.BaseModel):
        _recheck_model(new, old, path)
    elif class_kind(kind) == "dataclass":
        for name in getattr(kind, "__dataclass_fields__", {}):
            recheck(getattr(new, name, None), getattr(old, name, MISSING), f"{path}.{name}")


def _recheck_items(new: list[object], old: object, path: str) -> None:
    """Pairs items with what they were: equal ones first, wherever they stand, then by place if none was added."""
    before = list(cast("list[object]", old)) if isinstance(old, list | tuple) else []
    claimed: set[int] = set()
    changed: list[int] = []
    for index, item in enumerate(new):
        match = _equal_index(item, index, before, claimed)
        if match is None:
            changed.append(index)
        else:
            claimed.add(match)
    by_place = len(before) == len(new)
    for index in changed:
        was = before[index] if by_place and index not in claimed else MISSING
        recheck(new[index], was, f"{path}[{index}]")


def _equal_index(item: object, index: int, before: list[object], claimed: set[int]) -> int | None:
    candidates = [index, *range(len(before))] if index < len(before) else range(len(before))
    for position in candidates:
        if position not in claimed and same(item, before[position]):
            return position
    return None


def _recheck_model(new: pydantic.BaseModel, old: object, path: str) -> None:
    cls = cast("type[pydantic.BaseModel]", getattr(type(new), VIEW_OF, type(new)))
    checks = checks_of(cls)
    known = type(old) is type(new)
    before: dict[str, object] = vars(old) if known else {}
    values: dict[str, object] = new.__dict__
    validates_itself = bool(cls.model_config.get("validate_assignment"))
    changed = False
    for name, check in checks.fields.items():
        value, was = values.get(name, MISSING), before.get(name, MISSING)
        if value is MISSING or (was is not MISSING and same(value, was)):
            continue
        changed = True
        if check.idempotent or (known and not validates_itself):
            values[name] = check.validate(value, f"{path}.{name}", _others(values, check))
        recheck(values[name], was, f"{path}.{name}")
    if changed and known and checks.has_after:
        checks.run_after(new, path)


def _others(values: dict[str, object], check: FieldCheck) -> Callable[[], dict[str, object]]:
    return lambda: {name: item for name, item in values.items() if name != check.name}
