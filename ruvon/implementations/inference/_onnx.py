"""`OnnxInferenceProvider`: ONNX models with onnxruntime, in threads of their own."""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeAlias, final

from ruvon.implementations.inference._tensors import input_tensors, output_values
from ruvon.models import InferenceError
from ruvon.providers import MissingExtraError, ModelRef

__all__ = ["OnnxInferenceProvider"]

_ERRORS_ONLY: Final = 3
_Key: TypeAlias = tuple[str, int, int]
"""File, time of change and size: a replaced file is another model."""


@final
class OnnxInferenceProvider:
    """Runs ONNX models on the CPU.

    Args:
        folder: holds the models: what `model_path` names, else `<name>/<version>.onnx`, or `<name>.onnx` for a model
            without version.
        models: models by `name@version` or name, in memory.
        threads: calls at once; further ones wait.
        threads_per_call: threads that one call computes with.
        sessions: loaded models that are kept.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        models: Mapping[str, bytes] | None = None,
        threads: int = 2,
        threads_per_call: int = 1,
        sessions: int = 8,
    ) -> None:
        self._folder = Path(folder).resolve() if folder is not None else None
        self._models = dict(models or {})
        self._per_call = threads_per_call
        self._most = sessions
        self._sessions: OrderedDict[_Key, Any] = OrderedDict()
        self._lock = Lock()
        self._count = threads
        self._threads: ThreadPoolExecutor | None = None

    @classmethod
    def from_environment(cls) -> "OnnxInferenceProvider":
        """The provider over the folder that `RUVON_MODELS_DIR` names, or over none."""
        return cls(os.environ.get("RUVON_MODELS_DIR") or None)

    async def load(self, model: ModelRef, /) -> None:
        """Load a model ahead of its first use.

        Raises:
            InferenceError: it is not there, or is no ONNX model.
            MissingExtraError: onnxruntime is not installed.
        """
        await asyncio.get_running_loop().run_in_executor(self._pool(), self._session, model)

    async def predict(
        self, model: ModelRef, inputs: Mapping[str, object], /, *, max_tokens: int | None = None
    ) -> Mapping[str, object]:
        """The outputs of the model by name, as lists of numbers; a cancelled call stops between two operations.

        Raises:
            InferenceError: it is not there, the inputs do not fit, or it failed.
            MissingExtraError: onnxruntime is not installed.
        """
        if max_tokens is not None:
            raise InferenceError(
                "input", f"the model {model.title} takes no max_tokens: it is an ONNX graph", model.title
            )
        loop = asyncio.get_running_loop()
        options = (await loop.run_in_executor(self._pool(), _onnxruntime)).RunOptions()

        def work() -> dict[str, object]:
            return _run(self._session(model), model, inputs, options)

        try:
            return await loop.run_in_executor(self._pool(), work)
        except asyncio.CancelledError:
            options.terminate = True
            raise

    async def unload(self, model: ModelRef, /) -> None:
        """Free a model's memory."""
        file = self._models_key(model) or str(self._file(model))
        with self._lock:
            for key in [key for key in self._sessions if key[0] == file]:
                del self._sessions[key]

    async def close(self) -> None:
        """Wait for the calls that run, stop the threads, and free every model."""
        threads, self._threads = self._threads, None
        if threads is not None:
            await asyncio.to_thread(threads.shutdown)
        self._sessions.clear()

    def _pool(self) -> ThreadPoolExecutor:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="ruvon-onnx")
        return self._threads

    def _session(self, model: ModelRef) -> Any:
        """The session of a model, loaded by one thread at a time."""
        if model.runtime not in (None, "onnx"):
            message = f"{model.title} wants the runtime {model.runtime}; this provider runs onnx models"
            raise InferenceError("runtime", message, model.title)
        key, source = self._source(model)
        with self._lock:
            known = self._sessions.get(key)
            if known is None:
                known = self._sessions[key] = self._load(model, source)
            self._sessions.move_to_end(key)
            while len(self._sessions) > self._most:
                self._sessions.popitem(last=False)
        return known

    def _load(self, model: ModelRef, source: bytes | str) -> Any:
        package = _onnxruntime()
        options = package.SessionOptions()
        options.intra_op_num_threads = self._per_call
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            return package.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception as exc:  # noqa: BLE001 - onnxruntime's errors have no base of their own
            raise InferenceError("model", f"the model {model.title} cannot be loaded: {exc}", model.title) from None

    def _models_key(self, model: ModelRef) -> str | None:
        if model.path is not None:
            return None
        return next((f"memory:{name}" for name in (model.title, model.name) if name in self._models), None)

    def _source(self, model: ModelRef) -> tuple[_Key, bytes | str]:
        key = self._models_key(model)
        if key is not None:
            data = self._models[key.removeprefix("memory:")]
            return (key, 0, len(data)), data
        file = self._file(model)
        try:
            found = file.stat()
        except (OSError, ValueError) as exc:
            raise InferenceError("model", f"the model {model.title} cannot be read: {exc}", model.title) from None
        return (str(file), found.st_mtime_ns, found.st_size), str(file)

    def _file(self, model: ModelRef) -> Path:
        if self._folder is None:
            message = (
                f"there is no model {model.title}: the provider has no folder; set RUVON_MODELS_DIR or give folder="
            )
            raise InferenceError("model", message, model.title)
        name = f"{model.name}/{model.version}.onnx" if model.version else f"{model.name}.onnx"
        try:
            file = (self._folder / (model.path or name)).resolve()
        except (OSError, ValueError) as exc:
            raise InferenceError("model", f"the model {model.title} has no such file: {exc}", model.title) from None
        if not file.is_relative_to(self._folder):
            message = f"the model {model.title} lies outside the provider's folder: {model.path or name}"
            raise InferenceError("model", message, model.title)
        return file


def _onnxruntime() -> Any:
    try:
        return import_module("onnxruntime")
    except ImportError:
        raise MissingExtraError("inference", "onnxruntime") from None


def _run(session: Any, model: ModelRef, inputs: Mapping[str, object], options: Any) -> dict[str, object]:
    tensors = input_tensors(model, session.get_inputs(), inputs)
    names = [item.name for item in session.get_outputs()]
    try:
        made = session.run(names, tensors, options)
    except Exception as exc:  # noqa: BLE001 - onnxruntime's errors have no base of their own
        invalid = type(exc).__name__ == "InvalidArgument"
        message = f"the model {model.title} {'refused its inputs' if invalid else 'failed'}: {exc}"
        raise InferenceError("input" if invalid else "failed", message, model.title) from None
    return {name: output_values(value) for name, value in zip(names, made, strict=True)}
