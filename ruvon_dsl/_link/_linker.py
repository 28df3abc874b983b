"""`link`: a front end's draft becomes a definition, or the list of what is wrong with it.

The passes, in order: the verifier (a draft that breaks its rules goes no further), data flow, the checks that read its
facts, findings about shape, concurrency and functions, and the finish that writes types and contracts into the
definition. Only a definition without errors gets a digest.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, final

from ruvon.ir._canonical import digest
from ruvon.ir._diagnostics import Diagnostic, Severity
from ruvon.ir._nodes import Definition
from ruvon.ir._paths import ImportRoots
from ruvon.ir._spans import Position, Span
from ruvon.ir._verify import verify
from ruvon_dsl._draft import Draft
from ruvon_dsl._link._bindings import all_variables, unset_reads
from ruvon_dsl._link._branches import race_findings, rollback_findings, write_conflicts
from ruvon_dsl._link._callables import call_findings
from ruvon_dsl._link._checker import Checker
from ruvon_dsl._link._checks import Checks
from ruvon_dsl._link._codes import (
    ARGUMENT_TYPE,
    BROKEN_GRAPH,
    NOT_FOUND,
    OPTION_TYPE,
    RESULT_TYPE,
    STRANDED,
    TARGET_TYPE,
)
from ruvon_dsl._link._concurrency_keys import concurrency_key_findings
from ruvon_dsl._link._custom_fields import custom_field_findings
from ruvon_dsl._link._env import Env
from ruvon_dsl._link._finish import finish
from ruvon_dsl._link._flow import Flow
from ruvon_dsl._link._idle_timeouts import idle_timeouts
from ruvon_dsl._link._never_undone import idle_compensations
from ruvon_dsl._link._resolve import Resolver
from ruvon_dsl._link._shared_commits import shared_commit_findings
from ruvon_dsl._link._spinning import spinning_loops
from ruvon_dsl._link._storage import storage_findings
from ruvon_dsl._link._structure import falls_through, handler_findings, unreachable_nodes
from ruvon_dsl._link._typing import FlowTyping

__all__ = ["Linked", "in_order", "link"]

_OF_VALUES: Final = frozenset({ARGUMENT_TYPE, OPTION_TYPE, RESULT_TYPE, TARGET_TYPE})
"""Findings about the type of a whole value, which follow from a wrong part of it."""


@final
@dataclass(frozen=True, slots=True)
class Linked:
    """What linking gives; without errors the definition is complete and `digest` its name."""

    definition: Definition | None
    digest: bytes | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error among the findings."""
        return not has_errors(self.diagnostics)


def link(draft: Draft, roots: ImportRoots, *, opaque: bool = False) -> Linked:
    """Link a draft.

    Args:
        draft: What a front end lowered.
        roots: Where code may be loaded from.
        opaque: Parse only: nothing is imported, no types are known, there is no digest.

    Returns:
        The linked definition with all findings, those of the draft included. The definition is None where the graph is
        broken, and without a digest where there is an error.
    """
    broken = verify(draft.definition)
    if broken:
        mistakes = [
            *shared_commit_findings(draft.definition, None),
            *concurrency_key_findings(draft.definition, None),
        ]
        said = mistakes or _broken(draft, broken)
        return Linked(None, None, in_order([*draft.diagnostics, *said]))
    opaque = opaque or draft.opaque
    resolver = Resolver(roots, opaque=opaque, span=draft.span, reported=draft.reported)
    state = resolver.type_of(draft.definition.state, draft.span)
    checker = Checker(state, resolver, all_variables(draft.definition))
    typing = FlowTyping(draft.definition, resolver, checker)
    flow = Flow(typing)
    exits = flow.run(draft.definition.graph, Env())
    facts, heads = flow.facts, flow.heads()
    checks = Checks(draft.definition, resolver, checker, typing, draft.takes, draft.step_types)
    checks.run(facts, heads)
    found = _shape_findings(draft, resolver)
    if not has_errors(draft.diagnostics):  # what the front end refused is missing in the graph
        found += [*unset_reads(draft.definition, facts, heads, opaque=opaque), *_way_findings(draft)]
        checks.falls_off(exits)
    found += checks.found
    if opaque:
        return Linked(draft.definition, None, _together(draft, found))
    filled, unfinished = finish(draft.definition, resolver, typing.bound, draft.span)
    found += [*unfinished, *storage_findings(filled, resolver, draft.span), *resolver.found]
    name = None if has_errors([*draft.diagnostics, *found]) else digest(filled)
    return Linked(filled, name, _together(draft, found))


def _together(draft: Draft, found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """All findings; where the front end has an error about the same place, it says it better."""
    known = [item for item in draft.diagnostics if item.severity is Severity.ERROR and item.span is not None]
    return in_order([*draft.diagnostics, *(item for item in found if not any(_follows(item, one) for one in known))])


def _follows(item: Diagnostic, known: Diagnostic) -> bool:
    """Whether a finding only repeats, or follows from, what the front end has said about the same place or name."""
    if item.span == known.span:
        return True
    if item.code == NOT_FOUND:
        return _subject(item) == _subject(known)
    inside = item.span is not None and known.span is not None and _contains(item.span, known.span)
    return inside and item.code in _OF_VALUES


def _subject(item: Diagnostic) -> str:
    """The first name that a message quotes."""
    return item.message.split("`", 2)[1] if item.message.count("`") > 1 else ""


def _contains(outer: Span, inner: Span) -> bool:
    return outer.file == inner.file and outer.start <= inner.start and inner.end <= outer.end


def _way_findings(draft: Draft) -> list[Diagnostic]:
    return [*unreachable_nodes(draft.definition), *falls_through(draft.definition, draft.implicit)]


def _shape_findings(draft: Draft, resolver: Resolver) -> list[Diagnostic]:
    definition = draft.definition
    return [
        *_stranded(draft),
        *handler_findings(definition, resolver),
        *spinning_loops(definition),
        *race_findings(definition),
        *write_conflicts(definition, resolver),
        *rollback_findings(definition),
        *([] if resolver.opaque else idle_timeouts(definition, resolver)),
        *shared_commit_findings(definition, resolver),
        *concurrency_key_findings(definition, resolver),
        *custom_field_findings(definition, draft.step_types.get),
        *([] if resolver.opaque else [*call_findings(draft, resolver), *idle_compensations(draft, resolver)]),
    ]


def _stranded(draft: Draft) -> list[Diagnostic]:
    """A warning where the definition names `__main__`, which is another module in every process."""
    if draft.path is None or not draft.path.startswith("__main__:"):
        return []
    name = draft.path.partition(":")[2]
    return [
        Diagnostic(
            code=STRANDED,
            message=f"`{name}` is defined in `__main__`, where no other process finds what a stored run needs",
            span=draft.span,
            severity=Severity.WARNING,
            reason="a stored run names its functions and models by module, and `__main__` is each process's own",
            help="move the workflow, its steps and its models into a module, and import them here",
        )
    ]


def _broken(draft: Draft, problems: Iterable[str]) -> list[Diagnostic]:
    """The verifier's sentences, where the front end has not already said why."""
    if has_errors(draft.diagnostics):
        return []
    return [Diagnostic(code=BROKEN_GRAPH, message=problem, span=draft.span) for problem in problems]


def has_errors(found: Iterable[Diagnostic]) -> bool:
    """Whether any finding is an error."""
    return any(item.severity is Severity.ERROR for item in found)


def in_order(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Findings by position, each once; one that says the same of the same place as an earlier one is dropped."""
    unique: dict[tuple[object, ...], Diagnostic] = {}
    for item in found:
        unique.setdefault((item.code, item.span, item.message), item)
    return tuple(sorted(unique.values(), key=_place))


def _place(item: Diagnostic) -> tuple[str, Position, str]:
    if item.span is None:
        return "", Position(0, 0), item.code
    return item.span.file, item.span.start, item.code
