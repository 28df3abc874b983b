"""Random expressions over the data of `world`, as trees: mostly well typed, now and then not.

A tree is printed and read again before it is used, so that trees are canonical and every run also tests the printer.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from hypothesis import reject
from hypothesis import strategies as st

from ruvon.ir.expr import (
    Attribute,
    Binary,
    Boolean,
    Call,
    Clause,
    Compare,
    Comprehension,
    Conditional,
    Const,
    Dict,
    DictComprehension,
    DictItem,
    Expr,
    ExpressionError,
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
    rebuild,
)
from tests.unit.expr.world import REFS

KINDS: Final = (
    "int",
    "text",
    "bool",
    "decimal",
    "float",
    "numbers",
    "texts",
    "date",
    "span",
    "moment",
    "pair",
    "dict",
    "any",
)
_PATHS: Final = {
    "int": ("state.count", "state.zero", "n", "state.point.x", "state.address.number", "state.due.year"),
    "text": ("state.note", "state.empty", "word", "state.address.city", "state.status.name", "state.status.value"),
    "bool": ("state.vip",),
    "decimal": ("state.amount",),
    "float": ("state.price",),
    "numbers": ("state.numbers",),
    "texts": ("state.tags",),
    "date": ("state.due",),
    "span": ("state.wait",),
    "moment": ("state.at",),
    "pair": ("state.point",),
    "dict": ("state.rates",),
    "any": ("state.owner", "state.status", "state.clock", "state.key", "state.data", "state.pairs", "state.lines"),
}
_TEXTS: Final = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=6)
CONSTANTS: Final[dict[str, st.SearchStrategy[object]]] = {
    "int": st.integers(-20, 20) | st.integers(),
    "text": _TEXTS,
    "bool": st.booleans(),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-1000, max_value=1000),
    "float": st.floats(allow_nan=False),
    "date": st.dates(date(1990, 1, 1), date(2060, 1, 1)),
    "span": st.timedeltas(timedelta(days=-400), timedelta(days=400)),
    "moment": st.datetimes(
        datetime(1990, 1, 1),  # noqa: DTZ001 - zones are drawn
        datetime(2060, 1, 1),  # noqa: DTZ001 - zones are drawn
        timezones=st.just(UTC),
    ),
    "any": st.none() | st.binary(max_size=4) | st.uuids().map(lambda key: UUID(int=key.int)) | st.times(),
}


def _path(text: str) -> Expr:
    head, *rest = text.split(".")
    found: Expr = Name(head)
    for name in rest:
        found = Attribute(found, name)
    return found


@st.composite
def expressions(draw: st.DrawFn, kind: str | None = None, depth: int = 4) -> Expr:
    """A canonical tree."""
    chosen = draw(st.sampled_from(KINDS)) if kind is None else kind
    try:
        return canonical(_Maker(draw).make(chosen, depth, {}))
    except ExpressionError:
        reject()  # a constructor became constant, and Python refuses its arguments


def canonical(expr: Expr) -> Expr:
    """The tree rebuilt from below, so that constants are folded and texts joined."""
    return rebuild(expr, canonical)


class _Maker:
    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.count = 0

    def pick(self, *options: str) -> str:
        return self.draw(st.sampled_from(options))

    def make(self, kind: str, depth: int, scope: dict[str, str]) -> Expr:
        if self.draw(st.integers(0, 39)) == 0:
            kind = self.draw(st.sampled_from(KINDS))
        if depth <= 0 or self.draw(st.integers(0, 4)) == 0:
            return self.leaf(kind, scope)
        if self.draw(st.integers(0, 7)) == 0:
            return self.general(kind, depth - 1, scope)
        maker = getattr(self, f"_{kind}")
        made: Expr = maker(depth - 1, scope)
        return made

    def maker(self, usual: str, depth: int, scope: dict[str, str]) -> Callable[..., Expr]:
        """A short name for making parts of one kind, or of another if it is given."""
        return lambda kind=usual: self.make(kind, depth, scope)

    def leaf(self, kind: str, scope: dict[str, str]) -> Expr:
        local = [name for name, held in scope.items() if held == kind]
        if self.draw(st.booleans()) and local:
            return Name(self.pick(*local))
        if kind not in CONSTANTS or self.draw(st.booleans()):
            return _path(self.pick(*_PATHS[kind]))
        value = self.draw(CONSTANTS[kind])
        return Const(value)  # type: ignore[arg-type]

    def general(self, kind: str, depth: int, scope: dict[str, str]) -> Expr:
        match self.pick("if", "boolean", "item", "same"):
            case "if":
                test = self.make("bool", depth, scope)
                return Conditional(test, self.make(kind, depth, scope), self.make(kind, depth, scope))
            case "boolean":
                values = tuple(self.make(kind, depth, scope) for _ in range(self.draw(st.integers(2, 3))))
                return Boolean(self.pick("and", "or"), values)
            case "item":
                return Subscript(List((self.make(kind, depth, scope),)), Const(self.draw(st.integers(-2, 1))))
            case _:
                return self.call("max", self.make(kind, depth, scope), self.make(kind, depth, scope))

    def call(self, name: str, *args: Expr, **keywords: Expr) -> Expr:
        return Call(Name(name), args, tuple(Keyword(word, value) for word, value in keywords.items()))

    def method(self, value: Expr, name: str, *args: Expr, **keywords: Expr) -> Expr:
        return Call(Attribute(value, name), args, tuple(Keyword(word, part) for word, part in keywords.items()))

    def _int(self, depth: int, scope: dict[str, str]) -> Expr:
        one = self.maker("int", depth, scope)
        match self.pick("arithmetic", "power", "unary", "len", "sum", "count", "round", "divmod", "int", "pure", "ord"):
            case "arithmetic":
                return Binary(self.pick("+", "-", "*", "//", "%", "&", "|", "^", ">>"), one(), one())
            case "power":
                return Binary("**", one(), Const(self.draw(st.integers(-2, 5))))
            case "unary":
                return Unary(self.pick("-", "+", "~"), one())
            case "len":
                return self.call("len", one(self.pick("text", "numbers", "texts", "dict", "pair")))
            case "sum":
                return self.call("sum", self.generator("int", depth, scope))
            case "count":
                return self.method(one("text"), self.pick("count", "find", "index", "rfind"), one("text"))
            case "round":
                return self.call("round", one(self.pick("float", "decimal", "int")))
            case "divmod":
                return Subscript(self.call("divmod", one(), one()), Const(self.draw(st.integers(0, 1))))
            case "int":
                return self.call("int", one(self.pick("text", "float", "decimal", "bool")))
            case "ord":
                return self.call("ord", one("text"))
            case _:
                return Call(Ref(REFS["double"]), (one(),))

    def _text(self, depth: int, scope: dict[str, str]) -> Expr:
        one = self.maker("text", depth, scope)
        match self.pick(
            "format", "plus", "times", "method", "method2", "join", "item", "slice", "str", "percent", "formatted"
        ):
            case "format":
                return self.format_string(depth, scope)
            case "plus":
                return Binary("+", one(), one())
            case "times":
                return Binary("*", one(), Const(self.draw(st.integers(-1, 4))))
            case "method":
                names = (
                    "upper",
                    "lower",
                    "title",
                    "strip",
                    "capitalize",
                    "swapcase",
                    "casefold",
                    "expandtabs",
                    "lstrip",
                )
                return self.method(one(), self.pick(*names))
            case "method2":
                return self.method(one(), self.pick("removeprefix", "removesuffix", "strip"), one())
            case "join":
                return self.method(one(), "join", self.pick_items("texts", depth, scope))
            case "item":
                return Subscript(one(), one("int"))
            case "slice":
                return Subscript(one(), self.slice(depth, scope))
            case "str":
                return self.call(self.pick("str", "repr", "ascii"), one(self.draw(st.sampled_from(KINDS))))
            case "percent":
                return Binary(
                    "%", Const(self.pick("%s", "<%r>", "%5s|", "%d", "%05.1f")), one(self.draw(st.sampled_from(KINDS)))
                )
            case _:
                return self.call(
                    "format", one(self.pick("int", "float")), Const(self.pick("", ">8", "+.2f", "x", ",", "08"))
                )

    def _bool(self, depth: int, scope: dict[str, str]) -> Expr:
        one = self.maker("bool", depth, scope)
        kind = self.draw(st.sampled_from(KINDS))
        match self.pick("compare", "chain", "not", "in", "quantifier", "isinstance", "is", "starts", "bool"):
            case "compare":
                return Compare(one(kind), (self.pick("==", "!=", "<", "<=", ">", ">="),), (one(kind),))
            case "chain":
                signs = (self.pick("<", "<=", "=="), self.pick("<", ">=", "!="))
                return Compare(one(kind), signs, (one(kind), one(kind)))
            case "not":
                return Unary("not", one(kind))
            case "in":
                item, items = self.draw(
                    st.sampled_from([("int", "numbers"), ("text", "texts"), ("text", "text"), ("text", "dict")])
                )
                return Compare(one(item), (self.pick("in", "not in"),), (one(items),))
            case "quantifier":
                return self.call(self.pick("any", "all"), self.generator("bool", depth, scope))
            case "isinstance":
                classes = (
                    Tuple((Name("str"), Name("date")))
                    if self.draw(st.booleans())
                    else Name(self.pick("int", "Decimal"))
                )
                return self.call("isinstance", one(kind), classes)
            case "is":
                return Compare(one("any"), (self.pick("is", "is not"),), (Const(None),))
            case "starts":
                return self.method(
                    one("text"), self.pick("startswith", "endswith", "isdigit", "isalpha"), *((one("text"),) * 0)
                )
            case _:
                return self.call("bool", one(kind))

    def _decimal(self, depth: int, scope: dict[str, str]) -> Expr:
        one = self.maker("decimal", depth, scope)
        match self.pick("arithmetic", "mixed", "sum", "quantize", "make", "line"):
            case "arithmetic":
                return Binary(self.pick("+", "-", "*", "/", "//", "%"), one(), one())
            case "mixed":
                return Binary(self.pick("+", "*", "-"), one(self.pick("int", "float")), one())
            case "sum":
                over = Clause(Name("line"), _path("state.lines"))
                element = Binary("*", _path("line.price"), _path("line.qty"))
                return self.call("sum", Comprehension("generator", element, (over,)), Const(Decimal(0)))
            case "quantize":
                return self.method(one(), self.pick("normalize", "copy_abs", "to_integral_value"))
            case "make":
                return self.call("Decimal", one(self.pick("int", "text", "float")))
            case _:
                return Attribute(Subscript(_path("state.lines"), one("int")), self.pick("price", "total"))

    def _float(self, depth: int, scope: dict[str, str]) -> Expr:
        one = self.maker("float", depth, scope)
        match self.pick("arithmetic", "divide", "abs", "round", "float"):
            case "arithmetic":
                return Binary(self.pick("+", "-", "*", "/", "//", "%", "**"), one(), one())
            case "divide":
                return Binary("/", one("int"), one("int"))
            case "abs":
                return self.call("abs", one())
            case "round":
                return self.call("round", one(), Const(self.draw(st.integers(-2, 4))))
            case _:
                return self.call("float", one(self.pick("int", "text")))

    def _numbers(self, depth: int, scope: dict[str, str]) -> Expr:
        return self.collection("int", "numbers", depth, scope)

    def _texts(self, depth: int, scope: dict[str, str]) -> Expr:
        if self.draw(st.integers(0, 3)) == 0:
            return self.method(self.make("text", depth, scope), self.pick("split", "rsplit", "splitlines"))
        return self.collection("text", "texts", depth, scope)

    def collection(self, item: str, kind: str, depth: int, scope: dict[str, str]) -> Expr:
        one = self.maker(item, depth, scope)
        match self.pick("display", "star", "comprehension", "sorted", "list", "plus", "slice", "reversed"):
            case "display":
                return List(tuple(one() for _ in range(self.draw(st.integers(0, 3)))))
            case "star":
                return List((one(), Starred(self.make(kind, depth, scope)), one()))
            case "comprehension":
                return self.comprehension("list", item, depth, scope)
            case "sorted":
                keywords: dict[str, Expr] = {"reverse": self.make("bool", 0, scope)} if self.draw(st.booleans()) else {}
                return self.call("sorted", self.pick_items(kind, depth, scope), **keywords)
            case "list":
                return self.call("list", self.pick_items(kind, depth, scope))
            case "plus":
                return Binary("+", self.make(kind, depth, scope), self.make(kind, depth, scope))
            case "slice":
                return Subscript(self.make(kind, depth, scope), self.slice(depth, scope))
            case _:
                return self.call("list", self.call("reversed", self.make(kind, depth, scope)))

    def pick_items(self, kind: str, depth: int, scope: dict[str, str]) -> Expr:
        item = {"numbers": "int", "texts": "text"}[kind]
        return self.generator(item, depth, scope) if self.draw(st.booleans()) else self.make(kind, depth, scope)

    def generator(self, item: str, depth: int, scope: dict[str, str]) -> Expr:
        return self.comprehension("generator", item, depth, scope)

    def comprehension(self, form: str, item: str, depth: int, scope: dict[str, str]) -> Expr:
        clauses, inner = self.clauses(depth, scope)
        return Comprehension(form, self.make(item, depth, inner), clauses)

    def clauses(self, depth: int, scope: dict[str, str]) -> tuple[tuple[Clause, ...], dict[str, str]]:
        inner = dict(scope)
        made: list[Clause] = []
        for _ in range(self.draw(st.integers(1, 2))):
            target, over, bound = self.loop(min(depth, 2), scope if not made else inner)
            inner.update(bound)
            tests = tuple(self.make("bool", min(depth, 2), inner) for _ in range(self.draw(st.integers(0, 1))))
            made.append(Clause(target, over, tests))
        return tuple(made), inner

    def loop(self, depth: int, scope: dict[str, str]) -> tuple[Expr, Expr, dict[str, str]]:
        self.count += 1
        name, other = f"x{self.count}", f"y{self.count}"
        match self.pick("numbers", "texts", "range", "text", "pairs", "enumerate", "zip", "items", "set", "broken"):
            case "numbers":
                return Name(name), self.make("numbers", depth, scope), {name: "int"}
            case "texts":
                return Name(name), self.make("texts", depth, scope), {name: "text"}
            case "range":
                return Name(name), self.call("range", Const(self.draw(st.integers(-1, 4)))), {name: "int"}
            case "text":
                return Name(name), self.make("text", depth, scope), {name: "text"}
            case "pairs":
                return Tuple((Name(name), Name(other))), _path("state.pairs"), {name: "int", other: "text"}
            case "enumerate":
                over = self.call("enumerate", self.make("texts", depth, scope))
                return Tuple((Name(name), Name(other))), over, {name: "int", other: "text"}
            case "zip":
                over = self.call("zip", self.make("numbers", depth, scope), self.make("texts", depth, scope))
                return Tuple((Name(name), Name(other))), over, {name: "int", other: "text"}
            case "items":
                over = self.method(_path("state.rates"), "items")
                return Tuple((Name(name), Name(other))), over, {name: "text", other: "int"}
            case "set":
                return Name(name), Set((self.make("int", depth, scope),)), {name: "int"}
            case _:
                target = Tuple((Name(name), Name(other), Tuple((Name(f"z{self.count}"),))))
                return target, self.make("texts", depth, scope), {name: "text", other: "text", f"z{self.count}": "text"}

    def slice(self, depth: int, scope: dict[str, str]) -> Expr:
        start, stop, step = (self.make("int", 0, scope) if self.draw(st.booleans()) else None for _ in range(3))
        return Slice(start, stop, step)

    def format_string(self, depth: int, scope: dict[str, str]) -> Expr:
        parts: list[str | FormatPart] = []
        for _ in range(self.draw(st.integers(1, 3))):
            if self.draw(st.booleans()):
                parts.append(self.draw(_TEXTS))
            value = self.make(self.draw(st.sampled_from(KINDS)), depth, scope)
            parts.append(FormatPart(value, self.pick("", "", "r", "s", "a"), self.spec(scope)))
        return FormatString(tuple(parts))

    def spec(self, scope: dict[str, str]) -> FormatString | None:
        match self.pick("none", "none", "none", "width", "nested", "odd"):
            case "width":
                return FormatString((self.pick(">8", "<3", "^5", ".2f", "05", ",", "%Y-%m"),))
            case "nested":
                return FormatString((">", FormatPart(Const(self.draw(st.integers(0, 9))))))
            case "odd":
                return FormatString((self.draw(st.text(max_size=3)) or "z",))
            case _:
                return None

    def _date(self, depth: int, scope: dict[str, str]) -> Expr:
        match self.pick("shift", "replace", "make", "iso", "of"):
            case "shift":
                return Binary(self.pick("+", "-"), self.make("date", depth, scope), self.make("span", depth, scope))
            case "replace":
                return self.method(self.make("date", depth, scope), "replace", day=self.make("int", depth, scope))
            case "make":
                year, month = Const(2026), self.make("int", depth, scope)
                return self.call("date", year, month, self.make("int", 0, scope))
            case "iso":
                text = self.make("text", depth, scope)
                return Call(Attribute(Name("date"), "fromisoformat"), (text,))
            case _:
                return self.method(self.make("moment", depth, scope), "date")

    def _span(self, depth: int, scope: dict[str, str]) -> Expr:
        match self.pick("sum", "times", "difference", "make", "divide"):
            case "sum":
                return Binary(
                    self.pick("+", "-", "%"), self.make("span", depth, scope), self.make("span", depth, scope)
                )
            case "times":
                return Binary("*", self.make("span", depth, scope), self.make(self.pick("int", "float"), 0, scope))
            case "difference":
                return Binary("-", self.make("moment", depth, scope), self.make("moment", depth, scope))
            case "make":
                return self.call("timedelta", **{self.pick("days", "hours", "minutes"): self.make("int", depth, scope)})
            case _:
                return Binary(self.pick("/", "//"), self.make("span", depth, scope), self.make("int", depth, scope))

    def _moment(self, depth: int, scope: dict[str, str]) -> Expr:
        match self.pick("shift", "zone", "replace"):
            case "shift":
                return Binary(self.pick("+", "-"), self.make("moment", depth, scope), self.make("span", depth, scope))
            case "zone":
                zone = self.call("timezone", Const(timedelta(hours=self.draw(st.integers(-25, 25)))))
                return self.method(self.make("moment", depth, scope), "astimezone", zone)
            case _:
                return self.method(self.make("moment", depth, scope), "replace", hour=self.make("int", depth, scope))

    def _pair(self, depth: int, scope: dict[str, str]) -> Expr:
        return Tuple((self.make("int", depth, scope), self.make("text", depth, scope)))

    def _dict(self, depth: int, scope: dict[str, str]) -> Expr:
        match self.pick("display", "merge", "comprehension", "union", "dict"):
            case "display":
                return Dict((DictItem(self.make("text", depth, scope), self.make("int", depth, scope)),))
            case "merge":
                spread = DictItem(None, self.make("dict", depth, scope))
                return Dict((spread, DictItem(self.make("text", depth, scope), self.make("int", depth, scope))))
            case "comprehension":
                clauses, inner = self.clauses(depth, scope)
                return DictComprehension(self.make("text", depth, inner), self.make("int", depth, inner), clauses)
            case "union":
                return Binary("|", self.make("dict", depth, scope), self.make("dict", depth, scope))
            case _:
                return self.call(
                    "dict", self.call("zip", self.make("texts", depth, scope), self.make("numbers", depth, scope))
                )

    def _any(self, depth: int, scope: dict[str, str]) -> Expr:
        one = self.maker("any", depth, scope)
        match self.pick("set", "get", "missing", "model", "broken model", "enum", "member", "set comprehension", "key"):
            case "set":
                return Set((one(self.draw(st.sampled_from(KINDS))),))
            case "get":
                return self.method(one("dict"), "get", one("text"))
            case "missing":
                return Attribute(one(self.pick("text", "int", "date")), "nothing")
            case "model":
                words = {"name": one("text"), "qty": one("int"), "price": one("decimal")}
                return Call(Ref(REFS["Line"]), (), tuple(Keyword(word, value) for word, value in words.items()))
            case "broken model":
                return Call(Ref(REFS["Address"]), (one("text"),), (Keyword("number", one("int")),))
            case "enum":
                return Call(Ref(REFS["Status"]), (one("text"),))
            case "member":
                return Attribute(Ref(REFS["Status"]), self.pick("OPEN", "CLOSED"))
            case "set comprehension":
                return self.comprehension("set", self.pick("int", "text"), depth, scope)
            case _:
                return Subscript(one("dict"), one("text"))
