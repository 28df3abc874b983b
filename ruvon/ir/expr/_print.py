"""The canonical text of an expression.

This is our own printer, because the digest of a definition is taken over this text and `ast.unparse` differs between
versions of Python. It guarantees that equal trees give equal text, that the text is read back to the same tree by every
supported Python, and that parentheses stand only where needed.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Final, assert_never, final
from uuid import UUID

from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir.expr._codes import NOT_PRINTABLE
from ruvon.ir.expr._errors import ExpressionError
from ruvon.ir.expr._language import MAX_INT_BITS
from ruvon.ir.expr._nodes import (
    Attribute,
    Binary,
    Boolean,
    Call,
    Clause,
    Compare,
    Comprehension,
    Conditional,
    Const,
    ConstValue,
    Dict,
    DictComprehension,
    DictItem,
    Expr,
    FormatPart,
    FormatString,
    Keyword,
    List,
    Name,
    Ref,
    Set,
    Slice,
    Starred,
    Subscript,
    Tuple,
    Unary,
)

__all__ = ["print_constant", "print_expr"]

_ANY: Final = 0
_CONDITION: Final = 1
_OR: Final = 2
_AND: Final = 3
_NOT: Final = 4
_COMPARE: Final = 5
_BIT_OR: Final = 6
_SIGN: Final = 12
_POWER: Final = 13
_ATOM: Final = 14
_LEVELS: Final[dict[str, int]] = {
    "|": 6,
    "^": 7,
    "&": 8,
    "<<": 9,
    ">>": 9,
    "+": 10,
    "-": 10,
    "*": 11,
    "/": 11,
    "//": 11,
    "%": 11,
    "**": _POWER,
}
_ESCAPED: Final = re.compile(
    "[\\\\\x00-\x1f\x7f-\xa0\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufff0-\uffff]"
)
_BRACKETS: Final = {"list": ("[", "]"), "set": ("{", "}"), "generator": ("(", ")")}
_SHORT: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def print_expr(expr: Expr, names: Mapping[str, str] | None = None) -> str:
    """The canonical text of an expression.

    Args:
        expr: The tree.
        names: Short names for references, by path; where given, `Receipt` is printed for `ref('shop.models:Receipt')`.
            Read such text back with `parse(text, refs={short: path})`.

    Raises:
        ExpressionError: the tree holds a constant that has no text, such as a date in a named time zone.
    """
    return _Printer(names or {}).text(expr, _ANY)


@final
class _Printer:
    __slots__ = ("_names",)

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def text(self, expr: Expr, level: int) -> str:
        """The text of an expression, in parentheses if it binds less tightly than `level`."""
        own, text = self._bare(expr)
        return f"({text})" if own < level else text

    def _bare(self, expr: Expr) -> tuple[int, str]:
        match expr:
            case Const(value=value):
                text = print_constant(value)
                return (_SIGN if text.startswith("-") else _ATOM), text
            case Name(id=name):
                return _ATOM, name
            case Ref(path=path):
                return _ATOM, self._names.get(path) or f"ref({_quote(path)})"
            case Attribute(value=value, name=name):
                return _ATOM, f"{self._primary(value)}.{name}"
            case Subscript(value=value, index=index):
                return _ATOM, f"{self._primary(value)}[{self.text(index, _ANY)}]"
            case Slice():
                return _ANY, self._slice(expr)
            case Unary() | Binary() | Boolean() | Compare() | Conditional():
                return self._operation(expr)
            case Starred(value=value):
                return _ANY, f"*{self.text(value, _BIT_OR)}"
            case List() | Tuple() | Set() | Dict() | Comprehension() | DictComprehension():
                return _ATOM, self._display(expr)
            case Call():
                return _ATOM, self._call(expr)
            case FormatString():
                return _ATOM, self._format_string(expr)
            case _:
                assert_never(expr)

    def _primary(self, expr: Expr) -> str:
        """The text in front of a dot, a bracket or a call; numbers stand in parentheses, so that a dot is no point."""
        text = self.text(expr, _ATOM)
        number = isinstance(expr, Const) and isinstance(expr.value, int | float) and text[0].isdigit()
        return f"({text})" if number else text

    def _slice(self, expr: Slice) -> str:
        start, stop, step = (
            "" if part is None else self.text(part, _CONDITION) for part in (expr.start, expr.stop, expr.step)
        )
        return f"{start}:{stop}:{step}" if step else f"{start}:{stop}"

    def _operation(self, expr: Unary | Binary | Boolean | Compare | Conditional) -> tuple[int, str]:
        match expr:
            case Unary(op="not", operand=operand):
                return _NOT, f"not {self.text(operand, _NOT)}"
            case Unary(op=op, operand=operand):
                return _SIGN, f"{op}{self.text(operand, _SIGN)}"
            case Binary(op="**", left=left, right=right):
                return _POWER, f"{self.text(left, _ATOM)} ** {self.text(right, _SIGN)}"
            case Binary(op=op, left=left, right=right):
                level = _LEVELS[op]
                return level, f"{self.text(left, level)} {op} {self.text(right, level + 1)}"
            case Boolean(op=op, values=values):
                level = _AND if op == "and" else _OR
                return level, f" {op} ".join(self.text(value, level + 1) for value in values)
            case Compare(left=left, ops=ops, rights=rights):
                pairs = zip(ops, rights, strict=True)
                tail = "".join(f" {op} {self.text(right, _BIT_OR)}" for op, right in pairs)
                return _COMPARE, self.text(left, _BIT_OR) + tail
            case Conditional(test=test, body=body, otherwise=otherwise):
                asked, last = self.text(test, _OR), self.text(otherwise, _CONDITION)
                return _CONDITION, f"{self.text(body, _OR)} if {asked} else {last}"
            case _:
                assert_never(expr)

    def _display(self, expr: List | Tuple | Set | Dict | Comprehension | DictComprehension) -> str:
        match expr:
            case List(items=items):
                return f"[{self._items(items)}]"
            case Tuple(items=items):
                return f"({self._items(items)},)" if len(items) == 1 else f"({self._items(items)})"
            case Set(items=items):
                return f"{{{self._items(items)}}}" if items else "{*()}"
            case Dict(items=pairs):
                return "{" + ", ".join(self._dict_item(item) for item in pairs) + "}"
            case Comprehension(kind=kind, element=element, clauses=clauses):
                opening, closing = _BRACKETS[kind]
                return f"{opening}{self.text(element, _CONDITION)}{self._clauses(clauses)}{closing}"
            case DictComprehension(key=key, value=value, clauses=clauses):
                return f"{{{self.text(key, _CONDITION)}: {self.text(value, _CONDITION)}{self._clauses(clauses)}}}"
            case _:
                assert_never(expr)

    def _items(self, items: tuple[Expr, ...]) -> str:
        return ", ".join(self.text(item, _ANY) for item in items)

    def _dict_item(self, item: DictItem) -> str:
        if item.key is None:
            return f"**{self.text(item.value, _BIT_OR)}"
        return f"{self.text(item.key, _CONDITION)}: {self.text(item.value, _CONDITION)}"

    def _clauses(self, clauses: tuple[Clause, ...]) -> str:
        texts: list[str] = []
        for clause in clauses:
            texts.append(f" for {self._target(clause.target)} in {self.text(clause.over, _OR)}")
            texts.extend(f" if {self.text(test, _OR)}" for test in clause.tests)
        return "".join(texts)

    def _target(self, target: Expr) -> str:
        if isinstance(target, Tuple) and len(target.items) > 1:
            return ", ".join(self.text(item, _ANY) for item in target.items)
        return self.text(target, _ANY)

    def _call(self, expr: Call) -> str:
        function = self._primary(expr.function)
        match expr:
            case Call(args=(Comprehension(kind="generator") as only,), keywords=()):
                return f"{function}{self._display(only)}"
            case _:
                words = [self._keyword(word) for word in expr.keywords]
                return f"{function}({', '.join([*(self.text(arg, _ANY) for arg in expr.args), *words])})"

    def _keyword(self, word: Keyword) -> str:
        if word.name is None:
            return f"**{self.text(word.value, _BIT_OR)}"
        return f"{word.name}={self.text(word.value, _CONDITION)}"

    def _format_string(self, expr: FormatString) -> str:
        """An f-string, or, where Python 3.11 could not read it back, the spelled-out `fstring(...)`."""
        values = [self._format_value(part) for part in expr.parts if isinstance(part, FormatPart)]
        inner = "".join(value for value in values if value is not None)
        quote = next((mark for mark in ("'", '"', "'''", '"""') if _fits(mark, inner)), None)
        if None in values or quote is None:
            return f"fstring({', '.join(self._spelled(part) for part in expr.parts)})"
        given = iter(values)
        return f"f{quote}{''.join(self._format_text(part, quote) or next(given) or '' for part in expr.parts)}{quote}"

    def _format_text(self, part: str | FormatPart, quote: str) -> str:
        if isinstance(part, FormatPart):
            return ""
        return _escape(part, quote[0]).replace("{", "{{").replace("}", "}}")

    def _format_value(self, part: FormatPart) -> str | None:
        """`{value!r:spec}`, or None where it cannot stand in an f-string of every supported Python."""
        value = self.text(part.value, _CONDITION)
        spec = self._format_spec(part.spec)
        if spec is None or "\\" in value or "#" in value or '"""' in value or "'''" in value:
            return None
        opening = " " if value.startswith("{") else ""
        closing = " " if value.endswith("}") else ""
        mark = f"!{part.conversion}" if part.conversion else ""
        return f"{{{opening}{value}{closing}{mark}{spec}}}"

    def _format_spec(self, spec: FormatString | None) -> str | None:
        if spec is None:
            return ""
        texts: list[str] = []
        for part in spec.parts:
            if isinstance(part, str):
                if not part.isprintable() or any(character in "{}'\"\\" for character in part):
                    return None
                texts.append(part)
                continue
            inner = None if part.spec is not None else self._format_value(part)
            if inner is None:
                return None
            texts.append(inner)
        return ":" + "".join(texts)

    def _spelled(self, part: str | FormatPart) -> str:
        if isinstance(part, str):
            return _quote(part)
        items = [self.text(part.value, _CONDITION)]
        if part.conversion or part.spec is not None:
            items.append(_quote(part.conversion))
        if part.spec is not None:
            items.append(self._spelled_spec(part.spec))
        return f"[{', '.join(items)}]"

    def _spelled_spec(self, spec: FormatString) -> str:
        return f"fstring({', '.join(self._spelled(part) for part in spec.parts)})"


def _fits(mark: str, inner: str) -> bool:
    """Whether values with this text can stand between these quotes on Python 3.11."""
    if len(mark) == 1:
        return mark not in inner
    return inner.count("'") > 0 and inner.count('"') > 0 and mark not in inner


def _quote(text: str) -> str:
    return f"'{_escape(text, chr(39))}'"


def _escape(text: str, quote: str) -> str:
    escaped = _ESCAPED.sub(_escape_one, text)
    return escaped.replace(quote, "\\" + quote)


def _escape_one(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def print_constant(value: ConstValue) -> str:
    """The canonical text of a constant.

    Raises:
        ExpressionError: the value has no text, such as a date in a named time zone.
    """
    match value:
        case None | bool():
            return str(value)
        case int():
            return _integer(value)
        case float():
            finite = value - value == 0
            return repr(value) if finite else f"float({_quote(str(value))})"
        case str():
            return _quote(value)
        case bytes():
            return f"b'{_bytes_body(value)}'"
        case Decimal():
            return f"Decimal('{value}')"
        case UUID():
            return f"UUID('{value}')"
        case timedelta():
            return _timedelta(value)
        case datetime():
            return f"datetime({value.year}, {value.month}, {value.day}{_clock(value, ', ')})"
        case date():
            return f"date({value.year}, {value.month}, {value.day})"
        case time():
            return f"time({value.hour}, {value.minute}{_clock(value, ', ', 2)})"
        case _:
            assert_never(value)


def _integer(value: int) -> str:
    if value.bit_length() > MAX_INT_BITS:
        message = (
            f"an integer of {value.bit_length():,} bits is longer than a definition can hold ({MAX_INT_BITS:,} bits)"
        )
        raise ExpressionError([Diagnostic(code=NOT_PRINTABLE, message=message, help="compute it in a step")])
    return str(value)


def _bytes_body(value: bytes) -> str:
    """The escaped inside of a bytes literal; a double quote in front makes `repr` choose single quotes."""
    return repr(b'"' + value)[3:-1]


def _timedelta(value: timedelta) -> str:
    named = {"days": value.days, "seconds": value.seconds, "microseconds": value.microseconds}
    parts = [f"{name}={number}" for name, number in named.items() if number]
    return f"timedelta({', '.join(parts) or '0'})"


def _clock(value: datetime | time, lead: str, skipped: int = 0) -> str:
    numbers = [value.hour, value.minute, value.second, value.microsecond]
    while len(numbers) > skipped and not numbers[-1]:
        numbers.pop()
    parts = [str(number) for number in numbers[skipped:]]
    if len(numbers) == 1 and not skipped:
        parts.append("0")
    if value.tzinfo is not None:
        parts.append(f"tzinfo={_zone(value.tzinfo)}")
    if value.fold:
        parts.append("fold=1")
    return "".join(lead + part for part in parts)


def _zone(zone: tzinfo) -> str:
    if not isinstance(zone, timezone):
        message = f"a time in the zone `{zone}` has no constant text; write its fixed offset or compute it in a step"
        raise ExpressionError([Diagnostic(code=NOT_PRINTABLE, message=message)])
    if zone is UTC or repr(zone) == "datetime.timezone.utc":
        return "timezone.utc"
    offset = zone.utcoffset(None)
    plain = timezone(offset)
    name = zone.tzname(None)
    return (
        f"timezone({_timedelta(offset)})"
        if plain.tzname(None) == name
        else f"timezone({_timedelta(offset)}, {_quote(name)})"
    )
