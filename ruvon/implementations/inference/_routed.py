"""`RoutedInferenceProvider`: one provider for each runtime that steps name."""

from collections.abc import Mapping
from typing import final

from ruvon.models import InferenceError
from ruvon.providers import InferenceProvider, ModelRef

__all__ = ["RoutedInferenceProvider"]


@final
class RoutedInferenceProvider:
    """Gives each model to the provider of its runtime.

    Args:
        by_runtime: providers by the word of a step's `runtime`: `onnx`, `tflite`, `custom`.
        default: the runtime of steps that name none.
    """

    def __init__(self, by_runtime: Mapping[str, InferenceProvider], *, default: str = "onnx") -> None:
        self._by_runtime = dict(by_runtime)
        self._default = default

    async def load(self, model: ModelRef, /) -> None:
        """Load a model ahead of its first use."""
        await self._provider(model).load(model)

    async def predict(
        self, model: ModelRef, inputs: Mapping[str, object], /, *, max_tokens: int | None = None
    ) -> Mapping[str, object]:
        """The outputs of the model."""
        return await self._provider(model).predict(model, inputs, max_tokens=max_tokens)

    async def unload(self, model: ModelRef, /) -> None:
        """Free a model's memory."""
        await self._provider(model).unload(model)

    async def close(self) -> None:
        """Close every provider."""
        for provider in self._by_runtime.values():
            await provider.close()

    def _provider(self, model: ModelRef) -> InferenceProvider:
        runtime = model.runtime or self._default
        found = self._by_runtime.get(runtime)
        if found is None:
            known = ", ".join(sorted(self._by_runtime)) or "none"
            message = f"nothing here runs {runtime} models, so not {model.title}; there is: {known}"
            raise InferenceError("runtime", message, model.title)
        return found
