"""One `@workflow` function to a definition: its header, its body, and the checks that need the whole function."""

import ast
from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType
from typing import Final

import libcst as cst

from ruvon.ir._nodes import CommitMode, Definition, Graph
from ruvon.ir._spans import Span
from ruvon_dsl._draft import Draft, SourceText
from ruvon_dsl._link import ChildTarget, Lookup, Missing, describe
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._aliases import check_aliases
from ruvon_dsl.python._callees import result_text
from ruvon_dsl.python._context import Frame, Place, Unit
from ruvon_dsl.python._frames import frame_of
from ruvon_dsl.python._lower_block import lower_block
from ruvon_dsl.python._lower_options import constant, read_timeout
from ruvon_dsl.python._lower_types import type_of
from ruvon_dsl.python._names import Declared, Names
from ruvon_dsl.python._naming import NodeNames
from ruvon_dsl.python._parse_blocks import BlockReader
from ruvon_dsl.python._parse_values import read_value
from ruvon_dsl.python._pieces import graph_of
from ruvon_dsl.python._scopes import invocations, statements_of, values_of
from ruvon_dsl.python._source import Source
from ruvon_dsl.python._surface import (
    Block,
    Discarded,
    Dotted,
    FlowLoop,
    Function,
    Invocation,
    Passing,
    Statement,
    Text,
    Value,
)

__all__ = ["lower_workflow"]

_HEADER: Final = ("version", "saga", "strict_results", "automate_next", "history", "commit", "timeout")
_REGISTRATION: Final = ("cron", "tz", "overlap", "catch_up", "retention")


def lower_workflow(source: Source, text: SourceText, names: Names, declared: Declared, lookup: Lookup | None) -> Draft:
    """The draft of one workflow."""
    node = declared.node
    assert node is not None  # noqa: S101 - the caller picked declarations with a function
    findings = source.findings
    unit = Unit(source, names, lookup, findings, lower_block)
    reader = BlockReader(source, names)
    _check_shape(source, node, reader)
    function = reader.function(node)
    header = _Header(unit, node, function)
    unit.ids = NodeNames(_given_names(unit, function.body))
    unit.state = header.state()
    frame = frame_of(function.body, {"state": function.span}, None)
    graph = graph_of(unit.block(function.body, Place(frame)))
    _check_branches(unit, frame)
    check_aliases(graph, findings)
    definition = header.definition(graph)
    doc = node.get_docstring()
    definition = definition if doc is None else replace(definition, description=doc)
    path = None if lookup is None else header.path()
    return Draft(definition, text, findings.sorted(), source.header(node, node.name), path)


class _Header:
    """What the decorator and the signature say."""

    def __init__(self, unit: Unit, node: cst.FunctionDef, function: Function) -> None:
        self.unit = unit
        self.function = function
        self.frame = Frame({})
        self.options: dict[str, Value] = {}
        self.name_value: Value | None = None
        self.span = unit.source.header(node, node.name)
        for decorator in node.decorators:
            value = read_value(unit.source, decorator.decorator)
            callee = value.function if isinstance(value, Invocation) else value
            if isinstance(callee, Dotted) and unit.names.ruvon(callee.parts) == "workflow":
                self._decorator(value)
        unit.automate = self._constant("automate_next", bool, default=True)

    def _decorator(self, value: Value) -> None:
        for arg in value.args if isinstance(value, Invocation) else ():
            if arg.keyword is None and not arg.star and self.name_value is None:
                self.name_value = arg.value
            elif arg.keyword in (*_HEADER, *_REGISTRATION):
                self.options[arg.keyword or ""] = arg.value
            else:
                self.unit.findings.error(
                    codes.WORKFLOW_OPTION,
                    f"`workflow` has no option `{arg.keyword or arg.value.text}`",
                    arg.span,
                    help=f"it takes {', '.join(f'`{name}`' for name in (*_HEADER, *_REGISTRATION))}",
                )
        if self.name_value is None:
            self.unit.findings.error(
                codes.WORKFLOW_NAME,
                f"the workflow `{self.function.name}` has no name",
                self.span,
                help=f'write `@workflow("{_camel(self.function.name)}")`',
                reason="instances and other workflows find it by that name, whatever the function is called",
            )

    def _constant(self, name: str, kind: type[bool], *, default: bool) -> bool:
        value = self.options.get(name)
        found = None if value is None else constant(self.unit, value, self.frame, kind, f"`{name}`")
        return default if found is None else found

    def _text(self, name: str, default: str) -> str:
        value = self.options.get(name)
        found = None if value is None else constant(self.unit, value, self.frame, str, f"`{name}`")
        return default if found is None else found

    def workflow_type(self) -> str:
        """The name given to the decorator."""
        value = self.name_value
        found = None if value is None else constant(self.unit, value, self.frame, str, "the workflow's name")
        return found or _camel(self.function.name)

    def path(self) -> str | None:
        """The function's path, through the imported module."""
        found = self.unit.lookup(self.function.name) if self.unit.lookup is not None else Missing
        declaration = getattr(found, "__ruvon_workflow__", None)
        path = getattr(declaration, "path", None)
        return path if isinstance(path, str) else None

    def _annotation(self, value: Text | Dotted | None, side: str) -> str | None:
        """A type of the signature: from the imported workflow where there is one, else from the text."""
        if value is None:
            return None
        found = self.unit.lookup(self.function.name) if self.unit.lookup is not None else Missing
        target = describe(found) if found is not Missing else None
        if isinstance(target, ChildTarget):
            annotation = target.takes if side == "state" else target.gives
            text = "None" if annotation is None else result_text(annotation)
            if text is not None:
                return text
        return type_of(self.unit, value)

    def state(self) -> str:
        """The state's type; a dict where the parameter has no annotation."""
        parameter = next(iter(self.function.parameters), None)
        found = None if parameter is None else self._annotation(parameter.annotation, "state")
        return found or "dict[str, object]"

    def definition(self, graph: Graph) -> Definition:
        """The definition with the header's fields."""
        history = self.options.get("history")
        timeout = self.options.get("timeout")
        commit = self._text("commit", "step")
        if commit not in {item.value for item in CommitMode}:
            self.unit.findings.error(
                codes.WORKFLOW_OPTION, f"`commit` is not `{commit}`", self.span, help='it is "step" or "iteration"'
            )
            commit = "step"
        return Definition(
            workflow_type=self.workflow_type(),
            workflow_version=self._text("version", "1.0.0"),
            state=self.unit.state,
            result=self._annotation(self.function.returns, "result"),
            saga=self._constant("saga", bool, default=False),
            strict_results=self._constant("strict_results", bool, default=True),
            history=None if history is None else constant(self.unit, history, self.frame, int, "`history`"),
            commit=CommitMode(commit),
            timeout_us=None if timeout is None else read_timeout(self.unit, timeout, self.frame),
            variables=MappingProxyType(dict(self.unit.variables)),
            graph=graph,
        )


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_")) or "Workflow"


# --- shape ------------------------------------------------------------------------------------------------------------


def _check_shape(source: Source, node: cst.FunctionDef, reader: BlockReader) -> None:
    """Report a workflow that is not an `async def` with the one parameter `state`."""
    name = node.name.value
    span = source.header(node, node.name)
    if node.asynchronous is None:
        source.findings.error(
            codes.NOT_ASYNC, f"the workflow `{name}` is not an `async def`", span, help=f"write `async def {name}(...)`"
        )
    params = node.params
    every = [*params.posonly_params, *params.params, *params.kwonly_params]
    if [item.name.value for item in every] != ["state"]:
        given = ", ".join(f"`{item.name.value}`" for item in every) or "nothing"
        source.findings.error(
            codes.PARAMETERS,
            f"the workflow `{name}` takes {given}, where it must take `state` and nothing else",
            source.span(every[0].name).to(source.span(every[-1].name)) if every else span,
            help=f"write `async def {name}(state: YourModel)`, with all inputs as fields of the model",
        )
    reader.check_parameters(node, "workflow")
    for decorator in node.decorators if len(node.decorators) > 1 else ():
        call = decorator.decorator
        maker = call.func if isinstance(call, cst.Call) else call
        value = read_value(source, maker)
        if isinstance(value, Dotted) and reader.names.ruvon(value.parts) == "workflow":
            continue
        source.findings.error(
            codes.DECORATED,
            f"the workflow `{name}` has a second decorator, `{value.text}`",
            source.span(decorator),
            help="delete it; what it does belongs into a step",
            reason="the graph is made of the body as it is written, so the decorator would change nothing or lie",
        )


# --- names that the author gave ---------------------------------------------------------------------------------------


def _given_names(unit: Unit, body: Block) -> Iterator[str]:
    """Names from `.with_(name=)`, `node("...")` and stages of flows; one that stands twice is reported."""
    seen: dict[str, Span] = {}
    for name, span in _names_in(unit, body):
        if name in {"END", "BREAK", "CONTINUE"} or not name.strip():
            unit.findings.error(
                codes.NODE_NAME, f"`{name}` cannot be the name of a node", span, help="choose another name"
            )
        elif name in seen:
            unit.findings.error(
                codes.NODE_NAME,
                f"two nodes are named `{name}`",
                span,
                help=f"give one of them another name; the first stands at line {seen[name].start.line}",
                reason="a name is how a node is found for retry, jump and audit",
            )
        else:
            seen[name] = span
            yield name


def _names_in(unit: Unit, body: Block) -> Iterator[tuple[str, Span]]:
    heads: set[Span] = set()
    for statement in statements_of(body):
        if isinstance(statement, Function):
            yield from _names_in(unit, statement.body)
        if isinstance(statement, FlowLoop):
            yield from ((label, span) for label, _, span in statement.stages)
            heads.update(item.span for _, stage, _ in statement.stages if (item := _head(stage)) is not None)
        for value in values_of(statement):
            for call in invocations(value):
                whole = isinstance(statement, Discarded) and statement.value is call
                found = _name_of(unit, call, whole=whole)
                if found is not None and not (whole and statement.span in heads):
                    yield found


def _head(stage: Block) -> Statement | None:
    """The first statement of a stage: a `node(...)` there only gives options to the node that the stage names."""
    return next((item for item in stage.statements if not isinstance(item, Passing | Function)), None)


def _name_of(unit: Unit, call: Invocation, *, whole: bool) -> tuple[str, Span] | None:
    """The literal name that one call gives to a node."""
    function = call.function
    if whole and isinstance(function, Dotted) and unit.names.ruvon(function.parts) == "node":
        first = call.args[0].value if call.args else None
        return _literal(first)
    last = function.parts[-1] if isinstance(function, Dotted) else getattr(function, "name", "")
    if last != "with_":
        return None
    return next((found for arg in call.args if arg.keyword == "name" and (found := _literal(arg.value))), None)


def _literal(value: Value | None) -> tuple[str, Span] | None:
    text = value.text if isinstance(value, Text) else ""
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    assert isinstance(value, Text)  # noqa: S101 - its text is not empty
    return (found, value.span) if isinstance(found, str) else None


def _check_branches(unit: Unit, frame: Frame) -> None:
    """Report nested functions that run never or more than once."""
    for branch in frame.branches.values():
        name = branch.function.name
        if len(branch.used) == 1:
            continue
        often = "never used" if not branch.used else f"used {len(branch.used)} times"
        unit.findings.error(
            codes.BRANCH_USE,
            f"the branch `{name}` is {often}",
            branch.function.span,
            help="use it in exactly one `gather` or `first_of`"
            + ("; for the second use write a second function, or put its work into a step" if branch.used else ""),
            reason="its nodes are part of the graph once, each with one id",
        )
