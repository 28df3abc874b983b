"""The statements of the durable queue; see `_statements` for all others."""

from typing import Final

__all__: list[str] = []

# Whoever claims at the same time takes other rows; the index of pending tasks has this order.
CLAIM: Final = """
WITH due AS (
    SELECT task_id FROM tasks
    WHERE status = 'pending' AND available_us <= $3 AND ($4::text[] IS NULL OR queue = ANY($4))
    ORDER BY priority DESC, available_us LIMIT $5 FOR UPDATE SKIP LOCKED
)
UPDATE tasks t SET status = 'claimed', worker_id = $1, lease_epoch = t.lease_epoch + 1, lease_us = $2
FROM due WHERE t.task_id = due.task_id
RETURNING t.*"""

CLAIM_ONE: Final = """
UPDATE tasks SET status = 'claimed', worker_id = $2, lease_epoch = lease_epoch + 1, lease_us = $3
WHERE task_id = $1 AND (status = 'pending' OR (status = 'claimed' AND worker_id = $2 AND lease_us = $3)) RETURNING *"""

# The rows are locked in one order, so that two batches never wait for each other.
EXTEND: Final = """
WITH given AS (
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[]) AS g (task_id, epoch, progress)
), mine AS (
    SELECT t.task_id FROM tasks t JOIN given g ON g.task_id = t.task_id
    WHERE t.lease_epoch = g.epoch AND t.status = 'claimed' ORDER BY t.task_id FOR UPDATE OF t
)
UPDATE tasks t SET lease_us = $4, progress = coalesce(g.progress, t.progress)
FROM mine JOIN given g ON g.task_id = mine.task_id WHERE t.task_id = mine.task_id
RETURNING t.task_id"""

# All of a batch of reports in one round trip: tasks go or become wakes, entries are appended, holders are told. The rows are
# locked before the inboxes, and those before an entry gets its number (see `LOCK_INBOXES`).
REPORT: Final = """
WITH given AS (
    SELECT * FROM unnest(
        $1::text[], $2::bigint[], $3::boolean[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[], $9::bigint[]
    ) WITH ORDINALITY AS g (task_id, epoch, drives, workflow_id, kind, name, key, payload, at_us, place)
),
mine AS MATERIALIZED (
    SELECT t.task_id FROM tasks t JOIN given g ON g.task_id = t.task_id
    WHERE t.lease_epoch = g.epoch AND t.status = 'claimed' ORDER BY t.task_id FOR UPDATE OF t
),
counted AS MATERIALIZED (SELECT g.* FROM given g JOIN mine m ON m.task_id = g.task_id),
gone AS (DELETE FROM tasks t USING counted c WHERE t.task_id = c.task_id AND NOT c.drives),
driving AS (
    UPDATE tasks t SET kind = 'wake', crashes = 0, payload = ''::bytea, progress = NULL
    FROM counted c WHERE t.task_id = c.task_id AND c.drives
),
told AS MATERIALIZED (
    SELECT * FROM counted c WHERE EXISTS (SELECT 1 FROM workflow_executions e WHERE e.id = c.workflow_id)
),
locked AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(hashtextextended(id, $10::bigint))
    FROM (SELECT DISTINCT workflow_id AS id FROM told ORDER BY workflow_id) AS targets
),
appended AS (
    INSERT INTO workflow_inbox (workflow_id, kind, name, key, payload, at_us)
    SELECT workflow_id, kind, name, key, payload, at_us FROM told WHERE (SELECT count(*) FROM locked) > 0 ORDER BY place
    RETURNING workflow_id
),
announced AS (
    SELECT pg_notify($11::text, string_agg(workflow_id, ',')) FROM (
        SELECT workflow_id, (row_number() OVER () - 1) / 100 AS part FROM appended GROUP BY workflow_id
    ) AS grown GROUP BY part
)
SELECT m.task_id, (SELECT count(*) FROM announced) AS told FROM mine m"""

RELEASE: Final = """
WITH given AS (
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bytea[]) AS g (task_id, epoch, progress)
), mine AS (
    SELECT t.task_id FROM tasks t JOIN given g ON g.task_id = t.task_id
    WHERE t.lease_epoch = g.epoch AND t.status = 'claimed' ORDER BY t.task_id FOR UPDATE OF t
)
UPDATE tasks t SET status = 'pending', worker_id = NULL, lease_us = 0, available_us = $4,
    progress = coalesce(g.progress, t.progress)
FROM mine JOIN given g ON g.task_id = mine.task_id WHERE t.task_id = mine.task_id"""

WITHDRAW: Final = "DELETE FROM tasks WHERE task_id = $1 AND status = 'pending' RETURNING task_id"

EXPIRED: Final = """
SELECT * FROM tasks WHERE status = 'claimed' AND lease_us <= $1
ORDER BY lease_us LIMIT $2 FOR UPDATE SKIP LOCKED"""

REAP: Final = """
UPDATE tasks t SET status = g.status, worker_id = NULL, lease_us = 0, crashes = g.crashes
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS g (task_id, status, crashes) WHERE t.task_id = g.task_id"""

NEXT: Final = """
SELECT least(
    (SELECT min(lease_us) FROM tasks WHERE status = 'claimed'),
    (SELECT min(available_us) FROM tasks
     WHERE status = 'pending' AND ($1::text[] IS NULL OR queue = ANY($1)))) AS moment"""

FIND: Final = """
SELECT * FROM tasks
WHERE ($1::text[] IS NULL OR status = ANY($1)) AND ($2::text IS NULL OR queue = $2)
  AND ($3::text IS NULL OR workflow_id = $3) AND ($4::text IS NULL OR worker_id = $4)
  AND ($5::bigint IS NULL OR (status = 'claimed' AND lease_us < $5))
  AND ($9::text IS NULL OR priority < $7::bigint
       OR (priority = $7 AND (available_us, task_id) > ($8::bigint, $9)))
ORDER BY priority DESC, available_us, task_id LIMIT $6"""

COUNT: Final = "SELECT queue, status, count(*) AS number FROM tasks GROUP BY queue, status ORDER BY queue, status"

DISCARD: Final = "DELETE FROM tasks WHERE task_id = $1 AND status = 'dead' RETURNING task_id"

NOTIFY: Final = "SELECT pg_notify($1::text, $2::text)"

PUT_WORKER: Final = """
INSERT INTO workers (worker_id, host, pid, queues, concurrency, started_us, seen_us, running, draining, lease_us)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (worker_id) DO UPDATE SET host = excluded.host, pid = excluded.pid, queues = excluded.queues,
    concurrency = excluded.concurrency, started_us = excluded.started_us, seen_us = excluded.seen_us,
    running = excluded.running, draining = excluded.draining, lease_us = excluded.lease_us"""

LIST_WORKERS: Final = "SELECT * FROM workers ORDER BY worker_id"

REMOVE_WORKER: Final = "DELETE FROM workers WHERE worker_id = $1"
