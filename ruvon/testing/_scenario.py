"""A workflow with everything around it, run under a schedule of faults from its creation to its end.

The process is started again each time it dies, on what its store kept. Between two of its moves the outside world has its
turn: people answer, senders send, and whoever would drive what is due does so. All of it happens on one virtual loop, so
a schedule always gives the same run.
"""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, final
from uuid import UUID

import orjson

from ruvon.builder import WorkflowBuilder
from ruvon.engine import Engine, InvalidInputError, NotWaitingForInputError
from ruvon.engine._answers import encode_signal, find_answered
from ruvon.ir import CommitMode
from ruvon.models import RETRYABLE_STATUSES, WorkflowStatus
from ruvon.providers import InboxEntry, InboxKind, InstanceRecord, PersistenceProvider, duration_us
from ruvon.testing._driving import can_go_on, rows_of
from ruvon.testing._errors import ScriptError
from ruvon.testing._ids import SeededIds
from ruvon.testing._loop import DEFAULT_START, StuckError, VirtualClock, VirtualLoop, run_virtual
from ruvon.testing._outcome import Outcome, events_of, instance_outcome, schedules_of
from ruvon.testing._outside import OutsideWorld
from ruvon.testing._process import InjectedFaultError, Ledger, Process, ProcessDied, ProcessStore
from ruvon.testing._schedule import Schedule
from ruvon.testing._script import Script
from ruvon.testing._standins import StandIns
from ruvon.testing._stores import MemoryStores, Stores
from ruvon.testing._watchdog import Watchdog

__all__ = ["ROOT", "Scenario"]

_MAX_LIVES: Final = 20
_MANY_EVENTS: Final = 10_000
_KEY: Final = "simulated"
ROOT: Final = UUID("00000000-0000-4000-8000-000000000001")
"""The instance that a run is about; a fixed id, so that idempotency keys are the same in each run."""


@final
class Scenario:
    """One workflow, its data, and the world around it.

    Args:
        builder: knows the workflow and whatever it starts.
        workflow_type: what is run.
        data: its initial data.
        script: what people and senders do.
        outside: what its steps may change outside; looked at after each run.
        make_stores: where each run keeps its instances; memory where nothing is given.
        start: the moment at which each run begins, aware.
        version: the version of the workflow; the current one where none is given.
        stand_ins: what answers in place of bodies.
        dog: watches over bodies that never await.
        max_rounds: a run that has not ended after so many moves of its world is stuck.
    """

    def __init__(
        self,
        builder: WorkflowBuilder,
        workflow_type: str,
        data: object,
        *,
        script: Script | None = None,
        outside: OutsideWorld | None = None,
        make_stores: Callable[[], Stores] = MemoryStores,
        start: datetime = DEFAULT_START,
        version: str | None = None,
        stand_ins: StandIns | None = None,
        dog: Watchdog | None = None,
        max_rounds: int = 3_000,
    ) -> None:
        self.builder = builder
        self.workflow_type = workflow_type
        self.data = data
        self.script = script or Script()
        self.outside = outside or OutsideWorld(())
        self.make_stores = make_stores
        self.start = start
        self.version = version
        self.stand_ins = stand_ins or StandIns(automatic=False)
        self.dog = dog or Watchdog(0)
        self.max_rounds = max_rounds

    def run(self, schedule: Schedule | None = None) -> Outcome:
        """One run from the beginning to the end.

        Raises:
            InvalidInitialDataError: the data does not fit.
            ScriptError: the script does not fit the workflow.
            StuckError: a step awaits something that never comes.
        """
        ledger = Ledger()
        try:
            return run_virtual(lambda loop: _Simulation(self, loop, schedule or Schedule(), ledger).run())
        except StuckError:
            waiting = [body for body in ledger.bodies if body.broken_off]
            raise StuckError(f"the body of `{waiting[-1].name}`" if waiting else "a step") from None


@final
class _Simulation:
    """One run of a scenario."""

    def __init__(self, scenario: Scenario, loop: VirtualLoop, schedule: Schedule, ledger: Ledger) -> None:
        self._scenario = scenario
        self._loop = loop
        self._schedule = schedule
        self._clock = VirtualClock(loop, scenario.start)
        self._ids = SeededIds(schedule.seed or 0)
        self._stores = scenario.make_stores()
        self._outcome = Outcome(ledger=ledger)
        self._lenient = frozenset(
            name
            for name in scenario.builder.registered_types()
            if scenario.builder.get_definition(name).commit is CommitMode.ITERATION
        )
        self._world = _OutsideActions(scenario.script, self._clock.now_us())

    async def run(self) -> Outcome:
        """From the creation to the end, through every life."""
        self._scenario.outside.restore()
        try:
            for life in range(_MAX_LIVES):
                if await self._live(life):
                    return self._outcome
            self._outcome.stuck = True
            return self._outcome
        finally:
            await self._stores.discard()

    async def _live(self, life: int) -> bool:
        """One life; whether the run has come to its end in it."""
        process = Process(
            life, self._loop, self._schedule, self._outcome.ledger, self._ids, self._stores, mark=self._ids.mark()
        )
        process.lenient = self._lenient
        process.dog = self._scenario.dog
        if self._schedule.skew_us and life:
            self._clock.set_wrong_by(self._schedule.skew_us)
        inner = await self._stores.open(self._clock)
        with self._loop.outside():
            await inner.initialize()
        store: Any = ProcessStore(inner, process)
        engine = self._scenario.builder.new_engine(
            store, clock=self._clock, ids=self._ids, interceptors=[process.intercept, self._scenario.stand_ins]
        )
        self._outcome.crash_budget = engine.crash_budget = self._budget(engine.crash_budget)
        try:
            await self._drive(engine, inner)
        except ProcessDied:
            await self._bury(process, inner)
            return False
        await self._look(engine, inner)
        await inner.close()
        return True

    def _budget(self, budget: int | None) -> int | None:
        """The crash budget; a schedule that lets nobody die again and again at one place does not use it up."""
        deaths = len(self._schedule.faults)
        return budget if budget is None or self._schedule.strikes_again else max(budget, deaths + 1)

    async def _bury(self, process: Process, inner: PersistenceProvider) -> None:
        """Nothing of a dead process goes on; its holds are found dead by the next one."""
        process.dead = True
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        chance = random.Random(str(self._schedule)) if process.torn else None  # noqa: S311 - repeatable on purpose
        with self._loop.outside():
            await self._stores.lose(inner, chance)

    async def _look(self, engine: Engine, inner: PersistenceProvider) -> None:
        for row in await rows_of(inner):
            self._outcome.instances[str(row.workflow_id)] = await instance_outcome(engine, row.workflow_id)
            if WorkflowStatus(row.status).is_terminal and row.status not in RETRYABLE_STATUSES:
                self._outcome.unread += [
                    f"a {entry.kind.value} for `{row.workflow_type}`"
                    for entry in await inner.read_inbox(row.workflow_id)
                ]
        self._outcome.outbox = await inner.read_outbox(limit=_MANY_EVENTS)
        self._outcome.events = events_of(self._outcome.outbox)
        self._outcome.schedules = schedules_of(await inner.list_schedules())
        self._outcome.outside = self._scenario.outside.look()

    # Driving

    async def _drive(self, engine: Engine, inner: PersistenceProvider) -> None:
        root = await self._create(engine, inner)
        for _ in range(self._scenario.max_rounds):
            rows = await rows_of(inner)
            if not await self._move(engine, inner, rows, root):
                return
        self._outcome.stuck = True

    async def _create(self, engine: Engine, inner: PersistenceProvider) -> UUID:
        while True:
            known = await inner.find_by_idempotency_key(_KEY)
            if known is not None:
                return known.workflow_id
            program = engine.program_for(self._scenario.workflow_type, self._scenario.version)
            data = self._scenario.data() if callable(self._scenario.data) else self._scenario.data
            record, definition = engine.new_record(program, ROOT, {} if data is None else data, idempotency_key=_KEY)
            try:
                await engine.create(record, definition)
            except InjectedFaultError:
                continue

    async def _move(
        self, engine: Engine, inner: PersistenceProvider, rows: Sequence[InstanceRecord], root: UUID
    ) -> bool:
        """Do what can be done now, else let the time pass; False when nothing will ever happen again."""
        now, lag = self._clock.now_us(), duration_us(self._scenario.script.lag)
        for row in rows:
            if await can_go_on(inner, row, now - lag):
                return await self._poke(engine, row.workflow_id)
        try:
            if await self._world.act(engine, rows, root, now):
                return True
        except InjectedFaultError:
            return True
        if self._outcome.ledger.echoes:
            with self._loop.outside():
                await inner.append_inbox(self._outcome.ledger.echoes.pop())
            return True
        moments = [row.due_us + lag for row in rows if row.due_us is not None and not _ended(row)]
        moments += [entry.at_us + lag for row in rows for entry in await inner.read_inbox(row.workflow_id) if lag]
        moments = [moment for moment in moments if moment > now or not lag]
        moments += self._world.moments(now)
        if not moments:
            return False
        await self._clock.sleep_us(max(min(moments) - now, 1))
        return True

    async def _poke(self, engine: Engine, workflow_id: UUID) -> bool:
        """Drive an instance; False where the drive failed in a way that no fault explains."""
        try:
            await engine.poke(workflow_id)
        except InjectedFaultError:
            return True  # the caller of a failed drive tries again
        except Exception as exc:
            if not self._schedule.faults:
                raise
            self._outcome.raised = f"{type(exc).__name__}: {exc}"
            return False
        return True


def _ended(row: InstanceRecord) -> bool:
    return WorkflowStatus(row.status).is_terminal


@final
class _OutsideActions:
    """People and senders; they remember what they have done, whatever becomes of the process."""

    def __init__(self, script: Script, start_us: int) -> None:
        self._script = script
        self._start_us = start_us
        self._sent: set[int] = set()
        self._cancelled = script.cancel_after is None
        self._asked: dict[tuple[str, str], tuple[int, object]] = {}
        """By instance and wait, when it is answered and with what."""
        self._counts: dict[tuple[str, str], int] = {}
        self._answered: set[tuple[str, str]] = set()

    def moments(self, now: int) -> Iterable[int]:
        """When something is to be done next."""
        found = [
            self._start_us + duration_us(signal.after)
            for number, signal in enumerate(self._script.signals)
            if number not in self._sent
        ]
        found += [due for key, (due, _) in self._asked.items() if key not in self._answered]
        if self._script.cancel_after is not None and not self._cancelled:
            found.append(self._start_us + duration_us(self._script.cancel_after))
        return [moment for moment in found if moment > now]

    async def act(self, engine: Engine, rows: Sequence[InstanceRecord], root: UUID, now: int) -> bool:
        """Do one thing that is due; whether there was any."""
        live = [row for row in rows if not _ended(row)]
        for number, signal in enumerate(self._script.signals):
            if number not in self._sent and self._start_us + duration_us(signal.after) <= now:
                await self._send(engine, live, number)
                self._sent.add(number)
                return True
        for row in live:
            if await self._answer(engine, row, now):
                return True
        if not self._cancelled and self._start_us + duration_us(self._script.cancel_after or _ZERO) <= now:
            payload = orjson.dumps({"reason": "scripted", "compensate": True})
            await engine.store.append_inbox(InboxEntry(root, InboxKind.CANCEL, "", payload, None, "cancel", now))
            self._cancelled = True
            return True
        return False

    async def _send(self, engine: Engine, live: Sequence[InstanceRecord], number: int) -> None:
        signal = self._script.signals[number]
        problem: InvalidInputError | None = None
        for row in live:
            run = await engine.load(row)
            try:
                name, data = encode_signal(run, signal.message, signal.payload)
            except InvalidInputError as exc:
                problem = exc
                continue
            entry = InboxEntry(
                row.workflow_id, InboxKind.SIGNAL, name, data, signal.key, f"signal:{number}", engine.clock.now_us()
            )
            await engine.store.append_inbox(entry)
            return
        if problem is not None:
            raise ScriptError(str(problem))

    async def _answer(self, engine: Engine, row: InstanceRecord, now: int) -> bool:
        if row.waiting_for is None:
            return False
        for wait in orjson.loads(row.waiting_for):
            key = (str(row.workflow_id), str(wait["id"]))
            if wait["kind"] not in ("human", "input") or key in self._answered:
                continue
            if key not in self._asked and not self._ask(key, row, wait, now):
                continue
            due, value = self._asked[key]
            if due <= now:
                await self._give(engine, row, key, value)
                self._answered.add(key)
                return True
        return False

    def _ask(self, key: tuple[str, str], row: InstanceRecord, wait: dict[str, Any], now: int) -> bool:
        """Somebody sees that he is asked; False where nobody will ever answer this."""
        for name in (str(wait.get("name", "")), str(wait["step"])):
            given = self._script.answers.get(name)
            if given:
                count = self._counts.get((str(row.workflow_id), name), 0)
                self._counts[str(row.workflow_id), name] = count + 1
                self._asked[key] = (now + duration_us(self._script.answer_after), given[min(count, len(given) - 1)])
                return True
        return False

    async def _give(self, engine: Engine, row: InstanceRecord, key: tuple[str, str], value: object) -> None:
        run = await engine.load(row)
        try:
            wait, checked = find_answered(run, value, step=None, wait_id=key[1])
        except NotWaitingForInputError:
            return
        except InvalidInputError as exc:
            raise ScriptError(str(exc)) from None
        data = run.program.types.dynamic.encode(checked, "the answer")
        entry = InboxEntry(
            row.workflow_id,
            InboxKind.ANSWER,
            wait.activation,
            data,
            None,
            f"answer:{key[1]}",
            engine.clock.now_us(),
        )
        await engine.store.append_inbox(entry)


_ZERO: Final = DEFAULT_START - DEFAULT_START
