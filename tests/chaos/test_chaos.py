"""A short run of what `make chaos` does at length: every kind of fault at least once, on servers of the test's own."""

import asyncio

import pytest

from tests.chaos.fleets import KINDS
from tests.chaos.run import Options, chaos
from tests.support.brokers import needs_rabbitmq, require_rabbitmq

RUNS = 48
"""Each fleet has every kind of case twice."""


def test_nothing_is_lost_or_done_twice_while_everything_is_killed() -> None:
    """48 runs on PostgreSQL, Celery and Redis: all end as computed, each effect has one key, and all workers drain."""
    said: list[str] = []
    options = Options(runs=RUNS, seconds=25, settle=240, seed=4, stores=KINDS, pause=(0.5, 2.0))

    outcome = asyncio.run(asyncio.wait_for(chaos(options, said.append), 500))

    shown = "\n".join([*said, *outcome.lines()])
    assert outcome.tally.problems == [], shown
    assert outcome.tally.runs == RUNS, shown
    assert outcome.missing == [], shown


@pytest.mark.chaos
@needs_rabbitmq
def test_nothing_is_lost_or_done_twice_with_messages_of_rabbitmq() -> None:
    """Sixteen runs on Celery over RabbitMQ: its queue is emptied, workers, their processes and the store are killed."""
    require_rabbitmq()
    said: list[str] = []
    options = Options(runs=16, seconds=25, settle=240, seed=5, stores=("celery",), pause=(0.5, 2.0), broker="rabbitmq")

    outcome = asyncio.run(asyncio.wait_for(chaos(options, said.append), 400))

    shown = "\n".join([*said, *outcome.lines()])
    assert outcome.tally.problems == [], shown
    assert outcome.tally.runs == options.runs, shown
    assert outcome.missing == [], shown
    assert outcome.faults["celery: broker flushed"] >= 1, shown
