"""Every code of the linker: what is wrong, why, and the smallest program that shows it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ruvon.ir._diagnostics import CodeInfo

__all__ = ["CODES"]

# Codes of other packages that the linker gives too; their pages stand there.
OUTSIDE_NAME: Final = "RV0202"
UNRESOLVED: Final = "RV0517"
BROKEN_GRAPH: Final = "RV0901"

MAYBE_UNBOUND: Final = "RV0302"
SPINNING: Final = "RV0305"
PLAIN_CALL: Final = "RV0350"
MODULE_VARIABLE: Final = "RV0351"
BAD_ARGUMENTS: Final = "RV0352"
SHADOWED: Final = "RV0353"
NOT_A_VALUE: Final = "RV0354"
IMPORT_FAILED: Final = "RV0356"
NOT_FOUND: Final = "RV0358"
UNREACHABLE: Final = "RV0360"
NEVER_RUNS: Final = "RV0361"
NOT_AN_EXCEPTION: Final = "RV0362"
RESULT_TYPE: Final = "RV0363"
NO_RESULT: Final = "RV0364"
TARGET_TYPE: Final = "RV0365"
ARGUMENT_TYPE: Final = "RV0367"
OPTION_TYPE: Final = "RV0368"
NO_WORKFLOW: Final = "RV0371"
STRANDED: Final = "RV0372"
BAD_CRON: Final = "RV0373"
NOT_SHARED: Final = "RV0374"
CUSTOM_FIELD: Final = "RV0375"
NO_KEY: Final = "RV0379"
INDISTINCT: Final = "RV0450"
BARE_STEP: Final = "RV0451"
BOTH_WRITE: Final = "RV0452"
FALLS_THROUGH: Final = "RV0453"
UNKNOWN_OUTCOME: Final = "RV0454"
LOSER: Final = "RV0455"
NOT_UNDONE: Final = "RV0456"
NEVER_UNDONE: Final = "RV0457"
IDLE_TIMEOUT: Final = "RV0458"
LOST_CHANGE: Final = "RV0505"
UNKNOWN_KEY: Final = "RV0506"
COMPENSATION: Final = "RV0507"

_HEAD: Final = """\
from datetime import timedelta
from decimal import Decimal
from typing import Literal, TypedDict

from pydantic import BaseModel

from ruvon import StepContext, call, compensate, first_of, gather, named, pure, receive, sleep, step, workflow


class Order(BaseModel):
    number: str
    amount: Decimal = Decimal(0)
    owner: str | None = None
    items: list[str] = []


class Paid(BaseModel):
    who: str


class Stopped(BaseModel):
    who: str


@step
async def ship(number: str) -> str:
    return number


"""
_PAY: Final = """\
@step(timeout=timedelta(seconds=5))
async def pay(number: str) -> str:
    return number


@compensate(pay{option})
async def refund(payment: str | None, number: str) -> None:
    return None


"""
_COUNT: Final = """\
@step(timeout=timedelta(seconds=20){option})
def count(number: str) -> int:
    return len(number)


"""
_GREET: Final = """\
from ruvon.models import WorkflowStep


class Greet(WorkflowStep):
    type: Literal["GREET"] = "GREET"
    greeting: str = "Hello"


"""
_BOOK: Final = """\
@step(transaction=True)
async def book(context: StepContext, number: str) -> None:
    await context.transaction.execute("INSERT INTO bookings VALUES (?)", (number,))


"""
_WEIGH: Final = """\
@step(queue="slow", concurrency_key="{key}")
def weigh(number: str) -> int:
    return len(number)


"""
_AUDIT: Final = """\
@workflow("Audit")
async def audit(state: Paid) -> None:
    await ship(state.who)


"""
_KEYS: Final = """\
class Keys(TypedDict):
    {key}: str


@step
async def pay(state: Order) -> Keys:
    return {{"{key}": "me"}}


"""
_UNDO: Final = """\
@step
async def send(number: str, parcel: str) -> str:
    return number


@compensate(send)
async def take_back(result: str, {name}: str) -> None:
    return None


"""
_TAKE_BACK: Final = _UNDO.format(name="number")


def _flow(body: str, before: str = "", header: str = '"W"', result: str = "None") -> str:
    """A whole module around the few lines that matter."""
    return f"{_HEAD}{before}@workflow({header})\nasync def flow(state: Order) -> {result}:\n{body}"


CODES: Final[Mapping[str, CodeInfo]] = MappingProxyType(
    {
        MAYBE_UNBOUND: CodeInfo(
            title="a variable that may not be set",
            explanation=(
                "Some way through the workflow reaches this place without setting the variable, and Python would raise "
                "UnboundLocalError there. Give it a value before, or set it on that way too. Remember that a loop may "
                "have no turn, that a handler may start before anything in its `try` is done, and that the variables of "
                "a branch are not seen outside unless they are returned."
            ),
            bad=_flow("    if state.owner is None:\n        label = await ship(state.number)\n    await ship(label)\n"),
            good=_flow(
                "    label = state.number\n"
                "    if state.owner is None:\n        label = await ship(state.number)\n    await ship(label)\n"
            ),
        ),
        SPINNING: CodeInfo(
            title="a loop without a durable step",
            explanation=(
                "Nothing between two turns of this loop is recorded, so it can repeat without ever reaching a commit; the "
                "engine's budget would end it and nothing would be kept. Await a step, `sleep` or `receive` on every way "
                "through the loop, or move a pure computation into a step."
            ),
            bad=_flow("    while state.owner is None:\n        pass\n"),
            good=_flow("    while state.owner is None:\n        await sleep(timedelta(hours=1))\n"),
        ),
        PLAIN_CALL: CodeInfo(
            title="an ordinary function in an expression",
            explanation=(
                "The engine cannot know whether an ordinary function may run again after a crash. A function that only "
                "computes is marked @pure and can then stand in expressions; one that acts is a @step and is awaited in a "
                "statement of its own."
            ),
            bad=_flow(
                "    await ship(clean(state.number))\n",
                before="def clean(text: str) -> str:\n    return text.strip()\n\n\n",
            ),
            good=_flow(
                "    await ship(clean(state.number))\n",
                before="@pure\ndef clean(text: str) -> str:\n    return text.strip()\n\n\n",
            ),
        ),
        MODULE_VARIABLE: CodeInfo(
            title="a module variable that is no constant",
            explanation=(
                "A definition is stored with the constants it uses. A module variable can be assigned or changed later, so "
                "it would mean something else after a restart. Constants are names declared `Final`, names in upper case, "
                "enum members, and frozen models or tuples of such values; anything else belongs into the state or a step."
            ),
            bad=_flow("    if state.amount > limit:\n        await ship(state.number)\n", before="limit = 100\n\n\n"),
            good=_flow("    if state.amount > LIMIT:\n        await ship(state.number)\n", before="LIMIT = 100\n\n\n"),
        ),
        BAD_ARGUMENTS: CodeInfo(
            title="arguments that the function does not take",
            explanation=(
                "Python would raise TypeError at this call: an argument is missing, unknown, given twice or one too many."
            ),
            bad=_flow("    await ship(state.number, fast=True)\n"),
            good=_flow("    await ship(state.number)\n"),
        ),
        SHADOWED: CodeInfo(
            title="a name of the expression language that means something else here",
            explanation=(
                "In expressions the names of Python's builtins and of the value types always mean the built-in ones. A "
                "function or variable of the same name would mean one thing in Python and another in the stored definition."
            ),
            bad=_flow(
                "    await ship(min(state.number))\n",
                before="@pure\ndef min(text: str) -> str:\n    return text[:1]\n\n\n",
            ),
            good=_flow(
                "    await ship(initial(state.number))\n",
                before="@pure\ndef initial(text: str) -> str:\n    return text[:1]\n\n\n",
            ),
        ),
        NOT_A_VALUE: CodeInfo(
            title="a step, block or workflow inside an expression",
            explanation=(
                "Work that is recorded stands in a statement of its own, so that everything before it is recorded first. "
                "Name its result and use the name."
            ),
            bad=_flow("    label = [ship]\n    await ship(f'{label}')\n"),
            good=_flow("    label = await ship(state.number)\n    await ship(f'{label}')\n"),
        ),
        IMPORT_FAILED: CodeInfo(
            title="a module that cannot be imported",
            explanation=(
                "The file is imported to find its steps and models, and that failed: a missing package, an undefined name, "
                "an error while its top-level code ran, or another module of the same name. Importing must succeed by "
                "itself; move what can fail into a step."
            ),
            bad=_flow("    await ship(state.number)\n", before="import a_package_that_nobody_has\n\n\n"),
            good=_flow("    await ship(state.number)\n"),
        ),
        NOT_FOUND: CodeInfo(
            title="a path that leads nowhere, or outside the import roots",
            explanation=(
                "A definition names code by path and may take it only from allowed packages and folders, never from "
                "Python's own library (exception classes excepted). Mend the path, or allow its package with "
                "`import_roots=` or `RUVON_IMPORT_ROOTS`."
            ),
            bad=_flow(
                "    half = Fraction(1, 2)\n    await ship(f'{half}')\n",
                before="from fractions import Fraction\n\n\n",
            ),
            good=_flow("    half = Decimal('0.5')\n    await ship(f'{half}')\n"),
        ),
        UNREACHABLE: CodeInfo(
            title="a step that nothing leads to",
            explanation=(
                "No route, no `next` and no order of the list leads to this step. Only a step function that raises a jump "
                "directive can still reach it; if that is meant, the warning can be ignored."
            ),
            bad=(
                "workflow_type: W\nautomate_next: true\nsteps:\n"
                "  - {name: Begin, type: SLEEP, duration: 1h, next: END}\n"
                "  - {name: Lost, type: SLEEP, duration: 1h}\n"
            ),
            good=(
                "workflow_type: W\nautomate_next: true\nsteps:\n"
                "  - {name: Begin, type: SLEEP, duration: 1h}\n"
                "  - {name: Found, type: SLEEP, duration: 1h}\n"
            ),
            language="yaml",
        ),
        NEVER_RUNS: CodeInfo(
            title="a handler that never runs",
            explanation="An earlier handler of the same `try` takes all its errors. Put the narrower class first.",
            bad=_flow(
                "    try:\n        await ship(state.number)\n    except Exception:\n        await ship('a')\n"
                "    except ValueError:\n        await ship('b')\n"
            ),
            good=_flow(
                "    try:\n        await ship(state.number)\n    except ValueError:\n        await ship('a')\n"
                "    except Exception:\n        await ship('b')\n"
            ),
        ),
        NOT_AN_EXCEPTION: CodeInfo(
            title="something that is no error is raised or handled",
            explanation="Only classes that derive from Exception can be raised and handled.",
            bad=_flow("    raise Paid(who=state.number)\n"),
            good=_flow("    raise ValueError(state.number)\n"),
        ),
        RESULT_TYPE: CodeInfo(
            title="a result of another type",
            explanation="The returned value does not fit the result type that the workflow declares; callers rely on it.",
            bad=_flow("    return state.number\n", result="Paid"),
            good=_flow("    return Paid(who=state.number)\n", result="Paid"),
        ),
        NO_RESULT: CodeInfo(
            title="an end without a result",
            explanation="Some way through the workflow ends without returning the result that it declares.",
            bad=_flow("    if state.owner is not None:\n        return Paid(who=state.owner)\n", result="Paid"),
            good=_flow(
                "    if state.owner is not None:\n        return Paid(who=state.owner)\n    return Paid(who='nobody')\n",
                result="Paid",
            ),
        ),
        TARGET_TYPE: CodeInfo(
            title="a value that does not fit where it is assigned",
            explanation=(
                "The field or variable is declared with another type, or the number of names differs from the number of "
                "values. The assignment would be refused when it is reached."
            ),
            bad=_flow("    state.amount = state.items\n"),
            good=_flow("    state.amount = Decimal(len(state.items))\n"),
        ),
        ARGUMENT_TYPE: CodeInfo(
            title="an argument of another type",
            explanation="The argument does not fit the annotation of its parameter.",
            bad=_flow("    await ship(state.items)\n"),
            good=_flow("    await ship(state.items[0])\n"),
        ),
        OPTION_TYPE: CodeInfo(
            title="an option of another type",
            explanation=(
                "What a wait, a start or a built-in step type is given has a type of its own: durations are timedeltas, "
                "keys and addresses are text, limits are whole numbers."
            ),
            bad=_flow("    await sleep(5)\n"),
            good=_flow("    await sleep(timedelta(seconds=5))\n"),
        ),
        NO_WORKFLOW: CodeInfo(
            title="nothing to compile",
            explanation=(
                "The file or module cannot be read, or it defines no workflow (of the name that was asked for). A workflow "
                "is an `async def` decorated with @workflow, or a YAML file with `workflow_type:`."
            ),
            bad=_HEAD.rstrip() + "\n",
            good=_flow("    await ship(state.number)\n"),
        ),
        STRANDED: CodeInfo(
            title="a workflow that lives in `__main__`",
            explanation=(
                "A stored instance finds its functions and models by the name of their module. `__main__` is another module "
                "in every process, so a worker, a later script or the command line cannot go on with the instance. Move "
                "the workflow, its steps and its models into a module, and import them in the script."
            ),
            bad=_flow("    await ship(state.number)\n"),
            good="# orders.py\n" + _flow("    await ship(state.number)\n"),
            language="script",
        ),
        BAD_CRON: CodeInfo(
            title="a cron or a time zone that is none",
            explanation=(
                "A schedule is written as five fields (minute, hour, day of the month, month, day of the week), or six with "
                "seconds in front, and is read in a time zone of the tz database. From this text no moment follows, so the "
                "step that registers the schedule would fail."
            ),
            bad=_flow('    await audit.schedule(Paid(who=state.number), cron="0 25 * * *")\n', before=_AUDIT),
            good=_flow('    await audit.schedule(Paid(who=state.number), cron="0 5 * * *")\n', before=_AUDIT),
        ),
        NOT_SHARED: CodeInfo(
            title="a transaction that cannot be shared",
            explanation=(
                "The SQL of a step with `transaction` is written together with the commit of that step, so that it happens "
                "exactly once. That takes an `async def` function with a `context`, run by the process that drives the "
                'workflow, and a commit of its own, which `commit="iteration"` does not give it.'
            ),
            bad=_flow("    await book.with_(queue='slow')(state.number)\n", before=_BOOK),
            good=_flow("    await book(state.number)\n", before=_BOOK),
        ),
        NO_KEY: CodeInfo(
            title="a concurrency key that names nothing",
            explanation=(
                "Limits of a queue may say how many steps with the same concurrency key run at a time. The key is the value "
                "of an argument of the step (a field of `http`, `infer`, `wasm` and custom types), or of a path into one or "
                "into the state; the path begins with the name of the argument or field, or with `state`. What it leads to "
                "holds no secret."
            ),
            bad=_flow("    await weigh(state.number)\n", before=_WEIGH.format(key="customer")),
            good=_flow("    await weigh(state.number)\n", before=_WEIGH.format(key="number")),
        ),
        CUSTOM_FIELD: CodeInfo(
            title="a field that a custom step type refuses",
            explanation=(
                "A custom step type is a class, and its fields are what may stand below the step. This one is not among "
                "them, has a value that does not fit, or is missing."
            ),
            bad=_flow("    await call('GREET', greetings='Hello')(state)\n", before=_GREET),
            good=_flow("    await call('GREET', greeting='Hello')(state)\n", before=_GREET),
        ),
        INDISTINCT: CodeInfo(
            title="two winners that cannot be told apart",
            explanation=(
                "Two branches of a race give values of one type, so what comes after cannot see which of them won. Name "
                "them with `named(...)` and match on `Won(name, value)`."
            ),
            bad=_flow(
                "    winner = await first_of(receive(Paid, key='a'), receive(Paid, key='b'))\n    await ship(winner.who)\n"
            ),
            good=_flow(
                "    winner = await first_of(named('a', receive(Paid, key='a')), named('b', receive(Paid, key='b')))\n"
                "    await ship(winner.name)\n"
            ),
        ),
        BARE_STEP: CodeInfo(
            title="a bare step in a race",
            explanation=(
                "A running step cannot be taken back when another branch wins, so its effect would happen unseen. Race "
                "waits and children, or put the step behind a wait in an `async def` branch."
            ),
            bad=_flow("    await first_of(ship(state.number), sleep(timedelta(hours=1)))\n"),
            good=_flow("    await first_of(receive(Paid), sleep(timedelta(hours=1)))\n    await ship(state.number)\n"),
        ),
        BOTH_WRITE: CodeInfo(
            title="two branches that write one field",
            explanation=(
                "Concurrent branches that set the same field or variable conflict at the join; the rule of the `gather` "
                "settles it, by an error or by dropping one value. Return the values and assign after the join."
            ),
            bad=_flow(
                "    async def a() -> None:\n        state.owner = await ship('a')\n\n"
                "    async def b() -> None:\n        state.owner = await ship('b')\n\n"
                "    await gather(a(), b())\n"
            ),
            good=_flow("    one, other = await gather(ship('a'), ship('b'))\n    state.owner = one or other\n"),
        ),
        FALLS_THROUGH: CodeInfo(
            title="a route that runs on into another route",
            explanation=(
                "In a flat list a step goes on to the one that stands below it, also where that is the target of another "
                "route. Say `next:` where it is meant, or end the first route with `next: END` or a jump past the others."
            ),
            bad=(
                "workflow_type: W\nautomate_next: true\nsteps:\n  - name: Route\n    type: DECISION\n    routes:\n"
                "      - {condition: \"state['n'] == 1\", target: High}\n"
                "      - {condition: \"state['n'] == 2\", target: Low}\n"
                "    default: END\n"
                "  - {name: High, type: SLEEP, duration: 1h}\n  - {name: Low, type: SLEEP, duration: 2h}\n"
            ),
            good=(
                "workflow_type: W\nautomate_next: true\nsteps:\n  - name: Route\n    type: DECISION\n    routes:\n"
                "      - {condition: \"state['n'] == 1\", target: High}\n"
                "      - {condition: \"state['n'] == 2\", target: Low}\n"
                "    default: END\n"
                "  - {name: High, type: SLEEP, duration: 1h, next: Low}\n  - {name: Low, type: SLEEP, duration: 2h}\n"
            ),
            language="yaml",
        ),
        UNKNOWN_OUTCOME: CodeInfo(
            title="a timeout that leaves the outcome unknown",
            explanation=(
                "When a step times out nobody knows whether it took effect. A compensation runs then only if it says "
                "`attempted=True`; for money that is the one to use."
            ),
            bad=_flow("    await pay(state.number)\n", before=_PAY.format(option=""), header='"W", saga=True'),
            good=_flow(
                "    await pay(state.number)\n", before=_PAY.format(option=", attempted=True"), header='"W", saga=True'
            ),
        ),
        LOSER: CodeInfo(
            title="a step that a lost race leaves done",
            explanation=(
                "What a losing branch completed stays done and is undone only by a rollback, for which the step needs a "
                "compensation. Give it one, or move it behind the race."
            ),
            bad=_flow(
                "    async def slow() -> None:\n        await sleep(timedelta(hours=1))\n"
                "        await ship(state.number)\n\n"
                "    await first_of(slow(), receive(Paid))\n",
                header='"W", saga=True',
            ),
            good=_flow(
                "    async def slow() -> None:\n        await sleep(timedelta(hours=1))\n\n"
                "    await first_of(slow(), receive(Paid))\n    await ship(state.number)\n",
                header='"W", saga=True',
            ),
        ),
        NOT_UNDONE: CodeInfo(
            title="a detached start inside a saga",
            explanation=(
                "Detached and scheduled workflows are no entries of the saga, so a rollback leaves them running. Await the "
                "child, or start it where nothing can fail any more."
            ),
            bad=_flow("    await audit.spawn(Paid(who=state.number))\n", before=_AUDIT, header='"W", saga=True'),
            good=_flow("    await audit(Paid(who=state.number))\n", before=_AUDIT, header='"W", saga=True'),
        ),
        NEVER_UNDONE: CodeInfo(
            title="a compensation that nothing runs",
            explanation=(
                "Compensations run when a saga rolls back: that of the workflow (`saga=True`), that of an `async with "
                "saga():` block, or one that a step asks for with `SagaWorkflowException`. In a workflow that has none of "
                "these an error leaves everything standing. Switch the saga on, or drop the compensation here with "
                "`.with_(compensate=None)`."
            ),
            bad=_flow("    await ship.with_(compensate=take_back)(state.number)\n", before=_TAKE_BACK),
            good=_flow(
                "    await ship.with_(compensate=take_back)(state.number)\n", before=_TAKE_BACK, header='"W", saga=True'
            ),
        ),
        IDLE_TIMEOUT: CodeInfo(
            title="a timeout that cannot pass",
            explanation=(
                "An ordinary function (`def`) runs on the event loop, where nothing can interrupt it, so a timeout never "
                "passes. Write the step as `async def` with awaited calls, which are cancelled when the timeout passes. "
                "Or declare it `@step(blocking=True)`: it runs in a thread, the workflow goes on when the timeout passes, "
                "and what the thread returns later is dropped."
            ),
            bad=_flow("    await count(state.number)\n", before=_COUNT.format(option="")),
            good=_flow("    await count(state.number)\n", before=_COUNT.format(option=", blocking=True")),
        ),
        LOST_CHANGE: CodeInfo(
            title="a change to a copy of the state",
            explanation=(
                "A step works on copies of its arguments. Only what the parameter named `state` holds is merged back; a "
                "change to the state under another name is lost. Name the parameter `state`, or return the value and "
                "assign it in the workflow."
            ),
            bad=_flow(
                "    await mark(state)\n",
                before="@step\nasync def mark(order: Order) -> None:\n    order.owner = 'me'\n\n\n",
            ),
            good=_flow(
                "    await mark(state)\n",
                before="@step\nasync def mark(state: Order) -> None:\n    state.owner = 'me'\n\n\n",
            ),
        ),
        UNKNOWN_KEY: CodeInfo(
            title="a returned key that is no field of the state",
            explanation=(
                "The keys of a dict that a state step returns merge into the state, and this one has no place there. "
                "Under `strict_results` that is an error when the step returns; mend the key or add the field."
            ),
            bad=_flow("    await pay(state)\n", before=_KEYS.format(key="ownr")),
            good=_flow("    await pay(state)\n", before=_KEYS.format(key="owner")),
        ),
        COMPENSATION: CodeInfo(
            title="a compensation that wants what nobody gives",
            explanation=(
                "A compensation is given the state where it declares it, the recorded result first, and the recorded "
                "arguments by name. A further required parameter would be missing when the rollback runs."
            ),
            bad=_flow(
                "    await ship.with_(compensate=take_back)(state.number)\n",
                before=_UNDO.format(name="parcel"),
                header='"W", saga=True',
            ),
            good=_flow(
                "    await ship.with_(compensate=take_back)(state.number)\n",
                before=_UNDO.format(name="number"),
                header='"W", saga=True',
            ),
        ),
    }
)
