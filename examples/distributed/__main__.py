"""The shop on this machine, while its workers are killed: `python -m examples.distributed --help`.

It starts a PostgreSQL and a Redis of its own, two Celery workers and an application with a load of orders, kills a worker
every few seconds, starts it again as a supervisor would, and counts at the end. Everything that it has started is ended
with it, and its folder is deleted, also on Ctrl-C.
"""

import argparse
import asyncio
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from examples.distributed.lab.application import WORKFLOW_FILE, insist, open_builder
from examples.distributed.lab.cases import case
from examples.distributed.lab.machines import BIN, ROOT, Postgres, Program, Redis, Yard
from examples.distributed.lab.tally import Tally, count_effects, count_runs
from examples.narrator import heading
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution.queued import QueuedExecutionProvider
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceFilter

LEASE_S = 5
OPEN = tuple(status.value for status in WorkflowStatus if not status.is_terminal)


class Shop:
    """Its processes.

    Args:
        yard: where they live.
        runs: how many orders, plans and surveys there will be.
    """

    def __init__(self, yard: Yard, runs: int) -> None:
        heading("1. A PostgreSQL, a Redis, two Celery workers, an application")
        database = Postgres(yard, "postgres")
        database.start()
        self.url, self.ledger = database.create("shop"), database.create("ledger")
        broker = Redis(yard, "redis", durable=False)
        broker.start()
        variables = {
            "RUVON_DB_URL": self.url,
            "RUVON_WORKFLOWS": str(WORKFLOW_FILE),
            "RUVON_IMPORT_ROOTS": "examples",
            "RUVON_CONFIG_PATH": str(yard.folder / "none.yaml"),
            "RUVON_EXECUTION": "celery",
            "RUVON_WORKER_LEASE": str(LEASE_S),
            "RUVON_CELERY_BROKER_URL": broker.url,
            "SHOP_LEDGER_URL": self.ledger,
            "POSTGRES_POOL_MIN_SIZE": "1",
        }
        _run(["ruvon", "db", "migrate"], variables)
        _run(["python", "-m", "examples.distributed.ledger"], variables)
        celery = [str(BIN / "celery"), "-A", "ruvon.celery_app", "worker", "--loglevel", "info", "-c", "2"]
        self.workers = [
            Program(yard, name, [*celery, "-n", f"{name}@%h"], variables, ready=" ready.") for name in ("ann", "bob")
        ]
        scheduler = Program(yard, "scheduler", [str(BIN / "ruvon"), "scheduler", "--all"], variables)
        options = ["--db", self.url, "--broker", broker.url, "--first", "0", "--last", str(runs)]
        command = [sys.executable, "-m", "examples.distributed.lab.application", *options]
        self.application = Program(
            yard, "application", [*command, "--done", str(yard.folder / "done")], variables, ready="is open"
        )
        for program in (*self.workers, scheduler, self.application):
            program.begin()
        for program in (*self.workers, self.application):
            program.await_ready()
        print(f"   {database.url('shop')}\n   {broker.url}\n   the workers ann and bob, with two processes each")


def _run(command: list[str], variables: Mapping[str, str]) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    subprocess.run([str(BIN / command[0]), *command[1:]], check=True, cwd=ROOT, env=env)  # noqa: S603


async def work_and_kill(
    shop: Shop, runs: int, chance: random.Random, deadline_s: float
) -> tuple[Tally, list[datetime]]:
    """Kill a worker every few seconds until every run has ended; what is there then, and when somebody was killed."""
    heading(f"2. {runs} orders, plans and surveys; every few seconds a worker is killed with SIGKILL")
    builder = open_builder(shop.url, QueuedExecutionProvider())
    await insist(builder.initialize)
    kills: list[datetime] = []
    began = time.monotonic()
    left = runs
    while (left or shop.application.status is None) and time.monotonic() - began < deadline_s:
        await asyncio.sleep(chance.uniform(2, 4))
        victim = chance.choice(shop.workers)
        kills.append(datetime.now(UTC))
        await asyncio.to_thread(victim.kill)
        left = await builder.persistence.count_instances(InstanceFilter(statuses=OPEN))
        known = await builder.persistence.count_instances(InstanceFilter())
        print(
            f"   {time.monotonic() - began:5.1f} s  {victim.name} is killed; {known} runs so far, {left} of them open"
        )
        victim.begin()
        await asyncio.to_thread(victim.await_ready)  # a slow machine must not spend its time on starting workers
    while await _tasks(builder) and time.monotonic() - began < deadline_s:  # noqa: ASYNC110 - workers look in their own time
        await asyncio.sleep(0.2)
    heading("3. The tally")
    tally = await count_runs(builder, [case(number) for number in range(runs)])
    await builder.close()
    return tally, kills


async def _tasks(builder: WorkflowBuilder) -> int:
    """How many are in the queue; some stay after the end of their runs, for a worker to look at once more."""
    return sum(number for *_, number in await builder.persistence.count_tasks())


async def main(runs: int, seed: int, deadline_s: float) -> int:
    """The demonstration; 1 where something is not as it must be."""
    with Yard() as yard:
        shop = await asyncio.to_thread(Shop, yard, runs)
        tally, kills = await work_and_kill(shop, runs, random.Random(seed), deadline_s)
        await count_effects(shop.ledger, {number: case(number) for number in range(runs)}, lambda _: kills, tally)
    print(
        "\n".join(
            f"   {line}" for line in [f"workers killed                               {len(kills)}", *tally.lines()]
        )
    )
    well = not tally.problems and tally.runs == runs
    print("\n   nothing was lost, and nothing was done twice" if well else "\n   NOT in order")
    return 0 if well else 1


async def interruptible(runs: int, seed: int, deadline_s: float) -> int:
    """SIGTERM ends it like Ctrl-C."""
    task = asyncio.ensure_future(main(runs, seed, deadline_s))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await task


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m examples.distributed", description=__doc__)
    parser.add_argument("--runs", type=int, default=80, help="orders, plans and surveys")
    parser.add_argument("--seed", type=int, default=0, help="decides who is killed when")
    parser.add_argument("--deadline", type=float, default=300, help="seconds after which it gives up")
    given = parser.parse_args()
    logging.disable()
    try:
        sys.exit(asyncio.run(interruptible(given.runs, given.seed, given.deadline)))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("interrupted; everything is cleaned up")
