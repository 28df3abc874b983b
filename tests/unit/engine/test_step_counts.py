"""Counts and times of steps, taken from the logs of runs."""

import asyncio
from typing import Any
from uuid import UUID

import orjson
from pydantic import BaseModel

from ruvon import gather, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.engine._step_counts import StepCounts
from ruvon.ir import Definition, load
from ruvon.providers import InstanceRecord, LogEntry

SECOND = 1_000_000


class Box(BaseModel):
    """The state."""

    n: int = 0


@step
async def pack(n: int) -> int:
    return n


@step
async def send(n: int) -> int:
    return n


@workflow("Counted")
async def counted(state: Box) -> None:
    await pack(1)
    for n in range(2):
        await send(n)
    await gather(*(pack(n) for n in range(3)))


def definition() -> Definition:
    """What is stored of the workflow."""

    async def stored() -> Definition:
        builder = WorkflowBuilder()
        builder.register(counted)
        await builder.create_workflow("Counted")
        (record,) = await builder.persistence.list_definitions("Counted")
        await builder.close()
        return load(record.text)

    return asyncio.run(stored())


def run(status: str = "COMPLETED", *, ended_s: int = 0, waits: Any = None) -> InstanceRecord:
    """A run that was created at the moment 0."""
    made = InstanceRecord(UUID(int=1), "Counted", "1.0.0", b"d", status, b"", b"")
    made.updated_us = ended_s * SECOND
    made.waiting_for = orjson.dumps(waits) if waits else None
    return made


def log(*entries: tuple[int, str, str], first: int = 1) -> list[LogEntry]:
    """A log: the second, the kind and the activation of each entry."""
    return [
        LogEntry(seq, kind, activation.rpartition("/")[2].partition("#")[0], activation, second * SECOND)
        for seq, (second, kind, activation) in enumerate(entries, first)
    ]


def counts(*entries: tuple[int, str, str], record: InstanceRecord | None = None, first: int = 1) -> dict[str, Any]:
    """The rows of one run's log by step; that of the run is None's."""
    found = StepCounts()
    found.add(record or run(), definition(), log(*entries, first=first))
    return {row["step"]: row for row in found.rows()}


def test_a_step_takes_from_the_entry_before_it() -> None:
    """The first one from the creation of the run."""
    rows = counts((3, "step", "pack"), (10, "step", "send"))

    assert (rows["pack"]["mean_s"], rows["send"]["mean_s"]) == (3, 7)
    assert (rows["pack"]["started"], rows["pack"]["completed"], rows["pack"]["failed"]) == (1, 1, 0)


def test_turns_of_a_loop_follow_each_other() -> None:
    """Each turn is counted, from the end of the one before it."""
    rows = counts((1, "step", "pack"), (3, "step", "for[0]/send"), (8, "step", "for[1]/send"))

    assert (rows["send"]["started"], rows["send"]["completed"]) == (2, 2)
    assert (rows["send"]["p50_s"], rows["send"]["longest_s"], rows["send"]["mean_s"]) == (2, 5, 3.5)


def test_branches_go_on_beside_each_other() -> None:
    """The steps of a branch take no longer because another branch ended in between."""
    rows = counts(
        (1, "step", "pack"),
        (4, "step", "gather[0]/pack"),
        (6, "step", "gather[1]/send"),
        (9, "step", "gather[0]/send"),
        (10, "step", "gather"),
    )

    assert rows["pack"]["longest_s"] == 3
    assert (rows["send"]["p50_s"], rows["send"]["longest_s"]) == (5, 5)
    assert rows["gather"]["mean_s"] == 9


def test_a_repeated_step_is_one_that_took_longer() -> None:
    """Its attempts and their delays are in its time; a failed attempt that is repeated is a retry, no failure."""
    row = counts((2, "retry", "pack"), (5, "retry", "pack"), (6, "step", "pack"))["pack"]

    assert (row["started"], row["completed"], row["failed"], row["retries"], row["mean_s"]) == (1, 1, 0, 2, 6)


def test_what_failed_has_no_time() -> None:
    """A failure is counted; a later retry by hand takes from where it began."""
    failed = counts((2, "error", "pack"))["pack"]
    again = counts((2, "error", "pack"), (100, "repair", ""), (103, "step", "pack"))["pack"]

    assert (failed["started"], failed["completed"], failed["failed"], failed["mean_s"]) == (1, 0, 1, None)
    assert (again["started"], again["completed"], again["failed"], again["mean_s"]) == (1, 1, 1, 3)


def test_what_waits_has_started() -> None:
    """A step that a worker has, or a person, is in no log yet."""
    waits = [{"kind": "task", "id": "for[1]/send", "step": "send"}]
    row = counts((1, "step", "pack"), (2, "step", "for[0]/send"), record=run("PENDING_ASYNC", waits=waits))["send"]

    assert (row["started"], row["completed"]) == (2, 1)


def test_runs_are_counted_too() -> None:
    """By type, with the time from creation to a good end; a cancelled one neither failed nor completed."""
    found = StepCounts()
    for record in (run(ended_s=4), run(ended_s=8), run("FAILED"), run("CANCELLED"), run("ACTIVE")):
        found.add(record, definition(), ())
    (row,) = found.rows()

    assert (row["workflow_type"], row["step"]) == ("Counted", None)
    assert (row["started"], row["completed"], row["failed"]) == (5, 2, 1)
    assert (row["mean_s"], row["p50_s"], row["p95_s"]) == (6, 4, 8)


def test_a_log_that_lost_its_beginning_invents_no_time() -> None:
    """The first entry that is kept took nothing that is known; what follows is counted as ever."""
    rows = counts((90, "step", "for[7]/send"), (93, "step", "for[8]/send"), first=40)

    assert (rows["send"]["completed"], rows["send"]["mean_s"]) == (2, 3)


def test_the_share_is_a_time_that_was_taken() -> None:
    """95 percent of 20 steps took no longer than the nineteenth."""
    rows = counts(*[(n * (n + 1) // 2, "step", f"for[{n}]/send") for n in range(1, 21)])

    assert (rows["send"]["p50_s"], rows["send"]["p95_s"], rows["send"]["longest_s"]) == (10, 19, 20)
