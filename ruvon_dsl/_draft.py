"""What a front end hands to the linker: a definition lowered from one source, and what was found on the way.

The draft's definition is complete in structure. Outside names are already `Ref` or constants, function paths are
canonical, arguments stand by parameter name and options are resolved; what needs the whole graph (the types of
variables, the type table, contracts, schemas) is left to `ruvon_dsl._link.link`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import final

from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._nodes import Definition
from ruvon.ir._spans import Span
from ruvon.models import WorkflowStep

__all__ = ["Draft", "SourceText"]


@final
@dataclass(frozen=True, slots=True)
class SourceText:
    """One text to compile; `file` is the name that spans and messages carry."""

    file: str
    text: str


@final
@dataclass(frozen=True, slots=True)
class Draft:
    """A definition as a front end lowered it.

    `variables` holds only declared types; `types`, `contracts` and `schemas` are empty; every node has its
    `display.source` and every expression its span.
    """

    definition: Definition
    source: SourceText
    diagnostics: tuple[Diagnostic, ...] = ()
    span: Span | None = None
    """Where the definition's name stands: the `def` line or the YAML `workflow_type`."""
    path: str | None = None
    """`module:function` of a Python workflow; None for YAML and for a parse without import."""
    takes: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    """By id of a START node the annotation that the child takes as its data, where the front end knows it."""
    implicit: frozenset[str] = frozenset()
    """Ids of the nodes whose `next` is nothing but the order of a YAML list (a lint reads it)."""
    opaque: bool = False
    """The code it names was not or could not be loaded (which is a finding): nothing that needs it can be checked."""
    step_types: Mapping[str, type[WorkflowStep]] = field(default_factory=lambda: MappingProxyType({}))
    """Classes of custom step types, by name, that the source itself imports."""
    reported: frozenset[str] = frozenset()
    """Paths that cannot be loaded, or are no functions, and that a finding is about already."""
