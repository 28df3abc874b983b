"""The statements of the durable queue; see `_statements` for all others."""

from typing import Final

__all__: list[str] = []

DUE: Final = """
SELECT 1 FROM tasks
WHERE status = 'pending' AND available_us <= :now
  AND (:queues IS NULL OR queue IN (SELECT value FROM json_each(:queues)))
LIMIT 1"""

# The index of pending tasks has this order, so a claim reads as many rows as it takes.
CLAIM: Final = """
UPDATE tasks SET status = 'claimed', worker_id = :worker, lease_epoch = lease_epoch + 1, lease_us = :lease
WHERE rowid IN (
    SELECT rowid FROM tasks
    WHERE status = 'pending' AND available_us <= :now
      AND (:queues IS NULL OR queue IN (SELECT value FROM json_each(:queues)))
    ORDER BY priority DESC, available_us, rowid LIMIT :limit)
RETURNING *"""

CLAIM_ONE: Final = """
UPDATE tasks SET status = 'claimed', worker_id = :worker, lease_epoch = lease_epoch + 1, lease_us = :lease
WHERE task_id = :task AND status = 'pending' RETURNING *"""

EXTEND: Final = """
UPDATE tasks SET lease_us = :until, progress = coalesce(:progress, progress)
WHERE task_id = :task AND lease_epoch = :epoch AND status = 'claimed'"""

FINISH: Final = "DELETE FROM tasks WHERE task_id = :task AND lease_epoch = :epoch AND status = 'claimed'"

BECOME_WAKE: Final = """
UPDATE tasks SET kind = 'wake', crashes = 0, payload = x'', progress = NULL
WHERE task_id = :task AND lease_epoch = :epoch AND status = 'claimed'"""

RELEASE: Final = """
UPDATE tasks SET status = 'pending', worker_id = NULL, lease_us = 0, available_us = :available,
    progress = coalesce(:progress, progress)
WHERE task_id = :task AND lease_epoch = :epoch AND status = 'claimed'"""

WITHDRAW: Final = "DELETE FROM tasks WHERE task_id = ? AND status = 'pending'"

HAS_EXPIRED: Final = "SELECT 1 FROM tasks WHERE status = 'claimed' AND lease_us <= ? LIMIT 1"

EXPIRED: Final = "SELECT * FROM tasks WHERE status = 'claimed' AND lease_us <= ? ORDER BY lease_us LIMIT ?"

REAP: Final = """
UPDATE tasks SET status = :status, worker_id = NULL, lease_us = 0, crashes = :crashes WHERE task_id = :task"""

NEXT: Final = """
SELECT min(moment) FROM (
    SELECT min(lease_us) AS moment FROM tasks WHERE status = 'claimed'
    UNION ALL
    SELECT min(available_us) FROM tasks
    WHERE status = 'pending' AND (:queues IS NULL OR queue IN (SELECT value FROM json_each(:queues))))"""

FIND: Final = """
SELECT * FROM tasks
WHERE (:statuses IS NULL OR status IN (SELECT value FROM json_each(:statuses)))
  AND (:queue IS NULL OR queue = :queue) AND (:workflow IS NULL OR workflow_id = :workflow)
  AND (:worker IS NULL OR worker_id = :worker)
  AND (:lease IS NULL OR (status = 'claimed' AND lease_us < :lease))
  AND (:key IS NULL OR priority < :priority OR (priority = :priority AND (available_us, task_id) > (:moment, :key)))
ORDER BY priority DESC, available_us, task_id LIMIT :limit"""

COUNT: Final = "SELECT queue, status, count(*) AS number FROM tasks GROUP BY queue, status ORDER BY queue, status"

DISCARD: Final = "DELETE FROM tasks WHERE task_id = ? AND status = 'dead'"

PUT_WORKER: Final = """
INSERT OR REPLACE INTO workers
    (worker_id, host, pid, queues, concurrency, started_us, seen_us, running, draining, lease_us)
VALUES (:worker_id, :host, :pid, :queues, :concurrency, :started_us, :seen_us, :running, :draining, :lease_us)"""

LIST_WORKERS: Final = "SELECT * FROM workers ORDER BY worker_id"

REMOVE_WORKER: Final = "DELETE FROM workers WHERE worker_id = ?"
