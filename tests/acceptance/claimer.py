"""A process that claims from a limited queue and writes down what it has: `+` behind a claim, `-` in front of a report.

So what the file says to run at a time was claimed at that time. Usage: claimer KIND WHERE NAME LOG [held].
"""

import asyncio
import os
import random
import sys
import time
from typing import Any

from ruvon.providers import TaskReport

__all__ = ["LIMIT", "PER_KEY", "TASKS", "opened"]

LIMIT, PER_KEY, TASKS = 4, 2, 80
HOUR_US = 3_600_000_000


def opened(kind: str, where: str) -> Any:
    """A store that other processes use too."""
    if kind == "sqlite":
        from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider

        return SQLitePersistenceProvider(where)
    if kind == "postgres":
        from ruvon.implementations.persistence.postgres import PostgresPersistenceProvider

        return PostgresPersistenceProvider(where)
    from ruvon.implementations.persistence.redis import RedisPersistenceProvider

    url, _, prefix = where.partition("|")
    return RedisPersistenceProvider(url, prefix=prefix)


async def work(kind: str, where: str, name: str, log: str, *, holds: bool) -> None:
    """Claim, write it down, report; until nothing is left. One that holds claims once and reports nothing."""
    store, chance = opened(kind, where), random.Random(name)
    await store.initialize()
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    while True:
        lease_us = 1 if holds else HOUR_US
        limit = PER_KEY if holds else chance.randint(1, LIMIT)
        found = await store.claim_tasks(
            name, queues=["q"], limit=limit, lease_us=lease_us, now_us=time.time_ns() // 1000
        )
        for task in found:
            os.write(file, f"+ {name} {task.task_id} {task.concurrency_key}\n".encode())
        if holds:
            await asyncio.Event().wait()
        for task in found:
            await asyncio.sleep(chance.random() / 500)
            os.write(file, f"- {name} {task.task_id} {task.concurrency_key}\n".encode())
            await store.report_tasks([TaskReport(task.task_id, task.lease_epoch)])
        if not found and not await store.count_tasks():
            break
    await store.close()


if __name__ == "__main__":
    asyncio.run(work(*sys.argv[1:5], holds="held" in sys.argv))
