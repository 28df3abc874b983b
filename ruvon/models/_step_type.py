"""`WorkflowStep`: the base class of custom step types.

A custom type is a pydantic model: its fields are the keys that authors write under the step, so a wrong key or a value
of the wrong type is found when the definition is loaded. An instance is made from the evaluated fields each time the
step runs, and `execute` does the work.
"""

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, PrivateAttr

from ruvon.models._context import StepContext

__all__ = ["WorkflowStep"]


class WorkflowStep(BaseModel):
    """One use of a step type; subclass it, give `type` a literal of its own, and write `execute`.

    Example:
        >>> class GreetStep(WorkflowStep):
        ...     type: Literal["GREET"] = "GREET"
        ...     greeting: str = "Hello"
        ...
        ...     async def execute(self, state: BaseModel, context: StepContext) -> dict[str, object]:
        ...         return {"message": self.greeting}
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)

    name: str
    """The step's name, unique in its workflow."""
    type: str
    """The name of the step type; a subclass narrows it to its own literal."""
    function: str | None = None
    """Path of a function that the type calls, `module:name`, where it takes one."""
    compensate_function: str | None = None
    """Path of the function that undoes the step."""
    description: str | None = None
    """Words for people; no part of the definition's digest."""

    is_retryable: ClassVar[bool] = True
    """Whether a retry policy may repeat `execute`."""

    _called: Callable[[Any, StepContext], Any] | None = PrivateAttr(default=None)

    async def execute(self, state: Any, context: StepContext) -> Any:
        """Do the work of the step.

        Args:
            state: a copy of the workflow's state; assignments merge when the call returns.
            context: what the step may know about its run.

        Returns:
            A dict whose declared keys merge into the state, or any other storable value, which is only bound.
        """
        del state
        raise TypeError(
            f"the step type {type(self).__qualname__} of `{context.step_name}` has no `execute`; "
            "write `async def execute(self, state, context)`"
        )

    async def call_function(self, state: Any, context: StepContext) -> Any:
        """Call `function` as a plain step would be called: with `state` and `context`, where it takes them.

        Its changes of `state` are those of the step.

        Raises:
            TypeError: the step names no function.
        """
        if self._called is None:
            raise TypeError(f"`{context.step_name}` names no function; write `function:` below the step")
        made = self._called(state, context)
        return await made if inspect.isawaitable(made) else made

    def retry_after(self, error: Exception, context: StepContext) -> timedelta | None:
        """How long to wait before `execute` is called again, when it has raised; None leaves the error as it is.

        A subclass that overrides it decides about its own retries, whatever `retry` the step is given. Each failed attempt
        is recorded with the moment of the next one, so waiting holds up nobody, survives a restart, and leaves the next
        attempt to another instance of this class. `context.attempt` and `context.last_error` are those of the attempt.

        Args:
            error: what `execute` raised.
            context: the context that it was given.

        Raises:
            Exception: what is raised here takes the place of `error`.
        """
        del error, context
        return None


# Its own validator is built when it is first used: building one loads `importlib.metadata` for pydantic's plugins, and most
# programs have no custom step type. A subclass is built where it is written, so that its mistakes show there.
WorkflowStep.model_config["defer_build"] = False
