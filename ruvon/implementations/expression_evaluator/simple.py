"""`SimpleExpressionEvaluator`: conditions as text, in the one expression language of Ruvon.

The same parser, rules and closures as in compiled definitions: comparisons, boolean and arithmetic operators, `in`,
attribute and item access on data (plain dicts too), the listed builtins and methods. No attribute that begins with an
underscore, no import, no call of anything else, under a step budget.
"""

from collections.abc import Mapping
from typing import Any, final

from ruvon.ir._errors import RuvonError
from ruvon.ir.expr import evaluate
from ruvon.providers import EvaluationError

__all__ = ["SimpleExpressionEvaluator"]


@final
class SimpleExpressionEvaluator:
    """Evaluates conditions; loop and thread safe."""

    def evaluate(self, expression: str, context: Mapping[str, Any], /) -> bool:
        """The truth of `expression` with the names of `context`, as exactly True or False.

        Raises:
            EvaluationError: it is outside the language, names what is not there, or fails on these values.
        """
        try:
            return bool(evaluate(expression, context))
        except RuvonError as exc:
            raise EvaluationError(expression, str(exc)) from exc
        except Exception as exc:  # whatever Python raises for these values
            raise EvaluationError(expression, f"{type(exc).__name__}: {exc}") from exc
