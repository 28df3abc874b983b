"""HTTP steps by both roads: what a world answers in `.local` an egress provider answers the engine."""

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest

from ruvon import HttpError, HttpResponse, InTurn, Offline, TimedOut, World, run_local
from ruvon.builder import WorkflowBuilder
from ruvon.ir import Definition, ImportRoots
from ruvon.providers import EgressAnswer, EgressFailedError, EgressRequest
from ruvon_dsl import compile_function, require
from tests.differential.outcome import error_shape, shape
from tests.support import http_flows as flows
from tests.support.engine_world import CountedIds, JumpingClock
from tests.support.http_flows import Asking

JSON = {"content-type": "application/json"}
ANSWERS = {
    "fits": HttpResponse(200, JSON, '{"score": 7, "name": "x"}'),
    "does not fit": HttpResponse(200, JSON, '{"score": "high"}'),
    "no json": HttpResponse(200, {}, "<html>"),
    "null": HttpResponse(200, JSON, "null"),
    "empty": HttpResponse(204, {}, ""),
    "long": HttpResponse(200, {}, "more than eight bytes"),
    "umlauts": HttpResponse(200, {}, "äöüäöü"),
    "refused": HttpResponse(404, {"set-cookie": "a=b", "x-why": "gone"}, "not here"),
    "long refusal": HttpResponse(400, {}, "x" * 5_000),
    "conflict": HttpResponse(409, {}, '{"score": 1}'),
    "busy": HttpResponse(429, {"retry-after": "30"}, "busy"),
    "very busy": HttpResponse(429, {"retry-after": "3600"}, "busy"),
    "until": HttpResponse(503, {"retry-after": "Thu, 01 Jan 2026 00:00:40 GMT"}, ""),
    "was": HttpResponse(503, {"retry-after": "Thu, 01 Jan 1970 00:00:40 GMT"}, ""),
    "odd": HttpResponse(503, {"retry-after": "soon"}, ""),
    "trouble": HttpResponse(500, {}, "trouble"),
    "lost": ConnectionError("lost"),
    "late": TimedOut("http"),
    "offline": Offline("here"),
    "not sent": EgressFailedError("POST https://shop.test", "no connection"),
    "broken": EgressFailedError("POST https://shop.test", "the connection broke", outcome_unknown=True),
}
TURNS = [(name,) for name in ANSWERS] + [("busy", "fits"), ("until", "trouble", "fits"), ("lost", "refused"), ("trouble", "odd", "busy"), ("trouble", "does not fit"), ("was", "lost", "fits")]  # fmt: skip
FLOWS = [flows.whole, flows.typed, flows.parts, flows.typed_parts, flows.expecting, flows.small, flows.retried, flows.listed, flows.caught, flows.alone, flows.undone, flows.attempted]  # fmt: skip
START_US = 1_767_225_600_000_000


class Scripted:
    """An egress provider that answers in turn, and says so."""

    def __init__(self, answers: Sequence[Any]) -> None:
        self.answers = list(answers)
        self.asked: list[EgressRequest] = []

    def is_online(self) -> bool:
        return True

    async def send(self, request: EgressRequest, /) -> EgressAnswer:
        self.asked.append(request)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        content = found.text.encode()
        cut = content[: request.max_bytes]
        return EgressAnswer(status=found.status, headers=found.headers, content=cut, truncated=cut != content)

    async def close(self) -> None:
        """Nothing is open."""


@cache
def definition(flow: Any) -> Definition:
    """A workflow, compiled once."""
    return require(compile_function(flow, roots=ImportRoots({"tests"})))[0].definition


async def by_engine(flow: Any, egress: Scripted) -> tuple[object, object, object, list[int]]:
    """State, result, error and the waits between attempts."""
    clock = JumpingClock()
    clock.advance(START_US - clock.now_us())
    builder = WorkflowBuilder(egress=egress, clock=clock, ids=CountedIds(), plugins=False, import_roots=["tests"])
    builder.register(definition(flow))
    made = await builder.create_workflow(flow.__ruvon_workflow__.workflow_type, Asking())
    await made.run()
    log = await builder.persistence.read_log(made._run.record.workflow_id)
    waits = [entry for entry in log if entry.kind == "retry"]
    return shape(made.state), shape(made.result), error_shape(made.error), [clock.now_us() - START_US, len(waits)]


async def by_local(flow: Any, answers: Sequence[Any]) -> tuple[object, object, object, list[int]]:
    """The same under CPython."""
    urls = ["whole", "typed", "parts", "gone", "small", "later", "caught?token=abc", "alone", "fails", "order"]
    world = World(http={f"{Asking().url}/{name}": InTurn(*answers, *[answers[-1]] * 5) for name in urls})
    found = await run_local(flow, Asking(), world)
    waited = sum(item.total_seconds() for item in world.slept)
    return shape(found.state), shape(found.result), error_shape(found.error), [int(waited * 1e6), len(world.slept)]


@pytest.mark.parametrize("turns", TURNS, ids="-".join)
@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.__ruvon_workflow__.workflow_type)
def test_both_roads_agree(flow: Any, turns: tuple[str, ...]) -> None:
    """The same state, result, error and waits, whatever a server answers."""
    answers = [ANSWERS[name] for name in turns]

    assert asyncio.run(by_engine(flow, Scripted(answers))) == asyncio.run(by_local(flow, answers))


@pytest.mark.parametrize(
    ("turns", "waited_s", "attempts"),
    [
        (("busy",), 60, 3),
        (("very busy",), 120, 3),
        (("until", "fits"), 40, 2),
        (("was", "fits"), 2, 2),
        (("odd", "fits"), 2, 2),
        (("trouble",), 6, 3),
        (("lost", "fits"), 2, 2),
        (("late", "fits"), 2, 2),
        (("refused",), 0, 1),
        (("conflict",), 0, 1),
        (("offline",), 0, 1),
    ],
)
def test_what_is_repeated_and_when(turns: tuple[str, ...], waited_s: int, attempts: int) -> None:
    """Trouble and 429 are repeated, after `Retry-After` where it is longer, never longer than `max_delay`; 4xx is not."""
    egress = Scripted([ANSWERS[name] for name in turns])
    *_, (waited, _) = asyncio.run(by_engine(flows.retried, egress))

    assert (waited // 1_000_000, len(egress.asked)) == (waited_s, attempts)


def test_a_status_that_is_named_is_repeated() -> None:
    """A policy whose `on` names `HttpError` repeats a 404 too."""
    egress = Scripted([ANSWERS["refused"], ANSWERS["fits"]])
    _, result, error, _ = asyncio.run(by_engine(flows.listed, egress))

    assert error is None
    assert "'fits'" not in repr(result)
    assert len(egress.asked) == 2


def test_an_error_says_what_is_needed_and_no_more() -> None:
    """It has status, headers without cookies, and the beginning of the body."""
    egress = Scripted([ANSWERS["refused"]])

    async def run() -> Any:
        builder = WorkflowBuilder(egress=egress, plugins=False)
        builder.register(flows.small)
        made = await builder.create_workflow("HttpSmall", Asking())
        await made.run()
        return made.error

    error = asyncio.run(run())
    assert isinstance(error, HttpError)
    assert (error.status, error.headers, error.body) == (404, {"x-why": "gone"}, "not here")
    assert str(error) == "GET https://shop.test/small was answered with status 404"


@pytest.mark.parametrize(
    ("turns", "cancelled"),
    [(("fits",), "200"), (("broken",), "None"), (("late", "refused"), "None"), (("not sent",), ""), (("refused",), "")],
)
def test_what_may_have_happened_is_undone(turns: tuple[str, ...], cancelled: str) -> None:
    """Section 12.3: a request that was sent and not answered may have had its effect; one that was not sent has not."""
    state, *_ = asyncio.run(by_engine(flows.attempted, Scripted([ANSWERS[name] for name in turns])))

    assert (f"}} {cancelled};" in repr(state)) is bool(cancelled)
