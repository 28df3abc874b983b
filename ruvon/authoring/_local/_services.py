"""HTTP, inference and WebAssembly in a local run: nothing leaves the process, the world replies."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from ruvon.authoring._local._attempts import Attempt, play, with_retries
from ruvon.authoring._local._run import LocalDriver, missing
from ruvon.authoring._local._saga import record_attempted, record_undo
from ruvon.authoring._local._scheduler import YIELD
from ruvon.authoring._local._script import NOTHING, Script, reply_of
from ruvon.authoring._retry import Retry
from ruvon.authoring._work import HttpRequest, InferRequest, WasmRequest
from ruvon.ir.values import copy_value, validate
from ruvon.models import HttpResponse
from ruvon.models._http import judge_answer, value_of_answer
from ruvon.providers._clock import microseconds_of

__all__ = ["perform_http", "perform_infer", "perform_wasm"]

_DICT = dict[str, object]


async def perform_http(driver: LocalDriver, request: HttpRequest) -> Any:
    """Give the world's reply to an HTTP request."""
    names = (f"{request.method} {request.url}", request.url)
    args = {"method": request.method, "url": request.url, "json": copy_value(request.json)}
    offered = {**args, "headers": dict(request.headers)}

    asked = (request.method, request.url)

    def finish(value: Any) -> Any:
        if not isinstance(value, HttpResponse):
            return value
        now_us = microseconds_of(driver.world.now)
        judge_answer(value, *asked, expect=request.expect, max_bytes=request.max_bytes, now_us=now_us)
        return value_of_answer(value, *asked, includes=request.includes, typed=request.into is not None)

    def fit(value: Any) -> Any:
        return value if request.into is None else validate(request.into, value, "the result of http")

    remedy = f"World(http={{{names[0]!r}: ...}})"
    return await _asked(
        driver, request, driver.world.http, names, args, offered, remedy, request.timeout, request.retry, finish, fit
    )


async def perform_infer(driver: LocalDriver, request: InferRequest) -> Any:
    """Give the world's reply of a model, or the default where the model fails."""
    args = {"model": request.model, "data": copy_value(request.data)}
    remedy = f"World(infer={{{request.model!r}: ...}})"

    def finish(value: Any) -> Any:
        return validate(request.into or _DICT, value, "the result of infer")

    names = (request.model,)
    try:
        return await _asked(
            driver, request, driver.world.infer, names, args, args, remedy, request.timeout, request.retry, finish
        )
    except Exception:
        if not _falls_back(request):
            raise
        return copy_value(None if request.fallback == "skip" else request.default)


def _falls_back(request: InferRequest | WasmRequest) -> bool:
    """Whether something is taken in place of a failure: None, or a default."""
    return request.fallback == "skip" or (request.fallback != "fail" and request.default is not None)


async def perform_wasm(driver: LocalDriver, request: WasmRequest) -> Any:
    """Give the world's reply of a module."""
    args = {"module": request.module, "entry": request.entry, "data": copy_value(request.data)}
    remedy = f"World(wasm={{{request.module!r}: ...}})"

    def finish(value: Any) -> Any:
        return validate(request.into or _DICT, value, "the result of wasm")

    names = (request.module,)
    try:
        return await _asked(
            driver, request, driver.world.wasm, names, args, args, remedy, request.timeout, request.retry, finish
        )
    except Exception:
        if not _falls_back(request):
            raise
        return copy_value(None if request.fallback == "skip" else request.default)


async def _asked(
    driver: LocalDriver,
    request: HttpRequest | InferRequest | WasmRequest,
    script: Script,
    names: tuple[str, ...],
    args: Mapping[str, Any],
    offered: Mapping[str, Any],
    remedy: str,
    limit: timedelta | None,
    policy: Retry | None,
    finish: Any,
    fit: Callable[[Any], Any] | None = None,
) -> Any:
    """Record the call, and give the scripted reply, retries included.

    What `finish` raises about a reply fails the attempt; a result that `fit` refuses fails the step, as in the engine.
    """
    kind = {HttpRequest: "http", InferRequest: "infer", WasmRequest: "wasm"}[type(request)]
    kind = request.options.get("name") or kind
    activation = driver.activation(kind)
    driver.note(kind, activation, args)
    driver.strand.busy += 1
    try:
        await YIELD
    finally:
        driver.strand.busy -= 1

    async def once(_: int) -> Any:
        entry = script.next(names)
        if entry is NOTHING:
            raise missing(request, remedy)
        return finish(await play(driver, reply_of(entry, offered), kind, limit))

    history = Attempt()
    try:
        result = await with_retries(driver, policy, history, once)
        driver.previous = copy_value(result if fit is None else fit(result))
    except BaseException:
        if history.unknown and (isinstance(request, HttpRequest) or not _falls_back(request)):
            record_attempted(driver, request.options, kind, activation, args)
        raise
    record_undo(driver, request.options, kind, activation, args)
    return copy_value(driver.previous)
