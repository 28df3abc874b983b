"""Findings about concurrency and rollback.

Races whose winner cannot be told, branches that overwrite each other, and what a rollback will not undo: mostly warnings,
because each may be meant.
"""

from collections.abc import Collection, Iterator
from typing import Any, final

from ruvon.ir._canonical import graphs_of, walk_nodes
from ruvon.ir._diagnostics import Diagnostic, Related, Severity
from ruvon.ir._nodes import (
    Branch,
    Call,
    Definition,
    Graph,
    Join,
    Node,
    Parallel,
    Start,
    StartMode,
    Try,
)
from ruvon.ir._reads import outputs_of
from ruvon.ir._spans import Span
from ruvon.ir._verify import single_effect
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr import dotted
from ruvon.ir.types import class_fields, class_kind
from ruvon_dsl._link._codes import BARE_STEP, BOTH_WRITE, INDISTINCT, LOSER, NOT_UNDONE, UNKNOWN_OUTCOME
from ruvon_dsl._link._function_text import function_of, returned_keys, written_fields
from ruvon_dsl._link._resolve import Resolver
from ruvon_dsl._link._targets import Missing
from ruvon_dsl._link._typing import is_state_call
from ruvon_dsl._link._unions import members_of, text_of

__all__ = ["indistinct_winners", "race_findings", "rollback_findings", "write_conflicts"]


def race_findings(definition: Definition) -> list[Diagnostic]:
    """Errors for bare steps among the branches of a `first_of`."""
    return [
        finding
        for node in walk_nodes(definition.graph)
        if isinstance(node.action, Parallel) and node.action.join is Join.FIRST
        for branch in node.action.branches
        for finding in _bare(branch, node)
    ]


def _bare(branch: Branch, race: Node) -> Iterator[Diagnostic]:
    effect = single_effect(branch.graph)
    if effect is not None and isinstance(effect.action, Call):
        yield Diagnostic(
            code=BARE_STEP,
            message=f"`{effect.id}` is a bare step in a race",
            span=effect.display.source or race.display.source,
            reason="a step that runs cannot be taken back when another branch wins; its effect would happen unseen",
            help="race waits (`receive`, `human`, `sleep`) or child workflows, or put the step into an `async def` branch",
        )


def indistinct_winners(node: Node, race: Parallel, results: Collection[tuple[Branch, object]]) -> list[Diagnostic]:
    """Errors for two unnamed branches whose results have one type, where somebody looks at the result."""
    found: list[Diagnostic] = []
    seen: dict[str, Branch] = {}
    if race.join is not Join.FIRST or race.output is None:
        return found
    for branch, result in results:
        if branch.won:
            continue
        for member in members_of(result):
            if member is Any or member is object:
                continue  # nobody knows what it gives
            first = seen.setdefault(text_of(member), branch)
            if first is not branch and member is not None:
                found.append(_indistinct(node, first, branch, text_of(member)))
                break
    return found


def _indistinct(node: Node, first: Branch, second: Branch, text: str) -> Diagnostic:
    span = _span_of(second) or node.display.source
    other = _span_of(first)
    return Diagnostic(
        code=INDISTINCT,
        message=f"`{first.label}` and `{second.label}` both give `{text.rpartition(':')[2]}`, so the winner cannot be told",
        span=span,
        related=() if other is None else (Related(other, "the first one"),),
        help='name them: `named("first", ...)`, `named("second", ...)`, and match on `Won("first", value)`',
    )


def _span_of(branch: Branch) -> Span | None:
    entry = branch.graph.nodes.get(branch.graph.entry)
    return None if entry is None else entry.display.source


def write_conflicts(definition: Definition, resolver: Resolver) -> list[Diagnostic]:
    """Warnings for two concurrent static branches that write one state field or one outer variable."""
    writes = _Writes(resolver)
    found: list[Diagnostic] = []
    for node in walk_nodes(definition.graph):
        if isinstance(node.action, Parallel) and node.action.join is Join.ALL:
            found.extend(writes.conflicts(node, node.action))
    return found


@final
class _Writes:
    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    def conflicts(self, node: Node, parallel: Parallel) -> Iterator[Diagnostic]:
        """One warning for each place that two branches write and neither comes after the other."""
        earlier: list[tuple[Branch, dict[str, Span | None]]] = []
        for branch in parallel.branches:
            written = self._of_branch(branch)
            for other, theirs in earlier:
                if other.label in _all_before(parallel, branch) or branch.label in _all_before(parallel, other):
                    continue
                for place in sorted(written.keys() & theirs.keys()):
                    yield _conflict(node, place, (other, theirs[place]), (branch, written[place]))
            earlier.append((branch, written))

    def _of_branch(self, branch: Branch) -> dict[str, Span | None]:
        found = dict(self._of_graph(branch.graph))
        if branch.output is not None:
            found.update(dict.fromkeys(_places(branch.output, outer=True), branch.output.span))
        return found

    def _of_graph(self, graph: Graph) -> Iterator[tuple[str, Span | None]]:
        for node in walk_nodes(graph):
            span = node.display.source
            for target in outputs_of(node):
                yield from ((place, target.span or span) for place in _places(target, outer=False))
            if isinstance(node.action, Call) and is_state_call(node.action) and node.action.function is not None:
                yield from ((f"state.{key}", span) for key in self._written_by(node.action.function, span))

    def _written_by(self, path: str, span: Span | None) -> list[str]:
        """The fields that a state step shows to write: by its TypedDict, or by its text."""
        target = self._resolver.callee(path, span)
        if target is None:
            return []
        function = function_of(self._resolver.known(target.path))
        seen = [] if function is None else [*returned_keys(function), *written_fields(function)]
        typed = target.result is not Missing and class_kind(target.result) == "typeddict"
        return [*([field.name for field in class_fields(target.result)] if typed else []), *seen]


def _places(target: e.Expr, *, outer: bool) -> Iterator[str]:
    match target:
        case e.Name(id=name):
            if outer:
                yield name
        case e.Tuple(items=items):
            for item in items:
                yield from _places(item, outer=outer)
        case e.Attribute() | e.Subscript():
            head = target
            while isinstance(head.value, e.Attribute | e.Subscript):
                head = head.value
            path = dotted(head)
            if path is not None and path.startswith("state."):
                yield path
        case _:
            return


def _all_before(parallel: Parallel, branch: Branch) -> set[str]:
    wanted = set(branch.after)
    while more := {label for item in parallel.branches if item.label in wanted for label in item.after} - wanted:
        wanted |= more
    return wanted


def _conflict(
    node: Node, place: str, first: tuple[Branch, Span | None], second: tuple[Branch, Span | None]
) -> Diagnostic:
    (one, one_span), (other, other_span) = first, second
    rule = node.action.merge.conflict.value if isinstance(node.action, Parallel) else ""
    return Diagnostic(
        code=BOTH_WRITE,
        message=f"the branches `{one.label}` and `{other.label}` both write `{place}`",
        span=other_span or node.display.source,
        severity=Severity.WARNING,
        related=() if one_span is None else (Related(one_span, f"written in `{one.label}`"),),
        reason=f"when both have written it, the join follows its rule, {rule}",
        help="let one of them return the value and assign it after the join",
    )


def rollback_findings(definition: Definition) -> list[Diagnostic]:
    """Warnings for what a rollback leaves standing: unknown outcomes, losers of races, detached children."""
    return list(_rollback(definition.graph, definition.saga, race=False))


def _rollback(graph: Graph, saga: bool, *, race: bool) -> Iterator[Diagnostic]:
    for node in graph.nodes.values():
        if saga:
            yield from _left_standing(node, race=race)
        inner_saga = saga or (isinstance(node.action, Try) and node.action.saga)
        inner_race = race or (isinstance(node.action, Parallel) and node.action.join is Join.FIRST)
        for _, inner in graphs_of(node):
            yield from _rollback(inner, inner_saga, race=inner_race)


def _left_standing(node: Node, *, race: bool) -> Iterator[Diagnostic]:
    match node.action:
        case Call(timeout_us=int(), compensation=compensation) if compensation is not None:
            if not compensation.attempted:
                yield _warning(
                    UNKNOWN_OUTCOME,
                    node,
                    f"`{node.id}` has a timeout, but its compensation does not run when the timeout passes",
                    "after a timeout nobody knows whether the step took effect",
                    "write `@compensate(..., attempted=True)`; its result parameter is then `None` where it is unknown",
                )
        case Call(compensation=None, function=str()) if race:
            yield _warning(
                LOSER,
                node,
                f"`{node.id}` may have run in a branch that loses the race, and nothing undoes it",
                "what the losing branch completed stays done",
                "give the step a compensation, or move it behind the race",
            )
        case Start(mode=mode) if mode is not StartMode.AWAIT:
            yield _warning(
                NOT_UNDONE,
                node,
                f"`{node.action.child}` is started without waiting for it, so a rollback does not undo it",
                "detached and scheduled workflows are no entries of the saga",
                "await the child, or start it where nothing can fail any more",
            )
        case _:
            return


def _warning(code: str, node: Node, message: str, reason: str, help_: str) -> Diagnostic:
    return Diagnostic(
        code=code, message=message, span=node.display.source, severity=Severity.WARNING, reason=reason, help=help_
    )
