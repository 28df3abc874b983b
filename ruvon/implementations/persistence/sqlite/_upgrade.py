"""Bringing an older file up to date: one script for each version, run in the transaction that raises the version.

After the script of its version, the statements of the current schema create what a file lacks altogether (tables and
indexes), so a script holds only what `CREATE ... IF NOT EXISTS` cannot say. Columns are added at the end of their table,
where the current schema has them too: an upgraded file has the same tables as a fresh one.
"""

import sqlite3
from collections.abc import Iterator
from typing import Final

from ruvon.implementations.persistence.sqlite._schema import SCHEMA_VERSION, SQLITE_SCHEMA

__all__ = ["UPGRADES", "scripts_from", "statements_of", "upgrade_script"]

# Snapshots had one row for each workflow under the workflow's key: the keys serve as ids. A file may come from before there
# were schedules; their table is made as version 2 had it, because the next script changes it.
_FROM_1: Final = """
ALTER TABLE workflow_executions ADD COLUMN snapshot_head INTEGER;
ALTER TABLE workflow_audit_log ADD COLUMN position BLOB;
ALTER TABLE workflow_definitions ADD COLUMN stored_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE workflow_outbox ADD COLUMN workflow_id TEXT;
ALTER TABLE workflow_outbox ADD COLUMN key TEXT NOT NULL DEFAULT '';

ALTER TABLE workflow_snapshots RENAME TO workflow_snapshots_1;
CREATE TABLE workflow_snapshots (
    id INTEGER PRIMARY KEY,
    workflow_key INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    prev INTEGER,
    data BLOB NOT NULL
);
INSERT INTO workflow_snapshots (id, workflow_key, seq, prev, data)
SELECT workflow_key, workflow_key, seq, NULL, data FROM workflow_snapshots_1;
DROP TABLE workflow_snapshots_1;
UPDATE workflow_executions SET snapshot_head = s.id FROM workflow_snapshots s WHERE s.id = workflow_executions.key;

UPDATE workflow_audit_log SET position = e.position
FROM workflow_executions e WHERE workflow_audit_log.id = e.log_head;

UPDATE workflow_definitions SET stored_us = used.first_us
FROM (SELECT digest, min(created_us) AS first_us FROM workflow_executions GROUP BY digest) used
WHERE used.digest = workflow_definitions.digest;

DROP INDEX IF EXISTS ix_executions_status;

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
    revision INTEGER NOT NULL
);
"""

_FROM_2: Final = """
ALTER TABLE workflow_schedules ADD COLUMN data_region TEXT;
"""

_FROM_3: Final = """
ALTER TABLE tasks ADD COLUMN crashes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tasks ADD COLUMN progress BLOB;
DROP INDEX IF EXISTS ix_tasks_claim;
"""

_FROM_4: Final = """
ALTER TABLE tasks ADD COLUMN concurrency_key TEXT;
"""

# A file may come from before there were workers; their table is made as version 7 had it.
_FROM_7: Final = """
CREATE TABLE IF NOT EXISTS workers (
    worker_id TEXT PRIMARY KEY,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    queues TEXT NOT NULL,
    concurrency INTEGER NOT NULL,
    started_us INTEGER NOT NULL,
    seen_us INTEGER NOT NULL,
    running TEXT NOT NULL,
    draining INTEGER NOT NULL
);
ALTER TABLE workers ADD COLUMN lease_us INTEGER NOT NULL DEFAULT 0;
"""

UPGRADES: Final = {1: _FROM_1, 2: _FROM_2, 3: _FROM_3, 4: _FROM_4, 5: "", 6: "", 7: _FROM_7}
"""From this version to the next."""


def scripts_from(version: int) -> str:
    """The scripts that a file of this version lacks; a file without tables needs none of them."""
    return "".join(UPGRADES[number] for number in range(version, SCHEMA_VERSION)) if version else ""


def upgrade_script(version: int) -> str:
    """The SQL that brings a file of this version up to date; "" where nothing is to be done."""
    return scripts_from(version) + SQLITE_SCHEMA if version < SCHEMA_VERSION else ""


def statements_of(script: str) -> Iterator[str]:
    """The statements of a script, one by one: `executescript` would end the open transaction."""
    gathered = ""
    *pieces, rest = script.split(";")
    for piece in pieces:
        gathered += f"{piece};"
        if sqlite3.complete_statement(gathered):
            yield gathered
            gathered = ""
    gathered += rest
    if any(line and not line.startswith("--") for line in map(str.strip, gathered.splitlines())):
        yield gathered
