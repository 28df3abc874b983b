"""What the place of a value expects, as far as YAML's own notation depends on it.

`"12.50"` for a Decimal, `6h` for a timedelta and `{...}` for a model are notations whose meaning comes from the place.
Whether a value of another shape fits is the type checker's question; here only those shapes are decided.
"""

import enum
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Final, final
from uuid import UUID

from ruvon.ir._errors import RuvonError
from ruvon.ir._paths import canonical_path
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import ConstValue, Expr
from ruvon.ir.types import class_fields, class_kind, class_path, unwrap
from ruvon.ir.types._shape import is_union, parameters_of, union_members
from ruvon_dsl._link import Missing
from ruvon_dsl.yaml._durations import duration_us
from ruvon_dsl.yaml._values import ScalarNode

__all__ = ["Expected", "coerce", "expected_of"]

_CONTAINERS: Final[Mapping[object, str]] = {
    list: "list",
    tuple: "tuple",
    set: "set",
    frozenset: "frozenset",
    dict: "dict",
}
_TEXTLESS: Final[frozenset[object]] = frozenset({int, float, bool, Decimal, timedelta, datetime, date, time, UUID})
_NOT_NUMBERS: Final[frozenset[object]] = frozenset({timedelta, datetime, date, time, UUID})


@final
@dataclass(frozen=True, slots=True)
class Expected:
    """One expected type, taken apart."""

    kind: object = None
    """The class, where there is exactly one besides None."""
    arguments: tuple[object, ...] = ()
    path: str | None = None
    """The path of a model, dataclass or exception: a mapping is a constructor call of it."""
    fields: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    """The annotations of the fields of a class or TypedDict."""
    optional: bool = False

    @property
    def container(self) -> str:
        """`list`, `tuple`, `set`, `frozenset`, `dict` or nothing."""
        return _CONTAINERS.get(self.kind, "")

    @property
    def value(self) -> object:
        """The annotation of a dict's values."""
        return self.arguments[1] if self.container == "dict" and len(self.arguments) == 2 else Missing

    @property
    def words(self) -> str:
        """The expected type in words."""
        return getattr(self.kind, "__name__", str(self.kind))

    def element(self, index: int) -> object:
        """The annotation of the item at an index of a list, tuple or set."""
        if self.container in {"list", "set", "frozenset"} and self.arguments:
            return self.arguments[0]
        if self.container == "tuple" and self.arguments:
            if len(self.arguments) == 2 and self.arguments[1] is ...:
                return self.arguments[0]
            return self.arguments[index] if index < len(self.arguments) else Missing
        return Missing

    def refuses(self, node: ScalarNode) -> bool:
        """Whether a literal that was not coerced can never be of this type: text for a number, a model, a list."""
        value = node.value
        if value is None or self.kind is None:
            return False
        if isinstance(value, str):
            return self.kind in _TEXTLESS or self.path is not None or self.container != "" or _is_enum(self.kind)
        return self.path is not None or self.container != "" or self.kind in _NOT_NUMBERS


def _is_enum(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum) and not issubclass(kind, str)


def expected_of(annotation: object) -> Expected:
    """Take an annotation apart; an unknown or many-sided one expects nothing in particular."""
    if annotation is Missing or isinstance(annotation, str):
        return _ANYTHING
    try:
        plain = unwrap(annotation)
        members = union_members(plain) if is_union(plain) else (plain,)
        some = [member for member in members if member is not None]
        return _single(some, optional=None in members)
    except RuvonError:
        return _ANYTHING


def _single(members: list[object], *, optional: bool) -> Expected:
    if len(members) != 1:
        return _ANYTHING
    kind, arguments = parameters_of(members[0])
    if typing.get_origin(members[0]) is typing.Literal or kind is object:
        return _ANYTHING
    sort = class_kind(kind)
    if sort in {"model", "dataclass", "exception"} and isinstance(kind, type):
        fields = {item.name: item.annotation for item in class_fields(members[0])}
        return Expected(kind, arguments, canonical_path(kind) or class_path(kind), MappingProxyType(fields), optional)
    if sort == "typeddict":
        fields = {item.name: item.annotation for item in class_fields(members[0])}
        return Expected(dict, (), None, MappingProxyType(fields), optional)
    return Expected(kind, arguments, optional=optional)


_ANYTHING: Final = Expected()


def coerce(node: ScalarNode, wanted: Expected) -> Expr | None:
    """The constant that a literal stands for where a value type or an enum is expected; None where it is itself."""
    kind = wanted.kind
    if kind is timedelta:
        amount = duration_us(node)
        return None if amount is None else e.Const(timedelta(microseconds=amount), node.span)
    if kind is Decimal:
        return _decimal(node)
    if isinstance(node.value, str) and kind in _READERS:
        try:
            return e.Const(_READERS[kind](node.text), node.span)
        except ValueError:
            return None
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _member(node, kind)
    return None


_READERS: Final[Mapping[object, Callable[[str], ConstValue]]] = {
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    time: time.fromisoformat,
    UUID: UUID,
}


def _decimal(node: ScalarNode) -> Expr | None:
    if isinstance(node.value, bool) or node.value is None:
        return None
    try:
        number = Decimal(node.text)
    except InvalidOperation:
        return None
    return e.Const(number, node.span)


def _member(node: ScalarNode, cls: type[enum.Enum]) -> Expr | None:
    """`Color.RED` for its name or its value."""
    path = canonical_path(cls)
    for name, member in cls.__members__.items():
        if path is not None and (member.value == node.value or name == node.text):
            return e.Attribute(e.Ref(path, node.span), name, node.span)
    return None
