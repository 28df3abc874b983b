"""The inference providers: ONNX models, functions, and both side by side."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ruvon.implementations.inference import (
    CallableInferenceProvider,
    OnnxInferenceProvider,
    RoutedInferenceProvider,
    _onnx,
)
from ruvon.implementations.inference._tensors import input_tensors
from ruvon.models import InferenceError
from ruvon.providers import InferenceProvider, MissingExtraError, ModelRef
from tests.support.onnx_models import FLOAT, INT64, STRING, endless, linear, passing

DOUBLE = linear([[2.0, 0.0], [0.0, 2.0]], [0.0, 1.0])


def ask(provider: InferenceProvider, model: ModelRef | str, inputs: Mapping[str, Any], **options: Any) -> Any:
    """The answer of a model; the provider is closed after it."""

    async def call() -> Any:
        try:
            return await provider.predict(ModelRef(model) if isinstance(model, str) else model, inputs, **options)
        finally:
            await provider.close()

    return asyncio.run(call())


def failure(provider: InferenceProvider, model: ModelRef | str, inputs: Mapping[str, Any], **options: Any) -> Any:
    """The error of a model."""
    with pytest.raises(InferenceError) as caught:
        ask(provider, model, inputs, **options)
    return caught.value


@pytest.mark.parametrize(
    "provider", [OnnxInferenceProvider(), CallableInferenceProvider({}), RoutedInferenceProvider({})]
)
def test_they_are_providers(provider: object) -> None:
    """Each class has what the engine asks of a provider."""
    assert isinstance(provider, InferenceProvider)


def test_lists_in_and_lists_out() -> None:
    """A model takes rows of numbers and gives its outputs by name; its only input needs no name."""
    provider = OnnxInferenceProvider(models={"double": DOUBLE})
    assert ask(provider, "double", {"x": [[1, 2.5], [3, 4]]}) == {"y": [[2.0, 6.0], [6.0, 9.0]]}
    assert ask(provider, "double", {"": [[1, 2]]}) == {"y": [[2.0, 5.0]]}


def test_kinds_of_inputs() -> None:
    """Integers and texts stay what they are."""
    provider = OnnxInferenceProvider(models={"m": passing({"f": FLOAT, "i": INT64, "s": STRING})})
    found = ask(provider, "m", {"f": [0.5, 1], "i": [2**62], "s": ["é", ""]})
    assert found == {"f_out": [0.5, 1.0], "i_out": [2**62], "s_out": ["é", ""]}
    assert [type(item) for item in found["f_out"]] == [float, float]
    assert type(found["i_out"][0]) is int


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"i": [1.5]}, "no tensor(int64)"),
        ({"i": ["1"]}, "no tensor(int64)"),
        ({"i": [2**63]}, "no tensor(int64)"),
        ({"f": ["1.5"]}, "no tensor(float)"),
        ({"f": [True]}, "no tensor(float)"),
        ({"f": [None]}, "no tensor(float)"),
        ({"f": [[1], [1, 2]]}, "no tensor(float)"),
        ({"s": [1]}, "no tensor(string)"),
        ({"f": [[1.0]]}, "refused its inputs"),
        ({"other": [1]}, "has no input `other`"),
    ],
)
def test_inputs_that_do_not_fit(given: dict[str, Any], words: str) -> None:
    """Nothing is cut, read or guessed: what does not fit is told with the input's name."""
    provider = OnnxInferenceProvider(models={"m": passing({"f": FLOAT, "i": INT64, "s": STRING})})
    error = failure(provider, "m", {"f": [1.0], "i": [1], "s": ["a"], **given})
    assert error.fault == "input"
    assert words in str(error)


def test_an_input_that_is_missing() -> None:
    """A model with several inputs is given all of them by name."""
    provider = OnnxInferenceProvider(models={"m": passing({"f": FLOAT, "i": INT64})})
    assert "not given its input `i`" in str(failure(provider, "m", {"f": [1]}))
    assert "its inputs are f, i" in str(failure(provider, "m", {"": [1]}))


def test_models_of_a_folder(tmp_path: Path) -> None:
    """A model is found by name, by name and version, or at its path."""
    (tmp_path / "double.onnx").write_bytes(DOUBLE)
    (tmp_path / "double").mkdir()
    (tmp_path / "double" / "2.onnx").write_bytes(linear([[1.0], [1.0]], [0.0]))
    provider = OnnxInferenceProvider(tmp_path)
    assert ask(provider, "double", {"": [[1, 1]]}) == {"y": [[2.0, 3.0]]}
    assert ask(provider, ModelRef("double", "2"), {"": [[1, 1]]}) == {"y": [[2.0]]}
    assert ask(provider, ModelRef("any", path="double/2.onnx"), {"": [[1, 1]]}) == {"y": [[2.0]]}
    assert ask(provider, ModelRef("any", path=str(tmp_path / "double.onnx")), {"": [[1, 1]]}) == {"y": [[2.0, 3.0]]}


@pytest.mark.parametrize("path", ["../outside.onnx", "/etc/passwd", "a\0b", "missing.onnx", "text.onnx"])
def test_files_that_are_no_models(tmp_path: Path, path: str) -> None:
    """No path leads out of the folder, and what is no model is told as such."""
    (tmp_path / "outside.onnx").write_bytes(DOUBLE)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "text.onnx").write_text("no model")
    assert failure(OnnxInferenceProvider(tmp_path / "in"), ModelRef("m", path=path), {}).fault == "model"


def test_without_a_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`RUVON_MODELS_DIR` names the folder; without it the error says so."""
    (tmp_path / "double.onnx").write_bytes(DOUBLE)
    monkeypatch.setenv("RUVON_MODELS_DIR", str(tmp_path))
    assert ask(OnnxInferenceProvider.from_environment(), "double", {"": [[0, 0]]}) == {"y": [[0.0, 1.0]]}
    monkeypatch.delenv("RUVON_MODELS_DIR")
    assert "RUVON_MODELS_DIR" in str(failure(OnnxInferenceProvider.from_environment(), "double", {}))


def test_sessions_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A model is loaded once; again when its file was replaced, when it was unloaded, and when others took its place."""
    import onnxruntime

    loads: list[str] = []
    real = onnxruntime.InferenceSession

    def counting(source: str, *args: Any, **options: Any) -> Any:
        loads.append(Path(source).stem)
        return real(source, *args, **options)

    monkeypatch.setattr(onnxruntime, "InferenceSession", counting)
    for name in ("a", "b"):
        (tmp_path / f"{name}.onnx").write_bytes(DOUBLE)

    async def scenario() -> None:
        provider = OnnxInferenceProvider(tmp_path, sessions=1)
        one, other = ModelRef("a"), ModelRef("b")
        await provider.load(one)
        await provider.predict(one, {"": [[1, 1]]})
        await provider.predict(one, {"": [[1, 1]]})
        await provider.unload(one)
        await provider.predict(one, {"": [[1, 1]]})
        os.utime(tmp_path / "a.onnx", (1, 1))
        await provider.predict(one, {"": [[1, 1]]})
        await provider.load(other)
        await provider.load(one)
        await provider.close()

    asyncio.run(scenario())
    assert loads == ["a", "a", "a", "b", "a"]


def test_a_cancelled_call_frees_its_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cancelling ends the model between two operations: the only thread answers the next call."""

    async def scenario() -> Any:
        loop, begun = asyncio.get_running_loop(), asyncio.Event()

        def beginning(*given: Any) -> Any:
            loop.call_soon_threadsafe(begun.set)
            return input_tensors(*given)

        monkeypatch.setattr(_onnx, "input_tensors", beginning)
        provider = OnnxInferenceProvider(models={"endless": endless(), "double": DOUBLE}, threads=1)
        await provider.load(ModelRef("endless"))
        task = asyncio.ensure_future(provider.predict(ModelRef("endless"), {"": [1.0]}))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        found = await provider.predict(ModelRef("double"), {"": [[1, 1]]})
        await provider.close()
        return found

    assert asyncio.run(scenario()) == {"y": [[2.0, 3.0]]}


def test_what_onnx_does_not_do() -> None:
    """Another runtime, and tokens, are refused."""
    provider = OnnxInferenceProvider(models={"double": DOUBLE})
    assert failure(provider, ModelRef("double", runtime="tflite"), {}).fault == "runtime"
    assert "max_tokens" in str(failure(provider, "double", {}, max_tokens=5))


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of a missing package names the extra."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"ruvon\[inference\]"):
        ask(OnnxInferenceProvider(models={"double": DOUBLE}), "double", {})


def test_functions() -> None:
    """A function takes the data, by name or bare, and `max_tokens` where it wants it."""

    async def later(data: Mapping[str, Any]) -> dict[str, Any]:
        return {"n": data["n"] + 1}

    def total(data: list[int], max_tokens: int = 9) -> dict[str, Any]:
        return {"sum": sum(data), "tokens": max_tokens}

    provider = CallableInferenceProvider({"later": later, "total@2": total})
    assert ask(provider, "later", {"n": 1}) == {"n": 2}
    assert ask(provider, ModelRef("total", "2"), {"": [1, 2]}, max_tokens=3) == {"sum": 3, "tokens": 3}
    assert failure(provider, "later", {"n": 1}, max_tokens=3).fault == "input"
    assert failure(provider, ModelRef("total", "1"), {}).fault == "model"
    assert failure(provider, ModelRef("later", runtime="onnx"), {}).fault == "runtime"


def test_functions_that_fail() -> None:
    """What a function raises is the cause of the error; what is no mapping is no answer."""
    provider = CallableInferenceProvider({"bad": lambda data: 1 // 0, "odd": lambda data: 3})
    error = failure(provider, "bad", {})
    assert error.fault == "failed"
    assert isinstance(error.__cause__, ZeroDivisionError)
    assert failure(provider, "odd", {}).fault == "output"


def test_providers_side_by_side() -> None:
    """Each runtime has its provider."""
    provider = RoutedInferenceProvider(
        {
            "onnx": OnnxInferenceProvider(models={"m": DOUBLE}),
            "custom": CallableInferenceProvider({"m": lambda data: {"custom": True}}),
        }
    )
    assert ask(provider, ModelRef("m", runtime="custom"), {}) == {"custom": True}
    assert ask(provider, "m", {"": [[1, 1]]}) == {"y": [[2.0, 3.0]]}
    error = failure(provider, ModelRef("m", runtime="tflite"), {})
    assert error.fault == "runtime"
    assert "there is: custom, onnx" in str(error)
