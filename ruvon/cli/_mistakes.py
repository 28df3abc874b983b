"""Errors of the engine and the stores in the words of the command line: what to type, not what to call."""

from typing import TYPE_CHECKING

from ruvon.cli._session import again

if TYPE_CHECKING:
    from ruvon.ir import RuvonError

__all__ = ["in_commands"]


def in_commands(exc: "RuvonError") -> str:
    """The sentence of an error, with commands in place of calls of the Python interface."""
    from ruvon import engine  # noqa: PLC0415
    from ruvon.providers import persistence  # noqa: PLC0415

    code, database = again(), again(code=False)
    match exc:
        case engine.WorkflowFinishedError(workflow_id=run, status="FAILED_ROLLED_BACK" as status):
            return (
                f"the run {run} has ended ({status}): what had a compensation was undone; start a new one with "
                "`ruvon run` when the reason is mended"
            )
        case engine.WorkflowFinishedError(workflow_id=run, status=status) if status.startswith("FAILED"):
            back = f"`ruvon retry {run}{code}`"
            return f"the run {run} has ended ({status}); bring it back with {back}, or start a new one"
        case engine.WorkflowFinishedError(workflow_id=run, status=status):
            return f"the run {run} has ended ({status}); start a new one with `ruvon run`"
        case engine.NotWaitingForInputError(asking=asking) if asking:
            return str(exc)
        case engine.NotWaitingForInputError(workflow_id=run, status=status, step=step):
            at = f" at `{step}`" if step else ""
            return (
                f"the run {run} does not wait for input (it is {status}{at}); "
                f"let it go on without -i: `ruvon resume {run}{code} --auto`"
            )
        case engine.UnknownStepTypeError(step=step, step_type=name):
            return (
                f"the step `{step}` is of the type {name}, which is none of the built-in ones; name the file of its "
                "workflow with --workflows, or install the plugin that has it (`ruvon plugins` lists them)"
            )
        case engine.DefinitionDriftError():
            return (
                f"{exc}; `ruvon migrate apply TYPE --to TARGET{code}` moves runs to a definition that fits the code, and "
                f"`ruvon cancel ID{code} --force` ends such a run without its code"
            )
        case engine.UnknownWorkflowTypeError():
            return f"{exc}; --workflows PATH makes more types known"
        case persistence.DuplicateIdempotencyKeyError():
            return f"{str(exc).partition(';')[0]}; see `ruvon list{database}`, or give another --key"
        case persistence.WorkflowNotFoundError(workflow_id=run):
            listed = f"`ruvon list{database}`"
            return f"there is no run {run} in this database; see {listed}, or name another database with --db"
        case persistence.WorkflowBusyError(workflow_id=run):
            logs = f"`ruvon logs {run}{code} --follow`"
            return f"the run {run} is being driven by another process; wait for it, or see {logs}"
        case _:
            return str(exc)
