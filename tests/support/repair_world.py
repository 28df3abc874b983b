"""A process, its store and the people around it, on a virtual clock: a workflow is run, repaired, and run on."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from ruvon._workflow import Workflow
from ruvon.builder import WorkflowBuilder
from ruvon.engine._answers import encode_signal, find_answered
from ruvon.engine._errors import InvalidInputError
from ruvon.engine._undo import place_of
from ruvon.models import WorkflowStatus
from ruvon.providers import InboxEntry, InboxKind, InstanceRecord, LogEntry, duration_us
from ruvon.testing import MemoryStores, Schedule, Script, Stores
from ruvon.testing._driving import can_go_on, rows_of
from ruvon.testing._ids import SeededIds
from ruvon.testing._loop import DEFAULT_START, VirtualClock, VirtualLoop
from ruvon.testing._outcome import instance_outcome
from ruvon.testing._process import Ledger, Process, ProcessStore

__all__ = ["End", "World", "recorded"]


@dataclass(frozen=True)
class End:
    """How an instance ended, without what time and ids decide."""

    status: str
    state: object
    result: object
    error: object


def recorded(log: Sequence[LogEntry]) -> list[LogEntry]:
    """The first entry of every activation that a rewind can reach."""
    found: dict[str, LogEntry] = {}
    for entry in log:
        if entry.node and entry.kind in ("step", "wait", "start", "error", "retry") and ":comp" not in entry.activation:
            found.setdefault(entry.activation, entry)
    return list(found.values())


class World:
    """One store, and the process that works on it; `reborn` kills the process and begins another one."""

    def __init__(
        self,
        loop: VirtualLoop,
        builder: WorkflowBuilder,
        script: Script | None = None,
        stores: Stores | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        self.loop = loop
        self.builder = builder
        self.script = script or Script()
        self.stores = stores or MemoryStores()
        self.clock = VirtualClock(loop, DEFAULT_START)
        self.ids = SeededIds(0)
        self.ledger = Ledger()
        self.schedule = schedule or Schedule()
        self.life = -1
        self.begin_acts()

    def begin_acts(self, signals_taken: int = 0) -> None:
        """People begin anew: they answer what they are asked, and send the signals that were not received."""
        self.since_us = self.clock.now_us()
        self.to_send = list(self.script.signals[signals_taken:])
        self.cancel_us = None
        if self.script.cancel_after is not None:
            self.cancel_us = self.since_us + duration_us(self.script.cancel_after)
        self.asked: dict[tuple[str, str], int] = {}

    async def born(self) -> None:
        """A process begins."""
        self.life += 1
        self.process = Process(
            self.life, self.loop, self.schedule, self.ledger, self.ids, self.stores, mark=self.ids.mark()
        )
        self.inner = await self.stores.open(self.clock)
        with self.loop.outside():
            await self.inner.initialize()
        store: Any = ProcessStore(self.inner, self.process)
        self.engine = self.builder.new_engine(
            store, clock=self.clock, ids=self.ids, interceptors=[self.process.intercept]
        )

    async def reborn(self) -> None:
        """The process dies, and another one opens what it stored."""
        self.process.dead = True
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        with self.loop.outside():
            await self.stores.lose(self.inner, None)
        await self.born()

    async def start(self, workflow_type: str, data: object, **options: Any) -> UUID:
        """A new instance."""
        program = self.engine.program_for(workflow_type, None)
        record, definition = self.engine.new_record(program, self.ids.new_id(), data, **options)
        await self.engine.create(record, definition)
        return record.workflow_id

    async def handle(self, workflow_id: UUID) -> Workflow:
        """A handle to an instance."""
        return Workflow(self.engine, await self.engine.load(await self.engine.store.load_instance(workflow_id)))

    async def log(self, workflow_id: UUID) -> list[LogEntry]:
        """What is recorded of an instance."""
        return list(await self.inner.read_log(workflow_id))

    async def rows(self, workflow_type: str) -> list[InstanceRecord]:
        """The instances of a type, oldest first."""
        return [row for row in await rows_of(self.inner) if row.workflow_type == workflow_type]

    async def end(self, workflow_id: UUID) -> End:
        """How an instance stands."""
        found = await instance_outcome(self.engine, workflow_id)
        return End(found.status, found.state, found.result, found.error)

    async def rewind(self, workflow_id: UUID, to: str | int, **options: Any) -> None:
        """Rewind, with people who begin anew at what they did since."""
        await (await self.handle(workflow_id)).rewind(to, **options)
        await self.act_anew(workflow_id, to)

    async def act_anew(self, workflow_id: UUID, to: str | int) -> None:
        """After a rewind people begin anew at what they did since."""
        log = await self.log(workflow_id)
        place = next(place_of(item.activation) for item in log if to in (item.seq, item.activation, item.node))
        first = next(item.seq for item in log if place_of(item.activation) == place)
        self.begin_acts(self._signals_before(await self.handle(workflow_id), log, first))

    def _signals_before(self, workflow: Workflow, log: Sequence[LogEntry], seq: int) -> int:
        ops = workflow._run.program.ops
        waits = [item for item in log if item.kind == "wait" and type(ops[item.node]).__name__ == "SignalOp"]
        return sum(item.seq < seq for item in waits)

    # Going on

    async def settle(self) -> None:
        """Everything that can run without time passing, and without anybody."""
        while True:
            for row in await rows_of(self.inner):
                if await can_go_on(self.inner, row, self.clock.now_us()):
                    await self.engine.poke(row.workflow_id)
                    break
            else:
                return

    async def finish(self, root: UUID) -> None:
        """Run on with everybody in their places, until nothing more happens."""
        for _ in range(2_000):
            await self.settle()
            rows = await rows_of(self.inner)
            if await self._act(rows, root):
                continue
            now = self.clock.now_us()
            moments = [row.due_us for row in rows if row.due_us is not None and not _ended(row)]
            moments += [due for due in self.asked.values() if due > now]
            moments += [self.since_us + duration_us(item.after) for item in self.to_send[:1]]
            moments += [self.cancel_us] if self.cancel_us is not None else []
            if not moments or all(_ended(row) for row in rows):
                return
            await self.clock.sleep_us(max(min(moments) - now, 1))
        raise AssertionError("it goes on for ever")

    async def _act(self, rows: Sequence[InstanceRecord], root: UUID) -> bool:
        now = self.clock.now_us()
        live = [row for row in rows if not _ended(row)]
        if self.to_send and self.since_us + duration_us(self.to_send[0].after) <= now:
            return await self._send(live)
        if self.cancel_us is not None and self.cancel_us <= now and any(row.workflow_id == root for row in live):
            self.cancel_us = None
            payload = orjson.dumps({"reason": "scripted", "compensate": True})
            await self.inner.append_inbox(InboxEntry(root, InboxKind.CANCEL, "", payload, at_us=now))
            return True
        for row in live:
            for wait in orjson.loads(row.waiting_for or b"[]"):
                if wait["kind"] in ("human", "input") and await self._answer(row, wait, now):
                    return True
        return False

    async def _send(self, live: Sequence[InstanceRecord]) -> bool:
        signal = self.to_send.pop(0)
        for row in live:
            try:
                name, data = encode_signal(await self.engine.load(row), signal.message, signal.payload)
            except InvalidInputError:
                continue
            entry = InboxEntry(row.workflow_id, InboxKind.SIGNAL, name, data, signal.key, None, self.clock.now_us())
            await self.inner.append_inbox(entry)
            return True
        return bool(self.to_send)

    async def _answer(self, row: InstanceRecord, wait: dict[str, Any], now: int) -> bool:
        given = self.script.answers.get(str(wait.get("name", ""))) or self.script.answers.get(str(wait["step"]))
        if not given:
            return False
        key = (str(row.workflow_id), str(wait["id"]))
        due = self.asked.setdefault(key, now + duration_us(self.script.answer_after))
        if due > now:
            return False
        run = await self.engine.load(row)
        found, checked = find_answered(run, given[-1], step=None, wait_id=key[1])
        data = run.program.types.dynamic.encode(checked, "the answer")
        entry = InboxEntry(row.workflow_id, InboxKind.ANSWER, found.activation, data, dedup=found.answer_key, at_us=now)
        if not await self.inner.append_inbox(entry):
            raise AssertionError(f"the answer to {key[1]} is refused as one that was given before")
        del self.asked[key]
        return True


def _ended(row: InstanceRecord) -> bool:
    return WorkflowStatus(row.status).is_terminal
