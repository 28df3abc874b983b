"""Whether a stored position exists in another definition: the same nodes, of the same kind, nested in the same way.

The position is read as it is stored, with no program, because a migration is often wanted exactly when the deployed code
no longer fits the definition that an instance runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, final

import orjson

from ruvon.engine._frames import BODY, FINAL, ExitKind, WaitKind
from ruvon.engine._position import unranged
from ruvon.ir._diff import Place, inner_graphs
from ruvon.ir._nodes import (
    RESERVED_TARGETS,
    Call,
    HumanSource,
    Loop,
    Parallel,
    SignalSource,
    Start,
    StartMode,
    Try,
    Wait,
)
from ruvon.ir.expr import print_expr

__all__ = ["Standing", "Waiting", "is_leaving", "standing", "unmapped", "waitings"]


@final
@dataclass(frozen=True, slots=True)
class Standing:
    """A node that an instance is at: the one to run or to wait at, or the compound node that it is inside."""

    node: str
    within: str
    """The nested graphs around it, as in `Place`."""
    unbegun: tuple[str, ...] | None = None
    """A PARALLEL that it is inside of: the graphs, by their names in the node, that branches are yet to begin; else None."""
    leads_to: str | None = None
    """A TRY that it is inside of: the node around to go on at when its `finally` has ended."""


@final
@dataclass(frozen=True, slots=True)
class Waiting:
    """A wait as it is stored."""

    node: str
    kind: WaitKind


def standing(position: bytes, places: Mapping[str, Place]) -> tuple[Standing, ...]:
    """Every node that a stored position is at, outermost first; `places` are those of its own definition."""
    return tuple(_frames(_root(position)[0], "", places))


def waitings(position: bytes) -> tuple[Waiting, ...]:
    """What an instance waits for in its body and in its branches, by its stored position."""
    found: list[Waiting] = []
    pending = [_root(position)]
    while pending:
        frames, wait, *_ = pending.pop()
        if wait is not None:
            found.append(Waiting(wait[2], WaitKind(wait[0])))
        pending += [strand for kind, *rest in frames if kind == "f" for _, strand in rest[5]]
    return tuple(found)


def is_leaving(position: bytes) -> bool:
    """Whether the instance is being cancelled, has failed in place, or is being rolled back."""
    tree: Any = orjson.loads(position)
    if isinstance(tree, dict):
        whole = cast("dict[str, Any]", tree)
        if whole["cancel"] is not None or whole["fatal"] is not None or whole["ended"] is not None:
            return True
    pending: list[Any] = [_root(position)]
    while pending:
        for kind, *rest in pending.pop()[0]:
            if kind == "u" or (kind == "f" and rest[7]) or (kind == "t" and _is_cancel(rest[4])):
                return True
            pending += [strand for _, strand in rest[5]] if kind == "f" else []
    return False


def _is_cancel(leaving: Any) -> bool:
    return leaving is not None and leaving[0] in (ExitKind.CANCEL.value, ExitKind.REWIND.value)


def _root(position: bytes) -> list[Any]:
    """The body's strand, whatever form the position is written in: its frames and its wait."""
    tree: Any = orjson.loads(position)
    if isinstance(tree, dict):
        return cast("list[Any]", cast("dict[str, Any]", tree)["root"])
    return [[["b", *tree]] if isinstance(tree[0], str) else tree, None]


def _frames(frames: Sequence[Any], within: str, places: Mapping[str, Place]) -> Iterator[Standing]:
    for frame in frames:
        kind, *rest = frame
        if kind == "b":
            yield Standing(rest[0], within)
        elif kind == "l":
            within = _into(within, rest[0], "body")
            yield Standing(rest[3], within)
        elif kind == "t":
            within = _into(within, rest[0], _part(rest[2]))
            leaving = rest[4]
            goes = leaving[3] if leaving is not None and leaving[0] == ExitKind.GOTO.value else None
            yield Standing(rest[6], within, leads_to=goes)
        elif kind == "f":
            yield from _branches(rest, within, places)


def _branches(fork: Sequence[Any], within: str, places: Mapping[str, Place]) -> Iterator[Standing]:
    node, count, done, failed, begun = fork[0], fork[2], fork[3], fork[4], fork[5]
    action = places[node].node.action
    labels = [branch.label for branch in action.branches] if isinstance(action, Parallel) else []
    names: list[str] = [f"branch {label}" for label in labels] or ["body"] * int(count)
    over = unranged(done) | {index for index, _ in (*failed, *begun)}
    unbegun = dict.fromkeys(names[index] for index in range(count) if index not in over)
    yield Standing(node, within, tuple(unbegun))
    for index, strand in begun:
        yield from _frames(strand[0], _into(within, node, names[int(index)]), places)


def _into(within: str, node: str, part: str) -> str:
    return f"{within}/{node}:{part}".lstrip("/")


def _part(number: int) -> str:
    return {BODY: "body", FINAL: "finally"}.get(number, f"handler {number + 1}")


# Mapping


def unmapped(stands: Sequence[Standing], old: Mapping[str, Place], new: Mapping[str, Place]) -> Iterator[str]:
    """Why a position does not exist in another definition; nothing where it does."""
    for stand in stands:
        yield from _missing_graphs(stand.within, new)
        if stand.leads_to is not None and stand.leads_to not in new:
            yield f"it is on its way to `{stand.leads_to}`, which is not there any more"
        if stand.node in RESERVED_TARGETS:
            continue
        place = new.get(stand.node)
        if place is None:
            yield f"it stands at `{stand.node}`, which is not there any more"
        elif place.within != stand.within:
            yield f"it stands at `{stand.node}`, which is in {place.where} now"
        elif stand.node in old:
            yield from _other(old[stand.node], place)


def _missing_graphs(within: str, new: Mapping[str, Place]) -> Iterator[str]:
    for level in within.split("/") if within else ():
        node, _, part = level.partition(":")
        place = new.get(node)
        if place is None:
            yield f"it is inside `{node}`, which is not there any more"
        elif part not in [name for name, _ in inner_graphs(place.node)]:
            yield f"it is in the {part} of `{node}`, which is not there any more"


def _other(old: Place, new: Place) -> Iterator[str]:
    """How a node that is still there is another one."""
    before, after = old.node.action, new.node.action
    name = old.node.id
    if type(before) is not type(after):
        yield f"`{name}` was a {type(before).__name__.upper()}, it is a {type(after).__name__.upper()} now"
        return
    match before, after:
        case Wait(), Wait():
            yield from _other_wait(name, before, after)
        case Call(), Call():
            yield from _other_call(name, before, after)
        case Start(child=one), Start(child=two) if one != two:
            yield f"`{name}` started `{one}`, it starts `{two}` now"
        case Start(mode=StartMode.AWAIT), Start(mode=mode) if mode is not StartMode.AWAIT:
            yield f"`{name}` waited for the end of what it starts, it does not now"
        case Loop(), Loop():
            if (before.over is None) != (after.over is None) or before.collect != after.collect:
                yield f"the loop `{name}` is of another kind now"
        case Parallel(), Parallel():
            if [item.label for item in before.branches] != [item.label for item in after.branches]:
                yield f"the branches of `{name}` are others now"
            elif before.join is not after.join or before.on_failure is not after.on_failure:
                yield f"`{name}` joins its branches in another way now"
        case Try(), Try() if before.saga != after.saga:
            yield f"`{name}` is {'a' if after.saga else 'no'} saga scope now"
        case _:
            return


def _other_wait(name: str, before: Wait, after: Wait) -> Iterator[str]:
    match before.source, after.source:
        case SignalSource() as one, SignalSource() as two:
            if one.model != two.model:
                yield f"`{name}` waited for `{one.model}`, it waits for `{two.model}` now"
            elif one.key != two.key:
                yield f"`{name}` receives by another key now"
        case HumanSource() as one, HumanSource() as two:
            if one.task != two.task:
                yield f"`{name}` asked for {print_expr(one.task)}, it asks for {print_expr(two.task)} now"
            elif one.answer_to != two.answer_to:
                yield f"the answer to `{name}` went to {_taker(one)}, it goes to {_taker(two)} now"
        case one, two if type(one) is not type(two):
            yield f"`{name}` waits for something else now"
        case _:
            return


def _other_call(name: str, before: Call, after: Call) -> Iterator[str]:
    if before.type != after.type:
        yield f"`{name}` was of the type {before.type}, it is of the type {after.type} now"
    elif _last(before.function) != _last(after.function):
        yield f"`{name}` called `{before.function}`, it calls `{after.function}` now"
    elif _takes_input(before) and not _takes_input(after):
        yield f"`{name}` took input, it takes none now"


def _last(path: str | None) -> str:
    """The name of a function without its module, which may have been moved."""
    return (path or "").partition(":")[2]


def _taker(source: HumanSource) -> str:
    return "the step itself" if source.answer_to == "self" else "the step that follows"


def _takes_input(call: Call) -> bool:
    return call.input_model is not None or bool(call.required_input)
