"""Statements about many instances, schedules and events: lists, counts, checks. Values are always bound."""

from typing import Final

__all__: list[str] = []

# --- finding instances ------------------------------------------------------------------------------------------------

# The planner drops what is not asked for. Containment finds candidates by the index; the texts of the values decide,
# because to JSONB the numbers 1 and 1.0 are equal.
_FITS: Final = """
    ($1::text[] IS NULL OR e.status = ANY($1))
    AND ($2::text IS NULL OR e.workflow_type = $2)
    AND ($3::text IS NULL OR e.workflow_version = $3)
    AND ($4::bytea IS NULL OR e.digest = $4)
    AND ($5::text IS NULL OR e.owner_id = $5)
    AND ($6::text IS NULL OR e.org_id = $6)
    AND ($7::text IS NULL OR e.parent_id = $7)
    AND ($8::text IS NULL OR e.current_step = $8)
    AND e.created_us >= $9::bigint AND e.created_us < $10::bigint
    AND ($11::bigint IS NULL OR e.updated_us < $11)
    AND ($12::jsonb IS NULL OR (e.metadata @> $12 AND NOT EXISTS (
        SELECT 1 FROM jsonb_each($12) AS m (key, value) WHERE (e.metadata -> m.key)::text <> m.value::text)))"""

FIND: Final = f"""
SELECT e.key, e.id, e.workflow_type, e.workflow_version, e.status, e.current_step, e.owner_id, e.org_id, e.parent_id,
       e.priority, e.created_us, e.updated_us, e.digest, e.due_us
FROM workflow_executions e
WHERE {_FITS} AND (e.created_us, e.key) < ($13::bigint, $14::bigint)
ORDER BY e.created_us DESC, e.key DESC LIMIT $15::bigint"""  # noqa: S608 - the parts are constants

COUNT: Final = f"SELECT count(*) FROM workflow_executions e WHERE {_FITS}"  # noqa: S608 - the parts are constants

# No index has the moment of a change, because each step would write it. What has not ended is found by its status; what has
# ended lately by the newest entries of the log, where every end is, or by its creation.
CHANGED: Final = """
WITH changed AS MATERIALIZED (
    SELECT f.key FROM workflow_executions f WHERE f.status = ANY($1::text[]) AND f.updated_us >= $4::bigint
    UNION
    SELECT f.key FROM workflow_executions f WHERE f.status = ANY($2::text[]) AND f.created_us >= $4::bigint
    UNION
    SELECT l.workflow_key FROM workflow_audit_log l WHERE l.id > $3::bigint
)
SELECT e.key, e.id, e.workflow_type, e.workflow_version, e.status, e.current_step, e.owner_id, e.org_id, e.parent_id,
       e.priority, e.created_us, e.updated_us, e.digest, e.due_us
FROM changed JOIN workflow_executions e ON e.key = changed.key
WHERE (e.updated_us, e.key) > ($4::bigint, $5::bigint)
ORDER BY e.updated_us, e.key LIMIT $6::bigint"""

LOG_BACK: Final = """
SELECT id, at_us FROM workflow_audit_log WHERE id <= (SELECT max(id) FROM workflow_audit_log) - $1::bigint
ORDER BY id DESC LIMIT 1"""

LIST_DOCUMENTS: Final = """
SELECT id, workflow_type, NULL AS workflow_version, status, NULL AS current_step, owner_id, NULL AS org_id,
       NULL AS parent_id, 0 AS priority, created_us, updated_us
FROM workflow_documents
WHERE ($1::text IS NULL OR status = $1) AND ($2::text IS NULL OR workflow_type = $2)
  AND ($3::text IS NULL OR owner_id = $3) AND NOT starts_with(id, 'ruvon.')
ORDER BY created_us DESC, id LIMIT $4"""

COUNT_BY_DEFINITION: Final = """
SELECT d.digest, d.workflow_type, d.workflow_version,
       count(*) FILTER (WHERE e.status <> ALL($2::text[])) AS live,
       count(*) FILTER (WHERE e.status = ANY($2::text[])) AS ended
FROM workflow_executions e JOIN workflow_definitions d ON d.digest = e.digest
WHERE $1::text IS NULL OR d.workflow_type = $1
GROUP BY d.digest, d.workflow_type, d.workflow_version
ORDER BY d.workflow_type, d.workflow_version, d.digest"""

DUE: Final = "SELECT id FROM workflow_executions WHERE due_us <= $1 ORDER BY due_us, key LIMIT $2"

UNREAD: Final = """
SELECT i.workflow_id, max(i.seq) AS newest FROM workflow_inbox i JOIN workflow_executions e ON e.id = i.workflow_id
WHERE e.status <> ALL($1::text[])
GROUP BY i.workflow_id HAVING max(i.seq) > $2 ORDER BY newest LIMIT $3"""

# One stays while anything further up its line of parents has not ended; one that somebody changes now waits for the next
# call.
PURGEABLE: Final = """
SELECT e.id FROM workflow_executions e
WHERE e.status = ANY($1::text[]) AND e.created_us < $2 AND e.updated_us < $2
  AND ($3::text IS NULL OR e.workflow_type = $3)
  AND NOT EXISTS (
    WITH RECURSIVE line (id) AS (
        SELECT e.parent_id
        UNION ALL
        SELECT p.parent_id FROM line JOIN workflow_executions p ON p.id = line.id
    )
    SELECT 1 FROM line JOIN workflow_executions a ON a.id = line.id WHERE a.status <> ALL($1::text[]))
ORDER BY e.created_us, e.key LIMIT $4 FOR UPDATE OF e SKIP LOCKED"""

# --- schedules and outbox ---------------------------------------------------------------------------------------------

PUT_SCHEDULE: Final = """
INSERT INTO workflow_schedules
    (schedule_id, workflow_type, cron, timezone, data, version, overlap, catch_up, paused, next_us, last_us,
     last_workflow_id, buffered, owner_id, org_id, note, created_us, updated_us, revision, data_region)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
ON CONFLICT (schedule_id) DO UPDATE SET
    workflow_type = excluded.workflow_type, cron = excluded.cron, timezone = excluded.timezone, data = excluded.data,
    version = excluded.version, overlap = excluded.overlap, catch_up = excluded.catch_up, paused = excluded.paused,
    next_us = excluded.next_us, last_us = excluded.last_us, last_workflow_id = excluded.last_workflow_id,
    buffered = excluded.buffered, owner_id = excluded.owner_id, org_id = excluded.org_id, note = excluded.note,
    created_us = excluded.created_us, updated_us = excluded.updated_us, revision = excluded.revision,
    data_region = excluded.data_region"""

# Also where there is no row to lock yet: who registers a name first is seen by who comes second.
LOCK_SCHEDULE: Final = "SELECT pg_advisory_xact_lock(hashtextextended('schedule:' || $1::text, $2::bigint))"

GET_SCHEDULE: Final = "SELECT * FROM workflow_schedules WHERE schedule_id = $1"

LIST_SCHEDULES: Final = "SELECT * FROM workflow_schedules ORDER BY schedule_id"

DELETE_SCHEDULE: Final = "DELETE FROM workflow_schedules WHERE schedule_id = $1 RETURNING schedule_id"

DUE_SCHEDULES: Final = """
SELECT * FROM workflow_schedules WHERE NOT paused AND (next_us <= $1 OR buffered > 0)
ORDER BY next_us, schedule_id LIMIT $2"""

READ_OUTBOX: Final = "SELECT * FROM workflow_outbox WHERE id > $1 ORDER BY id LIMIT $2"

DELETE_OUTBOX: Final = "DELETE FROM workflow_outbox WHERE id = ANY($1::bigint[])"

# --- operators --------------------------------------------------------------------------------------------------------

COUNTS: Final = """
SELECT 'workflows' AS name, count(*) AS rows FROM workflow_executions
UNION ALL SELECT 'log entries', count(*) FROM workflow_audit_log
UNION ALL SELECT 'inbox entries', count(*) FROM workflow_inbox
UNION ALL SELECT 'definitions', count(*) FROM workflow_definitions
UNION ALL SELECT 'tasks', count(*) FROM tasks
UNION ALL SELECT 'outbox events', count(*) FROM workflow_outbox"""

BY_STATUS: Final = "SELECT status, count(*) AS rows FROM workflow_executions GROUP BY status ORDER BY status"

SIZE: Final = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint AS size FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY($1::text[])"""

CHILDREN: Final = """
SELECT id, workflow_type, status, current_step, parent_activation, created_us FROM workflow_executions
WHERE parent_id = $1 ORDER BY created_us, key"""

# A session lock of one number shows its upper half as the class and its lower half as the object.
HELD: Final = """
SELECT e.id FROM workflow_executions e WHERE e.id = ANY($1::text[]) AND EXISTS (
    SELECT FROM pg_locks l
    WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (l.classid::bigint << 32 | l.objid::bigint) = ($2::bigint # e.key)
)"""

IDS_LIKE: Final = """
SELECT id FROM workflow_executions WHERE id >= $1 AND id < $1 || '~'
  AND ($3::text IS NULL OR owner_id = $3) AND ($4::text IS NULL OR org_id = $4)
ORDER BY created_us DESC LIMIT $2"""

BY_TYPE: Final = """
SELECT workflow_type, status, count(*) AS workflows, avg(updated_us - created_us)::float8 AS mean_us,
       max(updated_us - created_us) AS longest_us
FROM workflow_executions WHERE ($1::text IS NULL OR workflow_type = $1)
GROUP BY workflow_type, status ORDER BY workflow_type, status"""

METRIC_SUMMARY: Final = """
SELECT name, step_name, count(*) AS count, min(value) AS min, avg(value) AS mean, max(value) AS max
FROM workflow_metrics WHERE ($1::text IS NULL OR workflow_id = $1) AND ($2::text IS NULL OR name = $2)
GROUP BY name, step_name ORDER BY name, step_name NULLS FIRST"""

FACTS: Final = """
SELECT current_database() AS database, current_schema() AS schema, current_setting('server_version') AS server_version,
       current_setting('synchronous_commit') AS synchronous_commit, current_setting('fsync') AS fsync,
       current_setting('full_page_writes') AS full_page_writes,
       (SELECT count(*) FROM pg_stat_activity a WHERE a.datname = current_database()) AS connections,
       current_setting('max_connections')::integer AS max_connections"""

# Each yields what is wrong as (workflow_id, detail); a sound database yields nothing.
CHECKS: Final = {
    "its definition is not stored": """
SELECT e.id AS workflow_id, encode(e.digest, 'hex') AS detail FROM workflow_executions e
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
