"""Workflows with concurrency, races and waits that the tests of `.local` run; module-level, as `flows`."""

from datetime import timedelta

from ruvon import (
    Elapsed,
    StepContext,
    Won,
    after,
    first_of,
    gather,
    human,
    named,
    now,
    receive,
    sleep,
    sleep_until,
    start,
    step,
    workflow,
)
from ruvon.models import MergeConflictBehavior, MergeStrategy
from tests.unit.authoring.flows import Answer, Declined, Job, Ping, add, double, note, set_a, set_b

# --- gather -----------------------------------------------------------------------------------------------------------


@workflow("Isolated")
async def isolated(state: Job) -> tuple[list[int], list[int]]:
    async def left() -> list[int]:
        state.a = 1
        seen = [state.a, state.b]
        await add(0)
        return [*seen, state.a, state.b]

    async def right() -> list[int]:
        await add(0)
        seen = [state.a, state.b]
        state.b = 2
        return [*seen, state.a, state.b]

    return await gather(left(), right())


@workflow("Conflict")
async def conflict(state: Job) -> None:
    await gather(set_a(state, 1), set_a(state, 2))


@workflow("PreferNew")
async def prefer_new(state: Job) -> None:
    await gather(set_a(state, 1), set_a(state, 2), conflict=MergeConflictBehavior.PREFER_NEW)


@workflow("PreferOld")
async def prefer_old(state: Job) -> None:
    await gather(set_a(state, 1), set_a(state, 2), conflict=MergeConflictBehavior.PREFER_OLD)


@step
def put(state: Job, key: str, value: int) -> None:
    state.meta[key] = value


@workflow("Deep")
async def deep(state: Job) -> None:
    await gather(put(state, "x", 1), put(state, "y", 2), merge=MergeStrategy.DEEP)


@workflow("DeepConflict")
async def deep_conflict(state: Job) -> None:
    await gather(put(state, "x", 1), put(state, "x", 2), merge=MergeStrategy.DEEP)


@workflow("Shallow")
async def shallow(state: Job) -> None:
    await gather(put(state, "x", 1), put(state, "y", 2))


@step
async def item(n: int) -> int:
    raise AssertionError(n)


@workflow("Window")
async def window(state: Job) -> list[int]:
    return await gather(*(item(n) for n in range(state.n)), limit=2)


@workflow("Batches")
async def batches(state: Job) -> list[int]:
    return await gather(*(item(n) for n in range(state.n)), batch_size=2)


@workflow("AllAtOnce")
async def all_at_once(state: Job) -> list[int]:
    return await gather(*(item(n) for n in range(state.n)))


@workflow("Partial")
async def partial(state: Job) -> str:
    batch = await gather(*(item(n) for n in range(state.n)), partial=True)
    return f"{batch.ok} {[(f.index, f.kind, f.message) for f in batch.failed]}"


@workflow("Tolerant")
async def tolerant(state: Job) -> int:
    batch = await gather(*(item(n) for n in range(state.n)), partial=True, tolerate=0.25)
    return len(batch.ok)


@workflow("Collecting")
async def collecting(state: Job) -> str:
    batch = await gather(*(item(n) for n in range(state.n)), on_failure="collect")
    return f"{batch.ok} {len(batch.failed)}"


@workflow("FailingBranches")
async def failing_branches(state: Job) -> str:
    async def chain() -> None:
        await item(1)
        await item(2)

    async def waits() -> None:
        try:
            await sleep(timedelta(hours=1))
            state.text = "slept"
        finally:
            await add(5)

    try:
        await gather(item(0), chain(), waits())
    except Declined as err:
        return f"caught {err.code} {state.text}"
    return "no error"


@workflow("GatherTimeout")
async def gather_timeout(state: Job) -> str:
    try:
        await gather(item(0), sleep(timedelta(days=1)), timeout=timedelta(minutes=1))
    except TimeoutError as err:
        return str(err)
    return "in time"


@workflow("Shapes")
async def shapes(state: Job) -> str:
    pair = await gather(add(1), add(2))
    many = await gather(*[add(1), add(2)])
    return f"{pair!r} {many!r}"


@workflow("Empty")
async def empty(state: Job) -> list[int]:
    return await gather(*(add(n) for n in range(0)))


@workflow("Ordered")
async def ordered(state: Job) -> tuple[None, None, int]:
    async def total() -> int:
        return state.a * 10 + state.b

    return await gather(set_a(state, 3), set_b(state, 4), after(total(), "set_a", "set_b"))


@workflow("Unordered")
async def unordered(state: Job) -> None:
    await gather(set_a(state, 3), after(set_b(state, 4), "set_c"))


@workflow("NestedGroups")
async def nested_groups(state: Job) -> None:
    async def outer() -> None:
        await gather(set_a(state, 1), set_b(state, 2))
        state.n = state.a + state.b

    await gather(outer(), note(state, "beside"))


@workflow("Started")
async def started(state: Job) -> int:
    shared = start(double(21))

    async def left() -> int:
        return await shared

    async def right() -> int:
        return await shared + 1

    one, two = await gather(left(), right())
    return one + two


# --- first_of and waits -----------------------------------------------------------------------------------------------


@workflow("Race")
async def race(state: Job) -> str:
    match await first_of(receive(Ping, key="k"), sleep(timedelta(minutes=5))):
        case Ping() as ping:
            return f"ping {ping.text}"
        case Elapsed():
            return "elapsed"


@workflow("RaceThenReceive")
async def race_then_receive(state: Job) -> str:
    async def two() -> str:
        await receive(Ping)
        await sleep(timedelta(hours=1))
        return "two"

    first = await first_of(two(), sleep(timedelta(minutes=1)))
    later = await receive(Ping)
    return f"{first} {later.text}"


@workflow("RaceOrder")
async def race_order(state: Job) -> str:
    async def left() -> str:
        await sleep(timedelta(minutes=1))
        state.text = "left"
        return "left"

    async def right() -> str:
        await sleep(timedelta(minutes=1))
        state.n = 5
        return "right"

    return await first_of(left(), right())


@workflow("RaceOfNames")
async def race_of_names(state: Job) -> str:
    match await first_of(named("lead", receive(Ping, key="a")), named("deputy", receive(Ping, key="b"))):
        case Won("lead", ping):
            return f"lead {ping.text}"
        case Won(name, ping):
            return f"{name} {ping.text}"


@workflow("RaceOfSteps")
async def race_of_steps(state: Job) -> object:
    return await first_of(add(1), sleep(timedelta(minutes=1)))


@workflow("RaceError")
async def race_error(state: Job) -> str:
    async def fails() -> str:
        await sleep(timedelta(seconds=1))
        await item(0)
        return "never"

    try:
        return str(await first_of(fails(), sleep(timedelta(minutes=1))))
    except Declined as err:
        return str(err)


@workflow("Approval")
async def approval(state: Job) -> str:
    answer = await human("approve", form=Answer, show={"n": state.n}, role="boss", timeout=timedelta(days=2))
    return f"{answer.ok} {answer.why}"


@workflow("ApprovalWithDefault")
async def approval_default(state: Job) -> bool:
    answer = await human("approve", form=Answer, timeout=timedelta(days=2), default=Answer(ok=False))
    return answer.ok


@workflow("ApprovalForEver")
async def approval_for_ever(state: Job) -> bool:
    return (await human("approve", form=Answer)).ok


@step
def ask_boss(state: Job) -> None:
    state.text = "asked"


@step
def take_answer(state: Job, context: StepContext, ok: bool) -> None:
    state.notes.append(f"{ok} {context.validated_input.why}")


@workflow("ApprovalWithFunctions")
async def approval_functions(state: Job) -> bool:
    return (await human("approve", form=Answer, ask=ask_boss, answer=take_answer)).ok


@workflow("Mailbox")
async def mailbox(state: Job) -> list[str]:
    one = await receive(Ping, key="x")
    two = await receive(Ping, key="x", timeout=timedelta(hours=1))
    return [one.text, two.text]


@workflow("Timers")
async def timers(state: Job) -> str:
    begun = now()
    await sleep(timedelta(days=30))
    await sleep_until(begun)
    await sleep_until(begun + timedelta(days=31))
    ended = now()
    return str(ended - begun)


@workflow("Endless")
async def endless(state: Job) -> None:
    while True:
        await sleep(timedelta(seconds=1))
