"""The reference workflows of the simulation: every kind of step, and the nestings that matter.

Their effects are idempotent by key, as a good author writes them, so that nothing but a fault of the engine can change
how a run ends. Each leaves a trace of what it did in `BANK`, in the order in which things were first done.
"""

from datetime import timedelta

from pydantic import BaseModel

from ruvon import (
    Retry,
    StepContext,
    TimedOut,
    after,
    compensate,
    first_of,
    flow,
    gather,
    human,
    named,
    now,
    receive,
    saga,
    sleep,
    step,
    workflow,
)

BANK: dict[str, str] = {}
"""Effects by idempotency key."""

BALANCE: dict[str, int] = {}
"""Money taken and not given back, by idempotency key."""


class Box(BaseModel):
    """The state of every reference workflow."""

    items: list[int] = [1, 2, 3]
    total: int = 0
    notes: list[str] = []
    verdict: str = ""
    left: int = 0
    right: int = 0


class Verdict(BaseModel):
    """A person's answer."""

    ok: bool
    why: str = ""


class Paid(BaseModel):
    """A signal."""

    amount: int


class Refused(Exception):
    """What a body catches."""


def effect(context: StepContext, what: str) -> None:
    """Do something outside, once for each key."""
    BANK.setdefault(context.idempotency_key, what)


# Steps


@step
async def add(state: Box, context: StepContext, amount: int) -> int:
    """Changes the state and the outside."""
    effect(context, f"add {amount}")
    state.total += amount
    return state.total


@compensate(add)
async def subtract(state: Box, context: StepContext, result: int, amount: int) -> None:
    """Undoes `add`."""
    effect(context, f"subtract {amount} of {result}")
    state.total -= amount


@step
async def note(state: Box, context: StepContext, text: str) -> None:
    """Writes a note."""
    effect(context, f"note {text}")
    state.notes = [*state.notes, text]


@step
async def square(context: StepContext, value: int) -> int:
    """A value step."""
    effect(context, f"square {value}")
    return value * value


@compensate(square)
async def unsquare(context: StepContext, result: int, value: int) -> None:
    """Undoes `square`."""
    effect(context, f"unsquare {value} from {result}")


@step(retry=Retry(max_attempts=4, delay=timedelta(seconds=10), backoff=2.0))
async def flaky(context: StepContext, succeeds_at: int) -> int:
    """Fails until an attempt."""
    effect(context, f"flaky {succeeds_at}")
    if context.attempt < succeeds_at:
        raise ConnectionError(f"attempt {context.attempt}")
    return context.attempt


@step
async def fail(context: StepContext, why: str) -> None:
    """Always fails."""
    effect(context, f"fail {why}")
    raise Refused(why)


@step
async def set_left(state: Box, context: StepContext) -> None:
    """One branch's field."""
    effect(context, "left")
    state.left = 1


@step
async def set_right(state: Box, context: StepContext) -> None:
    """The other branch's field."""
    effect(context, "right")
    state.right = 2


@step(timeout=timedelta(seconds=5))
async def slow(context: StepContext, seconds: int) -> str:
    """May take too long, on the loop's own time."""
    import asyncio

    effect(context, f"slow {seconds}")
    await asyncio.sleep(seconds)
    return "in time"


@step(timeout=timedelta(seconds=5))
async def charge(state: Box, context: StepContext) -> str:
    """Its outcome is unknown when it times out."""
    import asyncio

    effect(context, "charge")
    await asyncio.sleep(60)
    return "charged"


@compensate(charge, attempted=True)
async def refund(state: Box, context: StepContext, result: str | None) -> None:
    """Runs for unknown outcomes too."""
    effect(context, f"refund {result}")
    state.notes = [*state.notes, "refunded"]


@step
async def stubborn(context: StepContext) -> str:
    """Its compensation fails at first."""
    effect(context, "stubborn")
    return "done"


@compensate(stubborn, retry=Retry(max_attempts=3, delay=timedelta(minutes=1)))
async def unstubborn(context: StepContext, result: str) -> None:
    """Succeeds at the second attempt."""
    effect(context, f"unstubborn {result} {context.attempt}")
    if context.attempt < 2:
        raise ConnectionError("not yet")


@step
async def hopeless(context: StepContext) -> str:
    """Its compensation never succeeds."""
    effect(context, "hopeless")
    return "done"


@compensate(hopeless)
async def unhopeless(context: StepContext, result: str) -> None:
    """Always fails."""
    effect(context, f"unhopeless {result}")
    raise ConnectionError("never")


class Event(BaseModel):
    """Goes to the outbox."""

    text: str


@step
async def announce(context: StepContext, text: str) -> None:
    """Publishes an event with its commit."""
    context.publish("news", Event(text=text))


# Workflows


@workflow("Sequence")
async def sequence(state: Box) -> int:
    """Steps, assignments, decisions."""
    await add(state, amount=1)
    doubled = await square(7)
    state.verdict = "odd" if doubled % 2 else "even"
    if state.verdict == "odd":
        await note(state, text="odd")
    elif doubled > 100:
        await note(state, text="large")
    else:
        await note(state, text="even")
    await announce(text=f"total {state.total}")
    state.left = doubled
    return doubled + state.total


@workflow("Loops")
async def loops(state: Box) -> list[int]:
    """For in while, with break, continue and a collecting loop."""
    turn = 0
    while turn < 3:
        turn += 1
        for item in state.items:
            if item == 2:
                continue
            if turn == 3:
                break
            await add(state, amount=item * turn)
        await note(state, text=f"turn {turn}")
    return [await square(item) for item in state.items]


@workflow("Static")
async def static(state: Box) -> int:
    """Static branches with writes of their own, then a decision on both."""
    _, _, third = await gather(set_left(state), set_right(state), square(3))
    if state.left + state.right == 3:
        await note(state, text="both")
    return third


@workflow("Mapped")
async def mapped(state: Box) -> list[int]:
    """Mapped branches in a window, in batches."""
    first = await gather(*(square(item) for item in state.items), limit=2)
    second = await gather(*(square(item) for item in first), batch_size=2)
    state.total = sum(second)
    return second


@workflow("Partial")
async def partial(state: Box) -> int:
    """Failures are collected."""
    found = await gather(*(maybe(item) for item in state.items), partial=True)
    state.notes = [item.message for item in found.failed]
    return sum(found.ok)


@step
async def maybe(context: StepContext, item: int) -> int:
    """Fails for 2."""
    effect(context, f"maybe {item}")
    if item == 2:
        raise Refused("two")
    return item


@workflow("Nested")
async def nested(state: Box) -> int:
    """Branches that loop, fork and catch; a loop that forks."""

    async def left() -> int:
        found = 0
        for item in state.items:
            a, b = await gather(square(item), square(item + 10))
            found = found + a + b
        return found

    async def right() -> int:
        try:
            await fail(why="inside")
        except Refused:
            await set_right(state)
        finally:
            await square(9)
        return 1

    one, two = await gather(left(), right())
    await add(state, amount=one + two)
    return state.total


@workflow("Forked")
async def forked(state: Box) -> int:
    """Dependencies that are no nesting."""
    a, b, _ = await gather(square(1), square(2), after(set_left(state), "square", "square_2"))
    return a + b


@workflow("Caught")
async def caught(state: Box) -> str:
    """Errors, causes, finally, re-raise."""
    try:
        try:
            await fail(why="deep")
        except Refused as err:
            await note(state, text=str(err))
            raise ValueError("outer") from err
        finally:
            await note(state, text="finally")
    except ValueError as err:
        state.verdict = str(err)
    else:
        await note(state, text="else")
    await add(state, amount=5)
    return state.verdict


@workflow("Retried")
async def retried(state: Box) -> int:
    """Attempts with waits between them, alone and beside each other."""
    first = await flaky(succeeds_at=3)
    second, third = await gather(flaky(succeeds_at=2), flaky(succeeds_at=4))
    return first * 100 + second * 10 + third


@workflow("Hanging")
async def hanging(state: Box) -> str:
    """A step that takes too long, caught."""
    try:
        return await slow(seconds=60)
    except TimedOut:
        await note(state, text="too slow")
    return await slow(seconds=1)


@workflow("Rolled", saga=True)
async def rolled(state: Box) -> None:
    """Everything is undone: steps, loop turns, branches, a child."""
    await add(state, amount=1)
    for item in state.items:
        await square(item)
    await gather(square(10), square(20))
    await undoable(Box(items=[5]))
    await fail(why="at the end")


@workflow("Undoable")
async def undoable(state: Box) -> int:
    """A child that is undone as a whole."""
    await add(state, amount=50)
    return await square(50)


@workflow("Scoped")
async def scoped(state: Box) -> int:
    """One item of a loop is undone alone."""
    done = 0
    for item in state.items:
        try:
            async with saga():
                await add(state, amount=item)
                await square(item)
                if item == 2:
                    await fail(why="two")
        except Refused:
            await note(state, text=f"skipped {item}")
        else:
            done += 1
    return done


@step
async def pay(state: Box, context: StepContext) -> str:
    """Takes money; what it took is in `left`, which the world outside shows as a balance."""
    BALANCE[context.idempotency_key] = 10
    return "paid"


@compensate(pay, attempted=True)
async def repay(state: Box, context: StepContext, result: str | None) -> None:
    """Gives back what was taken, whether or not anybody heard of it."""
    BALANCE.clear()


@workflow("LostBranch", saga=True)
async def lost_branch(state: Box) -> None:
    """A branch fails while another one pays: a payment that was under way in a lost process is given back too."""
    await gather(fail(why="beside"), pay(state))


@workflow("Unknown", saga=True)
async def unknown(state: Box) -> None:
    """A charge whose outcome is unknown is refunded."""
    await add(state, amount=1)
    await charge(state)


@workflow("Stubborn", saga=True)
async def stubborn_one(state: Box) -> None:
    """A compensation is retried."""
    await square(2)
    await stubborn()
    await fail(why="roll back")


@workflow("Hopeless", saga=True)
async def hopeless_one(state: Box) -> None:
    """A compensation that never succeeds does not stop the others."""
    await square(2)
    await hopeless()
    await add(state, amount=1)
    await fail(why="roll back")


@workflow("Approval")
async def approval(state: Box) -> str:
    """A person answers, twice; another one never does."""
    first = await human("approve", form=Verdict, show={"total": state.total})
    await note(state, text=first.why)
    second = await human("confirm", form=Verdict, timeout=timedelta(days=2))
    late = await human("nobody", form=Verdict, timeout=timedelta(days=3), default=Verdict(ok=False, why="late"))
    state.verdict = f"{second.ok} {late.why}"
    return state.verdict


@workflow("Signals")
async def signals(state: Box) -> int:
    """Early and late signals, in order."""
    first = await receive(Paid)
    await add(state, amount=first.amount)
    second = await receive(Paid)
    await add(state, amount=second.amount)
    return first.amount - second.amount


@workflow("Race")
async def race(state: Box) -> str:
    """The first of several; losers are cancelled."""
    first = await first_of(receive(Paid), sleep(timedelta(hours=1)))
    if isinstance(first, Paid):
        await add(state, amount=first.amount)

    async def long() -> str:
        await square(4)
        await sleep(timedelta(days=30))
        return "long"

    async def short() -> str:
        await square(5)
        await sleep(timedelta(days=1))
        return "short"

    won = await first_of(named("long", long()), named("short", short()))
    return won.value


@workflow("Parent")
async def parent(state: Box) -> int:
    """Children in sequence and beside each other; grandchildren ask people."""
    one = await middle(Box(items=[1]))
    two, three = await gather(middle(Box(items=[2])), leaf(Box(items=[3])))
    await add(state, amount=one + two + three)
    return state.total


@workflow("Middle")
async def middle(state: Box) -> int:
    """Starts the leaf and asks a person."""
    found = await leaf(state)
    answer = await human("approve", form=Verdict)
    return found + (1 if answer.ok else 0)


@workflow("Leaf")
async def leaf(state: Box) -> int:
    """Two steps."""
    await add(state, amount=state.items[0])
    return await square(state.total)


@workflow("FailingChild")
async def failing_child(state: Box) -> str:
    """A child's own error is caught under its class."""
    try:
        await broken(Box())
    except Refused as err:
        await note(state, text=str(err))
        return "caught"
    return "never"


@workflow("Broken")
async def broken(state: Box) -> None:
    """Fails."""
    await add(state, amount=1)
    await fail(why="child")


@workflow("Detached")
async def detached(state: Box) -> str:
    """Fires a child and forgets it."""
    await leaf.spawn(Box(items=[8]))
    await add(state, amount=1)
    return "gone on"


@workflow("Sleeper")
async def sleeper(state: Box) -> str:
    """Sleeps for months, and in a loop."""
    begun = now()
    await sleep(timedelta(days=90))
    for item in state.items:
        await sleep(timedelta(hours=item))
        await add(state, amount=item)
    woken = now()
    return "late" if woken - begun >= timedelta(days=90) else "early"


@workflow("Cleaned")
async def cleaned(state: Box) -> None:
    """Is cancelled while it waits; `finally` runs."""
    try:
        await add(state, amount=1)
        await gather(set_left(state), sleep(timedelta(days=9)))
    finally:
        await note(state, text="cleaned")


@workflow("CancelledSaga", saga=True)
async def cancelled_saga(state: Box) -> None:
    """Is cancelled with a child under way and everything is undone."""
    await add(state, amount=1)
    await waiting_child(Box())


@workflow("WaitingChild", saga=True)
async def waiting_child(state: Box) -> None:
    """Waits for ever."""
    await square(3)
    await receive(Paid)


@workflow("Staged")
async def staged(state: Box) -> int:
    """Jumps backward and forward."""
    async for at in flow("First"):
        match at.step:
            case "First":
                await add(state, amount=1)
                if state.total < 3:
                    at.go("First")
                else:
                    at.go("Last")
            case "Last":
                await note(state, text="last")
    return state.total


@workflow("Restarted")
async def restarted(state: Box) -> int:
    """Goes on under the same id with a fresh history."""
    await add(state, amount=10)
    if state.total < 30:
        restarted.restart(Box(total=state.total))
    await note(state, text="enough")
    return state.total


@workflow("Manual", saga=True)
async def manual(state: Box) -> str:
    """Errors in branches of a saga that are caught outside undo nothing."""
    try:
        await gather(square(1), square(2), after(fail(why="branch"), "square", "square_2"))
    except Refused:
        await note(state, text="caught")
    return "kept"
