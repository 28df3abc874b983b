"""More reference workflows: servers, modules and models behind fakes, schedules, directives, commits per turn, deep nesting."""

# ruff: noqa: B023 - a branch is begun and awaited in its turn of the loop

from collections.abc import Mapping
from datetime import timedelta

from pydantic import BaseModel

from ruvon import (
    HttpError,
    Retry,
    StepContext,
    TimedOut,
    WorkflowJumpDirective,
    WorkflowPauseDirective,
    compensation,
    first_of,
    gather,
    http,
    human,
    infer,
    named,
    receive,
    saga,
    sleep,
    step,
    wasm,
    workflow,
)
from ruvon.providers import EgressAnswer, EgressRequest, ModelRef, ModuleRef
from tests.simulation.flows import BANK, Box, Paid, Refused, Verdict, add, effect, fail, leaf, note, square, stubborn

# Fakes of what lies outside


class FakeServers:
    """Servers that do each thing once for each idempotency key, and are down for the first request of some."""

    def is_online(self) -> bool:
        """There is a network."""
        return True

    async def send(self, request: EgressRequest, /) -> EgressAnswer:
        """Do what is asked, or fail."""
        key = request.headers.get("Idempotency-Key", request.url)
        if request.url.endswith("/later") and f"tried {key}" not in BANK:
            BANK[f"tried {key}"] = "503"
            return EgressAnswer(status=503, headers={"retry-after": "60"}, content=b"busy")
        if request.url.endswith("/gone"):
            return EgressAnswer(status=404, headers={}, content=b"no such thing")
        BANK.setdefault(key, f"{request.method} {request.url}")
        return EgressAnswer(status=200, headers={"content-type": "application/json"}, content=b'{"score": 7}')

    async def close(self) -> None:
        """Nothing is open."""


class FakeModules:
    """Modules that give back what they get."""

    async def run(
        self, module: ModuleRef, data: Mapping[str, object], /, *, entry: str | None = None
    ) -> Mapping[str, object]:
        """The data, or a failure."""
        if module.name == "broken":
            raise ConnectionError("the module is broken")
        return dict(data)

    async def close(self) -> None:
        """Nothing is open."""


class FakeModels:
    """Models that double."""

    async def load(self, model: ModelRef, /) -> None:
        """Nothing is loaded."""

    async def predict(
        self, model: ModelRef, inputs: Mapping[str, object], /, *, max_tokens: int | None = None
    ) -> Mapping[str, object]:
        """Twice the input."""
        return {"y": [[2.0 * value for value in row] for row in inputs["x"]]}  # type: ignore[attr-defined]  # rows of numbers

    async def unload(self, model: ModelRef, /) -> None:
        """Nothing is loaded."""

    async def close(self) -> None:
        """Nothing is open."""


class Score(BaseModel):
    """What a server answers."""

    score: int


class Row(BaseModel):
    """What a model answers."""

    y: list[list[float]]


def take_back(result: Score, method: str, url: str, json: dict[str, int]) -> None:
    """Undoes a request."""
    BANK.setdefault(f"undo {url} {json}", f"{result.score}")


@workflow("Requests", saga=True)
async def requests(state: Box) -> int:
    """Requests that are repeated, refused, and undone."""
    first = await http("GET", "https://shop.test/score", into=Score)
    state.total = first.score
    try:
        await http("DELETE", "https://shop.test/gone")
    except HttpError as err:
        state.notes = [f"{err.status}"]
    later = await http(
        "POST",
        "https://shop.test/later",
        into=Score,
        json={"n": 1},
        retry=Retry(max_attempts=3, delay=timedelta(seconds=5)),
    )
    try:
        async with saga():
            await http.with_(compensate=compensation(take_back))(
                "POST", "https://shop.test/pay", into=Score, json={"n": 2}
            )
            await fail(why="undo it")
    except Refused:
        await note(state, text="undone")
    return later.score


@workflow("Machines")
async def machines(state: Box) -> list[float]:
    """A module, a model, and a module that falls back."""
    echoed = await wasm("echo", {"n": 3}, into=Counted)
    state.total = echoed.n
    fallen = await wasm("broken", {"n": 4}, into=Counted, default=Counted(n=-1))
    found = await infer("double@1", {"x": [[echoed.n, fallen.n]]}, into=Row)
    await add(state, amount=fallen.n)
    return found.y[0]


class Counted(BaseModel):
    """What a module gives."""

    n: int


@workflow("Planning")
async def planning(state: Box) -> str:
    """Registers a schedule between two steps, and changes it."""
    await add(state, amount=1)
    made = await leaf.schedule(Box(items=[4]), cron="0 9 * * MON", tz="Europe/Rome", name="weekly")
    await note(state, text=made)
    again = await leaf.schedule(Box(items=[5]), cron="30 9 * * MON", tz="Europe/Rome", name="weekly", catch_up=2)
    return f"{made == again}"


@workflow("PerTurn", commit="iteration")
async def per_turn(state: Box) -> int:
    """Commits once for each turn of its outermost loop."""
    for item in state.items:
        await add(state, amount=item)
        for inner in (1, 2):
            await square(item * inner)
        await note(state, text=f"turn {item}")
    await add(state, amount=100)
    return state.total


@workflow("Deep")
async def deep(state: Box) -> list[str]:
    """Loops in branches in loops in a handler, with a race, a saga, waits and children at the bottom."""
    told: list[str] = []
    try:
        for item in state.items:

            async def left() -> str:
                seen = ""
                for inner in (1, 2):
                    try:
                        async with saga():
                            await square(item * inner)
                            if inner == item:
                                await fail(why=f"{item}")
                    except Refused as err:
                        seen = f"{seen}!{err}"
                    finally:
                        await square(item + 100)
                return seen

            async def right() -> str:
                won = await first_of(
                    named("nap", sleep(timedelta(minutes=item))), named("never", sleep(timedelta(days=9)))
                )
                one, two = await gather(leaf(Box(items=[item])), square(item + 200))
                return f"{won.name} {one + two}"

            first, second = await gather(left(), right())
            told.append(f"{first} {second}")
            if item == 2:
                break
        await fail(why="outside")
    except Refused as err:
        told.append(f"{err}")
        await add(state, amount=len(told))
    return told


# Functions of the workflows in YAML


@step
async def ask(state: Box, context: StepContext) -> None:
    """Waits for an answer, which the next step gets."""
    effect(context, "ask")
    raise WorkflowPauseDirective({"verdict": "asked"})


@step
async def hear(state: Box, context: StepContext) -> dict[str, object]:
    """Takes the answer."""
    given = context.validated_input
    effect(context, f"hear {given}")
    return {"verdict": f"{given.why if isinstance(given, Verdict) else given}"}


@step
async def leap(state: Box, context: StepContext) -> None:
    """Goes on elsewhere, twice."""
    effect(context, f"leap {state.left}")
    if state.left < 2:
        raise WorkflowJumpDirective("Raise", {"right": state.left})


@step
async def lift(state: Box, context: StepContext) -> dict[str, object]:
    """Counts the leaps."""
    effect(context, f"lift {state.left}")
    return {"left": state.left + 1}


@step
async def risky(state: Box, context: StepContext) -> None:
    """Fails."""
    effect(context, "risky")
    raise Refused("risky")


@step
async def suspect(state: Box, context: StepContext) -> dict[str, object]:
    """Makes the injected steps run."""
    effect(context, "suspect")
    return {"verdict": "suspicious"}


@step
async def look(state: Box, context: StepContext, what: str) -> dict[str, object]:
    """Writes down what it was given."""
    effect(context, f"look {what}")
    return {"notes": [*state.notes, what]}


@workflow("Overdue")
async def overdue(state: Box) -> str:
    """People and senders who come late, in branches."""

    async def person() -> str:
        try:
            found = await human("sign", form=Verdict, timeout=timedelta(hours=2))
        except TimedOut:
            return "nobody signed"
        return found.why

    async def payer() -> int:
        paid = await receive(Paid)
        await add(state, amount=paid.amount)
        return paid.amount

    signed, paid = await gather(person(), payer())
    return f"{signed} {paid}"


@step(transaction=True)
async def book(state: Box, context: StepContext, text: str) -> int:
    """Writes a row with its commit, and counts the rows: a repeat that was not rolled back would count one more."""
    await context.transaction.execute("CREATE TABLE IF NOT EXISTS own_rows (text TEXT)")
    await context.transaction.execute("INSERT INTO own_rows VALUES (?)", (text,))
    rows = await context.transaction.execute("SELECT count(*) FROM own_rows")
    state.total = int(rows[0][0])
    return state.total


@workflow("Contested")
async def contested(state: Box) -> str:
    """A person has an hour."""
    try:
        verdict = await human("decide", form=Verdict, timeout=timedelta(hours=1))
        await note(state, text=f"answer {verdict.why}")
        decided = "answer"
    except TimedOut:
        await note(state, text="nobody answered")
        decided = "timeout"
    await sleep(timedelta(hours=2))
    return decided


@workflow("Collected")
async def collected(state: Box) -> str:
    """A payment has an hour."""
    first = await first_of(receive(Paid), sleep(timedelta(hours=1)))
    if isinstance(first, Paid):
        await note(state, text="paid")
        decided = "signal"
    else:
        await note(state, text="not paid")
        decided = "timeout"
    await sleep(timedelta(hours=2))
    return decided


@workflow("CancelledScope", saga=True)
async def cancelled_scope(state: Box) -> str:
    """Is cancelled while a scope inside waits for the second attempt of a compensation; its handler is never reached."""
    await add(state, amount=1)
    try:
        async with saga():
            await square(3)
            await stubborn()
            await fail(why="inside")
    except Refused:
        await note(state, text="handled")
    finally:
        await note(state, text="cleaned")
    await add(state, amount=2)
    return "done"


@workflow("Transacting")
async def transacting(state: Box) -> list[int]:
    """Steps whose own SQL is committed with them; only on stores with SQL."""
    await add(state, amount=5)
    first = await book(state, text="one")
    counts: list[int] = []
    for item in state.items:
        counted = await book(state, text=f"{item}")
        counts.append(counted)
    try:
        await book_and_fail(state)
    except Refused:
        await note(state, text="rolled back")
    last = await book(state, text="last")
    return [first, *counts, last]


@step(transaction=True)
async def book_and_fail(state: Box, context: StepContext) -> None:
    """What it writes is rolled back with it."""
    await context.transaction.execute("INSERT INTO own_rows VALUES ('never')")
    raise Refused("after the row")
