"""Workflows in Redis: `RedisPersistenceProvider`. Needs the extra `redis`.

Every key begins with `{prefix}:` (default `{ruvon}:`). The braces are a hash tag, so all keys of a store are in one slot of
a cluster and the scripts work there. `N` is an instance's own number, fifteen digits.

    meta                the version of this layout
    n:*                 counters: instances, messages, events, tasks, definitions, ...
    ids                 sorted set of `id:N`: from an id, or its first characters, to the number
    idem                hash: idempotency key to N
    i:N                 hash: the row; `fixed` never changes, `now` does with each transition
    l:N                 stream: the log, by `seq`; field `g` marks entries of a saga
    s:N                 hash: the snapshots, by `seq`
    q:N  seen:N         stream: the inbox, by `seq`; set: the dedup keys that were used
    x:*                 sorted sets of N by moment of creation: all, and each type, owner, org, parent, digest, status and
                        piece of metadata; `x:due`, `x:unread`, `x:ended` by their moment or message
    ended               hash: ended instances by digest
    def:DIGEST  defs    hash: a definition; sorted set: their order
    sch:NAME  plan:*    hash: a schedule; the names, the due ones, those with a run waiting
    outbox              stream: events to deliver
    task:ID  wt:ID      hash: a task; set: those of a workflow
    ta tw:* tr:* tl     sorted sets of tasks: all; of a queue waiting, and ready in order; claimed
    queues  tn          set: the queues with pending tasks; hash: tasks by status and queue
    tk                  hash: the concurrency keys of tasks
    limits  starts      hashes: the limits of queues; their starts of the last period
    workers             hash: what workers tell of themselves
    doc:ID  docs        hash: a dictionary of `save_workflow`; their order
    lines:ID            stream: text log
    metrics  ml:ID      stream: numbers; list: those of one workflow
    beat:ID  beats      hash: a heartbeat; by moment
    h:ID  duty:NAME     a lease, as `token owner`; it expires
    driven              hash: id to the token of a holder that has not released it
    w:WRITER            the answers to a writer's newest batch; it expires
"""

from ruvon.implementations.persistence.redis._database import LAYOUT, read_layout
from ruvon.implementations.persistence.redis._driver import RedisServerError, shown_url
from ruvon.implementations.persistence.redis._provider import RedisPersistenceProvider

__all__ = ["LAYOUT", "RedisPersistenceProvider", "RedisServerError", "read_layout", "shown_url"]
