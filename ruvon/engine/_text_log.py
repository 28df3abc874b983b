"""The execution log: lines that steps write for people, beside the truth and never in its way."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from ruvon.providers import EngineStore, PersistenceError

__all__ = ["write_lines"]

_LOGGER: Final = logging.getLogger("ruvon.engine")


async def write_lines(
    store: EngineStore, workflow_id: UUID, step: str, lines: Sequence[tuple[str, str, Mapping[str, Any]]]
) -> None:
    """Write the lines of an attempt where the store has an execution log; a store that fails is logged, and no more."""
    append = getattr(store, "log_execution", None)  # no part of what the engine itself needs of a store
    if append is None:
        return
    try:
        for level, message, metadata in lines:
            await append(workflow_id, step, level, message, metadata)
    except PersistenceError:
        _LOGGER.exception("the execution log of %s could not be written", workflow_id)
