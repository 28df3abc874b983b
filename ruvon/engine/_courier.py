"""Couriers: each calls the hooks of one observer, one after the other, in a task of its own.

Nothing waits for a hook that waits. A hook that only computes has returned before the next step begins; one that awaits
something goes on by itself while the workflow does. Its later calls queue up behind it, up to a limit, beyond which they
are dropped, counted and reported. A courier belongs to one event loop; its task lives only while there is something to tell.
"""

import asyncio
import inspect
import logging
import types
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, Final, final

__all__ = ["PATIENCE_S", "Courier", "Hook", "Listener"]

_LOGGER: Final = logging.getLogger("ruvon.observers")
PATIENCE_S: Final = 5.0
"""Seconds on the loop's clock that a hook may wait, and that closing waits for what is still to be told."""
_MOST_QUEUED: Final = 10_000
"""Calls that wait for one observer on one loop."""
_LONGEST_BLOCK_S: Final = 0.05
"""An ordinary function that has held up the loop for longer is called in a thread from then on."""


@final
class Hook:
    """One hook of one observer, with the arguments that it takes."""

    __slots__ = ("accepts", "call", "is_plain", "name", "takes_all")

    def __init__(self, name: str, call: Callable[..., Any]) -> None:
        self.name = name
        self.call = call
        self.is_plain = not inspect.iscoroutinefunction(call)
        parameters = inspect.signature(call).parameters.values()
        self.accepts = tuple(item.name for item in parameters)
        self.takes_all = any(item.kind is item.VAR_KEYWORD for item in parameters)

    def fitting(self, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """Those arguments that the hook's signature names."""
        return arguments if self.takes_all else {name: arguments[name] for name in self.accepts if name in arguments}


@final
class Listener:
    """One observer: its hooks by name, and what became of it."""

    __slots__ = ("hooks", "in_thread", "is_deaf", "lost", "name", "observer")

    def __init__(self, observer: object, hooks: Mapping[str, Hook]) -> None:
        self.observer = observer
        self.name = type(observer).__name__
        self.hooks = hooks
        self.is_deaf = False
        """A hook of it did not return in time; it is told nothing more."""
        self.in_thread = False
        """Its ordinary functions are called in a thread, because one of them took long."""
        self.lost = 0
        """Calls that were dropped because too many waited."""


@final
class Courier:
    """Calls the hooks of one observer on one event loop."""

    __slots__ = ("_away", "_cancelled_at", "_dropped", "_hung", "_listener", "_queue", "_task", "_timer", "_waiters")

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._queue: deque[tuple[Hook, Mapping[str, Any]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._away = False
        """The hook under way waits for something."""
        self._hung = False
        self._dropped = 0
        """Calls that were dropped since it fell behind."""
        self._timer: asyncio.TimerHandle | None = None
        self._cancelled_at: float | None = None
        self._waiters: list[asyncio.Future[None]] = []

    # For those who tell

    def put(self, hook: str, arguments: Mapping[str, Any]) -> None:
        """Have a hook called, if the observer has it; never waits."""
        found = self._listener.hooks.get(hook)
        if found is None or self._listener.is_deaf:
            return
        if len(self._queue) >= _MOST_QUEUED:
            self._drop()
            return
        self._queue.append((found, arguments))
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._deliver())
            self._task.add_done_callback(self._ended)

    def _drop(self) -> None:
        self._listener.lost += 1
        self._dropped += 1
        if self._dropped == 1:
            text = "the observer %s is too slow: %d calls wait for it, and further ones are dropped until it catches up"
            _LOGGER.error(text, self._listener.name, len(self._queue))

    async def prompt(self) -> None:
        """Return when everything was told, or when the hook under way waits for something."""
        while self.is_busy and not self._away:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    @property
    def is_busy(self) -> bool:
        """Whether there is something left to tell."""
        return self._task is not None and not self._task.done()

    @property
    def task(self) -> "asyncio.Task[None] | None":
        """What calls the hooks now."""
        return self._task

    def give_up(self) -> None:
        """End what is under way, and forget what waits."""
        if self._task is not None and not self._task.done():
            self._forget()
            self._hung = True
            self._task.cancel()

    # The task

    def _release(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if task is self._task:
            self._task = None
            if task.cancelled():  # before it began: its loop is being closed
                self._forget()
            self._release()

    async def _deliver(self) -> None:
        self._cancelled_at = None
        self._hung = False
        try:
            while self._queue and not self._listener.is_deaf and not self._is_late():
                await self._call(*self._queue.popleft())
        finally:
            self._report()
            self._release()

    def _is_late(self) -> bool:
        """Whether it was cancelled, and the time to tell the rest is over too."""
        if self._cancelled_at is None or asyncio.get_running_loop().time() - self._cancelled_at < PATIENCE_S:
            return False
        self._forget()
        return True

    def _report(self) -> None:
        if self._dropped:
            _LOGGER.error("the observer %s has caught up; %d calls were dropped", self._listener.name, self._dropped)
            self._dropped = 0

    def _forget(self) -> None:
        if self._queue:
            text = "%d events were not told to the observer %s before the end"
            _LOGGER.error(text, len(self._queue), self._listener.name)
            self._queue.clear()

    async def _call(self, hook: Hook, arguments: Mapping[str, Any]) -> None:
        listener = self._listener
        try:
            made = self._begin(hook, hook.fitting(arguments))
            if inspect.isawaitable(made):
                await _watched(made, self._waits)
        except asyncio.CancelledError:
            self._cancelled(hook)
        except Exception:  # an observer must never touch a workflow
            _LOGGER.exception("the observer %s failed in %s", listener.name, hook.name)
        finally:
            self._away = False
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    def _begin(self, hook: Hook, fitting: Mapping[str, Any]) -> object:
        if not hook.is_plain:
            return hook.call(**fitting)
        if self._listener.in_thread:
            return asyncio.to_thread(hook.call, **fitting)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        made = hook.call(**fitting)
        if loop.time() - begun > _LONGEST_BLOCK_S and not inspect.isawaitable(made):
            self._listener.in_thread = True
            text = (
                "the observer %s held up everything in %s; its functions that are not async are called in a thread now"
            )
            _LOGGER.warning(text, self._listener.name, hook.name)
        return made

    def _waits(self) -> None:
        """The hook under way awaits something: nobody waits for it, and its time runs."""
        self._away = True
        self._timer = asyncio.get_running_loop().call_later(PATIENCE_S, self._hang_up)
        self._release()

    def _hang_up(self) -> None:
        if self._task is not None:
            self._hung = True
            self._task.cancel()

    def _cancelled(self, hook: Hook) -> None:
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        if self._hung:
            self._listener.is_deaf = True
            self._queue.clear()
            text = "the observer %s did not return from %s within %g seconds; it is told nothing more"
            _LOGGER.error(text, self._listener.name, hook.name, PATIENCE_S)
            return
        # By itself, or because its loop is being closed: what is left is told, as far as there is time.
        self._cancelled_at = self._cancelled_at or asyncio.get_running_loop().time()
        _LOGGER.error("the observer %s failed in %s: it was cancelled", self._listener.name, hook.name)


@types.coroutine
def _watched(made: Awaitable[Any], waits: Callable[[], None]) -> Generator[Any, Any, None]:
    """Await something, and tell when it waits for the first time."""
    steps = made.__await__()
    try:
        awaited = next(steps)
    except StopIteration:
        return
    waits()
    while True:
        try:
            yield awaited
        except BaseException as exc:  # whatever is thrown in here is for the awaited one
            thrower = getattr(steps, "throw", None)
            if thrower is None:
                raise
            try:
                awaited = thrower(exc)
            except StopIteration:
                return
        else:
            break
    yield from steps
