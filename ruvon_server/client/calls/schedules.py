"""The calls of the schedules room."""

from ruvon_server.client._call import API, Call, asking, asking_named, json_of, nothing, part, query
from ruvon_server.models import schedules as models

__all__ = ["add_schedule", "get_schedule", "list_schedules", "pause_schedule", "remove_schedule", "resume_schedule"]

add_schedule = asking("add_schedule", "/schedules", models.AddSchedule, json_of(models.Schedule))
pause_schedule = asking_named("pause_schedule", "/schedules/{}/pause", models.PauseSchedule, json_of(models.Schedule))


def list_schedules() -> Call[models.ScheduleList]:
    """Every schedule."""
    name = "list_schedules"
    return Call(name, "GET", f"{API}/schedules", json_of(models.ScheduleList), repeatable=True)


def get_schedule(schedule: str, /, *, count: int | None = None) -> Call[models.Schedule]:
    """A schedule, with its next moments."""
    name = "get_schedule"
    return Call(
        name,
        "GET",
        f"{API}/schedules/{part(name, schedule)}",
        json_of(models.Schedule),
        query({"count": count}),
        repeatable=True,
    )


def resume_schedule(schedule: str, /) -> Call[models.Schedule]:
    """Let a schedule go on."""
    name = "resume_schedule"
    return Call(name, "POST", f"{API}/schedules/{part(name, schedule)}/resume", json_of(models.Schedule))


def remove_schedule(schedule: str, /) -> Call[None]:
    """Take a schedule away."""
    name = "remove_schedule"
    return Call(name, "DELETE", f"{API}/schedules/{part(name, schedule)}", nothing)
