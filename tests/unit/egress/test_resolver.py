"""The resolver of this machine, with names whose servers do not answer."""

import asyncio
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from ruvon.implementations.egress import SystemResolver, _resolver

PATIENCE_S = 30


class Service:
    """A name service: `slow...` is answered when it is let, everything else at once."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.asked = Counter[str]()

    def __call__(self, host: str, port: int, **_: Any) -> Any:
        self.asked[host] += 1
        if host.startswith("slow"):
            self.answers.wait(PATIENCE_S)
        if host == "none.test":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("192.0.2.1", "192.0.2.1")]


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    made = Service()
    monkeypatch.setattr(_resolver.socket, "getaddrinfo", made)
    yield made
    made.answers.set()


def test_names_that_do_not_answer_keep_no_other_waiting(service: Service) -> None:
    """However many there are; and the loop ends without them."""

    async def talk() -> Any:
        resolver = SystemResolver()
        waiting = [asyncio.create_task(resolver.resolve(f"slow-{number}.test", 443)) for number in range(100)]
        await asyncio.sleep(0)
        found = await asyncio.wait_for(resolver.resolve("quick.test", 443), PATIENCE_S)
        for task in waiting:
            task.cancel()
        return found

    assert asyncio.run(talk()) == ["192.0.2.1"]
    assert not service.answers.is_set()


def test_a_name_is_looked_up_once_for_all_who_wait(service: Service) -> None:
    """One of them that gives up takes it from nobody."""

    async def talk() -> Any:
        resolver = SystemResolver()
        waiting = [asyncio.create_task(resolver.resolve("slow.test", 443)) for _ in range(20)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        service.answers.set()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        again = await resolver.resolve("slow.test", 443)
        return [isinstance(found[0], asyncio.CancelledError), found[1:] == [again] * 19, service.asked["slow.test"]]

    assert asyncio.run(talk()) == [True, True, 2]


def test_a_name_that_there_is_not_is_an_error(service: Service) -> None:
    """Each time."""

    async def talk() -> None:
        resolver = SystemResolver()
        for _ in range(2):
            with pytest.raises(OSError, match="no such name"):
                await resolver.resolve("none.test", 443)

    asyncio.run(talk())


def test_so_many_names_at_most_are_looked_up_at_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is refused at once; as they end there is room again."""
    monkeypatch.setattr(_resolver, "_AT_ONCE", 3)

    async def talk() -> Any:
        resolver = SystemResolver()
        waiting = [asyncio.create_task(resolver.resolve(f"slow-{number}.test", 443)) for number in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(OSError, match="do not answer"):
            await resolver.resolve("quick.test", 443)
        service.answers.set()
        await asyncio.gather(*waiting)
        return await resolver.resolve("quick.test", 443)

    assert asyncio.run(talk()) == ["192.0.2.1"]
