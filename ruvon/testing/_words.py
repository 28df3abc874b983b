"""The crash explorer's report as text, for terminals and failing tests."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from ruvon.testing._judge import Finding, FindingKind
from ruvon.testing._report import CrashReport, StepVerdict

__all__ = ["describe"]

_ENGINE: Final = "a fault of the engine or its store: please report it with this schedule"
_REASONS: Final[Mapping[FindingKind, str]] = MappingProxyType(
    {
        FindingKind.UNSTEADY: "two runs without any fault end differently, so a crash cannot be told from chance; take "
        "time, ids and chance from context.now(), context.new_id(), context.random(), and reset what a probe looks at",
        FindingKind.STUCK: "after the fault the workflow waits for something that never comes",
        FindingKind.RAISED: _ENGINE,
        FindingKind.LOST: _ENGINE,
        FindingKind.REPEATED: _ENGINE,
        FindingKind.UNCOMMITTED: _ENGINE,
        FindingKind.DIVERGED: "a step that ran again gave another result than the first time, or depends on something "
        "that was lost with the process",
        FindingKind.NOT_IDEMPOTENT: "a crash between a step's effect and its commit makes it run again; give "
        "context.idempotency_key to what the step calls, or look first whether it is done already",
    }
)


def describe(report: CrashReport) -> Iterator[str]:
    """The report, line by line."""
    runs = "1 run" if report.runs == 1 else f"{report.runs} runs"
    yield (
        f"{report.workflow_type}: {runs} under faults; without faults it ends {report.status or 'nowhere'} "
        f"in {report.commits} commits"
    )
    for step in report.steps:
        yield _of_step(report, step)
    if report.ok:
        yield "every run ended as it should"
        return
    yield "1 finding" if len(report.findings) == 1 else f"{len(report.findings)} findings"
    for number, finding in enumerate(report.findings, 1):
        yield ""
        yield from _of_finding(number, finding)


def _of_step(report: CrashReport, step: StepVerdict) -> str:
    name = step.step if step.workflow_type == report.workflow_type else f"{step.workflow_type}.{step.step}"
    mark = "ok" if step.is_idempotent else "NOT IDEMPOTENT"
    times = {0: "", 1: "repeated once; "}.get(step.repeats, f"repeated {step.repeats} times; ")
    return f"  {name}: {mark}; {times}{step.why}"


def _of_finding(number: int, finding: Finding) -> Iterator[str]:
    yield f"{number}. {finding.kind}: {finding.what}"
    if finding.where:
        yield f"   fault: {', then '.join(finding.where)}"
    if finding.steps:
        yield f"   ran again: {', '.join(finding.steps)}"
    yield f"   why: {_REASONS[finding.kind]}"
    if finding.schedule.faults:
        yield f"   again: --replay '{finding.schedule}'"
