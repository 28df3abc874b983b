"""The reference workflows with what comes to them from outside."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.templating.jinja2 import Jinja2TemplateEngine
from ruvon.testing import MemoryStores, OutsideWorld, Scenario, Script, ScriptedSignal, Stores
from tests.simulation import flows, more_flows
from tests.simulation.flows import Box, Paid

__all__ = ["CANCELLED_SCOPE", "CASES", "Case", "answered", "builder", "paid", "scenario"]


@dataclass(frozen=True)
class Case:
    """One reference workflow."""

    name: str
    ends: str
    """The status that it ends with when nothing goes wrong."""
    script: Script = field(default_factory=Script)


def _paid(amount: int, after: timedelta = timedelta(0)) -> ScriptedSignal:
    return ScriptedSignal(Paid(amount=amount), after=after)


_YES = {"ok": True, "why": "fine"}

CASES: tuple[Case, ...] = (
    Case("Sequence", "COMPLETED"),
    Case("Loops", "COMPLETED"),
    Case("Static", "COMPLETED"),
    Case("Mapped", "COMPLETED"),
    Case("Partial", "COMPLETED"),
    Case("Nested", "COMPLETED"),
    Case("Forked", "COMPLETED"),
    Case("Caught", "COMPLETED"),
    Case("Retried", "COMPLETED"),
    Case("Hanging", "COMPLETED"),
    Case("Rolled", "FAILED_ROLLED_BACK"),
    Case("Scoped", "COMPLETED"),
    Case("LostBranch", "FAILED_ROLLED_BACK"),
    Case("Unknown", "FAILED_ROLLED_BACK"),
    Case("Stubborn", "FAILED_ROLLED_BACK"),
    Case("Hopeless", "FAILED"),
    Case(
        "Approval", "COMPLETED", Script(answers={"approve": [_YES], "confirm": [_YES]}, answer_after=timedelta(hours=1))
    ),
    Case("Signals", "COMPLETED", Script(signals=[_paid(5), _paid(2, timedelta(days=2))])),
    Case("Race", "COMPLETED", Script(signals=[_paid(5, timedelta(minutes=30))])),
    Case("Parent", "COMPLETED", Script(answers={"approve": [_YES]})),
    Case("FailingChild", "COMPLETED"),
    Case("Detached", "COMPLETED"),
    Case("Sleeper", "COMPLETED"),
    Case("Cleaned", "CANCELLED", Script(cancel_after=timedelta(days=1))),
    Case("CancelledSaga", "CANCELLED", Script(cancel_after=timedelta(days=1))),
    Case("Staged", "COMPLETED"),
    Case("Restarted", "COMPLETED"),
    Case("Manual", "COMPLETED"),
    Case("Requests", "COMPLETED"),
    Case("Machines", "COMPLETED"),
    Case("Planning", "COMPLETED"),
    Case("PerTurn", "COMPLETED"),
    Case("Deep", "COMPLETED"),
    Case("Overdue", "COMPLETED", Script(signals=[_paid(3, timedelta(hours=5))], answer_after=timedelta(hours=3))),
    Case("Steered", "COMPLETED", Script(answers={"Ask": [_YES], "Hear": [_YES]})),
    Case("Injected", "COMPLETED"),
    Case("Asked", "COMPLETED", Script(answers={"Hear": [_YES], "Hear again": [{"why": "twice"}]})),
)


CANCELLED_SCOPE = Case("CancelledScope", "CANCELLED", Script(cancel_after=timedelta(seconds=30)))
"""A request to cancel that comes while a scope inside is being rolled back."""


def answered(after: timedelta, lag: timedelta) -> Case:
    """Somebody who has an hour answers, and whoever drives the run is late."""
    return Case("Contested", "COMPLETED", Script(answers={"decide": [_YES]}, answer_after=after, lag=lag))


def paid(after: timedelta, lag: timedelta) -> Case:
    """The same with a signal."""
    return Case("Collected", "COMPLETED", Script(signals=[_paid(5, after)], lag=lag))


@cache
def builder() -> WorkflowBuilder:
    """Knows every reference workflow."""
    made = WorkflowBuilder(
        plugins=False,
        import_roots=["tests"],
        template_engine=Jinja2TemplateEngine(),
        egress=more_flows.FakeServers(),
        wasm_runtime=more_flows.FakeModules(),
        inference_provider=more_flows.FakeModels(),
    )
    known = {**vars(flows), **vars(more_flows)}
    made.register(*(item for item in known.values() if hasattr(item, "__ruvon_workflow__")))
    made.register(Path(__file__).parent / "yaml")
    return made


@cache
def _outside() -> OutsideWorld:
    definitions = [builder().get_definition(name) for name in builder().registered_types()]
    return OutsideWorld(definitions, reset=flows.BANK.clear)


def scenario(case: Case, make_stores: Callable[[], Stores] = MemoryStores) -> Scenario:
    """The case, ready to run."""
    data: Any = Box
    return Scenario(
        builder(), case.name, data, script=case.script, outside=_outside(), make_stores=make_stores, max_rounds=400
    )
