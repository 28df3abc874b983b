"""The crash explorer names the faults of users' steps, with the step and the reason, and blames nobody else."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ruvon.testing import CrashReport, FindingKind, HarnessError, Script, assert_crash_safe, crash_test, describe
from tests.support import kit_flows as flows
from tests.support.golden import GOLDEN


def crashed(workflow: object, **options: Any) -> CrashReport:
    """A crash test of a workflow with an empty cart."""
    return crash_test(workflow, flows.Cart(), import_roots=["tests"], **options)


def blamed(report: CrashReport) -> dict[str, list[str]]:
    """By kind of finding, the steps that are named."""
    found: dict[str, list[str]] = {}
    for item in report.findings:
        found.setdefault(item.kind.value, []).extend(str(name) for name in item.steps)
    return found


def guilty(report: CrashReport) -> list[str]:
    """Steps whose verdict is bad."""
    return [str(item.name) for item in report.steps if not item.is_idempotent]


@pytest.fixture(autouse=True)
def _counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file of the counting step lies in a folder of the test's own."""
    monkeypatch.setattr(flows, "COUNTER", tmp_path / "counter.txt")


@pytest.mark.parametrize("workflow", [flows.sound, flows.sound_saga], ids=["forward", "rollback"])
@pytest.mark.parametrize("on_disk", [False, True], ids=["memory", "sqlite"])
def test_a_sound_workflow_passes(workflow: object, on_disk: bool, tmp_path: Path) -> None:
    """Every step is repeated somewhere, and none is blamed."""
    report = crashed(workflow, folder=tmp_path if on_disk else None)

    assert report.ok, list(describe(report))
    assert guilty(report) == []
    assert all(item.repeats for item in report.steps)
    assert {str(item.name): item.uses_key for item in report.steps}["pay"]


@pytest.mark.parametrize(
    ("workflow", "step"),
    [
        (flows.appending, "append"),
        (flows.charging, "charge"),
        (flows.together, "append"),
        (flows.releasing, "reserve (compensation)"),
    ],
    ids=["appends", "charges", "among branches", "compensation"],
)
def test_a_step_that_does_not_bear_a_repeat_is_named(workflow: object, step: str) -> None:
    """Only that step: not those that were repeated beside it, and not the step that a compensation belongs to."""
    report = crashed(workflow)

    assert blamed(report) == {"not-idempotent": [step]}
    assert guilty(report) == [step]


def test_two_guilty_branches_are_both_named() -> None:
    """Each is found guilty alone, the third one is not."""
    report = crashed(flows.both)

    assert set(guilty(report)) == {"append", "charge"}
    assert "draw_note" not in {name for names in blamed(report).values() for name in names}


@pytest.mark.parametrize(
    ("workflow", "step"),
    [(flows.draws_text, "draw_text"), (flows.draws_time, "draw_time"), (flows.draws_chance, "draw_chance")],
    ids=["uuid4", "time", "random"],
)
def test_a_step_with_chance_in_its_result_is_named(workflow: object, step: str) -> None:
    """Two runs without faults differ, and the first step that came to something else is why."""
    report = crashed(workflow)

    assert blamed(report) == {"unsteady": [step]}
    assert report.runs == 0
    assert "its result is" in report.findings[0].cause


def test_chance_that_shows_later_is_told_from_a_fault() -> None:
    """A run that differs from itself under the same schedule is unsteady, and no fault of the engine."""
    flows.Odd.value = 0

    report = crashed(flows.sometimes_odd)

    assert blamed(report).keys() == {"unsteady"}
    assert {name for names in blamed(report).values() for name in names} <= {"sometimes"}


def test_drawn_ids_and_moments_are_noted() -> None:
    """They differ by nature and change no end, so they are no finding, but the step's line says where to take them."""
    report = crashed(flows.draws_id)

    assert report.ok
    assert ["context.new_id()" in item.why for item in report.steps] == [True, True]


def test_a_counter_in_a_file_that_is_never_reset_is_unsteady() -> None:
    """Without a reset no two runs agree; the step that reads it is named."""
    assert blamed(crashed(flows.counting)) == {"unsteady": ["count_in_file"]}


def test_a_counter_in_a_file_is_a_divergence() -> None:
    """With a reset, the second run of the body gives another result than the first: that is told."""
    report = crashed(flows.counting, reset=flows.forget_count)

    assert blamed(report) == {"diverged": ["count_in_file"]}
    assert guilty(report) == ["count_in_file"]
    assert report.findings[0].cause == "`count_in_file`: its result is 2, the first time it is 1"


def test_a_probe_shows_what_no_variable_holds() -> None:
    """The file as the outside world: a repeat leaves a trace there."""
    report = crashed(
        flows.counting,
        reset=flows.forget_count,
        probes={"the counter": flows.counted},
    )

    assert guilty(report) == ["count_in_file"]
    assert any(item.what.startswith("the counter is '2'") for item in report.findings)


def test_a_finding_can_be_replayed() -> None:
    """The schedule of a finding gives that finding again, and nothing but it is run."""
    found = crashed(flows.appending).findings[0]

    again = crashed(flows.appending, replay=str(found.schedule))

    assert again.runs == 1
    assert [(item.kind, item.what, item.steps) for item in again.findings] == [(found.kind, found.what, found.steps)]


def test_the_assertion_prints_the_report() -> None:
    """A failing test shows everything; a passing one gives the report."""
    with pytest.raises(AssertionError, match="append: NOT IDEMPOTENT"):
        assert_crash_safe(flows.appending, flows.Cart(), import_roots=["tests"])

    assert assert_crash_safe(flows.sound, flows.Cart(), import_roots=["tests"], seeds=3, pairs=3).ok


@pytest.mark.parametrize("wrong", [flows.pay, 3, None], ids=["a step", "a number", "nothing"])
def test_only_workflows_are_crashed(wrong: object) -> None:
    """Anything else is refused with a sentence."""
    with pytest.raises(HarnessError, match="takes a @workflow function or the name"):
        crash_test(wrong)


def test_people_and_senders_outlive_a_crash() -> None:
    """A scripted answer and a signal reach the workflow however often the process dies."""
    script = Script.of_json('{"answers": {"consent": [{"given": false}]}, "answer_after_s": 60}')

    assert crashed(flows.buying, script=script).ok


REPORTS = {
    "sound": flows.sound,
    "appending": flows.appending,
    "together": flows.together,
    "releasing": flows.releasing,
    "draws_id": flows.draws_id,
    "counting": flows.counting,
}


@pytest.mark.parametrize("name", REPORTS)
def test_the_report_reads_well(name: str, golden: Callable[[Path, str], None]) -> None:
    """What people see of each kind of finding."""
    report = crashed(REPORTS[name], reset=flows.forget_count)

    golden(GOLDEN / "crash_reports" / f"{name}.txt", "\n".join(describe(report)) + "\n")


def test_the_report_as_json() -> None:
    """Tools get kinds, steps, causes and the schedule that repeats each finding."""
    tree = crashed(flows.releasing).to_tree()

    (finding,) = tree["findings"]  # type: ignore[misc] - plain JSON
    assert tree["ok"] is False
    assert finding["kind"] == FindingKind.NOT_IDEMPOTENT
    assert finding["steps"] == [{"workflow_type": "Releasing", "step": "reserve", "compensates": True}]
    assert [item["idempotent"] for item in tree["steps"]] == [True, True, False]  # type: ignore[attr-defined] - JSON
