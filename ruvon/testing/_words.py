"""The crash explorer's report as text, for terminals and failing tests."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from ruvon.testing._judge import Finding, FindingKind
from ruvon.testing._process import BodyName
from ruvon.testing._report import CrashReport, StepVerdict

__all__ = ["describe"]

_ENGINE: Final = "a fault of the engine or its store: please report it with this schedule"
_UNEXPLAINED: Final = (
    "no step ran again, so something depends on what was lost with the process: a variable, a connection, an open file; "
    "where no step keeps such a thing, it is a fault of the engine: please report it with this schedule"
)
_MOST_ALSO: Final = 4
_REASONS: Final[Mapping[FindingKind, str]] = MappingProxyType(
    {
        FindingKind.UNSTEADY: "two runs that are the same end differently, so a crash cannot be told from chance; take "
        "time, ids and chance from context.now(), context.new_id(), context.random(), and put back before each run "
        "whatever a step reads or a probe looks at",
        FindingKind.STUCK: "after the fault the workflow waits for something that never comes",
        FindingKind.RAISED: _ENGINE,
        FindingKind.LOST: _ENGINE,
        FindingKind.REPEATED: _ENGINE,
        FindingKind.UNCOMMITTED: _ENGINE,
        FindingKind.UNBRAKED: _ENGINE,
        FindingKind.DIVERGED: "a step that ran again gave another result than the first time, or depends on something "
        "that was lost with the process",
        FindingKind.NOT_IDEMPOTENT: "a crash between a step's effect and its commit makes it run again; give "
        "context.idempotency_key to what the step calls, or look first whether it is done already",
    }
)


def describe(report: CrashReport) -> Iterator[str]:
    """The report, line by line."""
    runs = "1 run" if report.runs == 1 else f"{report.runs} runs"
    error = f" with {report.error}" if report.error else ""
    yield (
        f"{report.workflow_type}: {runs} under faults; without faults it ends {report.status or 'nowhere'}{error} "
        f"in {report.commits} commits"
    )
    if report.failed:
        given = "other data, stubs, or answers and signals with --script"
        yield f"it fails without any fault, so what comes behind was not tried; mend that, or give it {given}"
    if report.stood_in:
        yield f"placeholders, each with a value of its declared type: {', '.join(report.stood_in)}"
    if report.waits:
        waits = ", ".join(dict.fromkeys(report.waits))
        yield f"it still waits ({waits}), so what comes behind was not tried; give answers or signals with --script"
    for step in report.steps:
        yield _of_step(report, step)
    if report.missed:
        yield (
            f"never reached, so nothing was tried there: {', '.join(report.missed)}; a workflow that was changed has other "
            "points, so look for the fault anew, without --replay"
        )
    if report.ok:
        yield "every run ended as it should"
        return
    if not report.findings:
        return
    count = "1 finding" if len(report.findings) == 1 else f"{len(report.findings)} findings"
    yield f"{count}; the search stopped here" if report.stopped else count
    for number, finding in enumerate(report.findings, 1):
        yield ""
        yield from _of_finding(report, number, finding)


def _of_step(report: CrashReport, step: StepVerdict) -> str:
    mark = "ok" if step.is_idempotent else "NOT IDEMPOTENT"
    return f"  {_named(report, step.name)}: {mark}; {step.why}"


def _named(report: CrashReport, name: BodyName) -> str:
    return str(name) if name.workflow_type == report.workflow_type else f"{name.workflow_type}.{name}"


def _of_finding(report: CrashReport, number: int, finding: Finding) -> Iterator[str]:
    yield f"{number}. {finding.kind}: {finding.what}"
    for line in finding.also[:_MOST_ALSO]:
        yield f"   also: {line}"
    if len(finding.also) > _MOST_ALSO:
        yield f"   and {len(finding.also) - _MOST_ALSO} more differences"
    if finding.where:
        yield f"   fault: {', then '.join(finding.where)}"
    if finding.steps:
        label = "step" if finding.kind is FindingKind.UNSTEADY else "ran again"
        yield f"   {label}: {', '.join(_named(report, name) for name in finding.steps)}"
    if finding.cause:
        yield f"   seen: {finding.cause}"
    lone = finding.kind is FindingKind.DIVERGED and not finding.steps
    yield f"   why: {_UNEXPLAINED if lone else _REASONS[finding.kind]}"
    if finding.times > 1:
        yield f"   found in {finding.times} runs"
    if finding.schedule.faults:
        yield f"   again: --replay '{finding.schedule}'"
