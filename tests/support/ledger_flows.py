"""Workflows whose steps write rows of their own in the transaction that commits the step."""

import asyncio
from datetime import timedelta

from pydantic import BaseModel

from ruvon import (
    Batch,
    MergeConflictBehavior,
    Retry,
    StepContext,
    compensate,
    first_of,
    gather,
    human,
    saga,
    step,
    workflow,
)
from ruvon.models import WorkflowPauseDirective
from ruvon.providers import StatementError

BODIES: list[str] = []
"""Every run of a body, repetitions included."""

FAILS: dict[str, int] = {}
"""How often a body is still to fail."""


class Books(BaseModel):
    """The state."""

    total: int = 0
    notes: list[str] = []
    rows: list[int] = []


class Seen(BaseModel):
    """A person's answer."""

    ok: bool = True


class Refused(Exception):
    """What a body raises after it has written."""


def begins(what: str) -> None:
    """A body runs, and may be told to fail after its statements."""
    BODIES.append(what)


def may_fail(what: str) -> None:
    if FAILS.get(what, 0) > 0:
        FAILS[what] -= 1
        raise Refused(what)


@step(transaction=True)
async def book(state: Books, context: StepContext, cents: int) -> int:
    """One row for each time that it is recorded as done: the table has no key that would hide a second one."""
    begins(f"book {cents}")
    await context.transaction.execute("CREATE TABLE IF NOT EXISTS bookings (cents INTEGER)")
    found = await context.transaction.execute("INSERT INTO bookings VALUES (?) RETURNING rowid", (cents,))
    state.total += cents
    may_fail(f"book {cents}")
    return len(found)


@step(transaction=True, retry=Retry(max_attempts=3, delay=timedelta(seconds=1)))
async def book_again(state: Books, context: StepContext, cents: int) -> None:
    begins(f"book again {cents}")
    await context.transaction.execute("INSERT INTO bookings VALUES (:cents)", {"cents": cents})
    state.total += cents
    may_fail(f"book again {cents}")


@step(transaction=True)
async def read_books(state: Books, context: StepContext) -> list[int]:
    rows = await context.transaction.execute("SELECT cents FROM bookings ORDER BY cents")
    state.rows = [int(row[0]) for row in rows]
    return state.rows


@step(transaction=True)
async def book_wrong(state: Books, context: StepContext) -> None:
    await context.transaction.execute("INSERT INTO bookings VALUES (1000)")
    await context.transaction.execute("INSERT INTO no_such_table VALUES (1)")


@step(transaction=True)
async def book_badly(state: Books, context: StepContext) -> int:
    await context.transaction.execute("INSERT INTO bookings VALUES (2000)")
    return "no number"  # type: ignore[return-value]


@step(transaction=True)
async def book_and_ask(state: Books, context: StepContext) -> None:
    await context.transaction.execute("INSERT INTO bookings VALUES (7)")
    raise WorkflowPauseDirective({"total": 7})


@step(transaction=True)
async def book_slowly(state: Books, context: StepContext) -> None:
    await context.transaction.execute("INSERT INTO bookings VALUES (3000)")
    await wait_for_ever()


async def wait_for_ever() -> None:
    await asyncio.Event().wait()


@step(transaction=True)
async def number(context: StepContext, cents: int) -> int:
    """A row, and its number as the result."""
    begins(f"number {cents}")
    await context.transaction.execute("INSERT INTO bookings VALUES (?)", (cents,))
    may_fail(f"number {cents}")
    return cents


@step(transaction=True)
async def all_rows(context: StepContext) -> list[int]:
    return [int(row[0]) for row in await context.transaction.execute("SELECT cents FROM bookings ORDER BY cents")]


STEERING: list[str] = []
"""What `book_and_steer` tries."""


@step(transaction=True)
async def book_and_steer(state: Books, context: StepContext) -> None:
    await context.transaction.execute("INSERT INTO bookings VALUES (4)")
    try:
        await context.transaction.execute(STEERING[0])
    except StatementError as err:
        state.notes.append(type(err).__name__)


@step
async def note(state: Books, text: str) -> None:
    begins(text)
    state.notes.append(text)


@step
async def peek(context: StepContext) -> None:
    await context.transaction.execute("SELECT 1")


@compensate(book)
async def unbook(state: Books, context: StepContext) -> None:
    state.notes.append("unbooked")


@workflow("Booked")
async def booked(state: Books) -> list[int]:
    await book(state, 1)
    await note(state, "between")
    await book(state, 2)
    for number in range(10, 12):
        if state.total < 1000:
            await book(state, number)
            state.notes.append(f"turn {number}")
    await book_again(state, 50)
    return await read_books(state)


@workflow("Branches")
async def branches(state: Books) -> list[int]:
    async def twice() -> None:
        await note(state, "left")
        await book(state, 1)
        await book(state, 2)

    await book(state, 0)
    await gather(
        twice(), book(state, 3), book(state, 4), note(state, "right"), conflict=MergeConflictBehavior.PREFER_NEW
    )
    return await read_books(state)


@workflow("Caught")
async def caught(state: Books) -> list[int]:
    await book(state, 1)
    try:
        await book(state, 5)
    except Refused:
        state.notes.append("refused")
    try:
        await book_wrong(state)
    except StatementError:
        state.notes.append("wrong")
    try:
        await book_slowly.with_(timeout=timedelta(seconds=3))(state)
    except TimeoutError:
        state.notes.append("slow")
    return await read_books(state)


@workflow("Halting")
async def halting(state: Books) -> None:
    await book(state, 1)
    await book_slowly(state)


@workflow("Steered")
async def steered(state: Books) -> list[int]:
    await book_and_steer(state)
    return await read_books(state)


@workflow("Misfit")
async def misfit(state: Books) -> None:
    await book(state, 1)
    await book_badly(state)


@workflow("Undone", saga=True)
async def undone(state: Books) -> None:
    await book(state, 1)
    await book(state, 2)
    raise Refused("after all")


@workflow("Peeking")
async def peeking(state: Books) -> None:
    await peek()


@workflow("LastBooked")
async def last_booked(state: Books) -> None:
    await human("look", form=Seen)
    await book(state, 1)


# Values that a workflow takes from such steps


@workflow("Collecting")
async def collecting(state: Books) -> tuple[list[int], list[int]]:
    found = [await number(cents) for cents in (1, 2, 3)]
    rows = await all_rows()
    return found, rows


@workflow("CollectingWhere")
async def collecting_where(state: Books) -> list[int]:
    found = [await number(cents) for cents in range(6) if cents % 2]
    state.rows = [await number(cents) for cents in found]
    return state.rows


@workflow("Gathering")
async def gathering(state: Books) -> list[int]:
    one, two, three = await gather(number(1), number(2), book(state, 3))
    return [one, two, three]


@workflow("Mapping")
async def mapping(state: Books) -> list[int]:
    found = await gather(*(number(cents) for cents in range(4)), limit=2)
    return [cents * 2 for cents in found]


@workflow("Tolerating")
async def tolerating(state: Books) -> tuple[list[int], int]:
    batch: Batch[int] = await gather(*(number(cents) for cents in range(4)), partial=True)
    return list(batch.ok), len(batch.failed)


@workflow("Nesting")
async def nesting(state: Books) -> tuple[list[int], int]:
    async def several() -> list[int]:
        return [await number(cents) for cents in (1, 2)]

    async def guarded() -> int:
        try:
            return await number(10)
        finally:
            await number(11)

    return await gather(several(), guarded())


@workflow("Trying")
async def trying(state: Books) -> list[int]:
    found: list[int] = []
    for cents in range(3):
        try:
            got = await number(cents)
        except Refused:
            got = await number(cents + 100)
        else:
            number_result = await number(cents + 1000)
            got += number_result
        finally:
            await number(cents + 5000)
        found.append(got)
        if got > 1001:
            break
    return found


@workflow("Scoped")
async def scoped(state: Books) -> list[int]:
    found: list[int] = []
    while len(found) < 2:
        async with saga():
            number_result = await number(len(found))
            found.append(number_result)
            await book(state, 10)
    return found


@workflow("LastNumber")
async def last_number(state: Books) -> int:
    return await number(state.total)


@workflow("Parenting")
async def parenting(state: Books) -> list[int]:
    one = await last_number(Books(total=4))
    both = await gather(last_number(Books(total=5)), number(6))
    return [one, *both]


@workflow("Racing")
async def racing(state: Books) -> str:
    async def quick() -> int:
        return await number(7)

    async def patient() -> bool:
        seen = await human("look", form=Seen)
        return seen.ok

    match await first_of(quick(), patient()):
        case int(cents):
            return f"number {cents}"
        case other:
            return f"seen {other}"


PAUSES = """
workflow_type: Pauses
module: tests.support.ledger_flows
initial_state_model: Books
automate_next: true
steps:
  - {name: First, function: book, inputs: {cents: 1}}
  - {name: Ask, function: book_and_ask}
  - {name: Taken, function: note, inputs: {text: taken}}
  - {name: Read, function: read_books}
"""
"""A step that has written asks a person."""
