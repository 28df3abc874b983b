"""Options of calls that are no functions of the author's: `http.with_(name="Ask", queue="net")("GET", url)`.

`human`, `receive`, `sleep`, `http`, `infer` and `wasm` are objects, so that they take the same options as steps do.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Self, final

from pydantic import BaseModel

from ruvon.authoring._retry import Retry
from ruvon.models import MergeConflictBehavior, MergeStrategy

if TYPE_CHECKING:
    from ruvon.authoring._compensate import Compensation

__all__ = ["NO_OPTIONS", "UNSET", "CallOptions", "Optioned", "ServiceOptioned", "Unset"]


class Unset(Enum):
    """The default of an option where None means something else: leave it as declared."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


@final
@dataclass(frozen=True, slots=True)
class CallOptions:
    """What `with_` gave, by name; what is missing was not given."""

    given: Mapping[str, Any]

    def get(self, name: str) -> Any:
        """An option, or None."""
        return self.given.get(name)


NO_OPTIONS: Final = CallOptions({})


class Optioned:
    """A call with options; `with_` gives the same call with others."""

    __slots__ = ("options",)

    def __init__(self, options: CallOptions = NO_OPTIONS) -> None:
        self.options = options

    def with_(
        self,
        *,
        name: str | Unset = UNSET,
        compensate: "Compensation | Callable[..., Any] | Unset | None" = UNSET,
        automate_next: bool | Unset = UNSET,
        merge: MergeStrategy | Unset = UNSET,
        conflict: MergeConflictBehavior | Unset = UNSET,
        merge_function: Callable[..., Any] | Unset | None = UNSET,
    ) -> Self:
        """The same call with options.

        Args:
            name: the name of the step in the graph, in logs, jumps and repairs.
            compensate: the function that undoes it.
            automate_next: whether the workflow goes on by itself after it.
            merge: how a result joins the state, where it does.
            conflict: who wins where the state was written meanwhile.
            merge_function: merges the result instead of the strategy.
        """
        return self._changed(locals())

    def _changed(self, given: Mapping[str, Any]) -> Self:
        """The same call with what is set in the arguments of `with_`."""
        changes = {key: value for key, value in given.items() if key != "self" and value is not UNSET}
        return type(self)(CallOptions({**self.options.given, **changes}))


class ServiceOptioned(Optioned):
    """A call of something outside with options: what waits take, and what every attempt takes."""

    __slots__ = ()

    def with_(
        self,
        *,
        name: str | Unset = UNSET,
        retry: Retry | Unset | None = UNSET,
        timeout: timedelta | Unset | None = UNSET,
        queue: str | Unset | None = UNSET,
        compensate: "Compensation | Callable[..., Any] | Unset | None" = UNSET,
        automate_next: bool | Unset = UNSET,
        input_model: type[BaseModel] | Unset | None = UNSET,
        required_input: tuple[str, ...] | Unset = UNSET,
        queue_timeout: timedelta | Unset | None = UNSET,
        deadline: timedelta | Unset | None = UNSET,
        concurrency_key: str | Unset | None = UNSET,
        merge: MergeStrategy | Unset = UNSET,
        conflict: MergeConflictBehavior | Unset = UNSET,
        merge_function: Callable[..., Any] | Unset | None = UNSET,
    ) -> Self:
        """The same call with options.

        Args:
            name: the name of the step in the graph, in logs, jumps and repairs.
            retry: when and how often a failed attempt is repeated.
            timeout: longest time of one attempt.
            queue: workers of this queue run it.
            compensate: the function that undoes it.
            automate_next: whether the workflow goes on by itself after it.
            input_model: the model of the input that the step waits for.
            required_input: keys that the input must have, where there is no model.
            queue_timeout: longest wait for a worker.
            deadline: longest time of the activation, retries included.
            concurrency_key: a field, such as `url`, or a path into one or into `state`, that its queue's limits count by.
            merge: how a result joins the state, where it does.
            conflict: who wins where the state was written meanwhile.
            merge_function: merges the result instead of the strategy.
        """
        return self._changed(locals())
