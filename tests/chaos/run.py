"""A run of chaos: fleets work through their cases while they are killed; then everything is counted."""

import asyncio
import contextlib
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from examples.distributed.lab.machines import BIN, ROOT, Postgres, Program, Redis, Yard
from examples.distributed.lab.tally import Tally, count_effects, count_runs
from ruvon.providers import PersistenceError
from tests.chaos.brokers import RabbitMQ
from tests.chaos.faults import Faults
from tests.chaos.fleets import KINDS, Fleet, build

__all__ = ["Options", "Outcome", "chaos"]

LOOK_S = 0.5
HURT_S = 15.0
UNAVAILABLE = 3
"""The exit code of commands that cannot reach their database."""
CELERYS = ("kombu/transport/redis.py", "billiard.exceptions.WorkerLostError")
"""Celery itself may give up when it loses its broker while it connects, or its pool; a supervisor starts it again."""
TOLD_S = 10.0


@dataclass(frozen=True)
class Options:
    """How much of it."""

    runs: int = 5000
    """Cases, over all fleets."""
    seconds: float = 600
    """So long things are killed at most; they are left alone as soon as every run has ended."""
    settle: float = 300
    """So long what is left may take afterwards."""
    seed: int = 0
    stores: Sequence[str] = KINDS
    pause: tuple[float, float] = (5.0, 20.0)
    """Between two faults of a kind's loop, in seconds."""
    broker: str = "redis"
    """Of the fleet `celery`: `redis`, which is killed too, or `rabbitmq`, whose queue is only emptied."""
    keep: bool = False
    """Leave the folder with the logs."""


@dataclass
class Outcome:
    """What came of it."""

    tally: Tally
    faults: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    """Kinds of faults that did not happen."""
    seconds: float = 0.0

    def lines(self) -> list[str]:
        """For people."""
        found = [f"{name:<44} {count}" for name, count in sorted(self.faults.items())]
        found += [f"{name:<44} did not happen" for name in self.missing]
        return [*found, *self.tally.lines(), f"seconds                                      {self.seconds:.0f}"]


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def chaos(options: Options, say: Callable[[str], None] = _print) -> Outcome:
    """Run it; whatever it has started is ended when it returns or is cancelled."""
    began = time.monotonic()

    def tell(text: str) -> None:
        say(f"{time.monotonic() - began:7.1f} s  {text}")

    with Yard(keep=options.keep) as yard:
        tell(f"seed {options.seed}, in {yard.folder}")
        async with _fleets(yard, options) as (fleets, ledger):
            tell(f"{options.runs} runs on {', '.join(fleet.name for fleet in fleets)}")
            chances = random.Random(options.seed)
            faults = [Faults(fleet, random.Random(chances.random()), options.pause, tell) for fleet in fleets]
            outcome = Outcome(Tally())
            await _suffer(fleets, faults, options, outcome.tally, tell)
            tell("nothing is killed any more")
            left = await _settle(fleets, options.settle, outcome.tally)
            tell(f"{left} runs have not ended")
            await _end(fleets, outcome.tally)
            await _count(fleets, ledger, outcome.tally)
        for item in faults:
            outcome.faults += Counter({f"{item.fleet_name}: {name}": count for name, count in item.done.items()})
            outcome.missing += [f"{item.fleet_name}: {name}" for name in item.missing]
    outcome.seconds = time.monotonic() - began
    return outcome


@asynccontextmanager
async def _fleets(yard: Yard, options: Options) -> AsyncGenerator[tuple[list[Fleet], str]]:
    """Servers and fleets, ready; the ledger lives on a server that nobody kills."""
    witness = Postgres(yard, "ledger")
    await asyncio.to_thread(witness.start)
    ledger = witness.create("ledger")
    _command([sys.executable, "-m", "examples.distributed.ledger"], SHOP_LEDGER_URL=ledger)
    made: list[Fleet] = []
    share = -(-options.runs // len(options.stores))
    for index, kind in enumerate(options.stores):
        numbers = range(index * share, min((index + 1) * share, options.runs))
        store = Redis(yard, kind, durable=True) if kind == "redis" else Postgres(yard, kind)
        broker = _broker(yard, options.broker) if kind == "celery" else None
        for server in (store, broker):
            if server is not None:
                await asyncio.to_thread(server.start)
        fleet = build(yard, kind, numbers, store, broker, ledger)
        if isinstance(store, Postgres):
            _command([str(BIN / "ruvon"), "db", "migrate", "--db", fleet.url])
        made.append(fleet)
    for fleet in made:
        for program in fleet.programs:
            program.begin()
    for fleet in made:
        for program in fleet.programs:
            await asyncio.to_thread(program.await_ready)
        fleet.application.begin()
        await fleet.open()
    try:
        yield made, ledger
    finally:
        for fleet in made:
            with contextlib.suppress(PersistenceError):
                await fleet.builder.close()
            if isinstance(fleet.broker, RabbitMQ):
                await asyncio.to_thread(fleet.broker.forget)


def _broker(yard: Yard, kind: str) -> Redis | RabbitMQ:
    return RabbitMQ() if kind == "rabbitmq" else Redis(yard, "celery-broker", durable=False)


def _command(command: list[str], **variables: str) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    subprocess.run(command, check=True, cwd=ROOT, env=env, stdout=subprocess.DEVNULL)


async def _suffer(
    fleets: list[Fleet], faults: list[Faults], options: Options, tally: Tally, tell: Callable[[str], None]
) -> None:
    """Until every run has ended and every kind of fault has been; or the time is over, which is doubled for the kinds."""
    loops = [asyncio.create_task(item.run()) for item in faults]
    until = time.monotonic() + options.seconds
    latest = until + options.seconds
    told = time.monotonic()
    try:
        while time.monotonic() < until or (any(item.missing for item in faults) and time.monotonic() < latest):
            await asyncio.sleep(LOOK_S)
            _supervise(fleets, tally)
            for loop in loops:
                if loop.done():
                    loop.result()
            left = await _left(fleets)
            if left == 0 and not any(item.missing for item in faults):
                return
            if time.monotonic() - told > TOLD_S:
                told = time.monotonic()
                tell(f"{left if left is not None else 'an unknown number of'} runs have not ended")
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
        for item in faults:
            await item.finish()


def _supervise(fleets: list[Fleet], tally: Tally) -> None:
    """Start what has ended by itself, as systemd would; that is well only for who began while the store was away."""
    for fleet in fleets:
        for program in [*fleet.programs, fleet.application]:
            if not program.expected or program.status is None:
                continue
            if program is fleet.application and program.status == 0:
                continue
            said = program.said()
            excused = program.status == UNAVAILABLE or any(text in said for text in CELERYS)
            if not (excused and fleet.was_hurt(seconds=HURT_S)):
                last = "\n      ".join(said.strip().splitlines()[-12:])
                tally.problems.append(f"{program.name} ended by itself with {program.status}: {last}")
            program.begin()


async def _left(fleets: list[Fleet]) -> int | None:
    """How many runs have not ended, as far as one can see; None while a store is away."""
    try:
        async with asyncio.timeout(5):
            found = [await fleet.open_runs() for fleet in fleets]
    except (PersistenceError, OSError, TimeoutError):
        return None
    waiting = sum(fleet.application.status is None for fleet in fleets)
    return sum(found) + waiting


async def _settle(fleets: list[Fleet], seconds: float, tally: Tally) -> int | None:
    """In peace now, until every run has ended and no task is left: some are looked at again a lease later."""
    until = time.monotonic() + seconds
    left = await _left(fleets)
    while (left != 0 or await _queued(fleets) != 0) and time.monotonic() < until:
        await asyncio.sleep(LOOK_S)
        _supervise(fleets, tally)
        left = await _left(fleets)
    return left


async def _queued(fleets: list[Fleet]) -> int | None:
    """How many tasks lie in the queues; None while a store is away."""
    try:
        async with asyncio.timeout(5):
            return sum([await fleet.queued_tasks() for fleet in fleets])
    except (PersistenceError, OSError, TimeoutError):
        return None


async def _end(fleets: list[Fleet], tally: Tally) -> None:
    """SIGTERM for everybody: they drain, and end well."""
    programs: list[Program] = [program for fleet in fleets for program in fleet.programs]
    for program in programs:
        await asyncio.to_thread(program.await_ready)
    for program, status in zip(
        programs, await asyncio.gather(*(asyncio.to_thread(program.stop) for program in programs)), strict=True
    ):
        if status != 0:
            tally.problems.append(f"{program.name} ended with {status} on SIGTERM:\n{program.said()[-2000:]}")


async def _count(fleets: list[Fleet], ledger: str, tally: Tally) -> None:
    for fleet in fleets:
        tally += await count_runs(fleet.builder, list(fleet.cases.values()))
    by_number = {number: fleet for fleet in fleets for number in fleet.cases}
    cases = {number: case for fleet in fleets for number, case in fleet.cases.items()}
    await count_effects(ledger, cases, lambda number: by_number[number].faults if number in by_number else (), tally)
