"""RV0301: in-place changes that another name would see, and those that nobody sees."""

from textwrap import indent

import pytest

from ruvon_dsl import compile_source
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


# --- what the refusal of a change through another name says --------------------------------------------------------------

OTHER_NAME = """\
from pydantic import BaseModel

from ruvon import workflow


class Order(BaseModel):
    bookings: list[str] = []
    tags: dict[str, str] = {}


@workflow("W")
async def w(state: Order) -> None:
    LINES
"""


@pytest.mark.parametrize(
    ("lines", "rewrite"),
    [
        ("b = state.bookings; b.append('x')", "`b` is another name of `state.bookings`: write `state.bookings.append('x')`"),
        ("b = state.bookings; b += ['x']", "`b` is another name of `state.bookings`: write `state.bookings += ['x']`"),
        ("t = state.tags; t['k'] = 'v'", "`t` is another name of `state.tags`: write `state.tags['k'] = ...`"),
        ("t = state.tags; t.update(k='v')", "`t` is another name of `state.tags`: write `state.tags.update(k='v')`"),
        (
            "s = state.bookings; s.sort()",
            "`s` is another name of `state.bookings`: write `state.bookings = sorted(state.bookings)`",
        ),
        (
            "b = state.bookings; c = b; c.append('x')",
            "`c` is another name of `state.bookings`: write `state.bookings.append('x')`",
        ),
        ("b = ['a']; c = b; c.append('x')", "`c` is another name of `b`: write `b.append('x')`"),
        ("b = state.bookings[1:]; b.append('x')", "write `b = [*b, 'x']`"),
        ("b = state.bookings; b = state.bookings; b.append('x')", "write `b = [*b, 'x']`"),
        ("t = {**state.tags} if state.tags else state.tags; t['k'] = 'v'", "write `t = {**t, 'k': value}` for a dict"),
    ],
)  # fmt: skip
def test_a_change_through_another_name_says_what_to_write(lines: str, rewrite: str) -> None:
    """Where the name only stands for a path of the state, or a list made here, the help is the line to write."""
    text = OTHER_NAME.replace("LINES", "\n    ".join(lines.split("; ")))
    helps = [item.help for item in compile_source(text, module="other_name").diagnostics if item.code == "RV0301"]

    assert helps == [rewrite]


@pytest.mark.parametrize(
    "line",
    ["state.bookings.append('x')", "state.bookings += ['x']", "state.tags['k'] = 'v'", "state.tags.update(k='v')"],
)
def test_the_rewrites_compile(line: str) -> None:
    """What the helps say to write is accepted."""
    assert compile_source(OTHER_NAME.replace("LINES", line), module="other_name").ok
