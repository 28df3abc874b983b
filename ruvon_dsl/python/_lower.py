"""The entrance of the front end: one module in, one draft for each of its workflows out."""

from dataclasses import dataclass
from pathlib import PurePath
from types import MappingProxyType
from typing import final

from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._nodes import END, Definition, Graph
from ruvon.ir._spans import Span
from ruvon_dsl._draft import Draft, SourceText
from ruvon_dsl._link import Lookup
from ruvon_dsl.python._findings import Findings
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
    for name, declared in names.declared.items():
        if declared.kind == "workflow" and declared.node is not None and only in {None, name}:
            own = Findings()
            read.findings = own
            drafts.append(lower_workflow(read, source, names, declared, lookup))
    return drafts


def _empty(source: SourceText, found: tuple[Diagnostic, ...]) -> Draft:
    graph = Graph(entry=END, nodes=MappingProxyType({}))
    return Draft(Definition(workflow_type=PurePath(source.file).stem, graph=graph), source, found)
