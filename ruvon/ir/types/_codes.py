"""The codes of types that cannot be stored; `ruvon explain` prints these pages, and the tests run both programs of each.

The programs are whole modules of the Python form. They stand here as text, so nothing of the front end is needed.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ruvon.ir._diagnostics import CodeInfo

__all__ = ["CODES"]

HIDDEN: Final = "RV0510"
PRIVATE: Final = "RV0511"
OPAQUE: Final = "RV0512"
NO_HASH: Final = "RV0513"
EXCEPTION: Final = "RV0514"
ONCE_ONLY: Final = "RV0515"
SUBCLASS: Final = "RV0516"
UNRESOLVED: Final = "RV0517"


def _page(title: str, explanation: str, bad: str, good: str, *, names: str = "") -> CodeInfo:
    """A page whose examples are fields of the state; `names` stands among the imports of both."""
    return CodeInfo(title=title, explanation=explanation, bad=_state(bad, names), good=_state(good, names))


def _state(fields: str, names: str) -> str:
    head = f"{names}\n" if names else ""
    body = "\n".join(f"    {line}" for line in fields.splitlines())
    return f"""{head}from pydantic import BaseModel, ConfigDict, Field

from ruvon import step, workflow


class Order(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    number: str
{body}


@step
async def ship(number: str) -> None:
    print("shipping", number)


@workflow("Example")
async def example(state: Order) -> None:
    await ship(state.number)
"""


_UNRESOLVED: Final = """\
{head}from pydantic import BaseModel

from ruvon import step, workflow

{guard}from decimal import Decimal


class Order(BaseModel):
    number: str
    amount: "Decimal | None" = None


@step
async def ship(number: str) -> None:
    print("shipping", number)


@workflow("Example")
async def example(state: Order) -> None:
    await ship(state.number)
"""

CODES: Final[Mapping[str, CodeInfo]] = MappingProxyType(
    {
        HIDDEN: _page(
            "a field that is left out of dumps",
            "A field with `exclude=True` is stored by the engine, but missing wherever the state is shown, sent or sent "
            "back, so a form or a device that returns the state would lose it. A secret is marked as one: `SecretStr`, or "
            '`Field(json_schema_extra={"secret": True})`.',
            "code: str = Field(default='', exclude=True)",
            "code: str = Field(default='', json_schema_extra={'secret': True})",
        ),
        PRIVATE: _page(
            "a private attribute of a stored class",
            "Private attributes are no fields: they have no declared type, are not validated, and what a step writes to "
            "them is not merged. Make it a field, or compute it where it is needed.",
            "_tries: int = 0",
            "tries: int = 0",
        ),
        OPAQUE: _page(
            "a class that cannot be taken apart",
            "The state must be there again in another process. A connection, a path object, a function or a class of "
            "another library holds what Ruvon cannot see. Store the plain value it is made from, and get resources in a "
            "step with `context.get(...)`.",
            "receipt: Path | None = None",
            "receipt: str | None = None",
            names="from pathlib import Path\n",
        ),
        NO_HASH: _page(
            "a set or key without a hash",
            "Members of a set and keys of a dict need a hash, which lists, dicts and changeable models do not have. Use a "
            "list, a tuple, or a frozen model.",
            "routes: dict[str, set[Line]] = {}",
            "routes: dict[str, list[Line]] = {}",
            names="import pydantic\n\n\nclass Line(pydantic.BaseModel):\n    sku: str\n\n",
        ),
        EXCEPTION: _page(
            "an exception as a value",
            "An exception carries a traceback and live objects. Store what you need of it: its text, or a model with its "
            "code and message. An error that `except` caught may be given to a step, which gets a copy of it.",
            "failure: ValueError | None = None",
            "failure: str | None = None",
        ),
        ONCE_ONLY: _page(
            "an iterator as a value",
            "An iterator or generator can be read only once, and where it stands is gone after a restart. Store a list.",
            "lines: Iterator[str] | None = None",
            "lines: list[str] | None = None",
            names="from collections.abc import Iterator\n",
        ),
        SUBCLASS: _page(
            "a subclass of a plain value",
            "Plain values are stored by their exact type, so an instance of a subclass would come back as its base: a "
            "`Money(Decimal)` as a Decimal, a named tuple as a tuple. Make it a frozen dataclass, or declare the base.",
            "price: Money | None = None",
            "price: Decimal | None = None",
            names="from decimal import Decimal\n\n\nclass Money(Decimal):\n    pass\n\n",
        ),
        UNRESOLVED: CodeInfo(
            title="a type whose name cannot be resolved",
            explanation=(
                "The types of stored values are read when the definition is linked. A name that is imported only under "
                "`if TYPE_CHECKING:`, or defined inside a function, does not exist then. Import it at the top of the "
                "module and define the class at module level."
            ),
            bad=_UNRESOLVED.format(head="from typing import TYPE_CHECKING\n\n", guard="if TYPE_CHECKING:\n    "),
            good=_UNRESOLVED.format(head="", guard=""),
        ),
    }
)
"""Codes in order, each with its page."""
