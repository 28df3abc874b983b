"""The step types that only steer: loops, branches, scopes, assignments and ends, and the short forms without a type."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ruvon_dsl.yaml._keys import Key, Kind, Table
from ruvon_dsl.yaml._keys_common import COMMON_KEYS, ELIF, HANDLER, MERGE_KEYS, OUTPUT

__all__ = ["BRANCH", "FLOW_TABLES", "SHORT_TABLES", "TASK_KEYS"]

_COMMON: Final = Table("a step", "Keys of every step.", COMMON_KEYS)
_BARE: Final = Table(
    "a step",
    "",
    tuple(key for key in COMMON_KEYS if key.name in {"name", "type", "description", "tags", "dependencies"}),
)
_TIMEOUT: Final = Key("timeout", Kind.DURATION, "Longest time of the whole step.", ("timeout_seconds",), nullable=True)
_ITEM: Final = Key(
    "item_var_name",
    Kind.TEXT,
    "Name of the item, or several separated by commas (default `item`).",
    ("item", "item_var", "as"),
)
_INDEX: Final = Key("index_var_name", Kind.NAME, "Name of the index, counted from 0.", ("index", "index_var"))

TASK_KEYS: Final = (
    Key("label", Kind.TEXT, "Label of the branch; default: the task's name."),
    Key("after", Kind.TEXTS, "Labels of the tasks that must end first."),
    Key("won", Kind.BOOL, "In a RACE: give the result as `Won(label, value)`."),
)
BRANCH: Final = Table(
    "a branch",
    "Steps that run beside the other branches.",
    (
        Key("steps", Kind.STEPS, "The steps.", ("do",), required=True),
        Key("after", Kind.TEXTS, "Labels of the branches that must end first.", ("dependencies",)),
        OUTPUT,
        Key("won", Kind.BOOL, "In a RACE: give the result as `Won(label, value)`."),
    ),
)
_BRANCHES: Final = (
    Key("tasks", Kind.TASKS, "Steps that run side by side."),
    Key("branches", Kind.BRANCHES, "Lists of steps that run side by side, by label.", table=BRANCH),
    Key("outputs", Kind.CONSTANTS, "What the results of the branches are bound to, by label."),
    Key("output", OUTPUT.kind, "What all results are bound to: a list in order of the branches.", OUTPUT.aliases),
    _TIMEOUT,
)
_PARALLEL: Final = _COMMON.extended(
    "a PARALLEL step",
    "Run tasks side by side, or one task for each item of a list.",
    (
        *_BRANCHES,
        Key("iterate_over", Kind.CONDITION, "The list: a bare expression.", ("over", "items", "for_each")),
        Key("task_function", Kind.PATH, "Function that is called for each item.", ("task_function_path",)),
        Key("task", Kind.STEP, "Step of any type that runs for each item."),
        Key("steps", Kind.STEPS, "Steps that run for each item.", ("body", "do")),
        Key(
            "inputs", Kind.VALUES, "Arguments of the task function by parameter name.", ("args", "kwargs", "arguments")
        ),
        _ITEM,
        _INDEX,
        Key("limit", Kind.VALUE, "At most so many at once.", ("max_concurrency", "concurrency")),
        Key(
            "batch_size",
            Kind.VALUE,
            "Start the next so many when the last so many have ended; 0 starts all.",
            nullable=True,
        ),
        Key("allow_partial_success", Kind.BOOL, "Go on with the results that came and the failures beside them."),
        Key("tolerate", Kind.VALUE, "Share of failures, 0 to 1, beyond which the step fails."),
        *MERGE_KEYS,
    ),
)
_FORK: Final = _PARALLEL.extended("a FORK step", "Run branches side by side, some `after` others.", ())
_RACE: Final = _COMMON.extended(
    "a RACE step",
    "Run branches side by side and take the first that ends.",
    (*_BRANCHES, *MERGE_KEYS),
    without=("outputs",),
)
_ELSE: Final = Key(
    "else",
    Kind.EXIT,
    "Where to go when the loop ends without a `break`: a list of steps, or a step name.",
    ("orelse",),
)
_LOOP: Final = _COMMON.extended(
    "a LOOP step",
    "Run steps for each item of a list (ITERATE) or while a condition holds (WHILE).",
    (
        Key(
            "mode",
            Kind.CHOICE,
            "ITERATE or WHILE; follows from the other keys.",
            ("loop_mode",),
            choices=("ITERATE", "WHILE"),
        ),
        Key("iterate_over", Kind.CONDITION, "The list: a bare expression.", ("over", "items", "for_each")),
        _ITEM,
        _INDEX,
        Key("while_condition", Kind.CONDITION, "A bare expression.", ("condition", "while")),
        Key(
            "max_iterations",
            Kind.COUNT,
            "Turns after which the loop fails (WHILE: default 1000; `null`: none).",
            nullable=True,
        ),
        Key("loop_body", Kind.STEPS, "The steps of a turn.", ("steps", "body", "do"), required=True),
        _ELSE,
        OUTPUT,
    ),
)
_TRY_KEYS: Final = (
    Key("steps", Kind.STEPS, "The steps.", ("try", "body", "do"), required=True),
    Key("except", Kind.HANDLERS, "What to do about errors.", ("handlers", "catch"), table=HANDLER),
    Key("else", Kind.STEPS, "Steps to run when nothing failed.", ("orelse",)),
    Key("finally", Kind.STEPS, "Steps to run in any case.", ("final",)),
    Key("saga", Kind.BOOL, "Undo what completed inside before an error goes on.", ("saga_enabled",)),
)
_TRY: Final = _COMMON.extended("a TRY step", "Run steps and handle their errors.", _TRY_KEYS)
_ASSIGN_KEYS: Final = (
    Key("set", Kind.TARGETS, "Values by target: `{total: 0, state.status: done}`.", ("values", "assign")),
    Key("append", Kind.TARGETS, "Values to append to lists, by target."),
    Key("extend", Kind.TARGETS, "Lists to extend lists with, by target."),
    Key("update", Kind.TARGETS, "Mappings to update dicts with, by target."),
)
_ASSIGN: Final = _COMMON.extended(
    "an ASSIGN step",
    "Assign values to variables and state fields.",
    (
        Key("target", Kind.TARGET, "What is assigned to.", ("output",)),
        Key("value", Kind.VALUE, "The value."),
        Key("operation", Kind.CHOICE, "How (default `set`).", choices=("set", "append", "extend", "update")),
        *_ASSIGN_KEYS,
    ),
)
_RETURN: Final = _BARE.extended(
    "a RETURN step",
    "End the branch or the workflow with a value.",
    (Key("value", Kind.VALUE, "The result.", ("result",)),),
)
_FAIL: Final = _BARE.extended(
    "a FAIL step",
    "Raise an error; without one, the handled error again.",
    (
        Key(
            "error", Kind.TEXT, "Error class, or a constructor call such as `Rejected(verdict.reason)`.", ("exception",)
        ),
        Key("message", Kind.VALUE, "Text of the error; its only argument."),
        Key("cause", Kind.CONDITION, "The error that led to it: a bare expression.", ("from",)),
    ),
)
FLOW_TABLES: Final[Mapping[str, Table]] = MappingProxyType(
    {
        "PARALLEL": _PARALLEL,
        "FORK": _FORK,
        "RACE": _RACE,
        "LOOP": _LOOP,
        "TRY": _TRY,
        "ASSIGN": _ASSIGN,
        "RETURN": _RETURN,
        "FAIL": _FAIL,
        "BREAK": _BARE.extended("a BREAK step", "Leave the innermost loop.", ()),
        "CONTINUE": _BARE.extended("a CONTINUE step", "Go to the next turn of the innermost loop.", ()),
    }
)
"""Tables of the types that only steer, by documented type name."""

_SHORT: Final = Table(
    "a step",
    "",
    tuple(
        key
        for key in COMMON_KEYS
        if key.name in {"name", "description", "tags", "automate_next", "next", "dependencies"}
    ),
)
_IF: Final = _SHORT.extended(
    "an if",
    "Run steps when a condition is true.",
    (
        Key("condition", Kind.CONDITION, "A bare expression.", ("if",), required=True),
        Key("then", Kind.STEPS, "Steps to run when it is true.", ("steps", "do"), required=True),
        Key("elif", Kind.ELIFS, "Further conditions.", table=ELIF),
        Key("else", Kind.STEPS, "Steps to run otherwise.", ("default",)),
    ),
)
_FOR: Final = _SHORT.extended(
    "a for",
    "Run steps for each item of a list.",
    (
        Key("item_var_name", Kind.TEXT, "Name of the item, or `item in state.items`.", ("for",), required=True),
        Key("iterate_over", Kind.CONDITION, "The list: a bare expression.", ("in", "over")),
        _INDEX,
        Key("loop_body", Kind.STEPS, "The steps of a turn.", ("steps", "do", "body"), required=True),
        _ELSE,
        Key("max_iterations", Kind.COUNT, "Turns after which the loop fails.", nullable=True),
        OUTPUT,
    ),
)
_WHILE: Final = _SHORT.extended(
    "a while",
    "Run steps while a condition is true.",
    (
        Key("while_condition", Kind.CONDITION, "A bare expression.", ("while",), required=True),
        Key("loop_body", Kind.STEPS, "The steps of a turn.", ("steps", "do", "body"), required=True),
        Key(
            "max_iterations",
            Kind.COUNT,
            "Turns after which the loop fails (default 1000; `null`: none).",
            nullable=True,
        ),
        _ELSE,
    ),
)
SHORT_TABLES: Final[Mapping[str, Table]] = MappingProxyType(
    {
        "set": _SHORT.extended("a set", "Assign values.", (_ASSIGN_KEYS[0],)),
        "append": _SHORT.extended("an append", "Append to lists.", (_ASSIGN_KEYS[1],)),
        "extend": _SHORT.extended("an extend", "Extend lists.", (_ASSIGN_KEYS[2],)),
        "update": _SHORT.extended("an update", "Update dicts.", (_ASSIGN_KEYS[3],)),
        "if": _IF,
        "for": _FOR,
        "while": _WHILE,
        "return": _SHORT.extended(
            "a return",
            "End with a value.",
            (Key("value", Kind.VALUE, "The result; nothing ends without one.", ("return",)),),
            without=("next", "automate_next"),
        ),
        "fail": _SHORT.extended(
            "a fail",
            "Raise an error.",
            (
                Key(
                    "error",
                    Kind.TEXT,
                    "Error class, or a constructor call; nothing raises the handled error again.",
                    ("fail",),
                ),
                Key("message", Kind.VALUE, "Text of the error; its only argument."),
                Key("cause", Kind.CONDITION, "The error that led to it: a bare expression.", ("from",)),
            ),
            without=("next", "automate_next"),
        ),
        "goto": Table(
            "a goto",
            "An edge to a step, where a list would go on with the next one.",
            (Key("next", Kind.STEP_NAME, "The name of a step, or END, BREAK, CONTINUE.", ("goto",), required=True),),
        ),
        "break": _SHORT.extended(
            "a break", "Leave the innermost loop.", (Key("break", Kind.NOTHING, ""),), without=("next", "automate_next")
        ),
        "continue": _SHORT.extended(
            "a continue",
            "Go to the next turn.",
            (Key("continue", Kind.NOTHING, ""),),
            without=("next", "automate_next"),
        ),
    }
)
"""Tables of the short forms, by the key that marks them."""
