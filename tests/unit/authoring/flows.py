"""Steps and workflows that the tests of `.local` run; module-level, because steps are found by their path."""

import asyncio
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ruvon import (
    BREAK,
    Elapsed,
    Retry,
    StepContext,
    Won,
    after,
    block,
    call,
    compensate,
    compensation,
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
from ruvon.models import MergeConflictBehavior, MergeStrategy, SagaWorkflowException


class Line(BaseModel):
    sku: str
    qty: int = Field(default=1, ge=0)


class Job(BaseModel):
    n: int = Field(default=0, lt=1000)
    a: int = 0
    b: int = 0
    text: str = ""
    notes: list[str] = []
    lines: list[Line] = []
    meta: dict[str, int] = {}


class Answer(BaseModel):
    ok: bool
    why: str = Field(default="", max_length=10)


class Ping(BaseModel):
    text: str


class Gateway:
    def __init__(self, name: str) -> None:
        self.name = name


class Declined(Exception):
    """A keyword-only argument, as authors write them."""

    def __init__(self, *, code: int) -> None:
        self.code = code
        super().__init__(f"declined with {code}")


# --- steps ------------------------------------------------------------------------------------------------------------


@step
def add(a: int, b: int = 1) -> int:
    return a + b


@step
async def double(n: int) -> int:
    await asyncio.sleep(0)
    return n * 2


@step
def grow(lines: list[Line]) -> int:
    lines.append(Line(sku="grown"))
    return len(lines)


@step
def set_n(state: Job, n: int) -> None:
    state.n = n


@step
def set_a(state: Job, value: int) -> None:
    state.a = value


@step
def set_b(state: Job, value: int) -> None:
    state.b = value


@step
def note(state: Job, text: str) -> None:
    state.notes.append(text)


@step
def returns_keys(state: Job, n: int) -> dict[str, object]:
    state.text = "assigned"
    return {"n": n}


@step
def returns_unknown(state: Job) -> dict[str, object]:
    state.text = "lost"
    return {"totl": 3}


@step(strict=False)
def returns_extra(state: Job) -> dict[str, object]:
    return {"n": 7, "other": 3}


@step
def returns_state(state: Job) -> Job:
    state.n += 1
    return state


@step
def fails_late(state: Job) -> None:
    state.n = 99
    state.notes.append("never")
    raise Declined(code=51)


@step
def takes_dict(state: dict[str, Any]) -> dict[str, object]:
    return {"n": len(state)}


@step
def wrong_result() -> int:
    return "no number"  # type: ignore[return-value]


@step(retry=Retry(max_attempts=3, delay=timedelta(seconds=10), backoff=2.0, never=(KeyError,)))
async def flaky(context: StepContext, state_of: str) -> str:
    raise ValueError(f"{state_of} {context.attempt} {context.idempotency_key}")


@step(timeout=timedelta(seconds=5))
async def slow(n: int) -> int:
    return n


@step(timeout=timedelta(milliseconds=20))
async def really_slow() -> None:
    await asyncio.Event().wait()


@step
def asks_context(state: Job, context: StepContext, topic: str) -> str:
    context.publish(topic, Ping(text=context.get(Gateway).name))
    return f"{context.step_name} {context.attempt} {context.random()} {context.now().isoformat()} {context.new_id()}"


@step
def previous(context: StepContext) -> str:
    return str(context.previous_step_result)


@step
async def calls_another() -> int:
    return await add(1)


# --- bodies of one construct ------------------------------------------------------------------------------------------


@workflow("Arguments")
async def arguments(state: Job) -> int:
    before = await grow(state.lines)
    return before * 10 + len(state.lines)


@workflow("Merging")
async def merging(state: Job) -> int:
    await returns_keys(state, 5)
    await note(state, "one")
    await note(state, text="two")
    return await add(state.n, b=await_free(state.n))


@pure
def await_free(n: int) -> int:
    return n + 100


@workflow("Raising")
async def raising(state: Job) -> str:
    try:
        await fails_late(state)
    except Declined as err:
        return f"{err.code} {state.n} {state.notes}"
    return "unreachable"


@workflow("Strict")
async def strict(state: Job) -> None:
    await returns_unknown(state)


@workflow("Lenient", strict_results=False)
async def lenient(state: Job) -> dict[str, object]:
    return await returns_unknown(state)


@workflow("LenientStep")
async def lenient_step(state: Job) -> dict[str, object]:
    return await returns_extra(state)


@workflow("Rebinding")
async def rebinding(state: Job) -> int:
    state = await returns_state(state)
    state = await returns_state(state)
    return state.n


@workflow("AsDict")
async def as_dict(state: Job) -> int:
    await takes_dict(state)  # type: ignore[arg-type]
    return state.n


@workflow("WrongResult")
async def wrong(state: Job) -> int:
    return await wrong_result()


@workflow("Flaky")
async def flaky_flow(state: Job) -> str:
    return await flaky("x")


@workflow("Slow")
async def slow_flow(state: Job) -> int:
    return await slow(3)


@workflow("ReallySlow")
async def really_slow_flow(state: Job) -> None:
    await really_slow()


@workflow("Context")
async def context_flow(state: Job) -> str:
    return await asks_context(state, "topic")


@workflow("Previous")
async def previous_flow(state: Job) -> str:
    await add(1, 2)
    return await previous()


@workflow("Nested")
async def nested_call(state: Job) -> int:
    return await calls_another()


@workflow("Assigning")
async def assigning(state: Job) -> str:
    state.n = "12"  # type: ignore[assignment]
    state.notes.append("in place")
    if state.lines:
        state.lines[0].qty = 4
    return f"{state.n + 1} {isinstance(state, Job)} {type(state).__name__}"


@workflow("AssigningBadly")
async def assigning_badly(state: Job) -> None:
    state.n = 5000


@workflow("InPlaceBadly")
async def in_place_badly(state: Job) -> None:
    state.lines[0].qty = -1
    await add(1)


@workflow("RecordedValues")
async def recorded(state: Job) -> str:
    moment = now()
    ident = new_id()
    chance = random()
    return f"{moment.isoformat()} {ident} {chance}"


@workflow("PassesState")
async def passes_state(state: Job) -> Job:
    return await keeps(state)


@step
def keeps(job: Job) -> Job:
    job.n = 77
    return job


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


# --- saga -------------------------------------------------------------------------------------------------------------


@step
def reserve(what: str) -> str:
    return f"hold-{what}"


@compensate(reserve)
def release(hold: str, what: str) -> None:
    """Scripted in the tests."""


@step
def book(state: Job, context: StepContext, amount: int) -> str:
    state.n += amount
    return f"paid-{amount}"


@compensate(book)
def unbook(state: Job, context: StepContext, receipt: str, amount: int) -> None:
    state.n -= amount
    state.notes.append(f"{receipt} {context.step_result} {context.step_name} {context.idempotency_key[-11:]}")


@step(timeout=timedelta(seconds=5))
def charge(amount: int) -> str:
    return f"charge-{amount}"


@compensate(charge, attempted=True, retry=Retry(max_attempts=2, delay=timedelta(minutes=1)))
def refund(receipt: str | None, amount: int) -> None:
    """Scripted in the tests."""


@step
def lock(name: str) -> str:
    return f"lock-{name}"


@step
def unlock(held: str) -> None:
    """Called by hand or by a rollback."""


compensate(lock)(unlock)


@workflow("SagaFlow", saga=True)
async def saga_flow(state: Job) -> None:
    for what in ("a", "b"):
        await reserve(what)
    await book(state, amount=5)
    await charge(3)
    await item(0)


@workflow("NoSaga")
async def no_saga(state: Job) -> None:
    await reserve("a")
    await item(0)


@workflow("AskedRollback")
async def asked_rollback(state: Job) -> None:
    await reserve("a")
    raise SagaWorkflowException("item", "cannot go on")


@workflow("CaughtInSaga", saga=True)
async def caught_in_saga(state: Job) -> str:
    await reserve("a")
    try:
        await item(0)
    except Declined:
        return "went on"
    return "no error"


@workflow("Scoped")
async def scoped(state: Job) -> str:
    await reserve("outside")
    try:
        async with saga():
            await reserve("inside")
            await book(state, amount=2)
            await item(0)
    except Declined as err:
        await add(1)
        return f"{err} {state.n} {state.notes}"
    return "no error"


@workflow("NestedScopes")
async def nested_scopes(state: Job) -> str:
    try:
        async with saga():
            async with saga():
                await reserve("inner")
            await item(0)
    except Declined:
        return "undone"
    return "no error"


@workflow("ScopePerItem")
async def scope_per_item(state: Job) -> list[str]:
    kept: list[str] = []
    for what in state.notes:
        try:
            async with saga():
                hold = await reserve(what)
                await item(len(kept))
                kept.append(hold)
        except Declined:
            continue
    return kept


@workflow("ParallelSaga", saga=True)
async def parallel_saga(state: Job) -> None:
    await gather(reserve("left"), charge(1), item(0))


@workflow("ManualUndo", saga=True)
async def manual_undo(state: Job) -> None:
    one = await lock("one")
    await lock("two")
    await unlock(one)
    await item(0)


@workflow("ChildWithSaga")
async def child_with_saga(state: Job) -> str:
    await reserve("child")
    return "child done"


@workflow("ParentSaga", saga=True)
async def parent_saga(state: Job) -> None:
    await reserve("before")
    await child_with_saga(Job())
    await reserve("after")
    await item(0)


# --- children ---------------------------------------------------------------------------------------------------------

kyc = external_workflow("KYC", takes=Ping, gives=Answer)


@workflow("Child")
async def child(state: Ping) -> str:
    state.text += "!"
    return await shout(state)


@step
def shout(state: Ping) -> str:
    state.text = state.text.upper()
    return state.text


@workflow("FailingChild")
async def failing_child(state: Ping) -> str:
    raise Declined(code=7)


class Parent(BaseModel):
    ping: Ping = Ping(text="hi")
    sub_workflow_results: dict[str, object] = {}


@workflow("ParentOf")
async def parent(state: Parent) -> str:
    said = await child(state.ping)
    return f"{said} {state.ping.text} {state.sub_workflow_results}"


@workflow("ParentOfFailing")
async def parent_of_failing(state: Parent) -> str:
    try:
        return await failing_child(state.ping)
    except Declined as err:
        return f"child said {err.code}"


@workflow("ParentOfExternal")
async def parent_of_external(state: Parent) -> bool:
    return (await kyc(state.ping)).ok


@workflow("ChildTimeout")
async def child_timeout(state: Parent) -> str:
    try:
        return await sleeper.with_(timeout=timedelta(minutes=1))(state.ping)
    except TimeoutError as err:
        return str(err)


@workflow("Sleeper")
async def sleeper(state: Ping) -> str:
    await sleep(timedelta(hours=1))
    return "awake"


@workflow("Spawner")
async def spawner(state: Parent) -> str:
    one = await child.spawn(state.ping, key="k")
    two = await child.spawn(state.ping, key="k")
    await child.schedule(state.ping, cron="0 9 * * MON", name="weekly")
    return "same" if one == two else "different"


@workflow("Restarting")
async def restarting(state: Job) -> str:
    state.n += 1
    if state.n < 3:
        restarting.restart(state)
    return f"run {state.n}"


@workflow("ParentOfRestarting")
async def parent_of_restarting(state: Job) -> str:
    return await restarting(Job())


# --- flow, services, the rest -----------------------------------------------------------------------------------------


@workflow("Flow")
async def flowing(state: Job) -> list[str]:
    seen: list[str] = []
    while True:
        state.a += 1
        node("Route")
        async for at in flow("Route"):
            match at.step:
                case "Route":
                    seen.append("route")
                    if state.a == 3:
                        at.go(BREAK)
                    elif state.a == 1:
                        at.go("High")
                    else:
                        at.go("Low")
                case "High":
                    seen.append("high")
                    await add(1)
                    at.go("Low")
                case "Low":
                    seen.append("low")
                case _:
                    pass
        if at.left(BREAK):
            break
    return seen


@workflow("FlowTwice")
async def flow_twice(state: Job) -> None:
    async for at in flow("A"):
        match at.step:
            case "A":
                at.go("B")
                at.go("C")
            case "B":
                state.n = 20
            case "C":
                state.n = 30


@block
async def add_twice(n: int) -> int:
    once = await add(n)
    return await add(once)


@workflow("Blocks")
async def blocks(state: Job) -> int:
    return await add_twice(1) + state.n


@workflow("Services")
async def services(state: Job) -> str:
    answer = await http("GET", "https://api.example/answer", into=Answer, headers={"authorization": secret("TOKEN")})
    plain = await http("POST", "https://api.example/plain", json={"n": state.n}, expect=(404,))
    score = await infer("model@1", {"n": state.n}, into=Answer, default=Answer(ok=False))
    checked = await wasm("sha256:00", {"n": state.n}, into=Answer)
    return f"{answer.ok} {plain.status} {score.ok} {checked.ok}"


@workflow("HttpRetry")
async def http_retry(state: Job) -> bool:
    policy = Retry(max_attempts=2, delay=timedelta(seconds=3))
    return (await http("GET", "https://api.example/answer", into=Answer, retry=policy)).ok


@workflow("Templates")
async def templates(state: Job) -> str:
    who = "ada"  # noqa: F841 - read by the template
    return template("{{ who | upper }} {{ state.n }}")


@workflow("Secrets")
async def secrets(state: Job) -> str:
    token = secret("TOKEN")
    return f"{token} {isinstance(token, SecretStr)}"


@workflow("Custom")
async def custom(state: Job) -> int:
    found = await call("RETRYABLE", function="f", max_retries=5)(state)
    await call("SCORED", into=Answer)(state)
    return state.n + len(found)


plain_ref = step_ref("tests.unit.authoring.flows:plain_function")


def plain_function(state: Job, n: int) -> dict[str, object]:
    return {"n": n}


@workflow("References")
async def references(state: Job) -> int:
    await plain_ref(state, 6)
    return state.n


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")

    n: int = 0


@step
def adds_extra(state: Open) -> dict[str, object]:
    return {"n": 1, "other": "kept"}


@workflow("OpenState")
async def open_state(state: Open) -> str:
    await adds_extra(state)
    return str(state.model_extra)


@workflow("DictState")
async def dict_state(state: dict[str, Any]) -> int:
    state["n"] = 1
    await dict_step(state, 4)

    async def left() -> None:
        state["left"] = 1

    async def right() -> int:
        return len(state)

    await gather(left(), right())
    return len(state)


@step
def dict_step(state: dict[str, Any], n: int) -> dict[str, object]:
    state["in_step"] = n
    return {"n": n}


@workflow("HidesEverything")
async def hides_everything(state: Job) -> str:
    try:
        await receive(Ping)
    except Exception:  # noqa: BLE001 - what the test is about
        return "hidden"
    return "received"


@workflow("Agreement")
async def agreement(state: Job) -> None:
    await gather(set_a(state, 4), set_a(state, 4))


def sum_up(results: list[Any]) -> dict[str, object]:
    return {"n": sum(results)}


@workflow("MergedByFunction")
async def merged_by_function(state: Job) -> list[int]:
    return await gather(*(add(n) for n in (1, 2)), merge_function=sum_up)


@workflow("Options", saga=True)
async def options_in_saga(state: Job) -> bool:
    await reserve.with_(compensate=undo_reserve)("a")
    policy = Retry(max_attempts=2, delay=timedelta(seconds=1))
    fetch = http.with_(name="Ask", retry=policy, compensate=compensation(undo_http, retry=policy))
    await fetch("GET", "https://api.example/answer", into=Answer)
    found = await receive(Ping, timeout=timedelta(hours=1), default=Ping(text="none"))
    asked = await human("approve", form=Answer, required_input=("why",), answer=take_answer, answer_args={"ok": True})
    await item(len(found.text))
    return asked.ok


def undo_reserve(hold: str) -> None:
    """Recorded by the world."""


def undo_http(answer: Answer) -> None:
    """Recorded by the world."""


@step
async def never_ends(log: list[str]) -> None:
    await asyncio.Event().wait()


@workflow("NeverEnds")
async def never_ends_flow(state: Job) -> None:
    await never_ends([])


@workflow("RaceOfRealWork")
async def race_of_real_work(state: Job) -> str:
    async def works() -> str:
        await charge(7)
        return "worked"

    async def waits() -> str:
        await sleep(timedelta(seconds=1))
        return "waited"

    async with saga():
        found = await first_of(works(), waits())
        if state.n:
            raise Declined(code=1)
    return found
