"""What becomes, on every store, of messages that come when an instance is about to end or has ended."""

from functools import cache
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel

from ruvon import human, receive, step, workflow
from ruvon.builder import WorkflowBuilder
from ruvon.engine import NotWaitingForInputError
from ruvon.ir import Definition
from ruvon.models import WorkflowStatus
from ruvon.providers import InboxEntry, InboxKind, TaskFilter
from ruvon.scheduler import resume_all

__all__ = ["LeftoversContract"]


class Parcel(BaseModel):
    grams: int = 0


class Weighed(BaseModel):
    grams: int


class Yes(BaseModel):
    ok: bool = True


@step
def refuse(state: Parcel) -> None:
    if state.grams < 0:
        raise ValueError("no parcel")


@workflow("Scales")
async def scales(state: Parcel) -> int:
    """Ends when something was weighed, and fails where it weighs nothing."""
    first = await receive(Weighed)
    state.grams = first.grams
    await refuse(state)
    return first.grams


@workflow("Counter")
async def counter(state: Parcel) -> bool:
    """Ends with an answer."""
    said = await human("ship", form=Yes)
    return said.ok


@cache
def _definitions() -> tuple[Definition, ...]:
    builder = WorkflowBuilder(plugins=False)
    builder.register(scales, counter)
    return tuple(builder.get_definition(name) for name in builder.registered_types())


def process(store: Any) -> WorkflowBuilder:
    """A process over the store."""
    made = WorkflowBuilder(persistence_provider=store, plugins=False, import_roots=["ruvon.testing.contracts"])
    made.register(*_definitions())
    return made


class Death(BaseException):
    """The process is gone behind its last commit."""


class Between:
    """A store where a message arrives behind the last look into the inbox, just before the commit that ends the instance."""

    def __init__(self, inner: Any, entry: InboxEntry, *, dies: bool) -> None:
        self._inner = inner
        self._entry = entry
        self._dies = dies

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def commit(self, transition: Any, /) -> None:
        """The message, then the commit."""
        ends = WorkflowStatus(transition.status).is_terminal and transition.entries[-1].kind == "end"
        if ends:
            await self._inner.append_inbox(self._entry)
        await self._inner.commit(transition)
        if ends and self._dies:
            raise Death


async def waiting(store: Any, name: str) -> Any:
    """An instance that waits."""
    made = await process(store).create_workflow(name, {})
    await made.run()
    return made


async def late(store: Any, made: Any) -> list[str]:
    """What its history says of messages that came too late."""
    return [entry.note for entry in await store.read_log(UUID(made.id)) if entry.kind == "late"]


class LeftoversContract:
    """The part of the suite about messages to what has ended; run with the engine over the store."""

    @pytest.mark.parametrize("kind", [InboxKind.SIGNAL, InboxKind.ANSWER])
    @pytest.mark.parametrize("dies", [False, True])
    def test_a_message_just_before_the_end_is_refused(self, on_store: Any, kind: InboxKind, dies: bool) -> None:
        """Nobody has read it when the instance ends, and the process may die there: still the history tells of it."""

        async def scenario(store: Any) -> None:
            made = await waiting(store, "Scales")
            name = f"{Weighed.__module__}:{Weighed.__qualname__}" if kind is InboxKind.SIGNAL else "gone"
            entry = InboxEntry(UUID(made.id), kind, name, b'{"grams":2}', None, "second", 1)
            again = await process(Between(store, entry, dies=dies)).load_workflow(made.id)
            if dies:
                with pytest.raises(Death):
                    await again.signal(Weighed(grams=5))
                assert len(await store.read_inbox(UUID(made.id))) == 1
                await resume_all(process(store))
            else:
                await again.signal(Weighed(grams=5))  # taken, so nobody is told anything
            await made.refresh()
            assert (made.status, made.result) == (WorkflowStatus.COMPLETED, 5)
            assert await store.read_inbox(UUID(made.id)) == []
            assert len(await late(store, made)) == 1
            assert [entry.kind for entry in await store.read_log(UUID(made.id))].count("end") == 1
            assert await store.unread_instances() == []

        on_store(scenario)

    def test_whoever_sends_to_what_has_ended_is_told(self, on_store: Any) -> None:
        """A signal and an answer that come behind the end, from somebody who saw the instance waiting."""

        async def scenario(store: Any) -> None:
            made = await waiting(store, "Scales")
            old = await process(store).load_workflow(made.id)
            await made.signal(Weighed(grams=5))
            assert made.status is WorkflowStatus.COMPLETED
            await old.signal(Weighed(grams=6))
            assert await store.read_inbox(UUID(made.id)) == []
            assert "Weighed" in (await late(store, made))[0]
            asked = await waiting(store, "Counter")
            other = await process(store).load_workflow(asked.id)
            await asked.answer({"ok": True})
            assert asked.result is True
            with pytest.raises(NotWaitingForInputError):
                await other.answer({"ok": False})
            assert await store.unread_instances() == []

        on_store(scenario)

    @pytest.mark.parametrize("begun", [False, True])
    def test_a_cancel_takes_the_wake_of_the_run_with_it(self, on_store: Any, begun: bool) -> None:
        """No worker has to look at what is over; the wake of another run stays."""

        async def scenario(store: Any) -> None:
            builder = process(store)
            made, other = [await builder.create_workflow("Counter", {}, background=True) for _ in range(2)]
            if begun:
                await made.run()
                await other.run()
            queued = {task.workflow_id for task in await store.find_tasks(TaskFilter())}
            assert queued == {UUID(made.id), UUID(other.id)}
            await (await process(store).load_workflow(made.id)).cancel()
            await made.refresh()
            assert made.status is WorkflowStatus.CANCELLED
            assert [task.workflow_id for task in await store.find_tasks(TaskFilter())] == [UUID(other.id)]

        on_store(scenario)

    def test_what_has_failed_keeps_its_messages_for_a_retry(self, on_store: Any) -> None:
        """A retry leads on from where it failed, and may yet receive them."""

        async def scenario(store: Any) -> None:
            made = await waiting(store, "Scales")
            await made.signal(Weighed(grams=-1))
            assert made.status is WorkflowStatus.FAILED
            await made.signal(Weighed(grams=6))
            assert len(await store.read_inbox(UUID(made.id))) == 1
            assert await late(store, made) == []

        on_store(scenario)
