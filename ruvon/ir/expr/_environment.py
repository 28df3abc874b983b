"""What a compiled expression is evaluated in: values by name, and the few things that come from outside.

An environment belongs to one evaluation at a time (the engine makes one per instance or activation); the compiled
expression itself holds no values and is shared by all instances and threads.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Protocol, final, runtime_checkable
from uuid import UUID

from ruvon.ir.expr._budget import Budget, FlatMeter, Meter
from ruvon.ir.expr._errors import ExpressionAccessError

__all__ = ["DEFAULT_BUDGET", "DataView", "Environment", "Frame", "Recorder"]

DEFAULT_BUDGET: Final = Budget()


@runtime_checkable
class Recorder(Protocol):
    """Gives the values of `now()`, `new_id()` and `random()` and records them with the transition under way."""

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        ...

    def new_id(self) -> UUID:
        """A fresh identifier."""
        ...

    def random(self) -> float:
        """A number from 0.0 up to but not including 1.0."""
        ...


@runtime_checkable
class DataView(Protocol):
    """A stand-in for data, such as the engine's reader of the state, that decides itself which attributes it has."""

    def expression_attribute(self, name: str) -> object:
        """The data behind `name`; raises AttributeError where there is none. Never called with an underscore name."""
        ...


@final
class _Nothing:
    """Stands for everything an environment was not given: using it says what is missing."""

    def now(self) -> datetime:
        raise _missing("now()", "recorder")

    def new_id(self) -> UUID:
        raise _missing("new_id()", "recorder")

    def random(self) -> float:
        raise _missing("random()", "recorder")

    def secret(self, name: str) -> object:
        raise _missing(f"secret({name!r})", "secrets")

    def template(self, text: str, names: Mapping[str, object]) -> str:
        raise _missing(f"template of {len(names)} names and {len(text)} characters", "templates")

    def resolve(self, path: str) -> object:
        raise _missing(path, "resolve")


def _missing(what: str, argument: str) -> ExpressionAccessError:
    return ExpressionAccessError(Environment, what, f"the environment was made without `{argument}=`")


_NOTHING: Final = _Nothing()


@final
class Environment:
    """Values and services for one evaluation.

    Args:
        names: Values by name, `state` among them; it may be changed between evaluations.
        budget: What one evaluation may cost.
        recorder: Where `now()`, `new_id()` and `random()` come from.
        secrets: Gives the value of `secret("NAME")`.
        templates: Renders the text of `template("...")` with the names.
        resolve: Gives the class or `@pure` function of a path. It must know only what the definition lists in `uses`.
    """

    __slots__ = ("budget", "meter", "names", "recorder", "resolve", "secrets", "templates")

    def __init__(
        self,
        names: Mapping[str, object],
        *,
        budget: Budget = DEFAULT_BUDGET,
        recorder: Recorder = _NOTHING,
        secrets: Callable[[str], object] = _NOTHING.secret,
        templates: Callable[[str, Mapping[str, object]], str] = _NOTHING.template,
        resolve: Callable[[str], object] = _NOTHING.resolve,
    ) -> None:
        self.names = names
        self.budget = budget
        self.recorder = recorder
        self.secrets = secrets
        self.templates = templates
        self.resolve = resolve
        self.meter = FlatMeter(budget)

    @property
    def env(self) -> "Environment":
        """Itself, so that code for the outermost scope need not ask whether it runs in a frame."""
        return self


@final
class Frame:
    """The variables of one running comprehension, or the outermost scope of an evaluation that is counted."""

    __slots__ = ("env", "meter", "names", "out", "parent", "vars")

    def __init__(self, env: Environment, meter: FlatMeter, parent: "Frame | Environment | None", count: int) -> None:
        self.env = env
        self.names = env.names
        self.meter = meter
        self.parent = parent
        self.vars: list[Any] = [None] * count
        self.out: Any = None

    @classmethod
    def outermost(cls, env: Environment) -> "Frame":
        """The frame of a new evaluation with its full budget."""
        return cls(env, Meter(env.budget), None, 0)
