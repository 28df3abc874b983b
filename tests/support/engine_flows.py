"""Workflows for the engine's tests. What the steps did to the outside world is kept in `LEDGER`."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Protocol

from pydantic import BaseModel, Field

from ruvon import (
    Elapsed,
    Retry,
    StepContext,
    TimedOut,
    after,
    compensate,
    first_of,
    gather,
    human,
    new_id,
    now,
    receive,
    saga,
    sleep,
    step,
    workflow,
)
from ruvon.models import (
    SagaWorkflowException,
    StartSubWorkflowDirective,
    WorkflowJumpDirective,
    WorkflowPauseDirective,
)

LEDGER: list[str] = []
"""What steps did, in order."""
FAILS: dict[str, int] = {}
"""Which steps fail, by name; `flaky` only in so many attempts."""


class Boom(Exception):
    def __init__(self, what: str, *, code: int = 7) -> None:
        super().__init__(what)
        self.code = code


class Other(Exception):
    pass


class Note(BaseModel):
    text: str


class Doc(BaseModel):
    n: int = 0
    text: str = ""
    total: Decimal = Decimal(0)
    tags: list[str] = []
    prices: dict[str, int] = {}
    limit: int = Field(default=5, gt=0)
    a: int = 0
    b: int = 0


def did(what: str) -> None:
    LEDGER.append(what)


def fails(name: str) -> None:
    if FAILS.get(name, 0) > 0:
        raise Boom(f"{name} failed")


@step
async def inc(state: Doc) -> dict[str, object]:
    did(f"inc {state.n}")
    return {"n": state.n + 1}


@step
async def mark(state: Doc, text: str) -> None:
    did(f"mark {text}")
    state.text = text
    state.tags.append(text)


@step
def double(n: int) -> int:
    did(f"double {n}")
    return n * 2


@step
async def act(name: str) -> str:
    did(name)
    fails(name)
    return name


@step
async def reserve(name: str) -> str:
    did(f"reserve {name}")
    fails(f"reserve {name}")
    return f"hold-{name}"


@compensate(reserve)
async def release(hold: str, name: str) -> None:
    did(f"release {hold} {name}")
    fails(f"release {name}")


@step
async def pay(state: Doc, context: StepContext, amount: int) -> int:
    did(f"pay {amount}")
    fails("pay")
    return amount


@compensate(pay)
async def refund(state: Doc, context: StepContext, paid: int, amount: int) -> None:
    did(f"refund {paid}")
    state.text = "refunded"


@step(retry=Retry(max_attempts=3, delay=timedelta(seconds=5), backoff=2.0, never=(Other,)))
async def flaky(context: StepContext, name: str) -> int:
    did(f"{name} {context.attempt} {context.idempotency_key}")
    if context.attempt <= FAILS.get(name, 0):
        fails(name)
    return context.attempt


@step(timeout=timedelta(seconds=10))
async def slow(seconds: int) -> str:
    did("slow begins")
    await asyncio.sleep(0)
    await CLOCK.sleep_us(seconds * 1_000_000)
    did("slow ends")
    return "slow"


@step
async def nap(name: str, seconds: int) -> str:
    did(f"{name} begins")
    await CLOCK.sleep_us(seconds * 1_000_000)
    did(f"{name} ends")
    return name


class Sleeps(Protocol):
    """What a slow body waits on."""

    async def sleep_us(self, us: int) -> None: ...


class _NoClock:
    async def sleep_us(self, us: int) -> None:
        await asyncio.sleep(0)


CLOCK: Sleeps = _NoClock()


@workflow("Three")
async def three(state: Doc) -> int:
    await inc(state)
    await mark(state, "two")
    found = await double(state.n)
    return found


@workflow("Manual", automate_next=False)
async def manual(state: Doc) -> int:
    await inc(state)
    await mark(state, "two")
    found = await double(state.n)
    return found


@workflow("Choice")
async def choice(state: Doc) -> str:
    if state.n > 10:
        await act("big")
    elif state.n > 5:
        await act("mid")
    else:
        await act("small")
    return "done"


@workflow("Loops")
async def loops(state: Doc) -> list[str]:
    found: list[str] = []
    for i in range(3):
        for name in ("x", "y"):
            if i == 1 and name == "y":
                continue
            one = await act(f"{name}{i}")
            found.append(one)
        if i == 2:
            break
    else:
        await act("never")
    while state.n < 2:
        await inc(state)
    return found


@workflow("Collect")
async def collect(state: Doc) -> list[int]:
    found = [await double(n) for n in range(4) if n != 2]
    return found


@workflow("Handled")
async def handled(state: Doc) -> str:
    try:
        await act("try")
        await act("after")
    except Other:
        return "other"
    except Boom as err:
        await mark(state, f"caught {err} {err.code}")
    else:
        await act("else")
    finally:
        await act("finally")
    return state.text


@workflow("Reraise")
async def reraise(state: Doc) -> None:
    try:
        try:
            await act("try")
        except Boom:
            await act("handler")
            raise
        finally:
            await act("finally")
    except Boom as err:
        raise Other("wrapped") from err


@workflow("Early")
async def early(state: Doc) -> str:
    for i in range(3):
        try:
            await act(f"body{i}")
            if i == 1:
                return "left"
        finally:
            await act(f"final{i}")
    return "end"


@workflow("Gather")
async def gathered(state: Doc) -> tuple[str, int]:
    async def left() -> str:
        await act("l1")
        state.a = 1
        await act("l2")
        return "left"

    async def right() -> int:
        found = await double(4)
        state.b = found
        return found

    p, q = await gather(left(), right())
    await inc(state)
    return (p, q)


@workflow("Mapped")
async def mapped(state: Doc) -> list[int]:
    return await gather(*(double(i) for i in range(5)), limit=2)


@workflow("Partial")
async def partial(state: Doc) -> list[int]:
    batch = await gather(*(act(f"p{i}") for i in range(4)), partial=True)
    return [failure.index for failure in batch.failed]


@workflow("GatherFails")
async def gather_fails(state: Doc) -> str:
    try:
        await gather(act("g0"), act("g1"), act("g2"))
    except Boom as err:
        return f"caught {err}"
    return "fine"


@workflow("Conflict")
async def conflict(state: Doc) -> str:
    async def left() -> None:
        state.a = 1
        await act("l")

    async def right() -> None:
        state.a = 2
        await act("r")

    await gather(left(), right())
    return "joined"


@workflow("Diamond")
async def diamond(state: Doc) -> int:
    await gather(
        inc.with_(name="a")(state), after(inc.with_(name="b")(state), "a"), after(act.with_(name="c")("c"), "a")
    )
    return state.n


@workflow("Race")
async def race(state: Doc) -> str:
    match await first_of(receive(Note, key="k"), sleep(timedelta(hours=1))):
        case Note() as note:
            return note.text
        case Elapsed():
            return "late"


@workflow("Sleeper")
async def sleeper(state: Doc) -> str:
    await act("before")
    await sleep(timedelta(days=30))
    await act("after")
    return "slept"


@workflow("Mailbox")
async def mailbox(state: Doc) -> list[str]:
    await act("start")
    first = await receive(Note)
    second = await receive(Note)
    return [first.text, second.text]


class Verdict(BaseModel):
    approved: bool
    reason: str = Field(default="", max_length=10)


@workflow("Approval")
async def approval(state: Doc) -> str:
    await act("before")
    verdict = await human("approve", form=Verdict, show={"n": state.n}, role="boss", timeout=timedelta(days=2))
    if not verdict.approved:
        raise Other(verdict.reason)
    await act("after")
    return verdict.reason


@workflow("AskedAgain")
async def asked_again(state: Doc) -> None:
    verdict = await human("again", form=Verdict)
    state.tags.append(verdict.reason)
    if len(state.tags) < 3:
        asked_again.restart(state)


@workflow("ApprovalTimeout")
async def approval_timeout(state: Doc) -> str:
    try:
        await human("approve", form=Verdict, timeout=timedelta(days=2))
    except TimedOut:
        return "nobody"
    return "somebody"


@workflow("Child")
async def child(state: Doc) -> int:
    found = await double(state.n)
    await act("child")
    return found


@workflow("Parent")
async def parent(state: Doc) -> int:
    one = await child(Doc(n=3))
    await act("parent")
    return one


@workflow("ParentCatches")
async def parent_catches(state: Doc) -> str:
    try:
        await child(Doc(n=3))
    except Boom as err:
        return f"child: {err}"
    return "fine"


@workflow("HumanChild")
async def human_child(state: Doc) -> str:
    return await approval(Doc(n=1))


@workflow("Spawner")
async def spawner(state: Doc) -> str:
    found = await child.spawn(Doc(n=1), key="only-one")
    await act("parent")
    return found


@workflow("Families")
async def families(state: Doc) -> list[int]:
    return await gather(*(child(Doc(n=i)) for i in range(3)))


@workflow("Trip", saga=True)
async def trip(state: Doc) -> None:
    await reserve("flight")
    await reserve("hotel")
    await pay(state, amount=5)
    await act("confirm")


@workflow("SagaScope")
async def saga_scope(state: Doc) -> str:
    await reserve("outer")
    try:
        async with saga():
            await reserve("a")
            await reserve("b")
            await act("confirm")
    except Boom as err:
        await act("tell")
        return f"undone: {err}"
    return "booked"


@workflow("SagaGather", saga=True)
async def saga_gather(state: Doc) -> None:
    await gather(*(reserve(f"r{i}") for i in range(3)))
    for i in range(2):
        await reserve(f"loop{i}")
    await act("confirm")


@workflow("SagaParent", saga=True)
async def saga_parent(state: Doc) -> None:
    await reserve("own")
    await saga_child(Doc())
    await act("confirm")


@workflow("SagaChild", saga=True)
async def saga_child(state: Doc) -> str:
    await reserve("childs")
    return "ok"


@step(timeout=timedelta(seconds=1))
async def charge(amount: int) -> int:
    did(f"charge {amount}")
    await CLOCK.sleep_us(5_000_000)
    return amount


@compensate(charge, attempted=True)
async def uncharge(paid: int | None, amount: int) -> None:
    did(f"uncharge {paid} {amount}")


@workflow("Attempted", saga=True)
async def attempted(state: Doc) -> None:
    await charge(9)


@workflow("Retrying")
async def retrying(state: Doc) -> int:
    return await flaky("flaky")


@workflow("Slow")
async def slow_one(state: Doc) -> str:
    try:
        return await slow(60)
    except TimedOut:
        return "timed out"


@workflow("Cancellable", saga=True)
async def cancellable(state: Doc) -> None:
    await reserve("room")
    try:
        await nap("nap", 3600)
    finally:
        await act("cleanup")


@workflow("Bad")
async def bad_result(state: Doc) -> None:
    await spoil(state)


@step
async def spoil(state: Doc) -> dict[str, object]:
    did("spoil")
    return {"limit": -1}


@workflow("PureError")
async def pure_error(state: Doc) -> float:
    await act("charged")
    share = 1 / state.n
    return share


@workflow("Wandering")
async def wandering(state: Doc) -> str:
    x = await act("one")
    y = x + "!"
    state.prices = {"b": 1, "a": 2}
    state.tags.append(y)
    state.prices["c"] = len(y)
    total = Decimal("0.10")
    for name in state.prices:
        z = await act(name)
        total = total + Decimal(1)
        state.tags.append(z)
    state.total = total
    try:
        async with saga():
            await reserve("w")
            left, right = await gather(act("l"), act("r"))
            if left == "l":
                raise Boom("turn")
    except Boom as err:
        state.text = f"{err} {err.code}"
    batch = await gather(*(act(f"m{i}") for i in range(3)), partial=True)
    state.n = len(batch.ok)
    inner = await child(Doc(n=state.n))
    return f"{y} {inner} {state.tags} {state.prices}"


@workflow("Napping")
async def napping(state: Doc) -> str:
    return await nap("a", 5)


@workflow("GatherPlain")
async def gather_plain(state: Doc) -> str:
    await gather(act("g0"), act("g1"), act("g2"))
    await act("end")
    return "fine"


@workflow("PlainTrip")
async def plain_trip(state: Doc) -> None:
    await reserve("room")
    await act("confirm")


STEERING = {"pause": WorkflowPauseDirective, "jump": WorkflowJumpDirective, "child": StartSubWorkflowDirective}
_ = SagaWorkflowException


class Mailer:
    def __init__(self) -> None:
        self.sent: list[str] = []


class Posted(BaseModel):
    text: str


@step
async def mail(state: Doc, context: StepContext, text: str) -> None:
    did(f"mail {text} turn {context.loop_index} previous {context.previous_step_result}")
    context.get(Mailer).sent.append(text)
    context.publish("mails", Posted(text=text))


@workflow("Mails")
async def mails(state: Doc) -> None:
    for name in ("x", "y"):
        await act(name)
        await mail(state, name)


@step(blocking=True)
def grind(n: int) -> str:
    import threading

    did("grind")
    return threading.current_thread().name


@workflow("Grinding")
async def grinding(state: Doc) -> str:
    return await grind(3)


@workflow("TwoPeople")
async def two_people(state: Doc) -> tuple[str, str]:
    async def first() -> str:
        verdict = await human("first", form=Verdict)
        await act("first done")
        return verdict.reason

    async def second() -> str:
        verdict = await human("second", form=Verdict)
        return verdict.reason

    a, b = await gather(first(), second())
    return (a, b)


@workflow("Nested")
async def nested(state: Doc) -> list[int]:
    async def left() -> list[int]:
        await act("left")
        found = await gather(*(double(i) for i in range(3)), limit=2)
        state.a = sum(found)
        await act("left end")
        return found

    async def right() -> int:
        total = 0
        for i in range(3):
            part = await double(i)
            total += part
        state.b = total
        return total

    results: list[int] = []
    both, one = await gather(left(), right())
    state.tags.append(f"{sum(both)}/{one}")
    results.extend(both)
    return results


@workflow("Batches")
async def batches(state: Doc) -> list[str]:
    return await gather(*(act(f"b{i}") for i in range(5)), batch_size=2)


@workflow("Hurry")
async def hurry(state: Doc) -> str:
    try:
        await gather(nap("short", 1), nap("long", 100), timeout=timedelta(seconds=10))
    except TimedOut:
        return "too slow"
    return "fine"


@workflow("Turns", commit="iteration")
async def turns(state: Doc) -> int:
    for i in range(3):
        await act(f"t{i}")
        await inc(state)
    return state.n


@workflow("SagaInBranch")
async def saga_in_branch(state: Doc) -> str:
    async def left() -> str:
        try:
            async with saga():
                await reserve("left")
                await act("break")
        except Boom:
            return "undone"
        return "kept"

    async def right() -> str:
        await reserve("right")
        return "right"

    a, b = await gather(left(), right())
    return f"{a} {b}"


@workflow("Cleanups")
async def cleanups(state: Doc) -> str:
    async def left() -> None:
        try:
            await act("left")
            await act("left more")
        finally:
            await act("left cleanup")

    async def right() -> None:
        await act("right")

    try:
        await gather(left(), right())
    except Boom as err:
        return f"caught {err}"
    return "fine"


@workflow("Recorded")
async def recorded(state: Doc) -> list[str]:
    when = now()
    await act("x")
    which = new_id()
    await act("y")
    return [str(when), str(which)]
