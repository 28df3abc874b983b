"""The surface tree: a workflow's source, reduced to the statements and values that can be lowered.

The parse modules make it from libcst and report what is outside the subset on the way; the lowering modules never see
libcst. Expressions stay text with their place until the lowering parses them with the expression language, so that
spans are exact; only what the lowering must take apart (calls, awaits, mapped calls) has a structure here.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, final

from ruvon.ir._spans import Span

__all__ = [
    "Annotated",
    "Argument",
    "Assigned",
    "Augmented",
    "Awaiting",
    "Block",
    "Branching",
    "Case",
    "Catch",
    "Choice",
    "ClassPattern",
    "Clause",
    "Discarded",
    "Dotted",
    "Each",
    "EitherOr",
    "Entering",
    "FlowLoop",
    "ForLoop",
    "Function",
    "GroupPattern",
    "Invocation",
    "Jump",
    "LiteralPattern",
    "MappingPattern",
    "Matching",
    "Member",
    "NamePattern",
    "OrPattern",
    "Parameter",
    "Passing",
    "Pattern",
    "Raising",
    "Refused",
    "Returning",
    "SequencePattern",
    "Statement",
    "Text",
    "Trying",
    "Value",
    "WhileLoop",
]

# --- values -----------------------------------------------------------------------------------------------------------


@final
@dataclass(frozen=True, slots=True)
class Text:
    """An expression that only the expression language takes apart."""

    text: str
    span: Span
    awaits: tuple["Awaiting", ...] = ()
    """Awaits inside it, which is not a place for them."""
    hoistable: bool = False
    """Whether every part is always evaluated, so that an await may move in front of the statement."""


@final
@dataclass(frozen=True, slots=True)
class Dotted:
    """A name or a chain of attributes on one: `a.b.c`."""

    parts: tuple[str, ...]
    text: str
    span: Span

    @property
    def name(self) -> str:
        """The parts with dots between them."""
        return ".".join(self.parts)


@final
@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call."""

    value: "Value"
    span: Span
    keyword: str | None = None
    star: Literal["", "*", "**"] = ""


@final
@dataclass(frozen=True, slots=True)
class Invocation:
    """A call."""

    function: "Value"
    args: tuple[Argument, ...]
    text: str
    span: Span
    awaits: tuple["Awaiting", ...] = ()
    """Awaits anywhere inside it."""


@final
@dataclass(frozen=True, slots=True)
class Awaiting:
    """`await value`."""

    value: "Value"
    text: str
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Clause:
    """`for target in over if test if test` of a comprehension."""

    target: Text
    over: "Value"
    tests: tuple["Value", ...]


@final
@dataclass(frozen=True, slots=True)
class Each:
    """A list comprehension or a generator; `clauses` in order."""

    kind: Literal["list", "generator"]
    element: "Value"
    clauses: tuple[Clause, ...]
    text: str
    span: Span
    awaits: tuple[Awaiting, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class EitherOr:
    """`left or await right`, `left and await right`: the second part runs only when the first decides so."""

    op: Literal["or", "and"]
    left: "Value"
    right: Awaiting
    text: str
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Choice:
    """`body if test else orelse` with an await as one of its results."""

    test: "Value"
    body: "Value"
    orelse: "Value"
    text: str
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Member:
    """An attribute of a call: `f.with_(...).queued`."""

    value: "Value"
    name: str
    text: str
    span: Span
    awaits: tuple[Awaiting, ...] = ()


Value: TypeAlias = Text | Dotted | Invocation | Awaiting | Each | EitherOr | Choice | Member

# --- patterns ---------------------------------------------------------------------------------------------------------


@final
@dataclass(frozen=True, slots=True)
class LiteralPattern:
    """A literal or a dotted name, compared with `==`; `None`, `True` and `False` with `is`."""

    value: Text | Dotted
    identity: bool
    span: Span


@final
@dataclass(frozen=True, slots=True)
class NamePattern:
    """A capture, `_` (name None), or `pattern as name`."""

    name: str | None
    pattern: "Pattern | None"
    span: Span


@final
@dataclass(frozen=True, slots=True)
class ClassPattern:
    """`C(a, b=c)`."""

    cls: Dotted
    positional: tuple["Pattern", ...]
    keywords: tuple[tuple[str, "Pattern"], ...]
    span: Span


@final
@dataclass(frozen=True, slots=True)
class OrPattern:
    """`a | b`."""

    choices: tuple["Pattern", ...]
    span: Span


@final
@dataclass(frozen=True, slots=True)
class SequencePattern:
    """`[a, b, *rest]`; `star` is the place of the starred item among `items`, or None."""

    items: tuple["Pattern", ...]
    star: int | None
    span: Span


@final
@dataclass(frozen=True, slots=True)
class MappingPattern:
    """`{"key": pattern, **rest}`."""

    items: tuple[tuple[Text | Dotted, "Pattern"], ...]
    rest: str | None
    span: Span


GroupPattern: TypeAlias = SequencePattern | MappingPattern
Pattern: TypeAlias = LiteralPattern | NamePattern | ClassPattern | OrPattern | SequencePattern | MappingPattern

# --- statements -------------------------------------------------------------------------------------------------------


@final
@dataclass(frozen=True, slots=True)
class Block:
    """Statements in order."""

    statements: tuple["Statement", ...]
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Passing:
    """`pass`, or a docstring."""

    span: Span


@final
@dataclass(frozen=True, slots=True)
class Refused:
    """A statement that was reported; the names it would bind count as bound, so that they are not reported again."""

    span: Span
    binds: tuple[str, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Assigned:
    """`target = value`."""

    target: Text | Dotted
    value: Value
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Annotated:
    """`target: annotation = value`, or without a value."""

    target: Text | Dotted
    annotation: Text | Dotted
    value: Value | None
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Augmented:
    """`target op= value`; `op` without the `=`."""

    target: Text | Dotted
    op: str
    value: Value
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Discarded:
    """A value as a statement: `await f()`, `xs.append(v)`, `at.go("High")`."""

    value: Value
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Returning:
    """`return` with or without a value."""

    value: Value | None
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Raising:
    """`raise`, `raise error`, `raise error from cause`."""

    error: Value | None
    cause: Value | None
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Jump:
    """`break` or `continue`."""

    kind: Literal["break", "continue"]
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Branching:
    """`if`; `elif` is flattened into `arms`."""

    arms: tuple[tuple[Value, Block], ...]
    orelse: Block | None
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Case:
    """One `case` of a `match`."""

    pattern: Pattern
    guard: Value | None
    body: Block
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Matching:
    """`match`."""

    subject: Value
    cases: tuple[Case, ...]
    span: Span


@final
@dataclass(frozen=True, slots=True)
class ForLoop:
    """`for target in over`."""

    target: Text | Dotted
    over: Value
    body: Block
    orelse: Block | None
    span: Span


@final
@dataclass(frozen=True, slots=True)
class WhileLoop:
    """`while test`."""

    test: Value
    body: Block
    orelse: Block | None
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Catch:
    """One `except`; `classes` as written."""

    classes: tuple[Dotted, ...]
    name: str | None
    body: Block
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Trying:
    """`try`."""

    body: Block
    catches: tuple[Catch, ...]
    orelse: Block | None
    final: Block | None
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Entering:
    """`async with item:`."""

    item: Value
    body: Block
    span: Span


@final
@dataclass(frozen=True, slots=True)
class FlowLoop:
    """`async for name in flow("Entry"):` with one `match name.step:` in it."""

    name: str
    entry: str
    stages: tuple[tuple[str, Block, Span], ...]
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a nested function or of the workflow."""

    name: str
    annotation: Text | Dotted | None
    span: Span


@final
@dataclass(frozen=True, slots=True)
class Function:
    """A nested `async def`, a `@block`, or the workflow itself."""

    name: str
    parameters: tuple[Parameter, ...]
    returns: Text | Dotted | None
    body: Block
    span: Span


Statement: TypeAlias = (
    Passing
    | Refused
    | Assigned
    | Annotated
    | Augmented
    | Discarded
    | Returning
    | Raising
    | Jump
    | Branching
    | Matching
    | ForLoop
    | WhileLoop
    | Trying
    | Entering
    | FlowLoop
    | Function
)
