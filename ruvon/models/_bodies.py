"""What the engine and `.local` ask of a body: a plain function gives its result, an `async` one is awaited."""

import inspect
from collections.abc import Callable
from typing import Any

from ruvon.models._errors import AwaitableResultError

__all__ = ["is_async", "refuse_awaitable"]


def is_async(function: Callable[..., Any]) -> bool:
    """Whether a function is declared `async def`, itself or below decorators that use `functools.wraps`."""
    plain = inspect.unwrap(function)
    return inspect.iscoroutinefunction(plain) or inspect.iscoroutinefunction(type(plain).__call__)


def refuse_awaitable(step: str, made: Any) -> AwaitableResultError:
    """The error of a plain function that returned an awaitable, which is ended so that nothing runs behind it."""
    for name in ("close", "cancel"):
        end = getattr(made, name, None)
        if end is not None:
            end()
            break
    return AwaitableResultError(step, type(made).__name__)
