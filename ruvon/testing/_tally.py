"""What many runs under faults showed, collected into one report.

A run in which several steps were repeated tells only that one of them does not bear it. So what each step did when it was
the only one repeated is remembered, and at the end every finding is put down to those steps that are guilty alone.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import final

from ruvon.testing._judge import Finding, FindingKind
from ruvon.testing._outcome import Outcome
from ruvon.testing._process import BodyName
from ruvon.testing._report import CrashReport, StepVerdict
from ruvon.testing._schedule import PointKind

__all__ = ["Tally"]

_OF_STEPS = frozenset({FindingKind.DIVERGED, FindingKind.NOT_IDEMPOTENT, FindingKind.UNSTEADY})


@final
@dataclass(slots=True)
class Tally:
    """Collects what runs showed."""

    workflow_type: str
    expected: Outcome
    drawing: dict[BodyName, str]
    """Steps whose results hold other ids or moments in each run."""
    runs: int = 0
    stopped: bool = False
    missed: tuple[str, ...] = ()
    """Faults of a replayed schedule that never struck."""
    _findings: dict[object, Finding] = field(default_factory=dict[object, Finding])
    _repeats: Counter[BodyName] = field(default_factory=Counter[BodyName])
    _keyed: set[BodyName] = field(default_factory=set[BodyName])
    _alone: dict[BodyName, bool] = field(default_factory=dict[BodyName, bool])
    """Steps that were the only one repeated in some run, and whether that is all it takes."""

    @property
    def found(self) -> int:
        """How many different findings there are."""
        return len(self._findings)

    @property
    def is_unsteady(self) -> bool:
        """Whether runs that are the same ended differently, so that nothing more can be learned."""
        return any(item.kind is FindingKind.UNSTEADY for item in self._findings.values())

    def count(self, outcome: Outcome, found: Iterable[Finding]) -> None:
        """Take up one run."""
        self.runs += 1
        repeats = outcome.repeats()
        self._repeats.update(repeats)
        self._keyed.update(body.name for body in outcome.ledger.bodies if body.used_key)
        told = list(found)
        self.note_alone(repeats, told)
        self.add(told)

    def note_alone(self, repeats: Counter[BodyName], found: Iterable[Finding]) -> None:
        """Remember what a run shows of the only step that it repeated."""
        if len(repeats) == 1:
            name = next(iter(repeats))
            guilty = any(item.kind is FindingKind.NOT_IDEMPOTENT for item in found)
            self._alone[name] = guilty or self._alone.get(name, False)

    def add(self, found: Iterable[Finding]) -> None:
        """Keep the findings of one run; what an earlier one said already is only counted."""
        keys = {item: _key(item) for item in found}
        known = {key: self._findings[key] for key in keys.values() if key in self._findings}
        for key, item in known.items():
            self._findings[key] = replace(item, times=item.times + 1)
        for item, key in keys.items():
            if key not in known:
                self._findings.setdefault(key, item)

    def knows(self, found: Iterable[Finding]) -> bool:
        """Whether nothing of this is new."""
        return all(_key(item) in self._findings for item in found)

    def suspects(self) -> list[BodyName]:
        """Steps that were repeated together with others only, in runs that left the outside world otherwise."""
        named = [
            name
            for item in self._findings.values()
            if item.kind is FindingKind.NOT_IDEMPOTENT and not any(self._alone.get(name) for name in item.steps)
            for name in item.steps
            if len(item.steps) > 1
        ]
        return [name for name in dict.fromkeys(named) if name not in self._alone]

    def report(self) -> CrashReport:
        """Everything so far."""
        points = self.expected.ledger.points
        names = dict.fromkeys(body.name for body in self.expected.ledger.bodies)
        root = next(iter(self.expected.instances.values()), None)
        findings = self._judged()
        return CrashReport(
            self.workflow_type,
            self.runs,
            sum(point.kind is PointKind.COMMIT for point in points),
            len(points),
            root.status if root is not None else "",
            ": ".join(root.error) if root is not None and root.error is not None else "",
            tuple(self._verdict(name, findings) for name in names),
            tuple(findings),
            tuple(wait for item in self.expected.instances.values() for wait in item.waits),
            self.missed,
            self.stopped,
        )

    def _judged(self) -> list[Finding]:
        """The findings, each put down to the steps that are guilty, and once for each of those."""
        merged: dict[object, Finding] = {}
        for item in self._findings.values():
            narrowed = replace(item, steps=self._guilty(item))
            known = merged.get(_key(narrowed))
            times = item.times + (known.times if known is not None else 0)
            merged[_key(narrowed)] = replace(known or narrowed, times=times)
        return list(merged.values())

    def _guilty(self, finding: Finding) -> tuple[BodyName, ...]:
        if finding.kind is not FindingKind.NOT_IDEMPOTENT or len(finding.steps) < 2:
            return finding.steps
        alone = tuple(name for name in finding.steps if self._alone.get(name))
        unproven = tuple(name for name in finding.steps if name not in self._alone)
        return alone or unproven or finding.steps

    def _verdict(self, name: BodyName, findings: list[Finding]) -> StepVerdict:
        repeats = self._repeats[name]
        uses_key = name in self._keyed or any(
            body.name == name and body.used_key for body in self.expected.ledger.bodies
        )
        blame = next((item for item in findings if name in item.steps and _is_guilt(item)), None)
        if blame is not None:
            why = f"{_times(repeats)}, and {blame.what}"
        elif repeats and uses_key:
            why = f"{_times(repeats)} without a visible trace; it uses its idempotency key"
        elif repeats:
            why = f"{_times(repeats)} without a visible trace; it does not use context.idempotency_key"
        else:
            why = "never ran again"
        if name in self.drawing:
            why += "; its ids or moments are others in each run: take them from context.new_id() and context.now()"
        return StepVerdict(*name, repeats, uses_key, blame is None, why)


def _is_guilt(finding: Finding) -> bool:
    """Whether its steps do not bear a repeat, as far as was seen."""
    return finding.kind is FindingKind.NOT_IDEMPOTENT or (finding.kind is FindingKind.DIVERGED and bool(finding.cause))


def _times(repeats: int) -> str:
    return "ran again once" if repeats == 1 else f"ran again {repeats} times"


def _key(finding: Finding) -> object:
    """What makes two findings the same: the steps, where there are some to blame, else what is said."""
    if finding.steps and finding.kind in _OF_STEPS:
        return finding.kind, finding.steps
    return finding.kind, finding.steps, finding.what
