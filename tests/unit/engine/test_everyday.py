"""Blocks, tolerated failures, resources, mailboxes and restarts, in the engine, under CPython and under crashes."""

import asyncio
from functools import cache
from itertools import product
from typing import Any

import pytest

from ruvon import LocalOutcome, StepFailed, World, run_local
from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.ir import Definition, ImportRoots
from ruvon.models import ContextUnavailableError
from ruvon.testing import CrashExplorer, OutsideWorld, Scenario, Script, ScriptedSignal
from ruvon_dsl import compile_function, require
from tests.support import everyday_flows as flows
from tests.support.engine_world import CountedIds, JumpingClock
from tests.support.everyday_flows import Colour, Desk, Mail, Printer


@pytest.fixture(autouse=True)
def _fresh() -> None:
    flows.DONE.clear()


@cache
def _definitions() -> tuple[Definition, ...]:
    roots = ImportRoots({"tests"})
    found = [item for item in vars(flows).values() if hasattr(item, "__ruvon_workflow__")]
    results = [compile_function(item, roots=roots) for item in found]
    return tuple(item.definition for result in results for item in require(result))


def make_builder(store: Any = None, **options: Any) -> WorkflowBuilder:
    made = WorkflowBuilder(
        persistence_provider=store,
        clock=JumpingClock(),
        ids=CountedIds(),
        plugins=False,
        import_roots=["tests"],
        **options,
    )
    made.register(*_definitions())
    return made


def ran(name: str, state: Desk, **options: Any) -> Any:
    """A run to its end, or to where it waits."""

    async def scenario() -> Any:
        run = await make_builder(**options).create_workflow(name, state)
        await run.run()
        return run

    return asyncio.run(scenario())


def local(flow: Any, state: Desk, world: World | None = None) -> LocalOutcome:
    flows.DONE.clear()
    return asyncio.run(run_local(flow, state, world or World()))


# Blocks


def test_a_block_is_inlined_wherever_it_is_used() -> None:
    """Twice in a body, in a block, a loop, a `try` and a branch: what it calls and gives is what Python says."""
    run = ran("Blocks", Desk())
    done = list(flows.DONE)
    plain = local(flows.blocks, Desk())
    assert run.error is None
    assert (run.result, run.state) == (plain.result, plain.state)
    assert sorted(done) == sorted(flows.DONE)
    assert run.result[:3] == ["FIRST 0", "FIRST AGAIN 0", "FIRST AGAIN 1"]


def test_nothing_is_left_of_a_block_in_the_graph() -> None:
    """Each use has nodes of its own: activations, names and keys differ."""
    builder = make_builder()

    async def scenario() -> list[str]:
        run = await builder.create_workflow("Blocks", Desk())
        await run.run()
        return [entry["activation"] for entry in await run.history() if entry["kind"] == "step"]

    activations = asyncio.run(scenario())
    assert len(activations) == len(set(activations)) == 10


def test_blocks_survive_every_crash() -> None:
    """Law 4."""
    scenario = Scenario(make_builder(), "Blocks", Desk(), outside=OutsideWorld((), reset=flows.DONE.clear))
    report = CrashExplorer(scenario).explore(seeds=3, pairs=5)
    assert report.ok, "\n".join(f"{item.kind} [{item.schedule}]: {item.what}" for item in report.findings)


# Tolerated failures


@pytest.mark.parametrize("bad", [[], [4], [0, 9]], ids=["none", "one", "two"])
def test_failures_within_the_share_are_results(bad: list[int]) -> None:
    """Two of ten are tolerated; who failed, and why, is in the batch."""
    run = ran("Tolerating", Desk(bad=bad))
    good = [item * 10 for item in range(10) if item not in bad]
    assert list(map(list, run.result)) == [good, bad, ["Unlucky"] * len(bad)]
    assert run.result == local(flows.tolerating, Desk(bad=bad)).result


def test_one_failure_too_many_fails_the_gather() -> None:
    """With the share in words, and the first error as its cause; every branch has run."""
    run = ran("Tolerating", Desk(bad=[1, 5, 8]))
    done = sorted(flows.DONE)
    plain = local(flows.tolerating, Desk(bad=[1, 5, 8]))
    assert run.status == "FAILED"
    assert isinstance(run.error, StepFailed)
    assert "3 of 10 branches" in str(run.error)
    assert (type(plain.error), str(plain.error)) == (type(run.error), str(run.error))
    assert done == sorted(f"work {item}" for item in range(10))


def test_tolerated_failures_survive_every_crash() -> None:
    """The share counts each branch once."""
    outside = OutsideWorld((), reset=flows.DONE.clear)
    scenario = Scenario(make_builder(), "Tolerating", Desk(bad=[2, 3]), outside=outside)
    report = CrashExplorer(scenario).explore(seeds=3, pairs=5)
    assert report.ok, "\n".join(f"{item.kind} [{item.schedule}]: {item.what}" for item in report.findings)


# Resources


def test_a_resource_is_found_by_its_class() -> None:
    """The object that the builder was given, the same for every step."""
    printer = Printer()
    assert [ran("Printing", Desk(turns=turn), resources=[printer]).result for turn in range(2)] == [1, 2]
    assert printer.pages == ["turn 0", "turn 1"]
    assert local(flows.printing, Desk(), World(resources={Printer: printer})).result == 3


@pytest.mark.parametrize("resources", [[], [Colour()]], ids=["none", "a subclass"])
def test_a_missing_resource_is_named_with_the_remedy(resources: list[object]) -> None:
    """Concrete classes only: a subclass is another resource."""
    run = ran("Printing", Desk(), resources=resources)
    assert isinstance(run.error, ContextUnavailableError)
    assert "Printer" in str(run.error)
    assert "resources=" in str(run.error)


# Mailboxes


async def read_all(name: str, mails: list[tuple[str, str | None]], *, before: bool, anew: bool) -> Any:
    """A run that gets its mail before or while it waits; `anew` loads it for each message."""
    store = MemoryPersistenceProvider()
    builder = make_builder(store)
    run = await builder.create_workflow(name, Desk())
    if not before:
        await run.run()
    for text, key in mails:
        if anew:
            run = await builder.load_workflow(run.id)
        await run.signal(Mail(text=text), key=key)
    run = await builder.load_workflow(run.id)
    if not run.status.is_terminal:
        await run.run()
    return run


@pytest.mark.parametrize(("before", "anew"), [*product([True, False], repeat=2)])
def test_many_messages_of_one_name_are_taken_in_order(before: bool, anew: bool) -> None:
    """Those that come early wait; one too many lies there and harms nothing."""
    mails: list[tuple[str, str | None]] = [(text, None) for text in "abcd"]
    run = asyncio.run(read_all("Reading", mails[: 4 if before else 3], before=before, anew=anew))
    assert (run.status, run.result) == ("COMPLETED", ["a", "b", "c"])


@pytest.mark.parametrize("anew", [True, False])
def test_each_key_has_a_mailbox_of_its_own(anew: bool) -> None:
    """Messages for another key stay where they are, in their order."""
    mails: list[tuple[str, str | None]] = [("first for a", "a"), ("for b", "b"), ("second for a", "a"), ("more b", "b")]
    run = asyncio.run(read_all("Sorting", mails, before=True, anew=anew))
    assert run.result == ["for b", "first for a", "more b"]


def test_a_message_sent_twice_under_one_dedup_key_is_one() -> None:
    """So a sender that does not know whether it got through may repeat itself."""

    async def scenario() -> Any:
        run = await make_builder().create_workflow("Reading", Desk())
        for text, dedup in (("a", "1"), ("a", "1"), ("b", "2"), ("c", "3")):
            await run.signal(Mail(text=text), dedup=dedup)
        if not run.status.is_terminal:
            await run.run()
        return run

    assert asyncio.run(scenario()).result == ["a", "b", "c"]


def test_mail_survives_every_crash() -> None:
    """Taken once, in order, whenever the process dies."""
    script = Script(signals=[ScriptedSignal(Mail(text=text)) for text in "abc"])
    outside = OutsideWorld((), reset=flows.DONE.clear)
    scenario = Scenario(make_builder(), "Reading", Desk(), script=script, outside=outside)
    report = CrashExplorer(scenario).explore(seeds=3, pairs=5)
    assert report.ok, "\n".join(f"{item.kind} [{item.schedule}]: {item.what}" for item in report.findings)


# Restarts


def test_mail_that_came_early_is_for_the_next_life_too() -> None:
    """The mailbox belongs to the id; the history begins anew (section 12.9)."""

    async def scenario() -> tuple[Any, int]:
        run = await make_builder().create_workflow("Restarting", Desk())
        for text in ("one", "two", "stop"):
            await run.signal(Mail(text=text))
        if not run.status.is_terminal:
            await run.run()
        return run, len(await run.history())

    run, rows = asyncio.run(scenario())
    assert (run.status, run.result, run.state.turns) == ("COMPLETED", ["one", "two"], 2)
    assert rows <= 3


def test_restarts_survive_every_crash() -> None:
    """No life is lived twice, no message is lost between two."""
    script = Script(signals=[ScriptedSignal(Mail(text=text)) for text in ("one", "two", "stop")])
    scenario = Scenario(make_builder(), "Restarting", Desk(), script=script)
    report = CrashExplorer(scenario).explore(seeds=3, pairs=5)
    assert report.ok, "\n".join(f"{item.kind} [{item.schedule}]: {item.what}" for item in report.findings)
