"""`Worker`: claims tasks, runs their bodies, reports, and drives the instances that they belong to.

A worker claims no more tasks than it has free slots. What a body has made is reported under the claim's epoch, together
with the task's turning into a `wake`: from then on the claim stands for driving the instance, so that the death of the
worker in the middle of that is noticed like the death in the middle of a body, by the lease that runs out.
"""

import asyncio
import logging
import os
import platform
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Final, Self, final
from uuid import UUID

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.execution._context import CURRENT, context_of
from ruvon.ir import RuvonError
from ruvon.providers import (
    PersistenceError,
    TaskClaim,
    TaskKind,
    TaskRecord,
    TaskReport,
    TaskStatus,
    WorkerRecord,
    WorkflowBusyError,
    WorkflowNotFoundError,
    duration_us,
)
from ruvon.scheduler import Scheduler
from ruvon.steps._remote import RemoteStep
from ruvon.steps._wire import Order, Report
from ruvon.worker._drives import After, Crew, JoinedDrive, Lookouts
from ruvon.worker._hosting import Hosting
from ruvon.worker._pulse import Pulse
from ruvon.worker._reporter import Reporter
from ruvon.worker._slot import Slot

__all__ = ["Worker"]

_LOGGER: Final = logging.getLogger("ruvon.worker")
_AGAIN_US: Final = 30_000_000
"""So much later a task is due again whose code is not deployed here."""
_FORGET_US: Final = 86_400_000_000
"""A worker that has given no sign of life for so long is taken off the list."""
_STOP_AGAIN_S: Final = 0.5
_FEW: Final = 4
"""Fewer than this part of the slots are few."""
_GATHER_US: Final = 2_000
_REAP_US: Final = 1_000_000
"""So often at least a worker with free slots looks for what dead ones had."""
_REAPED: Final = 500
"""So much of it is taken in one transaction."""
_SOON_US: Final = 1_000_000
"""So much later a task is due again over which the store failed."""


@final
class Worker:
    """Runs queued steps.

    Args:
        builder: the workflows, their store, and an execution provider that queues.
        queues: the queues to serve; all where none is given.
        concurrency: how many tasks at a time.
        lease: how long a claim holds without a sign of life; a third of it lies between two signs.
        grace: how long what runs may go on after `stop`; what is not done by then is given back.
        poll: how long at most a task waits that nobody was told of.
        worker_id: its name, unique among the workers of the store; made of host and process where none is given.
        health_file: a file that is rewritten with each sign of life, and deleted at the end.
        threads: run bodies that are not async in threads, so that they hold up nobody else.
        schedules: start what is planned and wake what sleeps, too.
        adopt: go on with every run that nobody drives; see `Scheduler`.

    Example:
        >>> worker = Worker(builder, queues=["default"], concurrency=16)
        >>> async with asyncio.TaskGroup() as group:
        ...     group.create_task(worker.run())
        ...     await serve()
        ...     worker.stop()
    """

    def __init__(
        self,
        builder: WorkflowBuilder,
        *,
        queues: Sequence[str] = (),
        concurrency: int = 8,
        lease: timedelta = timedelta(seconds=30),
        grace: timedelta = timedelta(seconds=30),
        poll: timedelta = timedelta(seconds=1),
        worker_id: str | None = None,
        health_file: Path | None = None,
        threads: bool = True,
        schedules: bool = True,
        adopt: bool = False,
    ) -> None:
        self._builder = builder
        self._engine = builder.engine()
        self._engine.waits_for_timers = False
        self._engine.takeover_us = max(duration_us(lease), 3)
        self._store = builder.persistence
        self._clock = builder.clock
        self._queues = tuple(queues)
        self._concurrency = concurrency
        self._lease_us = max(duration_us(lease), 3)
        self._grace_us = duration_us(grace)
        self._poll_us = max(duration_us(poll), 1)
        self.worker_id = worker_id or f"{platform.node()}-{os.getpid()}-{builder.ids.new_id().hex[-6:]}"
        self._health_file = health_file
        self._threads = threads
        self._scheduler = Scheduler(builder, poll=poll, adopt=adopt) if schedules else None
        self._news = asyncio.Event()
        self._slots: dict[str, Slot] = {}
        self._crews: dict[UUID, Crew] = {}
        self._hosting = Hosting(
            self.worker_id,
            queues=self._queues,
            concurrency=concurrency,
            lease_us=self._lease_us,
            clock=self._clock,
            taken=self._slots.__len__,
            begin=self._begin,
            wake=self._news.set,
        )
        self._lookouts = Lookouts(self._lease_us // 2)
        self._reporter = Reporter(self._store, self._clock)
        self._stopping = False
        self._has_left_bodies = False
        self._reaped_us = 0
        self._failing: set[asyncio.Task[None]] = set()
        """Instances that are told of dead letters."""
        self._started_us = self._clock.now_us()

    @property
    def running(self) -> Sequence[TaskRecord]:
        """The tasks that it runs now."""
        return [slot.task for slot in list(self._slots.values())]

    @property
    def has_left_bodies(self) -> bool:
        """Whether bodies are left in threads, which nobody can stop; what they make is not heard."""
        return self._has_left_bodies

    def stop(self) -> None:
        """Claim nothing more; `run` returns when what runs has ended, or the grace is over."""
        self._stopping = True
        self._hosting.shut()
        self._news.set()
        if self._scheduler is not None:
            self._scheduler.stop()

    async def run(self) -> None:
        """Work until `stop`, or until the task is cancelled; then everything claimed is given back."""
        async with self._attended():
            deaf = self._store.listen_tasks(self._news.set)
            try:
                async with asyncio.TaskGroup() as group:
                    if self._scheduler is not None:
                        group.create_task(self._scheduler.run())
                    try:
                        await self._serve()
                    finally:
                        await self._drain()
            finally:
                deaf()

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[Self, None]:
        """Be a worker that claims nothing by itself, for whoever is told of tasks elsewhere, and calls `take`.

        At the end no task is taken any more; what runs is finished, or given back when the grace is over.
        """
        async with self._attended():
            try:
                yield self
            finally:
                await self._drain()

    async def take(self, task_id: str, *, more: int = 0) -> Sequence[str]:
        """Claim one task and do it; nothing where it is not to be had: done, withdrawn, not due, or claimed by another.

        Args:
            task_id: the task.
            more: so many further tasks of its queue are claimed and done at the same time, where there are any.

        Returns:
            This task, and those of the others whose bodies ended well: nobody needs to be told of them any more.
        """
        if self._stopping:
            return ()
        now = self._clock.now_us()
        claimed = await self._store.claim_task(task_id, self.worker_id, lease_us=self._lease_us, now_us=now)
        if claimed is None:
            return ()
        slots = [self._begin(claimed)]
        if more > 0:
            found = await self._store.claim_tasks(
                self.worker_id, queues=(claimed.queue,), limit=more, lease_us=self._lease_us, now_us=now
            )
            slots += [self._begin(task) for task in found]
        await asyncio.wait([slot.work for slot in slots if slot.work is not None])
        return [task_id, *(slot.task.task_id for slot in slots[1:] if slot.remote is not None and slot.remote.is_done)]

    @asynccontextmanager
    async def _attended(self) -> AsyncGenerator[None, None]:
        """Extend leases and tell of this worker, meanwhile."""
        pulse = Pulse(
            self._store,
            clock=self._clock,
            lease_us=self._lease_us,
            interval_us=self._lease_us // 3,
            claims=self._claims,
            news=self._claims_with_news,
            record=self._record,
            lost=self._lose,
            health_file=self._health_file,
        )
        await pulse.start()
        try:
            await self._forget_lost_workers()
            yield
        finally:
            await pulse.stop()

    async def _forget_lost_workers(self) -> None:
        for record in await self._store.list_workers():
            if record.seen_us < self._clock.now_us() - _FORGET_US:
                await self._store.remove_worker(record.worker_id)

    # --- claiming -----------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        while not self._stopping:
            self._news.clear()
            try:
                await self._gather_slots()
                claimed = await self._claim()
                until = self._clock.now_us() + self._poll_us if claimed else await self._next_us()
            except PersistenceError as exc:
                _LOGGER.warning("the worker cannot look for tasks; it tries again: %s", exc)
                claimed, until = False, self._clock.now_us() + self._poll_us
            if not claimed or self._hosting.room <= 0:
                await self._rest(until)

    async def _gather_slots(self) -> None:
        """Where more tasks lie there than slots are free, let a few more become free before the store is asked."""
        if self._hosting.has_backlog and self._hosting.room * _FEW < self._concurrency:
            await self._clock.sleep_us(_GATHER_US)

    async def _claim(self) -> bool:
        """Claim as many tasks as there are free slots, and begin them; whether there were any."""
        if self._hosting.room <= 0:
            return False
        now = self._clock.now_us()
        if now - self._reaped_us >= min(self._lease_us // 3, _REAP_US):
            await self._reap(now)
            await self._hosting.look(self._store)
        free = self._hosting.room
        if free <= 0:  # drives of this worker have begun tasks of their own meanwhile
            return False
        with self._hosting.asking(free):
            found = await self._store.claim_tasks(
                self.worker_id, queues=self._queues, limit=free, lease_us=self._lease_us, now_us=now
            )
        self._hosting.claimed(found, free)
        for task in found:
            self._begin(task)
        return bool(found)

    async def _reap(self, now: int) -> None:
        """Take what dead workers had from them, all of it, however much they had in hand."""
        self._reaped_us, most = now, _REAPED
        while most == _REAPED:
            reaped = await self._store.reap_tasks(now, crash_budget=self._engine.crash_budget, limit=_REAPED)
            most = len(reaped)
            for task in reaped:
                if task.status == TaskStatus.DEAD:
                    self._failing.add(failing := asyncio.create_task(self._fail(task.workflow_id)))
                    failing.add_done_callback(self._failing.discard)

    async def _fail(self, workflow_id: UUID) -> None:
        """Let an instance take that a step of it is a dead letter."""
        try:
            await self._engine.poke(workflow_id)
        except Exception:
            _LOGGER.exception("the workflow %s cannot be told that its step is a dead letter", workflow_id)

    def _begin(self, task: TaskRecord) -> Slot:
        before = self._slots.get(task.task_id)
        crew = self._crews.get(task.workflow_id)
        if crew is None:
            crew = self._crews[task.workflow_id] = Crew()
        crew.size += 1
        slot = self._slots[task.task_id] = Slot(task, crew)
        slot.work = asyncio.create_task(self._run_slot(slot, before), name=f"ruvon-task-{task.task_id}")
        if before is not None:  # this worker was cut off for longer than its lease, and has got its own task again
            before.lose()
        return slot

    async def _next_us(self) -> int:
        """When to look again, unless somebody tells of work before: a delayed task, a lease that runs out, the poll."""
        poll = self._clock.now_us() + self._poll_us
        if self._hosting.room <= 0:
            return poll
        due = await self._store.next_task_us(self._queues)
        if due is not None and due <= self._clock.now_us():
            self._reaped_us = 0  # a lease has run out
        return min(poll, max(due, self._clock.now_us() + 1_000)) if due is not None else poll

    async def _rest(self, until_us: int) -> None:
        """Wait until there is news, or a moment has come."""
        if self._news.is_set():
            return
        sleeper = asyncio.ensure_future(self._clock.sleep_us(max(until_us - self._clock.now_us(), 0)))
        waker = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait((sleeper, waker), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            waker.cancel()
            await asyncio.gather(sleeper, waker, return_exceptions=True)

    # --- one task -----------------------------------------------------------------------------------------------------

    async def _run_slot(self, slot: Slot, before: Slot | None) -> None:
        task = slot.task
        try:
            if before is not None:
                await before.is_over()
            await self._do(slot)
        except asyncio.CancelledError:
            await self._give_back(slot, 0)
        except PersistenceError as exc:
            _LOGGER.warning("the task %s cannot go on; it is tried again: %s", task.task_id, exc)
            await self._give_back(slot, _SOON_US)
        except RuvonError as exc:  # what is deployed here does not suffice; it says itself what is wrong
            _LOGGER.error("the task %s cannot be run here; it is tried again: %s", task.task_id, exc)  # noqa: TRY400
            await self._give_back(slot, _AGAIN_US)
        except Exception:
            _LOGGER.exception("the task %s cannot be run; it is tried again", task.task_id)
            await self._give_back(slot, _AGAIN_US)
        finally:
            if self._slots.get(task.task_id) is slot:
                del self._slots[task.task_id]
            if slot.rests:
                self._hosting.rests(-1)
            slot.crew.size -= 1
            if not slot.crew.size:
                del self._crews[task.workflow_id]
            self._news.set()

    async def _do(self, slot: Slot) -> None:
        task = slot.task
        if task.kind is not TaskKind.STEP:
            slot.driving = True
            await self._drive(slot, None, died=task.crashes > 0)
            return
        made = await self._perform(slot)
        slot.driving = True
        if made is None:
            await self._give_back(slot, 0)
            return
        await self._drive(slot, made, died=False)

    async def _drive(self, slot: Slot, made: Report | None, *, died: bool) -> None:
        """Drive the instance, with what the body made; where another slot does that already, it is given what there is.

        That slot's own task stands for the drive until all of it is done, so this one's may go with the result.
        """
        task, crew = slot.task, slot.crew
        if crew.drive is not None:
            await self._join(crew.drive, slot, made)
            return
        drive = crew.drive = JoinedDrive(task, crew, self._hosting)
        is_alone = not self._lookouts.stands(task.workflow_id, self._clock.now_us())
        own = drive.hand(slot.handed(made)) if made is not None and slot.may_hand and is_alone else None
        is_left = False
        try:
            is_reported = made is None or own is not None or await self._report(slot, made, drives=True)
            if not is_reported and not drive.is_wanted:
                return
            after = await self._drive_on(task, drive, died=died)
        finally:
            crew.drive = None
            drive.close()
            if made is not None and own is not None and not own.result():  # it is not lost all the same
                is_left = await self._report(slot, made, drives=True)
        if is_left and after is After.BUSY:  # the holder may have gone before it was told
            await self._drive(slot, None, died=False)
        elif not drive.is_gone and not (after is After.BUSY and await self._is_lookout(task)):
            await self._reporter.report(TaskReport(task.task_id, task.lease_epoch))

    async def _drive_on(self, task: TaskRecord, drive: JoinedDrive, *, died: bool) -> After:
        """Drive the instance until nobody has anything more for it."""
        after = After.MORE
        try:
            while after is After.MORE and await drive.is_next():
                after = await self._drive_once(task, drive, died=died)
                died = False
        except asyncio.CancelledError:
            await drive.reported()  # this task still stands for what others report, and is given back behind that
            raise
        return after

    async def _join(self, drive: JoinedDrive, slot: Slot, made: Report | None) -> None:
        """Let the drive of another slot take what the body made."""
        if made is None or not slot.may_hand:
            with drive.joined():
                await self._report(slot, made)
            return
        answer = drive.hand(slot.handed(made))
        self._hosting.rests(1)
        slot.rests = True
        try:
            counts = await answer
        except asyncio.CancelledError:
            if not answer.result():
                await self._report(slot, made)
            raise
        if not counts:
            self._hosting.rests(-1)
            slot.rests = False
            await self._drive(slot, made, died=False)  # the drive has ended without it: somebody takes its place

    async def _is_lookout(self, task: TaskRecord) -> bool:
        """The holder takes what came, unless it has died or lost the server: one task stays to look a lease later."""
        now_us = self._clock.now_us()
        if not self._lookouts.post(task.workflow_id, now_us):
            return False
        claim = TaskClaim(task.task_id, task.lease_epoch)
        await self._store.release_tasks([claim], available_us=now_us + self._lease_us)
        return True

    async def _drive_once(self, task: TaskRecord, company: JoinedDrive, *, died: bool) -> After:
        """Drive the instance as far as it goes now; where somebody else does, that one takes what came."""
        try:
            run = await self._engine.drive(task.workflow_id, died=died, task=task, company=company)
        except WorkflowBusyError:
            return After.BUSY
        except WorkflowNotFoundError:
            return After.ENDED
        if run.record.due_us is not None and self._scheduler is not None:
            self._scheduler.wake()
        return After.ENDED if run.status.is_terminal else After.MORE

    async def _report(self, slot: Slot, made: Report | None, *, drives: bool = False) -> bool:
        """Tell the store what the body made, or that the task has nothing more to do; whether that counted."""
        entry = slot.entry(made, self._clock.now_us()) if made is not None else None
        if await self._reporter.report(TaskReport(slot.task.task_id, slot.task.lease_epoch, entry, drives=drives)):
            return True
        await self._tell_dropped(slot.task)
        return False

    async def _perform(self, slot: Slot) -> Report | None:
        """Run the body of a step; what is to be reported, or None where it was stopped."""
        task = slot.task
        order = Order.decode(task.payload)
        program = await self._engine.program_by_digest(order.digest)
        slot.remote = RemoteStep(self._engine, task, order, program, threaded=self._threads)
        if slot.lost:
            return None
        CURRENT.set(context_of(order.trace, task.workflow_id, order.node, task.attempt))
        try:
            return await slot.remote.perform()
        finally:
            slot.remote.let_go()

    async def _tell_dropped(self, task: TaskRecord) -> None:
        """Nobody waits for what the body made: the workflow went elsewhere, or another worker has the task."""
        _LOGGER.warning("the result of the task %s came too late and was dropped", task.task_id)
        message = (
            f"the result of attempt {task.attempt} came too late and was dropped; the worker {self.worker_id} had it"
        )
        await self._engine.write_lines(
            task.workflow_id, task.activation, [("WARNING", message, {"task_id": task.task_id})]
        )

    async def _give_back(self, slot: Slot, delay_us: int) -> None:
        """Let somebody else have the task, later; a store that fails now lets the lease run out."""
        if slot.lost:
            await self._tell_dropped(slot.task)
            return
        try:
            available = self._clock.now_us() + delay_us if delay_us else 0
            await self._store.release_tasks([slot.claim()], available_us=available)
        except PersistenceError as exc:
            _LOGGER.warning("the task %s could not be given back: %s", slot.task.task_id, exc)

    # --- ending -------------------------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        """Let what runs come to its end, up to the grace; then give it back."""
        self._stopping = True
        self._hosting.shut()
        works = [slot.work for slot in self._slots.values() if slot.work is not None]
        if works:
            _LOGGER.info("the worker waits for %d tasks", len(works))
            timer = asyncio.ensure_future(self._clock.sleep_us(self._grace_us))
            ended = asyncio.ensure_future(asyncio.wait(works))
            await asyncio.wait((timer, ended), return_when=asyncio.FIRST_COMPLETED)
            timer.cancel()
            ended.cancel()
        if self._failing:
            await asyncio.gather(*self._failing, return_exceptions=True)
        self._has_left_bodies = bool(self._slots)
        while self._slots:  # a body that has just ended begins a drive, which is to be stopped as well
            for slot in list(self._slots.values()):
                slot.stop()
            left = [slot.work for slot in self._slots.values() if slot.work is not None]
            await asyncio.wait(left, timeout=_STOP_AGAIN_S)
        if unbegun := self._hosting.left():
            await self._release(unbegun)

    async def _release(self, claims: Sequence[TaskClaim]) -> None:
        """Let others have at once what is not begun any more; a store that fails now lets the leases run out."""
        try:
            await self._store.release_tasks(claims)
        except PersistenceError as exc:
            _LOGGER.warning("%d tasks could not be given back: %s", len(claims), exc)

    # --- for the pulse ------------------------------------------------------------------------------------------------

    def _claims(self) -> Sequence[TaskClaim]:
        return [slot.claim() for slot in list(self._slots.values())]

    def _claims_with_news(self) -> Sequence[TaskClaim]:
        return [slot.claim() for slot in list(self._slots.values()) if slot.has_news]

    def _lose(self, claims: Sequence[TaskClaim]) -> None:
        for claim in claims:
            slot = self._slots.get(claim.task_id)
            if slot is not None and slot.task.lease_epoch == claim.lease_epoch:
                slot.lose()

    def _record(self) -> WorkerRecord:
        return WorkerRecord(
            self.worker_id,
            platform.node(),
            os.getpid(),
            self._queues,
            self._concurrency,
            self._started_us,
            running=tuple(self._slots),
            draining=self._stopping,
        )
