"""Pages of the codes about the text and the shape of a workflow (RV0101 to RV0199)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ruvon.ir._diagnostics import CodeInfo
from ruvon_dsl.python._pages import body_page, module_page

__all__ = ["PAGES"]

_PLAIN: Final = """
@workflow("Example")
async def example(state: Order) -> None:
    await charge(state)
"""

PAGES: Final[Mapping[str, CodeInfo]] = MappingProxyType(
    {
        "RV0101": module_page(
            "not Python",
            "The module cannot be parsed. Only the first place is reported, because everything behind it is guesswork.",
            """
            @workflow("Example")
            async def example(state: Order) -> None:
                await charge(state
            """,
            _PLAIN,
        ),
        "RV0102": module_page(
            "too large or too deep to be read",
            "Brackets may be nested 100 levels deep and a module may have 5 million characters, so that every text is "
            "read in bounded time and space.",
            f"""
            @workflow("Example")
            async def example(state: Order) -> None:
                value = {"(" * 120}1{")" * 120}
                await price(value)
            """,
            _PLAIN,
        ),
        "RV0103": body_page(
            "assert in a workflow",
            "`python -O` removes assertions, so a workflow that relies on one would mean two things.",
            "assert state.number > 0\nawait charge(state)",
            "if state.number <= 0:\n    raise Refused()\nawait charge(state)",
        ),
        "RV0104": body_page(
            "del in a workflow",
            "Variables and fields are stored; one that sometimes does not exist cannot be resumed. Assign a value without "
            "the item instead.",
            "total = await price(state.number)\nstate.total = total\ndel total",
            "total = await price(state.number)\nstate.total = total",
        ),
        "RV0105": body_page(
            "global in a workflow",
            "A module variable is not stored with the instance: after a crash it has its first value again.",
            "global COUNT\nCOUNT = 1\nawait charge(state)",
            "state.total = 1\nawait charge(state)",
            head="COUNT = 0",
        ),
        "RV0106": body_page(
            "nonlocal in a branch",
            "Branches run at the same time. Each sees the outer variables as they were when it began and binds only its "
            "own; its result is what it returns.",
            """
            total = 0
            async def first() -> None:
                nonlocal total
                total = await price(1)
            await gather(first(), charge(state))
            state.total = total
            """,
            """
            async def first() -> int:
                return await price(1)
            total, _ = await gather(first(), charge(state))
            state.total = total
            """,
        ),
        "RV0107": body_page(
            "a class inside a workflow",
            "Classes are found by their path, so they stand at the top level of a module.",
            "class Local:\n    pass\nawait charge(state)",
            "await charge(state)",
        ),
        "RV0108": body_page(
            "an import inside a workflow",
            "The body is compiled, not run; imports stand at the top of the module.",
            "import json\nawait charge(state)",
            "await charge(state)",
        ),
        "RV0109": body_page(
            "a function inside a workflow",
            "A plain nested function cannot be stored. A computation is a module function marked @pure; a branch is an "
            "`async def` that one `gather` runs.",
            "def double(x: int) -> int:\n    return 2 * x\nawait charge(state)",
            "state.total = double(state.number)\nawait charge(state)",
            head="@pure\ndef double(x: int) -> int:\n    return 2 * x",
        ),
        "RV0110": body_page(
            "a context manager in a workflow",
            "What a context manager holds in memory is gone after a crash. The one context that is stored is `saga()`.",
            "async with asyncio.timeout(5):\n    await charge(state)",
            "async with saga():\n    await charge(state)",
        ),
        "RV0111": body_page(
            "async for",
            "An asynchronous iterator lives in memory. Collect the items in a step; `async for` stands only before `flow`.",
            "async for item in source():\n    await price(item)",
            "for line in state.lines:\n    await price(line.qty)",
            head="async def source():\n    yield 1",
        ),
        "RV0112": body_page(
            "a type alias inside a workflow",
            "A definition holds types by their paths; an alias stands at the top level of the module.",
            "type Number = int\nawait charge(state)",
            "await charge(state)",
        ),
        "RV0113": body_page(
            "yield in a workflow",
            "A workflow gives one result at its end. Collect the values in a list and return it.",
            "await charge(state)\nyield state.total",
            "await charge(state)\nstate.notes.append(state.name)",
        ),
        "RV0114": body_page(
            "a template string",
            "Template strings hold live objects. An f-string is a text; `template(...)` is a Jinja text.",
            'note = t"order {state.number}"\nstate.name = note',
            'note = f"order {state.number}"\nstate.name = note',
        ),
        "RV0115": body_page(
            "one value for several targets",
            "Under Python both names share one object; stored values are apart. One assignment for each target says so.",
            "first = second = await price(state.number)\nstate.total = first + second",
            "first = await price(state.number)\nsecond = first\nstate.total = first + second",
        ),
        "RV0116": body_page(
            "a starred target",
            "Slices say the same and keep the types exact.",
            "first, *rest = state.notes\nstate.name = first",
            "first = state.notes[0]\nstate.name = first",
        ),
        "RV0117": body_page(
            "a target that cannot be assigned",
            "A workflow assigns to variables, to fields of the state and to paths below them.",
            "state.notes[0:1] = [state.name]",
            "state.notes = [state.name, *state.notes[1:]]",
        ),
        "RV0118": body_page(
            "a value that is not used",
            "An expression has no effect, so a line that only computes does nothing.",
            "state.number + 1\nawait charge(state)",
            "state.number = state.number + 1\nawait charge(state)",
        ),
        "RV0119": body_page(
            "a pattern that cannot be lowered",
            "A positional pattern needs a class that says the order of its fields (`__match_args__`); models do not.",
            "match state:\n    case Order(0):\n        await charge(state)",
            "match state:\n    case Order(number=0):\n        await charge(state)",
        ),
        "RV0120": body_page(
            "an operator that is not in the language",
            "Matrices are not stored values; compute with them in a step.",
            "total = 1\ntotal @= 2\nstate.total = total",
            "total = 1\ntotal *= 2\nstate.total = total",
        ),
        "RV0121": body_page(
            "a loop that assigns to a path",
            "The item of a loop is a variable or a tuple of variables.",
            "for state.name in state.notes:\n    await charge(state)",
            "for note in state.notes:\n    state.name = note\n    await charge(state)",
        ),
        "RV0122": body_page(
            "while with an awaited condition and else",
            "An awaited condition is called at the head of every turn and leaves the loop like `break`, so an `else` could "
            "not be told apart.",
            """
            while await price(state.number):
                state.number -= 1
            else:
                await charge(state)
            """,
            """
            while await price(state.number):
                state.number -= 1
            await charge(state)
            """,
        ),
        "RV0130": module_page(
            "a workflow that is not asynchronous",
            "Every `await` is a place where the instance may be stored and moved; so a workflow is an `async def`.",
            """
            @workflow("Example")
            def example(state: Order) -> None:
                state.total = 1
            """,
            """
            @workflow("Example")
            async def example(state: Order) -> None:
                state.total = 1
            """,
        ),
        "RV0131": module_page(
            "parameters of a workflow",
            "A workflow has one parameter, `state`: its inputs are the fields of that model, which the engine stores.",
            """
            @workflow("Example")
            async def example(order: Order) -> None:
                await charge(order)
            """,
            _PLAIN,
        ),
        "RV0132": module_page(
            "a default argument",
            "The state is given at the start; defaults are defaults of its model's fields. A branch takes no arguments but "
            "its item.",
            """
            @workflow("Example")
            async def example(state: Order = Order()) -> None:
                await charge(state)
            """,
            _PLAIN,
        ),
        "RV0133": module_page(
            "a second decorator",
            "The graph is made of the body as it is written, so another decorator would have no effect, or lie about it.",
            """
            def logged(function):
                return function

            @workflow("Example")
            @logged
            async def example(state: Order) -> None:
                await charge(state)
            """,
            _PLAIN,
        ),
        "RV0134": module_page(
            "a workflow without a name",
            "Instances, schedules and other workflows find a definition by its name, whatever its function is called.",
            """
            @workflow
            async def example(state: Order) -> None:
                await charge(state)
            """,
            _PLAIN,
        ),
        "RV0135": module_page(
            "an unknown option of @workflow",
            "The options of a workflow are a closed list.",
            """
            @workflow("Example", versoin="2.0.0")
            async def example(state: Order) -> None:
                await charge(state)
            """,
            """
            @workflow("Example", version="2.0.0")
            async def example(state: Order) -> None:
                await charge(state)
            """,
        ),
        "RV0136": module_page(
            "two workflows with one name",
            "Instances, schedules and other workflows find a definition by its name and version; of two with the same ones "
            "they could only ever find one. In two files that are checked or registered together only definitions that "
            "differ are a mistake: a YAML file may lie beside the Python file that says the same.",
            """
            @workflow("Example")
            async def example(state: Order) -> None:
                await charge(state)


            @workflow("Example")
            async def example_again(state: Order) -> None:
                await charge(state)
            """,
            """
            @workflow("Example")
            async def example(state: Order) -> None:
                await charge(state)


            @workflow("Example", version="2.0.0")
            async def example_again(state: Order) -> None:
                await charge(state)
            """,
        ),
        "RV0137": module_page(
            "any number of parameters",
            "A workflow takes its state and a branch its item, by name.",
            """
            @workflow("Example")
            async def example(state: Order, *more: int) -> None:
                await charge(state)
            """,
            _PLAIN,
        ),
        "RV0138": body_page(
            "an annotation that cannot be resolved",
            "The types of variables are part of the definition, so an annotation must name a type that can be imported, "
            "and a variable has one type.",
            "total: Numbr = await price(state.number)\nstate.total = total",
            "total: int = await price(state.number)\nstate.total = total",
        ),
        "RV0140": body_page(
            "not an exception class",
            "A handler is stored with the paths of its classes, so it names them.",
            "try:\n    await charge(state)\nexcept (Refused if state.number else ValueError):\n    state.total = 0",
            "try:\n    await charge(state)\nexcept (Refused, ValueError):\n    state.total = 0",
        ),
    }
)
