"""What the histories room answers."""

from datetime import datetime
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from ruvon_server.models.workflows import ID

__all__ = [
    "FleetMetrics",
    "HistoryEntry",
    "HistoryPage",
    "Level",
    "LogLine",
    "LogPage",
    "MetricValue",
    "RecordedMetric",
    "RecordedMetrics",
    "RunNumbers",
    "StepNumbers",
    "Summary",
    "Throughput",
    "WorkflowMetrics",
]

Level: TypeAlias = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
_MOMENT = "2026-11-21T12:00:00Z"
_STEP: dict[str, Any] = {
    "workflow_type": "OrderProcessing",
    "step": "charge",
    "started": 120,
    "completed": 118,
    "failed": 2,
    "retries": 7,
    "mean_s": 0.21,
    "p50_s": 0.18,
    "p95_s": 0.62,
    "longest_s": 1.9,
}
_ENTRY: dict[str, Any] = {
    "seq": 4,
    "at": _MOMENT,
    "level": "WARNING",
    "kind": "repair",
    "step": "charge",
    "type": "STANDARD",
    "activation": "charge",
    "attempt": 1,
    "note": "retry by anna: the gateway is back",
    "actor": "anna",
    "reason": "the gateway is back",
    "result": None,
    "error": None,
    "traceback": None,
    "changed": ["amount"],
}
_LINE: dict[str, Any] = {
    "at": _MOMENT,
    "level": "INFO",
    "step": "approve",
    "message": "answer sent by anna: a regular customer",
    "actor": "anna",
    "reason": "a regular customer",
    "metadata": {},
}
_VALUE: dict[str, Any] = {"at": _MOMENT, "step": "charge", "name": "duration_ms", "value": 12.5}
_RECORDED: dict[str, Any] = {**_VALUE, "workflow_id": ID}
_SUMMARY: dict[str, Any] = {
    "name": "duration_ms",
    "step": "charge",
    "count": 120,
    "min": 3.1,
    "mean": 12.5,
    "max": 90.0,
}
_RUNS: dict[str, Any] = {
    "workflow_type": "OrderProcessing",
    "status": "COMPLETED",
    "workflows": 350,
    "mean_s": 1.9,
    "longest_s": 7.5,
}
_THROUGHPUT: dict[str, Any] = {
    "window_s": 3600,
    "started": 360,
    "completed": 350,
    "failed": 2,
    "started_per_s": 0.1,
    "completed_per_s": 0.097,
}


def _config(*examples: dict[str, Any]) -> ConfigDict:
    return ConfigDict(use_attribute_docstrings=True, json_schema_extra={"examples": list(examples)})


class HistoryEntry(BaseModel):
    """Something that has happened to a workflow."""

    model_config = _config(_ENTRY)

    seq: int
    """Its place in the history, from 1."""
    at: datetime
    level: Level
    kind: str
    """What happened: `step`, `wait`, `start`, `retry`, `error`, `compensate`, `advance`, `repair`, `end` and others."""
    step: str | None
    type: str | None = None
    """The type of the step."""
    activation: str
    """Which execution of the step."""
    attempt: int
    note: str = ""
    """A word for people."""
    actor: str | None = None
    """Who asked for a repair."""
    reason: str | None = None
    """Why."""
    result: Any = None
    """What the step has returned; secrets are `***`."""
    error: str | None = None
    traceback: str | None = None
    changed: list[str] = []
    """The fields of the state that it has changed."""


class HistoryPage(BaseModel):
    """A page of a history, oldest first."""

    model_config = _config({"items": [_ENTRY], "next_cursor": None})

    items: list[HistoryEntry]
    next_cursor: str | None
    """Give it as `cursor` to get the next page; None on the last one."""


class LogLine(BaseModel):
    """A line that was written beside the history: by a step, or of a message that somebody has sent."""

    model_config = _config(_LINE)

    at: datetime
    level: str
    step: str | None
    message: str
    actor: str | None = None
    """Who has sent an answer or a signal, or has claimed or released a task."""
    reason: str | None = None
    """Why."""
    metadata: dict[str, Any] = {}


class LogPage(BaseModel):
    """A page of lines, newest first."""

    model_config = _config({"items": [_LINE], "next_cursor": None})

    items: list[LogLine]
    """There may be fewer than asked for, and none, although more pages follow."""
    next_cursor: str | None
    """Give it as `cursor` to get the next page; None on the last one."""


class StepNumbers(BaseModel):
    """How often a step ran, or the runs of a type, and how long they took."""

    model_config = _config(_STEP)

    workflow_type: str
    step: str | None
    """None: the whole run."""
    started: int
    completed: int
    failed: int
    retries: int
    mean_s: float | None
    """Of those that completed; with the wait for a worker and the delays of retries."""
    p50_s: float | None
    p95_s: float | None
    longest_s: float | None


class MetricValue(BaseModel):
    """A number that was recorded."""

    model_config = _config(_VALUE)

    at: datetime
    step: str | None
    name: str
    value: float


class RecordedMetric(MetricValue):
    """A number that was recorded, and of which workflow."""

    model_config = _config(_RECORDED)

    workflow_id: str


class Summary(BaseModel):
    """What was recorded under one name of one step, in a line."""

    model_config = _config(_SUMMARY)

    name: str
    step: str | None
    count: int
    min: float
    mean: float
    max: float


class RunNumbers(BaseModel):
    """The workflows of one type and status."""

    model_config = _config(_RUNS)

    workflow_type: str
    status: str
    workflows: int
    mean_s: float
    """From their start to their last change."""
    longest_s: float


class RecordedMetrics(BaseModel):
    """What was recorded of all workflows, or of one."""

    model_config = _config({"items": [_RECORDED], "sums": [_SUMMARY], "workflows": [_RUNS]})

    items: list[RecordedMetric]
    """The newest numbers, oldest of them first."""
    sums: list[Summary]
    """Of all numbers, whether they are among the newest or not."""
    workflows: list[RunNumbers]
    """All workflows by type and status; none where only one was asked about."""


class WorkflowMetrics(BaseModel):
    """The numbers of one workflow."""

    model_config = _config({"steps": [{**_STEP, "step": None}, _STEP], "recorded": [_VALUE]})

    steps: list[StepNumbers]
    """From its history: the run itself first, then its steps."""
    recorded: list[MetricValue]
    """The newest numbers that were recorded; none where nobody records any."""


class Throughput(BaseModel):
    """The workflows that were started in the last so many seconds."""

    model_config = _config(_THROUGHPUT)

    window_s: int
    started: int
    completed: int
    """Those of them that have completed."""
    failed: int
    started_per_s: float
    completed_per_s: float


class FleetMetrics(BaseModel):
    """The numbers of all workflows that are there for whoever asks."""

    model_config = _config(
        {
            "counts": {"COMPLETED": 350, "FAILED": 2},
            "throughput": _THROUGHPUT,
            "runs_counted": 352,
            "steps": [_STEP],
        }
    )

    counts: dict[str, int]
    """How many workflows have each status; those that none has are left out."""
    throughput: Throughput
    runs_counted: int
    """So many of the newest workflows `steps` is about."""
    steps: list[StepNumbers]
    """For each type the runs first, then its steps."""
