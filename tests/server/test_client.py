"""The client against the server in process, and against servers that are away, strange or slow."""

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from datetime import timedelta
from itertools import islice
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar.testing import TestClient

from ruvon.ir import load
from ruvon_server.client import (
    AsyncClient,
    Client,
    InvalidRequestError,
    ProblemError,
    ServerEvent,
    ServerUnreachableError,
    StillRunningError,
    UnexpectedAnswerError,
)
from ruvon_server.models.permissions import Permission
from ruvon_server.routes import route_table
from tests.support.serving import new_app, served

ADMIN = "admin-key-of-the-tests-0123456789"
OPENED = b"event: opened\ndata: {}\n\n"
NOBODY = "3f2a9c41-6a9b-4a55-8a27-0d2f5b1f1a11"
HELLO = """workflow_type: Hello
workflow_version: 1.0.0
steps:
  - name: greet
    type: ASSIGN
    target: greeting
    value: hello
"""
REPAIRED = ("retry_workflow", "rewind_workflow", "fork_workflow", "jump_workflow")
PROBLEM = {"type": "t", "title": "T", "status": 503, "detail": "away", "instance": "/", "code": "store-unavailable"}


def operations() -> set[str]:
    return {route.name for route in route_table(new_app()) if route.is_documented}


@contextmanager
def serving(**settings: Any) -> Iterator[Client]:
    """A client of a server in this process."""
    with TestClient(new_app(**settings), raise_server_exceptions=False) as http:
        yield Client(http=http)


def answering(answer: Callable[[httpx.Request], httpx.Response], **options: Any) -> Client:
    """A client of a server that a test plays."""
    http = httpx.Client(transport=httpx.MockTransport(answer), base_url="http://ruvon.test")
    return Client(http=http, pause=timedelta(0), **options)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_every_operation_is_a_method(kind: type) -> None:
    """Each operation of the document has a method under its id, with words that say what it does."""
    missing = {name for name in operations() if not getattr(inspect.getattr_static(kind, name, None), "__doc__", "")}

    assert missing == set()


def test_both_clients_have_the_same_methods() -> None:
    """What one can, the other can."""
    assert {name for name in vars(Client) if name[0] != "_"} == {name for name in vars(AsyncClient) if name[0] != "_"}


def look_around(ruvon: Client) -> None:
    """Everything that is asked about workflows, definitions and the server."""
    made = ruvon.start_workflow(workflow_type="Greeting", data={"number": "A-1"}, wait_s=10)
    assert (made.status, made.result) == ("COMPLETED", "hello A-1")
    assert ruvon.get_workflow(made.workflow_id).result == "hello A-1"
    assert (ruvon.get_workflow_state(made.workflow_id).state or {})["lines"] == ["one", "two", "three"]
    assert ruvon.check_start(workflow_type="Greeting", data={"number": "A-2"}).digest == made.digest
    assert [row.workflow_id for row in ruvon.list_workflows(status=["COMPLETED"]).items] == [made.workflow_id]
    assert ruvon.list_definitions().items[0].workflow_type == "Approval"
    assert ruvon.upload_definition(source=HELLO).items[0].workflow_type == "Hello"
    assert ruvon.get_definition("Hello").steps[0].name == "greet"
    assert len(ruvon.list_definition_versions("Hello").items) == len(ruvon.get_definition_history("Hello").items) == 1
    assert ruvon.diff_definitions("Hello", old="1.0.0").changes == []
    assert ruvon.get_definition_graph("Hello").boxes
    assert ruvon.get_definition_picture("Hello", form="mermaid").startswith("flowchart")
    assert load(ruvon.get_definition_document("Hello").document).workflow_type == "Hello"
    assert ruvon.get_health().status == "ok"
    assert ruvon.get_readiness().store == "ok"
    assert "process_" in ruvon.get_metrics()


def go_on(ruvon: Client) -> None:
    """Everything that lets a workflow go on, and ends it."""
    asked = ruvon.start_workflow(workflow_type="Approval", wait_s=10).workflow_id
    assert ruvon.get_current_step(asked).status == "WAITING_HUMAN"
    assert ruvon.resume_workflow(asked, answer={"approved": True}, wait_s=10).result == "yes"
    paid = ruvon.start_workflow(workflow_type="Payment", data={"number": "A-1"}, wait_s=10).workflow_id
    ruvon.signal_workflow(paid, name="Paid", payload={"amount": 12}, key="A-1")
    assert ruvon.wait(paid, until_ended=True).result == 12
    stepped = ruvon.start_workflow(workflow_type="Greeting", run=False).workflow_id
    assert ruvon.run_next_step(stepped).status == "COMPLETED"
    left = ruvon.start_workflow(workflow_type="Greeting", run=False).workflow_id
    assert [(item.workflow_id, item.status) for item in ruvon.resume_workflows().items] == [(left, "COMPLETED")]
    ended = ruvon.start_workflow(workflow_type="Approval", wait_s=10).workflow_id
    ruvon.cancel_workflow(ended, reason="ordered twice")
    assert ruvon.wait(ended, until_ended=True).status == "CANCELLED"


def repair(ruvon: Client) -> None:
    """Everything that repairs."""
    failed = ruvon.start_workflow(workflow_type="Fragile", data={"switch": "/nowhere"}, wait_s=10).workflow_id
    assert ruvon.bulk_workflows(action="retry", filter={"status": ["FAILED"]}, dry_run=True).counts == {"planned": 1}
    assert ruvon.retry_workflow(failed, wait_s=10).status == "FAILED"
    asked = ruvon.start_workflow(workflow_type="Undoable", wait_s=10).workflow_id
    assert ruvon.jump_workflow(asked, step="note").current_step == "note"
    assert ruvon.fork_workflow(asked, to="note").workflow_id != asked
    assert ruvon.rewind_workflow(asked, to="note", dry_run=True).model_dump()["step"] == "note"
    assert ruvon.migrate_workflow(asked, to="1.0.0", dry_run=True).model_dump()["movable"] is False
    assert ruvon.migrate_workflows(workflow_type="Undoable", to="1.0.0", dry_run=True).items == []


def look_into_other_rooms(ruvon: Client) -> None:
    """Lists of the other rooms, and what they say to names that nobody has."""
    made = ruvon.start_workflow(workflow_type="Approval", wait_s=10).workflow_id
    assert ruvon.get_workflow_history(made).items
    ruvon.get_workflow_logs(made, level="INFO")
    ruvon.get_workflow_metrics(made)
    ruvon.get_fleet_metrics(runs=1)
    ruvon.list_human_tasks(limit=1)
    assert [*ruvon.each_log_line(made, limit=1)] == ruvon.get_workflow_logs(made).items
    assert [*ruvon.each_definition(limit=2)] == ruvon.list_definitions().items
    assert [*ruvon.each_dead_letter()] == [*ruvon.each_task(dead=True)] == ruvon.list_dead_letters().items
    assert ruvon.list_tasks(dead=True, queue="net", limit=1).items == []
    ruvon.list_schedules()
    ruvon.list_keys(limit=1)
    ruvon.list_changes(limit=1)
    hook = ruvon.create_webhook(url="https://shop.example/hook", events=["workflow.*"])
    assert [item.webhook_id for item in ruvon.list_webhooks(limit=1).items] == [hook.webhook_id]
    assert ruvon.update_webhook(hook.webhook_id, description="shop").description == "shop"
    assert ruvon.rotate_webhook_secret(hook.webhook_id).secret != hook.secret
    sent = ruvon.test_webhook(hook.webhook_id)
    assert ruvon.replay_webhook_delivery(hook.webhook_id, sent.number).replay_of == sent.number
    assert [item.number for item in ruvon.list_webhook_deliveries(hook.webhook_id, limit=1).items] == [2]
    assert [item.number for item in ruvon.each_webhook_delivery(hook.webhook_id, limit=1)] == [2, 1]
    assert ruvon.recover_webhook(hook.webhook_id, since=hook.created_at).replayed == 0
    ruvon.delete_webhook(ruvon.get_webhook(hook.webhook_id).webhook_id)
    for ask in (
        lambda: ruvon.create_key(name="ci", roles=["viewer"]),
        lambda: ruvon.find_workflow_ids(made[:8]),
        lambda: ruvon.retry_compensation(made),
        ruvon.get_recorded_metrics,
        ruvon.list_queues,
        ruvon.list_workers,
        lambda: ruvon.set_queue_limits("q"),
        lambda: ruvon.lift_queue_limits("q"),
        lambda: ruvon.add_schedule(name="n", workflow_type="Greeting", cron="* * * * *"),
        *(
            functools.partial(ask, "nobody")
            for ask in (
                ruvon.get_task,
                ruvon.get_dead_letter,
                ruvon.requeue_dead_letter,
                ruvon.discard_dead_letter,
                ruvon.get_schedule,
                ruvon.pause_schedule,
                ruvon.resume_schedule,
                ruvon.remove_schedule,
                ruvon.get_human_task,
                ruvon.claim_human_task,
                ruvon.release_human_task,
                ruvon.get_approval,
                ruvon.use_approval,
                ruvon.get_key,
                ruvon.rotate_key,
                ruvon.revoke_key,
            )
        ),
        lambda: ruvon.answer_human_task("nobody", answer={}),
        lambda: ruvon.make_approval_link("nobody", answer={}),
    ):
        with suppress(ProblemError):
            ask()


def follow_streams(ruvon: Client) -> None:
    """Both streams, until their time is over."""
    made = ruvon.start_workflow(workflow_type="Greeting", wait_s=10).workflow_id
    told = list(ruvon.stream_workflow_events(made, for_s=0))
    assert [told[0].event, told[-1].event, told[-1].data["status"]] == ["opened", "workflow", "COMPLETED"]
    assert [item.event for item in ruvon.stream_events(status=["FAILED"], for_s=0)] == ["opened"]


def test_every_operation_works() -> None:
    """Each method gets an answer of its type from the server."""
    sent: set[str] = set()
    with serving() as ruvon:
        send = ruvon.send

        def note(call: Any) -> Any:
            sent.add(call.name)
            return send(call)

        follow = ruvon.follow

        def note_stream(call: Any) -> Any:
            sent.add(call.name)
            return follow(call)

        ruvon.send = note  # type: ignore[method-assign]
        ruvon.follow = note_stream  # type: ignore[method-assign]
        for talk in (look_around, go_on, repair, look_into_other_rooms, follow_streams):
            talk(ruvon)

    assert operations() - sent == set()


def test_the_awaited_client_does_the_same() -> None:
    """Starting, waiting, going through pages and problems, from an event loop."""

    async def talk() -> tuple[Any, ...]:
        async with served(new_app()) as http:
            ruvon = AsyncClient(http=http)
            made = await ruvon.start_workflow(workflow_type="Greeting")
            ended = await ruvon.wait(made.workflow_id)
            rows = [row.workflow_id async for row in ruvon.each_workflow(limit=1)]
            with pytest.raises(ProblemError) as refused:
                await ruvon.get_workflow(NOBODY)
            return ended.status.value, rows == [made.workflow_id], refused.value.code

    assert asyncio.run(talk()) == ("COMPLETED", True, "workflow-not-found")


def test_each_workflow_goes_through_all_pages() -> None:
    """Every workflow comes once, newest first, one request for each page."""
    with serving() as ruvon:
        made = [ruvon.start_workflow(workflow_type="Greeting", run=False).workflow_id for _ in range(5)]

        assert [row.workflow_id for row in ruvon.each_workflow(limit=2)] == made[::-1]


def test_a_problem_is_an_error_with_its_parts() -> None:
    """Code, status, sentence and each thing that is wrong."""
    with serving() as ruvon, pytest.raises(ProblemError) as found:
        ruvon.start_workflow(workflow_type="Greeting", data={"amount": "much"})

    assert (found.value.code, found.value.status) == ("invalid-initial-data", 422)
    assert "amount" in found.value.errors[0].detail
    assert str(found.value) == found.value.detail


def test_a_start_that_is_lost_is_repeated_under_one_key() -> None:
    """A start gets a key of its own, so its second attempt makes no second workflow."""
    keys: list[str] = []

    def lose_first(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        raise httpx.ReadError("the connection is gone")

    with pytest.raises(ServerUnreachableError) as found:
        answering(lose_first).start_workflow(workflow_type="Greeting")

    assert len(keys) == 4
    assert UUID(keys[0]).version == 7
    assert set(keys) == {keys[0]}
    assert found.value.was_sent


def test_a_key_of_the_caller_is_left_alone() -> None:
    """Whoever gives a key gets no second one."""
    seen: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(404, json=PROBLEM | {"status": 404}, headers={"Content-Type": "application/problem+json"})

    with pytest.raises(ProblemError):
        answering(refuse).start_workflow(workflow_type="Greeting", idempotency_key="order-1")

    assert "Idempotency-Key" not in seen[0].headers
    assert b'"idempotency_key":"order-1"' in seen[0].content


@pytest.mark.parametrize(
    ("error", "attempts"), [(httpx.ReadError("lost"), 1), (httpx.ConnectError("refused"), 4)], ids=["sent", "not sent"]
)
def test_a_change_is_repeated_only_where_it_was_not_sent(error: Exception, attempts: int) -> None:
    """A signal whose answer is lost may have been taken; one that found no server was not."""
    seen: list[str] = []

    def lose(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        raise error

    with pytest.raises(ServerUnreachableError) as found:
        answering(lose).signal_workflow(NOBODY, name="Paid")

    assert len(seen) == attempts
    assert found.value.was_sent == (attempts == 1)


def test_looking_is_repeated_while_the_store_is_away() -> None:
    """503 is answered by another attempt, as long as there are some."""
    answers = iter([503, 503, 200])

    def come_back(_: httpx.Request) -> httpx.Response:
        status = next(answers)
        if status == 200:
            return httpx.Response(200, json={"items": [], "next_cursor": None})
        return httpx.Response(503, json=PROBLEM, headers={"Content-Type": "application/problem+json"})

    assert answering(come_back).list_workflows().items == []


def test_a_server_of_somebody_else_is_recognised() -> None:
    """A page, or JSON that is none of ours, is an error that says to check the address."""
    for answer in (httpx.Response(404, text="<html>"), httpx.Response(200, json={"other": 1})):
        with pytest.raises(UnexpectedAnswerError, match="check the address"):
            answering(lambda _, answer=answer: answer).get_workflow(NOBODY)


def test_a_key_says_who_asks() -> None:
    """The API key goes along as a bearer token."""
    seen: list[str] = []

    def look(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Authorization"])
        return httpx.Response(200, json={"status": "ok", "version": "1"})

    answering(look, api_key="secret").get_health()

    assert seen == ["Bearer secret"]


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "schlüssel"])
def test_a_key_that_is_none_is_refused(key: str) -> None:
    """No header is made of what could end it."""
    with pytest.raises(InvalidRequestError, match="API key"):
        Client(api_key=key)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://", "http://host:port"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """The sentence shows how one is written."""
    with pytest.raises(InvalidRequestError, match="write it like"):
        Client(url)


def test_arguments_that_do_not_fit_are_never_sent() -> None:
    """They are refused with their names, before there is a request."""
    ruvon = answering(lambda _: pytest.fail("it was sent"))

    with pytest.raises(InvalidRequestError, match="wait_s"):
        ruvon.start_workflow(workflow_type="Greeting", wait_s=-1)
    with pytest.raises(InvalidRequestError, match="no workflow id"):
        ruvon.get_workflow("../definitions")
    with pytest.raises(InvalidRequestError, match="no name"):
        ruvon.get_definition("..")


def test_patience_with_a_workflow_ends() -> None:
    """A workflow that nobody runs is told of with how it stands."""
    with serving() as ruvon:
        made = ruvon.start_workflow(workflow_type="Greeting", run=False)

        with pytest.raises(StillRunningError, match="still ACTIVE"):
            ruvon.wait(made.workflow_id, patience=timedelta(0))


def test_waiting_ends_where_somebody_is_asked() -> None:
    """`wait` comes back when only a person can let the workflow go on."""
    with serving() as ruvon:
        made = ruvon.start_workflow(workflow_type="Approval")

        assert ruvon.wait(made.workflow_id).waiting_for[0].name == "finance.approve"


def test_keys_are_made_changed_and_ended() -> None:
    """A key works as soon as it is made, is replaced by a rotation, and a revoked one has ended; changes tell who did it."""
    with TestClient(new_app(auth="api-key", admin_key=ADMIN), raise_server_exceptions=False) as http:
        ruvon = Client(http=http, api_key=ADMIN)
        made = ruvon.create_key(name="ci", roles=["viewer"], permissions=[Permission.KEYS_READ])
        assert Client(http=http, api_key=made.key).get_key(made.key_id).name == "ci"
        other = ruvon.rotate_key(made.key_id)
        ended = ruvon.revoke_key(other.key_id, reason="the laptop was lost")
        assert [ended.status, ruvon.get_key(made.key_id).replaced_by] == ["revoked", other.key_id]
        assert {key.key_id for key in ruvon.list_keys().items} == {made.key_id, other.key_id}
        assert ruvon.list_changes().items[0].reason == "the laptop was lost"


class Streaming:
    """A server of a test that sends one stream after another, and notes what it was asked."""

    def __init__(self, *streams: Any) -> None:
        self._streams = iter(streams)
        self.asked: list[httpx.QueryParams] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.params)
        found = next(self._streams)
        if isinstance(found, httpx.Response):
            return found
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=sent(found))


def sent(pieces: tuple[Any, ...]) -> Iterator[bytes]:
    """Pieces of a stream; an error among them breaks it."""
    for piece in pieces:
        if isinstance(piece, Exception):
            raise piece
        yield piece


def row(number: int) -> bytes:
    return b'id: %d-1\nevent: workflow\ndata: {"n": %d}\n\n' % (number, number)


def test_a_stream_that_breaks_goes_on_behind_its_last_message() -> None:
    """The next connection asks for what comes behind the last id; half a message counts for nothing."""
    server = Streaming(
        (OPENED, row(1), row(2)[:20], httpx.ReadError("lost")),
        (OPENED, row(2), b'event: end\ndata: {"detail": "again"}\n\n'),
        (OPENED, row(3)),
    )
    stream = answering(server).stream_events(after="0-1", workflow_type="Order")

    assert [found.id for found in islice(stream, 6)] == [None, "1-1", None, "2-1", None, "3-1"]
    assert [params["after"] for params in server.asked] == ["0-1", "1-1", "2-1"]
    assert {params["workflow_type"] for params in server.asked} == {"Order"}


def test_messages_are_whole_wherever_a_stream_is_cut() -> None:
    """Pieces of one byte, heartbeats, a pause for browsers and ends of lines within a text change nothing."""
    text = b'retry: 1000\nevent: opened\ndata: {}\n\n: heartbeat\n\nid: 7\nevent: entry\ndata: {"note": "a\xe2\x80\xa8b"}\n\n'
    server = Streaming(tuple(text[at : at + 1] for at in range(len(text))))

    assert [*answering(server).stream_workflow_events(NOBODY, for_s=0)] == [
        ServerEvent("opened", None, {}),
        ServerEvent("entry", "7", {"note": "a\u2028b"}),
    ]


def test_a_stream_is_given_up_when_nobody_answers_any_more() -> None:
    """After so many connections in a row that said nothing the client says that the server is away."""
    server = Streaming((OPENED, row(1)), *[(httpx.ReadError("lost"),)] * 3)
    stream = answering(server, attempts=4).stream_events()

    with pytest.raises(ServerUnreachableError, match="lost"):
        list(stream)
    assert len(server.asked) == 4


def test_a_stream_that_is_refused_is_a_problem() -> None:
    """What the server says instead of a stream is raised, once it is no matter of time."""
    busy = httpx.Response(503, json=PROBLEM, headers={"Content-Type": "application/problem+json"})
    none = httpx.Response(404, json=PROBLEM | {"status": 404}, headers={"Content-Type": "application/problem+json"})
    server = Streaming(busy, none)

    with pytest.raises(ProblemError) as found:
        list(answering(server).stream_workflow_events(NOBODY))
    assert (found.value.status, len(server.asked)) == (404, 2)


@pytest.mark.parametrize("said", [b"data: {\n\n", b"data: []\n\n", b"data: \xff\n\n"])
def test_a_stream_of_something_else_is_recognised(said: bytes) -> None:
    """Messages that are no objects in JSON, and answers that are no streams, are of no server of ours."""
    for stream in ((said,), httpx.Response(200, text="<html>")):
        with pytest.raises(UnexpectedAnswerError, match="check the address"):
            list(answering(Streaming(stream)).stream_events())


def test_the_awaited_client_follows_streams() -> None:
    """From an event loop a stream is the same, and goes on as well."""
    streams = iter(((OPENED, row(1)), (OPENED, row(2))))
    asked: list[str | None] = []

    async def pieces(stream: tuple[bytes, ...]) -> AsyncIterator[bytes]:
        for piece in stream:
            yield piece

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get("after"))
        return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=pieces(next(streams)))

    async def talk() -> list[str | None]:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://ruvon.test") as http:
            ids: list[str | None] = []
            async with aclosing(AsyncClient(http=http, pause=timedelta(0)).stream_events()) as stream:
                async for found in stream:
                    ids.append(found.id)
                    if found.id == "2-1":
                        break
            return ids

    assert asyncio.run(talk()) == [None, "1-1", None, "2-1"]
    assert asked == [None, "1-1"]
