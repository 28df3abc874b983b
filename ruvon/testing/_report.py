"""What the crash explorer found, as data."""

from dataclasses import dataclass
from typing import final

from ruvon.models import WorkflowStatus
from ruvon.testing._judge import Finding
from ruvon.testing._process import BodyName

__all__ = ["CrashReport", "StepVerdict"]


@final
@dataclass(frozen=True, slots=True)
class StepVerdict:
    """What was seen of one step, or of its compensation."""

    workflow_type: str
    step: str
    compensates: bool
    """It is the compensation of the step."""
    repeats: int
    """How often its body ran again, in all runs."""
    uses_key: bool
    """It reads `context.idempotency_key`."""
    is_idempotent: bool
    """No run in which it was repeated left the outside world otherwise, or gave it another result."""
    why: str
    """For people: what was seen."""

    @property
    def name(self) -> BodyName:
        """What it is called."""
        return BodyName(self.workflow_type, self.step, self.compensates)


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
    error: str
    """The error that it ends with without faults, or ""."""
    steps: tuple[StepVerdict, ...]
    findings: tuple[Finding, ...]
    waits: tuple[str, ...] = ()
    """What its instances wait for at the end without faults, where they do not end."""
    missed: tuple[str, ...] = ()
    """Faults of a schedule that was replayed whose points were never reached."""
    stopped: bool = False
    """The search ended early, because it had found enough."""
    stood_in: tuple[str, ...] = ()
    """Functions whose bodies are placeholders; a value of their declared type stood in for them."""

    @property
    def failed(self) -> bool:
        """Whether the run without faults fails, so that little of the workflow was tried."""
        return self.status in (WorkflowStatus.FAILED, WorkflowStatus.FAILED_CHILD_WORKFLOW)

    @property
    def ok(self) -> bool:
        """Whether every run ended as it should, and everything that was asked for was tried."""
        return not self.findings and not self.missed

    def to_tree(self) -> dict[str, object]:
        """The report as JSON."""
        return {
            "workflow_type": self.workflow_type,
            "ok": self.ok,
            "status": self.status,
            "error": self.error,
            "runs": self.runs,
            "commits": self.commits,
            "points": self.points,
            "waits": list(self.waits),
            "stopped": self.stopped,
            "missed": list(self.missed),
            "stood_in": list(self.stood_in),
            "steps": [_step(item) for item in self.steps],
            "findings": [_finding(item) for item in self.findings],
        }


def _step(verdict: StepVerdict) -> dict[str, object]:
    return {
        "workflow_type": verdict.workflow_type,
        "step": verdict.step,
        "compensates": verdict.compensates,
        "repeats": verdict.repeats,
        "uses_key": verdict.uses_key,
        "idempotent": verdict.is_idempotent,
        "why": verdict.why,
    }


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "kind": finding.kind.value,
        "what": finding.what,
        "also": list(finding.also),
        "cause": finding.cause,
        "where": list(finding.where),
        "steps": [
            {"workflow_type": item.workflow_type, "step": item.step, "compensates": item.compensates}
            for item in finding.steps
        ],
        "runs": finding.times,
        "replay": str(finding.schedule),
    }
