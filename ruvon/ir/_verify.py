"""The rules that every definition keeps, whoever made it.

A front end reports mistakes in the author's words long before this; the verifier is the wall behind it. It runs on every
definition that is loaded or linked, and after every pass in the tests, so that the engine and the printers may rely on
what it says. Each problem is one sentence that begins with the node it is about.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from ruvon.ir._canonical import graphs_of, walk_nodes
from ruvon.ir._errors import IRError
from ruvon.ir._nodes import (
    BREAK,
    CONTINUE,
    END,
    RESERVED_TARGETS,
    Assign,
    Call,
    CommitMode,
    Decision,
    Definition,
    Fail,
    Graph,
    HumanSource,
    Join,
    Loop,
    Node,
    OnFailure,
    Parallel,
    Return,
    SignalSource,
    Start,
    StartMode,
    Target,
    TimerSource,
    Try,
    Wait,
)
from ruvon.ir.expr import Expr, Name, Slice, Starred, Tuple, impure_calls, is_target

__all__ = ["is_effect", "require_valid", "single_effect", "targets_of", "verify"]


def verify(definition: Definition) -> tuple[str, ...]:
    """All broken rules of a definition, empty when it is sound."""
    return tuple(_Verifier().run(definition))


def require_valid(definition: Definition) -> Definition:
    """Return the definition.

    Raises:
        IRError: it breaks a rule; the error lists every one.
    """
    if problems := verify(definition):
        raise IRError(problems)
    return definition


def is_effect(node: Node) -> bool:
    """Whether the node does something durable by itself: CALL, WAIT or START."""
    return isinstance(node.action, Call | Wait | Start)


def single_effect(graph: Graph) -> Node | None:
    """The only node of a graph that yields that node's result: one effect with the edge END. None for other shapes."""
    if len(graph.nodes) != 1:
        return None
    node = next(iter(graph.nodes.values()))
    return node if is_effect(node) and node.next == END and graph.entry == node.id else None


def targets_of(node: Node) -> tuple[Target, ...]:
    """Where a node's own edges lead, in order: routes, default, `next`, `on_break`."""
    match node.action:
        case Decision(routes=routes, default=default):
            return (*(route.target for route in routes), default)
        case Loop(on_break=on_break):
            return tuple(target for target in (node.next, on_break) if target is not None)
        case _:
            return () if node.next is None else (node.next,)


@dataclass(frozen=True, slots=True)
class _Region:
    """What an edge inside a graph may lead to."""

    reachable: frozenset[str]
    in_loop: bool
    outermost: bool
    in_final: bool = False


class _Verifier:
    """Collects the problems of one definition."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def run(self, definition: Definition) -> Iterator[str]:
        if not definition.workflow_type:
            yield "the definition has no workflow_type"
        if definition.history is not None and definition.history < 1:
            yield "`history` must be at least 1"
        if definition.timeout_us is not None and definition.timeout_us < 1:
            yield "the workflow's `timeout_us` must be at least 1"
        if definition.commit is CommitMode.ITERATION and any(
            isinstance(node.action, Call) and node.action.transaction for node in walk_nodes(definition.graph)
        ):
            yield "a call with `transaction` needs a commit of its own, so `commit` cannot be `iteration`"
        yield from self._graph(definition.graph, _Region(frozenset(), in_loop=False, outermost=True), "the workflow")

    def _graph(self, graph: Graph, around: _Region, where: str) -> Iterator[str]:
        region = _Region(around.reachable | frozenset(graph.nodes), around.in_loop, around.outermost, around.in_final)
        yield from self._target(graph.entry, region, f"the entry of {where}")
        if graph.nodes and graph.entry not in graph.nodes:
            yield f"the entry of {where} leads past its nodes, so none of them can ever run"
        for name, node in graph.nodes.items():
            if name != node.id:
                yield f"`{name}`: its id is `{node.id}`"
            if not node.id or node.id in RESERVED_TARGETS:
                yield f"`{node.id}` is not allowed as a node id"
            if node.id in self._seen:
                yield f"`{node.id}` stands twice in the definition; ids are unique"
            self._seen.add(node.id)
            yield from self._node(node, region)

    def _target(self, target: Target, region: _Region, where: str) -> Iterator[str]:
        if target in {BREAK, CONTINUE}:
            if not region.in_loop:
                yield f"{where} leads to {target} outside a LOOP"
        elif target != END and target not in region.reachable:
            yield f"{where} leads to `{target}`, which is no node of its graph or of a TRY's surroundings"

    def _node(self, node: Node, region: _Region) -> Iterator[str]:
        where = f"`{node.id}`"
        ends = isinstance(node.action, Decision | Return | Fail)
        if ends != (node.next is None):
            yield f"{where}: `next` must be {'absent' if ends else 'given'}"
        for target in targets_of(node):
            yield from self._target(target, region, where)
        if isinstance(node.action, Loop) and node.action.on_break is not None and node.action.on_break == node.next:
            yield f"{where}: `on_break` leads where `next` does; leave it out"
        automatic = region.outermost and not isinstance(node.action, Return | Fail)
        if automatic != (node.automate_next is not None):
            yield f"{where}: `automate_next` must be {'given here' if automatic else 'absent here'}"
        if region.in_final and isinstance(node.action, Return):
            yield f"{where}: a RETURN inside `finally` would swallow the error on its way"
        for message in _action_problems(node):
            yield f"{where}: {message}"
        yield from self._nested(node, region)

    def _nested(self, node: Node, region: _Region) -> Iterator[str]:
        for part, graph in graphs_of(node):
            match node.action:
                case Try() if part == "finally":
                    inner = _Region(frozenset(), in_loop=False, outermost=False, in_final=True)
                case Try():
                    inner = _Region(region.reachable, region.in_loop, outermost=False, in_final=region.in_final)
                case Loop():
                    inner = _Region(frozenset(), in_loop=True, outermost=False, in_final=region.in_final)
                case _:
                    inner = _Region(frozenset(), in_loop=False, outermost=False)
            yield from self._graph(graph, inner, f"`{node.id}` ({part})")


# --- rules of single actions ------------------------------------------------------------------------------------------


def _action_problems(node: Node) -> Iterator[str]:
    match node.action:
        case Call() as call:
            yield from _call_problems(call)
        case Wait() as wait:
            yield from _wait_problems(wait)
        case Start() as start:
            yield from _start_problems(start)
        case Assign(target=target, value=value):
            yield from _target_problems("target", target)
            yield from _value_problems("value", value, impure=True)
        case Decision(routes=routes):
            for route in routes:
                yield from _value_problems("condition", route.condition)
        case Loop() as loop:
            yield from _loop_problems(loop)
        case Parallel() as parallel:
            yield from _parallel_problems(parallel)
        case Try() as attempt:
            yield from _try_problems(attempt)
        case Return(value=value):
            yield from _value_problems("value", value)
        case Fail(error=error, cause=cause):
            yield from _value_problems("error", error)
            yield from _value_problems("cause", cause)
            if error is None and cause is not None:
                yield "a cause needs an error"
        case _:
            assert_never(node.action)


def _value_problems(name: str, value: Expr | None, *, impure: bool = False) -> Iterator[str]:
    if value is None:
        return
    if isinstance(value, Slice | Starred):
        yield f"`{name}` is not a whole expression"
    calls = impure_calls(value)
    if calls and not (impure and len(calls) == 1 and calls[0] is value):
        yield f"`{name}` uses now(), new_id() or random() other than as the whole value of an ASSIGN"


def _target_problems(name: str, target: Expr | None) -> Iterator[str]:
    if target is not None and not is_target(target):
        yield f"`{name}` is not a variable, a state field, a path or a tuple of them"
    if target == Name("state"):
        yield f"`{name}` may not rebind `state`"


def _mapping_problems(name: str, values: Mapping[str, Expr]) -> Iterator[str]:
    for key, value in values.items():
        yield from _value_problems(f"{name}.{key}", value)


def _call_problems(call: Call) -> Iterator[str]:
    if call.type == "STANDARD" and call.function is None:
        yield "a STANDARD call needs a function"
    if call.transaction and (call.type != "STANDARD" or call.queue is not None):
        yield "`transaction` is for a STANDARD call without a queue"
    if call.concurrency_key is not None and not all(map(str.isidentifier, call.concurrency_key.split("."))):
        yield "`concurrency_key` is an argument's name, or a path into an argument or the state"
    if call.type == "STANDARD" and call.config:
        yield "a STANDARD call has no config"
    for name, amount in (
        ("timeout_us", call.timeout_us),
        ("queue_timeout_us", call.queue_timeout_us),
        ("deadline_us", call.deadline_us),
    ):
        if amount is not None and amount <= 0:
            yield f"`{name}` must be greater than 0"
    if call.retry is not None and call.retry.max_attempts < 1:
        yield "`retry.max_attempts` must be at least 1"
    yield from _mapping_problems("args", call.args)
    yield from _mapping_problems("config", call.config)
    yield from _target_problems("output", call.output)


def _wait_problems(wait: Wait) -> Iterator[str]:
    match wait.source:
        case TimerSource(duration=duration, until=until):
            if (duration is None) == (until is None):
                yield "a timer has either a duration or a moment"
            if wait.timeout is not None:
                yield "a timer has no timeout of its own"
            yield from _value_problems("duration", duration)
            yield from _value_problems("until", until)
        case SignalSource(key=key):
            yield from _value_problems("key", key)
        case HumanSource() as human:
            if human.answer_to not in {"self", "next"}:
                yield "`answer_to` is `self` or `next`"
            for name in ("task", "show", "role", "assignee"):
                yield from _value_problems(name, getattr(human, name))
            yield from _mapping_problems("ask_args", human.ask_args)
            yield from _mapping_problems("answer_args", human.answer_args)
        case _:
            assert_never(wait.source)
    if wait.on_timeout is not None and wait.timeout is None:
        yield "`on_timeout` needs a timeout"
    yield from _value_problems("timeout", wait.timeout)
    yield from _value_problems("on_timeout", wait.on_timeout)
    yield from _target_problems("output", wait.output)


def _start_problems(start: Start) -> Iterator[str]:
    if not start.child:
        yield "a START names the child's workflow type"
    if (start.mode is StartMode.SCHEDULE) != (start.cron is not None):
        yield "`cron` belongs to a schedule, and a schedule needs it"
    if start.key is not None and start.mode is not StartMode.DETACH:
        yield "`key` belongs to a detached start"
    for name in ("data", "key", "cron", "timezone", "schedule_name", "data_region"):
        yield from _value_problems(name, getattr(start, name))
    yield from _target_problems("output", start.output)


def _loop_problems(loop: Loop) -> Iterator[str]:
    if (loop.over is None) == (loop.condition is None):
        yield "a LOOP has either `over` or a condition"
    if (loop.over is None) != (loop.item is None):
        yield "`item` belongs to `over`, and `over` needs it"
    if loop.index is not None and loop.over is None:
        yield "`index` belongs to `over`"
    if loop.max_iterations is not None and loop.max_iterations < 1:
        yield "`max_iterations` must be at least 1"
    if loop.collect != (loop.output is not None):
        yield "`output` belongs to a collecting LOOP, and collecting needs it"
    if loop.collect and single_effect(loop.body) is None:
        yield "a collecting LOOP has exactly one effect in its body"
    if loop.collect:
        yield from _yielding_problems("its body", loop.body)
    yield from _name_target_problems(loop.item)
    yield from _value_problems("over", loop.over)
    yield from _value_problems("condition", loop.condition)
    yield from _target_problems("output", loop.output)


def _yielding_problems(where: str, graph: Graph) -> Iterator[str]:
    """A graph of one effect hands its result on as a whole; a binding inside it nobody could see."""
    only = single_effect(graph)
    if only is not None and getattr(only.action, "output", None) is not None:
        yield f"{where} is one effect, whose result is its own: `{only.id}` may not bind it by an `output`"


def _name_target_problems(item: Expr | None) -> Iterator[str]:
    match item:
        case None | Name():
            return
        case Tuple(items=items):
            for part in items:
                yield from _name_target_problems(part)
        case _:
            yield "`item` is a name or a tuple of names"


def _parallel_problems(parallel: Parallel) -> Iterator[str]:
    mapped = (parallel.over is not None, parallel.item is not None, parallel.body is not None)
    if any(mapped) != all(mapped) or any(mapped) == bool(parallel.branches):
        yield "a PARALLEL has either branches or `over`, `item` and `body`"
    if parallel.index is not None and parallel.over is None:
        yield "`index` belongs to `over`"
    if parallel.tolerate is not None and parallel.on_failure is not OnFailure.COLLECT:
        yield "`tolerate` belongs to on_failure collect"
    if parallel.join is Join.FIRST:
        yield from _race_problems(parallel)
    yield from _branch_problems(parallel)
    if parallel.body is not None:
        yield from _yielding_problems("its body", parallel.body)
    yield from _name_target_problems(parallel.item)
    for name in ("over", "limit", "batch_size", "tolerate"):
        yield from _value_problems(name, getattr(parallel, name))
    yield from _target_problems("output", parallel.output)


def _race_problems(parallel: Parallel) -> Iterator[str]:
    if parallel.over is not None:
        yield "a RACE has branches, not a list"
    if parallel.limit or parallel.batch_size or parallel.on_failure is OnFailure.COLLECT:
        yield "a RACE has no limit, batch size or collected failures"
    if any(branch.after or branch.output for branch in parallel.branches):
        yield "the branches of a RACE have no `after` and no `output` of their own"


def _branch_problems(parallel: Parallel) -> Iterator[str]:
    labels = [branch.label for branch in parallel.branches]
    if len(set(labels)) != len(labels):
        yield "two branches have one label"
    done: set[str] = set()
    for branch in parallel.branches:
        if unknown := sorted(set(branch.after) - set(labels)):
            yield f"branch `{branch.label}` comes after `{unknown[0]}`, which is no branch"
        if branch.won and parallel.join is not Join.FIRST:
            yield f"branch `{branch.label}` is named as a winner outside a RACE"
        if branch.output is not None and (parallel.output or parallel.on_failure is OnFailure.COLLECT):
            yield f"branch `{branch.label}` has an output, and so has the PARALLEL (or it collects failures)"
        yield from _yielding_problems(f"branch `{branch.label}`", branch.graph)
        yield from _target_problems(f"{branch.label}.output", branch.output)
    pending = {branch.label: set(branch.after) for branch in parallel.branches}
    while ready := [label for label, after in pending.items() if after <= done]:
        done.update(ready)
        pending = {label: after for label, after in pending.items() if label not in done}
    if pending and not any(set(branch.after) - set(labels) for branch in parallel.branches):
        yield f"the branches {', '.join(sorted(pending))} wait for each other"


def _try_problems(attempt: Try) -> Iterator[str]:
    if attempt.saga and (attempt.handlers or attempt.final):
        yield "a saga scope has neither handlers nor `finally`; put a TRY around it"
    if attempt.final is not None and not attempt.final.nodes:
        yield "an empty `finally` is none"
    if not attempt.saga and not attempt.handlers and attempt.final is None:
        yield "a TRY has a handler, a `finally` or a saga scope"
    for handler in attempt.handlers:
        if not handler.classes:
            yield "a handler names at least one class"
