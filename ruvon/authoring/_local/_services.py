"""HTTP, inference and WebAssembly in a local run: nothing leaves the process, the world replies."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ruvon.authoring._local._attempts import Attempt, play, with_retries
from ruvon.authoring._local._run import LocalDriver, missing
from ruvon.authoring._local._saga import record_undo
from ruvon.authoring._local._scheduler import YIELD
from ruvon.authoring._local._script import NOTHING, Script, reply_of
from ruvon.authoring._retry import Retry
from ruvon.authoring._work import HttpRequest, InferRequest, WasmRequest
from ruvon.ir.values import copy_value, validate
from ruvon.models import HttpError, HttpResponse

__all__ = ["perform_http", "perform_infer", "perform_wasm"]

_FIRST_ERROR = 400


async def perform_http(driver: LocalDriver, request: HttpRequest) -> Any:
    """Give the world's reply to an HTTP request."""
    names = (f"{request.method} {request.url}", request.url)
    args = {"method": request.method, "url": request.url, "json": copy_value(request.json)}
    offered = {**args, "headers": dict(request.headers)}

    def finish(value: Any) -> Any:
        if not isinstance(value, HttpResponse):
            return value if request.into is None else validate(request.into, value, "the result of http")
        if value.status >= _FIRST_ERROR and value.status not in request.expect:
            message = f"{request.method} {request.url} was answered with status {value.status}"
            raise HttpError(value.status, message, value.text)
        return value if request.into is None else validate(request.into, value.json, "the result of http")

    remedy = f"World(http={{{names[0]!r}: ...}})"
    return await _asked(
        driver, request, driver.world.http, names, args, offered, remedy, request.timeout, request.retry, finish
    )


async def perform_infer(driver: LocalDriver, request: InferRequest) -> Any:
    """Give the world's reply of a model, or the default where the model fails."""
    args = {"model": request.model, "data": copy_value(request.data)}
    remedy = f"World(infer={{{request.model!r}: ...}})"

    def finish(value: Any) -> Any:
        return validate(request.into, value, "the result of infer")

    try:
        return await _asked(
            driver,
            request,
            driver.world.infer,
            (request.model,),
            args,
            args,
            remedy,
            request.timeout,
            request.retry,
            finish,
        )
    except Exception:
        if request.default is None:
            raise
        return copy_value(request.default)


async def perform_wasm(driver: LocalDriver, request: WasmRequest) -> Any:
    """Give the world's reply of a module."""
    args = {"module": request.module, "entry": request.entry, "data": copy_value(request.data)}
    remedy = f"World(wasm={{{request.module!r}: ...}})"

    def finish(value: Any) -> Any:
        return validate(request.into, value, "the result of wasm")

    return await _asked(
        driver,
        request,
        driver.world.wasm,
        (request.module,),
        args,
        args,
        remedy,
        request.timeout,
        request.retry,
        finish,
    )


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
) -> Any:
    """Record the call, and give the scripted reply, retries included."""
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

    driver.previous = copy_value(await with_retries(driver, policy, Attempt(), once))
    record_undo(driver, request.options, kind, activation, args)
    return copy_value(driver.previous)
