"""`ruvon validate --against`: what definitions would break for the live runs of a database."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ruvon.cli._session import Store, await_it, opened

if TYPE_CHECKING:
    from ruvon.ir import Definition, Diagnostic, Span

__all__ = ["live_findings"]


def live_findings(definitions: "Sequence[Definition]", store: Store) -> "list[Diagnostic]":
    """The findings about live runs, each at the beginning of the definition that it is about."""
    from ruvon.engine._against import find_broken  # noqa: PLC0415  # the engine loads only when it is wanted

    async def work() -> "list[Diagnostic]":
        async with opened(store) as session:
            engine = session.builder.engine()
            return [
                replace(finding, span=finding.span or _beginning(definition))
                for definition in definitions
                for finding in await find_broken(engine, definition)
            ]

    return await_it(work())


def _beginning(definition: "Definition") -> "Span | None":
    """Where the first step of a definition was written."""
    entry = definition.graph.nodes.get(definition.graph.entry)
    return entry.display.source if entry is not None else None
