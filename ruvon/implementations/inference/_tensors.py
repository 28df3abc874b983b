"""From lists of numbers to the tensors that a model wants, without losing anything, and back."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from ruvon.models import InferenceError
from ruvon.providers import ModelRef

__all__ = ["input_tensors", "output_values"]

_KINDS: Final = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int16)": "int16",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
    "tensor(string)": "str",
}
"""Element types by the name that onnxruntime has for them."""
_FITS: Final = {"f": "fiu", "i": "iu", "u": "iu", "b": "b", "U": "U"}
"""Which kinds of given numbers an element type takes: no fraction is cut off, no text is read as a number."""


def input_tensors(model: ModelRef, wanted: Sequence[Any], inputs: Mapping[str, object]) -> dict[str, Any]:
    """The tensors of a model's inputs.

    Raises:
        InferenceError: an input is missing, unknown, ragged, or of the wrong kind.
    """
    if set(inputs) == {""} and len(wanted) == 1:
        inputs = {wanted[0].name: inputs[""]}
    names = [item.name for item in wanted]
    wrong = [f"has no input `{name}`" for name in inputs if name not in names]
    wrong += [f"is not given its input `{name}`" for name in names if name not in inputs]
    if wrong:
        message = f"the model {model.title} {' and '.join(wrong)}; its inputs are {', '.join(names) or 'none'}"
        raise InferenceError("input", message, model.title)
    return {item.name: _tensor(model, item.name, item.type, inputs[item.name]) for item in wanted}


def _tensor(model: ModelRef, name: str, kind: str, value: object) -> Any:
    import numpy as np  # noqa: PLC0415 - comes with onnxruntime

    element = _KINDS.get(kind)
    if element is None:
        message = f"the input `{name}` of {model.title} is a {kind}, which lists cannot give"
        raise InferenceError("input", message, model.title)
    try:
        given = np.asarray(value)
        target = np.dtype(element)
        if given.size and given.dtype.kind not in _FITS[target.kind]:
            raise TypeError(f"{given.dtype} does not fit {element}")
        if given.dtype.kind in "iu" and target.kind in "iu" and given.size:
            bounds = np.iinfo(target)
            if int(given.min()) < bounds.min or int(given.max()) > bounds.max:
                raise OverflowError(f"a number does not fit {element}")
        return given.astype(object if element == "str" else target)
    except (TypeError, ValueError, OverflowError) as exc:
        message = f"the input `{name}` of {model.title} is no {kind}: {exc}"
        raise InferenceError("input", message, model.title) from None


def output_values(value: object) -> object:
    """An output as plain numbers, texts, lists and dicts."""
    if hasattr(value, "tolist"):
        return cast("Any", value).tolist()
    if isinstance(value, Mapping):
        items = cast("Mapping[object, object]", value).items()
        return {str(output_values(key)): output_values(item) for key, item in items}
    if isinstance(value, list):
        return [output_values(item) for item in cast("list[object]", value)]
    return value
