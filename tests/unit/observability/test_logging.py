"""Structured logs: events with their ids, and the lines that steps write by themselves."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from ruvon.implementations.observability.logging import (
    JsonLogFormatter,
    LoggingObserver,
    WorkflowLogFilter,
    bound_ids,
)
from tests.support.tracing_flows import LOGGER


class Kept(logging.Handler):
    """Keeps formatted lines."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.setFormatter(JsonLogFormatter())
        self.addFilter(WorkflowLogFilter())

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(self.format(record)) for record in self.records]


@pytest.fixture
def kept() -> Any:
    """A handler on the loggers of the steps and of the observer."""
    handler = Kept()
    loggers = [LOGGER, logging.getLogger("ruvon.workflows")]
    for item in loggers:
        item.addHandler(handler)
        item.setLevel(logging.INFO)
    yield handler
    for item in loggers:
        item.removeHandler(handler)
        item.setLevel(logging.NOTSET)


def test_lines_of_steps_carry_their_ids(kept: Kept, played: Callable[..., Any]) -> None:
    """Of async and of ordinary bodies, of each attempt, and of compensations; outside steps there is nothing bound."""
    run = played(LoggingObserver(), fails=True)
    LOGGER.info("outside")
    own = [line for line in kept.lines if line["logger"] == "tests.business"]
    assert [(line["message"], line.get("step"), line.get("attempt"), line.get("compensates")) for line in own] == [
        ("charging", "charge", 1, None),
        ("trying", "insist", 1, None),
        ("trying", "insist", 2, None),
        ("refunding", "charge", 1, True),
        ("outside", None, None, None),
    ]
    assert [line["workflow_type"] for line in own[:4]] == ["Traced", "TracedBelow", "TracedBelow", "Traced"]
    assert own[0]["workflow_id"] == run.id
    assert bound_ids() == {}


def test_the_filter_makes_attributes_of_the_ids(kept: Kept, played: Callable[..., Any]) -> None:
    """For formatters of others: on every record, None outside steps."""
    run = played(LoggingObserver())
    LOGGER.info("outside")
    first = next(record for record in kept.records if record.getMessage() == "charging")
    assert (first.workflow_id, first.step, first.attempt) == (run.id, "charge", 1)  # type: ignore[attr-defined]
    assert kept.records[-1].workflow_id is None  # type: ignore[attr-defined]


def test_events_are_structured_and_hold_no_values(kept: Kept, played: Callable[..., Any]) -> None:
    """S2-064: each event has workflow, type and step; results and states are nowhere."""
    played(LoggingObserver(), fails=True)
    events = [line for line in kept.lines if line["logger"] == "ruvon.workflows"]
    assert {line["workflow_type"] for line in events} == {"Traced", "TracedBelow"}
    failed = next(line for line in reversed(events) if line["event"] == "workflow_failed")
    assert (failed["level"], failed["step"], failed["error"]) == ("ERROR", "finish", "ValueError: no good")
    assert "4111-1111" not in str(kept.lines)


def test_text_for_people_instead_of_json(kept: Kept, played: Callable[..., Any]) -> None:
    """`json=False`; a handler that writes JSON has the same fields."""
    run = played(LoggingObserver(json=False))
    first = next(line for line in kept.lines if line["logger"] == "ruvon.workflows")
    assert first["message"] == f"workflow_started workflow_id={run.id} workflow_type=Traced"
    assert first["event"] == "workflow_started"


def test_an_exception_is_in_the_line() -> None:
    """With its traceback, on the one line."""
    record = logging.LogRecord("a", logging.ERROR, "f", 1, "bad %s", ("luck",), None)
    try:
        raise KeyError("here")
    except KeyError as exc:
        record.exc_info = (KeyError, exc, exc.__traceback__)
    line = json.loads(JsonLogFormatter().format(record))
    assert line["message"] == "bad luck"
    assert line["exception"].endswith("KeyError: 'here'")
