"""`InferenceProvider`: the seam for models, and how a step names the model that it wants."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, final, runtime_checkable

from ruvon.providers._errors import MissingExtraError

__all__ = ["InferenceProvider", "MissingExtraError", "ModelRef"]


@final
@dataclass(frozen=True, slots=True)
class ModelRef:
    """A model as a step names it."""

    name: str
    version: str | None = None
    path: str | None = None
    """The model's file, relative to the provider's folder."""
    runtime: str | None = None
    """What is to run it: `onnx`, `tflite` or `custom`; None leaves that to the provider."""

    @property
    def title(self) -> str:
        """`name@version`, for people."""
        return f"{self.name}@{self.version}" if self.version else self.name


@runtime_checkable
class InferenceProvider(Protocol):
    """Loads models and asks them."""

    async def load(self, model: ModelRef, /) -> None:
        """Load a model ahead of its first use; a second call is harmless.

        Raises:
            InferenceError: (`ruvon.models`) it is not there, or cannot be loaded.
            MissingExtraError: the package that runs it is not installed.
        """
        ...

    async def predict(
        self, model: ModelRef, inputs: Mapping[str, object], /, *, max_tokens: int | None = None
    ) -> Mapping[str, object]:
        """The model's outputs by name, as plain numbers, texts and lists; loads it if need be.

        Cancelling the call stops the model where its runtime can be stopped.

        Args:
            model: the model.
            inputs: its inputs by name; one input under the empty name is the model's only one.
            max_tokens: longest answer of a language model.

        Raises:
            InferenceError: it is not there, the inputs do not fit, or it failed.
            MissingExtraError: the package that runs it is not installed.
        """
        ...

    async def unload(self, model: ModelRef, /) -> None:
        """Free a model's memory; harmless where it is not loaded."""
        ...

    async def close(self) -> None:
        """Unload everything and stop threads; a second call is harmless."""
        ...
