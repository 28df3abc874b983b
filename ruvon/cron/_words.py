"""A cron expression in words: `every Monday at 09:00 (Europe/Rome)`.

The words are made of the sets of values that the expression stands for, so that what is printed is what happens, however
it was written.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from ruvon.cron._plan import Plan, parsed

__all__ = ["explain"]

_DAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_NTH: Final = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth"}
_LAST: Final = -1000
_LAST_WEEKDAY: Final = -1001
"""cronsim's marks of the last day, and the last weekday, of a month."""
_FEW_TIMES: Final = 6
_RUN: Final = 3


def explain(cron: str, timezone: str = "UTC") -> str:
    """What a cron expression says, in one English phrase.

    Raises:
        InvalidCronError: the text is no cron expression.
        UnknownZoneError: there is no such time zone.

    Example:
        >>> explain("0 9 * * MON", "Europe/Rome")
        'every Monday at 09:00 (Europe/Rome)'
    """
    Plan(cron, timezone)
    fields = parsed(cron)
    time, is_time = _time(sorted(fields.seconds), sorted(fields.minutes), sorted(fields.hours))
    day = _day(fields.days, fields.weekdays, both=fields.day_and)
    words = f"{day or 'every day'} {time}" if is_time else f"{time}, {day}" if day else time
    months = _months(sorted(fields.months))
    return f"{words}{', ' + months if months else ''} ({timezone})"


# Times of the day


def _time(seconds: list[int], minutes: list[int], hours: list[int]) -> tuple[str, bool]:
    """The time of the day, and whether it is one or a few exact times."""
    if len(seconds) == 1 and len(minutes) * len(hours) <= _FEW_TIMES:
        tail = f":{seconds[0]:02}" if seconds[0] else ""
        return "at " + _listed(f"{hour:02}:{minute:02}{tail}" for hour in hours for minute in minutes), True
    if len(seconds) > 1:
        parts = [_every(seconds, 60, "second")]
        if len(minutes) < 60:
            parts.append("of " + _numbers(minutes, "minute"))
    elif len(minutes) == 1:
        return _hourly(hours, minutes[0]) + _second(seconds), False
    else:
        parts = [_every(minutes, 60, "minute") + _second(seconds)]
        if not _step(minutes, 60) and len(hours) == 24:
            parts.append("of every hour")
    if len(hours) < 24:
        parts.append(_hours(hours))
    return " ".join(parts), False


def _hourly(hours: list[int], minute: int) -> str:
    """One minute of many hours."""
    every = _step(hours, 24)
    if every:
        return ("every hour" if every == 1 else f"every {every} hours") + (f" at minute {minute}" if minute else "")
    if _is_run(hours):
        return f"every hour from {hours[0]:02}:{minute:02} to {hours[-1]:02}:{minute:02}"
    return f"at minute {minute} " + _hours(hours)


def _second(seconds: list[int]) -> str:
    return f" at second {seconds[0]}" if seconds[0] else ""


def _every(values: list[int], size: int, name: str) -> str:
    step = _step(values, size)
    if step:
        return f"every {name}" if step == 1 else f"every {step} {name}s"
    return "at " + _numbers(values, name)


def _step(values: Sequence[int], size: int) -> int:
    """How far apart values are that fill a circle evenly from 0; 0 where they do not."""
    step = size // len(values)
    return step if len(values) > 1 and list(values) == list(range(0, size, step)) and size % step == 0 else 0


def _is_run(values: list[int]) -> bool:
    return len(values) > 1 and values[-1] - values[0] == len(values) - 1


def _hours(hours: list[int]) -> str:
    if _is_run(hours):
        return f"from {hours[0]:02}:00 to {hours[-1]:02}:59"
    return "in " + _numbers(hours, "hour")


def _numbers(values: list[int], name: str) -> str:
    """`minutes 1, 5 and 10 to 20`."""
    return f"{name}{'s' if len(values) > 1 else ''} {_listed(_runs(values))}"


def _runs(values: list[int], labels: Sequence[str] | None = None) -> list[str]:
    """Values as texts; three and more in a row as a range."""
    texts: list[str] = []
    begin = 0
    for place, value in enumerate(values):
        if place + 1 < len(values) and values[place + 1] == value + 1:
            continue
        run = [labels[item] if labels else str(item) for item in values[begin : place + 1]]
        texts += [f"{run[0]} to {run[-1]}"] if len(run) >= _RUN else run
        begin = place + 1
    return texts


def _listed(texts: Iterable[str]) -> str:
    items = list(texts)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


# Days


def _day(days: set[int], weekdays: "set[int | tuple[int, int]]", *, both: bool) -> str:
    """Which days; empty for every day."""
    of_month = "" if days >= set(range(1, 32)) else _days_of_month(days)
    of_week = _days_of_week(weekdays)
    if not of_month or not of_week:
        return of_month or of_week if both else ""
    if both:
        return f"{of_week} that is {of_month.removeprefix('on ')}"
    return f"{of_month} and {of_week}"


def _days_of_month(days: set[int]) -> str:
    found = _runs(sorted(day - 1 for day in days if day > 0), [f"the {_ordinal(day)}" for day in range(1, 32)])
    found += ["the last weekday"] if _LAST_WEEKDAY in days else []
    found += ["the last day"] if _LAST in days else []
    return f"on {_listed(found)} of the month"


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number not in {11, 12, 13} else "th"
    return f"{number}{ending}"


def _days_of_week(weekdays: "set[int | tuple[int, int]]") -> str:
    whole = {item % 7 for item in weekdays if isinstance(item, int)}
    if len(whole) == len(_DAYS):
        return ""
    some = {item for item in weekdays if not isinstance(item, int)}
    texts = _whole_days(whole)
    for day, nth in sorted({(day % 7, nth) for day, nth in some}):
        which = "last" if nth == _LAST else _NTH[nth]
        texts.append(f"the {which} {_DAYS[day]} of the month")
    return _listed(texts) if whole else f"on {_listed(texts)}"


def _whole_days(days: set[int]) -> list[str]:
    """`every Monday and Friday`, the week beginning on Monday."""
    if not days:
        return []
    names = (*_DAYS[1:], _DAYS[0])
    return ["every " + _listed(_runs(sorted((day - 1) % 7 for day in days), names))]


def _months(months: list[int]) -> str:
    if len(months) == len(_MONTHS):
        return ""
    texts = _runs([month - 1 for month in months], _MONTHS)
    return f"from {texts[0]}" if len(texts) == 1 and len(months) > 1 else f"in {_listed(texts)}"
