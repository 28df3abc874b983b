"""Applying a batch of transitions: each stands alone.

Steps that write only their row and their log are one statement, which is a transaction by itself. A batch with anything
more is a transaction: the rows are locked in one order, guards are checked, and a transition whose guard fails leaves no
trace while its neighbours go on. Whatever several transitions of a batch write to one table is one statement. Instances
whose creation is refused in a batch are put off and tried alone, where the answer depends on nobody else.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias

import asyncpg

from ruvon.implementations.persistence.postgres import _sending
from ruvon.implementations.persistence.postgres import _statements as sql
from ruvon.implementations.persistence.postgres._driver import Connection
from ruvon.implementations.persistence.postgres._forget import forget
from ruvon.implementations.persistence.postgres._instances import (
    Group,
    Ids,
    columns,
    insert_groups,
)
from ruvon.implementations.persistence.postgres._projection import state_text
from ruvon.providers.persistence import (
    PersistenceError,
    StaleWorkflowError,
    Transition,
    WorkflowNotFoundError,
)

__all__ = ["Answer", "Item", "Later", "Target", "apply_batch"]

_ROW_COLUMNS: Final = 16
_LOG_COLUMNS: Final = 15


class Later(Enum):
    """The answer of a transition that is to be tried alone."""

    LATER = "later"


Answer: TypeAlias = "PersistenceError | Later | None"


@dataclass(slots=True, eq=False)
class Item:
    """One transition on its way; its ids stay the same however often it is tried."""

    transition: Transition
    answer: "asyncio.Future[PersistenceError | None]"
    log_ids: list[int] = field(default_factory=list[int])
    snapshot_id: int | None = None
    in_doubt: bool = False
    """It was tried before, and the connection was lost before the answer."""

    @property
    def creates(self) -> bool:
        """It inserts instances and touches no row."""
        return self.transition.expected < 0

    def is_lean(self) -> bool:
        """Whether it writes its row and its log, and nothing beside."""
        made = self.transition
        return (
            made.expected >= 0
            and made.snapshot is None
            and made.digest is None
            and not made.drop_log
            and not made.forget_before
            and not (made.consumed or made.sent or made.tasks or made.tasks_done or made.outbox)
            and not (made.definitions or made.created or made.schedules)
        )


@dataclass(frozen=True, slots=True)
class Target:
    """What of the database the statements are told."""

    inbox_salt: int
    channel: str


async def apply_batch(connection: Connection, batch: Sequence[Item], ids: Ids, target: Target) -> list[Answer]:
    """Write a batch whose transitions are of different instances; the answer of each in the same place.

    Without an open transaction it is one of its own, durable on return.
    """
    await _give_ids(connection, batch, ids)
    if all(item.is_lean() for item in batch):
        held = await _advance(connection, batch)
        return [None if item.transition.key in held else await _why_not(connection, item.transition) for item in batch]
    async with connection.transaction():
        return await _apply(connection, batch, ids, target)


async def _give_ids(connection: Connection, batch: Sequence[Item], ids: Ids) -> None:
    fresh = [item for item in batch if not item.log_ids]
    logs = sum(len(item.transition.entries) for item in fresh)
    snapshots = sum(item.transition.snapshot is not None for item in fresh)
    created = sum(len(item.transition.created) for item in batch)
    await ids.reserve(connection, logs=logs, snapshots=snapshots + created)
    for item in fresh:
        item.log_ids = [ids.next_log() for _ in item.transition.entries]
        if item.transition.snapshot is not None:
            item.snapshot_id = item.snapshot_id or ids.next_snapshot()


async def _why_not(connection: Connection, transition: Transition) -> PersistenceError:
    found = await connection.fetch(sql.SETTLED_ROWS, [transition.key])
    return (StaleWorkflowError if found else WorkflowNotFoundError)(transition.workflow_id)


async def _advance(connection: Connection, batch: Sequence[Item]) -> set[int]:
    """Rows and log entries; the keys of the transitions whose guard held."""
    rows = [_row(item) for item in batch]
    entries = [row for item in batch for row in _entries(item)]
    found = await connection.fetch(sql.ADVANCE, *columns(rows, _ROW_COLUMNS), *columns(entries, _LOG_COLUMNS))
    return {row["key"] for row in found}


async def _apply(connection: Connection, batch: Sequence[Item], ids: Ids, target: Target) -> list[Answer]:
    answers: dict[Item, Answer] = {}
    heads = await _lock(connection, batch)
    for item in batch:
        answers[item] = _guard(item, heads)
    await _create(connection, [item for item in batch if answers[item] is None], answers, ids)
    standing = [item for item in batch if answers[item] is None]
    moving = [item for item in standing if not item.creates]
    previous = {item.transition.key: heads[item.transition.key]["snapshot_head"] for item in moving}
    for item in moving:
        if item.transition.drop_log:
            await _drop_history(connection, heads[item.transition.key])
            previous[item.transition.key] = None
    if moving and len(await _advance(connection, moving)) != len(moving):
        raise PersistenceError("a locked row was changed by somebody else")
    await _write_beside(connection, moving, previous)
    await _sending.write_tasks(connection, [item.transition for item in standing], target.channel)
    await _sending.send(connection, [item.transition for item in standing], target.inbox_salt, target.channel)
    return [answers[item] for item in batch]


async def _lock(connection: Connection, batch: Sequence[Item]) -> "dict[int, asyncpg.Record]":
    keys = [item.transition.key for item in batch if not item.creates]
    return {row["key"]: row for row in await connection.fetch(sql.HEADS, keys)} if keys else {}


def _guard(item: Item, heads: "dict[int, asyncpg.Record]") -> PersistenceError | None:
    transition = item.transition
    if item.creates:
        return None
    head = heads.get(transition.key)
    if head is None:
        return WorkflowNotFoundError(transition.workflow_id)
    return None if head["revision"] == transition.expected else StaleWorkflowError(transition.workflow_id)


async def _create(connection: Connection, standing: list[Item], answers: dict[Item, Answer], ids: Ids) -> None:
    creating = [item for item in standing if item.transition.created]
    if not creating:
        return
    groups = [Group(item.transition.created, not item.creates) for item in creating]
    for item, answer in zip(creating, await insert_groups(connection, groups, ids), strict=True):
        answers[item] = Later.LATER if answer is not None and len(answers) > 1 else answer


async def _drop_history(connection: Connection, head: "asyncpg.Record") -> None:
    await connection.execute(sql.FORGET_HEADS, head["key"])
    for statement, newest in ((sql.DROP_LOGS, head["log_head"]), (sql.DROP_SNAPSHOTS, head["snapshot_head"])):
        if newest is not None:
            await connection.execute(statement, [newest])


async def _write_beside(connection: Connection, moving: Sequence[Item], previous: dict[int, int | None]) -> None:
    snapshots = [
        (item.snapshot_id, made.key, made.last_seq, previous[made.key], made.snapshot)
        for item in moving
        if (made := item.transition).snapshot is not None
    ]
    if snapshots:
        await connection.execute(sql.SNAPSHOT, *columns(snapshots, 5))
        states = [(row[1], state_text(row[4])) for row in snapshots]
        await connection.execute(sql.PROJECT, *columns(states, 2))
    for item in moving:
        made = item.transition
        if made.digest is not None:
            await connection.execute(sql.REDEFINE, made.key, made.digest, made.workflow_version)
    made_all = [item.transition for item in moving]
    if consumed := [seq for made in made_all for seq in made.consumed]:
        await connection.execute(sql.CONSUME_INBOX, consumed)
    for made in made_all:
        if made.forget_before:
            await forget(connection, made.key, made.forget_before)


def _row(item: Item) -> tuple[object, ...]:
    made = item.transition
    return (
        made.key,
        made.expected,
        made.revision,
        made.transition_id,
        made.position,
        made.last_seq,
        item.log_ids[-1] if item.log_ids else None,
        item.snapshot_id,
        made.current_step,
        made.waiting_for,
        made.result,
        made.error,
        made.saga_enabled,
        made.at_us,
        made.status,
        made.due_us,
    )


def _entries(item: Item) -> list[tuple[object, ...]]:
    """The log rows; the first one's predecessor is what the row says."""
    made = item.transition
    return [
        (
            made_id,
            made.key,
            entry.seq,
            item.log_ids[place - 1] if place else None,
            entry.kind,
            entry.node,
            entry.activation,
            entry.at_us,
            entry.attempt,
            entry.delta,
            entry.result,
            entry.saga,
            entry.error,
            entry.note,
            entry.position or None,
        )
        for place, (made_id, entry) in enumerate(zip(item.log_ids, made.entries, strict=True))
    ]
