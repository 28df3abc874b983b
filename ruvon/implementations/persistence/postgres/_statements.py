"""Every statement that the provider runs, named and in one place. Values are always bound, never pasted."""

from typing import Final

__all__: list[str] = []

# --- the hot path: one group commit -----------------------------------------------------------------------------------

# One statement, one round trip, one flush for any number of steps. A log row is written only where the guard of its
# transition held; what is returned are those that held. The old head of the log is read from the row that is replaced.
# A column that is null throughout comes as an empty array: `unnest` fills it up. Numbers and
# words come as the text of an array, which costs the driver far less than their binary form.
ADVANCE: Final = """
WITH given AS (
    SELECT * FROM unnest(
        $1::text::bigint[], $2::text::bigint[], $3::text::bigint[], $4::bytea[], $5::bytea[], $6::text::bigint[],
        $7::text::bigint[], $8::text::bigint[], $9::text::text[], $10::bytea[], $11::bytea[], $12::bytea[],
        $13::text::boolean[], $14::text::bigint[], $15::text::text[], $16::text::bigint[]
    ) AS g (key, expected, revision, transition_id, position, last_seq, log_head, snapshot_head, current_step,
            waiting_for, result, error, saga_enabled, at_us, status, due_us)
),
moved AS (
    UPDATE workflow_executions e
    SET revision = g.revision, transition_id = g.transition_id, position = g.position, last_seq = g.last_seq,
        log_head = coalesce(g.log_head, e.log_head), snapshot_head = coalesce(g.snapshot_head, e.snapshot_head),
        current_step = g.current_step, waiting_for = g.waiting_for, result = g.result, error = g.error,
        saga_enabled = g.saga_enabled, updated_us = g.at_us, status = g.status, due_us = g.due_us
    FROM given g JOIN workflow_executions old ON old.key = g.key
    WHERE e.key = g.key AND e.revision = g.expected
    RETURNING e.key, old.log_head
),
logged AS (
    INSERT INTO workflow_audit_log
        (id, workflow_key, seq, prev, kind, node, activation, at_us, attempt, delta, result, saga, error, note, position)
    SELECT l.id, l.key, l.seq, coalesce(l.prev, m.log_head), l.kind, l.node, l.activation, l.at_us, l.attempt, l.delta,
           l.result, l.saga, l.error, l.note, l.position
    FROM unnest(
        $17::text::bigint[], $18::text::bigint[], $19::text::bigint[], $20::text::bigint[], $21::text::text[],
        $22::text::text[], $23::text::text[], $24::text::bigint[], $25::text::bigint[], $26::bytea[], $27::bytea[],
        $28::bytea[], $29::bytea[], $30::text::text[], $31::bytea[]
    ) AS l (id, key, seq, prev, kind, node, activation, at_us, attempt, delta, result, saga, error, note, position)
    JOIN moved m ON m.key = l.key
)
SELECT key FROM moved"""

# The same with full states, messages that were consumed, tasks that are done, events, and new tasks. Idle workers are told
# with the commit. No task is both done and new (see `Item.is_plain`).
ADVANCE_MORE: Final = """
WITH given AS (
    SELECT * FROM unnest(
        $1::text::bigint[], $2::text::bigint[], $3::text::bigint[], $4::bytea[], $5::bytea[], $6::text::bigint[],
        $7::text::bigint[], $8::text::bigint[], $9::text::text[], $10::bytea[], $11::bytea[], $12::bytea[],
        $13::text::boolean[], $14::text::bigint[], $15::text::text[], $16::text::bigint[], $32::bytea[], $33::text[]
    ) AS g (key, expected, revision, transition_id, position, last_seq, log_head, snapshot_head, current_step,
            waiting_for, result, error, saga_enabled, at_us, status, due_us, snapshot, state)
),
moved AS (
    UPDATE workflow_executions e
    SET revision = g.revision, transition_id = g.transition_id, position = g.position, last_seq = g.last_seq,
        log_head = coalesce(g.log_head, e.log_head), snapshot_head = coalesce(g.snapshot_head, e.snapshot_head),
        current_step = g.current_step, waiting_for = g.waiting_for, result = g.result, error = g.error,
        saga_enabled = g.saga_enabled, updated_us = g.at_us, status = g.status, due_us = g.due_us,
        state = CASE WHEN g.snapshot_head IS NULL THEN e.state ELSE g.state::jsonb END
    FROM given g JOIN workflow_executions old ON old.key = g.key
    WHERE e.key = g.key AND e.revision = g.expected
    RETURNING e.key, e.id, old.log_head, old.snapshot_head
),
logged AS (
    INSERT INTO workflow_audit_log
        (id, workflow_key, seq, prev, kind, node, activation, at_us, attempt, delta, result, saga, error, note, position)
    SELECT l.id, l.key, l.seq, coalesce(l.prev, m.log_head), l.kind, l.node, l.activation, l.at_us, l.attempt, l.delta,
           l.result, l.saga, l.error, l.note, l.position
    FROM unnest(
        $17::text::bigint[], $18::text::bigint[], $19::text::bigint[], $20::text::bigint[], $21::text::text[],
        $22::text::text[], $23::text::text[], $24::text::bigint[], $25::text::bigint[], $26::bytea[], $27::bytea[],
        $28::bytea[], $29::bytea[], $30::text::text[], $31::bytea[]
    ) AS l (id, key, seq, prev, kind, node, activation, at_us, attempt, delta, result, saga, error, note, position)
    JOIN moved m ON m.key = l.key
),
kept AS (
    INSERT INTO workflow_snapshots (id, workflow_key, seq, prev, data)
    SELECT g.snapshot_head, m.key, g.last_seq, m.snapshot_head, g.snapshot
    FROM given g JOIN moved m ON m.key = g.key WHERE g.snapshot_head IS NOT NULL
),
consumed AS (
    DELETE FROM workflow_inbox i USING unnest($34::text::bigint[], $35::text::bigint[]) AS c (key, seq)
    JOIN moved m ON m.key = c.key WHERE i.seq = c.seq
),
finished AS (
    DELETE FROM tasks t USING unnest($36::text::bigint[], $37::text[]) AS f (key, task_id)
    JOIN moved m ON m.key = f.key WHERE t.task_id = f.task_id
),
told AS (
    INSERT INTO workflow_outbox (topic, payload, at_us, workflow_id, key)
    SELECT o.topic, o.payload, o.at_us, coalesce(o.workflow_id, m.id), o.name
    FROM unnest($38::text::bigint[], $39::text[], $40::bytea[], $41::text::bigint[], $42::text[], $43::text[])
         WITH ORDINALITY AS o (key, topic, payload, at_us, workflow_id, name, place)
    JOIN moved m ON m.key = o.key ORDER BY o.place
),
queued AS (
    INSERT INTO tasks
        (task_id, workflow_id, kind, activation, queue, available_us, priority, payload, attempt, status, worker_id,
         lease_epoch, lease_us, crashes, progress, concurrency_key)
    SELECT q.task_id, q.workflow_id, q.kind, q.activation, q.queue, q.available_us, q.priority, q.payload, q.attempt,
           q.status, q.worker_id, q.lease_epoch, q.lease_us, q.crashes, q.progress, q.concurrency_key
    FROM unnest(
        $44::text::bigint[], $45::text[], $46::text[], $47::text[], $48::text[], $49::text[], $50::text::bigint[],
        $51::text::bigint[], $52::bytea[], $53::text::bigint[], $54::text[], $55::text[], $56::text::bigint[],
        $57::text::bigint[], $58::text::bigint[], $59::bytea[], $60::text[]
    ) AS q (key, task_id, workflow_id, kind, activation, queue, available_us, priority, payload, attempt, status,
            worker_id, lease_epoch, lease_us, crashes, progress, concurrency_key)
    JOIN moved m ON m.key = q.key
    ON CONFLICT (task_id) DO UPDATE SET
        kind = excluded.kind, available_us = excluded.available_us, attempt = excluded.attempt, status = excluded.status,
        payload = excluded.payload, crashes = excluded.crashes, progress = excluded.progress
    RETURNING status
),
announced AS (
    SELECT pg_notify($61::text, $62::text)
    FROM (SELECT count(*) AS number FROM queued WHERE status = 'pending') AS waiting WHERE number > 0
)
SELECT key, (SELECT count(*) FROM announced) AS told FROM moved"""

# The rows of a batch that writes more than steps, locked in one order, so that two batches never wait for each other.
HEADS: Final = """
SELECT key, revision, log_head, snapshot_head FROM workflow_executions
WHERE key = ANY($1::bigint[]) ORDER BY key FOR NO KEY UPDATE"""

LOG_IDS: Final = """
SELECT nextval(pg_get_serial_sequence('workflow_audit_log', 'id')) AS id FROM generate_series(1, $1::bigint)"""

SNAPSHOT_IDS: Final = """
SELECT nextval(pg_get_serial_sequence('workflow_snapshots', 'id')) AS id FROM generate_series(1, $1::bigint)"""

REDEFINE: Final = """
UPDATE workflow_executions SET digest = $2, workflow_version = coalesce($3, workflow_version) WHERE key = $1"""

FORGET_HEADS: Final = "UPDATE workflow_executions SET log_head = NULL, snapshot_head = NULL WHERE key = $1"

# New instances, each with its first snapshot.
INSERT_INSTANCES: Final = """
WITH given AS (
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::bigint[], $7::bytea[], $8::bytea[],
        $9::bigint[], $10::text[], $11::bytea[], $12::bigint[], $13::bytea[], $14::bytea[], $15::boolean[],
        $16::text[], $17::text[], $18::text[], $19::bigint[], $20::text[], $21::text[], $22::text[], $23::text[],
        $24::bigint[], $25::bigint[], $26::bigint[], $27::bigint[], $28::text[], $29::bigint[], $30::bytea[]
    ) WITH ORDINALITY AS g
        (id, workflow_type, workflow_version, digest, status, revision, transition_id, position, last_seq, current_step,
         waiting_for, due_us, result, error, saga_enabled, owner_id, org_id, data_region, priority, idempotency_key,
         metadata, parent_id, parent_activation, scheduled_for_us, created_us, updated_us, snapshot_head, state,
         snapshot_seq, snapshot, place)
),
made AS (
    INSERT INTO workflow_executions
        (id, workflow_type, workflow_version, digest, status, revision, transition_id, position, last_seq, current_step,
         waiting_for, due_us, result, error, saga_enabled, owner_id, org_id, data_region, priority, idempotency_key,
         metadata, parent_id, parent_activation, scheduled_for_us, created_us, updated_us, snapshot_head, state)
    SELECT id, workflow_type, workflow_version, digest, status, revision, transition_id, position, last_seq,
           current_step, waiting_for, due_us, result, error, saga_enabled, owner_id, org_id, data_region, priority,
           idempotency_key, metadata::jsonb, parent_id, parent_activation, scheduled_for_us, created_us, updated_us,
           snapshot_head, state::jsonb
    FROM given ORDER BY place
    ON CONFLICT DO NOTHING RETURNING id, key
),
kept AS (
    INSERT INTO workflow_snapshots (id, workflow_key, seq, data)
    SELECT g.snapshot_head, m.key, g.snapshot_seq, g.snapshot FROM made m JOIN given g ON g.id = m.id
)
SELECT id, key FROM made"""

INSERT_DEFINITIONS: Final = """
INSERT INTO workflow_definitions (digest, workflow_type, workflow_version, text, stored_us)
SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::bytea[], $5::bigint[]) AS g (digest, a, b, c, d)
ORDER BY digest
ON CONFLICT DO NOTHING"""

# Messages to one workflow become visible in the order of their numbers: who appends has its lock until the commit.
LOCK_INBOXES: Final = """
SELECT pg_advisory_xact_lock(hashtextextended(id, $2::bigint))
FROM (SELECT DISTINCT id FROM unnest($1::text[]) AS t (id) ORDER BY id) AS targets"""

# A message to nobody is dropped, and one whose dedup key was there already; the numbers of the others are returned.
APPEND_INBOX: Final = """
WITH given AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::bigint[])
    WITH ORDINALITY AS g (workflow_id, kind, name, key, payload, dedup, at_us, place)
    WHERE EXISTS (SELECT 1 FROM workflow_executions e WHERE e.id = g.workflow_id)
),
first AS (
    SELECT DISTINCT ON (workflow_id, dedup) workflow_id, dedup, place FROM given
    WHERE dedup IS NOT NULL ORDER BY workflow_id, dedup, place
),
fresh AS (
    INSERT INTO workflow_inbox_seen (workflow_id, dedup) SELECT workflow_id, dedup FROM first
    ON CONFLICT DO NOTHING RETURNING workflow_id, dedup
),
appended AS (
    INSERT INTO workflow_inbox (workflow_id, kind, name, key, payload, dedup, at_us)
    SELECT g.workflow_id, g.kind, g.name, g.key, g.payload, g.dedup, g.at_us FROM given g
    WHERE g.dedup IS NULL
       OR g.place IN (SELECT f.place FROM first f JOIN fresh USING (workflow_id, dedup))
    ORDER BY g.place
    RETURNING seq, workflow_id
),
told AS (
    SELECT pg_notify($8::text, string_agg(workflow_id, ',')) FROM (
        SELECT workflow_id, (row_number() OVER () - 1) / 100 AS part FROM appended GROUP BY workflow_id
    ) AS grown GROUP BY part
)
SELECT a.seq, a.workflow_id, (SELECT count(*) FROM told) AS told FROM appended a ORDER BY a.seq"""

# Tasks beside new instances; idle workers are told with the commit.
INSERT_TASKS: Final = """
WITH queued AS (
    INSERT INTO tasks
        (task_id, workflow_id, kind, activation, queue, available_us, priority, payload, attempt, status, worker_id,
         lease_epoch, lease_us, crashes, progress, concurrency_key)
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bytea[],
        $9::bigint[], $10::text[], $11::text[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bytea[], $16::text[]
    )
    ON CONFLICT (task_id) DO UPDATE SET
        kind = excluded.kind, available_us = excluded.available_us, attempt = excluded.attempt, status = excluded.status,
        payload = excluded.payload, crashes = excluded.crashes, progress = excluded.progress
    RETURNING 1
)
SELECT pg_notify($17::text, $18::text) FROM (SELECT count(*) FROM queued) AS all_of_them"""

FINISH_TASKS: Final = "DELETE FROM tasks WHERE task_id = ANY($1::text[])"

INSERT_OUTBOX: Final = """
INSERT INTO workflow_outbox (topic, payload, at_us, workflow_id, key)
SELECT topic, payload, at_us, workflow_id, key
FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::text[], $5::text[]) WITH ORDINALITY
     AS g (topic, payload, at_us, workflow_id, key, place)
ORDER BY place"""

# After a connection was lost in a commit: what of it is there?
SETTLED_ROWS: Final = """
SELECT key, transition_id FROM workflow_executions WHERE key = ANY($1::bigint[])"""

SETTLED_LOGS: Final = "SELECT id FROM workflow_audit_log WHERE id = ANY($1::bigint[])"

SETTLED_NEW: Final = """
SELECT id, key, digest, created_us, idempotency_key FROM workflow_executions WHERE id = ANY($1::text[])"""

# --- holds ------------------------------------------------------------------------------------------------------------

# The number of an instance is mixed with one of the schema: schemas of one database never meet. Who gets a lock leaves a
# mark in a table that is not logged, so it costs no flush; a mark that is there already is one of a holder that died.
TRY_HOLD: Final = """
WITH asked AS MATERIALIZED (
    SELECT e.id, e.key, g.token, pg_try_advisory_lock($3::bigint # e.key) AS taken
    FROM unnest($1::text[], $2::bytea[]) AS g (id, token) JOIN workflow_executions e ON e.id = g.id
), marked AS (
    INSERT INTO workflow_drives (workflow_key, token, deaths) SELECT key, token, 0 FROM asked WHERE taken ORDER BY key
    ON CONFLICT (workflow_key) DO UPDATE SET token = excluded.token, deaths = workflow_drives.deaths + 1
    RETURNING workflow_key, deaths
)
SELECT a.id, a.key, a.taken, coalesce(m.deaths, 0) > 0 AS died
FROM asked a LEFT JOIN marked m ON m.workflow_key = a.key"""

TAKE_DUTY: Final = "SELECT pg_try_advisory_lock(hashtextextended($1, $2))"

TRY_AGAIN: Final = """
WITH asked AS MATERIALIZED (
    SELECT key, token, pg_try_advisory_lock($3::bigint # key) AS taken
    FROM unnest($1::bigint[], $2::bytea[]) AS t (key, token)
), marked AS (
    INSERT INTO workflow_drives (workflow_key, token, deaths) SELECT key, token, 0 FROM asked WHERE taken ORDER BY key
    ON CONFLICT (workflow_key) DO UPDATE SET token = excluded.token
)
SELECT key, taken FROM asked"""

# The marks go before the locks: whoever gets a lock waits for the end of this transaction, and finds no mark.
RELEASE: Final = """
WITH gone AS (
    DELETE FROM workflow_drives d USING unnest($1::bigint[], $2::bytea[]) AS t (key, token)
    WHERE d.workflow_key = t.key AND d.token = t.token RETURNING 1
)
SELECT pg_advisory_unlock($3::bigint # t.key)
FROM (SELECT count(*) FROM gone) AS all_of_them, unnest($1::bigint[]) AS t (key)"""

FORGET_MARKS: Final = """
DELETE FROM workflow_drives d USING unnest($1::bigint[], $2::bytea[]) AS t (key, token)
WHERE d.workflow_key = t.key AND d.token = t.token"""

WHO_AM_I: Final = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"

# A machine that vanishes closes no connection: the server asks for it, and frees what it held within half a minute.
KEEP_ALIVE: Final = """
SELECT set_config('tcp_keepalives_idle', '15', false), set_config('tcp_keepalives_interval', '5', false),
       set_config('tcp_keepalives_count', '3', false)"""

# Our own lost connection, which the server may not have noticed yet; the moment tells it from a later one of its number.
END_OLD: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2"

# --- the database -----------------------------------------------------------------------------------------------------

IDENTITY: Final = """
SELECT current_schema() AS schema, hashtextextended('ruvon:hold:' || current_schema(), 0) AS holds,
       hashtextextended('ruvon:inbox:' || current_schema(), 0) AS inboxes,
       current_setting('server_version_num')::integer / 10000 AS version"""

# The fate of a transaction whose COMMIT got no answer.
TRANSACTION_ID: Final = "SELECT pg_current_xact_id()::text"

TRANSACTION_STATUS: Final = "SELECT pg_xact_status($1::text::xid8)"

HAS_VERSION: Final = "SELECT to_regclass('alembic_version') IS NOT NULL"

READ_VERSION: Final = "SELECT version_num FROM alembic_version"

OWN_OIDS: Final = """
SELECT c.oid, c.relname FROM pg_class c
WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY($1::text[])"""

# Reading or writing a table leaves a lock of this transaction on it, whatever the statement looked like.
REACHED: Final = """
SELECT min(relation::bigint) FROM pg_locks
WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation = ANY($1::oid[])"""

# --- forgetting old history -------------------------------------------------------------------------------------------

KEPT_FROM: Final = """
SELECT s.seq AS snapshot_seq, e.last_seq FROM workflow_executions e JOIN workflow_snapshots s ON s.id = e.snapshot_head
WHERE e.key = $1"""

LOG_UP_TO: Final = """
WITH RECURSIVE chain (id, prev) AS (
    SELECT l.id, l.prev FROM workflow_executions e JOIN workflow_audit_log l ON l.id = e.log_head WHERE e.key = $1
    UNION ALL
    SELECT l.id, l.prev FROM chain JOIN workflow_audit_log l ON l.id = chain.prev
)
SELECT l.id, l.seq, l.prev, (l.saga IS NOT NULL OR l.kind = 'compensate') AS saga
FROM chain JOIN workflow_audit_log l ON l.id = chain.id WHERE l.seq <= $2 ORDER BY l.seq"""

FORGET_LOG: Final = "DELETE FROM workflow_audit_log WHERE id = ANY($1::bigint[])"

RELINK_LOG: Final = """
UPDATE workflow_audit_log l SET prev = g.prev FROM unnest($1::bigint[], $2::bigint[]) AS g (id, prev) WHERE l.id = g.id"""

SNAPSHOTS_UP_TO: Final = """
WITH RECURSIVE chain (id, prev, seq) AS (
    SELECT s.id, s.prev, s.seq
    FROM workflow_executions e JOIN workflow_snapshots s ON s.id = e.snapshot_head WHERE e.key = $1
    UNION ALL
    SELECT s.id, s.prev, s.seq FROM chain JOIN workflow_snapshots s ON s.id = chain.prev
)
SELECT id, seq FROM chain ORDER BY seq"""

FORGET_SNAPSHOTS: Final = "DELETE FROM workflow_snapshots WHERE id = ANY($1::bigint[])"

END_SNAPSHOTS: Final = "UPDATE workflow_snapshots SET prev = NULL WHERE id = $1"

DROP_LOGS: Final = """
WITH RECURSIVE chain (id, prev) AS (
    SELECT id, prev FROM workflow_audit_log WHERE id = ANY($1::bigint[])
    UNION ALL
    SELECT l.id, l.prev FROM chain JOIN workflow_audit_log l ON l.id = chain.prev
)
DELETE FROM workflow_audit_log WHERE id IN (SELECT id FROM chain)"""

DROP_SNAPSHOTS: Final = """
WITH RECURSIVE chain (id, prev) AS (
    SELECT id, prev FROM workflow_snapshots WHERE id = ANY($1::bigint[])
    UNION ALL
    SELECT s.id, s.prev FROM chain JOIN workflow_snapshots s ON s.id = chain.prev
)
DELETE FROM workflow_snapshots WHERE id IN (SELECT id FROM chain)"""

DELETED_HEADS: Final = """
DELETE FROM workflow_executions WHERE id = ANY($1::text[]) RETURNING id, log_head, snapshot_head"""

DELETE_BESIDE: Final = (
    "DELETE FROM workflow_inbox WHERE workflow_id = ANY($1::text[])",
    "DELETE FROM workflow_inbox_seen WHERE workflow_id = ANY($1::text[])",
    "DELETE FROM tasks WHERE workflow_id = ANY($1::text[])",
    "DELETE FROM workflow_heartbeats WHERE workflow_id = ANY($1::text[])",
    "DELETE FROM workflow_execution_logs WHERE workflow_id = ANY($1::text[])",
    "DELETE FROM workflow_metrics WHERE workflow_id = ANY($1::text[])",
)

DELETE_DOCUMENTS: Final = "DELETE FROM workflow_documents WHERE id = ANY($1::text[]) RETURNING id"

# --- reads of one instance --------------------------------------------------------------------------------------------

KEYS_OF: Final = "SELECT id, key FROM workflow_executions WHERE id = ANY($1::text[])"

ID_BY_IDEMPOTENCY: Final = "SELECT id FROM workflow_executions WHERE idempotency_key = $1"

# Several that are wanted at the same time are one question.
LOAD_INSTANCES: Final = """
SELECT e.*, s.seq AS snapshot_seq, s.data AS snapshot
FROM workflow_executions e LEFT JOIN workflow_snapshots s ON s.id = e.snapshot_head
WHERE e.id = ANY($1::text[])"""

# The chain is followed from the newest snapshot back to the first that is old enough.
READ_SNAPSHOT: Final = """
WITH RECURSIVE chain (id, seq, prev) AS (
    SELECT s.id, s.seq, s.prev
    FROM workflow_executions e JOIN workflow_snapshots s ON s.id = e.snapshot_head WHERE e.id = $1
    UNION ALL
    SELECT s.id, s.seq, s.prev FROM chain JOIN workflow_snapshots s ON s.id = chain.prev WHERE chain.seq > $2
)
SELECT s.seq, s.data FROM chain JOIN workflow_snapshots s ON s.id = chain.id
WHERE s.seq <= $2 ORDER BY s.seq DESC LIMIT 1"""

# The chain is followed from the newest entry back to the first that is asked for.
READ_LOG: Final = """
WITH RECURSIVE chain (id, prev, seq) AS (
    SELECT l.id, l.prev, l.seq
    FROM workflow_executions e JOIN workflow_audit_log l ON l.id = e.log_head WHERE e.id = $1
    UNION ALL
    SELECT l.id, l.prev, l.seq FROM chain JOIN workflow_audit_log l ON l.id = chain.prev WHERE chain.seq > $2::bigint + 1
)
SELECT l.* FROM chain JOIN workflow_audit_log l ON l.id = chain.id
WHERE l.seq > $2::bigint AND (NOT $3::boolean OR l.saga IS NOT NULL OR l.kind = 'compensate')
ORDER BY l.seq LIMIT $4::bigint"""

READ_INBOXES: Final = """
SELECT g.place, i.* FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS g (id, after, place)
JOIN workflow_inbox i ON i.workflow_id = g.id AND i.seq > g.after ORDER BY i.seq"""

GET_DEFINITION: Final = "SELECT * FROM workflow_definitions WHERE digest = $1"

# Rows of this table are never changed or deleted, so their place is the order of storing.
DEFINITIONS: Final = """
SELECT * FROM workflow_definitions WHERE $1::text IS NULL OR workflow_type = $1 ORDER BY stored_us, ctid"""

# --- the documented methods around the engine -------------------------------------------------------------------------

SAVE_DOCUMENT: Final = """
INSERT INTO workflow_documents (id, data, status, workflow_type, owner_id, created_us, updated_us)
VALUES ($1, $2, $3, $4, $5, $6, $6)
ON CONFLICT (id) DO UPDATE SET data = excluded.data, status = excluded.status,
    workflow_type = excluded.workflow_type, owner_id = excluded.owner_id, updated_us = excluded.updated_us"""

LOAD_DOCUMENT: Final = "SELECT data FROM workflow_documents WHERE id = $1"

LOG_LINE: Final = """
INSERT INTO workflow_execution_logs (workflow_id, step_name, level, message, metadata, at_us)
VALUES ($1, $2, $3, $4, $5, $6)"""

READ_LOG_LINES: Final = """
SELECT workflow_id, step_name, level, message, metadata, at_us, id AS key FROM workflow_execution_logs
WHERE workflow_id = $1 AND ($2::text IS NULL OR level = $2) AND ($4::bigint IS NULL OR id < $4)
ORDER BY id DESC LIMIT $3"""

METRIC: Final = """
INSERT INTO workflow_metrics (workflow_id, step_name, name, value, metadata, at_us) VALUES ($1, $2, $3, $4, $5, $6)"""

READ_METRICS: Final = """
SELECT workflow_id, step_name, name, value, metadata, at_us FROM workflow_metrics
WHERE ($1::text IS NULL OR workflow_id = $1) AND ($2::text IS NULL OR name = $2) ORDER BY id DESC LIMIT $3"""

RELEASE_TASK: Final = """
UPDATE tasks SET status = 'pending', worker_id = NULL, lease_us = 0, available_us = $2 WHERE task_id = $1
RETURNING task_id"""

TASK_STATUS: Final = "UPDATE tasks SET status = $2 WHERE task_id = $1 RETURNING task_id"

GET_TASK: Final = "SELECT * FROM tasks WHERE task_id = $1"

HEARTBEAT: Final = """
INSERT INTO workflow_heartbeats AS h (workflow_id, worker_id, current_step, step_started_us, heartbeat_us, metadata)
VALUES ($1, $2, $3, $4, $4, $5)
ON CONFLICT (workflow_id) DO UPDATE SET
    step_started_us = CASE WHEN h.current_step IS NOT DISTINCT FROM excluded.current_step
                            AND h.worker_id = excluded.worker_id
                           THEN h.step_started_us ELSE excluded.step_started_us END,
    worker_id = excluded.worker_id, current_step = excluded.current_step,
    heartbeat_us = excluded.heartbeat_us, metadata = excluded.metadata"""

REMOVE_HEARTBEAT: Final = "DELETE FROM workflow_heartbeats WHERE workflow_id = $1 AND worker_id = $2"

STALE_HEARTBEATS: Final = """
SELECT * FROM workflow_heartbeats WHERE heartbeat_us < $1 ORDER BY heartbeat_us, workflow_id"""
