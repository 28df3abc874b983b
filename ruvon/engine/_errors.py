"""What the engine answers when it cannot do what it was asked; nothing was changed when one of these is raised.

ExecutionError (ruvon.models)
├── WorkflowFinishedError         the workflow has ended
├── NotWaitingForInputError       input was given, but nothing waits for any
├── InvalidInputError             the input does not fit what waits for it
├── InvalidInitialDataError       the initial data does not fit the state's class
├── UnknownWorkflowTypeError      no such workflow type is registered
├── DefinitionDriftError          deployed code no longer fits the definition: the instance is parked
├── ProgramError                  a definition cannot be made runnable here
│   └── UnknownStepTypeError      a CALL names a step type that is not registered
├── RepairError                   a retry, jump or rewind asks for what is not there
├── WrongArgumentError            something of another kind was given than what a method takes
├── CleanupDeadlineError          a `finally` of an instance that is ended early was cut short; only its log has it
├── WorkerCrashError              a run has taken its process down again and again: it is not taken up any more
└── CompensationFailedError       a rollback ended, and some compensation did not work (ruvon.models)
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from difflib import get_close_matches

from ruvon.models import CompensationFailedError, ExecutionError

__all__ = [
    "CleanupDeadlineError",
    "CompensationFailedError",
    "DefinitionDriftError",
    "InvalidInitialDataError",
    "InvalidInputError",
    "NotWaitingForInputError",
    "ProgramError",
    "RepairError",
    "UnknownStepTypeError",
    "UnknownWorkflowTypeError",
    "WorkerCrashError",
    "WorkflowFinishedError",
    "WrongArgumentError",
]


class WrongArgumentError(ExecutionError, TypeError):
    """Something of another kind was given than what a method takes; nothing was changed.

    Args:
        call: the method, as it is called.
        wanted: what it takes.
        given: what it was given.
        remedy: how it is written; may be empty.
    """

    def __init__(self, call: str, wanted: str, given: object, remedy: str = "") -> None:
        self.given = given
        hint = f"; {remedy}" if remedy else ""
        super().__init__(f"{call} takes {wanted}, not {_short(given)}{hint}")


def _short(given: object, most: int = 80) -> str:
    text = repr(given)
    return text if len(text) <= most else f"{text[:most]}..."


class WorkflowFinishedError(ExecutionError):
    """The workflow has ended; nothing was changed."""

    def __init__(self, workflow_id: str, status: str) -> None:
        self.workflow_id = workflow_id
        self.status = status
        super().__init__(
            f"the workflow {workflow_id} has ended ({status}); create a new one, or repair a failed one with retry()"
        )


class NotWaitingForInputError(ExecutionError):
    """Input was given, but the workflow does not wait for any; nothing was changed.

    Args:
        workflow_id: which workflow.
        status: how it stands.
        step: where it stands; with `asking`, the step that was named.
        asking: the steps that do wait for input, where another one was named.
    """

    def __init__(self, workflow_id: str, status: str, step: str | None, asking: Sequence[str] = ()) -> None:
        self.workflow_id = workflow_id
        self.status = status
        self.step = step
        self.asking = tuple(asking)
        if self.asking:
            names = ", ".join(f"`{name}`" for name in self.asking)
            super().__init__(f"no step `{step}` of the workflow {workflow_id} waits for input; those that do: {names}")
            return
        super().__init__(
            f"the workflow {workflow_id} does not wait for input (it is {status} at `{step}`); "
            "call next_step() without user_input to see whether what it waits for has arrived"
        )


class InvalidInputError(ExecutionError, ValueError):
    """The input does not fit what waits for it; nothing was changed and the step keeps waiting.

    Args:
        step: the step, or the class of a signal.
        problems: what does not fit.
        subject: what is not valid; the input of the step, where nothing else is given.
    """

    def __init__(self, step: str, problems: Sequence[str], *, subject: str = "") -> None:
        self.step = step
        self.problems = tuple(problems)
        super().__init__(f"{subject or f'the input of `{step}`'} is not valid: {'; '.join(self.problems)}")


class InvalidInitialDataError(ExecutionError, ValueError):
    """The initial data does not fit the state's class; nothing was stored."""

    def __init__(self, workflow_type: str, problems: Sequence[str]) -> None:
        self.workflow_type = workflow_type
        self.problems = tuple(problems)
        super().__init__(f"{workflow_type} cannot start with this data: {'; '.join(self.problems)}")


class UnknownWorkflowTypeError(ExecutionError, KeyError, ValueError):
    """No workflow of this type (and version) is registered."""

    def __init__(self, workflow_type: str, known: Iterable[str], version: str | None = None) -> None:
        self.workflow_type = workflow_type
        names = sorted(known)
        near = get_close_matches(workflow_type, names, n=1)
        wanted = f"`{workflow_type}`" + (f" version {version}" if version else "")
        hint = f"did you mean `{near[0]}`?" if near else f"registered are: {', '.join(names) or 'none'}"
        self.sentence = f"no workflow type {wanted} is registered; {hint}"
        super().__init__(self.sentence)

    def __str__(self) -> str:
        return self.sentence


class DefinitionDriftError(ExecutionError):
    """Deployed code no longer fits what the definition recorded of it; the instance is parked, nothing changed."""

    def __init__(self, workflow_type: str, problems: Sequence[str]) -> None:
        self.workflow_type = workflow_type
        self.problems = tuple(problems)
        super().__init__(
            f"the deployed code does not fit the definition that this {workflow_type} runs: {'; '.join(self.problems)}. "
            "Deploy code that fits, or let the instances of this definition end first"
        )


class ProgramError(ExecutionError):
    """A definition cannot be made runnable in this process."""

    def __init__(self, workflow_type: str, problems: Sequence[str]) -> None:
        self.workflow_type = workflow_type
        self.problems = tuple(problems)
        super().__init__(f"the workflow type `{workflow_type}` cannot run here: {'; '.join(self.problems)}")


class UnknownStepTypeError(ProgramError):
    """A step names a step type that is not registered."""

    def __init__(self, workflow_type: str, step: str, step_type: str, known: Iterable[str]) -> None:
        self.step = step
        self.step_type = step_type
        names = sorted(known)
        near = get_close_matches(step_type, names, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"registered are: {', '.join(names)}"
        super().__init__(
            workflow_type,
            [
                (
                    f"the step `{step}` is of the type {step_type}, which is not registered ({hint}); "
                    "install the plugin that has it, or register the type with the builder"
                )
            ],
        )


class RepairError(ExecutionError):
    """A retry, jump or rewind asks for what is not there; nothing was changed."""

    def __init__(self, workflow_id: str, problem: str) -> None:
        self.workflow_id = workflow_id
        super().__init__(f"the workflow {workflow_id} cannot be repaired like that: {problem}")


class CleanupDeadlineError(ExecutionError):
    """A `finally` that ran because the workflow was ended early took longer than it has time for; it was cut short.

    It stands in the log of the workflow, and ends nothing: the way out goes on with what stands around.

    Args:
        step: the step that was under way, in the words of the body.
        limit_us: the time that there was, in microseconds.
    """

    def __init__(self, step: str, limit_us: int) -> None:
        self.step = step
        self.limit_us = limit_us
        super().__init__(
            f"the `finally` around `{step}`, which ran because the workflow was ended early, did not end within "
            f"{timedelta(microseconds=limit_us)} and was cut short; give its steps a timeout, or the builder a longer "
            "cleanup_deadline="
        )


class WorkerCrashError(ExecutionError):
    """The processes that drove a run died over it again and again, so it is not taken up any more.

    Args:
        step: the step that was under way, in the words of the body.
        crashes: how many processes died there, with nothing committed in between.
    """

    def __init__(self, step: str, crashes: int) -> None:
        self.step = step
        self.crashes = crashes
        times = "once" if crashes == 1 else f"{crashes} times in a row"
        super().__init__(
            f"the process that drove the workflow died {times} while `{step}` was under way; "
            "mend what kills it (memory, a native library, a time limit of the host), then retry the workflow"
        )
