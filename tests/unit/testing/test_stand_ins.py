"""Stand-ins for bodies, values that fit their types, and the watch over bodies that never await."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, TypedDict

import pytest
from annotated_types import Gt, MinLen
from pydantic import BaseModel, Field

from ruvon.ir.values import validate
from ruvon.testing import HarnessError, Script, ScriptError, crash_test, describe
from ruvon.testing._examples import example_of
from ruvon.testing._standins import is_placeholder
from tests.support import placeholder_flows as flows


class Colour(Enum):
    RED = "r"


class Keys(TypedDict):
    a: int


@dataclass
class Point:
    x: float
    name: str = "p"


class Pattern(BaseModel):
    code: str = Field(pattern="^[0-9]{4}$")


@pytest.mark.parametrize(
    "annotation",
    [
        int,
        str,
        bytes,
        Decimal,
        datetime,
        timedelta,
        date | None,
        list[flows.Item],
        dict[str, int],
        tuple[int, str],
        set[str],
        Literal["a", "b"],
        Colour,
        Keys,
        Point,
        flows.Quote,
        Annotated[int, Gt(7)],
        Annotated[str, MinLen(9)],
        object,
        None,
    ],
    ids=str,
)
def test_an_example_is_valid_and_always_the_same(annotation: Any) -> None:
    """Whatever the type states."""
    made = example_of(annotation, "it")
    assert validate(annotation, made, "it") == made
    assert example_of(annotation, "it") == made


def test_a_type_without_an_example_says_what_to_do() -> None:
    """A pattern is not guessed."""
    with pytest.raises(HarnessError, match=r"no valid value of Pattern was found for `x`.*give it a stub"):
        example_of(Pattern, "`x`")


def test_a_body_that_says_nothing_is_a_placeholder() -> None:
    """Three spellings; a body that does something is none."""
    bodies = {step.__ruvon_step__.function for step in (flows.quote, flows.check, flows.pay)}  # type: ignore[attr-defined]
    assert all(map(is_placeholder, bodies))
    assert is_placeholder(flows.give_back.__ruvon_compensation__.function)  # type: ignore[attr-defined]
    assert not is_placeholder(flows.written.__ruvon_step__.function)  # type: ignore[attr-defined]


def test_a_workflow_without_bodies_is_tried() -> None:
    """Each placeholder answers with a value of its type, and the report names them."""
    report = crash_test(flows.unwritten, import_roots=["tests"], seeds=1, pairs=1)
    assert (report.ok, report.status) == (True, "COMPLETED"), "\n".join(describe(report))
    assert report.stood_in == ("check", "pay", "quote")
    assert "placeholders, each with a value of its declared type: check, pay, quote" in list(describe(report))


@pytest.mark.parametrize("named", ["pay", "tests.support.placeholder_flows:pay", flows.pay])
def test_a_stub_comes_before_the_placeholder(named: object) -> None:
    """A function of the arguments, a value, an exception; named by node, path or step."""
    report = crash_test(
        flows.unwritten, stubs={named: ValueError("no money")}, import_roots=["tests"], seeds=1, pairs=1
    )
    assert (report.ok, report.status, report.error) == (True, "FAILED_ROLLED_BACK", "ValueError: no money")


def test_a_stub_for_no_step_is_refused() -> None:
    """With the name that was meant."""
    with pytest.raises(HarnessError, match=r"there is no step `pya` to stand in for; did you mean `pay`"):
        crash_test(flows.unwritten, stubs={"pya": 1}, import_roots=["tests"])


def test_an_answer_to_nobody_is_refused() -> None:
    """A script names tasks and steps that there are."""
    with pytest.raises(ScriptError, match=r"it answers `qoute`, which nothing asks; did you mean `quote`"):
        crash_test(flows.unwritten, script=Script(answers={"qoute": [{}]}), import_roots=["tests"])


@pytest.mark.parametrize(("flow", "step"), [(flows.busy_flow, "busy"), (flows.busy_later_flow, "busy_later")])
def test_a_body_that_never_awaits_is_broken_off(flow: Any, step: str) -> None:
    """The test ends, with the step and where it is."""
    with pytest.raises(HarnessError, match=rf"the body of `{step}` \(.*placeholder_flows.py:\d+\) ran for 0.5 seconds"):
        crash_test(flow, import_roots=["tests"], patience=timedelta(milliseconds=500))


def test_a_run_that_fails_without_a_fault_says_so() -> None:
    """What comes behind was not tried."""
    report = crash_test(flows.busy_flow, stubs={"busy": ValueError("no")}, import_roots=["tests"], seeds=1, pairs=1)
    assert report.failed
    assert "it fails without any fault" in "\n".join(describe(report))
