"""Patterns to conditions and captures over the subject's expression."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, assert_never, final

from ruvon.ir._spans import Span
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._canonical import boolean
from ruvon.ir.expr._language import TYPE_NAMES
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl._link import Missing
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._context import Frame, Unit
from ruvon_dsl.python._lower_values import bind, lower_value, read_expression
from ruvon_dsl.python._surface import (
    ClassPattern,
    LiteralPattern,
    MappingPattern,
    NamePattern,
    OrPattern,
    Pattern,
    SequencePattern,
)

__all__ = ["Matched", "conjunction", "read_match"]

_KNOWN_ORDER: Final[Mapping[str, tuple[str, ...]]] = {"Won": ("name", "value")}
"""Positions of Ruvon's own classes, for a parse without import."""


@final
@dataclass(slots=True)
class Matched:
    """When a pattern fits, and what it binds then."""

    tests: list[Expr]
    captures: dict[str, Expr]


def conjunction(tests: list[Expr], span: Span) -> Expr | None:
    """All tests joined by `and`; None where there is none."""
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else boolean("and", tests, span)


def read_match(unit: Unit, pattern: Pattern, subject: Expr, frame: Frame) -> Matched:
    """The tests and captures of a pattern."""
    return _Reader(unit, frame).read(pattern, subject)


@final
class _Reader:
    def __init__(self, unit: Unit, frame: Frame) -> None:
        self.unit = unit
        self.frame = frame

    def read(self, pattern: Pattern, subject: Expr) -> Matched:
        match pattern:
            case LiteralPattern(value=value, identity=identity, span=span):
                right = lower_value(self.unit, value, self.frame, span)
                return Matched([e.Compare(subject, ("is" if identity else "==",), (right,), span)], {})
            case NamePattern(name=name, pattern=inner):
                found = Matched([], {}) if inner is None else self.read(inner, subject)
                if name is not None:
                    found.captures[name] = subject
                return found
            case ClassPattern():
                return self._class(pattern, subject)
            case OrPattern():
                return self._or(pattern, subject)
            case SequencePattern():
                return self._sequence(pattern, subject)
            case MappingPattern():
                return self._mapping(pattern, subject)
            case _:
                assert_never(pattern)

    def _refuse(self, message: str, span: Span, help_: str) -> None:
        self.unit.findings.error(codes.PATTERN, message, span, help=help_)

    def _all(self, parts: list[tuple[Pattern, Expr]], tests: list[Expr]) -> Matched:
        found = Matched(tests, {})
        for pattern, subject in parts:
            inner = self.read(pattern, subject)
            found.tests.extend(inner.tests)
            found.captures.update(inner.captures)
        return found

    def _class(self, pattern: ClassPattern, subject: Expr) -> Matched:
        name = pattern.cls
        read = read_expression(self.unit, name.text, name.span)
        cls = e.Name(name.name, name.span) if read is None else bind(self.unit, read, self.frame)
        test = e.Call(e.Name("isinstance", pattern.span), (subject, cls), (), pattern.span)
        parts = [(inner, e.Attribute(subject, key, inner.span)) for key, inner in pattern.keywords]
        whole = isinstance(cls, e.Name) and cls.id in TYPE_NAMES
        if whole and len(pattern.positional) == 1:
            return self._all([(pattern.positional[0], subject), *parts], [test])
        order = self._order(pattern)
        if len(pattern.positional) > len(order):
            self._refuse(
                f"`{name.text}` has no order of fields for its positional patterns",
                pattern.span,
                f"name the fields: `case {name.text}(field=...)`",
            )
            return Matched([test], {})
        placed = [
            (inner, e.Attribute(subject, key, inner.span))
            for key, inner in zip(order, pattern.positional, strict=False)
        ]
        return self._all([*placed, *parts], [test])

    def _order(self, pattern: ClassPattern) -> tuple[str, ...]:
        """The class's `__match_args__`."""
        if not pattern.positional:
            return ()
        found = self.unit.lookup(pattern.cls.name) if self.unit.lookup is not None else Missing
        order: tuple[str, ...] | None = getattr(found, "__match_args__", None)
        return _KNOWN_ORDER.get(pattern.cls.parts[-1], ()) if order is None else tuple(order)

    def _or(self, pattern: OrPattern, subject: Expr) -> Matched:
        choices = [self.read(choice, subject) for choice in pattern.choices]
        names = {name for choice in choices for name in choice.captures}
        if any(set(choice.captures) != names for choice in choices):
            self._refuse(
                "the alternatives of a pattern bind different names",
                pattern.span,
                "bind the same names in each of them",
            )
            return Matched([], {})
        tests = [conjunction(choice.tests, pattern.span) for choice in choices]
        given = [test for test in tests if test is not None]
        captures = {name: _either(choices, given, name) for name in sorted(names)}
        if len(given) < len(tests):
            return Matched([], captures)
        return Matched([boolean("or", given, pattern.span)], captures)

    def _sequence(self, pattern: SequencePattern, subject: Expr) -> Matched:
        items, star = pattern.items, pattern.star
        if isinstance(subject, e.Tuple) and star is None:
            if len(items) == len(subject.items):
                return self._all(list(zip(items, subject.items, strict=True)), [])
            self._refuse(
                f"the pattern has {len(items)} parts and the subject {len(subject.items)}",
                pattern.span,
                "give the pattern as many parts as the subject",
            )
            return Matched([], {})
        span = pattern.span
        kinds = e.Tuple((e.Name("list", span), e.Name("tuple", span)), span)
        length = e.Call(e.Name("len", span), (subject,), (), span)
        count = len(items) - (0 if star is None else 1)
        tests: list[Expr] = [
            e.Call(e.Name("isinstance", span), (subject, kinds), (), span),
            e.Compare(length, ("==" if star is None else ">=",), (e.Const(count, span),), span),
        ]
        return self._all(
            [(item, _item(subject, index, star, len(items), span)) for index, item in enumerate(items)], tests
        )

    def _mapping(self, pattern: MappingPattern, subject: Expr) -> Matched:
        span = pattern.span
        tests: list[Expr] = [e.Call(e.Name("isinstance", span), (subject, e.Name("dict", span)), (), span)]
        keys = [lower_value(self.unit, key, self.frame, span) for key, _ in pattern.items]
        tests.extend(e.Compare(key, ("in",), (subject,), span) for key in keys)
        parts = [(inner, e.Subscript(subject, key, span)) for key, (_, inner) in zip(keys, pattern.items, strict=True)]
        found = self._all(list(parts), tests)
        if pattern.rest is not None:
            found.captures[pattern.rest] = _rest(subject, keys, span)
        return found


def _either(choices: list[Matched], tests: list[Expr], name: str) -> Expr:
    """What a name captured by several alternatives is: that of the first alternative that fits."""
    *firsts, last = [choice.captures[name] for choice in choices]
    value = last
    for test, capture in reversed(list(zip(tests, firsts, strict=False))):
        value = capture if capture == value else e.Conditional(test, capture, value, test.span)
    return value


def _item(subject: Expr, index: int, star: int | None, count: int, span: Span) -> Expr:
    if star is None or index < star:
        return e.Subscript(subject, e.Const(index, span), span)
    if index > star:
        place = e.Const(count - index, span)
        return e.Subscript(
            subject, e.Unary("-", place, span) if place.value == 0 else e.Const(index - count, span), span
        )
    tail = count - star - 1
    start = e.Const(star, span) if star else None
    stop = e.Const(-tail, span) if tail else None
    return e.Call(e.Name("list", span), (e.Subscript(subject, e.Slice(start, stop, None, span), span),), (), span)


def _rest(subject: Expr, keys: list[Expr], span: Span) -> Expr:
    items = e.Call(e.Attribute(subject, "items", span), (), (), span)
    key, value = e.Name("key", span), e.Name("value", span)
    test = e.Compare(key, ("not in",), (e.Tuple(tuple(keys), span),), span)
    clause = e.Clause(e.Tuple((key, value), span), items, (test,))
    return e.DictComprehension(key, value, (clause,), span)
