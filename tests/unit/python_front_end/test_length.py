"""Long bodies: the work of compiling grows with their length and not with its square."""

import sys
from types import FrameType

import pytest

from ruvon_dsl import compile_source

HEAD = """\
from pydantic import BaseModel

from ruvon import step, workflow


class Order(BaseModel):
    amount: int = 0


@step
async def act(state: Order) -> None:
    state.amount += 1


@step
async def price(amount: int) -> int:
    return amount


@workflow("Long")
async def long(state: Order) -> None:
"""
LINES = {
    "steps": "    await act(state)\n",
    "variables": "    out_{0} = await price({0})\n",
    "lists": "    xs_{0} = [{0}]\n    xs_{0}.append(1)\n",
    "changes": "    state.amount = state.amount + {0}\n    await act(state)\n",
    "branches": "    if state.amount > {0}:\n        x_{0} = 1\n    else:\n        x_{0} = 2\n",
}


def calls_of(line: str, count: int) -> int:
    """How many functions are called to compile a body of `count` such statements."""
    text = HEAD + "".join(line.format(number) for number in range(count))
    found = 0

    def see(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal found
        found += event == "call"

    before = sys.getprofile()
    sys.setprofile(see)
    try:
        result = compile_source(text, module=f"long_{count}")
    finally:
        sys.setprofile(before)
    assert result.ok
    return found


@pytest.mark.parametrize("name", LINES)
def test_twice_the_length_is_twice_the_work(name: str) -> None:
    """Calls are counted, not seconds, so the answer is the same on every machine."""
    short, middle, long = (calls_of(LINES[name], count) for count in (150, 300, 600))

    assert (long - middle) / (middle - short) < 2.2
