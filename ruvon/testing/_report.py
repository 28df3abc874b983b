"""What the crash explorer found, as data and as text."""

from collections import Counter
from dataclasses import dataclass, field
from typing import final

from ruvon.testing._judge import Finding, FindingKind
from ruvon.testing._outcome import Outcome
from ruvon.testing._schedule import PointKind

__all__ = ["CrashReport", "StepVerdict", "Tally"]


@final
@dataclass(frozen=True, slots=True)
class StepVerdict:
    """What was seen of one step."""

    workflow_type: str
    step: str
    repeats: int
    """How often its body ran again, in all runs."""
    uses_key: bool
    """It reads `context.idempotency_key`."""
    is_idempotent: bool
    """No run in which it was repeated left the outside world otherwise."""
    why: str
    """For people: what was seen."""


@final
@dataclass(frozen=True, slots=True)
class CrashReport:
    """What the explorer found."""

    workflow_type: str
    runs: int
    commits: int
    """Commits of the run without faults."""
    points: int
    """Points at which something could go wrong in it."""
    status: str
    """How it ends without faults."""
    steps: tuple[StepVerdict, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether every run ended as it should."""
        return not self.findings

    def to_tree(self) -> dict[str, object]:
        """The report as JSON."""
        return {
            "workflow_type": self.workflow_type,
            "ok": self.ok,
            "status": self.status,
            "runs": self.runs,
            "commits": self.commits,
            "points": self.points,
            "steps": [
                {
                    "workflow_type": item.workflow_type,
                    "step": item.step,
                    "repeats": item.repeats,
                    "uses_key": item.uses_key,
                    "idempotent": item.is_idempotent,
                    "why": item.why,
                }
                for item in self.steps
            ],
            "findings": [
                {
                    "kind": item.kind.value,
                    "what": item.what,
                    "where": list(item.where),
                    "steps": list(item.steps),
                    "replay": str(item.schedule),
                }
                for item in self.findings
            ],
        }


@final
@dataclass(slots=True)
class Tally:
    """Collects what runs showed."""

    workflow_type: str
    expected: Outcome
    runs: int = 0
    failed: int = 0
    """Runs with findings."""
    findings: list[Finding] = field(default_factory=list[Finding])
    _repeats: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    _keyed: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    _blamed: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    _seen: set[tuple[FindingKind, tuple[str, ...], str]] = field(
        default_factory=set[tuple[FindingKind, tuple[str, ...], str]]
    )

    def count(self, outcome: Outcome, found: list[Finding]) -> None:
        """Take up one run."""
        self.runs += 1
        self.failed += bool(found)
        repeats = outcome.repeats()
        self._repeats.update(repeats)
        self._keyed.update((body.workflow_type, body.step) for body in outcome.ledger.bodies if body.used_key)
        for item in found:
            if item.kind is FindingKind.NOT_IDEMPOTENT:
                for key in repeats:
                    self._blamed.setdefault(key, item.what)
            self.add(item)

    def add(self, finding: Finding) -> None:
        """Keep a finding, once for each thing that it says."""
        key = (finding.kind, finding.steps, finding.what)
        if key not in self._seen:
            self._seen.add(key)
            self.findings.append(finding)

    def report(self) -> CrashReport:
        """Everything so far."""
        points = self.expected.ledger.points
        keys = dict.fromkeys((body.workflow_type, body.step) for body in self.expected.ledger.bodies)
        root = next(iter(self.expected.instances.values()), None)
        return CrashReport(
            self.workflow_type,
            self.runs,
            sum(point.kind is PointKind.COMMIT for point in points),
            len(points),
            root.status if root is not None else "",
            tuple(self._verdict(key) for key in keys),
            tuple(self.findings),
        )

    def _verdict(self, key: tuple[str, str]) -> StepVerdict:
        repeats = self._repeats[key]
        blamed = self._blamed.get(key)
        uses_key = key in self._keyed or any(
            (body.workflow_type, body.step) == key and body.used_key for body in self.expected.ledger.bodies
        )
        if blamed is not None:
            why = f"it ran again after a crash between its effect and its commit, and {blamed}"
        elif repeats and uses_key:
            why = "repeated without a visible trace; it uses its idempotency key"
        elif repeats:
            why = "repeated without a visible trace; it does not use context.idempotency_key"
        else:
            why = "never repeated"
        return StepVerdict(*key, repeats, uses_key, blamed is None, why)
