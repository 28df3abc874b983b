"""Clients of streams that mean no good: ids, headers and frames that are none, readers that do not read, connects without end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.server.test_workflows import WORKFLOWS, started
from tests.support.cases import CAMPAIGN
from tests.support.serving import Client, asked, new_app
from tests.support.streaming import connected, streamed

EVENTS = "/api/v1/events"
NOBODY = f"{WORKFLOWS}/00000000-0000-4000-8000-000000000000/events"
T = TypeVar("T")
IDS = st.one_of(
    st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=80),
    st.from_regex(r"-?[0-9]{0,30}-?[0-9]{0,30}", fullmatch=True),
    st.sampled_from(
        ["0-0", "-1", "1e9", "18446744073709551616", "9" * 64, "9" * 65, "1-1-1", "NaN", "\N{SUPERSCRIPT TWO}-1"]
    ),
)


def talked(talk: Callable[[Client, Any], Awaitable[T]], **given_settings: Any) -> T:
    """A talk with an application that it may also call itself."""
    app = new_app(**given_settings)
    return asked(lambda client: talk(client, app), app)


@pytest.mark.campaign
def test_an_id_that_is_none_breaks_no_stream() -> None:
    """In the query, in the header and on a socket: it is an id, or the caller's mistake; never the server's."""

    async def talk(client: Client, app: Any) -> set[int]:
        made = await started(client)
        paths = (EVENTS, f"{WORKFLOWS}/{made['workflow_id']}/events")
        seen: set[int] = set()
        loop = asyncio.get_running_loop()

        async def ask(path: str, after: str) -> None:
            byte_form = after.encode("latin-1", "ignore")
            for answer in (
                await client.get(path, params={"after": after, "for_s": 0}),
                await client.get(path, params={"for_s": 0}, headers={"Last-Event-ID": byte_form}),
            ):
                seen.add(answer.status_code)
            params = str(client.build_request("GET", path, params={"after": after, "for_s": 0}).url.query, "ascii")
            async with connected(app, f"{path}?{params}") as socket:
                first = await socket.message()
                assert first["event"] == "opened" or first["code"] in {4400, 4422}, first

        @settings(max_examples=max(10, CAMPAIGN // 4))
        @given(path=st.sampled_from(paths), after=IDS)
        def try_all(path: str, after: str) -> None:
            asyncio.run_coroutine_threadsafe(ask(path, after), loop).result(60)

        await asyncio.to_thread(try_all)
        return seen

    assert talked(talk) <= {200, 400, 422}


@pytest.mark.parametrize("path", [EVENTS, NOBODY])
@pytest.mark.parametrize(
    "headers",
    [
        {"x-filler": "a" * 1_000_000},
        {f"x-{number}": "b" for number in range(2_000)},
        {"last-event-id": "9" * 1_000_000},
        {"cookie": "=;" * 100_000},
        {"accept": "\xff\x00" * 100},
        {"origin": "http://[::1"},
    ],
    ids=["one", "many", "id", "cookies", "bytes", "origin"],
)
def test_headers_without_measure_are_an_answer(path: str, headers: dict[str, str]) -> None:
    """A stream, or a mistake of the caller; the socket of the same path as well."""

    async def talk(client: Client, app: Any) -> tuple[int, int]:
        sent = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        answer = await client.get(path, params={"for_s": 0}, headers=sent)
        async with connected(app, f"{path}?for_s=0", **headers) as socket:
            first = await socket.message()
        return answer.status_code, int(first.get("code", 1000))

    status, code = talked(talk)

    assert status < 500
    assert code < 4500


@pytest.mark.parametrize(
    "frame",
    [{"bytes": b"\x00\xff" * 50_000}, {"text": "x" * 500_000}, {"bytes": b""}, {"text": "", "bytes": None}, {}],
    ids=["binary", "long", "empty bytes", "empty text", "nothing"],
)
def test_what_a_client_says_changes_no_stream(frame: dict[str, Any]) -> None:
    """Frames are read and dropped; the stream goes on."""

    async def talk(client: Client, app: Any) -> str:
        async with connected(app, EVENTS) as socket:
            await socket.message("opened")
            for _ in range(20):
                socket.said.put_nowait({"type": "websocket.receive", **frame})
            await started(client, run=False)
            return str((await socket.message("workflow"))["data"]["status"])

    assert talked(talk) == "ACTIVE"


def test_a_reader_that_never_reads_holds_nobody_up() -> None:
    """Others hear of everything, requests are answered, and the server ends."""

    async def talk(client: Client, app: Any) -> tuple[int, int]:
        async with streamed(app, EVENTS) as asleep, streamed(app, EVENTS) as awake:
            asleep.reads.clear()
            await awake.event("opened")
            made = {(await started(client, run=False))["workflow_id"] for _ in range(50)}
            heard: set[str] = set()
            while not made <= heard:
                heard.add((await awake.event("workflow"))["data"]["workflow_id"])
            return len(heard & made), asleep.sent.qsize()

    heard, sent = talked(talk)

    assert heard == 50
    assert sent <= 2


@pytest.mark.parametrize("kind", ["streams", "sockets"])
def test_connects_without_end_are_as_many_as_the_settings_say(kind: str) -> None:
    """Of 2,000 at once 20 are open, the others are refused at once; as they go, there is room again."""
    most, tries = 20, 2_000

    async def talk(client: Client, app: Any) -> tuple[int, int, int]:
        leave = asyncio.Event()
        opened, refused = [], []
        told = asyncio.Event()

        def tell(found: list[int]) -> None:
            found.append(1)
            if len(opened) + len(refused) == tries:
                told.set()

        async def one() -> None:
            if kind == "sockets":
                async with connected(app, EVENTS) as socket:
                    first = await socket.message()
                    assert first["event"] == "opened" or first["code"] == 4429
                    tell(opened if first["event"] == "opened" else refused)
                    await leave.wait()
            else:
                async with streamed(app, EVENTS) as stream:
                    await stream.block()
                    assert stream.status in {200, 429}
                    tell(opened if stream.status == 200 else refused)
                    await leave.wait()

        async with asyncio.TaskGroup() as group:
            for _ in range(tries):
                group.create_task(one())
            await told.wait()
            leave.set()
        return len(opened), len(refused), (await client.get(f"{EVENTS}?for_s=0")).status_code

    assert talked(talk, streams=most) == (most, tries - most, 200)
