"""How a run ended: every instance of it, the outside world, the order of steps, and what ran how often."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, final

from ruvon.engine import Engine
from ruvon.models import WorkflowStatus
from ruvon.providers import LogEntry
from ruvon.testing._process import Ledger
from ruvon.testing._shapes import differences, shape

__all__ = ["InstanceOutcome", "Outcome", "instance_outcome"]


@final
@dataclass(frozen=True, slots=True)
class InstanceOutcome:
    """How one instance ended."""

    workflow_type: str
    status: str
    state: object
    result: object
    error: object
    steps: dict[str, list[str]]
    """The recorded activations in order, by the sequence (body, loop turn, branch) that they stand in."""
    entries: list[tuple[int, str, str]]
    """The log: number, kind, activation."""


@final
@dataclass(slots=True)
class Outcome:
    """How a run ended."""

    instances: dict[str, InstanceOutcome] = field(default_factory=dict[str, InstanceOutcome])
    outside: dict[str, object] = field(default_factory=dict[str, object])
    ledger: Ledger = field(default_factory=Ledger)
    stuck: bool = False
    """It did not come to an end within the limits of the run."""
    raised: str = ""
    """What driving it raised, where no fault explains it."""

    def compared(self, other: "Outcome") -> list[str]:
        """What `other` has otherwise, as sentences."""
        told: list[str] = []
        for key, mine in self.instances.items():
            theirs = other.instances.get(key)
            name = f"`{mine.workflow_type}`"
            if theirs is None:
                told.append(f"{name} was never started")
                continue
            told += differences(f"the status of {name}", mine.status, theirs.status)
            told += differences(f"{name} state", mine.state, theirs.state)
            told += differences(f"{name} result", mine.result, theirs.result)
            told += differences(f"{name} error", mine.error, theirs.error)
            told += _orders(name, mine.steps, theirs.steps)
        told += [
            f"`{item.workflow_type}` was started once too often"
            for key, item in other.instances.items()
            if key not in self.instances
        ]
        return told

    def compared_outside(self, other: "Outcome") -> list[str]:
        """What `other` left otherwise in the outside world, as sentences."""
        return [
            line
            for name, expected in self.outside.items()
            for line in differences(name, expected, other.outside.get(name))
        ]

    def repeats(self) -> Counter[tuple[str, str]]:
        """How often bodies ran again for one attempt, by workflow type and step."""
        runs = Counter((body.workflow_type, body.step, body.key) for body in self.ledger.bodies)
        again: Counter[tuple[str, str]] = Counter()
        for (workflow_type, step, _), count in runs.items():
            again[workflow_type, step] += count - 1
        return +again


def _orders(name: str, mine: dict[str, list[str]], theirs: dict[str, list[str]]) -> list[str]:
    told: list[str] = []
    for place, steps in mine.items():
        found = theirs.get(place, [])
        if steps != found:
            where = f" in {place}" if place else ""
            told.append(f"the steps of {name}{where} ran as {_listed(found)}; without the fault as {_listed(steps)}")
    return told


def _listed(steps: list[str]) -> str:
    return ", ".join(steps) or "none"


async def instance_outcome(engine: Engine, workflow_id: Any) -> InstanceOutcome:
    """How an instance stands now."""
    record = await engine.store.load_instance(workflow_id)
    run = await engine.load(record)
    log = await engine.store.read_log(workflow_id)
    dynamic = run.program.types.dynamic
    ended = WorkflowStatus(record.status).is_terminal
    return InstanceOutcome(
        record.workflow_type,
        record.status,
        shape(run.root.scope.view()),
        shape(dynamic.decode(record.result)) if record.result is not None else None,
        _error(record.error) if ended and record.error is not None else None,
        _steps(log),
        [(entry.seq, entry.kind, entry.activation) for entry in log],
    )


def _error(data: bytes) -> object:
    import orjson  # noqa: PLC0415 - only where there is one

    tree = orjson.loads(data)
    return (str(tree.get("path", tree.get("type", "cancelled"))), str(tree.get("message", tree.get("cancelled", ""))))


def _steps(log: "Any") -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    entries: list[LogEntry] = list(log)
    for entry in entries:
        if entry.kind in ("step", "compensate"):
            place, _, step = entry.activation.rpartition("/")
            found.setdefault(place, []).append(step)
    return found
