"""Workflows with blocks, tolerated failures, resources, mailboxes and restarts."""

from pydantic import BaseModel

from ruvon import Batch, StepContext, block, gather, receive, step, workflow

DONE: list[str] = []
"""Effects in the order in which they happened."""


class Desk(BaseModel):
    """The state."""

    turns: int = 0
    notes: list[str] = []
    bad: list[int] = []


class Mail(BaseModel):
    """A message."""

    text: str
    key: str = ""


class Printer:
    """A resource."""

    def __init__(self) -> None:
        self.pages: list[str] = []


class Colour(Printer):
    """Another class, though it is a printer too."""


class Unlucky(Exception):
    """What some items raise."""


@step
async def note(state: Desk, text: str) -> str:
    DONE.append(text)
    state.notes.append(text)
    return text.upper()


@step
async def work(state: Desk, item: int) -> int:
    DONE.append(f"work {item}")
    if item in state.bad:
        raise Unlucky(f"item {item}")
    return item * 10


@step
async def print_page(state: Desk, context: StepContext) -> int:
    printer = context.get(Printer)
    printer.pages.append(f"turn {state.turns}")
    return len(printer.pages)


@block
async def noted(state: Desk, what: str, times: int) -> list[str]:
    """Steps, a loop and a condition that several bodies share."""
    found: list[str] = []
    for number in range(times):
        if number == 2:
            break
        said = await note(state, f"{what} {number}")
        found.append(said)
    return found


@block
async def twice(state: Desk, what: str) -> list[str]:
    """A block in a block."""
    one = await noted(state, what, 1)
    two = await noted(state, f"{what} again", 3)
    return one + two


@workflow("Blocks")
async def blocks(state: Desk) -> list[str]:
    async def aside() -> int:
        found = await noted(state, "aside", 1)
        return len(found)

    first = await twice(state, "first")
    try:
        found = await noted(state, "tried", 2)
    finally:
        await note(state, "finally")
    for number in range(2):
        more = await noted(state, f"turn {number}", 1)
        found = found + more
    count = await gather(aside(), work(state, 3))
    return [*first, *found, str(count)]


@workflow("Tolerating")
async def tolerating(state: Desk) -> tuple[list[int], list[int], list[str]]:
    batch: Batch[int] = await gather(
        *(work(state, item=item) for item in range(10)), partial=True, tolerate=0.2, limit=3
    )
    return list(batch.ok), [item.index for item in batch.failed], [item.kind for item in batch.failed]


@workflow("Printing")
async def printing(state: Desk) -> int:
    return await print_page(state)


@workflow("Reading")
async def reading(state: Desk) -> list[str]:
    await note(state, "begin")
    found: list[str] = []
    for _ in range(3):
        mail = await receive(Mail)
        found.append(mail.text)
    await note(state, "end")
    return found


@workflow("Sorting")
async def sorting(state: Desk) -> list[str]:
    one = await receive(Mail, key="b")
    two = await receive(Mail, key="a")
    three = await receive(Mail, key="b")
    return [one.text, two.text, three.text]


@workflow("Restarting")
async def restarting(state: Desk) -> list[str]:
    mail = await receive(Mail)
    if mail.text != "stop":
        restarting.restart(Desk(turns=state.turns + 1, notes=[*state.notes, mail.text]))
    return state.notes
