"""The messages of event streams, and their two forms: server-sent events and texts of a WebSocket."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, final

import orjson

from ruvon._described import error_text, moment
from ruvon.providers import InstanceRecord, LogEntry, WorkflowSummary

__all__ = ["END", "HEARTBEAT", "OPENED", "Message", "entry_message", "gap", "refused", "row_of"]


@final
@dataclass(frozen=True)
class Message:
    """What an event stream says at a time."""

    event: str
    """`workflow`, `entry`, `gap`, `opened`, `heartbeat` or `end`."""
    data: bytes = b"{}"
    """JSON."""
    id: str | None = None
    """Where to go on behind it; None where it is no place."""

    @cached_property
    def event_form(self) -> bytes:
        """Its form as a server-sent event."""
        if self.event == "heartbeat":
            return b": heartbeat\n\n"
        head = f"id: {self.id}\nevent: {self.event}\n" if self.id is not None else f"event: {self.event}\n"
        return b"%sdata: %s\n\n" % (head.encode(), self.data)

    @cached_property
    def text_form(self) -> str:
        """Its form as a text of a WebSocket."""
        return orjson.dumps({"event": self.event, "id": self.id, "data": orjson.Fragment(self.data)}).decode()


OPENED: Final = Message("opened")
HEARTBEAT: Final = Message("heartbeat")
END: Final = Message("end", orjson.dumps({"detail": "the server ends; connect again with the last id"}))


def refused(detail: str) -> Message:
    """That a stream ends because whoever reads it may not do so any more."""
    return Message("end", orjson.dumps({"detail": detail}))


def gap(missed: int | None) -> Message:
    """That messages were left out: how many, where that is known."""
    detail = "messages were left out; read what you need with the other operations, the stream goes on from here"
    return Message("gap", orjson.dumps({"missed": missed, "detail": detail}))


def entry_message(entry: LogEntry) -> Message:
    """The message of an entry of a history; its id is the entry's number."""
    tree: dict[str, Any] = {
        "seq": entry.seq,
        "kind": entry.kind,
        "step": entry.node or None,
        "activation": entry.activation or None,
        "at": moment(entry.at_us),
        "attempt": entry.attempt,
        "note": entry.note,
        "error": error_text(entry.error),
    }
    return Message("entry", orjson.dumps(tree), str(entry.seq))


def row_of(found: InstanceRecord | WorkflowSummary) -> bytes:
    """How a workflow stands, as JSON: what a list shows of it."""
    tree: dict[str, Any] = {
        "workflow_id": str(found.workflow_id),
        "workflow_type": found.workflow_type,
        "workflow_version": found.workflow_version,
        "status": found.status,
        "current_step": found.current_step,
        "owner_id": found.owner_id,
        "org_id": found.org_id,
        "parent_id": str(found.parent_id) if found.parent_id is not None else None,
        "priority": found.priority,
        "created_at": moment(found.created_us),
        "updated_at": moment(found.updated_us),
    }
    return orjson.dumps(tree)
