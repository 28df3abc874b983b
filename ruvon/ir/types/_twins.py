"""Annotations as pydantic wants them.

Before Python 3.12 pydantic refuses classes made with `typing.TypedDict` and asks for `typing_extensions.TypedDict`,
because the former forgets its bases. Authors write the former all the same, so a twin of such a class is made for
validation only.
"""

import typing
from typing import Annotated, Any, Final, NotRequired, Required, Union, cast

import typing_extensions

from ruvon.ir.types._fields import class_fields
from ruvon.ir.types._shape import is_union

__all__ = ["for_pydantic"]

_twins: Final[dict[type, object]] = {}


def for_pydantic(annotation: object) -> object:
    """The same type, with every `typing.TypedDict` class that it names replaced by a twin that pydantic accepts."""
    if isinstance(annotation, type) and type(annotation).__module__ == "typing" and typing.is_typeddict(annotation):
        return _twin(annotation)
    arguments = typing.get_args(annotation)
    if not arguments or typing.get_origin(annotation) is typing.Literal:
        return annotation
    replaced = tuple(for_pydantic(item) for item in arguments)
    if all(new is old for new, old in zip(replaced, arguments, strict=True)):
        return annotation
    return _rebuilt(annotation, replaced)


def _rebuilt(annotation: object, arguments: tuple[object, ...]) -> object:
    if is_union(annotation):
        return Union[arguments]  # noqa: UP007 - built from a tuple
    subscriptable: Any = Annotated if hasattr(annotation, "__metadata__") else typing.get_origin(annotation)
    return cast("object", subscriptable[arguments])


def _twin(cls: type) -> object:
    known = _twins.get(cls)
    if known is not None:
        return known
    _twins[cls] = cls  # a class that contains itself stays as it is inside
    hints = typing.get_type_hints(cls, include_extras=True)
    members: dict[str, Any] = {}
    for field in class_fields(cls):
        plain = for_pydantic(_unqualified(hints[field.name]))
        qualifier: Any = Required if field.required else NotRequired
        members[field.name] = qualifier[plain]
    made: Any = typing_extensions.TypedDict
    twin = made(cls.__name__, members)
    twin.__module__ = cls.__module__
    _twins[cls] = twin
    return cast("object", twin)


def _unqualified(hint: object) -> object:
    while typing.get_origin(hint) in (Required, NotRequired):
        hint = typing.get_args(hint)[0]
    return hint
