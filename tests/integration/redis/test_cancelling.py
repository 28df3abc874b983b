"""A cancel that the driver drops is heeded all the same: whoever waits for the end of the task would wait for ever."""

import asyncio
from typing import Any

import pytest

from ruvon.implementations.persistence.redis._driver import Wire


class Deaf:
    """A connection that drops a cancel while it sends or reads, as `asyncio.wait_for` of Python 3.11 may."""

    def __init__(self, when: str) -> None:
        self.when = when
        self.done: list[str] = []

    async def _do(self, what: str) -> bytes:
        if what == self.when:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.done.append("cancelled")
        self.done.append(what)
        return b"OK"

    async def send_command(self, *_: Any) -> None:
        """As the driver has it."""
        await self._do("send")

    async def read_response(self, **_: Any) -> bytes:
        """As the driver has it."""
        return await self._do("read")


@pytest.mark.parametrize(("when", "done"), [("send", ["cancelled", "send"]), ("read", ["send", "cancelled", "read"])])
def test_a_cancel_that_the_driver_drops_ends_the_task(when: str, done: list[str]) -> None:
    """Nothing further is sent or read."""

    async def scenario() -> None:
        wire, inner = Wire("redis://127.0.0.1:1/0", 1.0), Deaf(when)
        wire._inner = inner
        task = asyncio.ensure_future(wire.call("PING"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait((task,))
        assert task.cancelled()
        assert inner.done == done

    asyncio.run(scenario())


def test_what_was_cancelled_before_goes_on() -> None:
    """Only a cancel that comes meanwhile counts: work that cleans up after a cancel may ask the server."""

    async def scenario() -> bytes:
        wire = Wire("redis://127.0.0.1:1/0", 1.0)
        wire._inner = Deaf("never")

        async def clean_up() -> bytes:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return await wire.call("DEL", "hold")
            raise AssertionError("it was not cancelled")

        task = asyncio.ensure_future(clean_up())
        await asyncio.sleep(0)
        task.cancel()
        return await task

    assert asyncio.run(scenario()) == b"OK"
