"""The log of an instance as people and tools read it."""

from typing import Any

import orjson

from ruvon.engine._error_records import ErrorRecord
from ruvon.engine._program import Program
from ruvon.providers import LogEntry

__all__ = ["history_entry"]


def history_entry(program: Program, entry: LogEntry) -> dict[str, Any]:
    """One log entry with its values decoded."""
    dynamic = program.types.dynamic
    found: dict[str, Any] = {
        "seq": entry.seq,
        "kind": entry.kind,
        "step": entry.node or None,
        "activation": entry.activation,
        "attempt": entry.attempt,
        "at_us": entry.at_us,
    }
    if entry.note:
        found["note"] = entry.note
    if entry.result is not None:
        found["result"] = dynamic.decode(entry.result)
    if entry.error is not None:
        record = ErrorRecord.decode(entry.error)
        found["error"] = f"{record.kind}: {record.message}"
        if record.trace:
            found["traceback"] = record.trace
    if entry.delta:
        scopes = orjson.loads(entry.delta)
        changed = {name for tree in scopes.values() for part in ("s", "v") for name in tree.get(part, {})}
        changed |= {name[1:] for tree in scopes.values() for name in tree.get("p", {})}
        found["changed"] = sorted(name for name in changed if name[0] != "@")
    return found
