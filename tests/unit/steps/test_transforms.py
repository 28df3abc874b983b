"""The named transformations of AI_INFERENCE."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from ruvon.steps._transforms import (
    POSTPROCESSING,
    PREPROCESSING,
    argmax,
    flatten,
    normalize,
    resize,
    sigmoid,
    softmax,
    squeeze,
    top_k,
    vector,
)

CASES: list[tuple[Callable[[], Any], Any]] = [
    (lambda: vector({"a": 1, "b": True, "c": 9}, fields=["b", "a"]), {"": [[1.0, 1]]}),
    (lambda: vector({"a": 1}, fields=["a"], input="x"), {"x": [[1]]}),
    (lambda: normalize([[1, 2], [3, 4]], mean=1, std=2), [[0.0, 0.5], [1.0, 1.5]]),
    (lambda: normalize([[1, 2], [3, 4]], mean=[1, 2], std=[1, 2]), [[0.0, 0.0], [2.0, 1.0]]),
    (lambda: normalize([0, 5, 10], min=0, max=10), [0.0, 0.5, 1.0]),
    (lambda: normalize(3, mean=1), 2.0),
    (lambda: normalize([]), []),
    (lambda: normalize({"a": [2], "b": [2]}, mean=1, inputs=["a"]), {"a": [1.0], "b": [2]}),
    (lambda: resize([[1, 2], [3, 4]], height=4, width=1), [[1], [1], [3], [3]]),
    (lambda: resize([[[1, 9], [2, 9]]], height=1, width=4), [[[1, 9], [1, 9], [2, 9], [2, 9]]]),
    (lambda: flatten([[1, [2]], 3]), [[1, 2, 3]]),
    (lambda: softmax({"y": [[0, 0], [1, 1]]}), {"y": [[0.5, 0.5], [0.5, 0.5]]}),
    (lambda: softmax({"y": [1e308, 0], "z": 1}, key="y"), {"y": [1.0, 0.0], "z": 1}),
    (lambda: sigmoid({"y": [0, 800, -800]}), {"y": [0.5, 1.0, 0.0]}),
    (lambda: argmax({"y": [[1, 3, 2]]}, labels=["a", "b", "c"]), {"index": 1, "confidence": 3.0, "label": "b"}),
    (lambda: argmax({"y": [2, 2]}), {"index": 0, "confidence": 2.0}),
    (
        lambda: top_k({"y": [1, 3, 2]}, k=2),
        {"top": [{"index": 1, "confidence": 3.0}, {"index": 2, "confidence": 2.0}]},
    ),
    (lambda: squeeze({"a": [[0.5]], "b": [1, 2], "c": "x"}), {"a": 0.5, "b": [1, 2], "c": "x"}),
]
REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: vector([1], fields=["a"]), "named fields"),
    (lambda: vector({"a": 1}, fields=["b"]), "no field `b`"),
    (lambda: normalize([1], mean=1, min=0, max=1), "min and max, or mean and std"),
    (lambda: normalize([1], min=0), "min and max, or mean and std"),
    (lambda: normalize([1], min=1, max=1), "divide by 0"),
    (lambda: normalize([1, 2], mean=[1]), "1 means and 2 deviations for 2"),
    (lambda: normalize(1, mean=[1]), "several means"),
    (lambda: normalize(["1"]), "no number"),
    (lambda: normalize([True]), "no number"),
    (lambda: resize([[1], [1, 2]], height=1, width=1), "all of one length"),
    (lambda: resize([[], []], height=1, width=1), "with pixels"),
    (lambda: resize([[1]], height=0, width=1), "1 or more"),
    (lambda: softmax({"y": 1}), "a list of numbers"),
    (lambda: softmax({"y": [1], "z": [1]}), "several outputs"),
    (lambda: softmax({"y": [1]}, key="z"), "no output `z`"),
    (lambda: argmax({"y": [[1], [2]]}), "one row"),
    (lambda: argmax({"y": [1, 2]}, labels=["a"]), "1 labels for 2"),
]


@pytest.mark.parametrize(("made", "expected"), CASES)
def test_what_they_make(made: Callable[[], Any], expected: Any) -> None:
    """Each transformation on small data."""
    assert made() == expected


@pytest.mark.parametrize(("made", "words"), REFUSED)
def test_what_they_refuse(made: Callable[[], Any], words: str) -> None:
    """Data and parameters that do not fit are refused in words."""
    with pytest.raises((ValueError, TypeError), match=words):
        made()


def test_shares_add_up() -> None:
    """Softmax gives shares of one."""
    assert math.isclose(sum(softmax({"y": [0.1, 2.0, -3.0]})["y"]), 1.0)


def test_the_names_are_the_functions() -> None:
    """A step names a transformation as its function is called."""
    assert all(name == function.__name__ for name, function in {**PREPROCESSING, **POSTPROCESSING}.items())
