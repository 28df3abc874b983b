"""Fleets: a store, the workers that serve it, and the application that uses it, all of them processes of our own."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from examples.distributed.lab.application import WORKFLOW_FILE, open_builder
from examples.distributed.lab.cases import Case, case
from examples.distributed.lab.machines import BIN, Postgres, Program, Redis, Yard
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution.queued import QueuedExecutionProvider
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceFilter
from tests.chaos.brokers import RabbitMQ

__all__ = ["KINDS", "LEASE_S", "Fleet", "build"]

KINDS: Final = ("postgres", "celery", "redis")
LEASE_S: Final = 4.0
OPEN: Final = tuple(status.value for status in WorkflowStatus if not status.is_terminal)


@dataclass
class Fleet:
    """A store and whoever works on it."""

    name: str
    cases: Mapping[int, Case]
    store: Postgres | Redis
    url: str
    application: Program
    workers: list[Program]
    schedulers: list[Program] = field(default_factory=list)
    broker: Redis | RabbitMQ | None = None
    faults: list[datetime] = field(default_factory=list)
    builder: WorkflowBuilder = field(init=False)

    @property
    def programs(self) -> list[Program]:
        """What is to run all the time."""
        return [*self.workers, *self.schedulers]

    async def open(self) -> None:
        """Look into the store, from here."""
        self.builder = open_builder(self.url, QueuedExecutionProvider())
        await self.builder.initialize()

    async def open_runs(self) -> int:
        """How many runs have not ended."""
        return await self.builder.persistence.count_instances(InstanceFilter(statuses=OPEN))

    async def queued_tasks(self) -> int:
        """How many tasks lie in the queue, of runs that have ended too: a worker looks at each of those once more."""
        return sum(number for *_, number in await self.builder.persistence.count_tasks())

    def was_hurt(self, seconds: float) -> bool:
        """Whether something of it was killed so lately."""
        return bool(self.faults) and (datetime.now(UTC) - self.faults[-1]).total_seconds() < seconds

    def fault(self) -> None:
        """Something of it is killed now."""
        self.faults.append(datetime.now(UTC))


def build(
    yard: Yard, kind: str, numbers: range, store: Postgres | Redis, broker: Redis | RabbitMQ | None, ledger: str
) -> Fleet:
    """A fleet of a kind; nothing of it but its database is started.

    Args:
        yard: where it lives.
        kind: `postgres` and `redis` have `ruvon worker`s, `celery` has Celery over PostgreSQL, and a `ruvon scheduler`.
        numbers: its cases.
        store: its server.
        broker: where Celery is told of tasks.
        ledger: the database of the world outside.
    """
    url = store.create(f"shop_{kind}") if isinstance(store, Postgres) else store.url
    variables = {
        "RUVON_DB_URL": url,
        "RUVON_WORKFLOWS": str(WORKFLOW_FILE),
        "RUVON_IMPORT_ROOTS": "examples",
        "RUVON_CONFIG_PATH": str(yard.folder / "none.yaml"),
        "RUVON_WORKER_LEASE": str(LEASE_S),
        "RUVON_CELERY_BATCH": "8",
        "RUVON_CELERY_BROKER_URL": broker.url if broker is not None else "",
        "SHOP_LEDGER_URL": ledger,
        "POSTGRES_POOL_MIN_SIZE": "1",
        "POSTGRES_POOL_MAX_SIZE": "6",
    }
    done = yard.folder / f"{kind}.done"
    options = ["--db", url, "--first", str(numbers.start), "--last", str(numbers.stop), "--done", str(done)]
    if broker is not None:
        options += ["--broker", broker.url]
    if isinstance(broker, RabbitMQ):
        variables["RUVON_CELERY_NAMESPACE"] = broker.namespace
        options += ["--namespace", broker.namespace]
    application = Program(
        yard, f"{kind}-application", [sys.executable, "-m", "examples.distributed.lab.application", *options], variables
    )
    made = Fleet(kind, {number: case(number) for number in numbers}, store, url, application, [], broker=broker)
    for number in range(2):
        name = f"{kind}-worker{number}"
        made.workers.append(_worker(yard, name, kind, variables))
    if kind == "celery":
        command = [str(BIN / "ruvon"), "scheduler", "--all", "--execution", "celery"]
        made.schedulers.append(Program(yard, "celery-scheduler", command, variables))
    return made


def _worker(yard: Yard, name: str, kind: str, variables: Mapping[str, str]) -> Program:
    if kind == "celery":
        command = [str(BIN / "celery"), "-A", "ruvon.celery_app", "worker", "--loglevel", "info", "-c", "2"]
        return Program(yard, name, [*command, "-n", f"{name}@%h"], variables, ready=" ready.")
    command = [str(BIN / "ruvon"), "worker", "--all", "--lease", str(LEASE_S), "--concurrency", "8"]
    return Program(yard, name, command, variables, ready=" runs; ")
