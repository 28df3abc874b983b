"""Pages of the codes about the state, variables and the way through a workflow (RV0301 to RV0449)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ruvon.ir._diagnostics import CodeInfo
from ruvon_dsl.python._pages import body_page

__all__ = ["PAGES"]

PAGES: Final[Mapping[str, CodeInfo]] = MappingProxyType(
    {
        "RV0301": body_page(
            "an in-place change that another name would see",
            "Values are stored by value. `state.lines[0].qty = 0`, `state.notes.append(x)` and appends to a list made in "
            "this body are recorded; a change through another name of a value would be there on some runs and lost on "
            "others.",
            "for line in state.lines:\n    line.qty = 0\n    await price(line.qty)",
            "for index in range(len(state.lines)):\n    state.lines[index].qty = 0\n    await price(index)",
        ),
        "RV0303": body_page(
            "another name for the state",
            "There is one state object, whose fields are stored; it is neither assigned nor given another name.",
            "order = state\nawait price(order.number)",
            "await price(state.number)",
        ),
        "RV0304": body_page(
            "work that is awaited later",
            "Work that was started and not awaited exists only in memory. Await the call where it stands, or run several "
            "with `gather`.",
            "work = price(1)\nstate.total = await work",
            "state.total = await price(1)",
        ),
        "RV0307": body_page(
            "a variable named like a function of the language",
            "In expressions `sum`, `date`, `list` and their like are always the built-in ones.",
            "sum = await price(1)\nawait charge(state)",
            "amount = await price(1)\nawait price(amount)",
        ),
        "RV0401": body_page(
            "a statement that is never reached",
            "Every path ends before it: with `return`, `raise`, `break`, `continue`, or a loop that nothing leaves.",
            "return\nawait charge(state)",
            "await charge(state)\nreturn",
        ),
        "RV0402": body_page(
            "leaving from finally",
            "`return`, `break` and `continue` inside `finally` would swallow the error on its way.",
            "try:\n    await charge(state)\nfinally:\n    return",
            "try:\n    await charge(state)\nfinally:\n    await price(0)",
        ),
        "RV0403": body_page(
            "a bare except",
            "It would also catch cancellation and the engine's own limits.",
            "try:\n    await charge(state)\nexcept:\n    state.total = 0",
            "try:\n    await charge(state)\nexcept Exception:\n    state.total = 0",
        ),
        "RV0404": body_page(
            "except BaseException",
            "It would also catch cancellation and the engine's own limits.",
            "try:\n    await charge(state)\nexcept BaseException:\n    state.total = 0",
            "try:\n    await charge(state)\nexcept Exception:\n    state.total = 0",
        ),
        "RV0406": body_page(
            "a result of a race that no case takes",
            "The workflow would go on behind the `match` as if nothing had happened. Write `case _:` where that is meant.",
            """
            match await first_of(receive(Paid), receive(Cancelled), sleep(timedelta(days=1))):
                case Paid() as paid:
                    state.total = paid.amount
                case Cancelled():
                    state.total = 0
            """,
            """
            match await first_of(receive(Paid), receive(Cancelled), sleep(timedelta(days=1))):
                case Paid() as paid:
                    state.total = paid.amount
                case Cancelled():
                    state.total = 0
                case Elapsed():
                    state.total = -1
            """,
        ),
        "RV0407": body_page(
            "except*",
            "A `gather` raises its first error alone, so there are no groups of errors to take apart.",
            "try:\n    await gather(charge(state), price(1))\nexcept* Refused:\n    state.total = 0",
            "try:\n    await gather(charge(state), price(1))\nexcept Refused:\n    state.total = 0",
        ),
        "RV0408": body_page(
            "a jump without its surroundings",
            "`break` and `continue` belong into a loop, a bare `raise` into an `except`.",
            "await charge(state)\nraise",
            "await charge(state)\nraise Refused()",
        ),
        "RV0409": body_page(
            "a case behind one that takes everything",
            "Cases are tried in order, so nothing comes to a case behind `case _:`.",
            """
            match state.number:
                case _:
                    await price(0)
                case 1:
                    await price(1)
            """,
            """
            match state.number:
                case 1:
                    await price(1)
                case _:
                    await price(0)
            """,
        ),
    }
)
