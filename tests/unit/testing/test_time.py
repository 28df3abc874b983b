"""The loop whose time is virtual: it jumps where nothing is ready, waits for threads, and says when it is stuck."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruvon.testing import SeededIds, StuckError, VirtualClock, VirtualLoop, run_virtual

YEAR_S = 365 * 86_400.0


def test_a_year_passes_at_once() -> None:
    """`asyncio.sleep`, `loop.time` and the clock agree."""

    async def work(loop: VirtualLoop) -> tuple[float, datetime]:
        clock = VirtualClock(loop)
        await asyncio.sleep(YEAR_S)
        await clock.sleep_us(1)
        return loop.time(), clock.now()

    elapsed, now = run_virtual(work)

    assert YEAR_S <= elapsed < YEAR_S + 0.001
    assert datetime(2027, 1, 1, tzinfo=UTC) <= now < datetime(2027, 1, 1, 0, 0, 1, tzinfo=UTC)


@given(st.lists(st.integers(0, 10**9), max_size=20))
def test_sleepers_wake_in_the_order_of_their_moments(millis: list[int]) -> None:
    """However many wait: earlier moments first, equal ones in the order in which they began."""

    async def work(loop: VirtualLoop) -> list[tuple[int, int]]:
        woken: list[tuple[int, int]] = []

        async def sleeper(number: int, duration: int) -> None:
            await asyncio.sleep(duration / 1_000)
            woken.append((duration, number))

        await asyncio.gather(*(sleeper(number, duration) for number, duration in enumerate(millis)))
        return woken

    assert [duration for duration, _ in run_virtual(work)] == sorted(millis)


def test_a_timeout_is_held_against_virtual_time() -> None:
    """The shorter of two waits wins, whatever real time it takes."""

    async def work(loop: VirtualLoop) -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3_600):
                await asyncio.sleep(YEAR_S)
        return loop.time()

    assert 3_600 <= run_virtual(work) < 3_601


def test_time_stands_still_while_a_thread_works() -> None:
    """A thread's result comes before a timer that would ring in an hour."""
    go_on = threading.Event()

    async def work(loop: VirtualLoop) -> tuple[str, float]:
        async with asyncio.timeout(3_600):
            loop.call_soon(go_on.set)
            await asyncio.to_thread(go_on.wait, 30)
        return "done", loop.time()

    assert run_virtual(work) == ("done", 0.0)


def test_work_that_is_marked_as_outside_holds_the_time() -> None:
    """What a thread sets without the loop knowing of it can be awaited inside `outside()`."""

    async def work(loop: VirtualLoop) -> float:
        ready = asyncio.Event()
        asyncio.get_running_loop().call_later(3_600, ready.set)
        found: asyncio.Future[str] = loop.create_future()
        thread = threading.Thread(target=lambda: loop.call_soon_threadsafe(found.set_result, "done"))
        with loop.outside():
            thread.start()
            assert await found == "done"
        thread.join()
        return loop.time()

    assert run_virtual(work) == 0.0


def test_nothing_left_to_happen_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A future that nobody sets: no timer, no thread."""
    monkeypatch.setattr("ruvon.testing._loop._PATIENCE_S", 0.05)

    with pytest.raises(StuckError, match="no timer is set and no thread works; a step probably awaits"):
        run_virtual(lambda loop: loop.create_task(_forever()))  # type: ignore[arg-type, return-value] - a task will do


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()


def test_real_connections_are_listened_to() -> None:
    """A socket that is ready is served before a timer rings."""

    async def work(loop: VirtualLoop) -> tuple[bytes, float]:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readline())
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        with loop.outside():
            answer = await reader.readline()
        writer.close()
        server.close()
        return answer, loop.time()

    assert run_virtual(work) == (b"hello\n", 0.0)


def test_what_is_left_over_is_ended() -> None:
    """Tasks that still wait are cancelled when the run is over, and may clean up."""
    cleaned: list[str] = []

    async def work(loop: VirtualLoop) -> None:
        async def lingering() -> None:
            try:
                await asyncio.sleep(YEAR_S)
            finally:
                cleaned.append("yes")

        cleaned_by = loop.create_task(lingering())
        await asyncio.sleep(1)
        assert not cleaned_by.done()

    run_virtual(work)

    assert cleaned == ["yes"]


def test_the_wall_clock_can_be_wrong() -> None:
    """It goes back or forward against the loop's time, which goes on as it was."""

    async def work(loop: VirtualLoop) -> list[Any]:
        clock = VirtualClock(loop, datetime(2030, 5, 1, tzinfo=UTC))
        await clock.sleep_us(1_000_000)
        before = clock.now_us(), clock.monotonic_us()
        clock.set_wrong_by(-3_600_000_000)
        after = clock.now_us(), clock.monotonic_us()
        await clock.sleep_us(-5)
        return [before[0] - after[0], after[1] - before[1], clock.now() < datetime(2030, 5, 1, tzinfo=UTC)]

    assert run_virtual(work) == [3_600_000_000, 0, True]


def test_one_loop_at_a_time() -> None:
    """Inside a running loop there is none to be made."""

    async def inner() -> None:
        with pytest.raises(RuntimeError, match="a loop runs in this thread already; call this from"):
            run_virtual(lambda loop: asyncio.sleep(0))

    asyncio.run(inner())


@given(st.integers(-(10**6), 10**6), st.integers(0, 20), st.integers(0, 20))
def test_ids_are_those_of_the_seed(seed: int, drawn: int, more: int) -> None:
    """The same numbers again from the same seed, and again after going back to a mark."""
    first, second = SeededIds(seed), SeededIds(seed)
    assert [first.new_id() for _ in range(drawn)] == [second.new_id() for _ in range(drawn)]

    mark = first.mark()
    values = [(first.new_id(), first.random()) for _ in range(more)]
    first.reset(mark)

    assert [(first.new_id(), first.random()) for _ in range(more)] == values
    assert len({value for value, _ in values}) == more
    assert all(0 <= chance < 1 and value.version == 4 for value, chance in values)
    assert first.token(16) == second.token(16)
    assert len(first.token(16)) == 16


def test_another_seed_gives_other_ids() -> None:
    """Chance differs where the seed does."""
    assert SeededIds(1).new_id() != SeededIds(2).new_id()
    assert SeededIds(1).token(8) != SeededIds(2).token(8)


def test_virtual_time_begins_where_it_is_told() -> None:
    """The default is a fixed moment, so that two runs agree."""

    async def work(loop: VirtualLoop) -> timedelta:
        return VirtualClock(loop).now() - datetime(2026, 1, 1, tzinfo=UTC)

    assert run_virtual(work) == timedelta(0)
