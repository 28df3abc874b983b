"""From Python's syntax tree to ours.

Every kind of `ast.expr` has a decided fate: a node of ours, or a finding with its own code and what to write instead.
Findings are collected, never raised, and a refused part is replaced by `None`, so that the rest is still looked at.
What a tree of ours may call or read is not decided here but in `_rules`, which also sees trees that were never text.
"""

import ast
from collections.abc import Callable
from typing import Final, final

from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._spans import Span
from ruvon.ir.expr import _codes as codes
from ruvon.ir.expr._canonical import FoldError, boolean, call, format_string, unary
from ruvon.ir.expr._language import FUNCTION_NAMES, MAX_INT_BITS, MAX_INT_DIGITS
from ruvon.ir.expr._nodes import (
    Attribute,
    Binary,
    Clause,
    Compare,
    Comprehension,
    Conditional,
    Const,
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
)

__all__ = ["Converter"]

_UNARY: Final[dict[type[ast.unaryop], str]] = {ast.Not: "not", ast.USub: "-", ast.UAdd: "+", ast.Invert: "~"}
_BINARY: Final[dict[type[ast.operator], str]] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
    ast.LShift: "<<",
    ast.RShift: ">>",
    ast.BitAnd: "&",
    ast.BitOr: "|",
    ast.BitXor: "^",
}
_COMPARE: Final[dict[type[ast.cmpop], str]] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "is",
    ast.IsNot: "is not",
}


@final
class Converter:
    """Converts one tree and collects what is outside the language in `found`."""

    def __init__(self, spans: Callable[[ast.AST], Span | None]) -> None:
        self.found: list[Diagnostic] = []
        self._spans = spans
        self._format_span: Span | None = None

    def convert(self, node: ast.expr) -> Expr:
        """The expression for a node; a refused node gives the constant None and a finding."""
        match node:
            case ast.Constant():
                return self._constant(node)
            case ast.Name(id=name):
                return Name(name, self._span(node))
            case ast.Attribute(value=value, attr=name):
                return Attribute(self.convert(value), name, self._span(node))
            case ast.Subscript(value=value, slice=index):
                return Subscript(self.convert(value), self._index(index), self._span(node))
            case ast.Call():
                return self._call(node)
            case ast.UnaryOp() | ast.BinOp() | ast.BoolOp() | ast.Compare() | ast.IfExp():
                return self._operation(node)
            case ast.List() | ast.Tuple() | ast.Set() | ast.Dict():
                return self._display(node)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return self._comprehension(node)
            case ast.JoinedStr():
                return self._format_string(node)
            case _:
                return self._refused(node)

    def _span(self, node: ast.AST) -> Span | None:
        return self._format_span or self._spans(node)

    def _report(self, node: ast.AST, code: str, message: str, *, reason: str = "", advice: str = "") -> Const:
        span = self._span(node)
        self.found.append(Diagnostic(code=code, message=message, span=span, reason=reason, help=advice))
        return Const(None, span)

    def _constant(self, node: ast.Constant) -> Expr:
        span = self._span(node)
        match node.value:
            case None | bool() | float() | bytes():
                return Const(node.value, span)
            case int():
                if node.value.bit_length() > MAX_INT_BITS:
                    message = f"the integer has more than {MAX_INT_DIGITS:,} digits"
                    return self._report(node, codes.TOO_LARGE, message, advice="compute it in a step")
                return Const(node.value, span)
            case str():
                if not node.value.isascii() and any("\ud800" <= c <= "\udfff" for c in node.value):
                    return self._report(
                        node, codes.CHARACTERS, "the text holds half of a surrogate pair, which no store can keep"
                    )
                return Const(node.value, span)
            case complex():
                return self._report(
                    node,
                    codes.COMPLEX,
                    "complex numbers are not data of a workflow",
                    advice="write a float or a Decimal",
                )
            case _:
                return self._report(
                    node, codes.ELLIPSIS, "`...` has no value here", advice="write `None` or leave it out"
                )

    def _index(self, node: ast.expr) -> Expr:
        match node:
            case ast.Slice(lower=lower, upper=upper, step=step):
                start, stop, by = (None if part is None else self.convert(part) for part in (lower, upper, step))
                return Slice(start, stop, by, self._span(node))
            case ast.Tuple(elts=items) if any(isinstance(item, ast.Slice | ast.Starred) for item in items):
                return self._report(
                    node, codes.STARRED, "an index is one value or one slice", advice="index step by step: `x[a][b]`"
                )
            case _:
                return self.convert(node)

    def _call(self, node: ast.Call) -> Expr:
        span = self._span(node)
        args = tuple(self._item(arg) for arg in node.args)
        keywords = tuple(Keyword(word.arg, self.convert(word.value)) for word in node.keywords)
        if isinstance(node.func, ast.Name) and node.func.id in {"ref", "fstring"}:
            return self._notation(node, node.func.id, args, keywords)
        before = len(self.found)
        function = self.convert(node.func)
        if len(self.found) > before and isinstance(function, Const):
            return function
        try:
            return call(function, args, keywords, span)
        except FoldError as error:
            return self._report(node, codes.ARGUMENTS, str(error), advice="correct the arguments")

    def _notation(self, node: ast.Call, name: str, args: tuple[Expr, ...], keywords: tuple[Keyword, ...]) -> Expr:
        """`ref('module:Name')` and `fstring(...)` are ways to write a node, not functions."""
        if name == "ref":
            match args:
                case (Const(value=str(path)),) if not keywords and is_path(path):
                    return Ref(path, self._span(node))
                case _:
                    return self._report(
                        node,
                        codes.LITERAL_ARGUMENT,
                        "`ref` takes one literal path",
                        advice="write `ref('package.module:Name')`",
                    )
        parts = [_format_part(arg) for arg in args]
        if keywords or None in parts:
            return self._report(node, codes.LITERAL_ARGUMENT, "`fstring` takes literal texts and lists of a value")
        return format_string([part for part in parts if part is not None], self._span(node))

    def _operation(self, node: ast.UnaryOp | ast.BinOp | ast.BoolOp | ast.Compare | ast.IfExp) -> Expr:
        span = self._span(node)
        match node:
            case ast.UnaryOp(op=op, operand=operand):
                return unary(_UNARY[type(op)], self.convert(operand), span)
            case ast.BinOp(left=left, op=op, right=right):
                if type(op) not in _BINARY:
                    return self._report(
                        node, codes.MATMUL, "the operator `@` is not in the language", advice="use a step"
                    )
                return Binary(_BINARY[type(op)], self.convert(left), self.convert(right), span)
            case ast.BoolOp(op=op, values=values):
                word = "and" if isinstance(op, ast.And) else "or"
                return boolean(word, [self.convert(value) for value in values], span)
            case ast.Compare(left=left, ops=ops, comparators=rights):
                signs = tuple(_COMPARE[type(op)] for op in ops)
                return Compare(self.convert(left), signs, tuple(self.convert(right) for right in rights), span)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                asked = self.convert(test)
                return Conditional(asked, self.convert(body), self.convert(orelse), span)

    def _item(self, node: ast.expr) -> Expr:
        if isinstance(node, ast.Starred):
            return Starred(self.convert(node.value), self._span(node))
        return self.convert(node)

    def _display(self, node: ast.List | ast.Tuple | ast.Set | ast.Dict) -> Expr:
        span = self._span(node)
        match node:
            case ast.List(elts=items):
                return List(tuple(self._item(item) for item in items), span)
            case ast.Tuple(elts=items):
                return Tuple(tuple(self._item(item) for item in items), span)
            case ast.Set(elts=items):
                return Set(tuple(self._item(item) for item in items), span)
            case ast.Dict(keys=keys, values=values):
                pairs = zip(keys, values, strict=True)
                return Dict(
                    tuple(
                        DictItem(None if key is None else self.convert(key), self.convert(value))
                        for key, value in pairs
                    ),
                    span,
                )

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Expr:
        span = self._span(node)
        clauses = tuple(self._clause(clause) for clause in node.generators)
        match node:
            case ast.ListComp(elt=element):
                return Comprehension("list", self.convert(element), clauses, span)
            case ast.SetComp(elt=element):
                return Comprehension("set", self.convert(element), clauses, span)
            case ast.GeneratorExp(elt=element):
                return Comprehension("generator", self.convert(element), clauses, span)
            case ast.DictComp(key=key, value=value):
                return DictComprehension(self.convert(key), self.convert(value), clauses, span)

    def _clause(self, node: ast.comprehension) -> Clause:
        if node.is_async:
            self._report(
                node.target,
                codes.ASYNC_COMPREHENSION,
                "an expression cannot wait for the items of a loop",
                advice="collect them in a step, or write `[await f(x) for x in xs]` as a statement of its own",
            )
        return Clause(
            self._target(node.target), self.convert(node.iter), tuple(self.convert(test) for test in node.ifs)
        )

    def _target(self, node: ast.expr) -> Expr:
        match node:
            case ast.Name(id=name) if name in FUNCTION_NAMES:
                return self._report(
                    node,
                    codes.TARGET,
                    f"`{name}` is a function of the language",
                    advice="give the variable another name",
                )
            case ast.Name(id=name):
                return Name(name, self._span(node))
            case ast.Tuple(elts=items) | ast.List(elts=items):
                return Tuple(tuple(self._target(item) for item in items), self._span(node))
            case _:
                return self._report(
                    node,
                    codes.TARGET,
                    "a comprehension binds names or tuples of names",
                    advice="bind a name and read its parts",
                )

    def _format_string(self, node: ast.JoinedStr) -> Const | FormatString:
        parts: list[str | FormatPart] = []
        for value in node.values:
            match value:
                case ast.Constant(value=str(text)):
                    self._constant(value)
                    parts.append(text)
                case ast.FormattedValue():
                    parts.append(self._format_part(node, value))
                case _:
                    self._refused(value)
        return format_string(parts, self._span(node))

    def _format_part(self, whole: ast.JoinedStr, node: ast.FormattedValue) -> FormatPart:
        outer = self._format_span
        if outer is None and not self._spans_hold(whole, node.value):
            self._format_span = self._spans(whole)
        value = self.convert(node.value)
        spec: FormatString | None = None
        if node.format_spec is not None:
            self._format_span = self._format_span or self._spans(whole)
            made = self._format_string(node.format_spec) if isinstance(node.format_spec, ast.JoinedStr) else None
            if isinstance(made, Const) and made.value:
                spec = FormatString((str(made.value),), made.span)
            elif isinstance(made, FormatString):
                spec = made
        self._format_span = outer
        conversion = chr(node.conversion) if node.conversion > 0 else ""
        return FormatPart(value, conversion, spec)

    def _spans_hold(self, whole: ast.JoinedStr, value: ast.expr) -> bool:
        """Python 3.11 misplaces parts of some f-strings; a part outside of the whole is given the span of the whole."""
        outer = self._spans(whole)
        spans = [self._spans(node) for node in ast.walk(value) if isinstance(node, ast.expr)]
        if outer is None:
            return True
        inside = all(span is not None and outer.start < span.start and span.end < outer.end for span in spans)
        return inside and outer.start.line == outer.end.line

    def _refused(self, node: ast.expr) -> Const:
        match node:
            case ast.Lambda():
                return self._report(
                    node,
                    codes.LAMBDA,
                    "a lambda cannot stand in an expression",
                    reason="functions cannot be stored with the workflow",
                    advice="write a comprehension, or a function marked @pure",
                )
            case ast.NamedExpr(target=target):
                name = target.id
                return self._report(
                    node,
                    codes.WALRUS,
                    f"`{name} :=` binds a name inside an expression",
                    advice=f"assign `{name}` before it",
                )
            case ast.Await():
                return self._report(
                    node,
                    codes.AWAIT,
                    "`await` cannot stand inside an expression",
                    reason="what stands before it must be recorded first",
                    advice="give the result a name in a statement before it",
                )
            case ast.Yield() | ast.YieldFrom():
                return self._report(node, codes.YIELD, "`yield` cannot stand in an expression", advice="return a list")
            case ast.Starred():
                return self._report(
                    node, codes.STARRED, "`*` unpacks only inside a display or a call", advice="write `[*values]`"
                )
            case _:
                message = f"`{type(node).__name__}` is not part of the language"
                return self._report(node, codes.SYNTAX, message)


def is_path(text: str) -> bool:
    """Whether a text has the form of a definition's path, `package.module:Qualified.name`."""
    module, colon, name = text.partition(":")
    parts = [*module.split("."), *(part for part in name.split(".") if part != "<locals>")]
    named = all(part.isidentifier() and (not part.startswith("__") or part == "__main__") for part in parts)
    return bool(colon) and len(text) <= 500 and named


def _format_part(arg: Expr) -> str | FormatPart | None:
    """A text, or `[value]`, `[value, conversion]`, `[value, conversion, spec]`, as `fstring` writes the parts."""
    match arg:
        case Const(value=str(text)):
            return text
        case List(items=(value,)):
            return FormatPart(value)
        case List(items=(value, Const(value=("" | "r" | "s" | "a") as conversion))):
            return FormatPart(value, str(conversion))
        case List(items=(value, Const(value=("" | "r" | "s" | "a") as conversion), FormatString() as spec)):
            return FormatPart(value, str(conversion), spec)
        case List(items=(value, Const(value=("" | "r" | "s" | "a") as conversion), Const(value=str(text), span=span))):
            return FormatPart(value, str(conversion), FormatString((text,), span) if text else None)
        case _:
            return None
