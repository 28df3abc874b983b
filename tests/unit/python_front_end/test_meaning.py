"""Law 1 for control flow: a lowered graph, stepped through, does what CPython does with the source."""

import asyncio
import random
from types import SimpleNamespace
from typing import Any

import pytest

from ruvon import BREAK, CONTINUE, END, flow
from ruvon.ir._diagnostics import Severity
from ruvon.ir._verify import verify
from ruvon_dsl._draft import SourceText
from ruvon_dsl.python import lower_module
from tests.support.cases import CASES
from tests.unit.python_front_end.bodies import module_of
from tests.unit.python_front_end.stepping import Machine

MOST_CALLS = 60
SKIPPED = {"RV0401", "RV0119", "RV0268"}
"""Findings that random programs run into: unreachable statements, guarded captures, a flow's `go` before its end."""


class Boom(Exception):
    """One of two errors that steps raise."""


class Crash(Exception):
    """The other one."""


class Enough(BaseException):
    """The run is long enough."""


class Steps:
    """A step that returns, or raises, by its number and its turn; it keeps a trace."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.trace: list[int] = []

    def act(self, number: int) -> int:
        """Do the work of step `number`."""
        if len(self.trace) >= MOST_CALLS:
            raise Enough
        self.trace.append(number)
        chance = random.Random(f"{self.seed} {number} {len(self.trace)}")
        match chance.randrange(10):
            case 0:
                raise Boom
            case 1:
                raise Crash(number)
            case _:
                return chance.randrange(4)


def by_cpython(text: str, seed: int) -> tuple[Any, ...]:
    """Trace, ending and state of the body under CPython."""
    steps = Steps(seed)

    async def act(number: int) -> int:
        return steps.act(number)

    names: dict[str, Any] = {"act": act, "flow": flow, "BREAK": BREAK, "CONTINUE": CONTINUE, "END": END}
    source = text[text.index("async def body") :]
    exec(source, names | {"Boom": Boom, "Crash": Crash}, names)  # noqa: S102
    body = names["body"]
    names |= {"Boom": Boom, "Crash": Crash}
    body.__globals__.update(names)
    state = SimpleNamespace(n=1)
    try:
        ending: tuple[Any, ...] = ("return", asyncio.run(body(state)))
    except (Exception, Enough) as error:  # noqa: BLE001 - errors are compared
        ending = ("raise", type(error).__name__)
    return (steps.trace, ending, vars(state))


def by_graph(text: str, seed: int) -> tuple[Any, ...] | None:
    """The same for the lowered graph; None where the front end refuses the program."""
    (draft,) = lower_module(SourceText("random.py", text), None)
    errors = {item.code for item in draft.diagnostics if item.severity is Severity.ERROR}
    if errors:
        assert errors <= SKIPPED, [(item.code, item.message, str(item.span)) for item in draft.diagnostics]
        return None
    assert verify(draft.definition) == ()
    steps = Steps(seed)
    state = SimpleNamespace(n=1)
    machine = Machine({"act": steps.act}, {"Boom": Boom, "Crash": Crash}, state)
    left = machine.run(draft.definition.graph)
    ending = ("raise", type(left.value).__name__) if left.kind == "raise" else ("return", left.value)
    return (steps.trace, ending, vars(state))


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_graphs_do_what_python_does() -> None:
    """The same calls in the same order, the same ending and the same state."""
    compared = 0
    for seed in range(CASES):
        text = module_of(seed)
        found = by_graph(text, seed)
        if found is not None:
            compared += 1
            assert found == by_cpython(text, seed), f"seed {seed}\n{text}"

    assert compared > CASES // 3
