"""The workflows of the saved databases (`tests/golden/saved_db`). Their instances run in files: do not change them."""

from datetime import timedelta
from decimal import Decimal

from pydantic import BaseModel

from ruvon import StepContext, compensate, gather, human, receive, sleep, step, workflow


class Paper(BaseModel):
    n: int = 0
    total: Decimal = Decimal("0.10")
    tags: list[str] = []
    prices: dict[str, int] = {}
    left: str = ""
    right: str = ""


class Counted(BaseModel):
    n: int


class Word(BaseModel):
    text: str


class Vote(BaseModel):
    approved: bool
    reason: str = ""


class NoRoomError(Exception):
    pass


@step
async def count(state: Paper, context: StepContext) -> dict[str, object]:
    context.publish("counted", Counted(n=state.n + 1))
    return {"n": state.n + 1, "total": state.total + 1}


@step
def tell(text: str) -> str:
    return text.upper()


@step
async def reserve(name: str) -> str:
    return f"hold-{name}"


@compensate(reserve)
async def release(state: Paper, hold: str, name: str) -> None:
    state.tags.append(f"released {hold} of {name}")


@step
async def confirm() -> None:
    raise NoRoomError("no room")


@workflow("SavedApproval", version="1")
async def approval(state: Paper) -> str:
    await count(state)
    vote = await human("approve", form=Vote, show={"n": state.n}, timeout=timedelta(days=2))
    await count(state)
    return f"{vote.reason} {state.n} {state.total}"


@workflow("SavedLoop", version="1")
async def loop(state: Paper) -> list[str]:
    for name in ("z", "a", "m"):
        state.prices[name] = len(state.prices)
        word = await receive(Word, key=name)
        found = await tell(word.text)
        state.tags.append(found)
    return state.tags


@workflow("SavedLong", version="1")
async def long(state: Paper) -> int:
    for _ in range(150):
        await count(state)
    await receive(Word)
    return state.n


@workflow("SavedFork", version="1")
async def fork(state: Paper) -> tuple[str, str, int]:
    async def first() -> str:
        state.left = "begun"
        word = await receive(Word, key="left")
        state.left = await tell(word.text)
        return state.left

    async def second() -> str:
        word = await receive(Word, key="right")
        state.right = word.text
        return state.right

    async def third() -> int:
        await count(state)
        return 3

    p, q, r = await gather(first(), second(), third())
    return (p, q, r)


@workflow("SavedTrip", version="1", saga=True)
async def trip(state: Paper) -> None:
    await reserve("flight")
    await reserve("hotel")
    await reserve("car")
    await confirm()


@workflow("SavedSleeper", version="1")
async def sleeper(state: Paper) -> str:
    await count(state)
    await sleep(timedelta(days=30))
    word = await receive(Word)
    return word.text


@workflow("SavedChild", version="1")
async def child(state: Paper) -> int:
    word = await receive(Word)
    return len(word.text) + state.n


@workflow("SavedParent", version="1")
async def parent(state: Paper) -> int:
    await count(state)
    found = await child(Paper(n=5))
    await count(state)
    return found + state.n


@workflow("SavedFailure", version="1")
async def failure(state: Paper) -> None:
    await count(state)
    await confirm()


@workflow("SavedSuccess", version="1")
async def success(state: Paper) -> int:
    await count(state)
    return state.n


WORKFLOWS = (approval, loop, long, fork, trip, sleeper, child, parent, failure, success)
