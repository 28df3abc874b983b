"""A definition as a Python module that compiles back to the same digest."""

import textwrap
from typing import Final

from ruvon.ir._nodes import CommitMode, Definition
from ruvon_dsl.printing._declare import declared_variables
from ruvon_dsl.printing._imports import Imports, snake_case
from ruvon_dsl.printing._layout import Piece, call_of, flat, lay_out, quoted
from ruvon_dsl.printing._locals import introduced_nodes, local_names, most_automatic, named_by_declaration
from ruvon_dsl.printing._names import named_nodes, routed
from ruvon_dsl.printing._python_body import Body, Place
from ruvon_dsl.printing._python_calls import Calls
from ruvon_dsl.printing._structure import structure
from ruvon_dsl.printing._targets import Declarations, Resolve
from ruvon_dsl.printing._tree import Block, Flow, children

__all__ = ["to_python"]

_RESERVED: Final = frozenset({"state", "at", "each", "branch"})


def to_python(
    definition: Definition,
    *,
    module_docstring: str | None = None,
    function_name: str | None = None,
    resolve: Resolve | None = None,
) -> str:
    """Print a definition as a Python module.

    Args:
        definition: A definition that passes the verifier.
        module_docstring: The docstring of the module; by default one sentence with the workflow's type.
        function_name: The name of the workflow's function; by default the type in snake case.
        resolve: Gives the object at a path `module:Qualname`, to print options only where they differ from the
            declaration and undecorated functions as `step_ref`. Without it every function counts as a plain `@step`.

    Returns:
        The text of a module; compiling it against the same code gives the same digest.
    """
    block = structure(definition.graph)
    names = local_names(definition)
    imports = Imports(names | _RESERVED)
    declarations = Declarations(resolve)
    function = imports.reserve(function_name or snake_case(definition.workflow_type))
    calls = Calls(imports, declarations, workflow=function, state=definition.state, variables=definition.variables)
    automatic, labels = most_automatic(definition), _labels(block)
    routes = {node.id: effect for node, effect in routed(block)}
    introduced = introduced_nodes(definition, lambda node: declarations.usual(node, automatic=automatic), routes)
    body = Body(
        calls,
        imports,
        explicit=named_nodes(block, labels | introduced | named_by_declaration(definition, declarations)) - labels,
        names=names | {"state", function},
        variables=definition.variables,
        annotated=declared_variables(definition),
        routes=routes,
        automatic=automatic,
    )
    lines = _function(definition, body, block, imports, calls, function, automatic)
    handles = [line for piece in calls.handle_lines for line in lay_out("", piece)]
    docstring = module_docstring if module_docstring is not None else f"The workflow {definition.workflow_type}."
    imported = imports.lines()
    text = [_docstring(docstring, 0)]
    for group in [*imported, handles]:
        if group:
            text.extend(["", *group])
    return "\n".join([*text, "", "", *_tidy(lines)]) + "\n"


def _function(
    definition: Definition, body: Body, block: Block, imports: Imports, calls: Calls, name: str, automatic: bool
) -> list[str]:
    inner = body.block(block, Place())
    decorator = call_of(f"@{imports.ours('workflow')}", _header(definition, calls, automatic))
    result = "" if definition.result is None else f" -> {imports.type(definition.result)}"
    lines = [*lay_out("", decorator), f"async def {name}(state: {imports.type(definition.state)}){result}:"]
    if definition.description:
        lines.append(_docstring(definition.description, 1))
    declared = [f"    {variable}: {imports.type(text)}" for variable, text in body.undeclared()]
    return [*lines, *declared, *inner]


def _header(definition: Definition, calls: Calls, automatic: bool) -> list[Piece]:
    items: list[Piece] = [quoted(definition.workflow_type), f"version={quoted(definition.workflow_version)}"]
    if definition.saga:
        items.append("saga=True")
    if not definition.strict_results:
        items.append("strict_results=False")
    if not automatic:
        items.append("automate_next=False")
    if definition.history is not None:
        items.append(f"history={definition.history}")
    if definition.commit is not CommitMode.STEP:
        items.append(f"commit={quoted(definition.commit.value)}")
    if definition.timeout_us is not None:
        items.append(f"timeout={flat(calls.duration(definition.timeout_us))}")
    return items


def _docstring(text: str, depth: int) -> str:
    body = text.strip().replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if body.endswith('"'):
        body = f'{body[:-1]}\\"'
    return textwrap.indent(f'"""{body}"""', "    " * depth)


def _tidy(lines: list[str]) -> list[str]:
    """One blank line around nested functions, none at the edges of blocks."""
    kept: list[str] = []
    for line in lines:
        opens = bool(kept) and (not kept[-1] or kept[-1].endswith(":"))
        if line or not opens:
            kept.append(line)
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _labels(block: Block) -> set[str]:
    found: set[str] = set()
    pending = list(block)
    while pending:
        statement = pending.pop()
        if isinstance(statement, Flow):
            found.update(stage.label for stage in statement.stages)
        pending.extend(item for inner in children(statement) for item in inner)
    return found
