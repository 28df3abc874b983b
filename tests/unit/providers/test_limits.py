"""The gate that every store decides by, and why a task waits."""

from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from ruvon.providers import QueueLimits, QueueLoad, TaskKind, TaskRecord
from ruvon.providers._limits import Gate, store_moment, why_waiting


def task(**fields: object) -> TaskRecord:
    """A pending task of the queue q."""
    made = TaskRecord("t", uuid4(), TaskKind.STEP, "a", "q")
    for name, value in fields.items():
        setattr(made, name, value)
    return made


@given(
    rate=st.integers(1, 300),
    period=st.integers(1, 20_000),
    steps=st.lists(st.tuples(st.integers(-50, 2_000), st.integers(1, 40)), max_size=80),
)
def test_no_period_has_more_starts_than_the_rate(rate: int, period: int, steps: list[tuple[int, int]]) -> None:
    """Whatever asks when, clocks that go back a little included; what is kept stays small."""
    now, kept, started = 1_000_000, (), list[int]()
    furthest = now
    for pause, wanted in steps:
        now += pause
        load = QueueLoad(limits=QueueLimits(queue="q", rate=rate, period_us=period), starts=kept, at_us=now)
        gate = Gate(load)
        furthest = max(furthest, now)
        for _ in range(wanted):
            if gate.admits("step", None):
                gate.count(TaskKind.STEP, None)
                started.append(now)
        kept = tuple(gate.starts)
        assert len(kept) <= max(rate, 66) and len(kept) <= 130  # noqa: PT018
    forward = all(pause >= 0 for pause, _ in steps)
    if forward:
        for moment in started:
            assert sum(1 for other in started if moment <= other < moment + period) <= rate


@given(rate=st.integers(1, 500), period=st.integers(64, 1_000_000))
def test_a_start_is_late_by_a_64th_of_the_period_at_most(rate: int, period: int) -> None:
    """A period and a 64th after a burst, all of the next burst may begin."""
    limits = QueueLimits(queue="q", rate=rate, period_us=period)
    first = Gate(QueueLoad(limits=limits, at_us=10_000_000))
    for _ in range(rate):
        first.count(TaskKind.STEP, None)
    assert not first.admits("step", None)
    assert first.opens_in_us == period
    later = Gate(QueueLoad(limits=limits, starts=first.starts, at_us=10_000_000 + period + period // 64))
    assert later.room == rate


def test_starts_of_a_clock_that_was_set_back_do_not_shut_a_queue_for_ever() -> None:
    """What lies further ahead than a period is not believed; what lies nearer counts."""
    limits = QueueLimits(queue="q", rate=1, period_us=100)
    assert Gate(QueueLoad(limits=limits, starts=[(10_101, 1)], at_us=10_000)).admits("step", None)
    assert not Gate(QueueLoad(limits=limits, starts=[(10_099, 1)], at_us=10_000)).admits("step", None)


def test_the_moment_of_a_start_is_the_stores() -> None:
    """A worker's clock that is wrong by seconds does not stretch a period; a simulated time is kept."""
    assert store_moment(5_000_000_000_000, 5_000_000_000_000 - 20_000_000) == 5_000_000_000_000 - 20_000_000
    assert store_moment(17, 5_000_000_000_000) == 17


def test_what_wakes_an_instance_is_no_step() -> None:
    """It waits where nothing may begin, but neither runs nor starts."""
    gate = Gate(QueueLoad(limits=QueueLimits(queue="q", concurrency=1, rate=1, period_us=9), at_us=5))
    gate.count(TaskKind.WAKE, None)
    assert gate.admits("step", None)
    assert not gate.has_started
    gate.count(TaskKind.STEP, None)
    assert not gate.admits("step", None)


def test_why_a_task_waits() -> None:
    """Its moment, the queue's limit, the rate, its key; nothing where only a worker is missing."""
    limits = QueueLimits(queue="q", concurrency=2, per_key=1, rate=3, period_us=60_000_000)

    def said(waiting: TaskRecord, **load: object) -> str:
        return why_waiting(waiting, QueueLoad(limits=limits, at_us=10, **load), 10)  # type: ignore[arg-type]

    assert why_waiting(task(), None, 10) == ""
    assert why_waiting(task(status="claimed"), None, 10) == ""
    assert said(task(available_us=11)) == "delayed"
    assert said(task()) == ""
    assert said(task(), running=2) == "queue limit: 2 of 2 run"
    assert said(task(), running=1, starts=[(5, 3)]) == "rate limit: 3 in 1m"
    assert said(task(concurrency_key="a"), running=1, by_key={"a": 1}) == "key limit: 1 of 1 run for a"
    assert said(task(concurrency_key="b"), running=1, by_key={"a": 1}) == ""
