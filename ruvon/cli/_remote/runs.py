"""Runs: start, look at them, let them go on, end and repair them."""

from datetime import timedelta
from itertools import islice
from typing import Any, Final, cast

import rich_click as click

from ruvon._described import answerable
from ruvon.cli._audit import Starter
from ruvon.cli._forms import ask_initial
from ruvon.cli._input import read_data
from ruvon.cli._options import Whose
from ruvon.cli._output import Exit, fail, print_json, secho
from ruvon.cli._remote.definitions import initial_data
from ruvon.cli._remote.histories import everything, recorded
from ruvon.cli._remote.shown import PAGE, child_of, data_of, find_id, require_a_type, row_of
from ruvon.cli._remotely import Place
from ruvon.cli._repair import confirmed, place_of, plan_text, refuse_left_over, state_fields
from ruvon.cli._report import tell
from ruvon.cli._resume import print_resumed, refuse_beside_all
from ruvon.cli._runs import asked, ended_badly, print_start_plan
from ruvon.cli._show import print_rows, print_run
from ruvon.models import WorkflowStatus
from ruvon_server.client import StillRunningError
from ruvon_server.models.workflows import RewindPlan, WorkflowInfo

__all__ = [
    "cancel",
    "end",
    "fork",
    "give",
    "jump",
    "list_",
    "resume",
    "retry",
    "retry_compensation",
    "rewind",
    "run",
    "show",
    "signal",
    "start",
]

_PATIENCE: Final = timedelta(days=365)
_BRIEFLY: Final = timedelta(seconds=30)


def _tell(place: Place, info: WorkflowInfo, *, as_json: bool, under_way: str = "", **more: bool) -> None:
    """Show how a workflow stands, and what the server does with it in a moment."""
    data = {**data_of(info), **more}
    told = data if as_json else {**data, "by_server": True, "under_way": under_way}
    tell(told, as_json=as_json, again=place.again)


def end(place: Place, info: WorkflowInfo, *, as_json: bool, under_way: str = "") -> None:
    """The same; code 1 where it has failed."""
    _tell(place, info, as_json=as_json, under_way=under_way)
    ended_badly({"status": info.status.value})


def list_(
    place: Place,
    *,
    status: str | None,
    workflow_type: str | None,
    limit: int,
    offset: int,
    verbose: bool,
    as_json: bool,
) -> None:
    """`ruvon list`."""
    pages = place.client.each_workflow(
        status=[status] if status else (), workflow_type=workflow_type, limit=min(limit + offset, PAGE)
    )
    print_rows([row_of(item) for item in islice(pages, offset, offset + limit)], verbose=verbose, as_json=as_json)


def show(
    place: Place,
    workflow_id: str,
    *,
    state: bool,
    logs: bool,
    metrics: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """`ruvon show`."""
    info = place.client.get_workflow(find_id(place, workflow_id))
    data = data_of(info)
    result = data.pop("result", None)
    data["driven"] = info.driven
    if state:
        found = place.client.get_workflow_state(info.workflow_id)
        if found.state is None:
            data["state_error"] = found.state_error
        else:
            data |= {"state": found.state} | ({"result": result} if result is not None else {})
    if verbose:
        data |= _more(place, info)
    if logs or verbose:
        data["history"] = everything(place, info.workflow_id)
    if metrics or verbose:
        data["metrics"] = recorded(place, info.workflow_id)
    if as_json:
        print_json(data)
    else:
        print_run({**data, "by_server": True}, place.again)


def _more(place: Place, info: WorkflowInfo) -> dict[str, Any]:
    children = place.client.each_workflow(parent_id=info.workflow_id, limit=PAGE)
    return {
        "digest": info.digest,
        "revision": info.revision,
        "owner_id": info.owner_id,
        "org_id": info.org_id,
        "data_region": info.data_region,
        "priority": info.priority,
        "idempotency_key": info.idempotency_key,
        "metadata": info.metadata,
        "traceback": info.traceback,
        "children": [child_of(item) for item in children][::-1],
    }


def start(
    place: Place,
    target: str,
    *,
    data: str | None,
    data_file: str | None,
    interactive: bool,
    dry_run: bool,
    auto: bool,
    key: str | None,
    whose: Whose,
    starter: Starter,
    as_json: bool,
    name: str | None,
) -> None:
    """`ruvon start`: the server lets it go on at once."""
    workflow_type = require_a_type(place, target, name)
    initial = initial_data(place, workflow_type, data, data_file)
    if interactive:
        initial = ask_initial(workflow_type, place.client.get_definition(workflow_type).state_schema, initial)
    wanted: dict[str, Any] = {"workflow_type": workflow_type, "data": initial, "idempotency_key": key, **whose}
    if dry_run:
        plan = place.client.check_start(**wanted)
        print_start_plan(plan.workflow_type, plan.workflow_version, plan.digest, as_json=as_json)
        return
    info = place.client.start_workflow(**wanted, reason=starter["reason"])
    under_way = "it goes on by itself" if info.status is WorkflowStatus.ACTIVE and not auto else ""
    end(place, _rested(place, info) if auto else info, as_json=as_json, under_way=under_way)


def run(
    place: Place,
    target: str,
    *,
    data: str | None,
    data_file: str | None,
    key: str | None,
    whose: Whose,
    starter: Starter,
    as_json: bool,
    name: str | None,
) -> None:
    """`ruvon run`."""
    start(
        place,
        target,
        data=data,
        data_file=data_file,
        interactive=False,
        dry_run=False,
        auto=True,
        key=key,
        whose=whose,
        starter=starter,
        as_json=as_json,
        name=name,
    )


def _rested(place: Place, info: WorkflowInfo) -> WorkflowInfo:
    return place.client.wait(info.workflow_id, patience=_PATIENCE)


def resume(
    place: Place,
    workflow_id: str | None,
    *,
    everything: bool,
    data: str | None,
    data_file: str | None,
    step: str | None,
    auto: bool,
    reason: str,
    as_json: bool,
) -> None:
    """`ruvon resume`."""
    given = read_data(data, data_file, "-i")
    if everything:
        refuse_beside_all(workflow_id, given, step, auto=auto)
        _resume_everything(place, as_json=as_json)
        return
    if workflow_id is None:
        fail("say which run: `ruvon resume ID`, or `ruvon resume --all`", Exit.USAGE)
    ruvon, workflow_id = place.client, find_id(place, workflow_id)
    if given is None:
        info = ruvon.resume_workflow(workflow_id, reason=reason) if auto else ruvon.run_next_step(workflow_id)
    else:
        info = give(place, workflow_id, given, step, reason)
    end(place, _rested(place, info) if auto else info, as_json=as_json)


def _resume_everything(place: Place, *, as_json: bool) -> None:
    report = place.client.resume_workflows()
    if not report.finished:
        click.echo("the server goes on with the rest; `ruvon list` shows how they stand", err=True)
    print_resumed([item.model_dump() for item in report.items], as_json=as_json)


def give(place: Place, workflow_id: str, given: object, step: str | None, reason: str) -> WorkflowInfo:
    """Hand over an answer, a signal, or the input of the step that runs next."""
    ruvon = place.client
    wait = asked(answerable(data_of(ruvon.get_workflow(workflow_id))["waiting_for"]), workflow_id, step, place.again)
    if wait is not None and wait["kind"] == "human":
        return ruvon.resume_workflow(workflow_id, answer=given, step=wait["step"], reason=reason, wait_s=1)
    if not isinstance(given, dict):
        fail("the input is a JSON object", Exit.USAGE)
    fields = cast("dict[str, Any]", given)
    if wait is None:
        return ruvon.run_next_step(workflow_id, input=fields)
    if wait["kind"] == "signal":
        return ruvon.signal_workflow(workflow_id, name=wait["name"], payload=fields, key=wait.get("key"), reason=reason)
    return ruvon.resume_workflow(workflow_id, answer=fields, step=wait["step"], reason=reason, wait_s=1)


def cancel(place: Place, workflow_id: str, *, reason: str, force: bool, as_json: bool) -> None:
    """`ruvon cancel`."""
    workflow_id = find_id(place, workflow_id)
    info = place.client.cancel_workflow(workflow_id, reason=reason, compensate=not force)
    try:
        info = place.client.wait(workflow_id, patience=_BRIEFLY, until_ended=True)
    except StillRunningError as exc:
        click.echo(str(exc), err=True)
    _tell(place, info, as_json=as_json, driven=info.driven, asked_to_end=info.driven)


def retry(
    place: Place,
    workflow_id: str,
    *,
    from_step: str | None,
    auto: bool,
    reason: str,
    as_json: bool,
) -> None:
    """`ruvon retry`."""
    del auto  # a retried run always goes on by itself
    info = place.client.retry_workflow(find_id(place, workflow_id), from_step=from_step, reason=reason, wait_s=1)
    end(place, _rested(place, info), as_json=as_json)


def retry_compensation(place: Place, workflow_id: str, *, reason: str, as_json: bool) -> None:
    """`ruvon retry-compensation`."""
    info = place.client.retry_compensation(find_id(place, workflow_id), reason=reason)
    _tell(place, info, as_json=as_json)
    refuse_left_over(info.status.value)


def rewind(
    place: Place,
    workflow_id: str,
    to: str,
    *,
    data: str | None,
    data_file: str | None,
    no_compensate: bool,
    dry_run: bool,
    yes: bool,
    auto: bool,
    reason: str,
    as_json: bool,
) -> None:
    """`ruvon rewind`."""
    ruvon, state, workflow_id = place.client, state_fields(data, data_file), find_id(place, workflow_id)
    wanted: dict[str, Any] = {"to": place_of(to), "state": state, "compensate": not no_compensate, "reason": reason}
    plan = ruvon.rewind_workflow(workflow_id, **wanted, dry_run=True)
    if dry_run and as_json:
        print_json({**plan.model_dump(mode="json"), "dry_run": True})
        return
    if not as_json and isinstance(plan, RewindPlan):
        head, *lines = plan_text(plan.step, plan.activation, plan.undone, plan.kept, plan.state)
        secho(head, bold=True)
        click.echo("\n".join(lines))
    if dry_run:
        return
    confirmed("rewind it?", yes=yes, as_json=as_json)
    info = ruvon.rewind_workflow(workflow_id, **wanted, run=auto)
    if isinstance(info, WorkflowInfo):
        end(place, _rested(place, info) if auto else info, as_json=as_json)


def fork(
    place: Place,
    workflow_id: str,
    to: str,
    *,
    data: str | None,
    data_file: str | None,
    auto: bool,
    reason: str,
    as_json: bool,
) -> None:
    """`ruvon fork`."""
    state = state_fields(data, data_file)
    info = place.client.fork_workflow(
        find_id(place, workflow_id), to=place_of(to), state=state, reason=reason, run=auto
    )
    end(place, _rested(place, info) if auto else info, as_json=as_json)


def jump(place: Place, workflow_id: str, step: str, *, auto: bool, reason: str, as_json: bool) -> None:
    """`ruvon jump`."""
    info = place.client.jump_workflow(find_id(place, workflow_id), step=step, reason=reason, run=auto)
    end(place, _rested(place, info) if auto else info, as_json=as_json)


def signal(
    place: Place,
    workflow_id: str,
    message: str,
    payload: str | None,
    *,
    key: str | None,
    dedup: str | None,
    auto: bool,
    reason: str,
    as_json: bool,
) -> None:
    """`ruvon signal`."""
    fields = read_data(payload, None, f"ruvon signal {workflow_id} {message}", what="the payload")
    if fields is not None and not isinstance(fields, dict):
        fail("the payload is a JSON object", Exit.USAGE)
    info = place.client.signal_workflow(
        find_id(place, workflow_id),
        name=message,
        payload=cast("dict[str, Any] | None", fields),
        key=key,
        dedup=dedup,
        reason=reason,
    )
    if auto:  # until it has looked into its mailbox it still seems to wait
        info = _rested(place, place.client.resume_workflow(info.workflow_id, wait_s=1))
    end(place, info, as_json=as_json, under_way="" if auto else "the signal lies in its mailbox")
