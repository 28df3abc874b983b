"""Which names a function binds, read off its surface: Python's function scope, without libcst's scope provider."""

import re
from collections.abc import Iterator
from typing import Final, assert_never

from ruvon.ir._spans import Span
from ruvon_dsl.python._surface import (
    Annotated,
    Assigned,
    Augmented,
    Awaiting,
    Block,
    Branching,
    Choice,
    ClassPattern,
    Discarded,
    Dotted,
    Each,
    EitherOr,
    Entering,
    FlowLoop,
    ForLoop,
    Function,
    Invocation,
    Jump,
    LiteralPattern,
    MappingPattern,
    Matching,
    Member,
    NamePattern,
    OrPattern,
    Passing,
    Pattern,
    Raising,
    Refused,
    Returning,
    SequencePattern,
    Statement,
    Text,
    Trying,
    Value,
    WhileLoop,
)

__all__ = [
    "binds",
    "blocks_of",
    "bound_names",
    "does_something",
    "invocations",
    "statements_of",
    "target_parts",
    "values_of",
]

_WORD: Final = re.compile(r"[^\W\d]\w*")
_WALRUS: Final = re.compile(r"\b([^\W\d]\w*)\s*:=")


def bound_names(block: Block) -> dict[str, Span]:
    """The names the statements of one function bind, with the first place of each; nested functions keep theirs."""
    found: dict[str, Span] = {}
    for statement in statements_of(block):
        for name, span in binds(statement):
            found.setdefault(name, span)
    return found


def statements_of(block: Block) -> Iterator[Statement]:
    """All statements of a function in source order, without the bodies of nested functions."""
    for statement in block.statements:
        yield statement
        for inner in blocks_of(statement):
            yield from statements_of(inner)


def blocks_of(statement: Statement) -> tuple[Block, ...]:
    """The blocks directly below a statement, in source order; none for a nested function."""
    match statement:
        case Branching(arms=arms, orelse=orelse):
            return (*(body for _, body in arms), *_maybe(orelse))
        case Matching(cases=cases):
            return tuple(case.body for case in cases)
        case ForLoop(body=body, orelse=orelse) | WhileLoop(body=body, orelse=orelse):
            return (body, *_maybe(orelse))
        case Trying(body=body, catches=catches, orelse=orelse, final=final):
            return (body, *(item.body for item in catches), *_maybe(orelse), *_maybe(final))
        case Entering(body=body):
            return (body,)
        case FlowLoop(stages=stages):
            return tuple(body for _, body, _ in stages)
        case _:
            return ()


def does_something(block: Block) -> bool:
    """Whether a block has a statement that becomes a node or an edge."""
    return any(_does(item) for item in block.statements)


def _does(statement: Statement) -> bool:
    match statement:
        case Passing() | Function() | Annotated(value=None):
            return False
        case Trying(body=body, catches=(), final=final):
            return does_something(body) or (final is not None and does_something(final))
        case FlowLoop(stages=stages):
            return any(does_something(body) for _, body, _ in stages)
        case _:
            return True


def _maybe(block: Block | None) -> tuple[Block, ...]:
    return () if block is None else (block,)


def target_parts(target: Text | Dotted) -> Iterator[tuple[str, Span]]:
    """The plain names in a target; a path binds none."""
    if isinstance(target, Dotted):
        if len(target.parts) == 1:
            yield target.parts[0], target.span
        return
    if "." in target.text or re.search(r"\w\s*\[", target.text):
        yield from _mixed(target)
        return
    for match in _WORD.finditer(target.text):
        yield match.group(), target.span


def _mixed(target: Text) -> Iterator[tuple[str, Span]]:
    """Names among the elements of a tuple that also has paths."""
    depth = 0
    start = 0
    text = target.text.strip("()[] ") if target.text.startswith(("(", "[")) else target.text
    for index, character in enumerate(f"{text},"):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and depth == 0:
            part = text[start:index].strip()
            if part.isidentifier():
                yield part, target.span
            start = index + 1


def binds(statement: Statement) -> Iterator[tuple[str, Span]]:
    """The names one statement binds itself, not in its blocks."""
    for value in values_of(statement):
        for match in _WALRUS.finditer(value.text):
            yield match.group(1), value.span
    match statement:
        case Assigned(target=target) | Annotated(target=target) | Augmented(target=target) | ForLoop(target=target):
            yield from target_parts(target)
        case Refused(binds=binds, span=span):
            yield from ((name, span) for name in binds)
        case Trying(catches=catches):
            yield from ((item.name, item.span) for item in catches if item.name is not None)
        case Matching(cases=cases):
            for case in cases:
                yield from _captures(case.pattern)
        case FlowLoop(name=name, span=span) | Function(name=name, span=span):
            yield name, span
        case _:
            return


def values_of(statement: Statement) -> tuple[Value, ...]:
    """The values that a statement itself holds, not those of its blocks."""
    match statement:
        case Assigned(value=value) | Augmented(value=value) | Discarded(value=value):
            return (value,)
        case Annotated(value=value) | Returning(value=value):
            return () if value is None else (value,)
        case Raising(error=error, cause=cause):
            return tuple(item for item in (error, cause) if item is not None)
        case Branching(arms=arms):
            return tuple(test for test, _ in arms)
        case WhileLoop(test=test):
            return (test,)
        case ForLoop(over=over):
            return (over,)
        case Matching(subject=subject, cases=cases):
            return (subject, *(case.guard for case in cases if case.guard is not None))
        case Entering(item=item):
            return (item,)
        case Passing() | Refused() | Jump() | Trying() | FlowLoop() | Function():
            return ()
        case _:
            assert_never(statement)


def _captures(pattern: Pattern) -> Iterator[tuple[str, Span]]:
    match pattern:
        case NamePattern(name=name, pattern=inner, span=span):
            if name is not None:
                yield name, span
            if inner is not None:
                yield from _captures(inner)
        case ClassPattern(positional=positional, keywords=keywords):
            for item in (*positional, *(part for _, part in keywords)):
                yield from _captures(item)
        case OrPattern(choices=items) | SequencePattern(items=items):
            for item in items:
                yield from _captures(item)
        case MappingPattern(items=pairs, rest=rest, span=span):
            for _, item in pairs:
                yield from _captures(item)
            if rest is not None:
                yield rest, span
        case LiteralPattern():
            return
        case _:
            assert_never(pattern)


def invocations(value: Value) -> Iterator[Invocation]:
    """The calls that a value is made of, outer before inner."""
    match value:
        case Invocation(function=function, args=args):
            yield value
            yield from invocations(function)
            for argument in args:
                yield from invocations(argument.value)
        case Each(element=inner) | Awaiting(value=inner) | Member(value=inner):
            yield from invocations(inner)
        case EitherOr(right=right):
            yield from invocations(right)
        case Choice(body=body, orelse=orelse):
            yield from invocations(body)
            yield from invocations(orelse)
        case Text(awaits=awaits):
            for item in awaits:
                yield from invocations(item)
        case Dotted():
            return
        case _:
            assert_never(value)
