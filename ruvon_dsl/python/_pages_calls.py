"""Pages of the codes about calls, waits and concurrency (RV0203 to RV0299)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ruvon.ir._diagnostics import CodeInfo
from ruvon_dsl.python._pages import body_page

__all__ = ["PAGES"]

PAGES: Final[Mapping[str, CodeInfo]] = MappingProxyType(
    {
        "RV0203": body_page(
            "await inside an expression",
            "What stands before an `await` is read before the step runs and must be recorded first. So an `await` is a "
            "whole statement, a whole right side, a condition, or the element of a list comprehension. The fix gives the "
            "result a name.",
            "state.total = state.number + await price(state.number)",
            "price_result = await price(state.number)\nstate.total = state.number + price_result",
        ),
        "RV0204": body_page(
            "a call that is not awaited",
            "Calling a step gives work, not its result; without `await` nothing runs, and as a condition it is always true.",
            "charge(state)",
            "await charge(state)",
        ),
        "RV0205": body_page(
            "await of something that is no step",
            "An `await` is a place where the instance is stored, so it names a step, a workflow or a waiting function of "
            "ruvon.",
            "await helper(state.number)",
            "state.total = helper(state.number)",
            head="@pure\ndef helper(number: int) -> int:\n    return number",
        ),
        "RV0207": body_page(
            "asyncio in a workflow",
            "What asyncio holds in memory is gone after a crash; ruvon's functions of the same names are stored.",
            "await asyncio.sleep(5)\nawait charge(state)",
            "await sleep(timedelta(seconds=5))\nawait charge(state)",
        ),
        "RV0209": body_page(
            "wrong arguments of a function of ruvon",
            "The function takes other arguments.",
            "await sleep()",
            "await sleep(timedelta(hours=1))",
        ),
        "RV0260": body_page(
            "a branch that is no call",
            "Every branch of `gather` is a part of the graph, so it is written where it runs: a call, or one call mapped "
            "over a list.",
            "await gather(*state.lines)",
            "await gather(*(price(line.qty) for line in state.lines))",
        ),
        "RV0261": body_page(
            "an unknown option of gather",
            "The options of `gather` are a closed list; `partial=True` is what other libraries call return_exceptions.",
            "await gather(*(price(line.qty) for line in state.lines), return_exceptions=True)",
            "await gather(*(price(line.qty) for line in state.lines), partial=True)",
        ),
        "RV0262": body_page(
            "after an unknown branch",
            "`after` names other branches of the same `gather` by their labels.",
            'await gather(charge(state), after(price(1), "chrge"))',
            'await gather(charge(state), after(price(1), "charge"))',
        ),
        "RV0263": body_page(
            "branches of first_of",
            "`first_of` takes at least two branches, each a wait, a workflow or a nested `async def`, with names of "
            "their own.",
            "await first_of(sleep(timedelta(days=1)))",
            "await sleep(timedelta(days=1))",
        ),
        "RV0264": body_page(
            "a branch that is used never or more than once",
            "The statements of a nested `async def` are nodes of the graph, each with one id; so one `gather` or `first_of` "
            "uses it, once.",
            """
            async def twice() -> None:
                await price(1)
            await gather(twice(), twice())
            """,
            """
            async def one() -> None:
                await price(1)
            async def two() -> None:
                await price(2)
            await gather(one(), two())
            """,
        ),
        "RV0265": body_page(
            "parameters of a branch",
            "A branch reads the variables around it; the only parameter it may have is the item of a mapped `gather`.",
            """
            async def one(number: int) -> None:
                await price(number)
            await gather(one(1), charge(state))
            """,
            """
            async def one(line: Line) -> None:
                await price(line.qty)
            await gather(*(one(line) for line in state.lines))
            """,
        ),
        "RV0266": body_page(
            "an unknown option at a call",
            "The options of `with_` and `Retry` are closed lists.",
            "await price.with_(retries=3)(state.number)",
            "await price.with_(retry=Retry(max_attempts=3))(state.number)",
        ),
        "RV0267": body_page(
            "node() that names nothing",
            "`node(...)` names the statement on the next line; there must be one, and it must become a node.",
            'await charge(state)\nnode("Late")',
            'node("Charge the card")\nawait charge(state)',
        ),
        "RV0268": body_page(
            "a flow that is no flat graph",
            "A flow is one `match` over its stages. `at.go` names a stage as a literal text and is the last statement of "
            "its path.",
            """
            async for at in flow("Begin"):
                match at.step:
                    case "Begin":
                        at.go("End")
            """,
            """
            async for at in flow("Begin"):
                match at.step:
                    case "Begin":
                        await price(1)
                        at.go("Finish")
                    case "Finish":
                        await price(2)
            """,
        ),
        "RV0269": body_page(
            "a custom step type",
            "`call` takes the type's name as a literal text and its fields by name; the second pair of parentheses is the "
            "call itself.",
            "kind = state.name\nawait call(kind)(state)",
            'await call("AUDIT", level="info")(state)',
        ),
        "RV0270": body_page(
            "starting another workflow",
            "A workflow is started with one value, its initial state.",
            "await child()",
            "await child(Line(sku=state.name))",
            head='@workflow("Child")\nasync def child(state: Line) -> None:\n    await price(state.qty)',
        ),
        "RV0271": body_page(
            "two nodes of one name",
            "A name is how a node is found for retry, jump and audit, so it stands once; END, BREAK and CONTINUE are "
            "reserved.",
            'await price.with_(name="Ask")(1)\nawait price.with_(name="Ask")(2)',
            'await price.with_(name="Ask")(1)\nawait price.with_(name="Ask again")(2)',
        ),
        "RV0272": body_page(
            "an option that is not constant",
            "Options are part of the stored definition, so they are literals or constants of a module.",
            "wait = timedelta(seconds=state.number)\nawait price.with_(timeout=wait)(1)",
            "await price.with_(timeout=timedelta(seconds=20))(1)",
        ),
        "RV0273": body_page(
            "a block that cannot be inlined",
            "A block's statements are copied to where it is awaited. So its source must be at hand, it may not await "
            "itself, it gets each of its parameters once, and its `return` may not stand inside a loop.",
            "state.total = await both(state.number, 1, 2)",
            "state.total = await both(state.number, 1)",
            head="""
            @block
            async def both(first: int, second: int) -> int:
                one = await price(first)
                return one + await_second(one, second)


            @pure
            def await_second(one: int, second: int) -> int:
                return one + second
            """,
        ),
        "RV0274": body_page(
            "a branch with a variable of the workflow's name",
            "In Python the branch would have a variable of its own, which may have no value where it is read; the graph "
            "would read the outer one.",
            """
            total = 1
            async def one() -> None:
                if state.number:
                    total = await price(1)
                await price(total)
            await gather(one(), charge(state))
            state.total = total
            """,
            """
            total = 1
            async def one() -> None:
                mine = total
                if state.number:
                    mine = await price(1)
                await price(mine)
            await gather(one(), charge(state))
            state.total = total
            """,
        ),
        "RV0275": body_page(
            "star arguments of a step",
            "The graph stores every argument by the name of its parameter, so it must be written out.",
            "numbers = [1]\nawait price(*numbers)",
            "numbers = [1]\nawait price(numbers[0])",
        ),
    }
)
