"""Workflows with WASM and AI_INFERENCE steps."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from ruvon import (
    InferenceError,
    Retry,
    TimedOut,
    WasmError,
    compensation,
    gather,
    infer,
    pure,
    saga,
    step,
    wasm,
    workflow,
)

UNDONE: list[Any] = []
"""What compensations were given."""


class Inner(BaseModel):
    """A part of the state."""

    total: Decimal = Decimal("1.50")


class Order(BaseModel):
    """A state."""

    module: str = "echo"
    amount: int = 3
    inner: Inner = Inner()
    seen: dict[str, object] = {}
    label: str = ""


class Echoed(BaseModel):
    """An answer of the module."""

    amount: int
    total: str = ""


class Row(BaseModel):
    """An answer of the model `double`."""

    y: list[list[float]]


class Score(BaseModel):
    """A judged answer."""

    label: str = ""
    confidence: float = 0.0
    positive: bool = False


@workflow("Mapped")
async def mapped(state: Order) -> Echoed:
    """State fields beside the data."""
    return await wasm(state.module, {"amount": state.amount}, into=Echoed, state_mapping={"total": "inner.total"})


@workflow("Plain")
async def plain(state: Order) -> dict[str, object]:
    """No class, no data."""
    state.seen = await wasm(state.module, {"n": 1})
    return state.seen


@workflow("CaughtModule")
async def caught_module(state: Order) -> str:
    """A handler that asks what went wrong."""
    try:
        await wasm(state.module, {"n": 1})
    except WasmError as error:
        return error.fault
    return "fine"


@workflow("Defaulted")
async def defaulted(state: Order) -> Echoed:
    """A default in place of a failure."""
    return await wasm(state.module, into=Echoed, default=Echoed(amount=-1), retry=Retry(max_attempts=3))


@workflow("SkippedModule")
async def skipped_module(state: Order) -> str:
    """None in place of a failure."""
    found = await wasm(state.module, into=Echoed, fallback_on_error="skip")
    return "none" if found is None else "some"


@workflow("FailingModule")
async def failing_module(state: Order) -> Echoed:
    """A failure in spite of a default."""
    return await wasm(state.module, into=Echoed, default=Echoed(amount=-1), fallback_on_error="fail")


@workflow("Slow")
async def slow(state: Order) -> str:
    """A module that is not done in time."""
    try:
        await wasm(state.module, {}, timeout=timedelta(seconds=5))
    except TimedOut as error:
        return str(error)
    return "fine"


def forget(result: dict[str, object], module: str, data: dict[str, int]) -> None:
    """Undo a call of the module."""
    UNDONE.append((result, module, data))


@step
def burst() -> None:
    """Fail."""
    raise ValueError("burst")


@workflow("Undone")
async def undone(state: Order) -> str:
    """A module that is undone."""
    try:
        async with saga():
            await wasm.with_(compensate=compensation(forget))("echo", {"n": 1})
            await burst()
    except ValueError:
        return "undone"
    return "fine"


@workflow("ManyModules")
async def many_modules(state: Order) -> list[dict[str, object]]:
    """Modules at once."""
    return await gather(*(wasm("echo", {"n": n}) for n in [1, 2, 3]))


@workflow("Doubled")
async def doubled(state: Order) -> Row:
    """A model's answer as a class."""
    return await infer("double@1", {"x": [[state.amount, 1]]}, into=Row)


@pure
def halved(data: dict[str, float], by: int) -> list[list[float]]:
    """Prepare the data."""
    return [[value / by for value in data.values()]]


@pure
def named(answer: dict[str, list[list[float]]]) -> dict[str, object]:
    """Shape the answer."""
    return {"label": "big", "confidence": answer["y"][0][0]}


@workflow("Shaped")
async def shaped(state: Order) -> Score:
    """Transformations of the application, and a threshold."""
    return await infer(
        "double",
        {"a": 3, "b": 4},
        into=Score,
        model_version="1",
        preprocessing="tests.support.service_flows:halved",
        preprocessing_params={"by": 2},
        postprocessing="tests.support.service_flows:named",
        threshold=3.0,
        threshold_key="confidence",
    )


@workflow("CaughtModel")
async def caught_model(state: Order) -> str:
    """A handler that asks what went wrong."""
    try:
        await infer("missing", [1])
    except InferenceError as error:
        return error.fault
    return "fine"


@workflow("DefaultModel")
async def default_model(state: Order) -> Score:
    """A default in place of a failure."""
    return await infer("missing", [1], into=Score, default=Score(label="?"), retry=Retry(max_attempts=2))


@workflow("Unshaped")
async def unshaped(state: Order) -> str:
    """An answer that does not fit falls back like a failure."""
    found = await infer("double@1", [[1, 1]], into=Echoed, fallback_on_error="skip", postprocessing="squeeze")
    return "none" if found is None else found.total


@workflow("SlowModel")
async def slow_model(state: Order) -> Score:
    """A model that is not done in time has its default."""
    return await infer("endless", [1.0], into=Score, default=Score(label="late"), timeout=timedelta(seconds=5))
