"""Disagreements that the campaigns found, each made small and kept for ever."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from textwrap import indent
from typing import Any

import pytest

from ruvon import Reply
from tests.differential.blocks import HEAD
from tests.differential.running import compiled, explained
from tests.differential.shop import FAKES, INSTANT, Approval, Declined, Note, Rejected, State, Stop, behave
from tests.support.differential import Outside, Sent, differences, local_run
from tests.support.differential_engine import engine_run, memory


@dataclass(frozen=True)
class Found:
    """A body, its decorator's options, and what its steps do by tag."""

    body: str
    options: str = ""
    does: Mapping[str, Reply] | None = None
    signals: tuple[Sent, ...] = ()
    answers: Mapping[str, tuple[Any, int]] | None = None

    def outside(self) -> Outside:
        """The world; a call whose tag is not told works and takes its own time below a second."""
        told = self.does or {}

        def play(outside: Outside, name: str, given: Mapping[str, Any]) -> Reply:
            key = f"{given['tag']}:{given.get('n')}"
            usual = behave(outside, name, {**given, "tag": "works"} if "state" not in given else given)
            return told.get(given["tag"], told.get(key, usual))

        return Outside(play, 0, dict(self.answers or {}), self.signals, INSTANT, FAKES)


def after(seconds: float, error: Exception | None = None) -> Reply:
    """A reply that takes so long."""
    return Reply(1, error, timedelta(seconds=seconds))


FOUND = {
    "a step with context and compensation keeps its arguments": Found(
        'await book("b", 1)\nraise Rejected("no", 1)', ", saga=True"
    ),
    "an error names the function and not the node": Found(
        'await slow("a", 1)\ntry:\n    await slow("b", 1)\nexcept TimeoutError as err:\n    state.name = f"{str(err)}"',
        does={"b": after(6)},
    ),
    "a wait that timed out names no node": Found(
        "try:\n    await receive(Note, timeout=timedelta(seconds=1))\nexcept TimeoutError:\n    pass\n"
        "await receive(Note, timeout=timedelta(seconds=1))"
    ),
    "changes in place before an error stay": Found('state.notes.append("n")\nraise Rejected("no", 1)'),
    "changes in place in a finally before an error leaves stay": Found(
        'try:\n    await val("a", 1)\nfinally:\n    state.prices["k"] = 1', does={"a": after(1, Rejected("no", 1))}
    ),
    "no branch begins where an argument of one raises": Found(
        'try:\n    await gather(val("a", 1), val("b", state.prices["nowhere"]))\nexcept KeyError:\n    state.name = "none"'
    ),
    "no branch begins where an argument for one item raises": Found(
        "try:\n"
        '    await gather(*(val(f"a{n}", 1 // (2 - n)) for n in [1, 2, 3]), limit=1)\n'
        "except ZeroDivisionError:\n"
        '    state.name = "none"'
    ),
    "no branch of a race begins where an argument of one raises": Found(
        'try:\n    await first_of(sub(Job(n=1, tag="c1")), sleep(timedelta(seconds=1 // len(state.name[:0]))))\nexcept ZeroDivisionError:\n    pass'
    ),
    "a failed argument is no failed branch": Found(
        'try:\n    await gather(val("a", 1), val("b", [1][state.n + 7]), partial=True)\nexcept IndexError:\n    pass'
    ),
    "what a later branch is given is known before the first begins": Found(
        'n = 0\ntry:\n    await gather(val("a", 1), after(val("b", 1 // n), "val"))\nexcept ZeroDivisionError:\n    pass'
    ),
    "a retry is due while another branch runs": Found(
        'await gather(flaky("a", 1), val("b", 2))\nstate.when = now()',
        does={"a:1": after(0.5, Declined("no")), "b": after(60)},
    ),
    "a timer rings while another branch runs": Found(
        'async def long() -> int:\n    return await val("a", 1)\n'
        "match await first_of(sleep(timedelta(seconds=1)), long()):\n"
        '    case Elapsed():\n        state.name = "late"\n    case int():\n        state.name = "in time"\nstate.when = now()',
        does={"a": after(60)},
    ),
    "a child begins while another branch runs": Found(
        'await gather(val("a", 1), sub(Job(n=1, tag="c1")))\nstate.when = now()', does={"a": after(60)}
    ),
    "a child that is not needed any more ends": Found(
        'try:\n    await gather(val("a", 1), sub(Job(n=1, tag="c1")))\nexcept Rejected:\n    pass\nawait sleep(timedelta(minutes=1))',
        does={"a": after(2, Rejected("no", 1)), "c1.0": after(5)},
    ),
    "a person's time runs out before a timer": Found(
        'async def asks() -> int:\n    got = await human("t", form=Approval, timeout=timedelta(seconds=5), default=Approval(amount=2))\n'
        '    return await val("a", got.amount)\n'
        "match await first_of(receive(Stop), sleep(timedelta(seconds=9)), asks()):\n"
        "    case int() as won:\n        state.n = won\n    case Elapsed():\n        state.n = -1\n    case Stop():\n        state.n = -2",
        signals=(Sent(Stop(by="x"), 7_000_000),),
    ),
    "the first error of a gather is raised": Found(
        'await gather(val("a", 1), val("b", 2))',
        does={"a": after(2, Rejected("second", 2)), "b": after(1, Rejected("first", 1))},
    ),
    "a second error that no handler takes does not end the run": Found(
        'try:\n    await gather(val("a", 1), val("b", 2))\nexcept Rejected:\n    state.name = "caught"',
        does={"a": after(1, Rejected("first", 1)), "b": after(2, KeyError("second"))},
    ),
    "messages that lie there when a race begins came at one instant": Found(
        'await val("a", 1)\n'
        'match await first_of(receive(Stop, key="k"), receive(Note, key="k"), sleep(timedelta(seconds=9))):\n'
        '    case Stop():\n        state.notes.append("stop")\n'
        '    case Note():\n        state.notes.append("note")\n'
        '    case Elapsed():\n        state.notes.append("nothing")\n'
        'got = await receive(Note, key="k")\nstate.n = got.amount',
        does={"a": after(3)},
        signals=(Sent(Note(amount=7), 0, "k"), Sent(Stop(by="x"), 1_000_000, "k")),
    ),
    "messages that come while a race waits decide it as they come": Found(
        'match await first_of(receive(Stop, key="k"), receive(Note, key="k"), sleep(timedelta(seconds=9))):\n'
        '    case Stop():\n        state.notes.append("stop")\n'
        '    case Note():\n        state.notes.append("note")\n'
        '    case Elapsed():\n        state.notes.append("nothing")\n'
        'got = await receive(Stop, key="k")\nstate.name = got.by',
        signals=(Sent(Note(amount=7), 1_000_000, "k"), Sent(Stop(by="x"), 2_000_000, "k")),
    ),
    "a batch that was interrupted goes on as a whole": Found(
        'async def each(item: int) -> int:\n    await val("a", item)\n    return await val("b", item)\n'
        "xs = await gather(*(each(item) for item in range(3)), batch_size=2)\nstate.n = len(xs)\nstate.when = now()",
        does={"a": after(1), "b": after(2)},
    ),
    "an inner gather fails when its running branches have ended": Found(
        'async def inner() -> int:\n    a, b = await gather(val("a", 1), val("b", 2))\n    return a\n'
        'await gather(inner(), val("c", 3))',
        does={"a": after(1, Rejected("first", 1)), "b": after(5), "c": after(3, Rejected("before", 3))},
    ),
    "an error that nothing takes cancels the children that are awaited": Found(
        'await gather(sub(Job(n=1, tag="k")), val("a", 1))',
        does={"k.0": after(2), "a": after(1, Rejected("first", 1)), "k.1": after(2)},
    ),
    "a cancel cuts short what cleans up after an error": Found(
        "async def cleans() -> int:\n    try:\n"
        '        await val("a", 1)\n    finally:\n        await val("b", 2)\n        await val("d", 4)\n    return 1\n'
        'try:\n    await gather(cleans(), val("c", 3))\nexcept Rejected:\n    state.name = "caught"',
        does={"a": after(1, Rejected("a", 1)), "b": after(3), "c": after(2, Rejected("c", 3))},
    ),
    "the loser of a race consumes no message": Found(
        "for item in range(2):\n"
        '    match await first_of(receive(Stop, key="k"), receive(Note, key="k"), sleep(timedelta(seconds=1))):\n'
        '        case Stop():\n            state.notes.append("stop")\n'
        '        case Note():\n            state.notes.append("note")\n'
        '        case Elapsed():\n            state.notes.append("nothing")\n'
        '    await val("a", item)',
        signals=(Sent(Stop(by="x"), 0, "k"), Sent(Note(amount=1), 0, "k")),
    ),
    "a nested gather that is stopped leaves once": Found(
        "async def inner() -> int:\n    await gather(sleep(timedelta(seconds=5)), sleep(timedelta(seconds=6)))\n    return 1\n"
        'try:\n    await gather(val("a", 1), inner())\nexcept Rejected:\n    state.name = "caught"',
        does={"a": after(1, Rejected("first", 1))},
    ),
    "an answer is given beside a running step": Found(
        'a, b = await gather(val("a", 1), human("t", form=Approval))\nstate.when = now()\nstate.n = b.amount',
        does={"a": after(60)},
        answers={"t": (Approval(amount=3), 1_000_000)},
    ),
}


@pytest.mark.parametrize("found", FOUND.values(), ids=list(FOUND))
def test_found(found: Found) -> None:
    """The engine does what CPython does, also when the process is lost after any commit."""
    text = (
        HEAD
        + f'@workflow("Generated"{found.options})\nasync def generated(state: State) -> None:\n'
        + indent(found.body, "    ")
        + "\n"
    )
    ready = compiled(text, f"found_{abs(hash(text))}")
    assert ready is not None, text
    initial = State(n=3, prices={"z": 1})
    expected = local_run(ready.workflow, initial, found.outside())
    assert expected.end != "stuck"
    once = engine_run(ready.definitions, initial, found.outside())
    assert not differences(expected, once), explained(ready, 0, differences(expected, once))
    for number in range(1, once.commits + 1):
        again = engine_run(ready.definitions, initial, found.outside(), memory(), (number, True))
        assert not differences(once, again), explained(ready, number, differences(once, again))
        assert not again.repeated


def test_the_comparison_can_fail() -> None:
    """Two different worlds give differences; a suite that cannot fail proves nothing."""
    ready = compiled(
        HEAD + '@workflow("Generated")\nasync def generated(state: State) -> int:\n    return await val("a", 1)\n',
        "found_differs",
    )
    assert ready is not None
    right = Found("").outside()
    wrong = Found("", does={"a": Reply(99)}).outside()
    assert differences(local_run(ready.workflow, State(), right), engine_run(ready.definitions, State(), wrong))
