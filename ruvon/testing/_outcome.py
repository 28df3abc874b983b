"""How a run ended: every instance of it, the outside world, the order of steps, and what ran how often."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast, final

import orjson

from ruvon.engine import Engine
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceRecord, LogEntry, OutboxRecord, ScheduleRecord
from ruvon.testing._process import Body, BodyName, Ledger
from ruvon.testing._shapes import differences, shape

__all__ = ["InstanceOutcome", "Outcome", "events_of", "instance_outcome", "schedules_of"]

_CHANCE: Final = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?"
)
"""Ids and moments, as an event's JSON writes them."""
_ANYWHERE: Final = "?"


@final
@dataclass(frozen=True, slots=True)
class InstanceOutcome:
    """How one instance ended."""

    workflow_type: str
    status: str
    state: object
    result: object
    error: tuple[str, str] | None
    """Name and message."""
    steps: dict[str, list[str]]
    """The recorded activations in order, by the sequence (body, loop turn, branch) that they stand in."""
    entries: list[tuple[int, str, str]]
    """The log: number, kind, activation."""
    waits: tuple[str, ...] = ()
    """What it waits for, where it has not ended: kind and name."""


@final
@dataclass(slots=True)
class Outcome:
    """How a run ended."""

    instances: dict[str, InstanceOutcome] = field(default_factory=dict[str, InstanceOutcome])
    outside: dict[str, object] = field(default_factory=dict[str, object])
    events: dict[tuple[str, str], list[object]] = field(default_factory=dict[tuple[str, str], list[object]])
    """The outbox: by instance and sequence (body, loop turn, branch), what was published, in order."""
    outbox: Sequence[OutboxRecord] = ()
    """The outbox as it is."""
    schedules: object = None
    """What is registered to be started again and again."""
    ledger: Ledger = field(default_factory=Ledger)
    stuck: bool = False
    """It did not come to an end within the limits of the run."""
    raised: str = ""
    """What driving it raised, where no fault explains it."""
    unread: list[str] = field(default_factory=list[str])
    """Messages that lie in the inboxes of instances that have ended, and that nobody was told of."""
    crash_budget: int | None = None
    """So many processes may die over one of its instances at one place."""

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
            told += _orders(name, mine, theirs, is_cut=key in self.ledger.kept_from or key in other.ledger.kept_from)
        told += self._compared_events(other)
        told += differences("the schedules", self.schedules, other.schedules)
        told += [
            f"`{item.workflow_type}` was started once too often"
            for key, item in other.instances.items()
            if key not in self.instances
        ]
        return told

    def compared_outside(self, other: "Outcome") -> list[str]:
        """What `other` left otherwise in the outside world, in whatever order, as sentences."""
        return [
            line
            for name, expected in self.outside.items()
            for line in differences(name, expected, other.outside.get(name), ordered=False)
        ]

    def _compared_events(self, other: "Outcome") -> Iterator[str]:
        for key in dict.fromkeys([*self.events, *other.events]):
            instance = self.instances.get(key[0]) or other.instances.get(key[0])
            name = f"`{instance.workflow_type}`" if instance is not None else "nobody"
            yield from differences(f"what {name} published", _listed_events(self, key), _listed_events(other, key))

    def repeats(self) -> Counter[BodyName]:
        """How often bodies ran again for one attempt."""
        again: Counter[BodyName] = Counter()
        for bodies in self.runs_of_bodies().values():
            again[bodies[0].name] += len(bodies) - 1
        return +again

    def runs_of_bodies(self) -> dict[tuple[str, str, int], list[Body]]:
        """Every run of each attempt, in order."""
        found: dict[tuple[str, str, int], list[Body]] = {}
        for body in self.ledger.bodies:
            found.setdefault(body.key, []).append(body)
        return found

    def fickle(self, other: "Outcome | None" = None, *, exact: bool = False) -> dict[BodyName, str]:
        """Bodies that came to something else than in another run, or than the first time: the first of them, in words.

        Args:
            other: the other run; where none is given, each body is held against its own first run.
            exact: ids and moments count too.
        """
        mine = self.runs_of_bodies()
        theirs = other.runs_of_bodies() if other is not None else mine
        usual = "the first time" if other is None else "in another run"
        found: dict[BodyName, str] = {}
        for key, bodies in mine.items():
            others = theirs.get(key, [])
            pairs = [(bodies[0], again) for again in others] if other is None else zip(bodies, others, strict=False)
            for first, again in pairs:
                if first.broken_off or again.broken_off or first.name in found:
                    continue
                told = list(_differences(first, again, usual, exact=exact))
                if told and not (found and other is not None and _given_other(first, again)):
                    found[first.name] = f"`{first.name}`: {told[0]}"
        return found


def schedules_of(records: Iterable[ScheduleRecord]) -> object:
    """Schedules by their names."""
    plans = {
        item.schedule_id: (item.workflow_type, item.cron, item.timezone, item.data, item.version, item.overlap)
        for item in records
    }
    return shape(plans)


def _listed_events(outcome: Outcome, key: tuple[str, str]) -> object:
    return ("list", outcome.events.get(key, []))


def _given_other(first: Body, again: Body) -> bool:
    """Whether a difference may follow from that of an earlier body."""
    given = [(body.arguments, body.state) for body in (first, again)]
    return shape(given[0], exact=True) != shape(given[1], exact=True)


def _differences(first: Body, again: Body, usual: str, *, exact: bool) -> Iterator[str]:
    """How two runs of a body came to something else: another error, result, or state."""
    for name, one, two in (
        ("its error", first.error, again.error),
        ("its result", first.value, again.value),
        ("its state", first.state, again.state),
    ):
        yield from differences(name, shape(one, exact=exact), shape(two, exact=exact), usual=usual)


def events_of(records: Iterable[OutboxRecord]) -> dict[tuple[str, str], list[object]]:
    """The outbox, by instance and sequence; events that do not say where they come from are put in a fixed order."""
    found: dict[tuple[str, str], list[object]] = {}
    for event in records:
        place = event.key.rpartition("/")[0] if event.key else _ANYWHERE
        payload = shape(_without_chance(orjson.loads(event.payload)))
        found.setdefault((str(event.workflow_id), place), []).append((event.topic, payload))
    return {key: sorted(events, key=repr) if key[1] == _ANYWHERE else events for key, events in found.items()}


def _without_chance(tree: object) -> object:
    """JSON without what a repeated step rightly draws anew."""
    match tree:
        case str():
            return _CHANCE.sub("any", tree)
        case list():
            return [_without_chance(item) for item in cast("list[object]", tree)]
        case dict():
            return {name: _without_chance(item) for name, item in cast("dict[str, object]", tree).items()}
        case _:
            return tree


def _orders(name: str, mine: InstanceOutcome, theirs: InstanceOutcome, *, is_cut: bool) -> list[str]:
    told: list[str] = []
    for place, steps in mine.steps.items():
        found = theirs.steps.get(place, [])
        if is_cut:  # a bounded history counts deaths, too, so it has forgotten more: what both have is compared
            steps, found = [item for item in steps if item in found], [item for item in found if item in steps]  # noqa: PLW2901 - what both have
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
        _waits(record) if not ended else (),
    )


def _waits(record: InstanceRecord) -> tuple[str, ...]:
    waits: list[dict[str, Any]] = orjson.loads(record.waiting_for) if record.waiting_for is not None else []
    return tuple(f"{wait['kind']} `{wait.get('name') or wait['step']}`" for wait in waits)


def _error(data: bytes) -> tuple[str, str]:
    tree = orjson.loads(data)
    name = str(tree.get("path", tree.get("type", "cancelled"))).rpartition(":")[2]
    return (name, str(tree.get("message", tree.get("cancelled", ""))))


def _steps(log: "Any") -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    entries: list[LogEntry] = list(log)
    for entry in entries:
        if entry.kind in ("step", "compensate"):
            place, _, step = entry.activation.rpartition("/")
            found.setdefault(place, []).append(step)
    return found
