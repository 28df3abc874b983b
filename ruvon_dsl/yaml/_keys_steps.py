"""The step types that do something: calls, waits and starts, each with its table of keys."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ruvon.cron import OVERLAPS
from ruvon_dsl.yaml._keys import Key, Kind, Table
from ruvon_dsl.yaml._keys_common import CALL_KEYS, COMMON_KEYS, INPUT_KEYS, MERGE_KEYS, OUTPUT, RETRY
from ruvon_dsl.yaml._keys_services import SERVICE_TABLES

__all__ = ["CUSTOM", "EFFECT_TABLES", "STANDARD"]

_COMMON: Final = Table("a step", "Keys of every step.", COMMON_KEYS)
_FUNCTION: Final = Key(
    "function", Kind.PATH, "The step function: a short name of `module:`, `a.b.f` or `a.b:f`.", ("function_path",)
)
_TRANSACTION: Final = Key(
    "transaction", Kind.BOOL, "The function's SQL runs in the database transaction that commits the step."
)
_CALL: Final = _COMMON.extended("a call", "Keys of every call.", CALL_KEYS)

STANDARD: Final = _CALL.extended(
    "a STANDARD step",
    "Call a Python function.",
    (
        Key(_FUNCTION.name, _FUNCTION.kind, _FUNCTION.doc, _FUNCTION.aliases, required=True),
        _TRANSACTION,
    ),
)
_ASYNC: Final = STANDARD.extended(
    "an ASYNC step", "Call a Python function on a worker; the queue is `default` unless given.", ()
)
_DECISION: Final = _CALL.extended(
    "a DECISION step",
    "Choose the way by conditions; with a function, call it first.",
    (
        _FUNCTION,
        _TRANSACTION,
        Key("injected", Kind.BOOL, "The audit log calls it an injection rule; written by printers."),
    ),
)
CUSTOM: Final = Table(
    "a custom step",
    "A registered step type; its own fields stand beside these keys.",
    _CALL.extended("", "", (_FUNCTION,)).keys,
    open=True,
)

_RESTART: Final = Table(
    "a RESTART step",
    "Begin the workflow again under the same id, with a new state, the newest definition and a fresh history.",
    (
        *(key for key in COMMON_KEYS if key.name in {"name", "type", "description", "tags", "automate_next"}),
        Key("data", Kind.VALUE, "The state of the new run.", ("state", "initial_data"), required=True),
    ),
)
_CHILD: Final = Key(
    "workflow_type",
    Kind.TEXT,
    "Type of the workflow to start.",
    ("target_workflow_type", "child", "workflow"),
    required=True,
)
_DATA: Final = Key(
    "initial_data",
    Kind.VALUE,
    "The child's initial state.",
    ("data", "inputs", "input", "initial_data_template", "initial_state"),
)
_REGION: Final = Key("data_region", Kind.VALUE, "Region whose workers run the child.")
_VERSION: Final = Key(
    "version", Kind.TEXT, "Version of the child; without it the one current at the start.", ("target_version",)
)
_START_KEYS: Final = (
    _CHILD,
    _VERSION,
    _DATA,
    Key("takes", Kind.TYPE, "Class of the child's initial state; a mapping in `initial_data` builds it."),
    _REGION,
    OUTPUT,
    Key("output_model", Kind.TYPE, "Type of the child's result.", ("gives", "into", "result_model")),
    Key("retry", Kind.RETRY, "Retry policy.", ("retry_policy",), nullable=True, table=RETRY),
    Key("timeout", Kind.DURATION, "Longest time of the child.", ("timeout_seconds",), nullable=True),
    *MERGE_KEYS,
)
_SUB_WORKFLOW: Final = _COMMON.extended(
    "a SUB_WORKFLOW step", "Start another workflow and wait for its result.", _START_KEYS
)
_FIRE_AND_FORGET: Final = _COMMON.extended(
    "a FIRE_AND_FORGET step",
    "Start another workflow and go on at once.",
    (
        *_START_KEYS,
        Key("key", Kind.VALUE, "Idempotency key: one child for one key.", ("idempotency_key",)),
    ),
)
_CRON_SCHEDULE: Final = _COMMON.extended(
    "a CRON_SCHEDULE step",
    "Register a recurring start of another workflow.",
    (
        *_START_KEYS,
        Key("cron_expression", Kind.VALUE, "When, as cron: `0 9 * * MON`.", ("schedule", "cron"), required=True),
        Key("timezone", Kind.VALUE, "Time zone of the schedule (default UTC).", ("tz",)),
        Key("schedule_name", Kind.VALUE, "Name of the schedule."),
        Key("overlap", Kind.CHOICE, "What to do when the last run still goes on.", choices=OVERLAPS),
        Key("catch_up", Kind.COUNT, "Missed runs that are made up for."),
    ),
)
_COMPENSATE: Final = next(key for key in CALL_KEYS if key.name == "compensate_function")
_DONE_KEYS: Final = (_COMPENSATE, *MERGE_KEYS)
_SLEEP: Final = _COMMON.extended(
    "a SLEEP step",
    "Wait for a span of time or until a moment.",
    (
        Key(
            "duration", Kind.VALUE, "How long: `6h`, seconds, or an expression.", ("seconds", "duration_seconds", "for")
        ),
        Key("until", Kind.VALUE, "Until when: an expression that gives a datetime."),
        OUTPUT,
        *_DONE_KEYS,
    ),
)
_TIMEOUT: Final = Key(
    "timeout", Kind.VALUE, "Longest wait: `5d`, seconds, or an expression.", ("timeout_seconds",), nullable=True
)
_ON_TIMEOUT: Final = Key(
    "on_timeout",
    Kind.VALUE,
    "The value taken when the time is over; without it `TimedOut` is raised.",
    ("default_answer",),
)
_RECEIVE: Final = _COMMON.extended(
    "a RECEIVE step",
    "Wait for a message of a type.",
    (
        Key("model", Kind.TYPE, "Type of the message.", ("signal", "message", "message_model"), required=True),
        Key("key", Kind.VALUE, "Only messages sent with this key.", ("correlation_key",)),
        OUTPUT,
        _TIMEOUT,
        _ON_TIMEOUT,
        *_DONE_KEYS,
    ),
)
_HUMAN: Final = _COMMON.extended(
    "a HUMAN_IN_LOOP step",
    "Wait for a person's answer.",
    (
        Key("task", Kind.VALUE, "Name of the task, such as `loans.review`; default: the step's name."),
        Key("form", Kind.TYPE, "Model that the answer is validated as.", ("answer_model",)),
        Key("show", Kind.VALUE, "What the person sees.", ("data_to_show",)),
        Key("role", Kind.VALUE, "Role of those who may answer."),
        Key("assignee", Kind.VALUE, "The person who answers."),
        Key("prompt", Kind.TEXT, "The question, for people."),
        _FUNCTION,
        Key("ask", Kind.PATH, "Function that runs on arrival and asks."),
        Key("answer", Kind.PATH, "Function that is run once with the answer."),
        Key("answer_to", Kind.CHOICE, "Which step takes the answer.", choices=("self", "next")),
        Key("inputs", Kind.VALUES, "Arguments of the function by parameter name.", ("args", "kwargs", "arguments")),
        Key("ask_inputs", Kind.VALUES, "Arguments of `ask`, where `answer` has others."),
        Key("answer_inputs", Kind.VALUES, "Arguments of `answer`, where `ask` has others."),
        OUTPUT,
        _TIMEOUT,
        _ON_TIMEOUT,
        _COMPENSATE,
        *INPUT_KEYS,
        *MERGE_KEYS,
    ),
)

EFFECT_TABLES: Final[Mapping[str, Table]] = MappingProxyType(
    {
        "STANDARD": STANDARD,
        "ASYNC": _ASYNC,
        "DECISION": _DECISION,
        **SERVICE_TABLES,
        "SUB_WORKFLOW": _SUB_WORKFLOW,
        "FIRE_AND_FORGET": _FIRE_AND_FORGET,
        "CRON_SCHEDULE": _CRON_SCHEDULE,
        "SLEEP": _SLEEP,
        "RECEIVE": _RECEIVE,
        "HUMAN_IN_LOOP": _HUMAN,
        "RESTART": _RESTART,
    }
)
"""Tables of the types that call, wait or start, by documented type name."""
