"""The canonical text of a type.

The text goes into digests and stored definitions, so it must not depend on how the author spelled the type, on the
version of Python or pydantic, or on the order of imports. Builtins and the everyday value types have short names; every
other class is `module:Qualname`.
"""

import datetime as dt
import decimal
import enum
import types
import uuid
from collections.abc import Mapping
from typing import Final, cast

from ruvon.ir.types._shape import is_union, literal_values, parameters_of, union_members, unwrap

__all__ = ["SHORT_NAMES", "class_path", "literal_text", "type_text"]

SHORT_NAMES: Final[Mapping[str, type]] = {
    "object": object,
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "bytes": bytes,
    "list": list,
    "dict": dict,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "type": type,
    "complex": complex,
    "bytearray": bytearray,
    "range": range,
    "Decimal": decimal.Decimal,
    "date": dt.date,
    "datetime": dt.datetime,
    "time": dt.time,
    "timedelta": dt.timedelta,
    "UUID": uuid.UUID,
}
_SHORT: Final[Mapping[object, str]] = {cls: name for name, cls in SHORT_NAMES.items()}


def class_path(cls: type) -> str:
    """Where a class is found: `module:Qualname`.

    A parametrised pydantic model is a class that no module holds; its path is that of the generic class followed by the
    texts of its arguments, as in `shop.models:Page[shop.models:Item]`.
    """
    generic: Mapping[str, object] = getattr(cls, "__pydantic_generic_metadata__", {})
    origin = generic.get("origin")
    arguments = generic.get("args")
    if isinstance(origin, type) and isinstance(arguments, tuple) and arguments:
        texts = map(type_text, cast("tuple[object, ...]", arguments))
        return f"{class_path(origin)}[{', '.join(texts)}]"
    return f"{cls.__module__}:{cls.__qualname__}"


def type_text(annotation: object) -> str:
    """The canonical text of an annotation, such as `dict[str, shop.models:Item] | None`.

    Unions keep their order but are flat, without repeats and with `None` last. `Annotated` counts as what it annotates,
    a `NewType` as its supertype, a type variable as its bound, an alias as its value, `Any` as `object`.

    Raises:
        UnresolvedTypeError: The annotation is, or holds, an unresolved name.
    """
    plain = unwrap(annotation)
    if plain is None:
        return "None"
    if plain is ...:
        return "..."
    if is_union(plain):
        return " | ".join(dict.fromkeys(type_text(item) for item in union_members(plain)))
    values = literal_values(plain)
    if values is not None:
        return f"Literal[{', '.join(literal_text(item) for item in values)}]"
    if isinstance(plain, list):
        return f"[{', '.join(map(type_text, cast('list[object]', plain)))}]"
    origin, arguments = parameters_of(plain)
    if origin is tuple and not arguments and plain is not tuple:
        return "tuple[()]"
    name = _name(origin)
    return f"{name}[{', '.join(type_text(item) for item in arguments)}]" if arguments else name


def _name(cls: object) -> str:
    if cls in _SHORT:
        return _SHORT[cls]
    if isinstance(cls, type):
        return class_path(cls)
    if isinstance(cls, types.FunctionType) or hasattr(cls, "__qualname__"):
        return f"{getattr(cls, '__module__', 'builtins')}:{getattr(cls, '__qualname__', cls)}"
    return f"{getattr(cls, '__module__', 'typing')}:{getattr(cls, '_name', None) or cls!r}"


def literal_text(value: object) -> str:
    """How one value of a `Literal` is written: `'a'`, `1`, `None`, or `shop.models:Color.RED`."""
    if isinstance(value, enum.Enum):
        return f"{class_path(type(value))}.{value.name}"
    return repr(value)
