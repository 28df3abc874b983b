"""The loop behind synchronous methods (S4-050)."""

import asyncio
import os
import threading

import pytest

from ruvon._bridge import BridgeError, run_coroutine_sync


async def where() -> str:
    return threading.current_thread().name


def test_coroutines_of_many_threads_run_on_one_loop_in_a_daemon_thread() -> None:
    """Whoever calls, the same thread runs it (S4-050)."""
    found: list[str] = []
    callers = [threading.Thread(target=lambda: found.append(run_coroutine_sync(where()))) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()

    assert found == ["ruvon-bridge"] * 4
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "ruvon-bridge")


def test_a_time_out_raises_and_cancels_the_coroutine() -> None:
    """What nobody waits for does not go on (S4-050)."""
    ended = threading.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        run_coroutine_sync(endless(), timeout=0.05)
    assert ended.wait(10)


def test_on_the_loop_itself_it_raises_instead_of_waiting_for_itself() -> None:
    """From a coroutine that the bridge runs (S4-050)."""

    async def calls_again() -> None:
        run_coroutine_sync(where())

    with pytest.raises(BridgeError, match="await the asynchronous method"):
        run_coroutine_sync(calls_again(), timeout=10)


def test_it_works_from_a_running_loop_of_another_thread() -> None:
    """A synchronous step called by somebody's own loop (S4-050)."""

    async def main() -> str:
        return await asyncio.to_thread(run_coroutine_sync, where())

    assert asyncio.run(main()) == "ruvon-bridge"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_has_a_loop_of_its_own() -> None:
    """As the processes of a Celery pool are."""
    run_coroutine_sync(where())
    child = os.fork()
    if child == 0:
        os._exit(0 if run_coroutine_sync(where(), 10) == "ruvon-bridge" else 1)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
