"""What the schedules room is asked and answers."""

from datetime import datetime
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from ruvon_server.models.workflows import ID, Name, Reason

__all__ = ["AddSchedule", "PauseSchedule", "Schedule", "ScheduleList", "ScheduleRow"]

Overlap: TypeAlias = Literal["skip", "buffer_one", "allow", "cancel_running"]
_MOMENT = "2026-11-23T08:00:00Z"
_ROW: dict[str, Any] = {
    "name": "weekly-report",
    "workflow_type": "Report",
    "version": None,
    "cron": "0 9 * * MON",
    "timezone": "Europe/Rome",
    "words": "every Monday at 09:00 (Europe/Rome)",
    "paused": False,
    "note": "",
    "overlap": "skip",
    "catch_up": 1,
    "waiting_runs": 0,
    "owner_id": None,
    "org_id": None,
    "data_region": None,
    "next_at": _MOMENT,
    "last_at": None,
    "last_workflow_id": ID,
}


def _config(*examples: dict[str, Any], closed: bool = False) -> ConfigDict:
    extra: Literal["forbid", "ignore"] = "forbid" if closed else "ignore"
    return ConfigDict(use_attribute_docstrings=True, extra=extra, json_schema_extra={"examples": list(examples)})


class AddSchedule(BaseModel):
    """A schedule to add."""

    model_config = _config(
        {"name": "weekly-report", "workflow_type": "Report", "cron": "0 9 * * MON", "timezone": "Europe/Rome"},
        closed=True,
    )

    name: Name
    """Its name; one that you have already is changed, and what its runs have left stays."""
    workflow_type: Name
    """What is started."""
    data: dict[str, Any] = {}
    """The initial data of every run."""
    cron: Name
    """When: minute, hour, day, month, weekday; six fields have the second in front."""
    timezone: Name = "UTC"
    version: Name | None = None
    """The version to start; the newest each time where none is given."""
    overlap: Overlap | None = None
    """What happens while a run goes on; what the workflow declares where none is given."""
    catch_up: int | None = Field(default=None, ge=0, le=1_000_000)
    """How many missed runs are made up."""
    owner_id: Name | None = None
    """Whose the runs are; yours, where you belong to one."""
    org_id: Name | None = None
    """Whose organisation's they are; yours, where you belong to one."""
    data_region: Name | None = None
    """Where their data may be kept."""


class PauseSchedule(BaseModel):
    """Start nothing more."""

    model_config = _config({"reason": "no reports in August"}, closed=True)

    reason: Reason = ""
    """Why; `note` tells it."""


class ScheduleRow(BaseModel):
    """A schedule in the list."""

    model_config = _config(_ROW)

    name: str
    workflow_type: str
    version: str | None
    cron: str
    timezone: str
    words: str
    """What the cron expression says."""
    paused: bool
    note: str
    """Why it is paused, and by whom."""
    overlap: str
    catch_up: int
    waiting_runs: int
    """Runs that wait for the one that goes on."""
    owner_id: str | None
    org_id: str | None
    data_region: str | None
    next_at: datetime | None
    """The next planned moment; None: never again."""
    last_at: datetime | None
    """The planned moment that was started last."""
    last_workflow_id: str | None


class ScheduleList(BaseModel):
    """The schedules, by name."""

    model_config = _config({"items": [_ROW]})

    items: list[ScheduleRow]


class Schedule(ScheduleRow):
    """A schedule."""

    model_config = _config({**_ROW, "next": [_MOMENT]})

    next: list[datetime]
    """The next planned moments, in its own time zone; none while it is paused."""
