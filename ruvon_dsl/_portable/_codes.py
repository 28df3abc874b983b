"""The codes of `ruvon validate --portable`: what is found, why it matters, and the smallest program that shows it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ruvon.ir._diagnostics import CodeInfo

__all__ = ["CODES"]

MODULE_STATE: Final = "RV0376"
LOCAL_FILE: Final = "RV0377"
CAPTURED: Final = "RV0378"

_HEAD: Final = """\
from threading import Lock

from pydantic import BaseModel

from ruvon import step, workflow

SEEN: list[str] = []


class Order(BaseModel):
    number: str
    items: list[str] = []


"""
_LOOKED_FOR: Final = "`ruvon validate --portable` looks for what keeps a step from running in any worker. "


def _page(step: str) -> str:
    """A module with one workflow, which calls one step."""
    return f'{_HEAD}@step\n{step}\n\n\n@workflow("W")\nasync def flow(state: Order) -> None:\n    await act(state)\n'


CODES: Final[Mapping[str, CodeInfo]] = MappingProxyType(
    {
        MODULE_STATE: CodeInfo(
            title="a step that changes its module",
            explanation=(
                f"{_LOOKED_FOR}This one assigns a variable of its module, or changes what lies there. Every process has a "
                "module of its own and begins with a fresh one, so the next step may not see the change. Keep the value in "
                "the state, or in a store that all workers share. A cache that only saves work does no harm."
            ),
            bad=_page("async def act(state: Order) -> None:\n    SEEN.append(state.number)"),
            good=_page("async def act(state: Order) -> None:\n    state.items.append(state.number)"),
            language="portable",
        ),
        LOCAL_FILE: CodeInfo(
            title="a step that uses a file of the current folder",
            explanation=(
                f"{_LOOKED_FOR}This one names a file by a relative path, which means something else in each folder that a "
                "worker is started in. Name it absolutely, on a disk that all workers share, or beside the module with "
                "`Path(__file__)`, or put what is in it into the state."
            ),
            bad=_page(
                'def act(state: Order) -> None:\n    with open("prices.csv") as lines:\n        print(lines.read())'
            ),
            good=_page(
                'def act(state: Order) -> None:\n    with open("/srv/prices.csv") as lines:\n        print(lines.read())'
            ),
            language="portable",
        ),
        CAPTURED: CodeInfo(
            title="a step that holds an object of its process",
            explanation=(
                f"{_LOOKED_FOR}A default value, or a variable of the function around the step, is an object that cannot be "
                "stored, such as a lock, a connection or an open file. Each process that imports the step makes one of its "
                "own, so steps in two workers do not share it. Make it in the body, or ask for it with `context.get`."
            ),
            bad=_page("def act(state: Order, lock: object = Lock()) -> None:\n    print(state.number, lock)"),
            good=_page("def act(state: Order) -> None:\n    print(state.number, Lock())"),
            language="portable",
        ),
    }
)
