"""The code that generated workflows call: models, steps, compensations, pure functions, errors, a child and forms."""

from decimal import Decimal

from pydantic import BaseModel

from ruvon.authoring import Retry, StepContext, compensate, pure, step, workflow


class Order(BaseModel):
    """The state."""

    amount: int = 0
    flag: bool = False
    name: str = "a"
    lines: list[int] = []
    total: Decimal = Decimal(0)
    log: list[str] = []


class Note(BaseModel):
    """A message and a form."""

    text: str = ""
    amount: int = 0


class Stop(BaseModel):
    """Another message."""

    by: str = ""


class Job(BaseModel):
    """The child's state."""

    amount: int = 0


class Done(BaseModel):
    """The child's result."""

    amount: int = 0


class Rejected(Exception):
    """What `check` raises."""


class Declined(Rejected):
    """A more exact one."""


class Busy(Exception):
    """What retries are for."""


LIMIT = 10


@pure
def double(value: int) -> int:
    """Twice the value."""
    return 2 * value


@step
def touch(state: Order) -> None:
    """Change the state in place."""
    state.log.append("touch")


@step
async def bump(state: Order, by: int = 1) -> dict[str, object]:
    """Merge a changed field."""
    return {"amount": state.amount + by, "log": [*state.log, f"bump {by}"]}


@step
def add(left: int, right: int = 1) -> int:
    """A value step."""
    return left + right


@step(retry=Retry(max_attempts=2))
async def quote(amount: int) -> int:
    """An asynchronous value step with a retry policy."""
    return amount * 2


@step
def anything(value: object) -> object:
    """Takes any value."""
    return value


@step
def label(text: str, amount: int) -> str:
    """A text."""
    return f"{text}{amount}"


@step
async def price(amount: int) -> Decimal:
    """A decimal."""
    return Decimal(amount) / 4


@step
def check(amount: int) -> int:
    """Fails for every third amount."""
    if amount % 3 == 0:
        raise Rejected(f"bad {amount}")
    if amount % 7 == 0:
        raise Declined(f"worse {amount}")
    return amount


@step
async def reserve(amount: int) -> Note:
    """A step that can be undone."""
    return Note(text="reserved", amount=amount)


@compensate(reserve)
async def release(note: Note, amount: int) -> None:
    """Undo `reserve`."""


@step
def charge(state: Order, amount: int) -> Note:
    """A state step that can be undone."""
    state.log.append(f"charge {amount}")
    return Note(text="charged", amount=amount)


@compensate(charge, attempted=True)
def refund(state: Order, context: StepContext, note: Note | None, amount: int) -> None:
    """Undo `charge`."""
    state.log.append(f"refund {amount}")


def plain(state: dict) -> dict[str, object]:  # type: ignore[type-arg]
    """An undecorated function, as YAML may name it."""
    return {"amount": 1}


@step(transaction=True)
async def book(state: Order, context: StepContext) -> None:
    """Write a row with the commit of the step."""
    await context.transaction.execute("INSERT INTO bookings VALUES (?)", (state.amount,))


async def book_plainly(state: dict, context: StepContext) -> None:  # type: ignore[type-arg]
    """The same, undecorated."""
    await context.transaction.execute("INSERT INTO bookings VALUES (?)", (state["amount"],))


@step
def ask(state: Order) -> None:
    """Asks a person."""
    state.log.append("ask")


@workflow("Sub", version="1.0.0")
async def sub(state: Job) -> Done:
    """A child workflow."""
    more = await add(state.amount, 5)
    return Done(amount=more)
