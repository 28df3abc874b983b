"""The named transformations of AI_INFERENCE: plain functions over lists of numbers.

Each takes the data, or the answer, and its parameters by name, as a `@pure` function of the application does that stands
in its place. What does not fit raises `ValueError` or `TypeError`, which becomes the step's `InferenceError`.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

__all__ = ["POSTPROCESSING", "PREPROCESSING", "Transform"]

Transform: TypeAlias = Callable[..., Any]
Number: TypeAlias = int | float


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _each(value: Any, function: Callable[[float], float]) -> Any:
    """A function on every number of nested lists."""
    if _is_list(value):
        return [_each(item, function) for item in value]
    return function(_number(value))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _on_inputs(data: Any, function: Callable[[Any], Any], inputs: Sequence[str] | None) -> Any:
    """A function on all inputs of named data, or on those that are named; on the data itself where it has no names."""
    if not isinstance(data, Mapping):
        return function(data)
    named = cast("Mapping[str, Any]", data)
    return {name: function(item) if inputs is None or name in inputs else item for name, item in named.items()}


# Before the model


def vector(data: Any, *, fields: Sequence[str], input: str = "") -> dict[str, Any]:  # noqa: A002 - the parameter's name
    """One row with these fields of the data, in this order; `input` names the model's input."""
    if not isinstance(data, Mapping):
        raise TypeError("vector takes data with named fields")
    named = cast("Mapping[str, Any]", data)
    missing = [name for name in fields if name not in named]
    if missing:
        raise ValueError(f"the data has no field `{missing[0]}`")
    return {input: [[float(named[name]) if isinstance(named[name], bool) else named[name] for name in fields]]}


def normalize(
    data: Any,
    *,
    mean: Number | Sequence[Number] | None = None,
    std: Number | Sequence[Number] | None = None,
    min: Number | None = None,  # noqa: A002 - the parameter's name
    max: Number | None = None,  # noqa: A002 - the parameter's name
    inputs: Sequence[str] | None = None,
) -> Any:
    """(x - mean) / std, number by number or along the last axis; with `min` and `max`, (x - min) / (max - min)."""
    if min is not None or max is not None:
        if min is None or max is None or mean is not None or std is not None:
            raise ValueError("normalize takes min and max, or mean and std")
        mean, std = min, max - min
    shift, scale = (0 if mean is None else mean), (1 if std is None else std)
    if any(item == 0 for item in (scale if isinstance(scale, Sequence) else [scale])):
        raise ValueError("normalize cannot divide by 0")
    return _on_inputs(data, lambda value: _normalized(value, shift, scale), inputs)


def _normalized(value: Any, shift: Any, scale: Any) -> Any:
    if not _is_list(value):
        if _is_list(shift) or _is_list(scale):
            raise ValueError("normalize has several means or deviations for one number")
        return (_number(value) - shift) / scale
    if value and not _is_list(value[0]) and (_is_list(shift) or _is_list(scale)):
        shifts = shift if _is_list(shift) else [shift] * len(value)
        scales = scale if _is_list(scale) else [scale] * len(value)
        if len(shifts) != len(value) or len(scales) != len(value):
            raise ValueError(f"normalize has {len(shifts)} means and {len(scales)} deviations for {len(value)} numbers")
        return [(_number(item) - a) / b for item, a, b in zip(value, shifts, scales, strict=True)]
    return [_normalized(item, shift, scale) for item in value]


def resize(data: Any, *, height: int, width: int, inputs: Sequence[str] | None = None) -> Any:
    """An image, rows of pixels, at another size; each pixel is the nearest one of the original."""
    if height < 1 or width < 1:
        raise ValueError("resize needs a height and a width of 1 or more")

    def one(image: Any) -> Any:
        if not _is_list(image) or not image or not all(_is_list(row) and len(row) == len(image[0]) for row in image):
            raise ValueError("resize takes rows of pixels, all of one length")
        if not image[0]:
            raise ValueError("resize takes an image with pixels")
        rows, columns = len(image), len(image[0])
        return [[image[y * rows // height][x * columns // width] for x in range(width)] for y in range(height)]

    return _on_inputs(data, one, inputs)


def flatten(data: Any, *, inputs: Sequence[str] | None = None) -> Any:
    """One row with all numbers of nested lists."""
    return _on_inputs(data, lambda value: [list(_leaves(value))], inputs)


def _leaves(value: Any) -> list[Any]:
    return [leaf for item in value for leaf in _leaves(item)] if _is_list(value) else [value]


# After the model


def _picked(answer: Mapping[str, Any], key: str | None) -> tuple[str, Any]:
    if key is None and len(answer) == 1:
        return next(iter(answer.items()))
    if key is None or key not in answer:
        wanted = "several outputs; say which one with `key`" if key is None else f"no output `{key}`"
        raise ValueError(f"the answer has {wanted}; there is: {', '.join(answer) or 'none'}")
    return key, answer[key]


def squeeze(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Every output that is one number in lists as that number: what a model answers about one row."""
    return {name: _squeezed(value) for name, value in answer.items()}


def _squeezed(value: Any) -> Any:
    inner = value
    while _is_list(inner) and len(inner) == 1:
        inner = inner[0]
    return value if _is_list(inner) else inner


def softmax(answer: Mapping[str, Any], *, key: str | None = None) -> dict[str, Any]:
    """An output as shares that add up to 1, along its last axis."""
    name, value = _picked(answer, key)
    return {**answer, name: _softmax(value)}


def _softmax(value: Any) -> Any:
    if not _is_list(value) or not value:
        raise ValueError("softmax takes a list of numbers")
    if _is_list(value[0]):
        return [_softmax(item) for item in value]
    numbers = [_number(item) for item in value]
    top = max(numbers)
    powers = [math.exp(item - top) for item in numbers]
    return [item / sum(powers) for item in powers]


def sigmoid(answer: Mapping[str, Any], *, key: str | None = None) -> dict[str, Any]:
    """An output with every number squeezed between 0 and 1."""
    name, value = _picked(answer, key)
    return {**answer, name: _each(value, _sigmoid)}


def _sigmoid(value: float) -> float:
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    power = math.exp(value)
    return power / (1 + power)


def argmax(answer: Mapping[str, Any], *, key: str | None = None, labels: Sequence[str] | None = None) -> dict[str, Any]:
    """The best of an output's one row: `index`, `confidence`, and `label` where there are labels."""
    return _best(answer, 1, key, labels)[0]


def top_k(
    answer: Mapping[str, Any], *, k: int, key: str | None = None, labels: Sequence[str] | None = None
) -> dict[str, Any]:
    """The best of an output's one row, best first, as the list `top`."""
    return {"top": _best(answer, k, key, labels)}


def _best(answer: Mapping[str, Any], k: int, key: str | None, labels: Sequence[str] | None) -> list[dict[str, Any]]:
    row = _row(_picked(answer, key)[1])
    if labels is not None and len(labels) != len(row):
        raise ValueError(f"there are {len(labels)} labels for {len(row)} numbers")
    best = sorted(range(len(row)), key=lambda index: (-row[index], index))[: max(k, 1)]
    found: list[dict[str, Any]] = [{"index": index, "confidence": row[index]} for index in best]
    if labels is not None:
        found = [{**item, "label": labels[item["index"]]} for item in found]
    return found


def _row(value: Any) -> list[float]:
    while _is_list(value) and len(value) == 1 and _is_list(value[0]):
        value = value[0]
    if not _is_list(value) or not value or _is_list(value[0]):
        raise ValueError("it takes one row of numbers")
    return [_number(item) for item in value]


PREPROCESSING: Final[Mapping[str, Transform]] = {
    "flatten": flatten,
    "normalize": normalize,
    "resize": resize,
    "vector": vector,
}
"""What `preprocessing` may name."""
POSTPROCESSING: Final[Mapping[str, Transform]] = {
    "argmax": argmax,
    "sigmoid": sigmoid,
    "softmax": softmax,
    "squeeze": squeeze,
    "top_k": top_k,
}
"""What `postprocessing` may name."""
