"""Workflows for the testing kit's own tests: sound ones, and ones with each fault that its crash explorer must name."""

import os
import random
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

from pydantic import BaseModel

from ruvon import Retry, StepContext, TimedOut, compensate, gather, human, receive, sleep, step, workflow

LEDGER: list[str] = []
"""What steps without a key do."""
CHARGES: dict[str, int] = {}
"""What a fake bank has taken, by idempotency key."""
FLAGS: set[str] = {"up"}
"""Nobody's business but that of the test that changes it."""
COUNT = 0
TEXT = "before"
LOCK = threading.Lock()
COUNTER = Path(os.environ.get("RUVON_TEST_COUNTER", "counter.txt"))
"""A file that a step counts in."""


class Cart(BaseModel):
    """The state."""

    total: int = 0
    tag: str = ""
    notes: list[str] = []


class Kept:
    """An object that steps could leave something in."""

    def __init__(self) -> None:
        self.seen: list[int] = []


KEPT = Kept()


class Consent(BaseModel):
    """A person's answer."""

    given: bool


class Paid(BaseModel):
    """A signal."""

    amount: int


class Told(BaseModel):
    """An event."""

    text: str


class NoCarrier(Exception):
    """What ends a saga."""


# Sound steps


@step
async def price(state: Cart) -> None:
    """Changes the state alone."""
    state.total += 10


@step
async def pay(state: Cart, context: StepContext) -> str:
    """Takes money once for each key."""
    CHARGES.setdefault(context.idempotency_key, state.total)
    context.publish("paid", Told(text=f"{state.total}"))
    return "paid"


@compensate(pay)
async def give_back(state: Cart, context: StepContext, result: str) -> None:
    """Gives money back once for each key."""
    CHARGES.setdefault(context.idempotency_key, -state.total)


@step
async def fail() -> None:
    """Ends a saga."""
    raise NoCarrier("nobody delivers there")


# Faulty steps


@step
async def append(text: str) -> None:
    """Appends without a key."""
    LEDGER.append(text)


@step
async def charge(state: Cart) -> str:
    """Charges each time it runs."""
    CHARGES[f"charge {len(CHARGES)}"] = state.total
    return "charged"


@step
async def reserve() -> str:
    """Has a compensation that is not idempotent."""
    return "reserved"


@compensate(reserve)
async def release(result: str) -> None:
    """Releases without looking whether that is done already."""
    LEDGER.append(f"released {result}")


@step
async def draw_text() -> str:
    """An id in a text."""
    return f"id-{uuid4().hex}"


@step
async def draw_id() -> UUID:
    """An id as one."""
    return uuid4()


@step
async def draw_time() -> float:
    """The machine's clock."""
    return time.perf_counter()


@step
async def draw_moment(state: Cart) -> datetime:
    """A moment as one, written to the state as a text without chance."""
    return datetime.now().astimezone()


@step
async def draw_chance() -> float:
    """Chance."""
    return random.random()


@step
def count_in_file(state: Cart) -> int:
    """Reads a counter of its own and raises it."""
    number = int(COUNTER.read_text()) + 1 if COUNTER.exists() else 1
    COUNTER.write_text(str(number))
    state.total = number
    return number


# Workflows


@workflow("Sound")
async def sound(state: Cart) -> str:
    """Bears every crash."""
    await price(state)
    return await pay(state)


@workflow("SoundSaga", saga=True)
async def sound_saga(state: Cart) -> None:
    """Bears every crash of its rollback too."""
    await price(state)
    await pay(state)
    await fail()


@workflow("Appending")
async def appending(state: Cart) -> None:
    """One of three steps is not idempotent."""
    await price(state)
    await append("sent")
    await pay(state)


@workflow("Charging")
async def charging(state: Cart) -> str:
    """Charges twice."""
    await price(state)
    return await charge(state)


@workflow("Together")
async def together(state: Cart) -> None:
    """One of three branches is not idempotent, and a crash repeats all of them."""
    await gather(price(state), append("sent"), pay(state))


@workflow("Both")
async def both(state: Cart) -> None:
    """Two of three branches are not idempotent."""
    await gather(append("one"), charge(state), draw_note(state))


@step
async def draw_note(state: Cart) -> None:
    """Sound."""
    state.tag = "noted"


@workflow("Releasing", saga=True)
async def releasing(state: Cart) -> None:
    """The compensation is not idempotent, the step is."""
    await reserve()
    await fail()


@workflow("DrawsText")
async def draws_text(state: Cart) -> str:
    """Unsteady by an id."""
    await price(state)
    return await draw_text()


@workflow("DrawsTime")
async def draws_time(state: Cart) -> float:
    """Unsteady by a clock."""
    await price(state)
    return await draw_time()


@workflow("DrawsChance")
async def draws_chance(state: Cart) -> float:
    """Unsteady by chance."""
    await price(state)
    return await draw_chance()


@workflow("DrawsId")
async def draws_id(state: Cart) -> UUID:
    """Ids that are none of the kit's, but may differ."""
    await draw_moment(state)
    return await draw_id()


@workflow("Counting")
async def counting(state: Cart) -> int:
    """Depends on a file that outlives the process."""
    await price(state)
    return await count_in_file(state)


class Odd:
    """Hides a counter from the kit: what it counts survives every reset."""

    value = 0


@step
async def sometimes() -> str:
    """Gives another result in every sixth run."""
    Odd.value += 1
    return "odd" if Odd.value % 6 == 0 else "even"


@workflow("Sometimes")
async def sometimes_odd(state: Cart) -> str:
    """Steady for a while."""
    await price(state)
    return await sometimes()


# For the harness


@step(retry=Retry(max_attempts=3, delay=timedelta(minutes=10)))
async def call_bank(state: Cart, context: StepContext, amount: int) -> str:
    """What tests put a stub in the place of."""
    raise ConnectionError("no test may call the bank")


@step(timeout=timedelta(seconds=30))
async def look_up(name: str) -> str:
    """Takes its time on the loop."""
    import asyncio

    await asyncio.sleep(20)
    return name.upper()


@step
def blocking(name: str) -> str:
    """Runs in a thread."""
    return name.title()


@workflow("Buying")
async def buying(state: Cart) -> str:
    """Asks a person, waits, pays."""
    consent = await human("consent", form=Consent, timeout=timedelta(days=3))
    if not consent.given:
        return "refused"
    await sleep(timedelta(days=30))
    first = await blocking("ada")
    second = await look_up("bob")
    state.notes = [first, second]
    found = await call_bank(state, amount=state.total + 1)
    paid = await receive(Paid)
    state.total = paid.amount
    return found


@workflow("Asking")
async def asking(state: Cart) -> str:
    """A person who has all the time in the world."""
    await price(state)
    consent = await human("consent", form=Consent)
    await price(state)
    return f"{consent.given}"


@workflow("Impatient")
async def impatient(state: Cart) -> str:
    """A person who never answers."""
    try:
        await human("consent", form=Consent, timeout=timedelta(days=3))
    except TimedOut:
        return "nobody"
    return "somebody"


@workflow("Parental")
async def parental(state: Cart) -> str:
    """Starts a child that asks."""
    return await buying(Cart(total=5))


@workflow("Undoing", saga=True)
async def undoing(state: Cart) -> None:
    """Pays and is undone."""
    await pay(state)
    await receive(Paid)


@workflow("Endless")
async def endless(state: Cart) -> None:
    """Never ends by itself."""
    while state.total >= 0:
        await sleep(timedelta(hours=1))


@step
async def hang() -> None:
    """Awaits what nobody sets."""
    import asyncio

    await asyncio.Event().wait()


@workflow("Stuck")
async def stuck(state: Cart) -> None:
    """Hangs."""
    await hang()


@step
async def leave() -> None:
    """Ends the process."""
    raise SystemExit(3)


@workflow("Leaving")
async def leaving(state: Cart) -> None:
    """Has a body that calls exit()."""
    await leave()


def broken_probe() -> object:
    """A probe that fails."""
    return 1 / 0


def counted() -> str:
    """A probe: what the file says."""
    return COUNTER.read_text() if COUNTER.exists() else ""


def forget_count() -> None:
    """The reset that belongs to it."""
    COUNTER.unlink(missing_ok=True)


@step
async def greet(state: Cart, text: str, key: str) -> None:
    """Keeps what a template and a secret gave."""
    state.tag = f"{text} {key}"
