"""Limits of queues: how many steps of a queue, and of one key in it, run at a time, and how many may start in a period.

Every store decides by the same `Gate`, in the transaction that claims, so a limit holds whatever the number of workers:

* what runs are the claims of steps; one counts until its report, its return, or the end of its lease. A task that wakes an
  instance is no step: it never waits for a limit, and counts neither as running nor as a start;
* a start is a claim of a step. Those of the last period are kept with the limits of the queue, one by one up to
  `_EXACT` of them; of more, those of a 64th of the period are kept as one, at the moment of the last. So no period ever has
  more starts than it may, and a start waits for a 64th of the period longer than it must at most;
* a task of a key that is full is passed over, and the one behind it is looked at.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, final

from ruvon.ir import RuvonError
from ruvon.providers._records import TaskKind, TaskRecord

__all__ = [
    "DELAYED",
    "Gate",
    "InvalidLimitsError",
    "QueueLimits",
    "QueueLoad",
    "Starts",
    "check_limits",
    "opening",
    "store_moment",
    "why_waiting",
]

_EXACT: Final = 64
_PARTS: Final = 64
_MOST: Final = 1_000_000_000
_LONGEST_US: Final = 366 * 86_400_000_000
_LONGEST_NAME: Final = 200
DELAYED: Final = "delayed"
"""The reason of a task whose moment has not come."""
_OTHER_TIME_US: Final = 3_600_000_000
"""A caller whose clock differs so much from the store's lives in a time of its own: a test, a simulation."""


@final
class InvalidLimitsError(RuvonError, ValueError):
    """Limits that no queue can have."""

    def __init__(self, queue: str, problem: str, remedy: str) -> None:
        self.queue = queue
        super().__init__(f"the limits of the queue {queue!r} cannot be: {problem}; {remedy}")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """What a queue may do; None leaves that side open."""

    queue: str
    concurrency: int | None = None
    """So many steps of it run at a time, over all workers; 0: none is begun."""
    per_key: int | None = None
    """So many steps with the same concurrency key; those without a key have no such limit."""
    rate: int | None = None
    """So many steps start within any `period_us`; 0: none is begun."""
    period_us: int = 0
    """The period of `rate`, in microseconds; 0 where there is no rate."""

    @property
    def is_open(self) -> bool:
        """There is no limit at all."""
        return self.concurrency is None and self.per_key is None and self.rate is None


Starts = Sequence[tuple[int, int]]
"""Moments and how many steps started there, oldest first."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLoad:
    """A limited queue as it stands."""

    limits: QueueLimits
    running: int = 0
    """Claimed steps."""
    by_key: Mapping[str, int] = field(default_factory=dict[str, int])
    """Those of each key."""
    starts: Starts = ()
    """The starts of the last period."""
    at_us: int = 0
    """The store's moment of all this."""


def check_limits(limits: QueueLimits) -> QueueLimits:
    """The limits, where they can be kept.

    Raises:
        InvalidLimitsError: a number is negative or too large, or the rate has no period.
    """
    name = limits.queue
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise InvalidLimitsError(name, "it has no name that can be shown", f"give 1 to {_LONGEST_NAME} characters")
    for what, value in (("concurrency", limits.concurrency), ("per_key", limits.per_key), ("rate", limits.rate)):
        if value is not None and (type(value) is not int or not 0 <= value <= _MOST):
            raise InvalidLimitsError(name, f"`{what}` is {value!r}", f"give a whole number from 0 to {_MOST}")
    if (limits.rate is None) != (limits.period_us == 0):
        raise InvalidLimitsError(name, "a rate and its period go together", "give both, such as 100 in one minute")
    if type(limits.period_us) is not int or not 0 <= limits.period_us <= _LONGEST_US:
        raise InvalidLimitsError(name, f"the period is {limits.period_us} microseconds", "give at most 366 days")
    return limits


def store_moment(now_us: int, store_us: int) -> int:
    """The moment of a start: by the clock of the store, which all workers share, unless the caller simulates its time."""
    return now_us if abs(now_us - store_us) > _OTHER_TIME_US else store_us


@final
class Gate:
    """Decides which tasks of one queue may be claimed, and counts those that are.

    Args:
        load: the queue as the claiming transaction sees it.
    """

    def __init__(self, load: QueueLoad) -> None:
        self.limits = load.limits
        self._running = load.running
        self._by_key = dict(load.by_key)
        self._at_us = load.at_us
        period = load.limits.period_us
        # A start in the far future comes from a clock that was set back since: it says nothing.
        self._starts = [item for item in load.starts if -period <= load.at_us - item[0] < period]
        self._started = sum(count for _, count in self._starts)
        self.has_started = False
        """Something was claimed, so `starts` is to be stored where there is a rate."""

    @property
    def starts(self) -> Starts:
        """The starts of the period, those that were counted here included."""
        return tuple(self._starts)

    @property
    def room(self) -> int | None:
        """So many more steps may begin now, whatever their keys; None: any number."""
        limits = self.limits
        rooms = [limits.concurrency - self._running] if limits.concurrency is not None else []
        rooms += [limits.rate - self._started] if limits.rate is not None else []
        return max(min(rooms), 0) if rooms else None

    @property
    def full_keys(self) -> frozenset[str]:
        """The keys of which no more may begin."""
        most = self.limits.per_key
        return frozenset() if most is None else frozenset(key for key, n in self._by_key.items() if n >= most)

    @property
    def shuts_keys(self) -> bool:
        """No step that has a key may begin."""
        return self.limits.per_key == 0

    @property
    def opens_in_us(self) -> int | None:
        """So long it takes until the rate lets something begin again; None where the rate is not in the way."""
        limits = self.limits
        if not limits.rate or self._started < limits.rate:
            return None
        return max(self._starts[0][0] + limits.period_us - self._at_us, 0)

    def admits(self, kind: str, key: str | None) -> bool:
        """Whether a task of this kind and with this key may be claimed now."""
        if kind != TaskKind.STEP:
            return True
        most = self.limits.per_key
        is_full = key is not None and most is not None and self._by_key.get(key, 0) >= most
        return self.room != 0 and not is_full

    def count(self, kind: str, key: str | None) -> None:
        """A task was claimed."""
        if kind != TaskKind.STEP:
            return
        self.has_started = True
        self._running += 1
        if key is not None:
            self._by_key[key] = self._by_key.get(key, 0) + 1
        if self.limits.rate is not None:
            self._started += 1
            self._note_start(self.limits.rate)

    def _note_start(self, rate: int) -> None:
        """Starts never go back in time, so that the first to be forgotten is always the first of the list."""
        last_us, count = self._starts[-1] if self._starts else (0, 0)
        at = max(self._at_us, last_us)
        part_us = self.limits.period_us // _PARTS if rate > _EXACT else 0
        if count and (at == last_us or (part_us and at // part_us == last_us // part_us)):
            self._starts[-1] = (at, count + 1)
        else:
            self._starts.append((at, 1))


def opening(gates: Iterable[Gate], now_us: int) -> int | None:
    """When a rate opens the first of these queues again, by the caller's clock; None where no rate is in the way."""
    delays = [gate.opens_in_us for gate in gates]
    soonest = min((delay for delay in delays if delay is not None), default=None)
    return now_us + soonest if soonest is not None else None


def why_waiting(task: TaskRecord, load: QueueLoad | None, now_us: int) -> str:
    """Why a pending task is not begun, in words; "" where only a free worker is missing."""
    if task.status != "pending":
        return ""
    if task.available_us > now_us:
        return DELAYED
    if load is None or task.kind is not TaskKind.STEP:
        return ""
    limits, gate = load.limits, Gate(load)
    if limits.concurrency is not None and load.running >= limits.concurrency:
        return f"queue limit: {load.running} of {limits.concurrency} run"
    if limits.rate is not None and gate.room == 0:
        return f"rate limit: {limits.rate} in {_span(limits.period_us)}"
    if not gate.admits(task.kind, task.concurrency_key):
        running = load.by_key.get(task.concurrency_key or "", 0)
        return f"key limit: {running} of {limits.per_key} run for {task.concurrency_key}"
    return ""


def _span(duration_us: int) -> str:
    for unit, size in (("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000)):
        if duration_us >= size and duration_us % size == 0:
            return f"{duration_us // size}{unit}"
    return f"{duration_us / 1_000_000:g}s"
