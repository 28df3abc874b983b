"""RV0301: in-place changes that another name would see, and those that nobody sees."""

from textwrap import indent

import pytest

from ruvon_dsl._draft import SourceText
from ruvon_dsl.python import lower_module

HEAD = """
from ruvon import gather, step, workflow

@step
async def use(value): ...

@workflow("A")
async def a(state):
"""


def codes(body: str) -> list[str]:
    """The codes a body gets."""
    (draft,) = lower_module(SourceText("a.py", HEAD + indent(body, "    ") + "\n"), None)
    return [item.code for item in draft.diagnostics]


@pytest.mark.parametrize(
    "body",
    [
        "x = state.lines[0]\nstate.lines[0].qty = 1\nawait use(x)",
        "x = state.lines\nstate.lines.append(1)\nawait use(x)",
        "x = state.lines\ny = x\nstate.lines.append(1)\nawait use(y)",
        "x = [state.lines]\nstate.lines.append(1)\nawait use(x)",
        "xs = []\nstate.notes = xs\nxs.append(1)",
        "xs = []\nys = xs\nxs.append(1)\nawait use(ys)",
        "xs = []\nfor i in range(3):\n    state.notes = xs\n    xs.append(i)",
        "for x in state.lines:\n    state.lines.append(x)",
        "for i, x in enumerate(state.lines):\n    state.lines[i].qty = 2",
        "for x in [y for y in state.lines]:\n    state.lines[0].qty = 1\n    await use(x)",
        "x = state.lines[0]\nfor i in range(3):\n    await use(x)\n    state.lines[0].qty = i",
        "x = None\nfor i in range(3):\n    await use(x)\n    x = state.lines[0]\n    state.lines[0].qty = i",
        "state.first = state.lines\nstate.lines.append(1)",
        "shown = [state]\nstate.total = 1\nawait use(shown)",
        "xs = [1]\nawait gather(use(xs), use(1))\nxs.append(2)",
        "xs = await use(1)\nxs.append(2)",
        "xs = state.notes\nxs += [1]",
        "for x in state.lines:\n    x.qty = 0\n    await use(x)",
        "xs = []\nasync def b():\n    xs.append(1)\n    await use(1)\nawait gather(b(), use(2))",
        "match state.lines:\n    case [x, *_]:\n        state.lines[0].qty = 1\n        await use(x)",
    ],
)
def test_a_change_that_is_seen_is_refused(body: str) -> None:
    """Each program would mean two things."""
    assert codes(body) == ["RV0301"]


@pytest.mark.parametrize(
    "body",
    [
        "state.lines[0].qty = 1\nx = state.lines[0]\nawait use(x)",
        "x = state.lines[0]\nawait use(x)\nstate.lines[0].qty = 1",
        "x = state.lines[1]\nstate.lines[0].qty = 1\nawait use(x)",
        "x = state.lines[0].qty\nstate.lines[0].qty = 1\nawait use(x)",
        "for i in range(len(state.lines)):\n    x = state.lines[i]\n    await use(x)\n    state.lines[i].done = True",
        "xs = []\nfor i in range(3):\n    xs.append(i)\nstate.notes = xs",
        "xs = []\nxs.append(1)\nxs += [2]\nxs.extend([3])\nawait use(xs)",
        "d = {}\nd['a'] = 1\nd.update(b=2)\nd.update({'c': 3})\nawait use(d)",
        "x = state.total\nstate.total = 2\nawait use(x)",
        "state.lines = [x for x in state.lines if x]\nstate.lines[0].qty = 1",
        "for x in state.lines:\n    state.lines = [*state.lines, x]\n    await use(x)",
        "for x in state.lines:\n    state.notes.append(x.sku)\n    await use(x)",
        "xs = [await use(x) for x in state.lines]\nxs.append(1)\nawait use(xs)",
    ],
)
def test_a_change_that_nobody_sees_is_accepted(body: str) -> None:
    """Each program means one thing."""
    assert codes(body) == []
