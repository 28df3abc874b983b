"""Concurrency: `gather`, `first_of`, and what names, orders and shares their branches.

These are ours and not asyncio's, because branches have a meaning that tasks have not: each sees the state as of its start
and its own writes, and the join merges the branches' writes in branch order.
"""

import dis
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping
from datetime import timedelta
from functools import lru_cache
from types import CodeType
from typing import Any, Final, Generic, Literal, TypeAlias, TypedDict, TypeVar, Unpack, final, overload

from ruvon.authoring._work import (
    AfterRequest,
    FirstRequest,
    GatherOptions,
    GatherRequest,
    NamedRequest,
    Pending,
    Work,
    driver_of,
)
from ruvon.models import Batch, MergeConflictBehavior, MergeStrategy, Won

__all__ = ["RaceOptions", "after", "first_of", "gather", "named", "start"]

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
R = TypeVar("R")

MergeFunction: TypeAlias = Callable[[list[Any]], Mapping[str, object]]
_SHALLOW: Final = MergeStrategy.SHALLOW
_REFUSE: Final = MergeConflictBehavior.RAISE_ERROR


@overload
def gather(  # pyright: ignore[reportOverlappingOverload]
    a: Work[A],
    b: Work[B],
    /,
    *,
    limit: int | None = ...,
    batch_size: int | None = ...,
    merge: MergeStrategy = ...,
    conflict: MergeConflictBehavior = ...,
    merge_function: MergeFunction | None = ...,
    timeout: timedelta | None = ...,
) -> Work[tuple[A, B]]: ...
@overload
def gather(
    a: Work[A],
    b: Work[B],
    c: Work[C],
    /,
    *,
    limit: int | None = ...,
    batch_size: int | None = ...,
    merge: MergeStrategy = ...,
    conflict: MergeConflictBehavior = ...,
    merge_function: MergeFunction | None = ...,
    timeout: timedelta | None = ...,
) -> Work[tuple[A, B, C]]: ...
@overload
def gather(
    a: Work[A],
    b: Work[B],
    c: Work[C],
    d: Work[D],
    /,
    *,
    limit: int | None = ...,
    batch_size: int | None = ...,
    merge: MergeStrategy = ...,
    conflict: MergeConflictBehavior = ...,
    merge_function: MergeFunction | None = ...,
    timeout: timedelta | None = ...,
) -> Work[tuple[A, B, C, D]]: ...
@overload
def gather(
    a: Work[A],
    b: Work[B],
    c: Work[C],
    d: Work[D],
    e: Work[E],
    /,
    *,
    limit: int | None = ...,
    batch_size: int | None = ...,
    merge: MergeStrategy = ...,
    conflict: MergeConflictBehavior = ...,
    merge_function: MergeFunction | None = ...,
    timeout: timedelta | None = ...,
) -> Work[tuple[A, B, C, D, E]]: ...
@overload
def gather(
    a: Work[A],
    b: Work[B],
    c: Work[C],
    d: Work[D],
    e: Work[E],
    f: Work[F],
    /,
    *,
    limit: int | None = ...,
    batch_size: int | None = ...,
    merge: MergeStrategy = ...,
    conflict: MergeConflictBehavior = ...,
    merge_function: MergeFunction | None = ...,
    timeout: timedelta | None = ...,
) -> Work[tuple[A, B, C, D, E, F]]: ...
@overload
def gather(
    *each: Work[A],
    limit: int | None = ...,
    batch_size: int | None = ...,
    on_failure: Literal["cancel"] = ...,
    merge: MergeStrategy = ...,
    conflict: MergeConflictBehavior = ...,
    merge_function: MergeFunction | None = ...,
    timeout: timedelta | None = ...,
) -> Work[list[A]]: ...
@overload
def gather(
    *each: Work[A],
    limit: int | None = ...,
    batch_size: int | None = ...,
    partial: Literal[True],
    tolerate: float | None = ...,
    merge: MergeStrategy = ...,
    conflict: MergeConflictBehavior = ...,
    merge_function: MergeFunction | None = ...,
    timeout: timedelta | None = ...,
) -> Work[Batch[A]]: ...
@overload
def gather(
    *each: Work[A],
    limit: int | None = ...,
    batch_size: int | None = ...,
    on_failure: Literal["collect"],
    merge: MergeStrategy = ...,
    conflict: MergeConflictBehavior = ...,
    merge_function: MergeFunction | None = ...,
    timeout: timedelta | None = ...,
) -> Work[Batch[A]]: ...
def gather(
    *each: Work[Any],
    limit: int | None = None,
    batch_size: int | None = None,
    on_failure: Literal["cancel", "collect"] = "cancel",
    partial: bool = False,
    tolerate: float | None = None,
    merge: MergeStrategy = _SHALLOW,
    conflict: MergeConflictBehavior = _REFUSE,
    merge_function: MergeFunction | None = None,
    timeout: timedelta | None = None,
) -> Work[Any]:
    """Run branches concurrently and wait for all of them.

    A branch sees the state as of its start and its own writes; at the end the writes merge in branch order. On the first
    failure nothing new starts; steps that already run finish and are recorded; then that first error is raised.

    Args:
        each: calls, or calls of nested `async def` functions.
        limit: a sliding window: at most so many branches at once.
        batch_size: a barrier: the next so many start when the last so many have ended.
        on_failure: `collect` is another spelling of `partial=True`.
        partial: go on with the branches that worked, and give a `Batch` of results and failures.
        tolerate: with `partial`, the share of failures (0 to 1) beyond which the first error is raised.
        merge: DEEP merges dicts and models key by key.
        conflict: who wins when two branches write one field; refused by default.
        merge_function: is given the list of results and gives a dict that merges into the state, instead of the strategy.
        timeout: longest time of the whole; then the branches are cancelled and `TimedOut` raised.
    """
    for name, number in (("limit", limit), ("batch_size", batch_size)):
        if number is not None and number < 1:
            raise ValueError(f"gather({name}={number}): give at least 1, or leave it out")
    if tolerate is not None and not 0 <= tolerate <= 1:
        raise ValueError(f"gather(tolerate={tolerate}): it is a share, between 0 and 1")
    frame = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    options = GatherOptions(
        limit=limit,
        batch_size=batch_size,
        partial=partial or on_failure == "collect" or tolerate is not None,
        tolerate=tolerate,
        merge=merge,
        conflict=conflict,
        merge_function=merge_function,
        timeout=timeout,
        listed=_unpacks(frame.f_code, frame.f_lasti),
    )
    return Pending[Any](GatherRequest(each, options))


@lru_cache(maxsize=1024)
def _unpacks(code: CodeType, offset: int) -> bool:
    """Whether the call at this place has the form `gather(*...)`, whose result is a list, as its type says.

    The arguments do not show it: `gather(*[a, b])` and `gather(a, b)` look alike from inside, so the instruction is read.
    """
    return dis.opname[code.co_code[offset]] == "CALL_FUNCTION_EX"


class RaceOptions(TypedDict, total=False):
    """What `first_of` takes by name."""

    merge: MergeStrategy
    """DEEP merges dicts and models key by key."""
    conflict: MergeConflictBehavior
    """Who wins when two branches write one field; only one branch of a race merges."""
    merge_function: MergeFunction | None
    """Is given a list with the winner's result and gives a dict that merges into the state, instead of the strategy."""
    timeout: timedelta | None
    """Longest time of the whole; then the branches are cancelled and `TimedOut` raised."""


@overload
def first_of(a: Work[A], b: Work[B], /, **options: Unpack[RaceOptions]) -> Work[A | B]: ...
@overload
def first_of(a: Work[A], b: Work[B], c: Work[C], /, **options: Unpack[RaceOptions]) -> Work[A | B | C]: ...
@overload
def first_of(
    a: Work[A], b: Work[B], c: Work[C], d: Work[D], /, **options: Unpack[RaceOptions]
) -> Work[A | B | C | D]: ...
@overload
def first_of(
    a: Work[A], b: Work[B], c: Work[C], d: Work[D], e: Work[E], /, **options: Unpack[RaceOptions]
) -> Work[A | B | C | D | E]: ...
@overload
def first_of(
    a: Work[A], b: Work[B], c: Work[C], d: Work[D], e: Work[E], f: Work[F], /, **options: Unpack[RaceOptions]
) -> Work[A | B | C | D | E | F]: ...
def first_of(*each: Work[Any], **options: Unpack[RaceOptions]) -> Work[Any]:
    """Run branches concurrently and take the first that ends; the others are cancelled and consume no message.

    At one instant the earlier argument wins. Branches are waits, children, or calls of nested `async def` functions; a
    bare step is an error, because a step that lost would have had its effect. Only the winner's writes merge.

    Args:
        each: the branches, in the order in which they win at one instant.
        options: see `RaceOptions`.
    """
    return Pending[Any](FirstRequest(each, GatherOptions(**options)))


def named(name: str, work: Work[R], /) -> Work[Won[R]]:
    """Name a branch of `first_of`, where two branches give the same type: `case Won("lead", ack):`."""
    return Pending[Won[R]](NamedRequest(name, work))


def after(work: Work[R], /, *labels: str, label: str | None = None) -> Work[R]:
    """A branch of `gather` that starts when the branches with these labels have ended, and sees what they wrote.

    Labels are names of the branches' functions, with `_2`, `_3` in order of the arguments where a name repeats.

    Args:
        work: the branch.
        labels: the branches that it comes after; none in `first_of`.
        label: the branch's own label, by which others name it, instead of what it calls.
    """
    return Pending[R](AfterRequest(work, labels, label))


@final
class _Started(Generic[R]):
    """Work that was started; may be awaited several times."""

    __slots__ = ("_work",)

    def __init__(self, work: Work[R]) -> None:
        self._work: Awaitable[R] = driver_of("`start`", "call it in a `@workflow` body").begin(work)

    def __await__(self) -> Generator[Any, Any, R]:
        return self._work.__await__()


def start(work: Work[R], /) -> Awaitable[R]:
    """Start work now and await it later, in several branches if need be; the state changes at the first `await`."""
    return _Started(work)
