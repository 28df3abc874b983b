"""Patterns of `match` to surface patterns."""

import libcst as cst

from ruvon.ir._spans import Span
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._parse_values import read_dotted, read_text
from ruvon_dsl.python._source import Source
from ruvon_dsl.python._surface import (
    ClassPattern,
    LiteralPattern,
    MappingPattern,
    NamePattern,
    OrPattern,
    Pattern,
    SequencePattern,
)

__all__ = ["read_pattern"]


def read_pattern(source: Source, node: cst.MatchPattern) -> Pattern:
    """The surface pattern; one that cannot be lowered is reported and read as `_`."""
    span = source.span(node)
    match node:
        case cst.MatchValue(value=value):
            return LiteralPattern(read_dotted(source, value) or read_text(source, value), identity=False, span=span)
        case cst.MatchSingleton(value=value):
            return LiteralPattern(read_text(source, value), identity=True, span=span)
        case cst.MatchAs():
            inner = None if node.pattern is None else read_pattern(source, node.pattern)
            return NamePattern(None if node.name is None else node.name.value, inner, span)
        case cst.MatchOr():
            return OrPattern(tuple(read_pattern(source, item.pattern) for item in node.patterns), span)
        case cst.MatchClass():
            return _class(source, node, span)
        case cst.MatchList() | cst.MatchTuple():
            return _sequence(source, node, span)
        case cst.MatchMapping():
            return _mapping(source, node, span)
        case _:
            source.findings.error(
                codes.PATTERN, "this kind of pattern is not known", span, help="write an `if` with the condition"
            )
            return NamePattern(None, None, span)


def _class(source: Source, node: cst.MatchClass, span: Span) -> Pattern:
    name = read_dotted(source, node.cls)
    if name is None:
        source.findings.error(codes.PATTERN, "a class pattern names a class", span, help="write `case Name(...)`")
        return NamePattern(None, None, span)
    positional = tuple(read_pattern(source, item.value) for item in node.patterns)
    keywords = tuple((item.key.value, read_pattern(source, item.pattern)) for item in node.kwds)
    return ClassPattern(name, positional, keywords, span)


def _sequence(source: Source, node: cst.MatchList | cst.MatchTuple, span: Span) -> Pattern:
    items: list[Pattern] = []
    star: int | None = None
    for index, item in enumerate(node.patterns):
        if isinstance(item, cst.MatchStar):
            star = index
            name = None if item.name is None else item.name.value
            items.append(NamePattern(name, None, source.span(item)))
        else:
            items.append(read_pattern(source, item.value))
    return SequencePattern(tuple(items), star, span)


def _mapping(source: Source, node: cst.MatchMapping, span: Span) -> Pattern:
    items = tuple(
        (read_dotted(source, item.key) or read_text(source, item.key), read_pattern(source, item.pattern))
        for item in node.elements
    )
    return MappingPattern(items, None if node.rest is None else node.rest.value, span)
