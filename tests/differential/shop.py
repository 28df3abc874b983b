"""What the differential workflows call: every body asks the outside world what it does."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from ruvon import Reply, Retry, StepContext, compensate, pure, step, workflow
from tests.support.differential import OUTSIDE, Outside

__all__ = ["FAKES", "INSTANT", "behave"]


class Inner(BaseModel):
    """Below the state."""

    x: int = 0
    tags: list[str] = []


class State(BaseModel):
    """The state."""

    n: int = 0
    a: int = 0
    b: int = 0
    c: int = 0
    name: str = "s"
    flag: bool = False
    items: list[int] = []
    notes: list[str] = []
    prices: dict[str, int] = {}
    inner: Inner = Inner()
    total: Decimal = Decimal(0)
    when: datetime | None = None
    ident: UUID | None = None
    luck: float = 0.0
    pair: tuple[int, str] = (0, "")


class Note(BaseModel):
    """A message."""

    amount: int = 0


class Stop(BaseModel):
    """Another message."""

    by: str = ""


class Approval(BaseModel):
    """A form."""

    amount: int = 0
    ok: bool = True


class Job(BaseModel):
    """A child's state."""

    n: int = 0
    tag: str = ""
    seen: list[int] = []


@dataclass
class Receipt:
    """What can be undone."""

    tag: str
    n: int


class Rejected(Exception):
    """With data."""

    def __init__(self, text: str, code: int = 0) -> None:
        self.code = code
        super().__init__(text, code)


class Declined(Rejected):
    """More exact."""


class Busy(Exception):
    """What retries are for."""


@pure
def double(value: int) -> int:
    """Twice the value."""
    return 2 * value


@step
async def val(context: StepContext, tag: str, n: int) -> int:
    """A value."""
    return await OUTSIDE.get().perform("val", context=context, tag=tag, n=n)


@step
def quick(context: StepContext, tag: str, n: int) -> int:
    """A value at once."""
    return OUTSIDE.get().at_once("quick", context=context, tag=tag, n=n)


@step(retry=Retry(max_attempts=3, delay=timedelta(seconds=2), never=(Declined,)))
async def flaky(context: StepContext, tag: str, n: int) -> int:
    """A value after retries."""
    return await OUTSIDE.get().perform("flaky", context=context, tag=tag, n=n)


@step(timeout=timedelta(seconds=3))
async def slow(context: StepContext, tag: str, n: int) -> int:
    """A value, perhaps too late."""
    return await OUTSIDE.get().perform("slow", context=context, tag=tag, n=n)


@step
async def couple(context: StepContext, tag: str, n: int) -> tuple[int, str]:
    """A tuple."""
    return await OUTSIDE.get().perform("couple", context=context, tag=tag, n=n)


@step
async def table(context: StepContext, tag: str, n: int) -> dict[str, int]:
    """A dict that is only bound."""
    return await OUTSIDE.get().perform("table", context=context, tag=tag, n=n)


@step
async def money(context: StepContext, tag: str, n: int) -> Decimal:
    """A decimal."""
    return await OUTSIDE.get().perform("money", context=context, tag=tag, n=n)


@step
async def change(state: State, context: StepContext, tag: str) -> None:
    """Change in place."""
    await OUTSIDE.get().perform("change", state=state, context=context, tag=tag)


@step
async def patch(state: State, context: StepContext, tag: str, n: int) -> dict[str, object]:
    """Merge a dict, after a change in place."""
    return await OUTSIDE.get().perform("patch", state=state, context=context, tag=tag, n=n)


@step
def patch_dict(state: dict, context: StepContext, tag: str, n: int) -> dict[str, object]:  # type: ignore[type-arg]
    """The same on a plain dict, at once."""
    return OUTSIDE.get().at_once("patch_dict", state=state, context=context, tag=tag, n=n)


@step
async def stray(state: State, context: StepContext, tag: str) -> dict[str, object]:
    """May give a key that the state does not have."""
    return await OUTSIDE.get().perform("stray", state=state, context=context, tag=tag)


@step
async def whole(state: State, context: StepContext, tag: str, n: int) -> State:
    """Gives the state's own class."""
    return await OUTSIDE.get().perform("whole", state=state, context=context, tag=tag, n=n)


@step
async def branch_a(state: State, context: StepContext, tag: str, n: int) -> int:
    """Changes one field; for branches."""
    return await OUTSIDE.get().perform("branch_a", state=state, context=context, tag=tag, n=n)


@step
async def branch_b(state: State, context: StepContext, tag: str, n: int) -> int:
    """Changes another one."""
    return await OUTSIDE.get().perform("branch_b", state=state, context=context, tag=tag, n=n)


@step
async def mark(state: State, context: StepContext, tag: str, n: int) -> int:
    """Changes one key of a dict, and sometimes a field of a model; for branches whose join is DEEP."""
    return await OUTSIDE.get().perform("mark", state=state, context=context, tag=tag, n=n)


@step
async def told(context: StepContext, tag: str, error: Exception) -> int:
    """Is given an error that a handler has caught."""
    return await OUTSIDE.get().perform("told", context=context, tag=tag, error=error)


def combine(results: list[object]) -> dict[str, object]:
    """Merges what branches gave, instead of what they wrote."""
    return {"c": len(results), "name": f"{len(results)} results"}


@step
async def book(context: StepContext, tag: str, n: int) -> Receipt:
    """Can be undone."""
    return await OUTSIDE.get().perform("book", context=context, tag=tag, n=n)


def stuck(tag: str) -> None:
    """Some compensations fail, always."""
    if Random(f"{OUTSIDE.get().seed}:undo:{tag}").random() < 0.08:
        raise OSError(f"{tag} cannot be undone")


@compensate(book)
def unbook(receipt: Receipt, tag: str, n: int) -> None:
    """Undo `book`."""
    OUTSIDE.get().undo("unbook", receipt=receipt, tag=tag, n=n)
    stuck(tag)


@step(timeout=timedelta(seconds=4))
async def charge(state: State, context: StepContext, tag: str, n: int) -> Receipt:
    """A state step that can be undone, also when its outcome is unknown."""
    return await OUTSIDE.get().perform("charge", state=state, context=context, tag=tag, n=n)


@compensate(charge, attempted=True)
async def refund(state: State, context: StepContext, receipt: Receipt | None, tag: str, n: int) -> None:
    """Undo `charge`; sees and changes the state."""
    OUTSIDE.get().undo("refund", receipt=receipt, tag=tag, n=n, seen=state.n)
    state.n += 1
    state.notes.append(f"refund {tag}")
    stuck(tag)


@workflow("Sub")
async def sub(state: Job) -> int:
    """A child."""
    for number in range(2):
        found = await val(f"{state.tag}.{number}", state.n + number)
        state.seen.append(found)
    if state.n % 5 == 4:
        raise Declined(f"child {state.n}", state.n)
    await book(f"{state.tag}.b", state.n)
    return state.n + len(state.seen)


FAKES = (
    "val", "quick", "flaky", "slow", "couple", "table", "money", "change", "patch", "patch_dict", "stray", "whole", "branch_a",
    "branch_b", "book", "charge", "mark", "told",
)  # fmt: skip
INSTANT = frozenset({"quick", "patch_dict"})


def behave(outside: Outside, name: str, given: Mapping[str, Any]) -> Reply:
    """What a call does: by its tag and the seed it works, fails, fails for some arguments or at first, or is late."""
    tag, n = given["tag"], given.get("n", len(str(given.get("error", ""))))
    attempt = given["context"].attempt
    mood = Random(f"{outside.seed}:{tag}").random()
    changed = _change(name, given.get("state"), tag, n)
    late = timedelta(seconds=6) if mood > 0.96 and attempt == 1 else timedelta(0)
    if mood < 0.03:
        return Reply(error=Rejected(f"{tag} refuses {n}", n), takes=late)
    if mood < 0.07 and n % 2:
        return Reply(error=Declined(f"{tag} declines {n}"), takes=late)
    if mood < 0.11 and attempt < 3:
        return Reply(error=Busy(tag, attempt))
    if mood < 0.125:
        return Reply(error=KeyError(tag))
    return Reply(_value(name, tag, n, changed), takes=late)


def _change(name: str, state: Any, tag: str, n: int) -> Any:
    """What a state step does to its copy, before it returns or fails."""
    match name:
        case "change":
            state.notes.append(tag)
            state.n += 1
            state.inner.x += 2
            state.prices[tag] = state.n
        case "patch":
            state.a += 1
            state.inner.tags.append(tag)
            return {"n": state.n + n, "prices": {**state.prices, tag: n}}
        case "patch_dict":
            state["b"] = n
            return {"name": f"{state['name']}{tag}"[-12:], "notes": [*state["notes"], tag]}
        case "stray":
            state.n += 3
            return {"nobody": 1} if tag.endswith(("1", "3")) else {"c": state.c + 1}
        case "whole":
            state.flag = not state.flag
            return (
                type(state).__mro__[1](n=n, name=tag) if "View" in type(state).__name__ else type(state)(n=n, name=tag)
            )
        case "branch_a":
            state.a += n
        case "branch_b":
            state.b += n
            state.inner.x += 1
        case "charge":
            state.total += n
        case "mark":
            state.prices[tag] = n
            if n % 3 == 0:
                state.inner.x += n
        case _:
            pass
    return None


def _value(name: str, tag: str, n: int, changed: Any) -> Any:
    match name:
        case "couple":
            return (n + 1, tag)
        case "table":
            return {"z": n, tag: n + 1, "a": 2}
        case "money":
            return Decimal(n) / 8
        case "change":
            return None
        case "patch" | "patch_dict" | "stray" | "whole":
            return changed
        case "book" | "charge":
            return Receipt(tag, n)
        case _:
            return (n * 7 + len(tag)) % 23
