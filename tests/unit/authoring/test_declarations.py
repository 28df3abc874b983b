"""What decorators leave behind, and the mistakes they find."""

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import pytest
from pydantic import BaseModel

import ruvon
from ruvon import (
    DeclarationError,
    Retry,
    StateStep,
    Step,
    StepContext,
    compensate,
    external_workflow,
    pure,
    step,
    step_ref,
    workflow,
)
from ruvon.authoring import StepReferenceError, is_block, is_pure
from ruvon.authoring._declarations import Parameter
from ruvon.authoring._step import StepMaker
from ruvon.ir._paths import canonical_path
from tests.programs import w01_order, w02_travel, w03_loan
from tests.unit.authoring import flows as f
from tests.unit.authoring import flows_groups as groups
from tests.unit.authoring import flows_rest as rest


class State(BaseModel):
    n: int = 0


class Holder:
    """Holds functions that are methods."""

    def method(self, n: int) -> int:
        return n


def starred(*items: int) -> int:
    return len(items)


def misnamed(state: State, ctx: StepContext) -> None: ...


def late_context(n: int, context: StepContext) -> None: ...


def late_state(n: int, state: State) -> None: ...


def wrong_state(state: int) -> None: ...


def sync_body(state: State) -> None: ...


async def two_parameters(state: State, other: int) -> None: ...


async def unnamed(order: State) -> None: ...


async def coroutine(n: int) -> int:
    return n


def local_function() -> Callable[..., Any]:
    def inner(n: int) -> int:
        return n

    return inner


MISTAKES = [
    (step, Holder.method, "RV0241", "`method` is a method"),
    (step, lambda n: n, "RV0242", "a lambda cannot be a step"),
    (step, local_function(), "RV0243", "defined inside another function"),
    (step, starred, "RV0244", "takes `*items`"),
    (step, misnamed, "RV0206", "is called `ctx`"),
    (step, late_context, "RV0240", "stands in the wrong place"),
    (step, late_state, "RV0208", "not the first parameter"),
    (step, wrong_state, "RV0245", "no pydantic model"),
    (workflow("W"), sync_body, "RV0248", "is not `async def`"),
    (workflow("W"), two_parameters, "RV0249", "exactly one parameter"),
    (workflow("W"), unnamed, "RV0249", "named `state`"),
    (pure, coroutine, "RV0250", "plain `def`"),
]


@pytest.mark.parametrize(("decorator", "function", "code", "words"), MISTAKES)
def test_a_decorator_refuses(decorator: Any, function: Any, code: str, words: str) -> None:
    """Each mistake has its code, its place and a remedy."""
    with pytest.raises(DeclarationError) as caught:
        decorator(function)
    (finding,) = caught.value.diagnostics
    assert finding.code == code
    assert words in finding.message
    assert finding.help
    assert finding.span is not None
    assert finding.span.file == function.__code__.co_filename
    assert finding.span.start.line == function.__code__.co_firstlineno


def too_much(result: int, unknown: str) -> None: ...


def test_a_compensation_must_fit_its_step() -> None:
    """A parameter that the step has not cannot be given."""
    with pytest.raises(DeclarationError, match=r"RV0247.*`too_much` wants `unknown`"):
        compensate(step(module_step))(too_much)  # type: ignore[arg-type]


def module_step(a: int, b: int = 2) -> int:
    return a + b


def test_a_compensation_stands_beside_its_step() -> None:
    """From another module it would silently be missing."""
    with pytest.raises(DeclarationError, match=r"RV0246.*is defined in another module"):
        compensate(f.add)(undo_add)  # type: ignore[arg-type]


def undo_add(result: int, a: int, b: int) -> None: ...


def test_a_step_carries_its_declaration() -> None:
    """Parameters without state and context, options, place, and the function itself."""
    declared = w01_order.charge.__ruvon_step__
    assert declared.path == "tests.programs.w01_order:charge"
    assert (declared.takes_state, declared.takes_context, declared.is_async) == (True, True, True)
    assert declared.parameters == (Parameter("amount", True, "positional"),)
    assert declared.timeout == timedelta(seconds=20)
    assert declared.retry is not None
    assert declared.retry.never == (w01_order.CardDeclined,)
    assert declared.file.endswith("w01_order.py")
    assert declared.function is w01_order.charge.__wrapped__


def test_a_step_carries_its_compensation() -> None:
    """The registry of compensations lies on the step."""
    found = w02_travel.book_hotel.__ruvon_step__.compensation
    assert found is not None
    assert (found.result_parameter, [item.name for item in found.parameters]) == (
        "booking",
        ["city", "check_in", "check_out", "rooms"],
    )
    assert found.retry is not None
    assert found.retry.max_attempts == 20
    attempted = w01_order.charge.__ruvon_step__.compensation
    assert attempted is not None
    assert attempted.attempted
    assert (attempted.takes_state, attempted.takes_context, attempted.result_parameter) == (True, True, "payment")


def test_names_of_parameters_decide_the_class() -> None:
    """A first parameter `state` makes a state step."""
    assert isinstance(f.set_a, StateStep)
    assert not isinstance(f.add, StateStep)
    assert isinstance(f.add, Step)


def test_with_changes_one_use() -> None:
    """`with_` keeps the declaration of the step itself, and None switches off."""
    changed = w01_order.charge.with_(name="Charge card", retry=None, timeout=timedelta(1), compensate=None, queue="q")
    declared = changed.__ruvon_step__
    assert (declared.name, declared.named, declared.retry, declared.queue) == ("Charge card", True, None, "q")
    assert (declared.compensation, declared.compensation_given) == (None, True)
    assert w01_order.charge.name == "charge"
    assert w01_order.charge.__ruvon_step__.compensation is not None
    assert type(changed) is type(w01_order.charge)


def test_steps_are_found_by_their_path() -> None:
    """A decorated function is what importing its path gives."""
    assert canonical_path(f.add) == "tests.unit.authoring.flows:add"
    assert canonical_path(groups.race) == "tests.unit.authoring.flows_groups:race"


def test_a_workflow_keeps_function_and_header() -> None:
    """The compiler reads the author's own function and the options."""
    header = w01_order.order_processing.__ruvon_workflow__
    assert (header.workflow_type, header.version, header.saga) == ("OrderProcessing", "1.2.0", True)
    assert header.function is w01_order.order_processing.__wrapped__
    assert w01_order.order_processing.state_type is w01_order.Order
    assert w01_order.order_processing.result_type is w01_order.Receipt


def test_an_external_workflow_has_types_but_no_body() -> None:
    """It stands for YAML or another team's workflow."""
    assert w03_loan.kyc.function is None
    assert (w03_loan.kyc.state_type, w03_loan.kyc.result_type) == (w03_loan.Kyc, w03_loan.KycResult)
    pinned = external_workflow("X", takes=State, gives=State, version="2").with_(data_region="eu")
    assert (pinned.version, pinned.__ruvon_workflow__.data_region) == ("2", "eu")


def test_marks_are_seen() -> None:
    """`pure` and `block` leave the function itself."""
    assert is_pure(f.await_free)
    assert not is_pure(rest.add_twice)
    assert is_block(rest.add_twice)
    assert f.await_free(1) == 101


def test_a_reference_is_imported_when_it_is_used() -> None:
    """A path that leads nowhere is an error at the call, not before."""
    nowhere = step_ref("tests.nowhere:function")
    assert nowhere.name == "function"
    with pytest.raises(StepReferenceError, match="cannot be imported"):
        _ = nowhere(1)
    with pytest.raises(StepReferenceError, match='write it as "module:function"'):
        _ = step_ref("nonsense")(1)


@pytest.mark.parametrize(
    ("wrong", "accepted"),
    [
        ({"max_attempts": 0}, "a whole number of at least 1"),
        ({"max_attempts": "3"}, "a whole number of at least 1"),
        ({"max_attempts": True}, "a whole number of at least 1"),
        ({"delay": timedelta(-1)}, "a timedelta that is not negative"),
        ({"delay": 5}, "a timedelta"),
        ({"max_delay": 5}, "a timedelta"),
        ({"backoff": 0.0}, "a number above 0"),
        ({"backoff": float("inf")}, "a number above 0"),
        ({"jitter": 1.5}, "a number from 0 to 1"),
        ({"on": ValueError}, "a tuple of exception classes"),
        ({"on": [ValueError]}, "a tuple of exception classes"),
        ({"never": ("ValueError",)}, "a tuple of exception classes"),
    ],
)
def test_a_retry_policy_checks_its_arguments(wrong: dict[str, Any], accepted: str) -> None:
    """A policy that cannot be kept is refused where it is written, with the argument and what it takes."""
    (argument,) = wrong
    with pytest.raises(ValueError, match=rf"`{argument}` of Retry is .*; give {accepted}"):
        Retry(**wrong)


def test_a_retry_policy_grows_to_its_bound() -> None:
    """Delays double, and stop at `max_delay`; jitter moves them by its share."""
    policy = Retry(max_attempts=99, delay=timedelta(seconds=1), max_delay=timedelta(seconds=5))
    assert [policy.delay_after(number).total_seconds() for number in (1, 2, 3, 4, 9999)] == [1, 2, 4, 5, 5]
    jittery = Retry(delay=timedelta(seconds=10), jitter=0.5)
    assert [jittery.delay_after(1, chance).total_seconds() for chance in (0.0, 0.5, 1.0)] == [5, 10, 15]


def test_all_names_are_sorted_and_there() -> None:
    """`__all__` of the package is what it has."""
    order = sorted(ruvon.__all__, key=lambda name: (0 if name.isupper() else 1 if name[0].isupper() else 2, name))
    assert ruvon.__all__ == order
    assert all(hasattr(ruvon, name) for name in ruvon.__all__)


def test_importing_ruvon_loads_no_front_end_and_no_store() -> None:
    """Devices import steps without libcst, YAML, Jinja or a database driver."""
    heavy = ("libcst", "yaml", "jinja2", "sqlite3", "aiosqlite", "asyncpg", "sqlalchemy", "litestar", "httpx")
    code = f"import sys, ruvon; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def plain(n: int) -> int:
    return n


@pytest.mark.parametrize(
    ("decorate", "sentence"),
    [
        (
            lambda: StepMaker({"retry": 3})(plain),
            "`retry` in `@step` of `plain` is 3; give a policy such as Retry(max_attempts=3)",
        ),
        (
            lambda: StepMaker({"timeout": 20})(plain),
            "`timeout` in `@step` of `plain` is 20; give a timedelta such as timedelta(seconds=20)",
        ),
        (
            lambda: cast("Any", compensate)(plain),
            "`compensate` is given `plain`, which is no step; put `@step` above `def plain`",
        ),
    ],
)
def test_an_argument_that_no_declaration_can_keep_is_a_type_error(decorate: Callable[[], Any], sentence: str) -> None:
    """Python itself shows the sentence, which says what fits."""
    with pytest.raises(TypeError) as caught:
        decorate()

    assert str(caught.value).startswith(sentence)
