"""Values that workflow bodies and applications get from the engine: results, batches, winners, responses."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar, cast, final

import orjson
from pydantic import BaseModel

from ruvon.ir._merging import MergeStrategy

__all__ = [
    "Batch",
    "Elapsed",
    "Failure",
    "HttpResponse",
    "MergeConflictBehavior",
    "MergeStrategy",
    "StepResult",
    "Won",
    "as_result_mapping",
]

R = TypeVar("R")
Rc_co = TypeVar("Rc_co", covariant=True)


class StepResult(NamedTuple):
    """What `next_step` returns; unpacks as `result, next_step = await workflow.next_step()`."""

    result: Any
    """The result of the last finished step, as its function returned it (a dict for most steps), or None."""
    next_step: str | None
    """The name of the step where the workflow stands, or None when it has ended."""


class MergeConflictBehavior(Enum):
    """Who wins when a key is written twice; `PREFER_OLD` is another name of `PREFER_EXISTING`."""

    PREFER_NEW = "PREFER_NEW"
    PREFER_EXISTING = "PREFER_EXISTING"
    RAISE_ERROR = "RAISE_ERROR"
    PREFER_OLD = "PREFER_EXISTING"  # noqa: PIE796 - an alias on purpose: both names are documented


@final
@dataclass(frozen=True, slots=True)
class Elapsed:
    """What `sleep` and `sleep_until` give: the time has come."""


@final
@dataclass(frozen=True, slots=True)
class Failure:
    """One failed branch of a `gather(..., partial=True)`."""

    index: int
    """The branch's place in the call, from 0."""
    kind: str
    """The qualified name of the error's class, such as `CardDeclined`."""
    message: str
    """The error's text."""


@final
@dataclass(frozen=True, slots=True)
class Batch(Generic[R]):
    """What `gather(..., partial=True)` gives: results in order of the call without the failed ones, and the failures."""

    ok: list[R]
    failed: list[Failure]


@final
@dataclass(frozen=True, slots=True)
class Won(Generic[Rc_co]):
    """What `first_of(named("lead", ...), ...)` gives: the winner's name and value."""

    name: str
    value: Rc_co


@final
@dataclass(frozen=True, slots=True)
class HttpResponse:
    """The answer to `http(...)` without `into=`."""

    status: int
    headers: Mapping[str, str]
    """Header names are in lower case."""
    text: str
    __ruvon_advice__: ClassVar[str] = "give the call `into=Model`, which makes the body a value of the class"

    @property
    def json(self) -> Any:
        """The body read as JSON; raises `orjson.JSONDecodeError` (a `ValueError`) where it is none."""
        return orjson.loads(self.text)


def as_result_mapping(result: object) -> Mapping[str, Any] | None:
    """A step's result as `previous_step_result` shows it.

    A mapping is shown as it is, a model by its fields, None as None, anything else under the key `result`.
    """
    match result:
        case None:
            return None
        case Mapping():
            found: Mapping[Any, Any] = cast("Any", result)
            return {str(key): value for key, value in found.items()}
        case BaseModel():
            return {name: getattr(result, name) for name in type(result).model_fields}
        case _:
            return {"result": result}
