"""Clock and ids: exact conversions, ordered identifiers."""

import asyncio
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ruvon.providers._clock import (
    Clock,
    IdSource,
    SystemClock,
    SystemIds,
    datetime_of,
    duration_us,
    microseconds_of,
    uuid7,
)


@given(st.datetimes(timezones=st.just(UTC)))
def test_moments_survive_as_microseconds(moment: datetime) -> None:
    """No microsecond is lost either way."""
    assert datetime_of(microseconds_of(moment)) == moment


@given(st.timedeltas())
def test_durations_survive_as_microseconds(duration: timedelta) -> None:
    """A duration is a whole number of microseconds."""
    assert timedelta(microseconds=duration_us(duration)) == duration


def test_naive_moments_are_utc() -> None:
    """A datetime without a zone is taken as UTC."""
    assert microseconds_of(datetime(1970, 1, 2)) == 86_400_000_000  # noqa: DTZ001


@given(st.integers(0, 2**48 * 1000 - 1), st.integers(0, 2**74 - 1))
def test_uuid7_sorts_by_time(moment_us: int, chance: int) -> None:
    """Version and variant are right, and a later millisecond sorts later."""
    one = uuid7(moment_us, chance)
    assert (one.version, one.variant) == (7, "specified in RFC 4122")
    if moment_us // 1000 + 1 < 2**48:
        assert uuid7(moment_us + 1000, 0) > one or uuid7(moment_us + 1000, 0).int >> 80 > one.int >> 80


def test_the_system_is_a_clock_and_an_id_source() -> None:
    """The protocols are met, time is aware and moves forward."""
    clock, ids = SystemClock(), SystemIds()
    assert isinstance(clock, Clock)
    assert isinstance(ids, IdSource)
    assert clock.now().tzinfo is UTC
    assert clock.monotonic_us() <= clock.monotonic_us()
    assert ids.new_id() != ids.new_id()
    assert 0 <= ids.random() < 1
    assert len(ids.token(12)) == 12
    asyncio.run(clock.sleep_us(0))
