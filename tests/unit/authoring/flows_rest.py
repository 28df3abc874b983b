"""Workflows with flows, services and everything else that the tests of `.local` run; module-level, as `flows`."""

import asyncio
from datetime import timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr

from ruvon import (
    BREAK,
    Retry,
    block,
    call,
    compensation,
    first_of,
    flow,
    gather,
    http,
    human,
    infer,
    node,
    receive,
    saga,
    secret,
    sleep,
    step,
    step_ref,
    template,
    wasm,
    workflow,
)
from tests.unit.authoring.flows import Answer, Declined, Job, Ping, add, set_a
from tests.unit.authoring.flows_groups import item, take_answer
from tests.unit.authoring.flows_saga import charge, reserve

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


plain_ref = step_ref("tests.unit.authoring.flows_rest:plain_function")


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
