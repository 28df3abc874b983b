"""What has happened to a run, as lines for people and programs: its history, and what was written beside it.

The command line and the server tell the same. Nothing here loads an engine; libraries are loaded by what needs them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from ruvon._described import moment

if TYPE_CHECKING:
    from ruvon.engine import Engine
    from ruvon.ir import Definition
    from ruvon.providers import InstanceRecord, LogEntry

__all__ = ["LEVELS", "dated", "told_history", "told_lines"]

LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
"""How much a line matters, least first."""
_LEVEL_OF: Final[Mapping[str, str]] = {
    "advance": "DEBUG",
    "injected": "DEBUG",
    "save": "DEBUG",
    "retry": "WARNING",
    "compensate": "WARNING",
    "cancel": "WARNING",
    "late": "WARNING",
    "cancelled": "WARNING",
    "repair": "WARNING",
    "error": "ERROR",
}
_HIDDEN: Final = "@#"
"""What the names of the engine's own entries begin with."""


async def told_history(
    engine: "Engine",
    definition: "Definition",
    record: "InstanceRecord",
    *,
    after: int = 0,
    limit: int | None = None,
) -> list[dict[str, Any]]:
    """The log of an instance, oldest first, values masked; without them where the author's code cannot be loaded.

    Args:
        engine: has the store, and loads the code.
        definition: the instance's.
        record: the instance.
        after: only entries with a `seq` above this one.
        limit: how many at most; None: all.
    """
    from ruvon.engine._history import history_entry  # noqa: PLC0415
    from ruvon.ir import RuvonError, label, walk_nodes  # noqa: PLC0415

    entries = await engine.store.read_log(record.workflow_id, after=after, limit=limit)
    try:
        program = await engine.program_of(record)
    except RuvonError:
        found = [_bare(entry) for entry in entries]
    else:
        found = [history_entry(program, entry) for entry in entries]
    types = {node.id: label(node) for node in walk_nodes(definition.graph)}
    return [_line(entry | ({"type": types[entry["step"]]} if entry["step"] in types else {})) for entry in found]


async def told_lines(
    store: Any, workflow_id: UUID, *, limit: int, level: str | None = None, before: int | None = None
) -> list[dict[str, Any]]:
    """The newest lines that were written with `log_execution`, oldest of them first.

    Args:
        store: a store that gives them out.
        workflow_id: whose.
        limit: how many at most.
        level: only those of exactly this level.
        before: only those older than the line with this `key`.
    """
    rows = await store.read_execution_logs(workflow_id, limit=limit, level=level, before=before)
    return [
        {
            "kind": "text",
            "step": row["step_name"] or None,
            "level": row["level"],
            "message": row["message"],
            "metadata": row["metadata"],
            "at": moment(row["at_us"]),
            "key": row["key"],
        }
        for row in rows
    ]


def dated(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its moment as text in place of microseconds."""
    return {**{name: value for name, value in row.items() if name != "at_us"}, "at": moment(row["at_us"])}


def _bare(entry: "LogEntry") -> dict[str, Any]:
    names = ("seq", "kind", "activation", "attempt", "at_us")
    return {**{name: getattr(entry, name) for name in names}, "step": entry.node or None, "note": entry.note}


def _line(entry: dict[str, Any]) -> dict[str, Any]:
    from ruvon.ir.values import mask  # noqa: PLC0415

    failed = entry["kind"] == "end" and str(entry.get("note", "")).startswith("FAILED")
    level = "ERROR" if failed else _LEVEL_OF.get(entry["kind"], "INFO")
    found = {**dated(entry), "level": level}
    if "changed" in found:
        found["changed"] = [name for name in found["changed"] if name[0] not in _HIDDEN]
    if (result := found.pop("result", None)) is not None:
        found["result"] = mask(result)
    return found
