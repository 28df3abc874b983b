"""Cron expressions in time zones: when they fall due, and what they say in words.

The rules are those of Debian's cron, as cronsim reads them: five fields (or six, with seconds in front), names of days
and months, `L`, `LW`, `MON#2`. A run at a set hour happens once on the night that the clock goes back, and at the first
moment that exists on the night that it goes forward; a run every so many minutes follows real time.
"""

from ruvon.cron._errors import InvalidCronError, InvalidScheduleError, UnknownZoneError
from ruvon.cron._names import OVERLAPS, check_name, check_policy, declared_name
from ruvon.cron._plan import Plan
from ruvon.cron._words import explain

__all__ = [
    "OVERLAPS",
    "InvalidCronError",
    "InvalidScheduleError",
    "Plan",
    "UnknownZoneError",
    "check_name",
    "check_policy",
    "declared_name",
    "explain",
]
