"""Names of schedules: those that people and steps give, and those of workflows that are declared with a cron."""

from typing import Final

from ruvon.cron._errors import InvalidScheduleError

__all__ = ["DECLARED", "OVERLAPS", "check_name", "check_policy", "declared_name"]

DECLARED: Final = "@"
"""The first character of the names of schedules that a workflow's own declaration makes."""
OVERLAPS: Final = ("skip", "buffer_one", "allow", "cancel_running")


def declared_name(workflow_type: str) -> str:
    """The name of the schedule that a workflow's declaration makes."""
    return DECLARED + workflow_type


def check_name(name: str) -> str:
    """The name as it is, where people and steps may use it.

    Raises:
        InvalidScheduleError: it is empty, or kept for declared schedules.
    """
    if not name.strip():
        raise InvalidScheduleError("a schedule needs a name that is not empty")
    if name.startswith(DECLARED):
        raise InvalidScheduleError(
            f"`{name}` cannot be the name of a schedule: names with `{DECLARED}` in front belong to workflows that are "
            "declared with a cron; choose another name"
        )
    return name


def check_policy(overlap: str, catch_up: int) -> None:
    """Check what happens with runs that overlap and with runs that were missed.

    Raises:
        InvalidScheduleError: there is no such policy, or the number is below 0.
    """
    if overlap not in OVERLAPS:
        known = ", ".join(f"`{name}`" for name in OVERLAPS)
        raise InvalidScheduleError(f"there is no overlap policy `{overlap}`; it is one of {known}")
    if catch_up < 0:
        raise InvalidScheduleError(f"`catch_up` is {catch_up}; give how many missed runs are made up, 0 for none")
