"""`CallableInferenceProvider`: models that are functions of the application."""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast, final

from ruvon.models import InferenceError
from ruvon.providers import ModelRef

__all__ = ["CallableInferenceProvider"]


@final
class CallableInferenceProvider:
    """Asks functions, by model name; the runtime `custom`.

    A function takes the data, and `max_tokens` where it has such a parameter; it returns a mapping. An `async` one is
    awaited, another one runs in a thread.

    Args:
        functions: functions by `name@version`, or by name for every version.
    """

    def __init__(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        self._functions = dict(functions)

    async def load(self, model: ModelRef, /) -> None:
        """Nothing to load; an unknown model is refused."""
        self._function(model)

    async def predict(
        self, model: ModelRef, inputs: Mapping[str, object], /, *, max_tokens: int | None = None
    ) -> Mapping[str, object]:
        """What the function returns."""
        function = self._function(model)
        options: dict[str, object] = {}
        if max_tokens is not None:
            if "max_tokens" not in inspect.signature(function).parameters:
                raise InferenceError("input", f"the model {model.title} takes no max_tokens", model.title)
            options["max_tokens"] = max_tokens
        data = inputs[""] if set(inputs) == {""} else inputs
        try:
            if inspect.iscoroutinefunction(function):
                made = await function(data, **options)
            else:
                made = await asyncio.to_thread(function, data, **options)
        except Exception as exc:
            message = f"the model {model.title} failed: {type(exc).__name__}: {exc}"
            raise InferenceError("failed", message, model.title) from exc
        if not isinstance(made, Mapping):
            message = f"the model {model.title} returned a {type(made).__name__}; return a mapping"
            raise InferenceError("output", message, model.title)
        return cast("Mapping[str, object]", made)

    async def unload(self, model: ModelRef, /) -> None:
        """Nothing to free."""

    async def close(self) -> None:
        """Nothing to stop."""

    def _function(self, model: ModelRef) -> Callable[..., Any]:
        if model.runtime not in (None, "custom"):
            message = f"{model.title} wants the runtime {model.runtime}; functions are of the runtime custom"
            raise InferenceError("runtime", message, model.title)
        found = self._functions.get(model.title) or self._functions.get(model.name)
        if found is None:
            known = ", ".join(sorted(self._functions)) or "none"
            raise InferenceError("model", f"there is no model {model.title}; there is: {known}", model.title)
        return found
