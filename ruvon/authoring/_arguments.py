"""Arguments of decorators that no declaration can keep: refused where they are written, and told what fits."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from pydantic import BaseModel

from ruvon.authoring._retry import Retry

__all__ = ["DecoratorArgumentError", "require_step", "require_step_options"]

_DECLARED: Final[Mapping[str, tuple[tuple[type, ...], str]]] = {
    "name": ((str, type(None)), "a text"),
    "retry": ((Retry, type(None)), "a policy such as Retry(max_attempts=3)"),
    "timeout": ((timedelta, type(None)), "a timedelta such as timedelta(seconds=20)"),
    "queue": ((str, type(None)), "the name of a queue"),
    "concurrency_key": ((str, type(None)), "the name of an argument, or a path such as `order.customer`"),
    "blocking": ((bool,), "True or False"),
    "transaction": ((bool,), "True or False"),
    "strict": ((bool, type(None)), "True or False"),
    "automate_next": ((bool, type(None)), "True or False"),
    "input_model": ((type, type(None)), "a pydantic model"),
}
"""The options of `@step`: the classes of their values, and what they take in words."""


class DecoratorArgumentError(TypeError):
    """An argument of a decorator that it cannot keep; the text names the function and what the argument takes.

    Args:
        problem: what is wrong, with the author's own names.
        accepted: what to write instead, as an order.
    """

    def __init__(self, problem: str, accepted: str) -> None:
        self.problem = problem
        self.accepted = accepted
        super().__init__(f"{problem}; {accepted}")


def require_step_options(function: object, options: Mapping[str, object]) -> None:
    """Check the options of `@step`.

    Raises:
        DecoratorArgumentError: there is no such option, or its value does not fit.
    """
    name = getattr(function, "__name__", "?")
    for option, value in options.items():
        if option not in _DECLARED:
            raise DecoratorArgumentError(f"`@step` of `{name}` has no argument `{option}`", _nearest(option))
        classes, accepted = _DECLARED[option]
        is_model = isinstance(value, type) and issubclass(value, BaseModel)
        if not isinstance(value, classes) or (option == "input_model" and value is not None and not is_model):
            raise DecoratorArgumentError(f"`{option}` in `@step` of `{name}` is {value!r}", f"give {accepted}")


def _nearest(option: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - only who errs needs it

    near = get_close_matches(option, _DECLARED, n=1)
    if not near:
        return f"it takes {', '.join(f'`{item}`' for item in _DECLARED)}"
    return f"did you mean `{near[0]}`? It takes {_DECLARED[near[0]][1]}"


def require_step(given: object, is_step: bool) -> None:
    """Check what `@compensate` is given.

    Raises:
        DecoratorArgumentError: it is no step.
    """
    if is_step:
        return
    name = getattr(given, "__name__", None)
    if name is None:
        raise DecoratorArgumentError(
            f"`compensate` is given {given!r}, which is no step", "give the step that it undoes"
        )
    raise DecoratorArgumentError(
        f"`compensate` is given `{name}`, which is no step",
        f"put `@step` above `def {name}`, or write `@compensate(the_step)` with the step that it undoes",
    )
