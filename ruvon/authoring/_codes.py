"""The codes of what decorators refuse; `ruvon explain` prints these pages, and the tests run both programs of each."""

from collections.abc import Mapping
from typing import Final

from ruvon.ir._diagnostics import CodeInfo

__all__ = ["CODES"]


def _page(title: str, explanation: str, names: str, bad: str, good: str) -> CodeInfo:
    return CodeInfo(
        title=title,
        explanation=explanation,
        bad=_module(names, bad),
        good=_module(names, good),
        language="declaration",
    )


def _module(names: str, text: str) -> str:
    return f"""from pydantic import BaseModel

from ruvon import {names}


class Order(BaseModel):
    total: int = 0


{text}"""


CODES: Final[Mapping[str, CodeInfo]] = {
    "RV0206": _page(
        "the context parameter has another name",
        "The engine gives a step its context by the parameter's name, `context`. Under any other name the "
        "parameter would have to be passed by every call, and there is nothing to pass.",
        "StepContext, step",
        """@step
async def charge(state: Order, ctx: StepContext) -> None:
    state.total = ctx.attempt
""",
        """@step
async def charge(state: Order, context: StepContext) -> None:
    state.total = context.attempt
""",
    ),
    "RV0208": _page(
        "`state` is not the first parameter",
        "A step that works on the workflow's state names its first parameter `state`. In any other place the "
        "name would promise a merge that does not happen.",
        "step",
        """@step
def charge(amount: int, state: Order) -> None:
    state.total = amount
""",
        """@step
def charge(state: Order, amount: int) -> None:
    state.total = amount
""",
    ),
    "RV0240": _page(
        "`context` stands in the wrong place",
        "The engine gives the context, a call does not. It stands second after `state`, or first where there "
        "is no `state`, so that the arguments of a call are counted as the signature shows them.",
        "StepContext, step",
        """@step
def charge(amount: int, context: StepContext) -> int:
    return amount + context.attempt
""",
        """@step
def charge(context: StepContext, amount: int) -> int:
    return amount + context.attempt
""",
    ),
    "RV0241": _page(
        "a method cannot be a step",
        "A worker in another process finds a step by its path and has no object to call it on. Write a "
        "module-level function, and take what `self` would hold from the context: `context.get(Gateway)`.",
        "step",
        """class Shop:
    @step
    def charge(self, amount: int) -> int:
        return amount
""",
        """@step
def charge(amount: int) -> int:
    return amount
""",
    ),
    "RV0242": _page(
        "a lambda cannot be a step",
        "A lambda has no name that another process could find it by. Write a module-level function with `def`.",
        "step",
        """double = step(lambda n: n * 2)
""",
        """@step
def double(n: int) -> int:
    return n * 2
""",
    ),
    "RV0243": _page(
        "a nested function cannot be a step",
        "A function that is defined inside another one cannot be imported by its path, which is how workers "
        "and stored definitions find it. Move it to the top level of its module.",
        "step",
        """def make() -> object:
    @step
    def double(n: int) -> int:
        return n * 2

    return double


make()
""",
        """@step
def double(n: int) -> int:
    return n * 2
""",
    ),
    "RV0244": _page(
        "a step cannot take `*args`",
        "Arguments are recorded by the names of their parameters, for the log, for retries and for "
        "compensations; those of `*args` have none. Take a list.",
        "step",
        """@step
def total(*prices: int) -> int:
    return sum(prices)
""",
        """@step
def total(prices: list[int]) -> int:
    return sum(prices)
""",
    ),
    "RV0245": _page(
        "`state` is no pydantic model",
        "A parameter named `state` is given the workflow's state and works on a copy of it that merges. "
        "Annotate it with the state's class, a base of it, or `dict`; or give the parameter another name.",
        "step",
        """@step
def double(state: int) -> int:
    return state * 2
""",
        """@step
def double(number: int) -> int:
    return number * 2
""",
    ),
    "RV0246": _page(
        "a compensation stands in another module than its step",
        "Whoever imports a step must get its compensation with it; from another module it would be missing "
        "wherever that module is not imported, without anybody noticing. Move it beside the step, or give it "
        "at the call with `with_(compensate=...)`.",
        "compensate, step",
        """from textwrap import dedent

reserve = step(dedent)


@compensate(reserve)
def release(hold: str, text: str) -> None: ...
""",
        """@step
def reserve(item: str) -> str:
    return item


@compensate(reserve)
def release(hold: str, item: str) -> None: ...
""",
    ),
    "RV0247": _page(
        "a compensation wants what its step has not",
        "A compensation is given the state and the context where it names them, then the step's recorded "
        "result, then the step's recorded arguments by name. There is nothing else that could be given.",
        "compensate, step",
        """@step
def reserve(item: str) -> str:
    return item


@compensate(reserve)
def release(hold: str, amount: int) -> None: ...
""",
        """@step
def reserve(item: str) -> str:
    return item


@compensate(reserve)
def release(hold: str, item: str) -> None: ...
""",
    ),
    "RV0248": _page(
        "a workflow is not `async def`",
        "`await` marks the places where a workflow may be stored, moved and resumed; a plain function has none.",
        "workflow",
        """@workflow("Shop")
def shop(state: Order) -> int:
    return state.total
""",
        """@workflow("Shop")
async def shop(state: Order) -> int:
    return state.total
""",
    ),
    "RV0249": _page(
        "a workflow has other parameters than `state`",
        "The engine stores and restores exactly one object, the state. Put further inputs into its class.",
        "workflow",
        """@workflow("Shop")
async def shop(order: Order, limit: int) -> int:
    return min(order.total, limit)
""",
        """@workflow("Shop")
async def shop(state: Order) -> int:
    return min(state.total, 10)
""",
    ),
    "RV0250": _page(
        "a pure function is asynchronous",
        "A pure function is called in the middle of expressions, where nothing can wait. If it must wait, it "
        "is a step.",
        "pure",
        """@pure
async def double(n: int) -> int:
    return n * 2
""",
        """@pure
def double(n: int) -> int:
    return n * 2
""",
    ),
    "RV0251": _page(
        "a cron that is none",
        "`cron=` and `tz=` of `@workflow` say when it is started: five fields (minute, hour, day of the month, month, day "
        "of the week), and the name of a time zone.",
        "workflow",
        """@workflow("Shop", cron="9am on weekdays", tz="Europe/Rome")
async def shop(state: Order) -> int:
    return state.total
""",
        """@workflow("Shop", cron="0 9 * * MON-FRI", tz="Europe/Rome")
async def shop(state: Order) -> int:
    return state.total
""",
    ),
    "RV0252": _page(
        "a step that cannot share a transaction",
        "The SQL of a step with `transaction=True` is written together with the commit of the step. Its statements are "
        "awaited, so the function is `async def`; they go through `context.transaction`, so it takes a `context`; and the "
        "process that drives the workflow runs it, not a worker of a queue.",
        "StepContext, step",
        """@step(transaction=True)
def charge(context: StepContext, amount: int) -> None:
    context.transaction.execute("INSERT INTO charges VALUES (?)", (amount,))
""",
        """@step(transaction=True)
async def charge(context: StepContext, amount: int) -> None:
    await context.transaction.execute("INSERT INTO charges VALUES (?)", (amount,))
""",
    ),
}
