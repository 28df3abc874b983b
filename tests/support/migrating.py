"""A shop whose code is deployed anew while instances of the old version wait."""

from typing import Any
from uuid import UUID

from ruvon._workflow import Workflow
from ruvon.builder import WorkflowBuilder
from ruvon.engine._migrate import check_migration, migrate
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.providers import PersistenceProvider
from ruvon_dsl import compile_source, require
from tests.support.engine_world import JumpingClock

__all__ = ["BODY", "HEAD", "MODULE", "Shop", "approve", "changed"]

HEAD = """
from datetime import timedelta
from pydantic import BaseModel
from ruvon import compensate, gather, human, named, first_of, node, receive, saga, sleep, step, workflow

class Item(BaseModel):
    n: int = 0

class Order(BaseModel):
    total: int = 1
    items: list[Item] = [Item(n=1), Item(n=2)]
    text: str = ""

class Answer(BaseModel):
    ok: bool

class Paid(BaseModel):
    amount: int

@step
async def charge(state: Order, amount: int) -> int:
    state.total += amount
    return amount

@compensate(charge)
async def refund(state: Order, result: int, amount: int) -> None:
    state.total -= amount

@step
async def note(state: Order, text: str) -> None:
    state.text = f"{state.text}{text};"
"""
BODY = """
@workflow("Shop", version="1", saga=True)
async def shop(state: Order) -> int:
    before = await charge(state, amount=10)
    answer = await human("approve", form=Answer)
    await note(state, text="one")
    return before
"""
MODULE = "migrating_shop"


class Shop:
    """A store, and the version of the code that is deployed."""

    def __init__(self, store: PersistenceProvider | None = None) -> None:
        self.store = store or MemoryPersistenceProvider()
        self.clock = JumpingClock()
        self.builder = WorkflowBuilder(plugins=False)

    def deploy(self, body: str, head: str = HEAD) -> None:
        """New code; nothing of the old is loaded any more."""
        definitions = require(compile_source(head + body, module=MODULE))
        self.builder = WorkflowBuilder(
            plugins=False, import_roots=[MODULE], persistence_provider=self.store, clock=self.clock
        )
        self.builder.register(*(item.definition for item in definitions))

    async def begin(self, **options: Any) -> Workflow:
        """An instance, run until it waits."""
        workflow = await self.builder.create_workflow("Shop", {}, **options)
        await workflow.run()
        return workflow

    async def problems(self, workflow: Workflow) -> tuple[str, ...]:
        """Why it cannot be moved to what is deployed."""
        definition = self.builder.get_definition("Shop")
        return (await check_migration(self.builder.engine(), UUID(workflow.id), definition)).problems

    async def move(self, workflow: Workflow, **said: str) -> Workflow:
        """Move it to what is deployed; a handle of the new code."""
        program = self.builder.engine().program_for("Shop", None)
        await migrate(self.builder.engine(), UUID(workflow.id), program, **said)
        return await self.builder.load_workflow(workflow.id)


def changed(*pairs: tuple[str, str], text: str = BODY) -> str:
    """The body with other words, as version 2."""
    for old, new in (*pairs, ('version="1"', 'version="2"')):
        assert old in text, old
        text = text.replace(old, new)
    return text


async def approve(workflow: Workflow) -> None:
    """Answer what is asked."""
    await workflow.answer({"ok": True})
