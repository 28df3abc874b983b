"""Planned moments, and cron expressions in words."""

import re
from datetime import UTC, datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruvon.cron import InvalidCronError, Plan, UnknownZoneError, explain
from ruvon.providers import datetime_of, microseconds_of

ZONES = ("UTC", "Europe/Rome", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia")


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("3-59/7 * * * *", "at minutes 3, 10, 17, 24, 31, 38, 45, 52 and 59 of every hour"),
        ("0 * * * *", "every hour"),
        ("5 * * * *", "every hour at minute 5"),
        ("0 */2 * * *", "every 2 hours"),
        ("7 9-17 * * MON-FRI", "every hour from 09:07 to 17:07, every Monday to Friday"),
        ("*/5 9-17 * * 1-5", "every 5 minutes from 09:00 to 17:59, every Monday to Friday"),
        ("5 1,3,8,9,10,12,14 * * *", "at minute 5 in hours 1, 3, 8 to 10, 12 and 14"),
        ("30 2 * * *", "every day at 02:30"),
        ("0 9 * * 0-7", "every day at 09:00"),
        ("0 9 * * MON", "every Monday at 09:00"),
        ("0 9 * * 7", "every Sunday at 09:00"),
        ("0,30 8,20 * * SAT,SUN", "every Saturday and Sunday at 08:00, 08:30, 20:00 and 20:30"),
        ("0 9 * * MON#2", "on the second Monday of the month at 09:00"),
        ("0 9 * * 5L", "on the last Friday of the month at 09:00"),
        ("0 9 * * MON,WED#1", "every Monday and the first Wednesday of the month at 09:00"),
        ("0 0 1 * *", "on the 1st of the month at 00:00"),
        ("0 0 2,3,11,22 * *", "on the 2nd, the 3rd, the 11th and the 22nd of the month at 00:00"),
        ("0 0 L * *", "on the last day of the month at 00:00"),
        ("0 3 LW * *", "on the last weekday of the month at 03:00"),
        ("0 0 13 * FRI", "on the 13th of the month and every Friday at 00:00"),
        ("0 0 */10 * MON", "every Monday that is the 1st, the 11th, the 21st and the 31st of the month at 00:00"),
        ("0 0 1 1 *", "on the 1st of the month at 00:00, in January"),
        ("0 0 1 6-8 *", "on the 1st of the month at 00:00, from June to August"),
        ("0 0 1 JAN,JUL *", "on the 1st of the month at 00:00, in January and July"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("*/10 5 8 * * *", "every 10 seconds of minute 5 in hour 8"),
        ("15 30 9 * * *", "every day at 09:30:15"),
    ],
)
def test_in_words(cron: str, words: str) -> None:
    """Days, times, months, as a person would say them."""
    assert explain(cron) == f"{words} (UTC)"


def _field(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    value = st.integers(low, high).map(str) | (st.sampled_from(names) if names else st.nothing())
    span = st.tuples(st.integers(low, high), st.integers(low, high)).map(lambda pair: f"{min(pair)}-{max(pair)}")
    stepped = st.tuples(span | st.just("*") | st.integers(low, high).map(str), st.integers(1, high + 3)).map(
        lambda pair: f"{pair[0]}/{pair[1]}"
    )
    item = value | span | stepped
    return st.just("*") | item | st.lists(item, min_size=2, max_size=4).map(",".join)


DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
CRONS = st.builds(
    lambda *fields: " ".join(field for field in fields if field),
    st.just("") | _field(0, 59),
    _field(0, 59),
    _field(0, 23),
    _field(1, 31, ("L", "LW")),
    _field(1, 12, ("JAN", "DEC")),
    _field(0, 7, (*DAYS, "MON#2", "5L", "7#5", "0L")),
)
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1)).map(  # noqa: DTZ001 - hypothesis wants naive bounds
    lambda moment: microseconds_of(moment.replace(tzinfo=UTC))
)


@given(CRONS, st.sampled_from(ZONES))
def test_every_cron_has_words(cron: str, zone: str) -> None:
    """Whatever is a cron expression can be said, and ends with its zone."""
    try:
        Plan(cron, zone)
    except InvalidCronError:
        return
    words = explain(cron, zone)
    assert re.fullmatch(r"(every|on|at) [A-Za-z0-9:, ]+ \(" + re.escape(zone) + r"\)", words)
    assert "  " not in words


@given(st.text(max_size=30))
def test_any_text_is_a_cron_or_a_typed_error(text: str) -> None:
    """Nothing else comes out of what a person types."""
    error: InvalidCronError | None = None
    try:
        explain(text)
    except InvalidCronError as caught:
        error = caught
    assert error is None or error.cron == text


@given(CRONS, st.sampled_from(ZONES), MOMENTS)
def test_moments_rise_and_fit(cron: str, zone: str, start: int) -> None:
    """Each moment is later than the one before, and starting anywhere between two of them finds the same ones."""
    try:
        plan = Plan(cron, zone)
    except InvalidCronError:
        return
    found = list(islice(plan.after(start), 4))
    assert found == sorted(set(found))
    assert all(moment > start for moment in found)
    for before, moment in zip([start, *found], found, strict=False):
        assert plan.next_after(before) == moment
        assert plan.next_after(moment - 1) == moment


@given(st.sampled_from(["30 2 * * *", "0 */3 * * *", "*/20 * * * *", "0 0 L * *"]), st.sampled_from(ZONES), MOMENTS)
def test_the_newest_moments_of_a_span(cron: str, zone: str, start: int) -> None:
    """Looking back gives the end of what looking forward gives."""
    plan = Plan(cron, zone)
    end = start + 40 * 86_400_000_000
    every = []
    for moment in plan.after(start - 1):
        if moment > end:
            break
        every.append(moment)
    for count in (0, 1, 3, 500):
        assert plan.newest(count, until_us=end, since_us=start) == every[len(every) - min(count, len(every)) :]


def test_the_newest_of_years_of_seconds_is_found_at_once() -> None:
    """A long outage of a frequent schedule is not counted through."""
    plan = Plan("* * * * * *")
    now = microseconds_of(datetime(2026, 1, 1, tzinfo=UTC))
    assert plan.newest(2, until_us=now, since_us=0) == [now - 1_000_000, now]


def test_local_time_is_kept_over_the_year() -> None:
    """09:00 in Rome is 09:00 in summer and in winter."""
    start = microseconds_of(datetime(2026, 1, 1, tzinfo=UTC))
    rome = ZoneInfo("Europe/Rome")
    hours = {
        datetime_of(item).astimezone(rome).hour for item in islice(Plan("0 9 * * *", "Europe/Rome").after(start), 365)
    }
    assert hours == {9}


@pytest.mark.parametrize("cron", ["", "0 9 * *", "61 * * * *", "* * * * MON#1/2", "0 0 31 2 *", "* * * * 9L", "@daily"])
def test_what_is_no_cron(cron: str) -> None:
    """The error shows the text, says what is wrong, and how one is written."""
    with pytest.raises(InvalidCronError, match=r"is no cron expression \(.+\); write minute, hour"):
        Plan(cron)


@pytest.mark.parametrize("zone", ["", "Europe", "Europe/Atlantis", "../secret", "x\0y"])
def test_what_is_no_zone(zone: str) -> None:
    """Not a folder, not a path, not a misspelt name."""
    with pytest.raises(UnknownZoneError):
        Plan("0 9 * * *", zone)


def test_never_again() -> None:
    """A day that does not come within fifty years has no next moment."""
    assert Plan("0 0 */31 2 MON#5").next_after(0) is None
