"""`Plan`: the planned moments of a cron expression in a time zone."""

from collections import deque
from collections.abc import Iterator
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Final, final
from zoneinfo import ZoneInfo

from ruvon.cron._errors import InvalidCronError, UnknownZoneError
from ruvon.providers import datetime_of, microseconds_of

if TYPE_CHECKING:
    from cronsim import CronSim

__all__ = ["Plan", "parsed"]

_HOUR_US: Final = 3_600_000_000
_WIDER: Final = 8
_REFUSED: Final = (ValueError, AssertionError, TypeError)
"""What cronsim answers beside its own error where one of its assumptions does not hold."""


def parsed(cron: str, moment_us: int = 0, zone: tzinfo = UTC) -> "CronSim":
    """The moments of an expression after a moment.

    Raises:
        InvalidCronError: the text is no cron expression.
    """
    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - most programs have no schedule

    try:
        return CronSim(cron, datetime_of(moment_us).astimezone(zone))
    except CronSimError as exc:
        raise InvalidCronError(cron, str(exc).lower()) from None
    except _REFUSED:
        raise InvalidCronError(cron, "its parts do not go together") from None


@lru_cache(maxsize=64)
def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        raise UnknownZoneError(name) from None


@final
class Plan:
    """When something falls due.

    Args:
        cron: five fields, or six with seconds in front.
        timezone: the time zone that the fields are read in.

    Raises:
        InvalidCronError: the text is no cron expression.
        UnknownZoneError: there is no such time zone.
    """

    __slots__ = ("_zone", "cron", "timezone")

    def __init__(self, cron: str, timezone: str = "UTC") -> None:
        self.cron = cron
        self.timezone = timezone
        self._zone = _zone(timezone)
        parsed(cron)

    @property
    def zone(self) -> tzinfo:
        """The time zone."""
        return self._zone

    def after(self, moment_us: int) -> Iterator[int]:
        """The planned moments later than a moment, each once, in order; microseconds since the Unix epoch."""
        last = moment_us
        for found in parsed(self.cron, moment_us, self._zone):
            planned = microseconds_of(found)
            if planned > last:  # a repeated hour is read as its first turn, which may lie behind the start
                last = planned
                yield planned

    def next_after(self, moment_us: int) -> int | None:
        """The first planned moment later than a moment; None where there is none within fifty years."""
        return next(self.after(moment_us), None)

    def newest(self, count: int, *, until_us: int, since_us: int) -> list[int]:
        """The newest planned moments in a span, at most `count`, oldest first; both ends belong to the span."""
        if count <= 0 or since_us > until_us:
            return []
        width = _HOUR_US
        while True:  # looks back in growing steps, because the span may be years of seconds
            start = max(since_us, until_us - width)
            found: deque[int] = deque(maxlen=count)
            for moment in self.after(start - 1):
                if moment > until_us:
                    break
                found.append(moment)
            if len(found) == count or start == since_us:
                return list(found)
            width *= _WIDER
