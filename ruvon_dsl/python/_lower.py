"""The entrance of the front end: one module in, one draft for each of its workflows out."""

from dataclasses import dataclass, replace
from pathlib import PurePath
from types import MappingProxyType
from typing import final

from ruvon.ir._diagnostics import Diagnostic, Related
from ruvon.ir._nodes import END, Definition, Graph
from ruvon.ir._spans import Span
from ruvon_dsl._draft import Draft, SourceText
from ruvon_dsl._link import Lookup
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._findings import Findings, in_order
from ruvon_dsl.python._lower_module import lower_workflow
from ruvon_dsl.python._names import read_names
from ruvon_dsl.python._source import read_source

__all__ = ["FoundWorkflow", "find_workflows", "lower_module"]


@final
@dataclass(frozen=True, slots=True)
class FoundWorkflow:
    """A workflow of a module, as far as its text shows."""

    function: str
    """The name of the decorated function."""
    workflow_type: str | None
    """The name given to the decorator, where it is a literal."""
    span: Span
    """The function's head."""


def find_workflows(source: SourceText) -> list[FoundWorkflow]:
    """The `@workflow` functions at the top level of a module, without importing it; none where it is no Python."""
    read = read_source(source, Findings())
    if read is None:
        return []
    names = read_names(read.module)
    return [
        FoundWorkflow(name, declared.workflow_type, read.header(declared.node, declared.node.name))
        for name, declared in names.declared.items()
        if declared.kind == "workflow" and declared.node is not None
    ]


def lower_module(source: SourceText, lookup: Lookup | None, *, only: str | None = None) -> list[Draft]:
    """Lower every workflow of a module.

    Args:
        source: The module's text; nothing of it is run.
        lookup: Names of the imported module to objects; None lowers without any import (opaque mode: callees stay names).
        only: Lower just the function of this name.

    Returns:
        One draft for each `@workflow` function in source order, with all findings about it, sorted. A text that is no
        Python gives one empty draft with that finding; a module without workflows gives none.
    """
    findings = Findings()
    read = read_source(source, findings)
    if read is None:
        return [_empty(source, findings.sorted())]
    names = read_names(read.module)
    drafts: list[Draft] = []
    known: dict[tuple[str, str], Draft] = {}
    for name, declared in names.declared.items():
        if declared.kind == "workflow" and declared.node is not None and only in {None, name}:
            own = Findings()
            read.findings = own
            draft = lower_workflow(read, source, names, declared, lookup)
            first = known.setdefault((draft.definition.workflow_type, draft.definition.workflow_version), draft)
            drafts.append(draft if first is draft else _known_before(draft, first))
    return drafts


def _known_before(draft: Draft, first: Draft) -> Draft:
    """The draft with the finding that another workflow of the module has its name."""
    name, version = draft.definition.workflow_type, draft.definition.workflow_version
    found = Diagnostic(
        code=codes.SAME_NAME,
        message=f"two workflows are named `{name}`, both in version {version}",
        span=draft.span,
        related=() if first.span is None else (Related(first.span, "the first one"),),
        help="give one of them another name, or another `version=`",
        reason="a workflow is started by its name and version, so only one of them could be",
    )
    return replace(draft, diagnostics=in_order([*draft.diagnostics, found]))


def _empty(source: SourceText, found: tuple[Diagnostic, ...]) -> Draft:
    graph = Graph(entry=END, nodes=MappingProxyType({}))
    return Draft(Definition(workflow_type=PurePath(source.file).stem, graph=graph), source, found)
