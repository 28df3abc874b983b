"""Schedules, scripts, shapes, the outside world and the stores of the crash explorer, one by one."""

import asyncio
import os
import random
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from ruvon.builder import WorkflowBuilder
from ruvon.ir import Definition, RuvonError
from ruvon.providers import DefinitionRecord, InstanceRecord, OutboxRecord, Transition
from ruvon.testing import (
    CrashExplorer,
    Fault,
    FaultKind,
    FindingKind,
    MemoryStores,
    OutsideWorld,
    Point,
    PointKind,
    Scenario,
    Schedule,
    ScheduleError,
    Script,
    ScriptedSignal,
    ScriptError,
    SQLiteStores,
    Stores,
    VirtualClock,
    run_virtual,
)
from ruvon.testing._outcome import events_of
from ruvon.testing._schedule import FAULTS_AT
from ruvon.testing._shapes import differences, shape
from tests.support import kit_flows as flows

FAULTS = st.builds(Fault, st.integers(0, 9), st.integers(0, 999), st.sampled_from(FaultKind), st.integers(1, 9))
SCHEDULES = st.builds(
    lambda faults, seed, skew: Schedule(tuple(sorted(faults)), seed, skew),
    st.lists(FAULTS, max_size=5, unique_by=lambda fault: (fault.life, fault.point)),
    st.none() | st.integers(0, 10**9),
    st.integers(-(10**15), 10**15),
)


# Schedules


@given(SCHEDULES)
def test_a_schedule_reads_back_as_itself(schedule: Schedule) -> None:
    """Its text is all there is to it."""
    assert Schedule.parse(str(schedule)) == schedule


@given(SCHEDULES)
def test_a_schedule_says_what_goes_wrong_where(schedule: Schedule) -> None:
    """Each fault at its point, nothing elsewhere; without a fault it is gone and the rest is as it was."""
    assert schedule.at(99, 0) is None
    for fault in schedule.faults:
        assert schedule.at(fault.life, fault.point) is fault.kind
        smaller = schedule.without(fault)
        assert smaller.at(fault.life, fault.point) is None
        assert (len(smaller.faults), smaller.seed) == (len(schedule.faults) - 1, schedule.seed)


@pytest.mark.parametrize("text", ["0.1", "0.1:explode", "x", "seed=x", "seed", "0.-1:torn", "limit=3", "0.1:TORN"])
def test_what_is_no_schedule_is_refused(text: str) -> None:
    """The sentence shows the part, the form and the faults there are."""
    with pytest.raises(ScheduleError, match=r"is no part of a schedule; write LIFE\.POINT:FAULT") as caught:
        Schedule.parse(f"0.0:die-after {text}")
    assert isinstance(caught.value, RuvonError)


def test_every_fault_has_a_place() -> None:
    """Each kind of fault can happen at some kind of point."""
    assert {kind for kinds in FAULTS_AT.values() for kind in kinds} == set(FaultKind)
    assert set(FAULTS_AT) == set(PointKind)
    assert str(Point(0, 3, PointKind.BODY, "`pay`")) == "the body of `pay`"


# Scripts


def test_a_script_as_json() -> None:
    """Everything that a script can say."""
    script = Script.of_json(
        '{"answers": {"a": [1]}, "signals": [{"type": "Paid", "payload": {"amount": 1}, "key": 3, "after_s": 60}],'
        ' "answer_after_s": 1.5, "cancel_after_s": 9}'
    )

    assert script == Script(
        answers={"a": [1]},
        signals=[ScriptedSignal("Paid", {"amount": 1}, "3", timedelta(minutes=1))],
        answer_after=timedelta(seconds=1.5),
        cancel_after=timedelta(seconds=9),
    )
    assert Script.of_json("{}") == Script(signals=[])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "it is no JSON"),
        ("3", "it must be an object"),
        ('{"x": 1}', "it has no key `x`"),
        ('{"answers": 1}', "`answers` must be an object"),
        ('{"answers": {"a": {}}}', "`a` must be a list"),
        ('{"signals": {}}', "`signals` must be a list"),
        ('{"signals": [1]}', r"`signals\[\]` must be an object"),
        ('{"signals": [{"type": 1}]}', "a signal needs `type`"),
        ('{"signals": [{"type": "Paid", "after": 5}]}', "a signal has no key `after`"),
        ('{"answer_after_s": true}', "`answer_after_s` must be a number of seconds"),
        ('{"cancel_after_s": "1"}', "`cancel_after_s` must be a number of seconds"),
    ],
)
def test_a_malformed_script_is_refused(text: str, problem: str) -> None:
    """The part is named."""
    with pytest.raises(ScriptError, match=f"the script of the outside world cannot be read: {problem}"):
        Script.of_json(text)


# Shapes


class Colour(Enum):
    RED = 1


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    at: datetime


@dataclass
class Pair:
    left: int
    right: object


class Plain:
    def __init__(self) -> None:
        self.inside = [1]


@pytest.mark.parametrize(
    "value",
    [
        None, 1, True, 1.5, "a", b"b", Decimal("1.0"), Colour.RED, [1, [2]], (1, 2), {1, 2}, frozenset({"a"}),
        {"a": {"b": 1}, 2: "c"}, Open(at=datetime(2026, 1, 1, tzinfo=UTC), more=1), Pair(1, [2]), Plain(), ValueError("x"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_value_has_one_shape(value: object) -> None:
    """The same value again has the same shape, and no difference from itself."""
    assert shape(value) == shape(value)
    assert differences("it", shape(value), shape(value)) == []


@pytest.mark.parametrize(
    ("one", "two", "told"),
    [
        (1, 2, ["it is 2, without the fault it is 1"]),
        (1, True, ["it is True, without the fault it is 1"]),
        (1, 1.0, ["it is 1.0, without the fault it is 1"]),
        ([1], (1,), ["it is [1], without the fault it is [1]"]),
        ([1, 2], [1, 3], ["it[1] is 3, without the fault it is 2"]),
        ([1], [1, 1], ["it has 2 items, without the fault 1; 1 is there once too often"]),
        ([1, 2], [2], ["it has 1 items, without the fault 2; 1 is missing"]),
        ({"a": 1}, {"a": 2}, ["it.a is 2, without the fault it is 1"]),
        ({"a": 1}, {}, ["it.a is missing; without the fault it is 1"]),
        ({}, {"a b": 1}, ["it['a b'] is 1; without the fault it is not there"]),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, ["the keys of it stand in the order b, a; without the fault in a, b"]),
        (Pair(1, None), Pair(1, 2), ["it.right is 2, without the fault it is None"]),
        (Colour.RED, None, ["it is None, without the fault it is Colour RED"]),
        ("a" * 200, "", [f"it is '', without the fault it is '{'a' * 116}..."]),
    ],
)  # fmt: skip
def test_differences_are_told_where_they_are(one: object, two: object, told: list[str]) -> None:
    """The place and both values; sorts of containers, numbers of items and the order of keys count."""
    assert differences("it", shape(one), shape(two)) == told


@pytest.mark.parametrize(("one", "two"), [([1, [2], 3], [3, 1, [2]]), ({"a": 1, "b": 2}, {"b": 2, "a": 1})])
def test_order_can_be_left_out(one: object, two: object) -> None:
    """What concurrent branches did outside has no order; how often each thing is there still counts."""
    assert differences("it", shape(one), shape(two), ordered=False) == []
    assert differences("it", shape(one), shape(two)) != []
    assert differences("it", shape([1, 1, 2]), shape([1, 2, 2]), ordered=False) != []


def test_ids_and_moments_are_compared_by_their_type() -> None:
    """A process that dies draws others; asked exactly, they differ."""
    here, there = ({"id": uuid4(), "at": datetime(2026, 1, day, tzinfo=UTC)} for day in (1, 2))

    assert differences("it", shape(here), shape(there)) == []
    assert len(differences("it", shape(here, exact=True), shape(there, exact=True))) == 2
    assert differences("it", shape(uuid4()), shape("text")) == ["it is 'text', without the fault it is UUID any"]


def test_a_long_list_of_differences_is_cut() -> None:
    """A report shows the first few."""
    assert differences("it", shape(dict.fromkeys(map(str, range(9)), 0)), shape({}))[-1] == "... and 4 more"


def test_a_value_that_holds_itself_has_a_shape() -> None:
    """Cycles end somewhere."""
    ring: list[object] = []
    ring.append(ring)

    assert shape(ring) == shape(ring)


# Events


def test_events_are_kept_by_sequence() -> None:
    """Order counts inside a sequence, not between branches; drawn ids and moments do not count."""

    def event(key: str, **payload: object) -> OutboxRecord:
        import orjson

        return OutboxRecord("news", orjson.dumps(payload), workflow_id=UUID(int=1), key=key)

    one = events_of([event("gather#0/a", n=1), event("gather#1/b", n=2), event("c", id=uuid4(), at=datetime.now(UTC))])
    two = events_of([event("gather#1/b", n=2), event("gather#0/a", n=1), event("c", id=uuid4(), at=datetime.now(UTC))])

    assert one == two
    assert events_of([event("a", n=1), event("b", n=2)]) != events_of([event("b", n=2), event("a", n=1)])
    assert events_of([event("", n=1), event("", n=2)]) == events_of([event("", n=2), event("", n=1)])


# The outside world


def test_module_variables_are_put_back(compiled: list[Definition]) -> None:
    """Lists, dicts, sets and objects in place, because others hold them too; numbers and texts by name."""
    world = OutsideWorld(compiled)
    held, inner, before = flows.LEDGER, flows.KEPT, world.look()
    flows.LEDGER.append("more")
    flows.CHARGES["b"] = 2
    flows.FLAGS.clear()
    flows.KEPT.seen.append(1)
    vars(flows).update(COUNT=7, TEXT="after")
    changed = world.look()

    world.restore()

    assert {name.rpartition(".")[2] for name in before if before[name] != changed[name]} == {
        "LEDGER", "CHARGES", "FLAGS", "KEPT", "COUNT", "TEXT",
    }  # fmt: skip
    assert world.look() == before
    assert held is flows.LEDGER
    assert held == []
    assert inner is flows.KEPT
    assert not any(name.endswith(".LOCK") for name in before)  # nothing that a test could put back


def test_probes_and_reset(compiled: list[Definition]) -> None:
    """A probe's answer stands beside the variables; the reset is called with each restore."""
    taken = [5]
    world = OutsideWorld(compiled, {"charges": lambda: list(taken)}, taken.clear)
    assert world.look()["charges"] == shape([5])
    world.restore()

    assert world.look()["charges"] == shape([])


# Stores


@pytest.fixture
def builder(compiled: list[Definition]) -> WorkflowBuilder:
    """Knows the kit's workflows."""
    made = WorkflowBuilder(plugins=False, import_roots=["tests"])
    made.register(*compiled)
    return made


def test_memory_outlives_a_process() -> None:
    """The next life finds the same store, until it is discarded."""

    async def work(loop: Any) -> list[bool]:
        stores = MemoryStores()
        clock = VirtualClock(loop)
        first = await stores.open(clock)
        await stores.lose(first, None)
        same = await stores.open(clock) is first
        await stores.discard()
        return [same, await stores.open(clock) is first]

    assert run_virtual(work) == [True, False]


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_a_death_is_found_by_the_next_process(kind: str, tmp_path: Path) -> None:
    """What was being driven is free, and its next holder is told; what was only held, or was released, tells nothing."""
    names = [UUID(int=number) for number in range(1, 4)]

    async def work(loop: Any) -> list[bool]:
        stores: Stores = MemoryStores() if kind == "memory" else SQLiteStores(tmp_path)
        found: list[bool] = []
        with loop.outside():
            for life in range(2):
                store = await stores.open(VirtualClock(loop))
                await store.initialize()
                for name in names[: 3 * (not life)]:
                    await store.commit(_created(name))
                driven, _, released = holds = [await store.hold(name) for name in names]
                found += [hold.died for hold in holds]
                driven.driving()
                released.driving()
                await released.release()
                await stores.lose(store, None)
        return found

    assert run_virtual(work) == [False, False, False, True, False, False]


def _created(name: UUID) -> Transition:
    record = InstanceRecord(name, "Any", "1", bytes(32), "ACTIVE", b"{}", b"{}")
    definition = DefinitionRecord(bytes(32), "Any", "1", "{}")
    return Transition(
        name, 0, -1, 0, b"", "ACTIVE", b"", None, 0, [], 0, created=(record,), definitions=(definition,)
    )  # fmt: skip


def test_a_torn_commit_really_is_torn(
    builder: WorkflowBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log of the file is cut off inside the commit, at a place that the schedule draws."""
    cuts: list[tuple[int, int, int]] = []
    tear = SQLiteStores._tear

    def spy(self: SQLiteStores, log: Path, chance: random.Random) -> None:
        before = log.stat().st_size
        tear(self, log, chance)
        cuts.append((self._kept_bytes, log.stat().st_size, before))

    monkeypatch.setattr(SQLiteStores, "_tear", spy)
    scenario = Scenario(builder, "Sound", {}, make_stores=lambda: SQLiteStores(tmp_path))
    expected = scenario.run()
    commits = [point.number for point in expected.ledger.points if point.kind is PointKind.COMMIT]

    for number in commits:
        outcome = scenario.run(Schedule((Fault(0, number, FaultKind.TORN),)))
        assert expected.compared(outcome) == []

    assert len(cuts) == len(commits)
    assert all(kept <= cut < whole for kept, cut, whole in cuts)
    assert len({cut - kept for kept, cut, _ in cuts}) > 1
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_damaged_shows(
    builder: WorkflowBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A death that cuts what was committed before is found as lost: the kit would see a store that lies."""
    monkeypatch.setattr(SQLiteStores, "note_commit", lambda self: setattr(self, "_kept_bytes", 0))
    monkeypatch.setattr(SQLiteStores, "_tear", lambda self, log, chance: os.truncate(log, 0))
    scenario = Scenario(builder, "Sound", {}, make_stores=lambda: SQLiteStores(tmp_path))

    report = CrashExplorer(scenario, torn=True).explore()

    assert {item.kind for item in report.findings} & {FindingKind.LOST, FindingKind.REPEATED}


def test_an_empty_file_is_copied_not_made(tmp_path: Path) -> None:
    """A fresh store is a sound database of the present schema."""

    async def work(loop: Any) -> list[str]:
        stores = SQLiteStores(tmp_path)
        store: Any = await stores.open(VirtualClock(loop))
        await store.initialize()
        problems: list[str] = await store.check()
        assert sqlite3.connect(stores.path).execute("PRAGMA user_version").fetchone()[0] > 0
        await store.close()
        await stores.discard()
        return problems

    assert run_virtual(work) == []
    assert list(tmp_path.iterdir()) == []


# Scenarios


def test_a_scenario_is_the_same_each_time(builder: WorkflowBuilder) -> None:
    """One schedule, one run: bodies, points and end."""
    scenario = Scenario(builder, "SoundSaga", flows.Cart, script=Script())
    schedule = Schedule((Fault(0, 3, FaultKind.DIE_AFTER), Fault(1, 1, FaultKind.ERROR_AFTER)), seed=3)

    first, second = scenario.run(schedule), scenario.run(schedule)

    assert first.ledger.points == second.ledger.points
    assert [body.key for body in first.ledger.bodies] == [body.key for body in second.ledger.bodies]
    assert first.compared(second) == []
    assert first.repeats()


def test_events_are_part_of_the_outcome(builder: WorkflowBuilder) -> None:
    """What was published once is there once, however often the step ran; a second one is a difference."""
    scenario = Scenario(builder, "Sound", {})
    expected = scenario.run()
    (body,) = [item for item in expected.ledger.bodies if item.step == "pay"]

    outcome = scenario.run(Schedule((Fault(0, body.point, FaultKind.DIE_AFTER),)))

    assert sum(map(len, expected.events.values())) == 1
    assert outcome.events == expected.events
    assert [item.topic for item in outcome.ledger.published] == ["paid"]
    (key,) = outcome.events
    outcome.events[key] *= 2
    assert "what `Sound` published has 2 items, without the fault 1" in expected.compared(outcome)[0]


def test_progress_is_told_run_by_run(builder: WorkflowBuilder) -> None:
    """Done rises by one, and the number known of is never passed."""
    told: list[tuple[int, int]] = []

    report = CrashExplorer(Scenario(builder, "Sound", {})).explore(
        pairs=3, seeds=3, progress=lambda done, known: told.append((done, known))
    )

    assert [done for done, _ in told] == list(range(1, report.runs + 1))
    assert all(done <= known for done, known in told)


def test_a_workflow_without_end_is_stuck(builder: WorkflowBuilder) -> None:
    """A scenario gives up after so many moves, and says so."""
    assert Scenario(builder, "Endless", {}, max_rounds=30).run().stuck


def test_a_message_comes_late_twice_and_once_more(builder: WorkflowBuilder) -> None:
    """Lateness moves the clock; doubles and echoes change nothing."""
    script = Script(answers={"consent": [{"given": False}]})
    scenario = Scenario(builder, "Buying", {}, script=script)
    expected = scenario.run()
    (message,) = [point for point in expected.ledger.points if point.kind is PointKind.MESSAGE]

    for kind in (FaultKind.LATE, FaultKind.TWICE, FaultKind.ECHO, FaultKind.DIE_BEFORE, FaultKind.DIE_AFTER):
        assert expected.compared(scenario.run(Schedule((Fault(0, message.number, kind),)))) == []


def test_asyncio_runs_are_no_place_for_a_scenario(builder: WorkflowBuilder) -> None:
    """It needs the thread's loop for itself."""

    async def inner() -> None:
        with pytest.raises(RuntimeError, match="a loop runs in this thread already"):
            Scenario(builder, "Sound", {}).run()

    asyncio.run(inner())
