"""`ExpressionEvaluator`: the seam for conditions given as text at run time, outside a compiled definition."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from ruvon.providers._errors import EvaluationError

__all__ = ["EvaluationError", "ExpressionEvaluator"]


@runtime_checkable
class ExpressionEvaluator(Protocol):
    """Evaluates a condition against named values; never Python's `eval`."""

    def evaluate(self, expression: str, context: Mapping[str, Any], /) -> bool:
        """The truth of `expression` with the names of `context`, as exactly True or False.

        Raises:
            EvaluationError: it is outside the language, names what is not there, or fails on these values.
        """
        ...
