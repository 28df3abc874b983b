"""The tables of one SQLite file. Created if missing at the first start; a device needs nothing else.

What the layout is for, in the order of its weight:

* a step is one small UPDATE of `workflow_executions` and one INSERT into `workflow_audit_log`; the log is appended by
  rowid and chained through `prev`, so that the hot path maintains no secondary index;
* the large things live beside the row: the full states in `workflow_snapshots` (appended and chained like the log),
  definitions once per digest;
* indexes of `workflow_executions` cover only columns that never change or change with the status. Each has the status
  in front of the moment of creation: a list, newest first, is a merge of one ordered range for each status. Metadata
  is written once, so its index costs something only when an instance that has any begins.

An application adds a table of its own by extending `SQLITE_SCHEMA` before the provider is initialized.
"""

import re
from typing import Final

__all__ = ["OWN_TABLES", "SCHEMA_VERSION", "SQLITE_SCHEMA"]

SCHEMA_VERSION: Final = 8

SQLITE_SCHEMA: str = """
CREATE TABLE IF NOT EXISTS workflow_executions (
    key INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    workflow_type TEXT NOT NULL,
    workflow_version TEXT NOT NULL,
    digest BLOB NOT NULL,
    status TEXT NOT NULL,
    revision INTEGER NOT NULL,
    transition_id BLOB NOT NULL,
    position BLOB NOT NULL,
    last_seq INTEGER NOT NULL,
    log_head INTEGER,
    current_step TEXT,
    waiting_for BLOB,
    due_us INTEGER,
    result BLOB,
    error BLOB,
    saga_enabled INTEGER NOT NULL DEFAULT 0,
    owner_id TEXT,
    org_id TEXT,
    data_region TEXT,
    priority INTEGER NOT NULL DEFAULT 0,
    idempotency_key TEXT,
    metadata TEXT NOT NULL DEFAULT '{}',
    parent_id TEXT,
    parent_activation TEXT,
    scheduled_for_us INTEGER,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    snapshot_head INTEGER
);
CREATE UNIQUE INDEX IF NOT EXISTS ix_executions_idempotency
    ON workflow_executions (idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX IF NOT EXISTS ix_executions_status ON workflow_executions (status, created_us, org_id);
CREATE INDEX IF NOT EXISTS ix_executions_type ON workflow_executions (workflow_type, status, created_us, digest);
CREATE INDEX IF NOT EXISTS ix_executions_owner
    ON workflow_executions (owner_id, status, created_us, workflow_type) WHERE owner_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS ix_executions_due ON workflow_executions (due_us) WHERE due_us IS NOT NULL;
CREATE INDEX IF NOT EXISTS ix_executions_parent ON workflow_executions (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS ix_executions_metadata
    ON workflow_executions (created_us, metadata) WHERE metadata <> '{}';

CREATE TABLE IF NOT EXISTS workflow_snapshots (
    id INTEGER PRIMARY KEY,
    workflow_key INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    prev INTEGER,
    data BLOB NOT NULL
);

CREATE TABLE IF NOT EXISTS workflow_audit_log (
    id INTEGER PRIMARY KEY,
    workflow_key INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    prev INTEGER,
    kind TEXT NOT NULL,
    node TEXT NOT NULL,
    activation TEXT NOT NULL,
    at_us INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    delta BLOB NOT NULL,
    result BLOB,
    saga BLOB,
    error BLOB,
    note TEXT NOT NULL,
    position BLOB
);

CREATE TABLE IF NOT EXISTS workflow_inbox (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    workflow_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    key TEXT,
    payload BLOB NOT NULL,
    dedup TEXT,
    at_us INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS ix_inbox_workflow ON workflow_inbox (workflow_id);

CREATE TABLE IF NOT EXISTS workflow_inbox_seen (
    workflow_id TEXT NOT NULL,
    dedup TEXT NOT NULL,
    PRIMARY KEY (workflow_id, dedup)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS workflow_definitions (
    digest BLOB PRIMARY KEY,
    workflow_type TEXT NOT NULL,
    workflow_version TEXT NOT NULL,
    text BLOB NOT NULL,
    stored_us INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS tasks (
    task_id TEXT PRIMARY KEY,
    workflow_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    activation TEXT NOT NULL,
    queue TEXT NOT NULL,
    available_us INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    payload BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    status TEXT NOT NULL,
    worker_id TEXT,
    lease_epoch INTEGER NOT NULL,
    lease_us INTEGER NOT NULL,
    crashes INTEGER NOT NULL DEFAULT 0,
    progress BLOB,
    concurrency_key TEXT
);
CREATE INDEX IF NOT EXISTS ix_tasks_pending ON tasks (priority DESC, available_us) WHERE status = 'pending';
CREATE INDEX IF NOT EXISTS ix_tasks_wakes ON tasks (priority DESC, available_us)
WHERE status = 'pending' AND kind <> 'step';
CREATE INDEX IF NOT EXISTS ix_tasks_leases ON tasks (lease_us) WHERE status = 'claimed';
CREATE INDEX IF NOT EXISTS ix_tasks_workflow ON tasks (workflow_id);

CREATE TABLE IF NOT EXISTS queue_limits (
    queue TEXT PRIMARY KEY,
    concurrency INTEGER,
    per_key INTEGER,
    rate INTEGER,
    period_us INTEGER NOT NULL,
    starts TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS workers (
    worker_id TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    queues TEXT NOT NULL,
    concurrency INTEGER NOT NULL,
    started_us INTEGER NOT NULL,
    seen_us INTEGER NOT NULL,
    running TEXT NOT NULL,
    draining INTEGER NOT NULL,
    lease_us INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS workflow_outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL,
    at_us INTEGER NOT NULL,
    workflow_id TEXT,
    key TEXT NOT NULL DEFAULT ''
);

CREATE TABLE IF NOT EXISTS workflow_schedules (
    schedule_id TEXT PRIMARY KEY,
    workflow_type TEXT NOT NULL,
    cron TEXT NOT NULL,
    timezone TEXT NOT NULL,
    data BLOB NOT NULL,
    version TEXT,
    overlap TEXT NOT NULL,
    catch_up INTEGER NOT NULL,
    paused INTEGER NOT NULL,
    next_us INTEGER,
    last_us INTEGER,
    last_workflow_id TEXT,
    buffered INTEGER NOT NULL,
    owner_id TEXT,
    org_id TEXT,
    note TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    data_region TEXT
);

CREATE TABLE IF NOT EXISTS workflow_documents (
    id TEXT PRIMARY KEY,
    data TEXT NOT NULL,
    status TEXT,
    workflow_type TEXT,
    owner_id TEXT,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS workflow_execution_logs (
    id INTEGER PRIMARY KEY,
    workflow_id TEXT NOT NULL,
    step_name TEXT,
    level TEXT NOT NULL,
    message TEXT NOT NULL,
    metadata TEXT NOT NULL,
    at_us INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS ix_execution_logs_workflow ON workflow_execution_logs (workflow_id);

CREATE TABLE IF NOT EXISTS workflow_metrics (
    id INTEGER PRIMARY KEY,
    workflow_id TEXT NOT NULL,
    step_name TEXT,
    name TEXT NOT NULL,
    value REAL NOT NULL,
    metadata TEXT NOT NULL,
    at_us INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS ix_metrics_workflow ON workflow_metrics (workflow_id);

CREATE TABLE IF NOT EXISTS workflow_heartbeats (
    workflow_id TEXT PRIMARY KEY,
    worker_id TEXT NOT NULL,
    current_step TEXT,
    step_started_us INTEGER NOT NULL,
    heartbeat_us INTEGER NOT NULL,
    metadata TEXT NOT NULL
);

CREATE TABLE IF NOT EXISTS edge_sync_state (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
"""

OWN_TABLES: Final = frozenset(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", SQLITE_SCHEMA))
"""The tables that only Ruvon writes and reads."""
