"""What commands say of an instance: as data for `--json`, and as lines for people.

Everything shown went through the mask: a secret is `***` in every form.
"""

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import rich_click as click

from ruvon._described import described_waits, error_text, moment, traceback_text
from ruvon.cli._output import print_json, secho, to_json
from ruvon.cli._waits import print_waits, short_name

if TYPE_CHECKING:
    from ruvon import ir
    from ruvon._workflow import Workflow
    from ruvon.cli._session import Session
    from ruvon.providers import InstanceRecord

__all__ = ["error_text", "print_instance", "record_data", "status_colour", "tell", "traceback_text", "workflow_data"]


def status_colour(status: str) -> str:
    """The colour that a status is shown in."""
    if status == "COMPLETED":
        return "green"
    return "red" if status.startswith("FAILED") or status == "CANCELLED" else "yellow"


def record_data(record: "InstanceRecord", definition: "ir.Definition | None") -> dict[str, Any]:
    """What the row of an instance says, with nothing of the author's decoded."""
    return {
        "workflow_id": str(record.workflow_id),
        "workflow_type": record.workflow_type,
        "workflow_version": record.workflow_version,
        "status": record.status,
        "current_step": record.current_step,
        "waiting_for": described_waits(record.waiting_for, definition),
        "error": error_text(record.error),
        "parent_id": str(record.parent_id) if record.parent_id is not None else None,
        "saga_enabled": record.saga_enabled,
        "created_at": moment(record.created_us),
        "updated_at": moment(record.updated_us),
    }


async def workflow_data(session: "Session", workflow: "Workflow") -> dict[str, Any]:
    """How an instance stands now, with its result."""
    from ruvon.ir.values import mask  # noqa: PLC0415

    record = await session.provider.load_instance(UUID(workflow.id))
    program = await session.builder.engine().program_of(record)
    data = record_data(record, program.definition)
    if record.result is not None:
        data["result"] = mask(program.types.dynamic.decode(record.result))
    return data


def print_instance(data: Mapping[str, Any], *, again: str = "") -> None:
    """How an instance stands, in a few lines, with the command that goes on."""
    secho(f"{data['workflow_type']} {data['workflow_id']}", bold=True)
    at = f" at {data['current_step']}" if data.get("current_step") else ""
    secho(f"  {data['status']}{at}", fg=status_colour(str(data["status"])))
    print_waits(data["waiting_for"])
    if data.get("result") is not None:
        click.echo(f"  result: {flat(data['result'])}")
    if data.get("error") is not None:
        click.echo(f"  error: {data['error']}")
        if "UnknownWorkflowTypeError" in str(data["error"]):
            click.echo("  --workflows PATH makes the types of children known")
    for line in _next_commands(data, again):
        click.echo(f"  {line}")


def flat(value: object) -> str:
    """A value on one line."""
    return value if isinstance(value, str) else to_json(value, indent=False)


def _next_commands(data: Mapping[str, Any], again: str) -> list[str]:
    """What the operator can do next."""
    workflow_id, status = data["workflow_id"], str(data["status"])
    if data.get("driven"):
        follow = f"ruvon logs {workflow_id}{again} --follow"
        if data.get("asked_to_end"):
            return ["it was asked to end; the process that drives it will stop it", f"see: {follow}"]
        return [f"another process drives it: {follow}"]
    if data.get("left_to_workers"):
        return [f"a worker of the queue `default` runs it; see: ruvon logs {workflow_id}{again} --follow"]
    if data.get("under_way"):
        return [f"{data['under_way']}; see: ruvon logs {workflow_id}{again} --follow"]
    waits = cast("list[dict[str, Any]]", data["waiting_for"])
    asked = [wait for wait in waits if "answer" in wait]
    if asked:
        return [_reply(str(workflow_id), wait, again, several=len(asked) > 1) for wait in asked]
    children = [wait for wait in waits if wait["kind"] == "child" and wait.get("key")]
    if children:
        return [f"child: ruvon show {children[0]['key']}{again}"]
    queues = sorted({str(wait["name"]) for wait in waits if wait["kind"] == "task" and wait.get("name")})
    if queues and data.get("by_server"):
        return ["a worker of the server goes on with it"]
    if queues and status == "PENDING_ASYNC":
        names = " ".join(f"--queue {shlex.quote(name)}" for name in queues)
        return [f"a worker goes on: ruvon worker {names}{again}"]
    if status in {"FAILED", "FAILED_CHILD_WORKFLOW", "FAILED_WORKER_CRASH"}:
        undone = "CompensationFailedError" not in str(data.get("error"))
        return [f"repair: ruvon {'retry' if undone else 'retry-compensation'} {workflow_id}{again}"]
    if status == "FAILED_ROLLED_BACK":
        return ["what had a compensation was undone; start a new run when the reason is mended"]
    if status in {"ACTIVE", "PAUSED", "PENDING_ASYNC", "COMPENSATING"}:
        return [f"go on: ruvon resume {workflow_id}{again} --auto"]
    return []


def _reply(workflow_id: str, wait: Mapping[str, Any], again: str, *, several: bool) -> str:
    """The command that gives a run what it waits for."""
    given = shlex.quote(flat(wait["answer"]))
    if wait["kind"] != "signal":
        step = f" --step {shlex.quote(str(wait['step']))}" if several else ""
        return f"answer: ruvon resume {workflow_id}{again}{step} -i {given} --auto"
    name = shlex.quote(short_name(wait))
    key = f" --key {shlex.quote(str(wait['key']))}" if wait.get("key") else ""
    return f"signal: ruvon signal {workflow_id} {name} {given}{key}{again} --auto"


def tell(data: Mapping[str, Any], *, as_json: bool, again: str = "") -> None:
    """Print how an instance stands, in the wanted form."""
    if as_json:
        print_json(data)
    else:
        print_instance(data, again=again)
