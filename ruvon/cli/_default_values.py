"""What the graph holds where a text says nothing: read from a workflow that is compiled in both forms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, cast, final

if TYPE_CHECKING:
    from ruvon.ir import Definition, Node

__all__ = ["FormDefault", "form_defaults", "in_words", "retry_defaults"]

_PYTHON: Final = """
from ruvon import gather, human, workflow
from shop import Order, Verdict, check, look


@workflow("Defaults")
async def defaults(state: Order) -> None:
    while state.status == "new":
        await check(state)
    await gather(check(state), look(state))
    await human("task", form=Verdict)
"""
_YAML: Final = """
workflow_type: Defaults
module: shop
uses: {Verdict: "shop:Verdict"}
initial_state_model: Order
steps:
  - while: state.status == 'new'
    do: [{name: check, function: check}]
  - name: gather
    type: PARALLEL
    tasks: [{name: check_2, function: check}, {name: look, function: look}]
  - {name: human, type: HUMAN_IN_LOOP, task: task, form: Verdict}
"""


@final
@dataclass(frozen=True, slots=True)
class FormDefault:
    """One option."""

    what: str
    said: tuple[str, ...]
    """How it is said: arguments of Python, then the key of YAML."""
    none: str
    """What it means that there is none, where that needs words."""
    python: object
    yaml: object


def form_defaults() -> list[FormDefault]:
    """Every option whose value a text may leave out, with what each form takes then."""
    from ruvon_dsl import compile_source, require  # noqa: PLC0415  # the compilers load only when something is compiled

    python = require(compile_source(_PYTHON, kind="python", imports=False))[0].definition
    yaml = require(compile_source(_YAML, kind="yaml", imports=False))[0].definition
    return [FormDefault(what, said, none, read(python), read(yaml)) for what, said, none, read in _ROWS]


def retry_defaults() -> Mapping[str, object]:
    """What a retry policy holds where it says nothing."""
    from ruvon import Retry  # noqa: PLC0415  # not for `--help`

    return {item.name: _plain(getattr(Retry(), item.name)) for item in fields(Retry)}


def in_words(value: object) -> str:
    """A value as it is shown."""
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _plain(value: Any) -> object:
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    if isinstance(value, tuple):
        return [item.__name__ for item in cast("tuple[type, ...]", value)]
    return value


def _node(definition: "Definition", name: str) -> "Node":
    from ruvon.ir import walk_nodes  # noqa: PLC0415  # not for `--help`

    return next(node for node in walk_nodes(definition.graph) if node.id == name)


def _action(name: str, field: str) -> "Callable[[Definition], object]":
    def read(definition: "Definition") -> object:
        value: Any = _node(definition, name).action
        for part in field.split("."):
            value = getattr(value, part)
        return getattr(value, "value", value)

    return read


_ROWS: "Final[tuple[tuple[str, tuple[str, ...], str, Callable[[Definition], object]], ...]]" = (
    ("version", ("version=", "workflow_version:"), "", lambda d: d.workflow_version),
    ("saga mode", ("saga=", "saga_enabled:"), "", lambda d: d.saga),
    ("strict results", ("strict_results=", "strict_results:"), "", lambda d: d.strict_results),
    ("go on from step to step", ("automate_next=", "automate_next:"), "", lambda d: _node(d, "human").automate_next),
    ("log rows kept", ("history=", "history:"), "none: all", lambda d: d.history),
    ("commit", ("commit=", "commit:"), "", lambda d: d.commit.value),
    ("time of a run", ("timeout=", "timeout:"), "none: for ever", lambda d: d.timeout_us),
    ("retry of a step", ("@step(retry=)", ".with_(retry=)", "retry:"), "", _action("check_2", "retry")),
    (
        "timeout of an attempt",
        ("@step(timeout=)", ".with_(timeout=)", "timeout:"),
        "",
        _action("check_2", "timeout_us"),
    ),
    ("queue", ("@step(queue=)", ".with_(queue=)", "queue:"), "none: in this process", _action("check_2", "queue")),
    ("how a result merges", (".with_(merge=)", "merge_strategy:"), "", _action("check_2", "merge.strategy")),
    (
        "a key written before",
        (".with_(conflict=)", "merge_conflict_behavior:"),
        "",
        _action("check_2", "merge.conflict"),
    ),
    ("turns of a `while`", ("node(max_iterations=)", "max_iterations:"), "", _action("while", "max_iterations")),
    ("how branches merge", ("gather(merge=)", "merge_strategy:"), "", _action("gather", "merge.strategy")),
    (
        "two branches write one field",
        ("gather(conflict=)", "merge_conflict_behavior:"),
        "",
        _action("gather", "merge.conflict"),
    ),
    ("a branch fails", ("gather(partial=)", "allow_partial_success:"), "", _action("gather", "on_failure")),
    ("branches at once", ("gather(limit=)", "limit:"), "none: all", _action("gather", "limit")),
    ("wait for a person", ("human(timeout=)", "timeout:"), "none: for ever", _action("human", "timeout")),
)
