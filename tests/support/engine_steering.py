"""Functions for graphs built by hand: directives, human steps with functions, custom step types."""

import asyncio
from typing import Any, Literal

from pydantic import BaseModel

from ruvon.models import (
    SagaWorkflowException,
    StartSubWorkflowDirective,
    StepContext,
    WorkflowFailedException,
    WorkflowJumpDirective,
    WorkflowPauseDirective,
    WorkflowStep,
)
from tests.support.engine_flows import Doc, did


class Answer(BaseModel):
    yes: bool
    why: str = ""


def one(state: Doc) -> dict[str, Any]:
    did("one")
    return {"n": state.n + 1}


def two(state: Doc, context: StepContext) -> dict[str, Any]:
    did(f"two after {context.previous_step_result}")
    return {"text": "two"}


def jump(state: Doc) -> None:
    did("jump")
    raise WorkflowJumpDirective("last" if state.n > 1 else "one", {"tags": ["jumped"]})


def far(state: Doc) -> None:
    raise WorkflowJumpDirective("inside")


def pause(state: Doc) -> None:
    did("pause")
    raise WorkflowPauseDirective({"text": "asked"})


def spawn(state: Doc) -> None:
    did("spawn")
    raise StartSubWorkflowDirective("Child", {"n": 4})


def give_up(state: Doc) -> None:
    raise SagaWorkflowException("give_up", "no way on")


def stop(state: Doc) -> None:
    raise WorkflowFailedException("stopped by hand")


def take(state: Doc, yes: bool, why: str = "") -> dict[str, Any]:
    did(f"take {yes} {why}")
    return {"text": why}


def take_model(state: Doc, context: StepContext) -> dict[str, Any]:
    did(f"take {context.validated_input!r}")
    return {"text": context.validated_input.why}


class Gate:
    """Where `take_slowly` stands until it is let through; one a loop."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()


GATES: list[Gate] = []
"""The newest gate is the one that counts."""


async def take_slowly(state: Doc, context: StepContext) -> dict[str, Any]:
    GATES[-1].reached.set()
    await GATES[-1].open.wait()
    return {"text": context.validated_input.why}


def keys(state: Doc, context: StepContext) -> dict[str, Any]:
    did(context.idempotency_key)
    return {"n": state.n + 1}


def undo(state: Doc, context: StepContext) -> None:
    did(f"undo {context.step_result} {state.n}")


def wants_dict(state: dict) -> dict[str, Any]:  # type: ignore[type-arg]
    did(type(state).__name__)
    state["a"] = 5
    return {"b": 6, "undeclared": 1}


class Greet(WorkflowStep):
    type: Literal["GREET"] = "GREET"
    greeting: str = "Hello"
    times: int = 1

    async def execute(self, state: Any, context: StepContext) -> dict[str, Any]:
        did(f"greet {self.name} {self.greeting * self.times}")
        return {"text": f"{self.greeting} {state.n}"}
