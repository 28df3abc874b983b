"""Every statement that the provider runs, named and in one place. Values are always bound, never pasted."""

from typing import Final

__all__: list[str] = []

# --- the hot path: one group commit -----------------------------------------------------------------------------------

DATA_VERSION: Final = "PRAGMA data_version"

HEADS: Final = """
SELECT key, revision, log_head, snapshot_head, status, due_us, saga_enabled,
       waiting_for IS NULL AND result IS NULL AND error IS NULL AS is_plain
FROM workflow_executions
WHERE key IN (SELECT value FROM json_each(?))"""

LAST_LOG_ID: Final = "SELECT coalesce(max(id), 0) FROM workflow_audit_log"

LAST_SNAPSHOT_ID: Final = "SELECT coalesce(max(id), 0) FROM workflow_snapshots"

# Most steps change nothing else, and write no more than that.
STEP: Final = """
UPDATE workflow_executions
SET revision = ?, transition_id = ?, position = ?, last_seq = ?, log_head = ?, current_step = ?, updated_us = ?
WHERE key = ?"""

# A step that leaves status and due date alone touches no index.
ADVANCE: Final = """
UPDATE workflow_executions
SET revision = ?, transition_id = ?, position = ?, last_seq = ?, log_head = ?, snapshot_head = ?, current_step = ?,
    waiting_for = ?, result = ?, error = ?, saga_enabled = ?, updated_us = ?
WHERE key = ?"""

MOVE: Final = """
UPDATE workflow_executions
SET revision = ?, transition_id = ?, position = ?, last_seq = ?, log_head = ?, snapshot_head = ?, current_step = ?,
    waiting_for = ?, result = ?, error = ?, saga_enabled = ?, updated_us = ?, status = ?, due_us = ?
WHERE key = ?"""

APPEND_LOG: Final = """
INSERT INTO workflow_audit_log
    (id, workflow_key, seq, prev, kind, node, activation, at_us, attempt, delta, result, saga, error, note, position)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

# Most entries neither hold a saga entry nor an error.
APPEND_PLAIN_LOG: Final = """
INSERT INTO workflow_audit_log
    (id, workflow_key, seq, prev, kind, node, activation, at_us, attempt, delta, result, note, position)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""

SNAPSHOT: Final = "INSERT INTO workflow_snapshots (id, workflow_key, seq, prev, data) VALUES (?, ?, ?, ?, ?)"

REDEFINE: Final = (
    "UPDATE workflow_executions SET digest = ?, workflow_version = coalesce(?, workflow_version) WHERE key = ?"
)

INSERT_INSTANCE: Final = """
INSERT INTO workflow_executions
    (id, workflow_type, workflow_version, digest, status, revision, transition_id, position, last_seq, current_step,
     waiting_for, due_us, result, error, saga_enabled, owner_id, org_id, data_region, priority, idempotency_key,
     metadata, parent_id, parent_activation, scheduled_for_us, created_us, updated_us, snapshot_head)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING RETURNING key"""

INSERT_DEFINITION: Final = """
INSERT INTO workflow_definitions (digest, workflow_type, workflow_version, text, stored_us) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING"""

MARK_SEEN: Final = """
INSERT INTO workflow_inbox_seen (workflow_id, dedup) VALUES (?, ?) ON CONFLICT DO NOTHING RETURNING 1"""

INSERT_INBOX: Final = """
INSERT INTO workflow_inbox (workflow_id, kind, name, key, payload, dedup, at_us) VALUES (?, ?, ?, ?, ?, ?, ?)"""

CONSUME_INBOX: Final = "DELETE FROM workflow_inbox WHERE seq = ?"

INSERT_TASK: Final = """
INSERT INTO tasks
    (task_id, workflow_id, kind, activation, queue, available_us, priority, payload, attempt, status, worker_id,
     lease_epoch, lease_us, crashes, progress, concurrency_key)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (task_id) DO UPDATE SET
    kind = excluded.kind, available_us = excluded.available_us, attempt = excluded.attempt, status = excluded.status,
    payload = excluded.payload, crashes = excluded.crashes, progress = excluded.progress"""

FINISH_TASK: Final = "DELETE FROM tasks WHERE task_id = ?"

INSERT_OUTBOX: Final = """
INSERT INTO workflow_outbox (topic, payload, at_us, workflow_id, key) VALUES (?, ?, ?, ?, ?)"""

# --- forgetting old history (off the hot path) ------------------------------------------------------------------------

KEPT_FROM: Final = """
SELECT s.seq AS snapshot_seq, e.last_seq FROM workflow_executions e JOIN workflow_snapshots s ON s.id = e.snapshot_head
WHERE e.key = ?"""

LOG_UP_TO: Final = """
WITH RECURSIVE chain (id) AS (
    SELECT log_head FROM workflow_executions WHERE key = :key
    UNION ALL
    SELECT l.prev FROM chain JOIN workflow_audit_log l ON l.id = chain.id WHERE l.prev IS NOT NULL
)
SELECT l.id, l.seq, l.prev, (l.saga IS NOT NULL OR l.kind = 'compensate') AS saga
FROM chain JOIN workflow_audit_log l ON l.id = chain.id WHERE l.seq <= :seq ORDER BY l.seq"""

FORGET_LOG: Final = "DELETE FROM workflow_audit_log WHERE id = ?"

RELINK_LOG: Final = "UPDATE workflow_audit_log SET prev = ? WHERE id = ?"

SNAPSHOTS_UP_TO: Final = """
WITH RECURSIVE chain (id) AS (
    SELECT snapshot_head FROM workflow_executions WHERE key = :key
    UNION ALL
    SELECT s.prev FROM chain JOIN workflow_snapshots s ON s.id = chain.id WHERE s.prev IS NOT NULL
)
SELECT s.id, s.seq FROM chain JOIN workflow_snapshots s ON s.id = chain.id ORDER BY s.seq"""

FORGET_SNAPSHOT: Final = "DELETE FROM workflow_snapshots WHERE id = ?"

END_SNAPSHOTS: Final = "UPDATE workflow_snapshots SET prev = NULL WHERE id = ?"

# --- reads ------------------------------------------------------------------------------------------------------------

KEY_OF: Final = "SELECT key FROM workflow_executions WHERE id = ?"

KEY_AND_ID_BY_IDEMPOTENCY: Final = "SELECT key, id FROM workflow_executions WHERE idempotency_key = ?"

LOAD_INSTANCE: Final = """
SELECT e.*, s.seq AS snapshot_seq, s.data AS snapshot
FROM workflow_executions e LEFT JOIN workflow_snapshots s ON s.id = e.snapshot_head
WHERE e.id = ?"""

# The chain is followed from the newest snapshot back to the first that is old enough.
READ_SNAPSHOT: Final = """
WITH RECURSIVE chain (id, seq, prev) AS (
    SELECT s.id, s.seq, s.prev
    FROM workflow_executions e JOIN workflow_snapshots s ON s.id = e.snapshot_head WHERE e.id = :id
    UNION ALL
    SELECT s.id, s.seq, s.prev FROM chain JOIN workflow_snapshots s ON s.id = chain.prev WHERE chain.seq > :at
)
SELECT s.seq, s.data FROM chain JOIN workflow_snapshots s ON s.id = chain.id
WHERE s.seq <= :at ORDER BY s.seq DESC LIMIT 1"""

TRANSITION_OF: Final = "SELECT transition_id FROM workflow_executions WHERE key = ?"

# The chain is followed from the newest entry back to the first that is asked for.
READ_LOG: Final = """
WITH RECURSIVE chain (id, prev, seq) AS (
    SELECT l.id, l.prev, l.seq
    FROM workflow_executions e JOIN workflow_audit_log l ON l.id = e.log_head WHERE e.id = :id
    UNION ALL
    SELECT l.id, l.prev, l.seq FROM chain JOIN workflow_audit_log l ON l.id = chain.prev WHERE chain.seq > :after + 1
)
SELECT l.* FROM chain JOIN workflow_audit_log l ON l.id = chain.id
WHERE l.seq > :after AND (:saga = 0 OR l.saga IS NOT NULL OR l.kind = 'compensate')
ORDER BY l.seq LIMIT :limit"""

DROP_LOG: Final = """
WITH RECURSIVE chain (id, prev) AS (
    SELECT id, prev FROM workflow_audit_log WHERE id = ?
    UNION ALL
    SELECT l.id, l.prev FROM chain JOIN workflow_audit_log l ON l.id = chain.prev
)
DELETE FROM workflow_audit_log WHERE id IN (SELECT id FROM chain)"""

DROP_SNAPSHOTS: Final = """
WITH RECURSIVE chain (id, prev) AS (
    SELECT id, prev FROM workflow_snapshots WHERE id = ?
    UNION ALL
    SELECT s.id, s.prev FROM chain JOIN workflow_snapshots s ON s.id = chain.prev
)
DELETE FROM workflow_snapshots WHERE id IN (SELECT id FROM chain)"""

HEADS_OF: Final = "SELECT log_head, snapshot_head FROM workflow_executions WHERE id = ?"

READ_INBOX: Final = "SELECT * FROM workflow_inbox WHERE workflow_id = ? AND seq > ? ORDER BY seq"

NEWEST_INBOX: Final = "SELECT coalesce(max(seq), 0) FROM workflow_inbox"

GROWN_INBOXES: Final = "SELECT workflow_id, max(seq) FROM workflow_inbox WHERE seq > ? GROUP BY workflow_id"

GET_DEFINITION: Final = "SELECT * FROM workflow_definitions WHERE digest = ?"

LIST_DOCUMENTS: Final = """
SELECT id, workflow_type, NULL AS workflow_version, status, NULL AS current_step, owner_id, NULL AS org_id,
       NULL AS parent_id, 0 AS priority, created_us, updated_us
FROM workflow_documents
WHERE (:status IS NULL OR status = :status) AND (:type IS NULL OR workflow_type = :type)
  AND (:owner IS NULL OR owner_id = :owner) AND id NOT GLOB 'ruvon.*'
ORDER BY created_us DESC, id LIMIT :limit"""

# Finding instances: one ordered range of an index for each status that is wanted (or there is), merged. What the index
# does not say is looked up in the row, and only where it is asked for.
_WANTED: Final = """
WITH RECURSIVE present (status) AS (
    SELECT min(status) FROM workflow_executions
    UNION ALL
    SELECT (SELECT min(status) FROM workflow_executions WHERE status > present.status) FROM present
    WHERE present.status IS NOT NULL
),
wanted (status) AS MATERIALIZED (
    SELECT status FROM present
    WHERE status IS NOT NULL AND (:statuses IS NULL OR status IN (SELECT value FROM json_each(:statuses)))
)"""

_RANGE: Final = " f.status = wanted.status AND f.created_us >= :from_us AND f.created_us < :until_us"

# The text of the metadata is always written in the same way, so what is looked for must occur in it, which is seen sooner
# than JSON is read. An item has another one or the end behind it.
_OCCURS: Final = """instr(f.metadata, :fragment)
      AND (instr(f.metadata, :fragment || ',') OR instr(f.metadata, :fragment || '}'))"""

_FITS: Final = f"""
      AND (:type IS NULL OR f.workflow_type = :type)
      AND (:org IS NULL OR f.org_id = :org)
      AND (:owner IS NULL OR f.owner_id = :owner)
      AND (:digest IS NULL OR f.digest = :digest)
      AND (:version IS NULL OR f.workflow_version = :version)
      AND (:step IS NULL OR f.current_step = :step)
      AND (:updated_before IS NULL OR f.updated_us < :updated_before)
      AND (:metadata IS NULL OR {_OCCURS} AND NOT EXISTS (
          SELECT 1 FROM json_each(:metadata) m WHERE NOT EXISTS (
              SELECT 1 FROM json_each(f.metadata) found
              WHERE found.key = m.key AND found.type = m.type AND found.value IS m.value)))"""  # noqa: S608 - the parts are constants

_SUMMARY: Final = """e.key, e.id, e.workflow_type, e.workflow_version, e.status, e.current_step, e.owner_id, e.org_id,
       e.parent_id, e.priority, e.created_us, e.updated_us, e.digest, e.due_us"""

_FIND: Final = """{wanted}
SELECT {summary}
FROM wanted CROSS JOIN workflow_executions e
WHERE e.key IN (
    SELECT f.key FROM workflow_executions f INDEXED BY {index}
    WHERE {driver}{range}{fits}
      AND (f.created_us, f.key) < (:after_us, :after_key)
    ORDER BY f.created_us DESC, f.key DESC LIMIT :limit)
ORDER BY e.created_us DESC, e.key DESC LIMIT :limit"""

_COUNT: Final = """{wanted}
SELECT count(*) FROM wanted CROSS JOIN workflow_executions f INDEXED BY {index}
WHERE {driver}{range}{fits}"""

# What is given leads to the index that is read; the first of these that is given decides.
_DRIVERS: Final = {
    "parent": ("ix_executions_parent", "f.parent_id = :parent AND"),
    "owner": ("ix_executions_owner", "f.owner_id = :owner AND"),
    "digest": (
        "ix_executions_type",
        "f.workflow_type = (SELECT workflow_type FROM workflow_definitions WHERE digest = :digest) AND",
    ),
    "type": ("ix_executions_type", "f.workflow_type = :type AND"),
    "status": ("ix_executions_status", ""),
}


# What is asked for may be rare, and in none of the indexes above. Steps and moments of changes change too often for an
# index: there, reading all rows in the order of the file takes a third of the time that reaching each of them through an
# index takes. Metadata never changes, and its index holds all that decides. What is rare comes first.
_FIND_RARE: Final = """
SELECT {summary}
FROM workflow_executions e
WHERE e.key IN (
    SELECT f.key FROM workflow_executions f {source}
    WHERE {rare} AND (:statuses IS NULL OR f.status IN (SELECT value FROM json_each(:statuses)))
      AND f.created_us >= :from_us AND f.created_us < :until_us AND (:parent IS NULL OR f.parent_id = :parent){fits}
      AND (f.created_us, f.key) < (:after_us, :after_key)
    ORDER BY f.created_us DESC, f.key DESC LIMIT :limit)
ORDER BY e.created_us DESC, e.key DESC LIMIT :limit"""

_COUNT_RARE: Final = """
SELECT count(*) FROM workflow_executions f {source}
WHERE {rare} AND (:statuses IS NULL OR f.status IN (SELECT value FROM json_each(:statuses)))
  AND f.created_us >= :from_us AND f.created_us < :until_us AND (:parent IS NULL OR f.parent_id = :parent){fits}"""

_RARE: Final = {
    "step": ("NOT INDEXED", "f.current_step = :step"),
    "updated_before": ("NOT INDEXED", "f.updated_us < :updated_before"),
    "metadata": ("INDEXED BY ix_executions_metadata", f"f.metadata <> '{{}}' AND {_OCCURS}"),
}


def _driven(template: str) -> dict[str, str]:
    return {
        name: template.format(wanted=_WANTED, summary=_SUMMARY, range=_RANGE, fits=_FITS, index=index, driver=driver)
        for name, (index, driver) in _DRIVERS.items()
    }


def _led(template: str) -> dict[str, str]:
    return {
        name: template.format(summary=_SUMMARY, source=source, rare=rare, fits=_FITS)
        for name, (source, rare) in _RARE.items()
    }


FIND: Final = _driven(_FIND)

# No index has the moment of a change, because each step would write it. What has not ended is found by its status; what has
# ended lately by the newest entries of the log, where every end is, or by its creation.
CHANGED: Final = f"""
WITH changed (key) AS MATERIALIZED (
    SELECT f.key FROM json_each(:live) AS wanted CROSS JOIN workflow_executions f INDEXED BY ix_executions_status
    WHERE f.status = wanted.value AND f.updated_us >= :after_us
    UNION
    SELECT f.key FROM json_each(:ended) AS wanted CROSS JOIN workflow_executions f INDEXED BY ix_executions_status
    WHERE f.status = wanted.value AND f.created_us >= :after_us
    UNION
    SELECT l.workflow_key FROM workflow_audit_log l WHERE l.id > :floor
)
SELECT {_SUMMARY}
FROM changed CROSS JOIN workflow_executions e ON e.key = changed.key
WHERE (e.updated_us, e.key) > (:after_us, :after_key)
ORDER BY e.updated_us, e.key LIMIT :limit"""  # noqa: S608 - the parts are constants

LOG_BACK: Final = """
SELECT id, at_us FROM workflow_audit_log WHERE id <= (SELECT max(id) FROM workflow_audit_log) - ?
ORDER BY id DESC LIMIT 1"""

COUNT: Final = _driven(_COUNT)

FIND_RARE: Final = _led(_FIND_RARE)
"""By the value that is asked for; the first that is given decides."""

COUNT_RARE: Final = _led(_COUNT_RARE)

COUNT_BY_DEFINITION: Final = """
SELECT d.digest, d.workflow_type, d.workflow_version, coalesce(sum(c.rows) FILTER (WHERE NOT c.over), 0) AS live,
       coalesce(sum(c.rows) FILTER (WHERE c.over), 0) AS ended
FROM (
    SELECT digest, count(*) AS rows, status IN (SELECT value FROM json_each(:ended)) AS over
    FROM workflow_executions INDEXED BY ix_executions_type
    WHERE workflow_type IN (SELECT workflow_type FROM workflow_definitions WHERE :type IS NULL OR workflow_type = :type)
    GROUP BY digest, status
) c JOIN workflow_definitions d ON d.digest = c.digest
GROUP BY d.digest ORDER BY d.workflow_type, d.workflow_version, d.digest"""

DUE: Final = "SELECT id FROM workflow_executions WHERE due_us <= ? ORDER BY due_us, key LIMIT ?"

UNREAD: Final = """
SELECT i.workflow_id, max(i.seq) AS newest FROM workflow_inbox i JOIN workflow_executions e ON e.id = i.workflow_id
WHERE e.status NOT IN (SELECT value FROM json_each(:retryable))
GROUP BY i.workflow_id HAVING newest > :after ORDER BY newest LIMIT :limit"""

# Oldest first. One stays while anything further up its line of parents has not ended.
PURGEABLE: Final = """
SELECT e.id FROM workflow_executions e
WHERE e.status IN (SELECT value FROM json_each(:ended)) AND e.created_us < :before AND e.updated_us < :before
  AND (:type IS NULL OR e.workflow_type = :type)
  AND NOT EXISTS (
    WITH RECURSIVE line (id) AS (
        SELECT e.parent_id
        UNION ALL
        SELECT p.parent_id FROM line JOIN workflow_executions p ON p.id = line.id
    )
    SELECT 1 FROM line JOIN workflow_executions a ON a.id = line.id
    WHERE a.status NOT IN (SELECT value FROM json_each(:ended)))
LIMIT :limit"""

# --- schedules and outbox ---------------------------------------------------------------------------------------------

PUT_SCHEDULE: Final = """
INSERT OR REPLACE INTO workflow_schedules
    (schedule_id, workflow_type, cron, timezone, data, version, overlap, catch_up, paused, next_us, last_us,
     last_workflow_id, buffered, owner_id, org_id, note, created_us, updated_us, revision, data_region)
VALUES (:schedule_id, :workflow_type, :cron, :timezone, :data, :version, :overlap, :catch_up, :paused, :next_us,
        :last_us, :last_workflow_id, :buffered, :owner_id, :org_id, :note, :created_us, :updated_us, :revision,
        :data_region)"""

GET_SCHEDULE: Final = "SELECT * FROM workflow_schedules WHERE schedule_id = ?"

LIST_SCHEDULES: Final = "SELECT * FROM workflow_schedules ORDER BY schedule_id"

DELETE_SCHEDULE: Final = "DELETE FROM workflow_schedules WHERE schedule_id = ?"

DUE_SCHEDULES: Final = """
SELECT * FROM workflow_schedules WHERE NOT paused AND (next_us <= ? OR buffered > 0)
ORDER BY next_us, schedule_id LIMIT ?"""

READ_OUTBOX: Final = "SELECT * FROM workflow_outbox WHERE id > ? ORDER BY id LIMIT ?"

DELETE_OUTBOX: Final = "DELETE FROM workflow_outbox WHERE id = ?"

# --- the documented methods around the engine -------------------------------------------------------------------------

SAVE_DOCUMENT: Final = """
INSERT INTO workflow_documents (id, data, status, workflow_type, owner_id, created_us, updated_us)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET data = excluded.data, status = excluded.status,
    workflow_type = excluded.workflow_type, owner_id = excluded.owner_id, updated_us = excluded.updated_us"""

LOAD_DOCUMENT: Final = "SELECT data FROM workflow_documents WHERE id = ?"

LOG_LINE: Final = """
INSERT INTO workflow_execution_logs (workflow_id, step_name, level, message, metadata, at_us)
VALUES (?, ?, ?, ?, ?, ?)"""

READ_LOG_LINES: Final = """
SELECT workflow_id, step_name, level, message, metadata, at_us, id AS "key" FROM workflow_execution_logs
WHERE workflow_id = :id AND (:level IS NULL OR level = :level) AND (:before IS NULL OR id < :before)
ORDER BY id DESC LIMIT :limit"""

METRIC: Final = """
INSERT INTO workflow_metrics (workflow_id, step_name, name, value, metadata, at_us) VALUES (?, ?, ?, ?, ?, ?)"""

READ_METRICS: Final = """
SELECT workflow_id, step_name, name, value, metadata, at_us FROM workflow_metrics
WHERE (:id IS NULL OR workflow_id = :id) AND (:name IS NULL OR name = :name) ORDER BY id DESC LIMIT :limit"""

RELEASE_TASK: Final = """
UPDATE tasks SET status = 'pending', worker_id = NULL, lease_us = 0, available_us = ? WHERE task_id = ?"""

TASK_STATUS: Final = "UPDATE tasks SET status = ? WHERE task_id = ?"

GET_TASK: Final = "SELECT * FROM tasks WHERE task_id = ?"

HEARTBEAT: Final = """
INSERT INTO workflow_heartbeats (workflow_id, worker_id, current_step, step_started_us, heartbeat_us, metadata)
VALUES (:id, :worker, :step, :now, :now, :metadata)
ON CONFLICT (workflow_id) DO UPDATE SET
    step_started_us = CASE WHEN current_step IS excluded.current_step AND worker_id = excluded.worker_id
                           THEN step_started_us ELSE excluded.step_started_us END,
    worker_id = excluded.worker_id, current_step = excluded.current_step,
    heartbeat_us = excluded.heartbeat_us, metadata = excluded.metadata"""

REMOVE_HEARTBEAT: Final = "DELETE FROM workflow_heartbeats WHERE workflow_id = ? AND worker_id = ?"

STALE_HEARTBEATS: Final = """
SELECT * FROM workflow_heartbeats WHERE heartbeat_us < ? ORDER BY heartbeat_us, workflow_id"""

DELETE_WORKFLOW: Final = (
    "DELETE FROM workflow_inbox WHERE workflow_id = :id",
    "DELETE FROM workflow_inbox_seen WHERE workflow_id = :id",
    "DELETE FROM tasks WHERE workflow_id = :id",
    "DELETE FROM workflow_heartbeats WHERE workflow_id = :id",
    "DELETE FROM workflow_execution_logs WHERE workflow_id = :id",
    "DELETE FROM workflow_metrics WHERE workflow_id = :id",
)

DELETE_INSTANCE: Final = "DELETE FROM workflow_executions WHERE id = ?"

DELETE_DOCUMENT: Final = "DELETE FROM workflow_documents WHERE id = ?"

PENDING_SYNC: Final = """
SELECT e.* FROM workflow_executions e
WHERE e.status IN ('COMPLETED', 'FAILED', 'FAILED_ROLLED_BACK', 'FAILED_CHILD_WORKFLOW', 'FAILED_WORKER_CRASH',
                   'CANCELLED')
ORDER BY e.updated_us, e.key LIMIT ?"""

NEWEST_LOG: Final = """
WITH RECURSIVE chain (id, prev, n) AS (
    SELECT l.id, l.prev, 1
    FROM workflow_executions e JOIN workflow_audit_log l ON l.id = e.log_head WHERE e.id = :id
    UNION ALL
    SELECT l.id, l.prev, n + 1 FROM chain JOIN workflow_audit_log l ON l.id = chain.prev WHERE n < :limit
)
SELECT l.* FROM chain JOIN workflow_audit_log l ON l.id = chain.id ORDER BY l.seq"""

# A workflow goes only when every workflow started by it goes too: an unsynced child keeps its parent.
DELETABLE: Final = """
SELECT id FROM workflow_executions e
WHERE id IN (SELECT value FROM json_each(:ids))
  AND status IN ('COMPLETED', 'FAILED', 'FAILED_ROLLED_BACK', 'FAILED_CHILD_WORKFLOW', 'FAILED_WORKER_CRASH',
                 'CANCELLED')"""

GET_SYNC_STATE: Final = "SELECT value FROM edge_sync_state WHERE key = ?"

SET_SYNC_STATE: Final = "INSERT OR REPLACE INTO edge_sync_state (key, value) VALUES (?, ?)"

COUNTS: Final = """
SELECT 'workflows' AS name, count(*) AS rows FROM workflow_executions
UNION ALL SELECT 'log entries', count(*) FROM workflow_audit_log
UNION ALL SELECT 'inbox entries', count(*) FROM workflow_inbox
UNION ALL SELECT 'definitions', count(*) FROM workflow_definitions
UNION ALL SELECT 'tasks', count(*) FROM tasks
UNION ALL SELECT 'outbox events', count(*) FROM workflow_outbox"""

BY_STATUS: Final = "SELECT status, count(*) AS rows FROM workflow_executions GROUP BY status ORDER BY status"

# --- operators --------------------------------------------------------------------------------------------------------

CHILDREN: Final = """
SELECT id, workflow_type, status, current_step, parent_activation, created_us FROM workflow_executions
WHERE parent_id = ? ORDER BY created_us, key"""

IDS_LIKE: Final = """
SELECT id FROM workflow_executions
WHERE id LIKE :begin || '%' AND (:owner IS NULL OR owner_id = :owner) AND (:org IS NULL OR org_id = :org)
ORDER BY created_us DESC LIMIT :limit"""

DEFINITIONS: Final = """
SELECT * FROM workflow_definitions WHERE :type IS NULL OR workflow_type = :type ORDER BY stored_us, rowid"""

BY_TYPE: Final = """
SELECT workflow_type, status, count(*) AS workflows, avg(updated_us - created_us) AS mean_us,
       max(updated_us - created_us) AS longest_us
FROM workflow_executions WHERE (:type IS NULL OR workflow_type = :type)
GROUP BY workflow_type, status ORDER BY workflow_type, status"""

METRIC_SUMMARY: Final = """
SELECT name, step_name, count(*) AS count, min(value) AS min, avg(value) AS mean, max(value) AS max
FROM workflow_metrics WHERE (:id IS NULL OR workflow_id = :id) AND (:name IS NULL OR name = :name)
GROUP BY name, step_name ORDER BY name, step_name"""

INTEGRITY: Final = "PRAGMA integrity_check"

# Each yields what is wrong as (workflow_id, detail); a sound database yields nothing.
CHECKS: Final = {
    "its definition is not stored": """
SELECT e.id AS workflow_id, lower(hex(e.digest)) AS detail FROM workflow_executions e
WHERE NOT EXISTS (SELECT 1 FROM workflow_definitions d WHERE d.digest = e.digest)""",
    "its newest log entry is missing": """
SELECT e.id AS workflow_id, 'entry ' || e.last_seq AS detail FROM workflow_executions e
LEFT JOIN workflow_audit_log l ON l.id = e.log_head AND l.workflow_key = e.key AND l.seq = e.last_seq
WHERE e.last_seq > 0 AND l.id IS NULL""",
    "a log entry before this one is missing": """
SELECT e.id AS workflow_id, 'entry ' || l.seq AS detail FROM workflow_audit_log l
JOIN workflow_executions e ON e.key = l.workflow_key
LEFT JOIN workflow_audit_log p ON p.id = l.prev AND p.workflow_key = l.workflow_key AND p.seq < l.seq
WHERE l.prev IS NOT NULL AND p.id IS NULL""",
    "its state is not stored": """
SELECT e.id AS workflow_id, 'snapshot' AS detail FROM workflow_executions e
LEFT JOIN workflow_snapshots s ON s.id = e.snapshot_head AND s.workflow_key = e.key AND s.seq <= e.last_seq
WHERE s.id IS NULL""",
    "an earlier state of it is missing": """
SELECT e.id AS workflow_id, 'before entry ' || s.seq AS detail FROM workflow_snapshots s
JOIN workflow_executions e ON e.key = s.workflow_key
LEFT JOIN workflow_snapshots p ON p.id = s.prev AND p.workflow_key = s.workflow_key AND p.seq <= s.seq
WHERE s.prev IS NOT NULL AND p.id IS NULL""",
    "log entries belong to no workflow": """
SELECT NULL AS workflow_id, count(*) || ' entries' AS detail FROM workflow_audit_log l
WHERE NOT EXISTS (SELECT 1 FROM workflow_executions e WHERE e.key = l.workflow_key) HAVING count(*) > 0""",
}
