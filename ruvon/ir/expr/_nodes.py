"""The expression tree: one closed, side-effect-free subset of Python's expression grammar.

Nodes are frozen and final and hold no behaviour, so that `match` with `assert_never` covers them all. `span` is for
display and takes no part in equality. A `Name` is `state`, a variable, a loop or comprehension variable, or (before
linking only) an outside name; linking turns outside names into `Ref` (a class or `@pure` function by its path) or into
the constant they stand for.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, TypeAlias, final
from uuid import UUID

from ruvon.ir._spans import Span

__all__ = [
    "BINARY_OPERATORS",
    "COMPARE_OPERATORS",
    "UNARY_OPERATORS",
    "Attribute",
    "Binary",
    "Boolean",
    "Call",
    "Clause",
    "Compare",
    "Comprehension",
    "Conditional",
    "Const",
    "ConstValue",
    "Dict",
    "DictComprehension",
    "DictItem",
    "Expr",
    "FormatPart",
    "FormatString",
    "Keyword",
    "List",
    "Name",
    "Ref",
    "Set",
    "Slice",
    "Starred",
    "Subscript",
    "Tuple",
    "Unary",
]

ConstValue: TypeAlias = bool | int | float | str | bytes | Decimal | timedelta | datetime | date | time | UUID | None

UNARY_OPERATORS: Final = ("not", "-", "+", "~")
BINARY_OPERATORS: Final = ("+", "-", "*", "/", "//", "%", "**", "<<", ">>", "&", "|", "^")
COMPARE_OPERATORS: Final = ("==", "!=", "<", "<=", ">", ">=", "in", "not in", "is", "is not")


@final
@dataclass(frozen=True, slots=True)
class Const:
    """A literal, or a constructor of a value type with constant arguments folded to its value (`timedelta(days=2)`)."""

    value: ConstValue
    span: Span | None = field(default=None, compare=False, repr=False)

    def __eq__(self, other: object) -> bool:
        """Equal only for the same type and the same text, so that `1`, `1.0`, `True` and `-0.0` stay apart."""
        return (
            isinstance(other, Const) and type(self.value) is type(other.value) and repr(self.value) == repr(other.value)
        )

    def __hash__(self) -> int:
        return hash((type(self.value), repr(self.value)))


@final
@dataclass(frozen=True, slots=True)
class Name:
    """A name: `state`, a variable, or (before linking) a name from outside."""

    id: str
    span: Span | None = field(default=None, compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True)
class Ref:
    """A class, enum, exception or `@pure` function by the path of its definition (`shop.models:Receipt`)."""

    path: str
    span: Span | None = field(default=None, compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True)
class Attribute:
    value: "Expr"
    name: str
    span: Span | None = field(default=None, compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True)
class Subscript:
    value: "Expr"
    index: "Expr"
    """An expression or a `Slice`."""
    span: Span | None = field(default=None, compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True)
class Slice:
    start: "Expr | None"
    stop: "Expr | None"
    step: "Expr | None"
    span: Span | None = field(default=None, compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True)
class Unary:
    op: str
    operand: "Expr"
    span: Span | None = field(default=None, compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True)
class Binary:
    op: str
    left: "Expr"
    right: "Expr"
    span: Span | None = field(default=None, compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True)
class Boolean:
    """`a and b and c` or `a or b`; flat, at least two operands."""

    op: str
    values: "tuple[Expr, ...]"
    span: Span | None = field(default=None, compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True)
class Compare:
    """`left op0 right0 op1 right1 ...`, chained as in Python."""

    left: "Expr"
    ops: tuple[str, ...]
    rights: "tuple[Expr, ...]"
    span: Span | None = field(default=None, compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True)
class Conditional:
    test: "Expr"
    body: "Expr"
    otherwise: "Expr"
    span: Span | None = field(default=None, compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True)
class Starred:
    """`*value` inside a list, tuple or set display or a call."""

    value: "Expr"
    span: Span | None = field(default=None, compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True)
class List:
    items: "tuple[Expr, ...]"
    span: Span | None = field(default=None, compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True)
class Tuple:
    items: "tuple[Expr, ...]"
    span: Span | None = field(default=None, compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True)
class Set:
    items: "tuple[Expr, ...]"
    span: Span | None = field(default=None, compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True)
class DictItem:
    """`key: value`, or `**value` where `key` is None."""

    key: "Expr | None"
    value: "Expr"


@final
@dataclass(frozen=True, slots=True)
class Dict:
    items: tuple[DictItem, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True)
class Clause:
    """`for target in over if test if test`; `target` is a `Name` or a `Tuple` of targets."""

    target: "Expr"
    over: "Expr"
    tests: "tuple[Expr, ...]" = ()


@final
@dataclass(frozen=True, slots=True)
class Comprehension:
    """A list or set comprehension or a generator expression; `kind` is `list`, `set` or `generator`."""

    kind: str
    element: "Expr"
    clauses: tuple[Clause, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True)
class DictComprehension:
    key: "Expr"
    value: "Expr"
    clauses: tuple[Clause, ...]
    span: Span | None = field(default=None, compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True)
class Keyword:
    """`name=value` in a call, or `**value` where `name` is None."""

    name: str | None
    value: "Expr"


@final
@dataclass(frozen=True, slots=True)
class Call:
    """A call of a whitelisted builtin (`Name`), a whitelisted method (`Attribute`) or a `Ref`."""

    function: "Expr"
    args: "tuple[Expr, ...]" = ()
    keywords: tuple[Keyword, ...] = ()
    span: Span | None = field(default=None, compare=False, repr=False)


@final
@dataclass(frozen=True, slots=True)
class FormatPart:
    """`{value!conversion:spec}` of an f-string; `conversion` is "", "r", "s" or "a"; `spec` may nest parts."""

    value: "Expr"
    conversion: str = ""
    spec: "FormatString | None" = None


@final
@dataclass(frozen=True, slots=True)
class FormatString:
    """An f-string: literal texts and parts in order, neighbouring texts joined, empty texts dropped."""

    parts: "tuple[str | FormatPart, ...]"
    span: Span | None = field(default=None, compare=False, repr=False)


Expr: TypeAlias = (
    Const
    | Name
    | Ref
    | Attribute
    | Subscript
    | Slice
    | Unary
    | Binary
    | Boolean
    | Compare
    | Conditional
    | Starred
    | List
    | Tuple
    | Set
    | Dict
    | Comprehension
    | DictComprehension
    | Call
    | FormatString
)
