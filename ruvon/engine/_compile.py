"""From a stored definition to a `Program`: functions resolved, contracts checked, expressions compiled.

What each action becomes is the business of `ruvon.steps`; it is passed in as `compile_node`, so that the engine does not
know the step types and a new one is one file.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias, final

from ruvon.engine._errors import DefinitionDriftError, ProgramError
from ruvon.engine._functions import Function, contract_problems, describe_function
from ruvon.engine._program import GraphProgram, Op, Program
from ruvon.engine._targets import TargetWriter, target_writer
from ruvon.engine._undo import Compensator
from ruvon.engine._values import Types
from ruvon.ir._canonical import walk_nodes
from ruvon.ir._errors import RuvonError
from ruvon.ir._nodes import Compensation, Definition, Graph, Node, TypeText
from ruvon.ir._reads import expressions_of
from ruvon.ir.expr import Compiled, Expr, attribute_paths, compile_expr
from ruvon.ir.values import Codec, codec_for

if TYPE_CHECKING:
    from ruvon.models import WorkflowStep

__all__ = ["CompileNode", "Compiler", "build_program"]


@final
class Compiler:
    """What the step modules need to compile their nodes."""

    def __init__(
        self,
        definition: Definition,
        types: Types,
        compile_node: "CompileNode",
        step_types: "Mapping[str, type[WorkflowStep]]",
    ) -> None:
        self.definition = definition
        self.types = types
        self.step_types = step_types
        """Custom step types by name."""
        self.problems: list[str] = []
        self._compile_node = compile_node
        self._functions: dict[str, Function] = {}
        self._compensated: dict[str, set[str]] = {}
        for node in walk_nodes(definition.graph):
            undo = getattr(node.action, "compensation", None)
            if isinstance(undo, Compensation):
                self._compensated.setdefault(undo.function, set()).add(node.id)

    def graph(self, graph: Graph) -> GraphProgram:
        """A graph, compiled."""
        return GraphProgram(graph, {node_id: self._compile_node(node, self) for node_id, node in graph.nodes.items()})

    def expr(self, expr: Expr) -> Compiled:
        """A closure over the environment of a scope."""
        return compile_expr(expr)

    def maybe(self, expr: Expr | None) -> Compiled | None:
        """The same of an optional expression."""
        return compile_expr(expr) if expr is not None else None

    def exprs(self, items: Mapping[str, Expr]) -> tuple[tuple[str, Compiled], ...]:
        """Several, by name."""
        return tuple((name, compile_expr(expr)) for name, expr in items.items())

    def target(self, expr: Expr | None) -> TargetWriter | None:
        """What assigns to a target."""
        return target_writer(expr, self.types) if expr is not None else None

    def function(self, path: str) -> Function:
        """A function by its path; one that drifted from its contract is a problem of the program."""
        known = self._functions.get(path)
        if known is None:
            known = self._functions[path] = describe_function(path, self.types.load(path))
            contract = self.definition.contracts.get(path)
            if contract is not None:
                self.problems += contract_problems(path, known, contract, self.types)
        return known

    def result_codec(self, function: Function) -> Codec:
        """The codec of a function's declared result."""
        return codec_for(function.result, self.types.table)

    def annotation(self, text: TypeText) -> object:
        """The annotation of a type text."""
        return self.types.annotation(text)

    def undone_by(self, path: str) -> frozenset[str]:
        """The nodes whose compensation is this function."""
        return frozenset(self._compensated.get(path, ()))

    def compensator(self, compensation: Compensation | None) -> Compensator | None:
        """How a step is undone."""
        if compensation is None:
            return None
        function = self.function(compensation.function)
        return Compensator(function, compensation.attempted, compensation.retry)


CompileNode: TypeAlias = Callable[[Node, Compiler], Op]


def build_program(
    definition: Definition,
    digest: bytes,
    load: Callable[[str], object],
    compile_node: CompileNode,
    step_types: "Mapping[str, type[WorkflowStep]]",
) -> Program:
    """Make a definition runnable in this process.

    Raises:
        DefinitionDriftError: deployed code no longer fits the contracts that the definition recorded.
        ProgramError: a step type is not registered, or something it names is not a function.
    """
    drift: list[str] = []
    try:
        types = Types(definition, load)
        compiler = Compiler(definition, types, compile_node, step_types)
        body = compiler.graph(definition.graph)
        drift = compiler.problems + _type_drift(definition, types)
    except (ProgramError, DefinitionDriftError):
        raise
    except (RuvonError, TypeError) as exc:
        raise DefinitionDriftError(definition.workflow_type, [str(exc)]) from exc
    if drift:
        raise DefinitionDriftError(definition.workflow_type, drift)
    return Program(definition, digest, types, body)


def _type_drift(definition: Definition, types: Types) -> list[str]:
    """How deployed classes differ from the recorded field fingerprints."""
    from ruvon.ir.types import fingerprint  # noqa: PLC0415 - only where a definition was recorded

    problems: list[str] = []
    for path, recorded in definition.types.items():
        cls = types.find_class(path)
        if cls is None:
            problems.append(f"the class `{path}` is gone")
            continue
        now = fingerprint(cls)
        old = {field.name: field for field in recorded.fields}
        for field in now.fields:
            if field.name not in old:
                problems += [f"`{path}` now requires the field `{field.name}`"] if field.required else []
            elif old[field.name].type != field.type:
                problems.append(
                    f"the field `{path}.{field.name}` was `{old[field.name].type}`, it is now `{field.type}`"
                )
        if path == definition.state:
            gone = old.keys() - {field.name for field in now.fields}
            problems += [f"`{path}` has no field `{name}` any more" for name in sorted(gone & _fields_used(definition))]
    return problems


def _fields_used(definition: Definition) -> set[str]:
    """The fields of the state that the graph itself names; what bodies of steps do with it is theirs."""
    paths = (
        path for node in walk_nodes(definition.graph) for expr in expressions_of(node) for path in attribute_paths(expr)
    )
    return {path.split(".")[1] for path in paths if path.startswith("state.")}
