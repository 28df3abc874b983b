"""Applying a batch of transitions: each stands alone.

Steps that write only their row and their log are one statement, which is a transaction by itself. A batch with anything
more is a transaction: the rows are locked in one order, guards are checked, and a transition whose guard fails leaves no
trace while its neighbours go on. Whatever several transitions of a batch write to one table is one statement. Instances
whose creation is refused in a batch are put off and tried alone, where the answer depends on nobody else.
"""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, TypeAlias, cast

import asyncpg

from ruvon.implementations.persistence import _rows as records
from ruvon.implementations.persistence.postgres import _sending
from ruvon.implementations.persistence.postgres import _statements as sql
from ruvon.implementations.persistence.postgres._driver import Connection
from ruvon.implementations.persistence.postgres._forget import forget
from ruvon.implementations.persistence.postgres._holds import TASKS
from ruvon.implementations.persistence.postgres._instances import (
    Group,
    Ids,
    columns,
    insert_groups,
    numbers,
    words,
)
from ruvon.implementations.persistence.postgres._projection import state_text
from ruvon.providers.persistence import (
    PersistenceError,
    StaleWorkflowError,
    Transition,
    WorkflowNotFoundError,
)

__all__ = ["Answer", "Item", "Later", "Target", "apply_batch", "parts"]

_ROW_COLUMNS: Final = 16
_ROW_NUMBERS: Final = (0, 1, 2, 5, 6, 7, 12, 13, 15)
_LOG_COLUMNS: Final = 15
_ROW_WORDS: Final = (8, 14)
_LOG_NUMBERS: Final = (0, 1, 2, 3, 7, 8)
_TASK_COLUMNS: Final = 17
_TASK_NUMBERS: Final = (0, 6, 7, 9, 12, 13, 14)
_LOG_WORDS: Final = (4, 5, 6, 13)


class Later(Enum):
    """The answer of a transition that is to be tried alone."""

    LATER = "later"


Answer: TypeAlias = "PersistenceError | Later | None"


@dataclass(slots=True, eq=False)
class Item:
    """One transition on its way; its ids stay the same however often it is tried."""

    transition: Transition
    waiter: "asyncio.Future[None]"
    log_ids: list[int] = field(default_factory=list[int])
    snapshot_id: int | None = None
    in_doubt: bool = False
    """It was tried before, and the connection was lost before the answer."""
    settled: bool = False
    """Its answer is known. A caller that was cancelled does not settle it: what it asked for is still written."""

    @property
    def creates(self) -> bool:
        """It inserts instances and touches no row."""
        return self.transition.expected < 0

    def is_plain(self) -> bool:
        """Whether `ADVANCE` or `ADVANCE_MORE` writes all of it."""
        made = self.transition
        return (
            made.expected >= 0
            and made.digest is None
            and not made.drop_log
            and not made.forget_before
            and not (made.sent or made.definitions or made.created or made.schedules)
            and not (made.tasks and made.tasks_done and self._puts_back())
        )

    def _puts_back(self) -> bool:
        """Whether a task is both done and new, which takes two statements."""
        done = set(self.transition.tasks_done)
        return any(task.task_id in done for task in self.transition.tasks)

    def is_lone(self, stored: Collection[bytes]) -> bool:
        """Whether it only creates one instance, of a definition that is stored."""
        made = self.transition
        return (
            made.expected < 0
            and len(made.created) == 1
            and not (made.sent or made.tasks or made.tasks_done or made.outbox or made.schedules)
            and all(item.digest in stored for item in made.definitions)
        )


@dataclass(frozen=True, slots=True)
class Target:
    """What of the database the statements are told."""

    inbox_salt: int
    channel: str


def parts(batch: Sequence[Item], ids: Ids) -> list[list[Item]]:
    """The batch in transactions: steps, new instances, and whatever needs more than one statement."""
    made: tuple[list[Item], list[Item], list[Item]] = ([], [], [])
    for item in batch:
        made[0 if item.is_plain() else 1 if item.is_lone(ids.stored) else 2].append(item)
    return [part for part in made if part]


async def apply_batch(connection: Connection, batch: Sequence[Item], ids: Ids, target: Target) -> list[Answer]:
    """Write a batch whose transitions are of different instances; the answer of each in the same place.

    Without an open transaction it is one of its own, durable on return.
    """
    await _give_ids(connection, batch, ids)
    if all(item.is_plain() for item in batch):
        held = await _advance(connection, batch, target)
        return [None if item.transition.key in held else await _why_not(connection, item.transition) for item in batch]
    if all(item.is_lone(ids.stored) for item in batch):
        groups = [Group(item.transition.created, left_alone=False) for item in batch]
        return _put_off(await insert_groups(connection, groups, ids))
    async with connection.transaction():
        answers = await _apply(connection, batch, ids, target)
    stored = (item.transition for item, answer in zip(batch, answers, strict=True) if answer is None)
    ids.stored.update(definition.digest for made in stored for definition in made.definitions)
    return answers


def _put_off(answers: Sequence[PersistenceError | None]) -> list[Answer]:
    """Whoever is refused beside others is tried alone."""
    return [Later.LATER if answer is not None and len(answers) > 1 else answer for answer in answers]


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


async def _advance(connection: Connection, batch: Sequence[Item], target: Target | None) -> set[int]:
    """Rows, log entries, and new tasks where a target is given; the keys of the transitions whose guard held."""
    rows = _bound([_row(item) for item in batch], _ROW_COLUMNS, _ROW_NUMBERS, _ROW_WORDS)
    entries = _bound([row for item in batch for row in _entries(item)], _LOG_COLUMNS, _LOG_NUMBERS, _LOG_WORDS)
    transitions = [item.transition for item in batch]
    if any(_has_more(made, target) for made in transitions):
        found = await connection.fetch(
            sql.ADVANCE_MORE, *rows, *entries, *_beside(transitions), *_new_tasks(transitions, target)
        )
    else:
        found = await connection.fetch(sql.ADVANCE, *rows, *entries)
    return {row["key"] for row in found}


def _has_more(made: Transition, target: Target | None) -> bool:
    has_tasks = target is not None and bool(made.tasks)
    return made.snapshot is not None or bool(made.consumed or made.tasks_done or made.outbox) or has_tasks


def _new_tasks(transitions: Sequence[Transition], target: Target | None) -> list[Sequence[object] | str]:
    """What `ADVANCE_MORE` is told of new tasks, and of whom to tell; none where no target is given."""
    found = [(made.key, *records.task_values(task)) for made in transitions for task in made.tasks] if target else []
    return [*_bound(found, _TASK_COLUMNS, _TASK_NUMBERS), target.channel if target else "", TASKS]


def _beside(transitions: Sequence[Transition]) -> list[Sequence[object]]:
    """What `ADVANCE_MORE` is told of each transition beside its row and its log."""
    full = [(made.snapshot, state_text(made.snapshot) if made.snapshot is not None else None) for made in transitions]
    consumed = [(made.key, seq) for made in transitions for seq in made.consumed]
    done = [(made.key, task_id) for made in transitions for task_id in made.tasks_done]
    events = [
        (
            made.key,
            event.topic,
            event.payload,
            event.at_us,
            str(event.workflow_id) if event.workflow_id is not None else None,
            event.key,
        )
        for made in transitions
        for event in made.outbox
    ]
    return [
        *columns(full, 2),
        *_bound(consumed, 2, (0, 1)),
        *_bound(done, 2, (0,)),
        *_bound(events, 6, (0, 3)),
    ]


def _bound(
    lines: Sequence[Sequence[object]], count: int, of_numbers: Collection[int], of_words: Collection[int] = ()
) -> list[Sequence[object]]:
    """Columns as the statements take them: those of numbers and of words as text."""
    found = columns(lines, count)
    for place in of_numbers:
        found[place] = numbers(found[place])
    for place in of_words:
        found[place] = words(cast("Sequence[str | None]", found[place]))
    return found


async def _apply(connection: Connection, batch: Sequence[Item], ids: Ids, target: Target) -> list[Answer]:
    answers: dict[Item, Answer] = {}
    heads = await _lock(connection, batch)
    for item in batch:
        answers[item] = _guard(item, heads)
    await _create(connection, [item for item in batch if answers[item] is None], answers, ids)
    standing = [item for item in batch if answers[item] is None]
    moving = [item for item in standing if not item.creates]
    for item in moving:
        if item.transition.drop_log:
            await _drop_history(connection, heads[item.transition.key])
    if moving and len(await _advance(connection, moving, None)) != len(moving):
        raise PersistenceError("a locked row was changed by somebody else")
    await _redefine(connection, [item.transition for item in moving])
    await _sending.write_beside(connection, [item.transition for item in standing if item.creates])
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


async def _redefine(connection: Connection, transitions: Sequence[Transition]) -> None:
    for made in transitions:
        if made.digest is not None:
            await connection.execute(sql.REDEFINE, made.key, made.digest, made.workflow_version)
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
