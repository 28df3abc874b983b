"""Definite assignment: every variable is set on every way to where it is read.

The facts of the data flow already say, for each variable at each node, where it was set and which path leaves it out; this
pass only reads them. One finding per variable and path, at the first place that reads it.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import final

from ruvon.ir._canonical import walk_nodes
from ruvon.ir._diagnostics import Diagnostic, Related
from ruvon.ir._nodes import Decision, Definition, Loop, Node, Try
from ruvon.ir._reads import outputs_of, values_of
from ruvon.ir._spans import Span
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr import dotted, free_names, walk
from ruvon.ir.expr._language import FUNCTION_NAMES
from ruvon_dsl._link._codes import MAYBE_UNBOUND, OUTSIDE_NAME, SHADOWED
from ruvon_dsl._link._env import Env, Via

__all__ = ["all_variables", "unset_reads"]


def all_variables(definition: Definition) -> Mapping[str, Span | None]:
    """Every variable that any node of the definition sets, with the first place that does."""
    found: dict[str, Span | None] = {}
    for node in walk_nodes(definition.graph):
        for name, span in _set_by(node):
            if name not in found or _before(span, found[name]):
                found[name] = span
    return found


def _set_by(node: Node) -> Iterator[tuple[str, Span | None]]:
    targets = [*outputs_of(node)]
    item = getattr(node.action, "item", None)
    if item is not None:
        targets.append(item)
    for target in targets:
        yield from ((name, target.span or node.display.source) for name in _plain_names(target))
    index = getattr(node.action, "index", None)
    if isinstance(index, str):
        yield index, node.display.source
    if isinstance(node.action, Try):
        yield from ((item.name, node.display.source) for item in node.action.handlers if item.name is not None)


def _plain_names(target: e.Expr) -> frozenset[str]:
    match target:
        case e.Name(id=name):
            return frozenset({name})
        case e.Tuple(items=items):
            return frozenset[str]().union(*(_plain_names(item) for item in items))
        case _:
            return frozenset()


def _before(span: Span | None, other: Span | None) -> bool:
    return span is not None and (other is None or span.start < other.start)


def unset_reads(
    definition: Definition, facts: Mapping[str, Env], heads: Mapping[str, Env], *, opaque: bool
) -> list[Diagnostic]:
    """Findings for variables that are read where some way to the place does not set them.

    Args:
        definition: What was analysed.
        facts: The fact before each reachable node.
        heads: The fact before each turn of each loop; conditions are read there.
        opaque: Names that nothing binds may be outside names that nobody resolved.
    """
    exhaustive = _may_be_exhaustive(definition) if opaque else frozenset[str]()
    reader = _Reader(all_variables(definition), exhaustive, opaque=opaque)
    for node in walk_nodes(definition.graph):
        env = facts.get(node.id)
        if env is not None:
            reader.read(node, env, heads.get(node.id, env))
    return reader.found


def _may_be_exhaustive(definition: Definition) -> frozenset[str]:
    """Decisions that test the classes or values of one subject: without types nobody knows whether they leave any out."""
    found: set[str] = set()
    for node in walk_nodes(definition.graph):
        if isinstance(node.action, Decision):
            subjects = {_subject(route.condition) for route in node.action.routes}
            if len(subjects) == 1 and None not in subjects:
                found.add(node.id)
    return frozenset(found)


def _subject(condition: e.Expr) -> str | None:
    match condition:
        case e.Call(function=e.Name(id="isinstance"), args=(subject, _)) | e.Compare(left=subject, ops=("==" | "is",)):
            return dotted(subject)
        case e.Boolean(values=(first, *_)):
            return _subject(first)
        case _:
            return None


@final
class _Reader:
    def __init__(self, known: Mapping[str, Span | None], exhaustive: Collection[str], *, opaque: bool) -> None:
        self.found: list[Diagnostic] = []
        self._known = known
        self._exhaustive = exhaustive
        self._opaque = opaque
        self._seen: set[tuple[str, Via | None]] = set()

    def read(self, node: Node, env: Env, head: Env) -> None:
        """Look at every name that the node reads."""
        condition = node.action.condition if isinstance(node.action, Loop) else None
        for expr in values_of(node):
            fact = head if expr is condition else env
            for name in free_names(expr):
                self._name(name, fact, name.span or expr.span or node.display.source)
            for part in walk(expr):
                if isinstance(part, e.Call) and isinstance(part.function, e.Name) and part.function.id in self._known:
                    self._called(part.function, part.span or node.display.source)

    def _name(self, name: e.Name, env: Env, span: Span | None) -> None:
        binding = env.variables.get(name.id)
        if name.id == "state" or (binding is not None and binding.missing is None):
            return
        if name.id not in self._known:
            self._unknown(name.id, span)
        elif binding is None:
            self._never(name.id, span)
        else:
            self._maybe(name.id, binding.site, binding.missing, span)

    def _unknown(self, name: str, span: Span | None) -> None:
        if self._opaque or name in FUNCTION_NAMES or (name, None) in self._seen:
            return
        self._seen.add((name, None))
        message = f"`{name}` is not defined"
        self.found.append(Diagnostic(code=OUTSIDE_NAME, message=message, span=span, help="assign it before"))

    def _never(self, name: str, span: Span | None) -> None:
        if (name, None) in self._seen:
            return
        self._seen.add((name, None))
        site = self._known[name]
        related = (Related(site, "it is only set here"),) if site is not None and site != span else ()
        self.found.append(
            Diagnostic(
                code=MAYBE_UNBOUND,
                message=f"`{name}` is not set when it is used",
                span=span,
                label="used here",
                related=related,
                reason="Python would raise UnboundLocalError here",
                help=f"set `{name}` before; what a branch of `gather` sets is only seen outside when it is returned",
            )
        )

    def _maybe(self, name: str, site: Span | None, via: Via | None, span: Span | None) -> None:
        if (name, via) in self._seen or via is None or via.node in self._exhaustive:
            return
        self._seen.add((name, via))
        related = [] if site is None else [Related(site, f"`{name}` is set here")]
        if via.span is not None:
            related.append(Related(via.span, f"but not when {via.label}"))
        self.found.append(
            Diagnostic(
                code=MAYBE_UNBOUND,
                message=f"`{name}` may not be set when it is used",
                span=span,
                label="used here",
                related=tuple(related),
                reason="on that path Python would raise UnboundLocalError here",
                help=f"give `{name}` a value before, or set it on that path too",
            )
        )

    def _called(self, function: e.Name, span: Span | None) -> None:
        name = function.id
        message = f"`{name}` is a variable of this workflow, and is called here as a function of the language"
        self.found.append(Diagnostic(code=SHADOWED, message=message, span=span, help="give the variable another name"))
