"""What a server answers, as the commands show what they read from a database: the same keys, in the same order."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

import rich_click as click

from ruvon.cli._ids import begin_of, is_whole, only_one
from ruvon.cli._output import Exit, fail, moment, print_json
from ruvon.cli._remotely import Place
from ruvon.providers import microseconds_of
from ruvon_server.models.workflows import WorkflowInfo, WorkflowRow

__all__ = [
    "PAGE",
    "at",
    "child_of",
    "data_of",
    "find_id",
    "given",
    "maybe",
    "print_fields",
    "require_a_type",
    "row_of",
    "seconds",
]

PAGE: Final = 500
"""The longest page that a server gives."""
_FILES: Final = frozenset({".py", ".yaml", ".yml", ".json"})
_ANSWERED: Final = frozenset({"human", "input", "signal"})


def at(when: datetime) -> str:
    """A moment as the commands show it."""
    return moment(microseconds_of(when))


def maybe(when: datetime | None) -> str | None:
    """The same for what may not have happened."""
    return at(when) if when is not None else None


def seconds(span: timedelta | None) -> int | None:
    """A span of time as requests have it."""
    return round(span.total_seconds()) if span is not None else None


def print_fields(data: Mapping[str, Any], *, as_json: bool) -> None:
    """Print one thing: a line for each field that has something to say."""
    if as_json:
        print_json(data)
        return
    for name, value in data.items():
        told = ", ".join(cast("list[str]", value)) if isinstance(value, list) else value
        if told:
            click.echo(f"{name.replace('_', ' '):15} {told}")


def given(found: dict[str, Any], *kept: str) -> dict[str, Any]:
    """What has a value, and what is always told."""
    return {name: value for name, value in found.items() if value is not None or name in kept}


def find_id(place: Place, text: str) -> str:
    """A workflow's whole id, from it or from its first characters."""
    begin = begin_of(text, place.again)
    return begin if is_whole(begin) else only_one(place.client.find_workflow_ids(begin).items, begin, place.again)


def require_a_type(place: Place, target: str, name: str | None) -> str:
    """The workflow type that a command means; a file ends it."""
    if name is not None:
        return name
    if Path(target).suffix in _FILES or ":" in target:
        fail(
            f"a server starts the types that it knows, and {target} is a file; "
            f"name the type, see `ruvon definitions list{place.again}`",
            Exit.USAGE,
        )
    return target


def row_of(item: WorkflowRow) -> dict[str, Any]:
    """A workflow in a list."""
    found = item.model_dump(mode="json", exclude={"created_at", "updated_at", "driven"})
    return {**found, "driven": item.driven, "created_at": at(item.created_at), "updated_at": at(item.updated_at)}


def child_of(item: WorkflowRow) -> dict[str, Any]:
    """A workflow in the list of what another one has started."""
    names = ("workflow_id", "workflow_type", "status", "current_step")
    return {name: value for name, value in row_of(item).items() if name in names}


def data_of(info: WorkflowInfo) -> dict[str, Any]:
    """How a workflow stands."""
    found: dict[str, Any] = {
        "workflow_id": info.workflow_id,
        "workflow_type": info.workflow_type,
        "workflow_version": info.workflow_version,
        "status": info.status.value,
        "current_step": info.current_step,
        "waiting_for": list(_waits(info)),
        "error": info.error,
        "parent_id": info.parent_id,
        "saga_enabled": info.saga_enabled,
        "created_at": at(info.created_at),
        "updated_at": at(info.updated_at),
    }
    return found if info.result is None else {**found, "result": info.result}


def _waits(info: WorkflowInfo) -> Iterable[dict[str, Any]]:
    for wait in info.waiting_for:
        found = wait.model_dump(mode="json", exclude={"due_at"})
        found = given(found, *(("answer",) if wait.kind in _ANSWERED else ()))
        yield found | ({"due_at": at(wait.due_at)} if wait.due_at is not None else {})
