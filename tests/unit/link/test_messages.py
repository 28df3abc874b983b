"""What findings of the linker say, and where they point, in programs as people write them."""

import pytest

from ruvon.ir import Diagnostic, ImportRoots
from ruvon_dsl import compile_source

HEAD = """\
from typing import TypedDict

from pydantic import BaseModel

from ruvon import after, compensate, gather, saga, step, workflow


class Order(BaseModel):
    total: int = 0
    note: str = ""
    items: list[str] = []


"""


def found(text: str, code: str) -> list[Diagnostic]:
    """The findings of one code in a module."""
    result = compile_source(HEAD + text, file="message.py", module="message_page")
    return [item for item in result.diagnostics if item.code == code]


def marked(item: Diagnostic, text: str) -> str:
    """The text that the carets of a finding stand below."""
    assert item.span is not None
    line = (HEAD + text).splitlines()[item.span.start.line - 1]
    return line[item.span.start.column - 1 : item.span.end.column - 1]


# --- branches that write one field --------------------------------------------------------------------------------------

BRANCHES = """\
@step
async def one(state: Order){result}:
    {first}


@step
async def two(state: Order){result}:
    {second}


@workflow("W")
async def w(state: Order) -> None:
    await gather(one(state), {two})
"""


@pytest.mark.parametrize(
    ("first", "second", "result"),
    [
        ("state.note = 'a'", "state.note = 'b'", " -> None"),
        ("state.note += 'a'", "state.note, x = 'b', 1", " -> None"),
        ("state.items.append('a')", "state.items[0] = 'b'", " -> None"),
        ("return {'note': 'a'}", "return {'total': 1, 'note': 'b'}", " -> dict[str, object]"),
        ("return {'note': 'a'}", "state.note = 'b'\n    return {}", " -> dict[str, str]"),
    ],
)
def test_two_steps_that_write_one_field_are_a_warning(first: str, second: str, result: str) -> None:
    """What two concurrent state steps assign, change or return is compared, and both places are shown."""
    text = BRANCHES.format(first=first, second=second, result=result, two="two(state)")
    (item,) = found(text, "RV0452")

    assert marked(item, text) == "two(state)"
    assert [part.label for part in item.related] == ["written in `one`"]


@pytest.mark.parametrize(
    ("first", "second", "two"),
    [
        ("state.note = 'a'", "state.total = 1", "two(state)"),
        ("state.note = 'a'", "state.note = 'b'", "after(two(state), 'one')"),
        ("print(state.note)", "state.note = 'b'", "two(state)"),
        ("state = Order()\n    state.note = 'a'", "state.note = 'b'", "two(state)"),
    ],
)
def test_steps_that_do_not_meet_get_no_warning(first: str, second: str, two: str) -> None:
    """Different fields, branches in order, reads, and another object named `state` are no conflict."""
    assert found(BRANCHES.format(first=first, second=second, result=" -> None", two=two), "RV0452") == []


# --- places -------------------------------------------------------------------------------------------------------------

PLACES = """\
class Keys(TypedDict):
    ownr: str


@step
async def keys(state: Order) -> Keys:
    return {"ownr": "me"}


@step
async def mark(text: str, order: Order) -> None:
    order.note = text


@step
async def send(number: int, parcel: str) -> str:
    return parcel


@compensate(send)
async def take_back(result: str, parcel: str) -> None:
    return None


@step
async def ship(number: int) -> str:
    return "äöü"


@workflow("W", saga=True)
async def w(state: Order) -> None:
    CALL
"""


@pytest.mark.parametrize(
    ("call", "code", "mark"),
    [
        ("await keys(state)", "RV0506", "state"),
        ("await mark('äöü', state)", "RV0505", "state"),
        ("await mark(text='x', order=state)", "RV0505", "state"),
        ("await ship.with_(name='äöü', compensate=take_back)(1)", "RV0507", "take_back"),
        ("await ship.with_(\n        compensate=take_back,\n    )(1)", "RV0507", "take_back"),
    ],
)
def test_a_finding_points_at_the_argument(call: str, code: str, mark: str) -> None:
    """The carets stand below the argument that is wrong, not below the whole call."""
    text = PLACES.replace("CALL", call)
    (item,) = found(text, code)

    assert marked(item, text) == mark


# --- compensations that nothing runs ------------------------------------------------------------------------------------

UNDO = """\
{import_}@step
async def charge(amount: int) -> str:
    {body}
    return "receipt"


@compensate(charge)
async def refund(receipt: str) -> None:
    return None


@step
async def ship(amount: int) -> None:
    return None


@workflow("W"{header})
async def w(state: Order) -> None:
    {flow}
    await ship(1)
"""


def undone(*, body: str = "pass", header: str = "", flow: str = "await charge(1)", import_: str = "") -> str:
    """A workflow whose first step has a compensation."""
    return UNDO.format(body=body, header=header, flow=flow, import_=import_)


def test_a_compensation_without_a_saga_is_a_warning() -> None:
    """The warning stands at the step and names both remedies."""
    text = undone()
    (item,) = found(text, "RV0457")

    assert marked(item, text) == "charge(1)"
    assert "saga=True" in item.help
    assert "async with saga()" in item.help


def test_all_idle_compensations_are_one_warning() -> None:
    """The other steps are shown beside the first one; those inside a saga block are none of them."""
    flow = "await charge(1)\n    async with saga():\n        await charge(2)\n    await charge(3)"
    (item,) = found(undone(flow=flow), "RV0457")

    assert [part.label for part in item.related] == ["and this one"]


@pytest.mark.parametrize(
    "text",
    [
        undone(header=", saga=True"),
        undone(flow="async with saga():\n        await charge(1)"),
        undone(flow="await charge.with_(compensate=None)(1)"),
        undone(import_="from ruvon import SagaWorkflowException\n\n\n", body='raise SagaWorkflowException("a", "b")'),
        undone(import_="import ruvon\n\n\n", body='raise ruvon.SagaWorkflowException("a", "b")'),
    ],
)
def test_a_compensation_that_something_runs_gets_no_warning(text: str) -> None:
    """A saga of the workflow or of a block, a step that asks for a rollback, and no compensation at all."""
    assert found(text, "RV0457") == []


def test_the_warning_of_a_yaml_file_names_its_keys() -> None:
    """In YAML the remedies are keys."""
    compile_source(HEAD + undone(), module="undone_page")
    text = (
        "workflow_type: Y\nworkflow_version: '1'\nmodule: undone_page\ninitial_state_model: Order\n{saga}"
        "automate_next: true\nsteps:\n  - name: Charge\n    function: charge\n    inputs: {{amount: =1}}\n"
    )
    roots = ImportRoots({"undone_page"})
    plain, switched = (
        compile_source(text.format(saga=saga), kind="yaml", roots=roots).diagnostics
        for saga in ("", "saga_enabled: true\n")
    )

    assert [item.code for item in plain] == ["RV0457"]
    assert "`saga_enabled: true`" in plain[0].help
    assert "`saga: true`" in plain[0].help
    assert switched == ()


# --- names that are nearly there ----------------------------------------------------------------------------------------

NEAR = """\
class Approval(BaseModel):
    ok: bool


@step
async def charge(amount: int) -> str:
    return ""


@workflow("Child")
async def child(state: Order) -> None:
    await charge(1)


@workflow("W")
async def w(state: Order) -> None:
    LINE
"""


@pytest.mark.parametrize(
    ("line", "code", "help_"),
    [
        ("await chrage(1)", "RV0205", "did you mean `charge`?"),
        ("await chlid(Order())", "RV0205", "did you mean `child`?"),
        ("await gahter(charge(1))", "RV0205", "did you mean `gather`?"),
        ("await something_else(1)", "RV0205", "import it, or correct its name"),
        ("x = await human('x', form=Aproval)", "RV0138", "did you mean `Approval`?"),
        ("x = await receive(Aproval, key='x')", "RV0138", "did you mean `Approval`?"),
        ("x = await receive(Qqq, key='x')", "RV0138", "import the class at the top of the module"),
    ],
)
def test_a_misspelt_name_gets_the_nearest_one(line: str, code: str, help_: str) -> None:
    """A callee is compared with what can be awaited, a form with classes."""
    (item,) = found("from ruvon import human, receive\n\n\n" + NEAR.replace("LINE", line), code)

    assert item.help.startswith(help_)


# --- retry policies -----------------------------------------------------------------------------------------------------

RETRY = """\
from datetime import timedelta

from ruvon import Retry


@step{declared}
async def charge(amount: int) -> str:
    return ""


@workflow("W")
async def w(state: Order) -> None:
    await charge{called}(1)
"""


@pytest.mark.parametrize(
    ("policy", "code", "mark", "help_"),
    [
        ("max_attempts=0", "RV0266", "0", "give a whole number of at least 1, which counts the first attempt"),
        ("backoff=0", "RV0266", "0", "give a number above 0"),
        ("jitter=2.0", "RV0266", "2.0", "give a number from 0 to 1"),
        ("max_attempt=2", "RV0266", "max_attempt=2", "did you mean `max_attempts`? it takes"),
        ("2", "RV0266", "2", "it takes `backoff`, `delay`"),
        ("delay=5", "RV0272", "5", "write a constant `timedelta(...)`"),
        ("on=ValueError", "RV0272", "ValueError", "write `(ValueError,)`"),
        ("on=[ValueError]", "RV0272", "[ValueError]", "write a tuple such as"),
    ],
)
def test_a_retry_policy_of_a_call_is_refused_at_its_argument(policy: str, code: str, mark: str, help_: str) -> None:
    """The finding stands at the argument and says what it takes."""
    text = RETRY.format(declared="", called=f".with_(retry=Retry({policy}))")
    (item,) = found(text, code)

    assert marked(item, text) == mark
    assert item.help.startswith(help_)


@pytest.mark.parametrize(
    ("policy", "message", "help_"),
    [
        ("max_attempts='3'", "`max_attempts` of `Retry` is '3'", "give a whole number of at least 1"),
        ("delay=5", "`delay` of `Retry` is 5", "give a timedelta that is not negative"),
        ("on=ValueError", "`on` of `Retry` is <class 'ValueError'>", "give a tuple of exception classes"),
        ("max_attempt=3", "unexpected keyword argument 'max_attempt'", "`Retry` takes, each by name: `max_attempts`"),
        ("3", "takes 1 positional argument", "`Retry` takes, each by name: `max_attempts`"),
        (
            "max_retries=3",
            "unexpected keyword argument 'max_retries'",
            "`Retry` takes, each by name: `max_attempts`, `delay`, `backoff`, `max_delay`, `jitter`, `on`, `never`; attempts are",
        ),
    ],
)
def test_a_retry_policy_of_a_declaration_is_refused_at_its_line(policy: str, message: str, help_: str) -> None:
    """Python itself refuses the module; the finding says which argument, and what it takes."""
    text = RETRY.format(declared=f"(retry=Retry({policy}))", called="")
    (item,) = found(text, "RV0356")

    assert marked(item, text) == f"Retry({policy})"
    assert message in item.message
    assert item.help.startswith(help_)


@pytest.mark.parametrize(
    ("decorator", "message", "help_"),
    [
        ("step(retry=3)", "`retry` in `@step` of `pay` is 3", "give a policy such as Retry(max_attempts=3)"),
        (
            'step(timeout="20s")',
            "`timeout` in `@step` of `pay` is '20s'",
            "give a timedelta such as timedelta(seconds=20)",
        ),
        ("step(timeout=20)", "`timeout` in `@step` of `pay` is 20", "give a timedelta such as timedelta(seconds=20)"),
        ("step(retries=3)", "`@step` of `pay` has no argument `retries`", "did you mean `retry`?"),
        ("step(sometimes=3)", "`@step` of `pay` has no argument `sometimes`", "it takes `name`, `retry`, `timeout`"),
        ("step(input_model=int)", "`input_model` in `@step` of `pay` is <class 'int'>", "give a pydantic model"),
        ("compensate(helper)", "`compensate` is given `helper`, which is no step", "put `@step` above `def helper`"),
        ("compensate(3)", "`compensate` is given 3, which is no step", "give the step that it undoes"),
    ],
)
def test_an_argument_of_a_decorator_is_refused_at_its_line(decorator: str, message: str, help_: str) -> None:
    """The finding stands at the decorator, names the function, and says what the argument takes."""
    text = f"def helper(number: int) -> None: ...\n\n\n@{decorator}\ndef pay(number: int) -> int:\n    return number\n"
    (item,) = found(text, "RV0356")

    assert marked(item, text) == decorator
    assert item.message.endswith(message)
    assert item.help.startswith(help_)


# --- timeouts that cannot pass -------------------------------------------------------------------------------------------

SLOW = """\
from datetime import timedelta


@step({options})
{kind} slow(number: int) -> int:
    return number


@workflow("Slow")
async def flow(state: Order) -> None:
    await slow(1)
    await slow{call}(2)
"""
LIMIT = "timeout=timedelta(seconds=20)"


def test_the_timeout_of_an_ordinary_function_is_one_warning() -> None:
    """Nothing can interrupt it on the event loop; the warning names both remedies and shows the other uses."""
    text = SLOW.format(options=LIMIT, kind="def", call="")
    (item,) = found(text, "RV0458")

    assert marked(item, text) == "slow(1)"
    assert item.severity.value == "warning"
    assert "`async def slow(...)`" in item.help
    assert "`@step(blocking=True)`" in item.help
    assert [part.label for part in item.related] == ["and here"]


def test_the_timeout_that_a_call_gives_is_seen_too() -> None:
    """The step itself has none."""
    text = SLOW.format(options="", kind="def", call=f".with_({LIMIT})")
    (item,) = found(text, "RV0458")

    assert marked(item, text) == "slow.with_(timeout=timedelta(seconds=20))(2)"


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        (LIMIT, "async def"),
        (f"{LIMIT}, blocking=True", "def"),
        (f'{LIMIT}, queue="net"', "def"),
        ("blocking=True", "def"),
    ],
)
def test_a_timeout_that_can_pass_gets_no_warning(options: str, kind: str) -> None:
    """Cancelled where it awaits, given up where it runs in a thread, and the worker's where it has a queue."""
    assert found(SLOW.format(options=options, kind=kind, call=""), "RV0458") == []
