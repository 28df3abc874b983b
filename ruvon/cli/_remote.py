"""What the commands do where a server is named: the same questions and the same words, over HTTP.

The server drives what goes on, so `--auto` waits and shows how it ended; who did something is whoever the key belongs to.
"""

from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final, NoReturn, cast

import rich_click as click

from ruvon._described import answerable
from ruvon.cli._input import read_data
from ruvon.cli._options import Whose
from ruvon.cli._output import Exit, fail, print_json, print_table, secho
from ruvon.cli._remotely import Place
from ruvon.cli._repair import confirmed, place_of, plan_text, state_fields
from ruvon.cli._report import tell
from ruvon.cli._runs import asked, ended_badly
from ruvon_server.client import StillRunningError
from ruvon_server.models.workflows import RewindPlan, WorkflowInfo, WorkflowRow

__all__ = [
    "cancel",
    "definitions",
    "fork",
    "jump",
    "list_",
    "resume",
    "retry",
    "rewind",
    "run",
    "show",
    "signal",
    "start",
]

_PATIENCE: Final = timedelta(days=365)
_BRIEFLY: Final = timedelta(seconds=30)
_PAGE: Final = 500
_ANSWERED: Final = frozenset({"human", "input", "signal"})
_ROW: Final = ("workflow_id", "workflow_type", "status", "current_step", "created_at", "updated_at")


def _cannot(what: str, instead: str) -> NoReturn:
    fail(f"{what} cannot be asked of a server yet; {instead}", Exit.USAGE)


def _data(info: WorkflowInfo) -> dict[str, Any]:
    """How a workflow stands, as the commands show it."""
    found = info.model_dump(mode="json", exclude={"result_error", "traceback", "metadata", "digest", "revision"})
    for wait in found["waiting_for"]:
        if wait["kind"] not in _ANSWERED:
            del wait["answer"]
    if found["result"] is None:
        del found["result"]
    return {**found, "by_server": True}


def _end(place: Place, info: WorkflowInfo, *, as_json: bool, **more: Any) -> None:
    """Show how a workflow stands; code 1 where it has failed."""
    data = _data(info) | more
    tell(data, as_json=as_json, again=place.again)
    ended_badly(data)


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
        status=[status] if status else (), workflow_type=workflow_type, limit=min(limit + offset, _PAGE)
    )
    rows = [_row(item) for item in islice(pages, offset, offset + limit)]
    if as_json:
        print_json(rows)
        return
    print_table(rows, (*_ROW, *(("workflow_version", "owner_id", "parent_id") if verbose else ())))


def _row(item: WorkflowRow) -> dict[str, Any]:
    return item.model_dump(mode="json")


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
    if logs or metrics:
        _cannot("the history of a run", "leave --logs and --metrics out")
    info = place.client.get_workflow(workflow_id)
    data = _data(info)
    if verbose:
        data |= info.model_dump(mode="json", include={"digest", "revision", "metadata", "traceback"})
    if state:
        found = place.client.get_workflow_state(workflow_id)
        data |= {"state": found.state} if found.state is not None else {"state_error": found.state_error}
    if as_json:
        print_json(data)
        return
    from ruvon.cli._show import print_run  # noqa: PLC0415 - it imports the seam

    print_run(data, place.again)


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
    as_json: bool,
    name: str | None,
) -> None:
    """`ruvon start`: the server lets it go on at once."""
    if interactive or dry_run:
        _cannot("--interactive and --dry-run", "leave them out")
    if name is None and (Path(target).suffix in {".py", ".yaml", ".yml", ".json"} or ":" in target):
        fail(
            f"a server starts the types that it knows, and {target} is a file; "
            f"name the type, see `ruvon definitions list{place.again}`",
            Exit.USAGE,
        )
    initial = read_data(data, data_file)
    if initial is not None and not isinstance(initial, dict):
        fail("the initial data is a JSON object", Exit.USAGE)
    wanted: dict[str, Any] = {"workflow_type": name or target, "data": initial or {}, "idempotency_key": key, **whose}
    info = place.client.start_workflow(**wanted)
    _end(place, _rested(place, info) if auto else info, as_json=as_json)


def run(
    place: Place,
    target: str,
    *,
    data: str | None,
    data_file: str | None,
    key: str | None,
    whose: Whose,
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
    if everything:
        _cannot("--all", "the server goes on with every run by itself")
    if workflow_id is None:
        fail("say which run: `ruvon resume ID`", Exit.USAGE)
    given = read_data(data, data_file, "-i")
    ruvon = place.client
    if given is None:
        info = ruvon.resume_workflow(workflow_id, reason=reason) if auto else ruvon.run_next_step(workflow_id)
    else:
        info = _give(place, workflow_id, given, step, reason)
    _end(place, _rested(place, info) if auto else info, as_json=as_json)


def _give(place: Place, workflow_id: str, given: object, step: str | None, reason: str) -> WorkflowInfo:
    """Hand over an answer, a signal, or the input of the step that runs next."""
    ruvon = place.client
    wait = asked(answerable(_data(ruvon.get_workflow(workflow_id))["waiting_for"]), workflow_id, step, place.again)
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
    info = place.client.cancel_workflow(workflow_id, reason=reason, compensate=not force)
    try:
        info = place.client.wait(workflow_id, patience=_BRIEFLY, until_ended=True)
    except StillRunningError as exc:
        click.echo(str(exc), err=True)
    tell(_data(info), as_json=as_json, again=place.again)


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
    info = place.client.retry_workflow(workflow_id, from_step=from_step, reason=reason, wait_s=1)
    _end(place, _rested(place, info), as_json=as_json)


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
    ruvon, state = place.client, state_fields(data, data_file)
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
        _end(place, _rested(place, info) if auto else info, as_json=as_json)


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
    info = place.client.fork_workflow(workflow_id, to=place_of(to), state=state, reason=reason, run=auto)
    _end(place, _rested(place, info) if auto else info, as_json=as_json)


def jump(place: Place, workflow_id: str, step: str, *, auto: bool, reason: str, as_json: bool) -> None:
    """`ruvon jump`."""
    info = place.client.jump_workflow(workflow_id, step=step, reason=reason, run=auto)
    _end(place, _rested(place, info) if auto else info, as_json=as_json)


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
        workflow_id,
        name=message,
        payload=cast("dict[str, Any] | None", fields),
        key=key,
        dedup=dedup,
        reason=reason,
    )
    _end(place, _rested(place, info) if auto else info, as_json=as_json)


def definitions(place: Place, *, workflow_type: str | None, as_json: bool) -> None:
    """`ruvon definitions list`."""
    rows: list[dict[str, Any]] = [
        {
            "type": item.workflow_type,
            "version": item.workflow_version,
            "digest": item.digest if as_json else item.digest[:12],
            "running": item.running,
            "waiting": item.waiting,
            "ended": item.ended,
            "stored_at": item.stored_at.isoformat() if item.stored_at is not None else None,
        }
        for item in place.client.list_definitions().items
        if workflow_type in {None, item.workflow_type}
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, ("type", "version", "digest", "running", "waiting", "ended", "stored_at"))
