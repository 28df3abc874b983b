"""What a template may build: every operation says how much it is about to make before it makes it.

One meter counts all cells (characters of texts, items of lists) of one rendering, intermediate values included, so that a
template can take neither all memory nor all time, whichever operation grows the value.
"""

from collections.abc import Callable, Iterable, Mapping, Sized
from contextvars import ContextVar
from decimal import Decimal
from itertools import islice
from typing import Any, Final, cast, final

from ruvon.providers import TemplateError

__all__ = [
    "Meter",
    "call_cost",
    "charge",
    "filter_cost",
    "filter_input",
    "is_lazy",
    "metered",
    "operator_cost",
    "printed",
]

_MOST: Final = 1_000_000
"""Cells of one rendering: sixteen times the longest text that may come out."""
_CALL: Final = 50
"""What a call counts at least, macros included, so that one that calls itself ends soon."""
_LONGEST_INT: Final = 14_000
"""Bits of an integer that a template may compute; Python prints no more than 4,300 digits."""
_TEXT_FILTERS: Final = frozenset(
    {"capitalize", "center", "e", "escape", "forceescape", "indent", "join", "lower", "replace", "safe", "string"}
    | {"striptags", "title", "trim", "truncate", "upper", "urlencode", "urlize", "wordcount", "wordwrap"}
)
"""Filters that print their value."""
_COMPUTING: Final = frozenset({"abs", "filesizeformat", "float", "int", "round"})
_LARGEST_PRECISION: Final = 1_000


@final
class Meter:
    """The cells of one rendering."""

    def __init__(self, most: int = _MOST) -> None:
        self.most = most
        self.used = 0


_METER: Final[ContextVar[Meter | None]] = ContextVar("ruvon_template_meter", default=None)


@final
class metered:  # noqa: N801 - a context manager reads as a verb
    """Count what is built inside on one meter."""

    def __init__(self) -> None:
        self._meter = Meter()

    def __enter__(self) -> Meter:
        self._token = _METER.set(self._meter)
        return self._meter

    def __exit__(self, *_: object) -> None:
        _METER.reset(self._token)


def charge(cells: int) -> None:
    """Count `cells` that are about to be built.

    Raises:
        TemplateError: they would be too many.
    """
    meter = _METER.get()
    if meter is None:
        return
    meter.used += cells
    if meter.used > meter.most:
        raise TemplateError(f"it builds more than {meter.most:,} characters and items on its way to the text")


def printed(value: object) -> int:
    """Characters that a value takes when it is printed, nearly; counting stops where they are too many anyway.

    A list may hold one text a thousand times without taking memory for it, but printed it does.
    """
    total = 0
    pending: list[object] = [value]
    while pending and total <= _MOST:
        item = pending.pop()
        match item:
            case str() | bytes():
                total += len(item) + 2
            case dict():
                entries = cast("dict[object, object]", item)
                total += 2 + 4 * len(entries)
                pending.extend(part for pair in islice(entries.items(), _MOST) for part in pair)
            case list() | tuple() | set() | frozenset():
                items = cast("Iterable[object]", item)
                total += 2 + 2 * len(cast("Sized", item))
                pending.extend(islice(items, _MOST))
            case _:
                total += 1
    return total


def operator_cost(operator: str, left: object, right: object) -> int:
    """Cells that an operator is about to make.

    Raises:
        TemplateError: it would make a number that is too large.
    """
    match operator:
        case "*":
            for text, times in ((left, right), (right, left)):
                if isinstance(times, int) and isinstance(text, Sized):
                    return len(text) * max(times, 0)
            _require_bits(_bits(left) + _bits(right))
        case "**":
            if not isinstance(right, int) or abs(right) > _LONGEST_INT:
                raise TemplateError(f"a power above {_LONGEST_INT:,}")
            _require_bits(_bits(left) * abs(right))
        case "+" if isinstance(left, Sized) and isinstance(right, Sized):
            return len(left) + len(right)
        case "%" if isinstance(left, str | bytes):
            raise TemplateError("a text is no format here; write the value with a filter such as `round`")
        case _:
            return 1
    return 1


def call_cost(called: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    """Cells that calling a method of plain data is about to make."""
    owner: object = getattr(called, "__self__", None)
    name = getattr(called, "__name__", "")
    if isinstance(owner, Decimal):
        _require_near(owner)
    if isinstance(owner, str):
        return _growth(name, owner, args, kwargs)
    return _CALL + (len(owner) if isinstance(owner, Sized) else 0) + _widths(args, kwargs)


def filter_cost(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    """Cells that a filter is about to make of its value, the first argument."""
    value, *rest = args
    if name in _COMPUTING:
        _require_near(value)
        if _widths(tuple(rest), kwargs) > _LARGEST_PRECISION:
            raise TemplateError(f"a precision of more than {_LARGEST_PRECISION:,}")
    if name == "sum" and any(isinstance(item, Sized) and not isinstance(item, str) for item in _all(rest, kwargs)):
        raise TemplateError("`sum` adds numbers; join lists with `+`")
    if name in _TEXT_FILTERS:
        return _growth(name, value, tuple(rest), kwargs)
    return 1 + _widths(tuple(rest), kwargs)


def filter_input(name: str, value: object) -> object:
    """The value of a filter; what can be iterated only once is a list where it has to be measured first."""
    return list(cast("Iterable[object]", value)) if name == "join" and is_lazy(value) else value


def is_lazy(value: object) -> bool:
    """Whether a value can be iterated, and nobody knows how often before it was."""
    return isinstance(value, Iterable) and not isinstance(value, Sized)


def _growth(name: str, value: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    """An upper bound of the text that comes out: the value once, and the given texts and widths once for each piece."""
    size = printed(value)
    pieces = _PIECES.get(name, _one)
    given = sum(printed(item) for item in _all(args, kwargs) if not isinstance(item, bool | int))
    if name == "wordwrap":
        return size + given * pieces(value, args)
    if name == "join" and isinstance(value, str) and args and _is_items(args[0]):
        return given + size * len(args[0])
    return size + (given + _widths(args, kwargs)) * pieces(value, args)


def _one(_value: object, _args: tuple[Any, ...]) -> int:
    return 1


def _occurrences(value: object, args: tuple[Any, ...]) -> int:
    return str(value).count(str(args[0])) + 1 if args else 1


def _items(value: object, _args: tuple[Any, ...]) -> int:
    return len(value) if isinstance(value, Sized) else 1


def _lines(value: object, _args: tuple[Any, ...]) -> int:
    return str(value).count("\n") + 1


def _tabs(value: object, _args: tuple[Any, ...]) -> int:
    return str(value).count("\t") + 1


_PIECES: Final[Mapping[str, Callable[[object, tuple[Any, ...]], int]]] = {
    "replace": _occurrences,
    "join": _items,
    "indent": _lines,
    "expandtabs": _tabs,
    "urlize": _items,
    "wordwrap": _items,
}
"""How often a filter or method may put what it is given into its text."""


def _is_items(value: object) -> bool:
    return isinstance(value, list | tuple | dict | str)


def _all(args: Iterable[Any], kwargs: Mapping[str, Any]) -> Iterable[Any]:
    return (*args, *kwargs.values())


def _widths(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int:
    return sum(abs(item) for item in _all(args, kwargs) if isinstance(item, int))


def _bits(value: object) -> int:
    return value.bit_length() if isinstance(value, int) else 0


def _require_bits(bits: int) -> None:
    if bits > _LONGEST_INT:
        raise TemplateError(f"a number of more than {_LONGEST_INT:,} bits")


def _require_near(value: object) -> None:
    """Refuse a Decimal such as 1E+999999999, whose digits fill the memory where it becomes an integer."""
    if isinstance(value, Decimal) and value.is_finite() and abs(value.adjusted()) > _LONGEST_INT:
        raise TemplateError(f"a number with more than {_LONGEST_INT:,} digits")
