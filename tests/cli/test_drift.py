"""Runs whose code has changed below them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Command

CODE = """
from pydantic import BaseModel

from ruvon import human, step, workflow


class Ticket(BaseModel):
    n: int = 0


@step
async def {name}(state: Ticket) -> None:
    state.n += 1


@workflow("{type}")
async def ticket(state: Ticket) -> None:
    await human("look")
    await {name}(state)
"""
OUTER = """
from pydantic import BaseModel

from ruvon import workflow

from {child} import Ticket, ticket


class Outer(BaseModel):
    text: str = ""


@workflow("Outer{child}")
async def outer(state: Outer) -> None:
    await ticket(Ticket())
"""


@pytest.fixture
def drifted(shell: Command, place: Path) -> Callable[[str], str]:
    """Start a run, take its step away, and give its id."""

    def begin(name: str) -> str:
        file = place / f"{name}.py"
        file.write_text(CODE.format(name="count", type=name.title()))
        run = shell("run", str(file), "--json").json["workflow_id"]
        file.write_text(CODE.format(name="number", type=name.title()))
        return str(run)

    return begin


def test_a_run_without_its_code_is_ended_by_force(shell: Command, drifted: Callable[[str], str]) -> None:
    """Only `--force` ends it: no compensation and no `finally` needs the code then."""
    run = drifted("ticket_a")

    refused = shell("cancel", run)
    done = shell("cancel", run, "--force", "--reason", "obsolete", "--json")

    assert refused.code == 1
    assert "`ruvon cancel ID --force` ends such a run without its code" in " ".join(refused.err.split())
    assert (done.code, done.json["status"], done.json["error"]) == (0, "CANCELLED", "cancelled: obsolete")
    kinds = [row["kind"] for row in shell("logs", run, "--level", "DEBUG", "--json").json]
    assert kinds[-2:] == ["cancel", "end"]


def test_observers_hear_of_an_end_by_force(shell: Command, drifted: Callable[[str], str]) -> None:
    """As of any other end: the status changed, and the run has failed."""
    run = drifted("ticket_d")

    done = shell("cancel", run, "--force", "--reason", "obsolete", RUVON_OBSERVERS="logging")

    lines = [json.loads(line) for line in done.err.splitlines() if line.startswith("{")]
    found = {line["event"]: line for line in lines if line.get("workflow_id") == run and "event" in line}
    assert (found["status_changed"]["old"], found["status_changed"]["new"]) == ("WAITING_HUMAN", "CANCELLED")
    assert found["workflow_failed"]["error"] == "RuntimeError: obsolete"


def test_a_run_that_was_ended_by_force_has_ended(shell: Command, drifted: Callable[[str], str]) -> None:
    """A second cancel is refused, and nothing is written."""
    run = drifted("ticket_b")
    shell("cancel", run, "--force")

    again = shell("cancel", run, "--force")

    assert again.code == 1
    assert "has ended (CANCELLED)" in again.err


def test_the_parent_of_a_run_that_was_ended_by_force_is_told(shell: Command, place: Path) -> None:
    """The parent, whose own code still fits, fails with the end of its child."""
    (place / "ticket_c.py").write_text(CODE.format(name="count", type="TicketC"))
    outer = place / "outer_c.py"
    outer.write_text(OUTER.format(child="ticket_c"))
    shell("run", str(outer), "--workflows", "ticket_c.py", "--json")
    rows = {row["workflow_type"]: row["workflow_id"] for row in shell("list", "--json").json}
    (place / "ticket_c.py").write_text(CODE.format(name="number", type="TicketC"))

    done = shell("cancel", rows["TicketC"], "--force", "--json")

    assert done.json["status"] == "CANCELLED"
    statuses = {row["workflow_type"]: row["status"] for row in shell("list", "--json").json}
    assert statuses == {"TicketC": "CANCELLED", "Outerticket_c": "FAILED_CHILD_WORKFLOW"}, json.dumps(statuses)


def test_the_scheduler_says_what_it_cannot_drive(shell: Command, place: Path) -> None:
    """A run whose code is gone is a line in its log, without a traceback."""
    file = place / "ticket_s.py"
    file.write_text(CODE.format(name="count", type="Ticket_s"))
    shell("start", str(file))
    file.write_text(CODE.format(name="number", type="Ticket_s"))

    done = shell("scheduler", "--once", "--all")

    assert "cannot be driven; it is tried again: the deployed code does not fit" in done.out + done.err
    assert "Traceback" not in done.out + done.err


READS = """
from pydantic import BaseModel

from ruvon import human, step, workflow


class Meter(BaseModel):
    {field}: int = 4
    other: int = 0


@step
async def note(state: Meter) -> None:
    state.other += 1


@workflow("{type}")
async def meter(state: Meter) -> int:
    await human("look")
    await note(state)
    return state.{field}
"""


def test_a_field_that_the_graph_reads_may_not_go(shell: Command, place: Path) -> None:
    """The run is left where it stands, before any step runs, and goes on when the field is back."""
    file = place / "meter_a.py"
    file.write_text(READS.format(field="total", type="MeterA"))
    run = shell("run", str(file), "--json").json["workflow_id"]
    file.write_text(READS.format(field="amount", type="MeterA"))

    refused = shell("resume", run, "-i", "{}", "--auto")

    assert refused.code == 1
    assert "`meter_a:Meter` has no field `total` any more" in " ".join(refused.err.split())
    file.write_text(READS.format(field="total", type="MeterA"))
    assert shell("resume", run, "-i", "{}", "--auto", "--json").json["result"] == 4


def test_a_module_that_was_deleted_is_said_not_to_exist(
    shell: Command, drifted: Callable[[str], str], place: Path
) -> None:
    """Not to be forbidden: nothing can be allowed that is not there."""
    run = drifted("gone_module")
    (place / "gone_module.py").unlink()

    done = shell("resume", run, "-i", "{}")

    assert done.code == 1
    assert "there is no module `gone_module`" in done.err
    assert "not an allowed import root" not in done.err
