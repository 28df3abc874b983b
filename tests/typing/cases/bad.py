"""Mistakes that both type checkers must find; each line names the finding of each."""

from datetime import timedelta
from decimal import Decimal
from typing import assert_never

from pydantic import BaseModel

from ruvon import (
    Elapsed,
    Retry,
    StepContext,
    compensate,
    external_workflow,
    first_of,
    gather,
    http,
    human,
    infer,
    receive,
    sleep,
    step,
    workflow,
)


class Order(BaseModel):
    total: Decimal = Decimal(0)


class Other(BaseModel):
    x: int = 0


class Verdict(BaseModel):
    approved: bool


@step
async def quote(n: int, *, loud: bool = False) -> str:
    return str(n)


@step
async def charge(state: Order, context: StepContext, amount: Decimal) -> Verdict:
    return Verdict(approved=amount > 0)


@step
def reserve(what: str) -> int:
    return len(what)


kyc = external_workflow("KYC", takes=Other, gives=Verdict)


@workflow("Bad")
async def bad(state: Order) -> Verdict:
    await quote("one")  # expect-error: mypy=arg-type pyright=reportArgumentType
    await quote(1, lowd=True)  # expect-error: mypy=call-arg pyright=reportCallIssue
    await quote()  # expect-error: mypy=call-arg pyright=reportCallIssue
    await quote(1, 2)  # expect-error: mypy=call-arg pyright=reportCallIssue
    quote(1)  # expect-error: mypy=unused-coroutine pyright=reportUnusedCoroutine
    charge(state, Decimal(1))  # expect-error: mypy=unused-coroutine pyright=reportUnusedCoroutine
    text: int = await quote(1)  # expect-error: mypy=assignment pyright=reportAssignmentType
    quote(1).upper()  # expect-error: mypy=attr-defined pyright=reportAttributeAccessIssue
    await charge(state)  # expect-error: mypy=call-arg pyright=reportCallIssue
    await charge(Other(), Decimal(1))  # expect-error: mypy=arg-type pyright=reportArgumentType
    await charge(state, "1")  # expect-error: mypy=arg-type pyright=reportArgumentType
    await kyc(state)  # expect-error: mypy=arg-type pyright=reportArgumentType
    (await kyc(Other())).level  # expect-error: mypy=attr-defined pyright=reportAttributeAccessIssue
    await release(1, "x")  # expect-error: mypy=operator pyright=reportCallIssue
    await human("approve", form=Verdict, role=3)  # expect-error: mypy=call-overload pyright=reportArgumentType
    (await human("approve")).approved  # expect-error: mypy=attr-defined pyright=reportAttributeAccessIssue
    await human("approve", default=3)  # expect-error: mypy=call-overload pyright=reportArgumentType
    await receive.with_(queue="net")(Other)  # expect-error: mypy=call-arg pyright=reportCallIssue
    await kyc()  # expect-error: mypy=call-arg pyright=reportCallIssue
    await kyc.spawn(key="k")  # expect-error: mypy=call-arg pyright=reportCallIssue
    await first_of(receive(Other), receive(Verdict), limit=1)  # expect-error: mypy=call-overload pyright=reportCallIssue
    (await human("a", form=Verdict, default=Other())).approved  # expect-error: mypy=attr-defined pyright=reportAttributeAccessIssue
    await sleep(5)  # expect-error: mypy=arg-type pyright=reportArgumentType
    await http("GET", "https://x", includes=("cookies",))  # expect-error: mypy=call-overload pyright=reportArgumentType
    await infer("m", into=Verdict, runtime="torch")  # expect-error: mypy=call-overload pyright=reportArgumentType
    await infer("m", 5, into=Verdict)  # expect-error: mypy=call-overload pyright=reportArgumentType
    one, two, three = await gather(quote(1), quote(2))  # expect-error: mypy=misc pyright=reportAssignmentType
    quote.with_(retries=3)  # expect-error: mypy=call-arg pyright=reportCallIssue
    quote.with_(timeout=30)  # expect-error: mypy=arg-type pyright=reportArgumentType
    match await first_of(receive(Other), receive(Verdict), sleep(timedelta(days=1))):
        case Other():
            pass
        case Verdict():
            pass
        case rest:
            assert_never(rest)  # expect-error: mypy=arg-type pyright=reportArgumentType
    return "text"  # expect-error: mypy=return-value pyright=reportReturnType


@compensate(reserve)
async def release(held: int, what: str) -> None: ...


@compensate(charge)  # expect-error: mypy=arg-type pyright=reportArgumentType
async def wrong_state(state: Other, context: StepContext) -> None: ...


@compensate(reserve)  # expect-error: mypy=arg-type pyright=reportArgumentType
async def wrong_result(held: Verdict, what: str) -> None: ...


@compensate(charge, attempted=True)  # expect-error: mypy=arg-type pyright=reportArgumentType
async def no_none(state: Order, context: StepContext, verdict: Verdict, amount: Decimal) -> None: ...


@step(retries=3)  # expect-error: mypy=call-overload pyright=reportCallIssue
def misspelt(n: int) -> int:
    return n


policy = Retry(attempts=3)  # expect-error: mypy=call-arg pyright=reportCallIssue
kyc.local(Verdict(approved=True))  # expect-error: mypy=arg-type pyright=reportArgumentType


@workflow("Seconds", timeout=30)  # expect-error: mypy=arg-type pyright=reportArgumentType
async def seconds(state: Order) -> None: ...


@workflow("NotExhaustive")
async def not_exhaustive(state: Order) -> str:
    match await first_of(receive(Other), sleep(timedelta(days=1))):
        case Other():
            return "other"
        case Elapsed():
            return "elapsed"


@workflow("Missing")
async def missing_case(state: Order) -> str:  # expect-error: mypy=return pyright=reportReturnType
    match await first_of(receive(Other), sleep(timedelta(days=1))):  # expect-error: pyright=reportMatchNotExhaustive
        case Other():
            return "other"
