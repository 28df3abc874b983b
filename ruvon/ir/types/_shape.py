"""What an annotation says, with its wrappings taken off.

Python spells one type in many ways: `Optional[X]`, `X | None`, `Annotated[X, ...]`, a `NewType`, an alias. The texts,
the tables, the lints and the value codec all have to see through them in the same way, so the seeing-through is here,
once.
"""

import datetime as dt
import types
import typing
from collections.abc import Mapping
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    ForwardRef,
    Literal,
    NewType,
    NotRequired,
    Required,
    TypeVar,
    Union,
    cast,
)

from ruvon.ir._errors import RuvonError

__all__ = [
    "UnresolvedTypeError",
    "arguments_of",
    "is_plain_class",
    "is_union",
    "literal_values",
    "parameters_of",
    "substitution_of",
    "union_members",
    "unwrap",
]

_WRAPPERS: Final[tuple[object, ...]] = (Annotated, Required, NotRequired, Final, ClassVar)
_WRAPPER_NAMES: Final = frozenset({"Annotated", "ReadOnly", "Required", "NotRequired"})
_STAND_INS: Final[Mapping[str, object]] = {
    "pydantic.types:AwareDatetime": dt.datetime,
    "pydantic.types:NaiveDatetime": dt.datetime,
    "pydantic.types:FutureDatetime": dt.datetime,
    "pydantic.types:PastDatetime": dt.datetime,
    "pydantic.types:FutureDate": dt.date,
    "pydantic.types:PastDate": dt.date,
    "pydantic.networks:EmailStr": str,
}
"""Pydantic's classes that only validate: their values are of these types. By path, so that nothing is imported."""


_PLAIN: Final[frozenset[object]] = frozenset({object, bool, int, float, str, bytes, list, dict, tuple, set, frozenset})


class UnresolvedTypeError(RuvonError):
    """A type is written as text, and the name in it cannot be found where the class was defined."""

    def __init__(self, owner: str, text: str) -> None:
        self.owner = owner
        self.text = text
        self.problem = f"the type `{text}` in `{owner}` cannot be resolved at run time"
        self.remedy = f"import `{text}` outside `if TYPE_CHECKING:` and define the class at module level"
        super().__init__(f"{self.problem}; {self.remedy}")


def unwrap(annotation: object, substitution: Mapping[object, object] | None = None) -> object:
    """The annotation that says the same without wrappings, aliases, new types and type variables.

    Only the outermost layer is treated; arguments of a generic are left for the caller. `Any` becomes `object`, the
    annotation of a missing type variable its bound, the union of its constraints, or `object`.

    Args:
        annotation: Any annotation object.
        substitution: What the type variables of a generic stand for (see `substitution_of`).

    Raises:
        UnresolvedTypeError: The annotation is text that nobody resolved.
    """
    if is_plain_class(annotation):
        return annotation
    while True:
        following = _peel(annotation, substitution or {})
        if following is annotation:
            return annotation
        annotation = following


def is_plain_class(annotation: object) -> bool:
    """Whether an annotation is a class that stands for itself, which is by far the most frequent one."""
    # not `isinstance`: a generic such as `list[int]` claims to be a class
    if annotation.__class__ is type and annotation in _PLAIN:
        return True
    if not issubclass(type(annotation), type) or annotation is Any or annotation is types.NoneType:
        return False
    return not annotation.__module__.startswith("pydantic.")


def _peel(annotation: object, substitution: Mapping[object, object]) -> object:
    origin = typing.get_origin(annotation)
    if annotation is None or annotation is types.NoneType:
        return None
    if annotation is Any:
        return object
    if annotation is typing.Tuple:  # noqa: UP006 - the bare old spelling, which is not `tuple[()]`
        return tuple
    if origin in _WRAPPERS or getattr(origin, "_name", None) in _WRAPPER_NAMES:
        return typing.get_args(annotation)[0]
    if isinstance(annotation, NewType):
        return annotation.__supertype__
    if isinstance(annotation, TypeVar):
        return substitution[annotation] if annotation in substitution else _bound(annotation)
    if isinstance(annotation, str | ForwardRef):
        raise UnresolvedTypeError("an annotation", getattr(annotation, "__forward_arg__", str(annotation)))
    if _is_alias(annotation) or _is_alias(origin):
        alias = annotation if origin is None else origin
        return object if _names_itself(alias) else _applied(alias, typing.get_args(annotation))
    if isinstance(annotation, type) and annotation.__module__.startswith("pydantic."):
        return _STAND_INS.get(f"{annotation.__module__}:{annotation.__qualname__}", annotation)
    return annotation


def _bound(variable: TypeVar) -> object:
    if variable.__constraints__:
        return Union[variable.__constraints__]  # noqa: UP007 - built from a tuple
    return object if variable.__bound__ is None else variable.__bound__


def _is_alias(annotation: object) -> bool:
    return type(annotation).__name__ == "TypeAliasType" and hasattr(annotation, "__value__")


def _names_itself(alias: object) -> bool:
    """Whether an alias is recursive, as pydantic's `JsonValue` is: such a type has no finite text and says little."""
    name: object = getattr(alias, "__name__", None)
    waiting: list[object] = [getattr(alias, "__value__", None)]
    while waiting:
        part = waiting.pop()
        if part is alias or typing.get_origin(part) is alias or getattr(part, "__forward_arg__", part) == name:
            return True
        waiting.extend(() if typing.get_origin(part) is Literal else typing.get_args(part))
    return False


def _applied(alias: object, arguments: tuple[object, ...]) -> object:
    value: object = getattr(alias, "__value__", object)
    free: tuple[object, ...] = getattr(value, "__parameters__", ())
    variables: tuple[object, ...] = getattr(alias, "__type_params__", ())
    given: dict[object, object] = dict(zip(variables, arguments, strict=False))
    if not free:
        return given.get(value, value)
    subscriptable: Any = value
    return subscriptable[tuple(given.get(item, object) for item in free)]


def is_union(annotation: object) -> bool:
    """Whether an unwrapped annotation is a union, in either spelling."""
    origin = typing.get_origin(annotation)
    return origin is Union or origin is types.UnionType


def union_members(annotation: object, substitution: Mapping[object, object] | None = None) -> tuple[object, ...]:
    """The members of an unwrapped annotation: itself, or those of a union, unwrapped, flat, each once, `None` last."""
    if is_plain_class(annotation) or not is_union(annotation):
        return (annotation,)
    found: list[object] = []
    for argument in typing.get_args(annotation):
        for member in union_members(unwrap(argument, substitution), substitution):
            if member not in found:
                found.append(member)
    return tuple(item for item in found if item is not None) + ((None,) if None in found else ())


def literal_values(annotation: object) -> tuple[object, ...] | None:
    """The values of a `Literal[...]`, or None for any other annotation."""
    if is_plain_class(annotation):
        return None
    return typing.get_args(annotation) if typing.get_origin(annotation) is Literal else None


def parameters_of(annotation: object) -> tuple[object, tuple[object, ...]]:
    """Class and arguments of an unwrapped annotation: `list[int]` gives `(list, (int,))`, `int` gives `(int, ())`.

    A parametrised pydantic model is a class of its own and is returned as it is, without arguments.
    """
    origin = typing.get_origin(annotation)
    if origin is None:
        return annotation, ()
    return origin, typing.get_args(annotation)


def substitution_of(
    annotation: object, outer: Mapping[object, object] | None = None
) -> tuple[object, dict[object, object]]:
    """The class of an annotation and what its type variables stand for in it: `Box[int]` gives `(Box, {T: int})`."""
    origin, arguments = parameters_of(annotation)
    variables: object = getattr(origin, "__parameters__", ()) if arguments else ()
    if not isinstance(variables, tuple):
        return origin, {}
    applied = (unwrap(item, outer) for item in arguments)
    return origin, dict(zip(cast("tuple[object, ...]", variables), applied, strict=False))


def arguments_of(annotation: object) -> tuple[object, ...]:
    """The arguments of an unwrapped annotation that are types; the dots of `tuple[int, ...]` are not."""
    found: object = () if literal_values(annotation) is not None else getattr(annotation, "__args__", ())
    return (
        tuple(item for item in cast("tuple[object, ...]", found) if item is not ...) if isinstance(found, tuple) else ()
    )
