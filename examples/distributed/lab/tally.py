"""Counts afterwards: nothing lost, nothing done twice. The judges are the ledger, the histories and the known outcomes."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any, Self
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from examples.distributed.lab.cases import Case
from ruvon.builder import WorkflowBuilder
from ruvon.providers import InstanceFilter, TaskFilter

SHOWN = 20
TRIES = (
    "SELECT key, subject, what, attempt, tries.at FROM tries JOIN effects USING (key) ORDER BY key, attempt, tries.at"
)
NUMBER = re.compile(r"-(\d+)")
ITS_SECONDS = 8.0
"""So long a fault may last that began before the first try: the store is away, and what was done cannot be recorded."""


@dataclass
class Tally:
    """What was found."""

    runs: int = 0
    children: int = 0
    entries: int = 0
    effects: int = 0
    tries: int = 0
    repeats: int = 0
    """Tries of an effect that had been tried before, after a kill or a lost store; the key made them harmless."""
    problems: list[str] = field(default_factory=list)

    def __iadd__(self, other: "Tally") -> Self:
        self.runs += other.runs
        self.children += other.children
        self.entries += other.entries
        self.problems += other.problems
        return self

    def lines(self) -> list[str]:
        """For people."""
        found = [
            f"runs with the right end, result and state   {self.runs}",
            f"their children                               {self.children}",
            f"entries in their histories                   {self.entries}",
            f"effects, each under one key                  {self.effects}",
            f"tries of them                                {self.tries}, {self.repeats} of them repeats",
            f"problems                                     {len(self.problems)}",
        ]
        found += [f"   {problem}" for problem in self.problems[:SHOWN]]
        return found + (["   ..."] if len(self.problems) > SHOWN else [])


def plain(value: Any) -> Any:
    """A result or a state as plain data."""
    return value.model_dump() if isinstance(value, BaseModel) else value


async def count_runs(builder: WorkflowBuilder, cases: Sequence[Case]) -> Tally:
    """Every case has one run, which ended as it must, with a whole history and its children; nothing is left to do."""
    tally = Tally()
    for case in cases:
        await _count_run(builder, case, tally)
    store = builder.persistence
    number = await store.count_instances(InstanceFilter())
    if number != tally.runs + tally.children and not tally.problems:
        tally.problems.append(f"there are {number} runs in the store, not {tally.runs} and {tally.children} children")
    left = await store.find_tasks(TaskFilter())
    tally.problems += [f"a task is left: {task.kind} {task.status} of {task.workflow_id}" for task in left]
    tally.problems += [f"the store finds: {text}" for text in await _check(store)]
    return tally


async def _check(store: Any) -> Sequence[object]:
    found: Sequence[object] = await store.check()
    return found


async def _count_run(builder: WorkflowBuilder, case: Case, tally: Tally) -> None:
    record = await builder.persistence.find_by_idempotency_key(case.key)
    if record is None:
        tally.problems.append(f"{case.key} was lost: there is no run")
        return
    run = await builder.load_workflow(record.workflow_id)
    reached = (run.status.value, plain(run.result), plain(run.state))
    wanted = (case.status, case.result, dict(case.state))
    problems = [] if reached == wanted else [f"{case.key} ({run.id}) is {reached}, not {wanted}; {run.error!r}"]
    problems += await _history(builder, run.id, tally)
    children = await builder.persistence.find_instances(InstanceFilter(parent_id=UUID(run.id)), limit=100)
    if len(children) != case.children:
        problems.append(f"{case.key} ({run.id}) has {len(children)} children, not {case.children}")
    for child in children:
        problems += await _history(builder, str(child.workflow_id), tally)
    tally.children += len(children)
    tally.runs += not problems
    tally.problems += problems


async def _history(builder: WorkflowBuilder, run_id: str, tally: Tally) -> list[str]:
    log = await builder.persistence.read_log(UUID(run_id))
    tally.entries += len(log)
    problems = []
    if [entry.seq for entry in log] != list(range(1, len(log) + 1)):
        problems.append(f"the history of {run_id} has gaps")
    run = await builder.load_workflow(run_id)
    done = Counter((entry["kind"], entry["activation"]) for entry in await run.history() if entry["kind"] == "step")
    problems += [f"{run_id}: {key} is recorded {count} times" for key, count in done.items() if count > 1]
    return problems


async def count_effects(
    ledger: str, cases: Mapping[int, Case], faults: Callable[[int], Sequence[datetime]], tally: Tally
) -> None:
    """Every effect that the cases call for is there under one key, and no other.

    Args:
        ledger: its database.
        cases: what was asked for, by number.
        faults: when something was killed that had to do with the case of this number: a try that is repeated without that
            was repeated for nothing.
        tally: what is added to.
    """
    connection = await asyncpg.connect(ledger)
    try:
        effects = await connection.fetch("SELECT key, subject, what, cents FROM effects")
        tries = await connection.fetch(TRIES)
    finally:
        await connection.close()
    there = Counter((row["subject"], row["what"], row["cents"]) for row in effects)
    wanted = {effect for case in cases.values() for effect in case.effects}
    tally.problems += [f"{effect} was lost" for effect in wanted if effect not in there]
    tally.problems += [f"{effect} ought not to be" for effect in there if effect not in wanted]
    tally.problems += [f"{effect} was done under {n} keys" for effect, n in there.items() if n > 1]
    tally.effects = len(effects)
    tally.tries = len(tries)
    for one, other in pairwise(tries):
        if (one["key"], one["attempt"]) != (other["key"], other["attempt"]):
            continue
        tally.repeats += 1
        found = NUMBER.search(one["subject"])
        if not any(_explains(fault, one["at"], other["at"]) for fault in faults(int(found[1]) if found else -1)):
            what = f"{one['what']} of {one['subject']}"
            tally.problems.append(f"{what} was tried at {one['at']} and at {other['at']}, and nothing was killed")


def _explains(fault: datetime, first: datetime, second: datetime) -> bool:
    return (first - fault).total_seconds() <= ITS_SECONDS and fault <= second
