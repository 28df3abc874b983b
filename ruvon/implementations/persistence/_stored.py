"""Where values of the author's lie: the tables that encryption concerns, the same for every store.

What is encrypted is bound to its place, so what is said here of scopes and details may never change.
"""

from typing import Final

from ruvon.providers.encryption import Form, StoredTable

__all__ = [
    "BEATS",
    "DEVICE_TEXTS",
    "DOCUMENTS",
    "EXECUTIONS",
    "INBOX",
    "LINES",
    "LOG",
    "OUTBOX",
    "SCHEDULES",
    "SNAPSHOTS",
    "TABLES",
    "TASKS",
]

EXECUTIONS: Final = StoredTable(
    "workflow_executions",
    {"position": Form.BYTES, "waiting_for": Form.BYTES, "result": Form.BYTES, "error": Form.BYTES},
    key="key",
    scope="id",
    details=("revision",),
)
SNAPSHOTS: Final = StoredTable("workflow_snapshots", {"data": Form.BYTES}, key="id", details=("seq",))
LOG: Final = StoredTable(
    "workflow_audit_log",
    {
        "delta": Form.BYTES,
        "result": Form.BYTES,
        "saga": Form.BYTES,
        "error": Form.BYTES,
        "note": Form.TEXT,
        "position": Form.BYTES,
    },
    key="id",
    details=("seq",),
)
INBOX: Final = StoredTable(
    "workflow_inbox", {"payload": Form.BYTES}, key="seq", details=("kind", "name", "key", "at_us")
)
TASKS: Final = StoredTable(
    "tasks", {"payload": Form.BYTES, "progress": Form.BYTES}, key="task_id", key_is_text=True, scope="task_id"
)
OUTBOX: Final = StoredTable("workflow_outbox", {"payload": Form.BYTES}, key="id", details=("topic", "key", "at_us"))
SCHEDULES: Final = StoredTable(
    "workflow_schedules",
    {"data": Form.BYTES, "note": Form.TEXT},
    key="schedule_id",
    key_is_text=True,
    scope="schedule_id",
)
DOCUMENTS: Final = StoredTable("workflow_documents", {"data": Form.DOCUMENT}, key="id", key_is_text=True, scope="id")
LINES: Final = StoredTable("workflow_execution_logs", {"message": Form.TEXT, "metadata": Form.METADATA}, key="id")
BEATS: Final = StoredTable("workflow_heartbeats", {"metadata": Form.METADATA}, key="workflow_id", key_is_text=True)
DEVICE_TEXTS: Final = StoredTable("edge_sync_state", {"value": Form.TEXT}, key="key", key_is_text=True, scope="key")

TABLES: Final = (EXECUTIONS, SNAPSHOTS, LOG, INBOX, TASKS, OUTBOX, SCHEDULES, DOCUMENTS, LINES, BEATS)
"""What every store has; a device's has `DEVICE_TEXTS` too."""
