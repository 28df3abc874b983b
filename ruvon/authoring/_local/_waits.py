"""Waiting in a local run: the virtual clock, the scripted mailbox, the scripted people."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from ruvon.authoring._declarations import StepDeclaration
from ruvon.authoring._local._run import LocalDriver, checked_cancel, missing
from ruvon.authoring._local._saga import record_undo
from ruvon.authoring._local._scheduler import Park
from ruvon.authoring._local._script import reply_of
from ruvon.authoring._local._steps import run_step
from ruvon.authoring._options import UNSET, CallOptions
from ruvon.authoring._work import HumanRequest, ReceiveRequest, SleepRequest, describe
from ruvon.ir.values import InvalidField, InvalidValueError, copy_value, validate
from ruvon.models import Elapsed, TimedOut
from ruvon.providers._clock import duration_us, microseconds_of

__all__ = ["perform_human", "perform_receive", "perform_sleep"]


R = TypeVar("R")


async def perform_sleep(driver: LocalDriver, request: SleepRequest) -> Elapsed:
    """Wait on the virtual clock."""
    if request.until is not None:
        wait_us = microseconds_of(request.until) - driver.world.now_us
    else:
        wait_us = duration_us(request.duration or timedelta(0))
    await driver.run.scheduler.sleep_us(driver.strand, wait_us)
    return _completed(driver, request.options, "sleep", Elapsed())


def _completed(driver: LocalDriver, options: CallOptions, name: str, value: R) -> R:
    """Keep the result of a wait, and its compensation where `with_` gave one."""
    driver.previous = copy_value(value)
    record_undo(driver, options, options.get("name") or name, driver.activation(name), {})
    return cast("R", copy_value(value))


async def perform_receive(driver: LocalDriver, request: ReceiveRequest) -> Any:
    """Take a message of the mailbox, or wait for one."""
    name = getattr(request.model, "__name__", str(request.model))
    key = f", key={request.key!r}" if request.key is not None else ""
    remedy = f"World(signals=[Signal({name}(...){key})])"
    if not driver.world.scripted:
        raise missing(request, remedy)
    mailbox = driver.run.scheduler.mailbox
    deadline = _deadline(driver, request.timeout)
    while True:
        message = mailbox.take(request.model, request.key, driver.world.now_us)
        if message is not None:
            driver.strand.on_lose.append(partial(mailbox.put_back, message))
            return _completed(driver, request.options, "receive", message.signal.event)
        if deadline is not None and driver.world.now_us >= deadline:
            if request.default is not UNSET:
                return _completed(driver, request.options, "receive", request.default)
            raise TimedOut(request.options.get("name") or "receive")
        await _park(driver, deadline, (describe(request)[0], remedy))


async def _park(driver: LocalDriver, deadline: int | None, blocking: tuple[str, str]) -> None:
    """Wait for a message or the deadline."""
    scheduler, strand = driver.run.scheduler, driver.strand

    def wake() -> None:
        scheduler.wake(strand)

    scheduler.mailbox.wait(strand, wake)
    timer = scheduler.at(deadline, wake) if deadline is not None else None
    try:
        await Park("a message", blocking if deadline is None else None)
    finally:
        scheduler.mailbox.forget(strand)
        if timer is not None:
            timer.cancelled = True


def _deadline(driver: LocalDriver, timeout: timedelta | None) -> int | None:
    return None if timeout is None else driver.world.now_us + duration_us(timeout)


async def perform_human(driver: LocalDriver, request: HumanRequest) -> Any:
    """Ask a scripted person until an answer validates."""
    world = driver.world
    if not world.scripted:
        raise missing(request, f"World(answers={{{request.task!r}: [...]}})")
    world.shown.append((request.task, copy_value(request.show)))
    if request.ask is not None:
        await run_step(driver, request.ask, _for_function(driver, request.ask, request.ask_args))
        checked_cancel(driver.strand)
    deadline = _deadline(driver, request.timeout)
    while True:
        answer = await _next_answer(driver, request, deadline)
        if answer is None:
            return _completed(driver, request.options, request.task, _late(request))
        try:
            value = validate(request.form, _complete(request, answer[0]), request.task)
            break
        except InvalidValueError:
            world.refused.append((request.task, answer[0]))
    if request.answer is None:
        return _completed(driver, request.options, request.task, value)
    bound = _for_function(driver, request.answer, {**_fields(value), **request.answer_args})
    await run_step(driver, request.answer, bound, validated_input=copy_value(value))
    name = request.options.get("name") or request.task
    record_undo(driver, request.options, name, driver.activation(name), {})
    return copy_value(value)


def _complete(request: HumanRequest, answer: Any) -> Any:
    """The answer, if it has the required keys."""
    absent = [name for name in request.required_input if name not in _fields(answer)]
    if absent:
        fields = [InvalidField(f"{request.task}.{name}", "is required") for name in absent]
        raise InvalidValueError(request.task, fields)
    return answer


def _late(request: HumanRequest) -> Any:
    if request.default is UNSET:
        raise TimedOut(request.options.get("name") or "human")
    return copy_value(request.default)


async def _next_answer(driver: LocalDriver, request: HumanRequest, deadline: int | None) -> tuple[Any] | None:
    """The next scripted answer, or None when the timeout comes first."""
    scheduler, strand, world = driver.run.scheduler, driver.strand, driver.world
    script = world.answers.get(request.task)
    if not script:
        if deadline is None:
            remedy = f"World(answers={{{request.task!r}: [...]}})"
            await Park("a person", (describe(request)[0], remedy))
        else:
            await scheduler.sleep_us(strand, deadline - world.now_us)
        return None
    entry = script.pop(0)

    def taken() -> None:
        script.insert(0, entry)  # laid back in its place when the race is lost

    strand.on_lose.append(taken)
    reply = reply_of(entry, {"task": request.task, "show": request.show}, first=request.show)
    due = world.now_us + duration_us(reply.takes)
    if deadline is not None and due > deadline:
        strand.on_lose.remove(taken)
        taken()
        await scheduler.sleep_us(strand, deadline - world.now_us)
        return None
    await scheduler.sleep_us(strand, due - world.now_us)
    if reply.error is not None:
        raise reply.error
    return (copy_value(reply.value),)


def _fields(value: Any) -> Mapping[str, Any]:
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in type(value).model_fields}
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _for_function(driver: LocalDriver, declaration: StepDeclaration, offered: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of a human step's function: the state, and what of the answer it names."""
    open_ended = any(item.kind == "rest" for item in declaration.parameters)
    names = {item.name for item in declaration.parameters}
    bound: dict[str, Any] = {name: value for name, value in offered.items() if open_ended or name in names}
    return {"state": driver.run.body, **bound} if declaration.takes_state else bound
