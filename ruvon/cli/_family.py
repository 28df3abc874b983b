"""What a workflow starts: found among what the command line knows, and in the modules that the workflow itself names.

A workflow that starts another one of its own modules needs no option for it. One that nobody knows is told before anything
is stored.
"""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ruvon.cli._output import Exit, fail

if TYPE_CHECKING:
    from ruvon.builder import WorkflowBuilder
    from ruvon.cli._definitions import Runnable
    from ruvon.cli._session import Session
    from ruvon.ir import Definition

__all__ = ["register_family", "require_children"]


def register_family(builder: "WorkflowBuilder", runnable: "Runnable") -> list[tuple[str, str]]:
    """Register a workflow, those of its file, and those of its modules that it starts; pairs of starter and type unknown."""
    from ruvon.engine import UnknownWorkflowTypeError  # noqa: PLC0415

    builder.register(*runnable.family)
    chosen = runnable.family[-1]
    home = [chosen.path.partition(":")[0]] if chosen.path is not None else []
    pending, seen, unknown = [chosen.definition], {chosen.definition.workflow_type}, list[tuple[str, str]]()
    while pending:
        definition = pending.pop()
        for child, version in _started(definition):
            if child in seen:
                continue
            seen.add(child)
            found = _declared(child, [*home, *_modules(definition)])
            if child not in builder.registered_types() and found is not None:
                builder.register(found)
            try:
                pending.append(builder.get_definition(child, version))
            except UnknownWorkflowTypeError:
                unknown.append((definition.workflow_type, child))
    return unknown


async def require_children(session: "Session", unknown: list[tuple[str, str]]) -> None:
    """End the command where a type that is started is known neither here nor in the database."""
    for starter, child in unknown:
        if not await session.provider.list_definitions(child):
            known = ", ".join(f"`{name}`" for name in session.builder.registered_types())
            fail(
                f"`{starter}` starts `{child}`, which nothing here defines (known: {known}); "
                "name the file or folder that does with --workflows PATH",
                Exit.NOT_FOUND,
            )


def _started(definition: "Definition") -> Iterator[tuple[str, str | None]]:
    from ruvon.ir import Start, walk_nodes  # noqa: PLC0415

    for node in walk_nodes(definition.graph):
        if isinstance(node.action, Start):
            yield node.action.child, node.action.version


def _modules(definition: "Definition") -> list[str]:
    """The modules that a definition takes functions and classes from."""
    paths = (*definition.contracts, *definition.types)
    return sorted({path.partition(":")[0] for path in paths if ":" in path})


def _declared(workflow_type: str, modules: list[str]) -> object | None:
    """The Python workflow of a type that one of these modules, imported by compiling, has."""
    for name in modules:
        values: list[object] = list(vars(sys.modules[name]).values()) if name in sys.modules else []
        for value in values:
            declared: Any = getattr(value, "__ruvon_workflow__", None)
            if declared is not None and declared.workflow_type == workflow_type and declared.function is not None:
                return value
    return None
