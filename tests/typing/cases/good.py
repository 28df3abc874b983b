"""Calls that both type checkers must accept, with the types that must come out."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypedDict, assert_type
from uuid import UUID

from pydantic import BaseModel, SecretStr

from ruvon import (
    BREAK,
    Batch,
    Elapsed,
    HttpResponse,
    MergeConflictBehavior,
    MergeStrategy,
    Retry,
    StateStep,
    Step,
    StepContext,
    Won,
    World,
    after,
    block,
    call,
    compensate,
    external_workflow,
    first_of,
    flow,
    gather,
    http,
    human,
    infer,
    named,
    new_id,
    node,
    now,
    pure,
    random,
    receive,
    saga,
    secret,
    sleep,
    sleep_until,
    start,
    step,
    step_ref,
    template,
    wasm,
    workflow,
)


class Order(BaseModel):
    total: Decimal = Decimal(0)
    items: list[str] = []
    status: str = "new"


class Verdict(BaseModel):
    approved: bool


class Note(BaseModel):
    text: str


class Gateway:
    """A resource."""

    def pay(self, amount: Decimal) -> str:
        return str(amount)


class Paid(TypedDict):
    status: str


@step
def plain(n: int, *, loud: bool = False) -> str:
    return str(n) + "!" * loud


@step(retry=Retry(max_attempts=2), timeout=timedelta(seconds=3), queue="slow", blocking=True)
async def slow(n: int) -> float:
    return float(n)


@step
async def with_context(context: StepContext, n: int) -> str:
    context.heartbeat(done=n)
    return context.get(Gateway).pay(Decimal(n)) + context.idempotency_key


@step
async def pay(state: Order, context: StepContext, amount: Decimal) -> Paid:
    context.publish("paid", Note(text=str(amount)))
    return {"status": "paid"}


@step(transaction=True)
async def booked(state: Order, context: StepContext, amount: Decimal) -> list[tuple[Any, ...]]:
    return await context.transaction.execute("INSERT INTO bookings VALUES (?) RETURNING rowid", (amount,))


@step
def mark(state: Order, status: str = "done") -> None:
    state.status = status


@step
def any_payload(key: str, payload: Any) -> int:
    return len(key)


@step
def first_item(items: list[Note]) -> Note:
    return items[0]


@compensate(plain)
def unplain(result: str) -> None: ...


@compensate(slow, attempted=True)
async def unslow(result: float | None, n: int) -> None: ...


@compensate(with_context)
async def uncontext(context: StepContext, result: str, n: int) -> None: ...


@compensate(pay, attempted=True, retry=Retry(max_attempts=9))
async def unpay(state: Order, context: StepContext, paid: Paid | None, amount: Decimal) -> None: ...


@compensate(mark)
def unmark(state: Order, context: StepContext) -> None: ...


@pure
def twice(n: int) -> int:
    return n * 2


@block
async def both(n: int) -> tuple[str, float]:
    return await gather(plain(n), slow(n))


kyc = external_workflow("KYC", takes=Note, gives=Verdict)
mail = external_workflow("Mail")
audit = external_workflow("Audit", takes=Note)
score = external_workflow("Score", gives=Verdict)
by_path = step_ref("shop.steps:f")


def summed(results: list[Any]) -> dict[str, object]:
    return {"items": results}


@workflow(
    "Everything",
    version="1.0.0",
    saga=True,
    history=1000,
    commit="iteration",
    cron="0 2 * * *",
    tz="Europe/Rome",
    timeout=timedelta(hours=2),
)
async def everything(state: Order) -> Verdict:
    assert_type(await plain(twice(1), loud=True), str)
    assert_type(await slow.with_(timeout=timedelta(hours=6), name="Slow one")(2), float)
    assert_type(await slow.queued(2), float)
    assert_type(await with_context(3), str)
    assert_type(await pay(state, Decimal(1)), Paid)
    await mark(state)
    assert_type(await any_payload("k", payload=[1]), int)
    assert_type(await first_item([Note(text="x")]), Note)
    assert_type(await both(3), tuple[str, float])
    assert_type(await by_path(state), dict[str, object])
    assert_type(await call("RETRYABLE", max_retries=5)(state), dict[str, object])
    assert_type(await call("SCORED", into=Verdict)(state), Verdict)
    shared = start(plain(1))
    assert_type(await shared, str)

    assert_type(await kyc(Note(text="x")), Verdict)
    assert_type(await kyc.spawn(Note(text="x"), key="k"), str)
    assert_type(await mail(), object)
    assert_type(await mail.with_(merge_function=summed)({"to": "x"}), object)
    assert_type(await mail.schedule(cron="0 9 * * *", overlap="skip", catch_up=1), str)
    assert_type(await audit(Note(text="x")), object)
    assert_type(await score(), Verdict)
    assert_type(await kyc.with_(version="2").schedule(Note(text="x"), cron="0 9 * * *"), str)
    if state.status == "old":
        everything.restart(state)
    return await human("approve", form=Verdict, show={"total": state.total}, timeout=timedelta(days=2))


@workflow("Joins")
async def joins(state: Order) -> None:
    assert_type(await gather(plain(1), slow(2)), tuple[str, float])
    assert_type(await gather(plain(1), slow(2), plain(3)), tuple[str, float, str])
    assert_type(await gather(plain(1), slow(2), plain(3), slow(4)), tuple[str, float, str, float])
    five = await gather(plain(1), slow(2), plain(3), slow(4), plain(5))
    assert_type(five, tuple[str, float, str, float, str])
    six = await gather(plain(1), slow(2), plain(3), slow(4), plain(5), slow(6))
    assert_type(six, tuple[str, float, str, float, str, float])
    assert_type(await gather(*(plain(n) for n in range(3))), list[str])
    assert_type(await gather(*(plain(n) for n in range(3)), limit=2), list[str])
    assert_type(await gather(*(plain(n) for n in range(3)), batch_size=2, timeout=timedelta(hours=1)), list[str])
    assert_type(await gather(*(plain(n) for n in range(3)), partial=True, tolerate=0.1), Batch[str])
    assert_type(await gather(*(plain(n) for n in range(3)), on_failure="collect"), Batch[str])
    assert_type(await gather(plain(1), slow(2), limit=1), tuple[str, float])
    merged = await gather(
        mark(state), after(slow(1), "mark"), merge=MergeStrategy.DEEP, conflict=MergeConflictBehavior.PREFER_NEW
    )
    assert_type(merged, tuple[None, float])


@workflow("Waits")
async def waits(state: Order) -> None:
    match await first_of(receive(Note, key="k"), receive(Verdict), sleep(timedelta(days=1))):
        case Note() as found:
            assert_type(found, Note)
        case Verdict():
            pass
        case Elapsed():
            pass
    match await first_of(named("lead", receive(Note, key="a")), named("deputy", receive(Note, key="b"))):
        case Won("lead", value):
            assert_type(value, Note)
        case Won(name, value):
            assert_type(name, str)

    assert_type(await sleep_until(now() + timedelta(days=1)), Elapsed)
    assert_type(now(), datetime)
    assert_type(new_id(), UUID)
    assert_type(random(), float)
    assert_type(secret("TOKEN"), SecretStr)
    assert_type(template("{{ state.total | round }}"), str)


@workflow("Services")
async def services(state: Order) -> None:
    into = await http("GET", "https://x", into=Note, headers={"authorization": secret("T")}, expect=(404,))
    assert_type(into, Note)
    assert_type(await http("POST", "https://x", json={"a": 1}), HttpResponse)
    assert_type(await infer("m@1", {"a": 1}, into=Verdict, default=Verdict(approved=False)), Verdict)
    assert_type(await wasm("sha256:0", Note(text="x"), into=Verdict), Verdict)
    assert_type(await http("GET", "https://x", query={"a": 1}, includes=("status",), max_bytes=9), dict[str, object])
    assert_type(await infer("m", into=Verdict, fallback_on_error="skip", threshold=0.5), Verdict | None)
    assert_type(await infer("m", {"a": 1}, runtime="onnx", preprocessing="scale"), dict[str, object])
    assert_type(await infer("m", [0.5, 1.0], into=Verdict), Verdict)
    assert_type(await infer("m", "a text", into=Verdict, fallback_on_error="skip"), Verdict | None)
    assert_type(await infer("m", [[1, 2], [3, 4]]), dict[str, object])
    assert_type(await wasm("m", into=Verdict, state_mapping={"a": "b"}, fallback_on_error="skip"), Verdict | None)


@workflow("Options")
async def options(state: Order) -> None:
    named_wait = receive.with_(name="Wait for it", automate_next=False, compensate=unplain)
    assert_type(await named_wait(Note, timeout=timedelta(days=1)), Note)
    waited: Note | None = await receive(Note, timeout=timedelta(days=1), default=None)
    del waited
    assert_type(await http.with_(name="Ask", queue="net", deadline=timedelta(1))("GET", "https://x", into=Note), Note)
    assert_type(await human("approve", required_input=("ok",)), dict[str, object])
    asked = await human.with_(name="Ask a person")("approve", default={"ok": True}, ask=mark, answer_to="next")
    assert_type(asked, dict[str, object])
    raced = first_of(after(receive(Note), label="lead"), sleep(timedelta(1)), merge_function=summed, timeout=timedelta(2))
    assert_type(await raced, Note | Elapsed)
    grouped = gather(after(mark(state), label="first"), after(plain(1), "first"), merge_function=summed)
    assert_type(await grouped, tuple[None, str])
    assert_type(await booked.with_(transaction=False)(state, Decimal(1)), list[tuple[Any, ...]])
    assert_type(await slow.with_(deadline=timedelta(1), merge=MergeStrategy.DEEP, required_input=("n",))(2), float)


@workflow("Shapes")
async def graph_shapes(state: Order) -> None:
    node("Look closer", injected=True)
    if state.status == "odd":
        await mark(state)
    node("Approve", max_iterations=3)
    while True:
        at = flow("Ask")
        async for _ in at:
            match at.step:
                case "Ask":
                    at.go(BREAK)
                case _:
                    pass
        if at.left(BREAK):
            break

    async for stage in flow("Once"):
        assert_type(stage.step, str)

    async with saga():
        bound = await plain(1)
    assert_type(bound, str)


async def outside() -> None:
    """What applications and tests call."""
    world = World(answers={"approve": [{"approved": True}]}, steps={plain: "x", "slow": 2.0})
    assert_type(await everything.local(Order(), world), Verdict)
    assert_type(await plain.local(1), str)
    await mark.local(Order(), "x")


def shapes(state_step: StateStep[Order, ..., None], value_step: Step[[int], str], data: Mapping[str, object]) -> None:
    """The classes are usable in annotations."""
    del state_step, value_step, data
