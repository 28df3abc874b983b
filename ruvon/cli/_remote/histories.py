"""Histories and numbers: `ruvon logs` and `ruvon metrics`."""

import time
from collections.abc import Iterable, Iterator
from typing import Any, Final

from ruvon._told import LEVELS
from ruvon.cli._metrics import print_numbers, refuse_together
from ruvon.cli._observe import FOLLOW_S, Wanted, require_step
from ruvon.cli._output import Exit, fail
from ruvon.cli._remote.definitions import stored
from ruvon.cli._remote.shown import PAGE, at, data_of, find_id
from ruvon.cli._remotely import Place
from ruvon_server.models import histories as models

__all__ = ["everything", "logs", "metrics", "recorded"]

_MOST_RUNS: Final = 1000


def logs(
    place: Place, workflow_id: str, *, step: str | None, level: str, limit: int, follow: bool, as_json: bool
) -> None:
    """`ruvon logs`."""
    wanted, ruvon = Wanted(step, level, limit, as_json=as_json), place.client
    found = find_id(place, workflow_id)
    info = ruvon.get_workflow(found)
    history = _History(place, found)
    lines = _with_lines(place, found, history.read())
    if not wanted.is_known(lines):
        require_step(info.workflow_type, stored(place, info.workflow_type, info.digest), step or "")
    wanted.print_first(lines, data_of(info), follow=follow)
    seq = wanted.last(lines)
    over = not follow
    while not over:
        over = ruvon.get_workflow(found).status.is_terminal  # asked before reading, so that the last entries are shown
        fresh = [entry for entry in history.read() if entry["seq"] > seq]
        seq = max(seq, wanted.last(fresh))
        wanted.print_more(fresh)
        time.sleep(0 if over else FOLLOW_S)


def everything(place: Place, workflow_id: str) -> list[dict[str, Any]]:
    """The history of a run, and the newest lines that were written beside it, oldest first."""
    return _with_lines(place, workflow_id, _History(place, workflow_id).read())


def _with_lines(place: Place, workflow_id: str, entries: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    lines = [*place.client.each_log_line(workflow_id, level=LEVELS[0], limit=PAGE)]
    return sorted([*entries, *map(_line, reversed(lines))], key=lambda entry: str(entry["at"]))


class _History:
    """The history of a run, page by page."""

    def __init__(self, place: Place, workflow_id: str) -> None:
        self._client = place.client
        self._workflow_id = workflow_id
        self._cursor: str | None = None
        """Where the last page begins."""

    def read(self) -> Iterator[dict[str, Any]]:
        """Everything; when it is read again, only what the last page had and what came since."""
        while True:
            page = self._client.get_workflow_history(self._workflow_id, limit=PAGE, cursor=self._cursor)
            yield from map(_entry, page.items)
            if page.next_cursor is None:
                return
            self._cursor = page.next_cursor


def _entry(item: models.HistoryEntry) -> dict[str, Any]:
    found = item.model_dump(mode="json", exclude={"at", "level", "actor", "reason"}, exclude_defaults=True)
    return {**found, "step": item.step, "at": at(item.at), "level": item.level}


def _line(item: models.LogLine) -> dict[str, Any]:
    return {
        "kind": "text",
        "step": item.step,
        "level": item.level,
        "message": item.message,
        "metadata": item.metadata,
        "at": at(item.at),
    }


def metrics(
    place: Place,
    *,
    workflow_id: str | None,
    name: str | None,
    steps: bool,
    summary: bool,
    limit: int,
    runs: int,
    as_json: bool,
) -> None:
    """`ruvon metrics`."""
    refuse_together(name, steps=steps, summary=summary)
    if runs > _MOST_RUNS:
        fail(f"a server counts the steps of {_MOST_RUNS} runs at most; give --runs {_MOST_RUNS} or less", Exit.USAGE)
    if limit > PAGE:
        fail(f"a server gives {PAGE} numbers at most; give --limit {PAGE} or less", Exit.USAGE)
    found = find_id(place, workflow_id) if workflow_id is not None else None
    if found is not None:
        place.client.get_workflow(found)
    print_numbers(
        _numbers(place, found, name, runs, limit, steps=steps, summary=summary, as_json=as_json),
        steps=steps,
        summary=summary,
        as_json=as_json,
    )


def _numbers(
    place: Place, workflow_id: str | None, name: str | None, runs: int, limit: int, **forms: bool
) -> dict[str, list[dict[str, Any]]]:
    if forms["steps"]:
        return {"steps": _steps(place, workflow_id, runs)}
    told = place.client.get_recorded_metrics(workflow_id=workflow_id, name=name, limit=limit)
    if forms["summary"]:
        return {
            "metrics": [_sum(item) for item in told.sums],
            "workflows": [item.model_dump() for item in told.workflows],
            "steps": _steps(place, workflow_id, runs) if name is None else [],
        }
    rows = [{"workflow_id": item.workflow_id, **_value(item)} for item in told.items]
    if rows or forms["as_json"] or name is not None:
        return {"metrics": rows}
    return {"steps": _steps(place, workflow_id, runs)}


def _steps(place: Place, workflow_id: str | None, runs: int) -> list[dict[str, Any]]:
    ruvon = place.client
    found = (
        ruvon.get_fleet_metrics(runs=runs).steps
        if workflow_id is None
        else ruvon.get_workflow_metrics(workflow_id).steps
    )
    return [item.model_dump() for item in found]


def recorded(place: Place, workflow_id: str) -> list[dict[str, Any]]:
    """The newest numbers that were recorded of a run."""
    return [_value(item) for item in place.client.get_workflow_metrics(workflow_id).recorded]


def _value(item: models.MetricValue) -> dict[str, Any]:
    return {"step_name": item.step, "name": item.name, "value": item.value, "at": at(item.at)}


def _sum(item: models.Summary) -> dict[str, Any]:
    return {"name": item.name, "step_name": item.step, **item.model_dump(exclude={"name", "step"})}
