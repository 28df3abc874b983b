"""Options of calls that are no functions of the author's: `http.with_(name="Ask", queue="net")("GET", url)`.

`human`, `receive`, `sleep`, `http`, `infer` and `wasm` are objects, so that they take the same options as steps do.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, Self, final

from ruvon.authoring._retry import Retry
from ruvon.models import MergeConflictBehavior, MergeStrategy

if TYPE_CHECKING:
    from ruvon.authoring._compensate import Compensation

__all__ = ["NO_OPTIONS", "CallOptions", "Optioned"]


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
        name: str | None = None,
        retry: Retry | None = None,
        timeout: timedelta | None = None,
        queue: str | None = None,
        compensate: "Compensation | Callable[..., Any] | None" = None,
        automate_next: bool | None = None,
        queue_timeout: timedelta | None = None,
        deadline: timedelta | None = None,
        merge: MergeStrategy | None = None,
        conflict: MergeConflictBehavior | None = None,
        merge_function: Callable[..., Any] | None = None,
    ) -> Self:
        """The same call with options; None leaves an option as it is.

        Args:
            name: the name of the step in the graph, in logs, jumps and repairs.
            retry: when and how often a failed attempt is repeated.
            timeout: longest time of one attempt, or of the wait.
            queue: workers of this queue run it.
            compensate: the function that undoes it.
            automate_next: whether the workflow goes on by itself after it.
            queue_timeout: longest wait for a worker.
            deadline: longest time of the activation, retries included.
            merge: how a result joins the state, where it does.
            conflict: who wins where the state was written meanwhile.
            merge_function: merges the result instead of the strategy.
        """
        own = locals()
        names = [key for key in own if key not in {"self", "own"}]
        changes = {key: own[key] for key in names if own[key] is not None}
        return type(self)(CallOptions({**self.options.given, **changes}))
