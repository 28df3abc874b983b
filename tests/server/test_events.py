"""Live events: what streams tell, from where they go on, and how they end."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest

from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import WorkflowSummary
from ruvon_server.auth import Permission, Principal
from ruvon_server.feed import Change, Feed, Listener
from tests.server.test_app import Everybody
from tests.server.test_workflows import WORKFLOWS, started
from tests.support.serving import Client, asked, new_app, new_builder, on_every_store
from tests.support.streaming import connected, streamed

EVENTS = "/api/v1/events"
T = TypeVar("T")


def talked(talk: Callable[[Client, Any], Awaitable[T]], **settings: Any) -> T:
    """A talk with an application that it may also call itself."""
    app = new_app(**settings)
    return asked(lambda client: talk(client, app), app)


def summary(key: int, updated_us: int = 1) -> WorkflowSummary:
    """A row of a list."""
    return WorkflowSummary(str(key), "Order", "1", "ACTIVE", None, None, None, None, 0, 1, updated_us, key)


@on_every_store
def test_a_stream_shows_how_workflows_change() -> None:
    """What is started after the stream is open comes to it, at last as it has ended."""

    async def talk(client: Client, app: Any) -> tuple[str, str, dict[str, Any]]:
        async with streamed(app, EVENTS) as stream:
            first = await stream.event()
            made = await started(client, data={"number": "A-1"})
            found = await stream.event("workflow")
            while found["data"]["status"] != "COMPLETED":
                found = await stream.event("workflow")
            return first["event"], made["workflow_id"], found["data"]

    first, workflow_id, data = talked(talk)

    assert first == "opened"
    assert (data["workflow_id"], data["workflow_type"], data["current_step"]) == (workflow_id, "Greeting", None)


def test_a_stream_is_an_answer_that_nobody_keeps() -> None:
    """It is of the type of server-sent events, stored by no cache and held back by no proxy."""

    async def talk(_: Client, app: Any) -> tuple[int, dict[str, str]]:
        async with streamed(app, EVENTS) as stream:
            await stream.event()
            return stream.status, stream.headers

    status, headers = talked(talk)

    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    assert (headers["cache-control"], headers["x-accel-buffering"]) == ("no-store", "no")


@on_every_store
def test_a_stream_is_filtered_by_type_and_status() -> None:
    """Other changes do not come."""

    async def talk(client: Client, app: Any) -> list[tuple[str, str]]:
        await started(client)
        await started(client, "Approval")
        await started(client, "Payment")
        async with streamed(app, f"{EVENTS}?after=0-0&for_s=0&status=WAITING_HUMAN&status=COMPLETED") as stream:
            by_status = await stream.rest()
        async with streamed(app, f"{EVENTS}?after=0-0&for_s=0&workflow_type=Payment") as stream:
            by_type = await stream.rest()
        return [(item["data"]["workflow_type"], item["data"]["status"]) for item in (*by_status[1:], *by_type[1:])]

    assert talked(talk) == [("Greeting", "COMPLETED"), ("Approval", "WAITING_HUMAN"), ("Payment", "PAUSED")]


@on_every_store
def test_a_stream_has_nothing_of_other_tenants() -> None:
    """Neither what was before nor what happens now."""
    ann = Principal(name="ann", owner_id="ann", permissions=frozenset(Permission))
    app = new_app(builder := new_builder(), authenticator=Everybody(ann))

    async def talk(_: Client) -> set[str]:
        for owner in ("bob", "ann"):
            await builder.create_workflow("Greeting", {}, owner_id=owner)
        async with streamed(app, f"{EVENTS}?after=0-0") as stream:
            before = await stream.event("workflow")
            for owner in ("bob", "ann"):
                await builder.create_workflow("Greeting", {}, owner_id=owner)
            now = await stream.event("workflow")
            return {before["data"]["owner_id"], now["data"]["owner_id"]}

    assert asked(talk, app) == {"ann"}


def test_a_stream_goes_on_behind_the_last_id(tmp_path: Path) -> None:
    """A server that was started again on the same store sends what came behind the id, and not the event of the id."""

    def app() -> Any:
        return new_app(new_builder(SQLitePersistenceProvider(tmp_path / "w.db")))

    async def before(client: Client) -> tuple[str, str]:
        await started(client)
        async with streamed(client.app, f"{EVENTS}?after=0-0") as stream:
            seen = (await stream.event("workflow"))["id"]
        return seen, (await started(client, "Payment"))["workflow_id"]

    async def after(client: Client, seen: str) -> list[str]:
        async with streamed(client.app, f"{EVENTS}?for_s=0", last_event_id=seen) as stream:
            return [item["data"]["workflow_id"] for item in await stream.rest() if item["event"] == "workflow"]

    seen, paid = asked(before, app())

    assert asked(lambda client: after(client, seen), app()) == [paid]


def test_what_another_process_does_comes_too(tmp_path: Path) -> None:
    """The store is the source: another provider on the same file stands for another process."""

    async def talk(client: Client) -> str:
        other = new_builder(SQLitePersistenceProvider(tmp_path / "w.db"))
        await other.initialize()
        try:
            async with streamed(client.app, EVENTS) as stream:
                await stream.event("opened")
                await (await other.create_workflow("Payment", {})).run()
                while (found := await stream.event("workflow"))["data"]["status"] != "PAUSED":
                    pass
                return str(found["data"]["workflow_type"])
        finally:
            await other.close()

    assert asked(talk, new_app(new_builder(SQLitePersistenceProvider(tmp_path / "w.db")))) == "Payment"


@on_every_store
@pytest.mark.parametrize("after", ["x", "1", "1-", "-1-2", "1-2-3", "9999999999999999-1"])
def test_an_id_of_no_event_is_refused(after: str) -> None:
    """It is a mistake of the caller, told before the stream begins."""

    async def talk(client: Client, _: Any) -> tuple[int, str]:
        answer = await client.get(EVENTS, params={"after": after})
        return answer.status_code, answer.json()["code"]

    assert talked(talk) == (400, "bad-cursor")


@on_every_store
def test_the_stream_of_a_workflow_is_its_history() -> None:
    """Every entry under its number, then how it stands; behind that what happens."""

    async def talk(client: Client, app: Any) -> tuple[list[Any], list[Any]]:
        made = await started(client, "Approval")
        path = f"{WORKFLOWS}/{made['workflow_id']}"
        async with streamed(app, f"{path}/events") as stream:
            await stream.event("opened")
            before = [await stream.event(), await stream.event()]
            await client.post(f"{path}/resume", json={"answer": {"approved": True}, "wait_s": 10})
            now = [await stream.event("entry"), await stream.event("entry"), await stream.event("workflow")]
        return before, now

    before, now = talked(talk)

    assert [(item.get("id"), item["event"]) for item in before] == [("1", "entry"), (None, "workflow")]
    assert (before[0]["data"]["kind"], before[0]["data"]["step"]) == ("step", "note")
    assert [item.get("id") for item in now] == ["2", "3", None]
    assert (now[1]["data"]["kind"], now[2]["data"]["status"]) == ("end", "COMPLETED")


@on_every_store
def test_the_stream_of_a_workflow_goes_on_behind_an_entry() -> None:
    """`Last-Event-ID` is the number of an entry."""

    async def talk(client: Client, app: Any) -> list[str | None]:
        made = await started(client)
        async with streamed(app, f"{WORKFLOWS}/{made['workflow_id']}/events?for_s=0", last_event_id="2") as stream:
            return [item.get("id") for item in await stream.rest() if item["event"] == "entry"]

    assert talked(talk) == ["3", "4"]


def test_entries_that_are_not_kept_are_told_as_a_gap() -> None:
    """Whoever goes on behind forgotten entries is told how many they were."""
    store = MemoryPersistenceProvider()
    app = new_app(new_builder(store))

    async def talk(client: Client) -> list[tuple[str, Any]]:
        made = await started(client)
        for entries in store._logs.values():
            del entries[:2]
        async with streamed(app, f"{WORKFLOWS}/{made['workflow_id']}/events?for_s=0") as stream:
            return [(item["event"], item["data"].get("missed")) for item in await stream.rest()]

    assert asked(talk, app)[:3] == [("opened", None), ("gap", 2), ("entry", None)]


@on_every_store
def test_the_stream_of_no_workflow_is_refused() -> None:
    """404, as for every other operation; for a WebSocket it is the code 4404."""

    async def talk(client: Client, app: Any) -> tuple[int, int, str]:
        path = f"{WORKFLOWS}/{uuid4()}/events"
        async with connected(app, path) as socket:
            closed = await socket.message()
        return (await client.get(path)).status_code, closed["code"], closed["reason"]

    status, code, reason = talked(talk)

    assert (status, code) == (404, 4404)
    assert reason.startswith("workflow-not-found: ")


def test_a_workflow_of_another_tenant_has_no_stream() -> None:
    """It is not there for whoever asks."""
    ann = Principal(name="ann", owner_id="ann", permissions=frozenset(Permission))
    app = new_app(builder := new_builder(), authenticator=Everybody(ann))

    async def talk(client: Client) -> int:
        made = await builder.create_workflow("Greeting", {}, owner_id="bob")
        return (await client.get(f"{WORKFLOWS}/{made.id}/events")).status_code

    assert asked(talk, app) == 404


@on_every_store
def test_a_socket_shows_the_same() -> None:
    """Event, id and data are in one text."""

    async def talk(client: Client, app: Any) -> tuple[dict[str, Any], dict[str, Any], str]:
        async with connected(app, EVENTS) as socket:
            first = await socket.message()
            made = await started(client, run=False)
            return first, await socket.message("workflow"), made["workflow_id"]

    first, found, workflow_id = talked(talk)

    assert first == {"event": "opened", "id": None, "data": {}}
    assert (found["data"]["workflow_id"], found["data"]["status"]) == (workflow_id, "ACTIVE")
    assert found["id"]


@on_every_store
def test_a_socket_of_a_workflow_goes_on_behind_an_entry() -> None:
    """`after` is the number of an entry."""

    async def talk(client: Client, app: Any) -> list[Any]:
        made = await started(client)
        async with connected(app, f"{WORKFLOWS}/{made['workflow_id']}/events?after=2&for_s=0") as socket:
            return [(await socket.message())["id"] for _ in range(3)]

    assert talked(talk) == [None, "3", "4"]


def test_a_socket_is_closed_to_whoever_lacks_the_permission() -> None:
    """Its code is 4403."""
    app = new_app(authenticator=Everybody(Principal(name="nobody")))

    async def talk(_: Client) -> int:
        async with connected(app, EVENTS) as socket:
            return int((await socket.message())["code"])

    assert asked(talk, app) == 4403


@pytest.mark.parametrize(
    ("origin", "code"), [("http://localhost", None), ("https://page.example", None), ("https://evil.example", 4403)]
)
def test_a_socket_is_closed_to_pages_from_elsewhere(origin: str, code: int | None) -> None:
    """Only pages of this server, and of origins that are named, may open one."""

    async def talk(_: Client, app: Any) -> int | None:
        async with connected(app, EVENTS, origin=origin) as socket:
            return (await socket.message()).get("code")

    assert talked(talk, cors_origins=("https://page.example",)) == code


def test_a_stream_says_that_it_lives() -> None:
    """While nothing happens a comment comes, so that nobody on the way gives the connection up."""

    async def talk(_: Client, app: Any) -> str | None:
        async with streamed(app, EVENTS) as stream:
            await stream.block()
            return await stream.block()

    assert talked(talk, stream_heartbeat_s=0.05) == ": heartbeat"


@on_every_store
def test_streams_end_with_the_server() -> None:
    """Each is told, and ends by itself."""

    async def talk(_: Client, app: Any) -> tuple[str, str, str, int]:
        async with streamed(app, EVENTS) as stream, connected(app, EVENTS) as socket:
            await stream.event("opened")
            await socket.message("opened")
            await app.state.before_end()
            told, over = await stream.event(), await stream.event()
            return told["event"], over["event"], (await socket.message())["event"], (await socket.message())["code"]

    assert talked(talk) == ("end", "over", "end", 1012)


def test_there_are_no_more_streams_than_the_settings_say() -> None:
    """One more is answered with 429; one that has gone makes room."""

    async def talk(client: Client, app: Any) -> tuple[int, str, int]:
        async with streamed(app, EVENTS) as stream:
            await stream.event("opened")
            refused = await client.get(EVENTS)
        return refused.status_code, refused.json()["code"], (await client.get(f"{EVENTS}?for_s=0")).status_code

    assert talked(talk, streams=1) == (429, "too-many-streams", 200)


def test_a_reader_that_is_slow_is_told_of_the_gap_and_slows_nobody() -> None:
    """Its buffer keeps the newest; another reader misses nothing."""

    async def talk() -> tuple[tuple[int, list[int]], tuple[int, list[int]]]:
        slow, fast = Listener(lambda _: True, capacity=2), Listener(lambda _: True)
        for key in range(5):
            for listener in (slow, fast):
                listener.put(Change(summary(key)))
        taken = [await listener.take(1) for listener in (slow, fast)]
        (lost, few), (none, all_of_them) = taken
        return (lost, [item.summary.key for item in few]), (none, [item.summary.key for item in all_of_them])

    assert asyncio.run(talk()) == ((4, [4]), (0, [0, 1, 2, 3, 4]))


def test_a_newer_change_takes_the_place_of_the_older_one() -> None:
    """A buffer holds one change of a workflow, so a busy workflow fills none."""

    async def talk() -> tuple[int, list[int]]:
        listener = Listener(lambda _: True, capacity=2)
        for moment in range(1, 50):
            listener.put(Change(summary(7, moment)))
        missed, found = await listener.take(1)
        return missed, [item.summary.updated_us for item in found]

    assert asyncio.run(talk()) == (0, [49])


def test_nothing_is_read_while_nobody_listens() -> None:
    """The task begins with the first stream and ends with the last; one task reads for all."""
    builder = new_builder()
    feed = Feed(builder.persistence, builder.engine().clock, most=10)

    def readers() -> int:
        return sum(task.get_name() == "ruvon-server-feed" for task in asyncio.all_tasks())

    async def talk() -> list[int]:
        counts = [readers()]
        async with feed.listening(lambda _: True), feed.listening(lambda _: True, "x"):
            counts.append(readers())
        await asyncio.sleep(0)
        return [*counts, readers()]

    assert asyncio.run(talk()) == [0, 1, 0]


def test_a_change_with_an_earlier_moment_comes_late_but_comes() -> None:
    """A process whose clock is a little behind writes moments that lie before what was read already."""
    store = MemoryPersistenceProvider()
    builder = new_builder(store)
    feed = Feed(store, builder.engine().clock, most=10)

    async def talk() -> list[str]:
        async with feed.listening(lambda _: True) as listener:
            first = await builder.create_workflow("Greeting", {})
            (one,) = (await listener.take(10))[1]
            second = await builder.create_workflow("Greeting", {})
            for row in store._rows.values():
                if str(row.workflow_id) == second.id:
                    row.updated_us = one.summary.updated_us - 2_000_000
            (two,) = (await listener.take(10))[1]
            return [one.summary.workflow_id == first.id and "one", two.summary.workflow_id == second.id and "two"]

    assert asyncio.run(talk()) == ["one", "two"]
