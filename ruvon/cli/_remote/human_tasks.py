"""What waits for people: `ruvon human-tasks`."""

from datetime import timedelta
from typing import Any, Final

import rich_click as click

from ruvon.cli._human_tasks import given_answer, print_task, print_tasks
from ruvon.cli._output import print_json
from ruvon.cli._remote.runs import end
from ruvon.cli._remote.shown import PAGE, at
from ruvon.cli._remotely import Place
from ruvon_server.models.human_tasks import HumanTask

__all__ = ["answer", "claim", "link", "list_", "release", "show"]

_HOUR_S: Final = 3_600
_PATIENCE: Final = timedelta(days=365)


def list_(place: Place, *, limit: int, as_json: bool, **wanted: Any) -> None:
    """`ruvon human-tasks list`."""
    found: list[HumanTask] = []
    cursor: str | None = None
    while len(found) < limit:
        page = place.client.list_human_tasks(**wanted, limit=min(limit, PAGE), cursor=cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break
    print_tasks(found[:limit], as_json=as_json)


def show(place: Place, task_id: str, *, as_json: bool) -> None:
    """`ruvon human-tasks show`."""
    print_task(place.client.get_human_task(task_id), as_json=as_json)


def claim(place: Place, task_id: str, *, as_json: bool) -> None:
    """`ruvon human-tasks claim`: for whoever the key belongs to."""
    print_task(place.client.claim_human_task(task_id), as_json=as_json)


def release(place: Place, task_id: str, *, force: bool, as_json: bool) -> None:
    """`ruvon human-tasks release`."""
    print_task(place.client.release_human_task(task_id, force=force), as_json=as_json)


def answer(
    place: Place,
    task_id: str,
    *,
    data: str | None,
    data_file: str | None,
    auto: bool,
    reason: str,
    as_json: bool,
) -> None:
    """`ruvon human-tasks answer`: the server lets the run go on."""
    given = given_answer(data, data_file)
    ruvon = place.client
    task = ruvon.get_human_task(task_id)
    ruvon.answer_human_task(task_id, answer=given, reason=reason)
    info = ruvon.resume_workflow(task.workflow_id, wait_s=1)
    end(place, ruvon.wait(task.workflow_id, patience=_PATIENCE) if auto else info, as_json=as_json)


def link(
    place: Place,
    task_id: str,
    *,
    data: str | None,
    data_file: str | None,
    expires: int,
    recipient: str | None,
    as_json: bool,
) -> None:
    """`ruvon human-tasks link`."""
    given = given_answer(data, data_file)
    made = place.client.make_approval_link(task_id, answer=given, expires_in_s=expires * _HOUR_S, recipient=recipient)
    if as_json:
        print_json({"url": made.url, "token": made.token, "expires_at": at(made.expires_at)})
    else:
        click.echo(made.url)
