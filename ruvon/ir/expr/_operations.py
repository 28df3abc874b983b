"""Which operands Python's operators take, and the type of the result.

The table speaks of built-in types only. A class of the author's is asked whether it defines the operator at all; what
it gives is then unknown.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final

from ruvon.ir.expr._types import UNKNOWN, base_of, family, generic, item_of, join
from ruvon.ir.types._shape import parameters_of

__all__ = ["binary_result", "can_order", "unary_result"]

_DUNDERS: Final[dict[str, str]] = {
    "+": "add",
    "-": "sub",
    "*": "mul",
    "/": "truediv",
    "//": "floordiv",
    "%": "mod",
    "**": "pow",
    "<<": "lshift",
    ">>": "rshift",
    "&": "and",
    "|": "or",
    "^": "xor",
}
_ARITHMETIC: Final = frozenset({"+", "-", "*", "/", "//", "%", "**"})
_BITS: Final = frozenset({"<<", ">>", "&", "|", "^"})
_TIMES: Final[dict[tuple[str, str, str], type]] = {
    ("timedelta", "+", "timedelta"): timedelta,
    ("timedelta", "-", "timedelta"): timedelta,
    ("timedelta", "/", "timedelta"): float,
    ("timedelta", "//", "timedelta"): int,
    ("timedelta", "%", "timedelta"): timedelta,
    ("date", "+", "timedelta"): date,
    ("timedelta", "+", "date"): date,
    ("date", "-", "timedelta"): date,
    ("date", "-", "date"): timedelta,
    ("datetime", "+", "timedelta"): datetime,
    ("timedelta", "+", "datetime"): datetime,
    ("datetime", "-", "timedelta"): datetime,
    ("datetime", "-", "datetime"): timedelta,
}


def binary_result(op: str, left: object, right: object) -> object | None:
    """The type of `left op right` for two members of types, unknown, or None where Python raises TypeError."""
    if left is UNKNOWN or right is UNKNOWN:
        return str if op == "%" and family(left) == "text" else UNKNOWN
    one, other = family(left), family(right)
    if one is None or other is None:
        return UNKNOWN if _defines(op, left) or _defines(op, right) else None
    if one == "number" and other == "number":
        return _number(op, base_of(left), base_of(right))
    if (one, op, other) in _TIMES:
        return _TIMES[one, op, other]
    if op in {"*", "/", "//"} and {one, other} == {"timedelta", "number"}:
        return _scaled(op, left, right)
    if op == "%" and one in {"text", "bytes"}:
        return base_of(left)
    if op == "*" and other == "number":
        return _repeated(left, right)
    if op == "*" and one == "number":
        return _repeated(right, left)
    return _together(op, one, other, left, right)


def _defines(op: str, member: object) -> bool:
    base = base_of(member)
    if not isinstance(base, type):
        return member is not None
    name = _DUNDERS[op]
    return hasattr(base, f"__{name}__") or hasattr(base, f"__r{name}__")


def _number(op: str, left: object, right: object) -> object | None:
    kinds = {int if kind is bool or _is_int(kind) else kind for kind in (left, right)}
    if op in _BITS:
        if kinds != {int}:
            return None
        return bool if left is bool and right is bool and op in {"&", "|", "^"} else int
    if Decimal in kinds:
        return None if float in kinds else Decimal
    if float in kinds or op == "/":
        return UNKNOWN if op == "**" else float
    return UNKNOWN if op == "**" else int


def _is_int(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, int)


def _scaled(op: str, left: object, right: object) -> object | None:
    number = right if family(left) == "timedelta" else left
    if base_of(number) is Decimal or (op != "*" and number is left):
        return None
    return None if op == "//" and base_of(number) is float else timedelta


def _repeated(items: object, times: object) -> object | None:
    if not _is_int(base_of(times)) or family(items) not in {"text", "bytes", "list", "tuple"}:
        return None
    if family(items) == "tuple":
        return generic(tuple, item_of(items) or UNKNOWN, ...)
    return base_of(items) if family(items) != "list" else items


def _together(op: str, one: str, other: str, left: object, right: object) -> object | None:
    if one != other:
        return None
    match one:
        case "text" | "bytes":
            return {"text": str, "bytes": bytes}[one] if op == "+" else None
        case "list":
            return generic(list, join([item_of(left) or UNKNOWN, item_of(right) or UNKNOWN])) if op == "+" else None
        case "tuple":
            return _tuples(left, right) if op == "+" else None
        case "set":
            if op not in {"&", "|", "^", "-"}:
                return None
            return (
                left if op in {"&", "-"} else generic(set, join([item_of(left) or UNKNOWN, item_of(right) or UNKNOWN]))
            )
        case "dict":
            return join([left, right]) if op == "|" else None
        case _:
            return None


def _tuples(left: object, right: object) -> object:
    one, other = parameters_of(left)[1], parameters_of(right)[1]
    if Ellipsis in (*one, *other) or not one or not other:
        return generic(tuple, join([item_of(left) or UNKNOWN, item_of(right) or UNKNOWN]), ...)
    return generic(tuple, *one, *other)


def unary_result(op: str, member: object) -> object | None:
    """The type of `op value` for one member of a type, unknown, or None where Python raises TypeError."""
    if member is UNKNOWN:
        return UNKNOWN
    base, kind = base_of(member), family(member)
    if op == "~":
        return int if _is_int(base) else (UNKNOWN if kind is None and member is not None else None)
    if kind == "number":
        return int if _is_int(base) else base
    if kind == "timedelta":
        return timedelta
    names = {"-": "__neg__", "+": "__pos__"}
    return UNKNOWN if kind is None and isinstance(base, type) and hasattr(base, names[op]) else None


def can_order(left: object, right: object) -> bool:
    """Whether `<` and its kin work between two members of types; True where that is unknown."""
    if left is UNKNOWN or right is UNKNOWN:
        return True
    if left is None or right is None:
        return False
    one, other = family(left), family(right)
    if one is None or other is None:
        return _orders(left) or _orders(right)
    return one == other and one != "dict"


def _orders(member: object) -> bool:
    base = base_of(member)
    return not isinstance(base, type) or any("__lt__" in kind.__dict__ for kind in base.__mro__[:-1])
