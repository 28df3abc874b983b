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
WHERE task_id = $1 AND status = 'pending' RETURNING *"""

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

FINISH: Final = """
WITH given AS (
    SELECT * FROM unnest($1::text[], $2::bigint[]) AS g (task_id, epoch)
), mine AS (
    SELECT t.task_id FROM tasks t JOIN given g ON g.task_id = t.task_id
    WHERE t.lease_epoch = g.epoch AND t.status = 'claimed' ORDER BY t.task_id FOR UPDATE OF t
)
DELETE FROM tasks t USING mine WHERE t.task_id = mine.task_id RETURNING t.task_id"""

BECOME_WAKE: Final = """
WITH given AS (
    SELECT * FROM unnest($1::text[], $2::bigint[]) AS g (task_id, epoch)
), mine AS (
    SELECT t.task_id FROM tasks t JOIN given g ON g.task_id = t.task_id
    WHERE t.lease_epoch = g.epoch AND t.status = 'claimed' ORDER BY t.task_id FOR UPDATE OF t
)
UPDATE tasks t SET kind = 'wake', crashes = 0, payload = ''::bytea, progress = NULL
FROM mine WHERE t.task_id = mine.task_id RETURNING t.task_id"""

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
ORDER BY priority DESC, available_us, task_id LIMIT $6"""

COUNT: Final = "SELECT queue, status, count(*) AS number FROM tasks GROUP BY queue, status ORDER BY queue, status"

DISCARD: Final = "DELETE FROM tasks WHERE task_id = $1 AND status = 'dead' RETURNING task_id"

NOTIFY: Final = "SELECT pg_notify($1::text, $2::text)"

PUT_WORKER: Final = """
INSERT INTO workers (worker_id, host, pid, queues, concurrency, started_us, seen_us, running, draining)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (worker_id) DO UPDATE SET host = excluded.host, pid = excluded.pid, queues = excluded.queues,
    concurrency = excluded.concurrency, started_us = excluded.started_us, seen_us = excluded.seen_us,
    running = excluded.running, draining = excluded.draining"""

LIST_WORKERS: Final = "SELECT * FROM workers ORDER BY worker_id"

REMOVE_WORKER: Final = "DELETE FROM workers WHERE worker_id = $1"
