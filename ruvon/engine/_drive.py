"""The drive: one holder, one instance, until nothing more can be done now.

One strand runs in the drive's own task, so a sequence of steps costs no task each. Branches run in a task each. A strand
that is about to perform an effect first makes sure that everything it did before is committed; completions that wait at
that moment ride together. The drive ends when the instance has ended or everything waits for something from outside.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, final
from uuid import UUID

from ruvon.engine._cancel import ends_early, is_kept_back, leave_strand
from ruvon.engine._commit import build_transition, committed
from ruvon.engine._company import Company
from ruvon.engine._effects import Effect
from ruvon.engine._frames import Strand, UndoFrame
from ruvon.engine._inbox import next_due_us, ring, take_handed, take_inbox, withdraw_overdue
from ruvon.engine._machine import advance
from ruvon.engine._resume import come_to_effects
from ruvon.engine._run import Run
from ruvon.engine._shared import SharedCommit
from ruvon.providers import InboxKind, Transition

__all__ = ["Drive"]

_LOOK_AGAIN_US: Final = 1_000_000
"""So long after the last look the inbox is read unasked: a body that blocks the loop keeps the store from telling."""
_COMPANY_US: Final = 50_000
"""So long a drive that has nothing to do stays for reports of this process before it lets the instance go."""


@final
class Drive:
    """Drives one run; made anew for each call of `next_step` or `run`."""

    def __init__(self, run: Run, *, patient: bool, torn: bool = False, company: Company | None = None) -> None:
        self.run = run
        self.patient = patient
        """Sleep until timers and retries are due instead of returning."""
        self._company = company
        self._tasks: dict[asyncio.Task[None], Strand | None] = {}
        self._wake = asyncio.Event()
        self._inline: tuple[Strand, asyncio.Task[Any]] | None = None
        self._torn = torn
        """The last drive may have ended in the middle of something, and no strand has gone on since."""
        self._news = True
        self._read = max((entry.seq for entry in run.inbox), default=0)
        self._built = 0
        """Transitions that were built in this drive, and how many of them are durable."""
        self._committed = 0
        self._flight: asyncio.Event | None = None
        """Set when the transition under way is durable."""
        self._error: BaseException | None = None
        self._looked_us = run.services.clock.monotonic_us()
        run.share = self._share

    # Messages

    def notify(self) -> None:
        """Something was appended to the inbox; called on the loop's thread by the store."""
        self.run.hear()
        self._news = True
        self._wake.set()
        if self._inline is not None and self._inline[0].in_body:
            self._start(self._look_for_cancel(), None)

    def stir(self) -> None:
        """Others of this process have handed something over; called on the loop's thread."""
        self._wake.set()

    def _has_news(self) -> bool:
        return self._news or (self._company is not None and self._company.has_handed())

    def _interrupt(self) -> None:
        """Cancel the body that runs in the drive's own task, so that the cancel request can be taken."""
        if self._inline is not None:
            strand, task = self._inline
            if strand.in_body and not strand.interrupted:  # a second cancel would cut its cleanup off
                strand.interrupted = True
                task.cancel()

    async def _look_for_cancel(self) -> None:
        """See whether what was appended is a request to cancel, which must not wait for the running body."""
        run = self.run
        found = await run.services.store.read_inbox(run.record.workflow_id, after=self._read)
        if any(entry.kind is InboxKind.CANCEL for entry in found):
            self._interrupt()

    def _should_look(self) -> bool:
        return self._news or self.run.services.clock.monotonic_us() - self._looked_us > _LOOK_AGAIN_US

    async def _take_news(self) -> None:
        run = self.run
        if self._should_look():
            self._news = False
            self._looked_us = run.services.clock.monotonic_us()
            found = await run.services.store.read_inbox(run.record.workflow_id, after=self._read)
            if found:
                self._read = max(entry.seq for entry in found)
                run.inbox.extend(found)
        handed = self._company.take_handed() if self._company is not None else ()
        if self._torn and ends_early(run):
            come_to_effects(run)
        self._torn = False
        if handed:
            take_handed(run, handed)
        if run.inbox:
            take_inbox(run)
        if run.losers:
            self._stop_losers()

    # The loop

    async def go(self) -> None:
        """Drive until there is nothing more to do."""
        try:
            await self._loop()
        finally:
            await self._clear_tasks()

    async def _loop(self) -> None:
        run = self.run
        while True:
            await self._take_news()
            if run.waiting or run.forks or run.is_limited():
                ring(run, run.now_us())
            if run.overdue:
                self._news = await withdraw_overdue(run) or self._news
            if run.losers:
                self._stop_losers()
            if self._error is not None:
                raise self._error
            if run.restarted:
                return
            if run.ready and run.fatal is None and run.root.ended is None:
                await self._work()
            elif self._tasks:
                open_end = run.root.ended is None or bool(run.out.sent)  # a child that is told to end runs in a task
                if (run.pending or run.moved) and run.commits_now() and run.fatal is None and open_end:
                    await self.settle()  # waits must be seen, children begin and messages leave while branches run
                if not self._start_children():
                    await self._wait()
            elif not await self._rest():
                return

    async def _work(self) -> None:
        run = self.run
        if len(run.ready) == 1 and not self._tasks and not run.waiting and not run.forks and not run.is_limited():
            strand = run.ready.popleft()
            task = asyncio.current_task()
            if task is not None:
                self._inline = (strand, task)
            try:
                await self._run_strand(strand)
            finally:
                self._inline = None
            return
        is_settled = True
        while run.ready:
            strand = run.ready.popleft()
            strand.running = True
            effect = advance(run, strand) if not strand.stopped else None
            run.close_entry()
            if effect is not None:
                self._start(self._run_strand(strand, effect), strand)
                continue
            strand.running = is_settled = False  # it has come to its end or to a wait without an effect: no task for it
            if not run.restarted:
                self._after(strand)
        if is_settled and not self._start_children():
            await self._wait()

    def _start(self, work: Coroutine[Any, Any, None], strand: Strand | None) -> None:
        task = asyncio.ensure_future(work)
        self._tasks[task] = strand
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        self._wake.set()
        if not task.cancelled() and (error := task.exception()) is not None and self._error is None:
            self._error = error

    async def _wait(self) -> None:
        self._wake.clear()
        if not self._tasks or self._has_news():
            return
        due = next_due_us(self.run, own=False)
        if due is None:
            await self._wake.wait()
        else:
            await self._sleep_until(due)

    async def _sleep_until(self, due_us: int) -> None:
        """Sleep on the clock until the moment comes or something wakes the drive."""
        clock = self.run.services.clock
        sleeper = asyncio.ensure_future(clock.sleep_us(max(due_us - clock.now_us(), 0)))
        waker = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait((sleeper, waker), return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeper.cancel()
            waker.cancel()
            await asyncio.gather(sleeper, waker, return_exceptions=True)

    async def _rest(self) -> bool:
        """Nothing runs: commit where it stands; whether there may be more to do after that."""
        run = self.run
        await self.settle()
        if self._start_children():
            return True
        if self._has_news():
            return True
        if run.root.ended is not None or run.fatal is not None or run.halted is not None:
            return False
        if self._company is not None:
            if self._company.take_reported():
                self._news = True
                return True
            if self._company.is_expected():
                return await self._await_company()
        due = next_due_us(run, own=True)
        if due is None or not (self.patient or due <= run.now_us()):
            return False
        self._wake.clear()
        if not self._has_news():
            await self._sleep_until(next_due_us(run, own=False) or due)  # a person's time may run out before a timer
        return True

    async def _await_company(self) -> bool:
        """Wait a moment for what others of this process are about to report; whether there is something to do."""
        now = self.run.now_us()
        soon = now + _COMPANY_US
        due = next_due_us(self.run, own=False)
        self._wake.clear()
        if not self._has_news() and self._company is not None:
            with self._company.resting():
                await self._sleep_until(soon if due is None else min(due, soon))
        return self._has_news() or (due is not None and due <= self.run.now_us())

    def _start_children(self) -> bool:
        run = self.run
        waiting, run.spawned = run.spawned, []
        for child in waiting:
            self._start(self._drive_child(child), None)
        return bool(waiting)

    async def _drive_child(self, child: UUID) -> None:
        await self.run.services.children.drive(child)

    def _stop_losers(self) -> None:
        losers, self.run.losers = self.run.losers, []
        for strand in losers:
            strand.stopped = True
            for task, item in self._tasks.items():
                if item is strand and strand.in_body:
                    strand.interrupted = True
                    task.cancel()

    async def _clear_tasks(self) -> None:
        """After a failure, or when the caller was cancelled: end what still runs; the run is thrown away."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)

    # Strands

    async def _run_strand(self, strand: Strand, effect: Effect | None = None) -> None:
        """Run a strand on, from its next effect, which may be known already, until it waits or ends."""
        run = self.run
        strand.running = True
        try:
            while not strand.stopped:
                if effect is None:
                    effect = advance(run, strand)
                if effect is None:
                    run.close_entry()
                    break
                if run.dirty:
                    run.close_entry()
                if (run.pending or run.moved) and run.commits_now(strand):
                    await self.settle()
                if self._must_stop(strand):
                    break
                if self._inline is not None and self._should_look():
                    await self._take_news()
                    if self._must_stop(strand):
                        break
                if run.cancelling is not None and is_kept_back(run, strand):
                    break
                await effect.perform(run)
                effect = None
                if run.restarted:
                    break
                if strand.last:
                    strand.last, strand.stopped = False, True
                stops = self._must_stop(strand)
                if stops and self._news:
                    await self._take_news()
                if strand.wait is not None:
                    run.waiting[strand.wait.activation] = strand
                    break
                if stops:
                    break
        finally:
            strand.running = False
        if not run.restarted:
            self._after(strand)

    def _must_stop(self, strand: Strand) -> bool:
        """Whether the strand performs no further effect."""
        return strand.stopped or strand.ended is not None or self.run.fatal is not None or self._error is not None

    def _after(self, strand: Strand) -> None:
        """A strand has stopped running; if it was told to, it leaves."""
        run = self.run
        if strand.wait is not None:
            run.waiting[strand.wait.activation] = strand
        if strand.stopped or strand in run.losers:
            strand.stopped = False
            if strand in run.losers:
                run.losers.remove(strand)
            if strand.ended is not None or run.fatal is not None:
                return
            if isinstance(strand.frames[-1], UndoFrame):
                run.resume(strand)  # a rollback comes to its end; then the strand leaves
            else:
                if strand.wait is not None:
                    run.waiting.pop(strand.wait.activation, None)
                    strand.wait = None
                leave_strand(run, strand)

    # Commits

    async def settle(self) -> None:
        """Return when everything that has happened so far is committed."""
        run = self.run
        run.close_entry()
        wanted = self._built + 1 if run.pending or run.moved else self._built
        while self._committed < wanted:
            if self._error is not None:
                raise self._error
            if self._flight is not None:
                await self._flight.wait()
            else:
                await self._flush()

    async def _flush(self) -> None:
        run = self.run
        flight = self._flight = asyncio.Event() if self._tasks else None
        try:
            if flight is not None:
                await run.services.clock.sleep_us(0)  # whoever completes in this turn of the loop rides along
            transition = self._begin()
            await run.services.store.commit(transition)
            self._end(transition)
        except BaseException as exc:
            self._error = exc
            raise
        finally:
            self._flight = None
            if flight is not None:
                flight.set()
        self._tell(transition)
        if transition.tasks or run.notices is not None:
            await self._send(transition)

    @asynccontextmanager
    async def _share(self) -> AsyncGenerator[SharedCommit, None]:
        """A transaction for the statements of one step; until it ends, nothing else of this run is committed."""
        while self._flight is not None:
            await self._flight.wait()
        if self._error is not None:
            raise self._error
        flight = self._flight = asyncio.Event()
        try:
            async with self.run.services.store.transact() as sql:
                shared = SharedCommit(sql, self._write_shared)
                yield shared
        finally:
            self._flight = None
            flight.set()
        if shared.written is not None:
            self._tell(shared.written)
            await self._send(shared.written)

    async def _send(self, transition: Transition) -> None:
        """Tell the executor of new tasks, and observers of what happened."""
        run = self.run
        if transition.tasks:
            await run.services.execution.tasks_added([task for task in transition.tasks if task.worker_id is None])
        if run.notices is not None:
            await run.notices.send()

    async def _write_shared(self, commit: Callable[[Transition], Awaitable[None]]) -> Transition:
        """Commit what has happened through a transaction that somebody shares."""
        try:
            transition = self._begin()
            await commit(transition)
            self._end(transition)
        except BaseException as exc:
            self._error = exc
            raise
        return transition

    def _begin(self) -> Transition:
        """What has happened, as a transition to commit."""
        transition = build_transition(self.run)
        if self._company is not None:
            is_busy = self._tasks or self._inline is not None or self.run.ready or transition.created
            self._company.prepare(transition, is_idle=not is_busy)
        self._built += 1
        return transition

    def _end(self, transition: Transition) -> None:
        """It is durable."""
        committed(self.run, transition)
        self._committed += 1
        if self._company is not None:
            self._company.committed(transition)

    def _tell(self, transition: Transition) -> None:
        """What a durable transition sets off."""
        run = self.run
        for record in transition.created:
            run.spawned.append(record.workflow_id)
        for entry in transition.sent:
            run.told.add(entry.workflow_id)
            if entry.kind is InboxKind.REPAIR:
                run.spawned.append(entry.workflow_id)  # a child that undoes itself is driven like one that begins
        if run.spawned:
            self._wake.set()  # the branch whose commit it was may run on for long
