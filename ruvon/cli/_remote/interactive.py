"""A run of a server in conversation: `ruvon interactive run`."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast

import rich_click as click

from ruvon._described import answerable
from ruvon.cli._forms import ask_form, ask_until_valid, fields_named
from ruvon.cli._remote.definitions import initial_data
from ruvon.cli._remote.runs import end, give
from ruvon.cli._remote.shown import data_of, require_a_type
from ruvon.cli._remotely import Place
from ruvon.cli._waits import print_waits
from ruvon_server.client import ProblemError, StillRunningError

if TYPE_CHECKING:
    from ruvon_server.models.workflows import WorkflowInfo

__all__ = ["run"]

_GLANCE: Final = timedelta(milliseconds=500)
"""So long a run is looked at before it is asked whether its children wait for somebody."""


def run(place: Place, target: str, *, data: str | None, data_file: str | None, name: str | None, as_json: bool) -> None:
    """`ruvon interactive run`."""
    workflow_type = require_a_type(place, target, name)
    info = _start(place, workflow_type, initial_data(place, workflow_type, data, data_file))
    while True:
        info, asked = _rested(place, info.workflow_id)
        if asked is None:
            break
        _answer(place, *asked)
    end(place, info, as_json=as_json)


def _start(place: Place, workflow_type: str, known: dict[str, Any]) -> "WorkflowInfo":
    """Start a run, asking for its data until it is valid."""
    schema = place.client.get_definition(workflow_type).state_schema
    made: list[WorkflowInfo] = []

    def start(data: dict[str, Any]) -> Sequence[str]:
        try:
            made.append(place.client.start_workflow(workflow_type=workflow_type, data=data))
        except ProblemError as exc:
            return _problems(exc, "invalid-initial-data")
        return ()

    click.secho(f"{workflow_type}: the initial data", err=True, bold=True)
    ask_until_valid(schema, start, known)
    return made[-1]


def _rested(place: Place, workflow_id: str) -> "tuple[WorkflowInfo, tuple[str, Mapping[str, Any]] | None]":
    """A run that has ended or needs somebody, itself or by a child; with who asks for what."""
    while True:
        try:
            info = place.client.wait(workflow_id, patience=_GLANCE)
        except StillRunningError:
            info = place.client.get_workflow(workflow_id)
        asked = _who_asks(place, info)
        if asked is not None or info.status.is_terminal:
            return info, asked


def _who_asks(place: Place, info: "WorkflowInfo") -> tuple[str, Mapping[str, Any]] | None:
    """The first wait that a person can end: of the run, or of a child that it waits for; with the run that has it."""
    waits = data_of(info)["waiting_for"]
    own = answerable(waits)
    if own:
        return info.workflow_id, own[0]
    children = (str(wait["key"]) for wait in waits if wait["kind"] == "child" and wait.get("key"))
    found = (_who_asks(place, place.client.get_workflow(child)) for child in children)
    return next((asked for asked in found if asked is not None), None)


def _answer(place: Place, workflow_id: str, wait: Mapping[str, Any]) -> None:
    """Ask for the form of a wait until the run takes it."""
    form = cast("Mapping[str, Any] | None", wait.get("form"))
    print_waits([{name: value for name, value in wait.items() if name != "form"}], err=True)
    data = ask_form(form)
    while True:
        try:
            give(place, workflow_id, data, wait["step"], "")
            if wait["kind"] == "signal":  # until it has looked into its mailbox it still seems to wait
                place.client.resume_workflow(workflow_id, wait_s=1)
        except ProblemError as exc:
            problems = _problems(exc, "invalid-input")
            for problem in problems:
                click.secho(f"  {problem}", err=True, fg="red")
            fields = frozenset((form or {}).get("properties", {}))
            data |= ask_form(form, only=fields_named(problems, fields) or None)
        else:
            return


def _problems(exc: ProblemError, code: str) -> Sequence[str]:
    """What does not fit, sentence by sentence; every other problem ends the command."""
    if exc.code != code:
        raise exc
    return [item.detail for item in exc.problem.errors or ()] or [str(exc)]
