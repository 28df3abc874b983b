"""Validation of what was changed in place, deep inside a field.

Pydantic takes an instance of a model as valid, whatever was done to it since it was made: `state.lines[0].qty = -1`
would pass. So the tree of a changed field is compared with the tree of what it was, and only the fields of nested
models that differ are validated. In new instances only the fields without validators of the author are validated, which
is harmless; the author's validators ran when the instance was made and are not run again.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, cast

import orjson
import pydantic

from ruvon.ir.types import class_kind, reachable_classes, unwrap
from ruvon.ir.types._shape import arguments_of, union_members
from ruvon.ir.values._checks import FieldCheck, checks_of
from ruvon.ir.values._codec import same
from ruvon.ir.values._copy import IMMUTABLE
from ruvon.ir.values._scalars import Tree
from ruvon.ir.values._table import VIEW_OF

__all__ = ["MISSING", "may_hold_models", "recheck"]

_PAIR: Final = 2
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
        for argument in arguments_of(member):
            yield from _parts(argument)


def recheck(value: object, new: Tree, old: Tree, path: str) -> bool:
    """Validate the nested model fields of a changed value; coerced values are put in place.

    Args:
        value: The value, as it will be stored.
        new: Its tree.
        old: The tree of what stood there before, or `MISSING`.
        path: What to call the value in errors.

    Returns:
        Whether anything was coerced, so that the tree is not that of the value any more.

    Raises:
        InvalidValueError: A field was set to what its type refuses.
    """
    if type(value) in IMMUTABLE or new == old:
        return False
    tag, new = _untagged(new)
    old_tag, old = _untagged(old)
    if tag != old_tag:  # an instance of another class stood here: there is nothing to compare with
        old = MISSING
    if isinstance(value, list | tuple):
        return _recheck_items(list(cast("list[object]", value)), _items(new), _items(old), path)
    if isinstance(value, dict):
        return _recheck_members(cast("dict[object, object]", value), new, old, path)
    if isinstance(value, pydantic.BaseModel):
        return _recheck_model(value, _members(new), _members(old) if old is not MISSING else None, path)
    coerced = False
    if class_kind(type(value)) == "dataclass":
        before = _members(old)
        for name, tree in _members(new).items():
            coerced |= recheck(getattr(value, name), tree, before.get(name, MISSING), f"{path}.{name}")
    return coerced


def _untagged(tree: Tree) -> tuple[str, Tree]:
    """A tree's tag, or no text, and what is tagged."""
    members = _members(tree)
    if len(members) == 1:
        ((key, content),) = members.items()
        if key[:1] == "$":
            return key, content
    return "", tree


def _items(tree: Tree) -> list[Tree]:
    return cast("list[Tree]", tree) if type(tree) is list else []


def _members(tree: Tree) -> dict[str, Tree]:
    return cast("dict[str, Tree]", tree) if type(tree) is dict else {}


def _pairs(tree: Tree) -> list[tuple[Tree, Tree]]:
    """The members of a dict, which is written as an object or as pairs; of anything else, none."""
    pairs = [cast("tuple[Tree, Tree]", pair) for pair in _items(tree) if len(_items(pair)) == _PAIR]
    return [*_members(tree).items(), *pairs]


def _recheck_members(value: dict[object, object], new: Tree, old: Tree, path: str) -> bool:
    """Members of a dict, which is written as an object or as pairs."""
    coerced = False
    before = {orjson.dumps(key): tree for key, tree in _pairs(old)}
    for (name, item), (key, tree) in zip(value.items(), _pairs(new), strict=True):
        coerced |= recheck(item, tree, before.get(orjson.dumps(key), MISSING), f"{path}[{name!r}]")
    return coerced


def _recheck_items(value: list[object], new: list[Tree], old: list[Tree], path: str) -> bool:
    """Pairs items with what they were: equal ones first, wherever they stand, then by place if none was added."""
    forms, known = [orjson.dumps(tree) for tree in new], [orjson.dumps(tree) for tree in old]
    added, gone = Counter(forms), Counter(known)
    added.subtract(Counter(known))
    gone.subtract(Counter(forms))
    by_place = len(old) == len(new)
    coerced = False
    for index, form in enumerate(forms):
        if added[form] > 0:
            was = old[index] if by_place and gone[known[index]] > 0 else MISSING
            coerced |= recheck(value[index], new[index], was, f"{path}[{index}]")
    return coerced


def _recheck_model(value: pydantic.BaseModel, new: dict[str, Tree], old: dict[str, Tree] | None, path: str) -> bool:
    cls = cast("type[pydantic.BaseModel]", getattr(type(value), VIEW_OF, type(value)))
    checks = checks_of(cls)
    values = cast("dict[str, object]", value.__dict__)
    trust = old is None or bool(cls.model_config.get("validate_assignment"))
    before = old or {}
    coerced = changed = False
    for name, check in checks.fields.items():
        was = before.get(name, MISSING)
        if name not in new or new[name] == was:
            continue
        changed = True
        tree = new[name]
        if check.idempotent or not trust:
            made = check.validate(values[name], f"{path}.{name}", _others(values, check))
            if made is not values[name] and not same(made, values[name]):
                values[name], coerced = made, True
                continue  # made anew by pydantic: there is nothing in it that was changed in place
        coerced |= recheck(values[name], tree, was, f"{path}.{name}")
    if changed and old is not None and checks.has_after:
        checks.run_after(value, path)
        coerced = True
    return coerced


def _others(values: dict[str, object], check: FieldCheck) -> Callable[[], dict[str, object]]:
    return lambda: {name: item for name, item in values.items() if name != check.name}
