"""What is wrong with a schedule.

ExecutionError
└── InvalidScheduleError (ValueError)
    ├── InvalidCronError        no moments follow from the expression
    └── UnknownZoneError        no such time zone
"""

from ruvon.models import ExecutionError

__all__ = ["InvalidCronError", "InvalidScheduleError", "UnknownZoneError"]


class InvalidScheduleError(ExecutionError, ValueError):
    """A schedule cannot be registered as it is."""


class InvalidCronError(InvalidScheduleError):
    """A text is no cron expression.

    Args:
        cron: the text.
        reason: which part of it is wrong.
    """

    def __init__(self, cron: str, reason: str) -> None:
        self.cron = cron
        self.reason = reason
        super().__init__(
            f"`{cron}` is no cron expression ({reason}); write minute, hour, day of the month, month and day of the "
            "week, such as `0 9 * * MON`"
        )


class UnknownZoneError(InvalidScheduleError):
    """A text names no time zone.

    Args:
        timezone: the text.
    """

    def __init__(self, timezone: str) -> None:
        self.timezone = timezone
        super().__init__(f"there is no time zone `{timezone}`; write a name such as `Europe/Rome`, or `UTC`")
