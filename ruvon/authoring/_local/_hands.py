"""Which module performs which request; the one place that knows them all."""

from collections.abc import Coroutine
from typing import Any, Final, assert_never

from ruvon.authoring._local import _children, _groups, _race, _services, _steps, _waits
from ruvon.authoring._local._run import Hands, LocalDriver
from ruvon.authoring._local._saga import roll_back
from ruvon.authoring._work import (
    AfterRequest,
    ChildRequest,
    CustomRequest,
    FirstRequest,
    GatherRequest,
    HttpRequest,
    HumanRequest,
    InferRequest,
    NamedRequest,
    ReceiveRequest,
    Request,
    ScheduleRequest,
    SleepRequest,
    SpawnRequest,
    StepRequest,
    WasmRequest,
)

__all__ = ["HANDS"]


def _perform(driver: LocalDriver, request: Request) -> Coroutine[Any, Any, Any]:
    match request:
        case StepRequest():
            return _steps.perform_step(driver, request)
        case CustomRequest():
            return _steps.perform_custom(driver, request)
        case HttpRequest():
            return _services.perform_http(driver, request)
        case InferRequest():
            return _services.perform_infer(driver, request)
        case WasmRequest():
            return _services.perform_wasm(driver, request)
        case SleepRequest():
            return _waits.perform_sleep(driver, request)
        case ReceiveRequest():
            return _waits.perform_receive(driver, request)
        case HumanRequest():
            return _waits.perform_human(driver, request)
        case ChildRequest():
            return _children.perform_child(driver, request)
        case SpawnRequest():
            return _children.perform_spawn(driver, request)
        case ScheduleRequest():
            return _children.perform_schedule(driver, request)
        case GatherRequest():
            return _groups.perform_gather(driver, request)
        case FirstRequest():
            return _race.perform_first(driver, request)
        case NamedRequest():
            return _race.perform_named(request)
        case AfterRequest():
            return _groups.perform_after(request)
        case _:
            assert_never(request)


HANDS: Final = Hands(perform=_perform, roll_back=roll_back, share=_race.Shared)
