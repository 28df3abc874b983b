"""Notation without nodes of its own: `flow` for graphs that statements cannot express, names, scopes, marks.

Everything here runs unchanged under CPython. A `flow` is a flat graph written as one `case` per stage: `at.go(name)` names
the next stage, and a turn without `go` ends it. The first `go` of a turn counts, so that what stands behind a statement
with ways out of its own (the `else` of a loop, a handler) may say where the statement itself goes on.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final, ParamSpec, TypeVar, final

from ruvon.authoring._checks import check_pure
from ruvon.authoring._work import Work, driver_of

__all__ = [
    "BREAK",
    "CONTINUE",
    "END",
    "Leave",
    "Stage",
    "block",
    "flow",
    "is_block",
    "is_pure",
    "node",
    "pure",
    "saga",
]

P = ParamSpec("P")
R = TypeVar("R")


class Leave(Enum):
    """Where a flow may go besides its stages."""

    END = "END"
    """The flow is done."""
    BREAK = "BREAK"
    """Leave the loop around the flow."""
    CONTINUE = "CONTINUE"
    """Go on with the next turn of the loop around the flow."""


END: Final = Leave.END
BREAK: Final = Leave.BREAK
CONTINUE: Final = Leave.CONTINUE


@final
class Stage:
    """Where a flow stands: `at.step` is the stage to run, `at.go` names the next; it iterates over its own turns."""

    __slots__ = ("_left", "_next", "_step")

    def __init__(self, entry: str) -> None:
        self._step = entry
        self._next: str | Leave | None = entry
        self._left: Leave | None = None

    @property
    def step(self) -> str:
        """The label of the stage to run."""
        return self._step

    def go(self, target: str | Leave, /) -> None:
        """Go on at another stage, or leave: the last statement of a path; where several are reached the first counts."""
        if self._next is None:
            self._next = target

    def left(self, how: Leave, /) -> bool:
        """Whether the flow was left by `how`; asked directly after it: `if at.left(BREAK): break`."""
        return self._left is how

    def __aiter__(self) -> "Stage":
        return self

    async def __anext__(self) -> "Stage":
        target, self._next = self._next, None
        if not isinstance(target, str):
            self._left = target
            raise StopAsyncIteration
        self._step = target
        return self


def flow(entry: str, /) -> Stage:
    """Run a flat graph, a stage a turn.

    Written `async for at in flow("Route"):` with a `match at.step:` inside. Where the flow is asked how it was left,
    pyright wants the name bound before: `at = flow("Route")`, then `async for _ in at: ...` and `if at.left(BREAK): break`.

    Args:
        entry: the label of the first stage.
    """
    return Stage(entry)


def node(
    name: str, /, *, max_iterations: int | None = None, automate_next: bool | None = None, injected: bool = False
) -> None:
    """Name the compound statement on the next line, and give it options; CPython does nothing here.

    Args:
        name: the name of the `if`, `for`, `while`, `match`, `try` or `gather` that follows.
        max_iterations: longest run of a loop, in turns.
        automate_next: whether the workflow goes on by itself after it.
        injected: the `if` is an injection rule of YAML, as the audit log says; printers write it.
    """


@final
class saga:  # noqa: N801 - used as a statement: `async with saga():`
    """A scope that is undone as a whole: on an error what completed inside is undone, then the error goes on."""

    __slots__ = ("_scope",)

    def __init__(self) -> None:
        self._scope: object = None

    async def __aenter__(self) -> None:
        self._scope = driver_of("`saga()`", "use `async with saga():` in a `@workflow` body").enter_scope()

    async def __aexit__(self, *exc: object) -> None:
        error = exc[1] if len(exc) > 1 and isinstance(exc[1], BaseException) else None
        await driver_of("`saga()`", "use it in a `@workflow` body").leave_scope(self._scope, error)


def block(fn: Callable[P, Work[R]], /) -> Callable[P, Work[R]]:
    """Mark an `async def` as a reusable part of bodies: it is inlined where it is called."""
    fn.__ruvon_block__ = True  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]
    return fn


def pure(fn: Callable[P, R], /) -> Callable[P, R]:
    """Mark a function as free of I/O and of state, so that expressions may call it.

    Raises:
        DeclarationError: it is asynchronous, or not at the top level of its module.
    """
    check_pure(fn)
    fn.__ruvon_pure__ = True  # type: ignore[attr-defined]  # pyright: ignore[reportFunctionMemberAccess]
    return fn


def is_pure(function: object) -> bool:
    """Whether `pure` marks this function."""
    return getattr(function, "__ruvon_pure__", False) is True


def is_block(function: object) -> bool:
    """Whether `block` marks this function."""
    return getattr(function, "__ruvon_block__", False) is True
