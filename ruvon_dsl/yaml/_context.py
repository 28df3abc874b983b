"""What lowering one file needs at hand: its names, expressions, options and the functions its steps call."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import final

from ruvon.ir._diagnostics import Edit, Fix, Related
from ruvon.ir._nodes import RESERVED_TARGETS, RetryPolicy
from ruvon.ir._paths import ImportRoots
from ruvon.ir._spans import Span
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl._draft import SourceText
from ruvon_dsl._link import (
    ChildTarget,
    ClassTarget,
    Missing,
    OtherTarget,
    PlainFunctionTarget,
    PureTarget,
    StepTarget,
    Target,
)
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._check import Fields
from ruvon_dsl.yaml._expected import expected_of
from ruvon_dsl.yaml._expressions import Expressions
from ruvon_dsl.yaml._findings import Findings
from ruvon_dsl.yaml._lookup import Names
from ruvon_dsl.yaml._options import OptionReader
from ruvon_dsl.yaml._tree import Item
from ruvon_dsl.yaml._typing import TypeReader
from ruvon_dsl.yaml._values import ScalarNode, YamlNode

__all__ = ["Callee", "Defaults", "FileContext"]

Callee = StepTarget | PlainFunctionTarget


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """Options of every call that neither the step nor the declaration gives (`defaults:`)."""

    retry: RetryPolicy | None = None
    timeout_us: int | None = None
    queue: str | None = None
    queue_timeout_us: int | None = None
    deadline_us: int | None = None
    automate_next: bool = False


@final
@dataclass(slots=True)
class FileContext:
    """One document on its way to a definition."""

    source: SourceText
    found: Findings
    names: Names
    types: TypeReader
    exprs: Expressions
    options: OptionReader
    defaults: Defaults = Defaults()
    state: object = Missing
    """The state's class."""
    result: object = Missing
    """The annotation of the result."""
    taken: set[str] = field(default_factory=set[str])
    """Every node id of the definition."""
    counts: dict[str, int] = field(default_factory=dict[str, int])
    """How far the derived ids of each base have come."""
    items: dict[str, Item] = field(default_factory=dict[str, Item])
    """Every step by id."""
    callees: dict[int, Target | None] = field(default_factory=dict[int, Target | None])
    takes: dict[str, object] = field(default_factory=dict[str, object])
    """What the children of START nodes take, where it is known."""
    related: dict[str, Related] = field(default_factory=dict[str, Related])
    shadowing: dict[str, list[Span]] = field(default_factory=dict[str, list[Span]])
    """Variables with the name of a field of the state, and where they are set."""

    @classmethod
    def create(cls, source: SourceText, roots: ImportRoots, found: Findings, *, opaque: bool) -> "FileContext":
        """A context without header."""
        names = Names(roots, found, opaque=opaque)
        types = TypeReader(names, found)
        exprs = Expressions(source.file, names, types, found)
        return cls(source, found, names, types, exprs, OptionReader(names, exprs, found))

    def fresh_id(self, base: str) -> str:
        """A derived id: the base, then `_2`, `_3` ..., skipping what is taken."""
        number = self.counts.get(base, 1)
        name = base if number == 1 else f"{base}_{number}"
        while name in self.taken or name in RESERVED_TARGETS:
            number += 1
            name = f"{base}_{number}"
        self.counts[base] = number
        self.taken.add(name)
        return name

    def output(self, fields: Fields) -> Expr | None:
        """What a step's result is assigned to; the documented `output_key` names a field of the state that has it."""
        entry, node = fields.entry("output"), fields.node("output")
        keyed = entry is not None and entry.key.text == "output_key"
        if keyed and isinstance(node, ScalarNode) and node.text in expected_of(self.state).fields:
            node = replace(node, text=f"state.{node.text}", source=())
        return self.noted(node, self.exprs.target(node))

    def noted(self, node: YamlNode | None, target: Expr | None) -> Expr | None:
        """Remember where a variable is set that has the name of a field of the state."""
        if isinstance(node, ScalarNode) and isinstance(target, e.Name):
            name = target.id
            if name not in self.exprs.declared and name in expected_of(self.state).fields:
                self.shadowing.setdefault(name, []).append(node.span)
        return target

    def report_shadowing(self) -> None:
        """Warn of variables with the name of a state field that nothing reads: the field was meant."""
        for name, spans in self.shadowing.items():
            if name in self.exprs.read:
                continue
            word = f"state.{name}"
            self.found.warning(
                codes.SHADOWS_FIELD,
                f"`{name}` is a new variable that nothing reads; the field of the state is `{word}`",
                spans[0],
                f"write `{word}`, or give the variable another name",
                fix=Fix(f"write `{word}`", tuple(Edit(span, word) for span in spans)),
            )

    def callee(self, node: ScalarNode) -> Callee | None:
        """The step or function that a path names; None (reported) for anything else, or in opaque mode."""
        if id(node) not in self.callees:
            self.callees[id(node)] = self.names.target(node)
        target = self.callees[id(node)]
        match target:
            case StepTarget() | PlainFunctionTarget():
                return target
            case None:
                return None
            case ChildTarget(workflow_type=name):
                self._wrong(node, "a workflow", f"write `type: SUB_WORKFLOW` with `workflow_type: {name}`")
            case PureTarget():
                self._wrong(node, "a @pure function", f"call it in an expression: `set: {{x: =...{node.text}(...)}}`")
            case ClassTarget():
                self._wrong(node, "a class", "build it in an expression: `set: {x: =Name(...)}`")
            case OtherTarget(kind=kind):
                self._wrong(node, kind, "name a function")
            case _:
                self._wrong(node, "a block", "blocks are inlined by Python only; name a step")
        return None

    def _wrong(self, node: ScalarNode, kind: str, help_: str) -> None:
        self.names.reported.add(self.names.written(node.text))
        self.found.error(codes.WRONG_TARGET, f"`{node.text}` is {kind}, not a step function", node.span, help_)


def environment_of(environment: Mapping[str, str] | None) -> Mapping[str, str]:
    """The given environment, or the process's."""
    return os.environ if environment is None else environment
