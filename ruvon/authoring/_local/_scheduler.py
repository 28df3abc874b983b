"""A scheduler of our own: drives coroutines one at a time, in a fixed order, on a virtual clock.

Why not asyncio's tasks: whether a run is idle decides when virtual time moves, who wins a race at one instant, and whether
a wait can never end; asyncio does not tell. And a branch's view of the state is put in place around each slice of the
branch (`Strand.enter`), which needs the one place where slices begin and end.

Time moves only when nothing can run. Real waits of step bodies are awaited on the caller's event loop and take no virtual
time. Order, at one instant: strands that can run, first in first out; then real waits; then races that can be decided;
then the clock.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, final

from ruvon.authoring._local._mailbox import Mailbox
from ruvon.authoring._local._world import World, WorldInputMissing
from ruvon.authoring._work import CURRENT_DRIVER, Driver

__all__ = ["YIELD", "Aborted", "Park", "Scheduler", "Strand", "Timer"]

Coro: TypeAlias = Coroutine[Any, Any, Any]


class Aborted(BaseException):
    """The whole run ends with `error`, past every handler of every body."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
        super().__init__(str(error))


@final
class Park:
    """Awaited: stop until somebody wakes the strand with a value or an error."""

    __slots__ = ("blocking", "wanted")

    def __init__(self, wanted: str = "", blocking: "tuple[str, str] | None" = None) -> None:
        self.wanted = wanted
        self.blocking = blocking
        """What a world would have to supply for this to end by itself, and with which argument."""

    def __await__(self) -> Generator[Any, Any, Any]:
        return (yield self)


class _Yield:
    """Awaited: let the others go first."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, None]:
        yield self


YIELD: Final = _Yield()


@final
@dataclass(order=True, slots=True)
class Timer:
    """Something that happens at a moment of the virtual clock."""

    due_us: int
    order: int
    action: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)


@final
class Strand:
    """One sequence: the body of a run, or a branch of it."""

    __slots__ = (
        "busy",
        "cancel_asked",
        "cancel_given",
        "children",
        "coro",
        "done",
        "driver",
        "enter",
        "error",
        "is_child",
        "on_end",
        "on_lose",
        "parked",
        "result",
        "task",
    )

    def __init__(self, coro: Coro, driver: Driver, enter: Callable[[], None]) -> None:
        self.coro = coro
        self.driver = driver
        self.enter = enter
        """Puts the strand's view of the state in place, before each of its slices."""
        self.parked: Park | None = None
        self.busy = 0
        """Above 0 while a step runs, which a cancel waits for."""
        self.cancel_asked = False
        self.cancel_given = False
        self.children: list[Strand] = []
        self.done = False
        self.is_child = False
        """It is the body of a child: a cancel is sent to it and ends its running step, whoever cancels."""
        self.result: Any = None
        self.error: BaseException | None = None
        self.on_end: Callable[[], None] | None = None
        self.on_lose: list[Callable[[], None]] = []
        """What to take back when a race is lost: messages and answers that were taken."""
        self.task: asyncio.Task[Any] | None = None
        """The step body that runs on the caller's event loop."""

    def lose(self) -> None:
        """Take back what this strand and its branches took, last first."""
        for child in reversed(self.children):
            child.lose()
        while self.on_lose:
            self.on_lose.pop()()

    def adopt(self, ended: "list[Strand]") -> None:
        """Take over what ended branches would take back, and forget the branches."""
        for child in ended:
            self.on_lose.extend(child.on_lose)
        self.children = [child for child in self.children if child not in ended]


@final
class Scheduler:
    """Runs strands until the first of them ends."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._ready: deque[tuple[Strand, Any, BaseException | None]] = deque()
        self._timers: list[Timer] = []
        self._order = 0
        self._foreign: dict[asyncio.Future[Any], Strand] = {}
        self._decisions: list[Callable[[], bool]] = []
        self._strands: dict[Strand, None] = {}
        self.mailbox = Mailbox(world.signals, world.start_us, self)

    # -- strands ---------------------------------------------------------------------------------------------------

    def add(self, strand: Strand, parent: Strand | None = None) -> Strand:
        """Let a strand run from the next turn on."""
        self._strands[strand] = None
        if parent is not None:
            parent.children.append(strand)
        self._ready.append((strand, None, None))
        return strand

    def wake(self, strand: Strand, value: Any = None, error: BaseException | None = None) -> None:
        """Let a parked strand go on; one that is not parked is left alone."""
        if strand.parked is None or strand.done:
            return
        strand.parked = None
        self._ready.append((strand, value, error))

    def cancel(self, strand: Strand, *, hard: bool = False) -> None:
        """Cancel a strand where it waits; a running step finishes first, unless the cancel is hard."""
        if strand.done:
            return
        strand.cancel_asked = True
        hard = hard or strand.is_child
        living = [child for child in strand.children if not child.done]
        for child in living:
            self.cancel(child, hard=hard)
        if hard and strand.task is not None:
            strand.task.cancel()
        elif strand.parked is not None and not living and (hard or not strand.busy):
            self.give_cancel(strand)

    def give_cancel(self, strand: Strand) -> None:
        """Raise the cancellation in a parked strand."""
        if not strand.cancel_given:
            strand.cancel_given = True
            self.wake(strand, error=asyncio.CancelledError())

    # -- time ------------------------------------------------------------------------------------------------------

    def at(self, due_us: int, action: Callable[[], None]) -> Timer:
        """Do something at a moment."""
        self._order += 1
        timer = Timer(due_us, self._order, action)
        heapq.heappush(self._timers, timer)
        return timer

    async def sleep_us(self, strand: Strand, duration_us: int) -> None:
        """Wait on the virtual clock."""
        if duration_us <= 0:
            await YIELD
            return
        timer = self.at(self.world.now_us + duration_us, lambda: self.wake(strand))
        try:
            await Park("the clock")
        finally:
            timer.cancelled = True

    # -- races -----------------------------------------------------------------------------------------------------

    def decide_later(self, decision: Callable[[], bool]) -> None:
        """Ask `decision` whenever nothing can run, until it says that it is settled."""
        self._decisions.append(decision)

    def forget_decision(self, decision: Callable[[], bool]) -> None:
        """Ask no more."""
        if decision in self._decisions:
            self._decisions.remove(decision)

    # -- the loop --------------------------------------------------------------------------------------------------

    async def run(self, main: Strand) -> Any:
        """Drive everything until `main` has ended; gives its result or raises its error.

        Raises:
            Aborted: the run cannot go on, or must not.
        """
        self.add(main)
        try:
            while not main.done:
                if self._ready:
                    self._slice(*self._ready.popleft())
                elif self._foreign:
                    await asyncio.wait(self._foreign, return_when=asyncio.FIRST_COMPLETED)
                    self._collect()
                elif not self._decide() and not self._move_clock():
                    raise Aborted(self._stuck())
        finally:
            await self._close()
        if main.error is not None:
            raise main.error
        return main.result

    def _slice(self, strand: Strand, value: Any, error: BaseException | None) -> None:
        if strand.done:
            return
        token = CURRENT_DRIVER.set(strand.driver)
        strand.enter()
        try:
            trap = strand.coro.send(value) if error is None else strand.coro.throw(error)
        except StopIteration as stop:
            self._end(strand, stop.value, None)
        except (Aborted, KeyboardInterrupt, SystemExit):
            strand.done = True
            del self._strands[strand]
            raise
        except BaseException as exc:  # noqa: BLE001 - any error of a body is the outcome of its strand
            self._end(strand, None, exc)
        else:
            self._hold(strand, trap)
        finally:
            CURRENT_DRIVER.reset(token)

    def _hold(self, strand: Strand, trap: Any) -> None:
        if isinstance(trap, Park):
            strand.parked = trap
            if strand.cancel_asked and not strand.cancel_given and not strand.busy:
                self.give_cancel(strand)
        elif trap is None or trap is YIELD:
            self._ready.append((strand, None, None))
        elif asyncio.isfuture(trap):
            trap._asyncio_future_blocking = False  # noqa: SLF001 - the protocol between futures and their driver
            self._foreign[trap] = strand
        else:
            self._ready.append((strand, None, TypeError(f"a body cannot await {trap!r}; await calls of ruvon")))

    def _end(self, strand: Strand, result: Any, error: BaseException | None) -> None:
        strand.done, strand.result, strand.error = True, result, error
        del self._strands[strand]
        if strand.on_end is not None:
            strand.on_end()

    def _collect(self) -> None:
        for future in [item for item in self._foreign if item.done()]:
            self._ready.append((self._foreign.pop(future), None, None))

    def _decide(self) -> bool:
        for decision in list(self._decisions):
            if decision():
                self.forget_decision(decision)
                return True
        return False

    def _move_clock(self) -> bool:
        while self._timers and self._timers[0].cancelled:
            heapq.heappop(self._timers)
        if not self._timers:
            return False
        due = self._timers[0].due_us
        self.world.advance_to(due)
        while self._timers and self._timers[0].due_us <= due:
            timer = heapq.heappop(self._timers)
            if not timer.cancelled:
                timer.action()
        return True

    def _stuck(self) -> BaseException:
        waits = [strand.parked.blocking for strand in self._strands if strand.parked and strand.parked.blocking]
        wanted = " and ".join(dict.fromkeys(what for what, _ in waits)) or "something that nothing will ever end"
        remedy = " or ".join(dict.fromkeys(how for _, how in waits)) or "a timeout"
        return WorldInputMissing(wanted, remedy)

    async def _close(self) -> None:
        """End what still runs: real tasks are cancelled and awaited, strands are closed."""
        bodies = [strand.task for strand in self._strands if strand.task is not None]
        tasks = [*self._foreign, *bodies]
        self._foreign.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        for strand in reversed(list(self._strands)):
            strand.done = True
            _shut(strand)


def _shut(strand: Strand) -> None:
    token = CURRENT_DRIVER.set(None)
    strand.enter()
    try:
        strand.coro.close()
    except RuntimeError:
        # A `finally` of the body that awaits cannot run any more; the run is over and has its error.
        return
    except Exception:  # noqa: BLE001 - the same: an error of a body that is being given up changes nothing
        return
    finally:
        CURRENT_DRIVER.reset(token)
