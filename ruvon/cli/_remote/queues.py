"""Workers, queues and tasks: `ruvon workers`, `ruvon queues`, `ruvon tasks`."""

from collections.abc import Callable
from itertools import islice
from typing import Any, TypeVar

import rich_click as click

from ruvon.cli._output import Exit, fail
from ruvon.cli._queues import Given, print_limits, print_queues, refuse_unlimited, shown_limits
from ruvon.cli._remote.shown import PAGE, at, find_id, maybe
from ruvon.cli._remotely import Place
from ruvon.cli._tasks import print_task, print_tasks, refuse_living
from ruvon.cli._worker import print_workers
from ruvon.providers import InvalidLimitsError, QueueLimits
from ruvon.providers._limits import check_limits
from ruvon_server.client import ProblemError
from ruvon_server.models import queues as models

__all__ = ["discard", "list_queues", "list_tasks", "requeue", "set_limits", "show_task", "unset", "workers"]

T = TypeVar("T")


def workers(place: Place, *, as_json: bool) -> None:
    """`ruvon workers`."""
    rows: list[dict[str, Any]] = [
        {
            "worker_id": item.worker_id,
            "host": item.host,
            "pid": item.pid,
            "queues": item.queues,
            "concurrency": item.concurrency,
            "running": item.running,
            "draining": item.draining,
            "started": at(item.started_at),
            "seen": at(item.seen_at),
            "silent_seconds": round(item.silent_s, 3),
            "looks_dead_since": maybe(item.looks_dead_since),
        }
        for item in place.client.list_workers().items
    ]
    print_workers(rows, as_json=as_json)


def list_queues(place: Place, *, as_json: bool) -> None:
    """`ruvon queues list`."""
    rows: list[dict[str, Any]] = [
        {
            "queue": item.name,
            "pending": item.pending,
            "claimed": item.claimed,
            "dead": item.dead,
            **shown_limits(_limits(item.name, item.limits)),
            "started": item.started,
        }
        for item in place.client.list_queues().items
    ]
    print_queues(rows, as_json=as_json)


def set_limits(place: Place, name: str, *, concurrency: str | None, per_key: str | None, rate: str | None) -> None:
    """`ruvon queues set`."""
    given = Given(concurrency, per_key, rate)
    known = {item.name: item.limits for item in place.client.list_queues().items}
    wanted = given.over(_limits(name, known.get(name, models.Limits())))
    try:
        check_limits(wanted)
    except InvalidLimitsError as exc:
        fail(str(exc), Exit.USAGE)
    period_s = wanted.period_us / 1_000_000 if wanted.rate is not None else None
    made = place.client.set_queue_limits(
        name, concurrency=wanted.concurrency, per_key=wanted.per_key, rate=wanted.rate, period_s=period_s
    )
    print_limits(_limits(name, made))


def unset(place: Place, name: str) -> None:
    """`ruvon queues unset`."""
    try:
        place.client.lift_queue_limits(name)
    except ProblemError as exc:
        if exc.code == "no-limits":
            refuse_unlimited(name)
        raise
    click.echo(f"{name}: no limits")


def _limits(name: str, found: models.Limits) -> QueueLimits:
    period_us = round(found.period_s * 1_000_000) if found.period_s is not None else 0
    return QueueLimits(
        queue=name, concurrency=found.concurrency, per_key=found.per_key, rate=found.rate, period_us=period_us
    )


def list_tasks(
    place: Place, *, dead: bool, queue: str | None, workflow_id: str | None, limit: int, as_json: bool
) -> None:
    """`ruvon tasks list`."""
    found = find_id(place, workflow_id) if workflow_id is not None else None
    tasks = place.client.each_task(dead=dead, queue=queue, workflow_id=found, limit=min(limit, PAGE))
    print_tasks([{**_row(item), "waits_for": item.waits_for} for item in islice(tasks, limit)], as_json=as_json)


def show_task(place: Place, task_id: str, *, as_json: bool) -> None:
    """`ruvon tasks show`."""
    task = place.client.get_task(task_id)
    more: dict[str, Any] = {
        "available": at(task.available_at),
        "priority": task.priority,
        "concurrency_key": task.concurrency_key,
        "lease_until": maybe(task.lease_until),
        "lease_epoch": task.claims,
        "progress": task.progress,
        "digest": task.digest,
        "payload_bytes": task.payload_bytes,
    }
    print_task({**_row(task), **more}, as_json=as_json)


def requeue(place: Place, task_id: str, *, reason: str) -> None:
    """`ruvon tasks requeue`."""
    done = _dead(place, task_id, lambda: place.client.requeue_dead_letter(task_id, reason=reason))
    click.echo(f"{done.workflow_id} is {place.client.get_workflow(done.workflow_id).status.value}")


def discard(place: Place, task_id: str) -> None:
    """`ruvon tasks discard`."""
    _dead(place, task_id, lambda: place.client.discard_dead_letter(task_id))
    click.echo(f"{task_id} is forgotten")


def _dead(place: Place, task_id: str, act: Callable[[], T]) -> T:
    """Do something with a dead letter; anything else ends the command."""
    try:
        return act()
    except ProblemError as exc:
        if exc.code == "not-dead":
            refuse_living(task_id, place.client.get_task(task_id).status)
        raise


def _row(task: models.Task) -> dict[str, Any]:
    names = {"task_id", "workflow_id", "status", "queue", "kind", "step", "attempt", "crashes", "worker_id"}
    return task.model_dump(include=names)
