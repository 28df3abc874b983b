"""The awaitable of an effect: a step call, a child, a wait, HTTP and its kind, with the options of the call site."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final, assert_never, final

from ruvon.ir._nodes import (
    Call,
    Compensation,
    HumanSource,
    Merge,
    MergeConflict,
    MergeStrategy,
    Node,
    RetryPolicy,
    SignalSource,
    Start,
    StartMode,
    TimerSource,
    Wait,
)
from ruvon.ir.expr import Call as CallExpr
from ruvon.ir.expr import Const, Expr, Name, refs
from ruvon.ir.expr import Dict as DictExpr
from ruvon.ir.expr import Ref as RefExpr
from ruvon_dsl.printing._imports import Imports, plain_names, snake_case
from ruvon_dsl.printing._layout import Piece, Pieces, call_of, flat, is_identifier, piece_of, quoted
from ruvon_dsl.printing._names import function_name
from ruvon_dsl.printing._targets import Declarations

__all__ = ["BUILT_IN_CALLS", "Calls", "duration_text"]

BUILT_IN_CALLS: Final = {"HTTP": "http", "AI_INFERENCE": "infer", "WASM": "wasm"}
_POSITIONAL: Final = {"HTTP": ("method", "url"), "AI_INFERENCE": ("model", "data"), "WASM": ("module", "data")}
_UNITS: Final = (
    ("days", 86_400_000_000),
    ("hours", 3_600_000_000),
    ("minutes", 60_000_000),
    ("seconds", 1_000_000),
    ("milliseconds", 1_000),
    ("microseconds", 1),
)
_DIRECT: Final = frozenset({"retry", "timeout", "into"})
"""Options that the built-in step types take as keywords of the call itself."""
_EXCEPTION: Final = ("builtins:Exception",)
_MICROSECOND: Final = timedelta(microseconds=1)


def duration_text(microseconds: int) -> str:
    """A duration as `timedelta(...)` in its largest whole unit."""
    name, size = next((unit for unit in _UNITS if microseconds % unit[1] == 0 and microseconds), ("seconds", 1_000_000))
    return f"timedelta({name}={microseconds // size})"


@final
class Calls:
    """Prints effects; collects the handles (`external_workflow`, `step_ref`) that the module must define."""

    def __init__(
        self, imports: Imports, declarations: Declarations, *, workflow: str, state: str, variables: Mapping[str, str]
    ) -> None:
        self._workflow = workflow
        self._imports = imports
        self._declared = declarations
        self._state = state
        self._variables = variables
        self._handles: dict[tuple[str, ...], str] = {}
        self.handle_lines: list[Piece] = []

    # --- entry points -------------------------------------------------------------------------------------------------

    def usual(self, node: Node, *, automatic: bool) -> bool:
        """The `automate_next` that a node has without saying so."""
        return self._declared.usual(node, automatic=automatic)

    def restart(self, node: Node) -> Piece:
        """`workflow.restart(data)`, which is no awaitable."""
        data = node.action.config.get("data") if isinstance(node.action, Call) else None
        return call_of(f"{self._workflow}.restart", [] if data is None else [self.value(data)])

    def effect(self, node: Node, extra: Mapping[str, Piece]) -> Piece:
        """The awaitable; `extra` are further options for `.with_` (name, automate_next)."""
        match node.action:
            case Call() as call:
                return self._call(call, extra)
            case Wait() as wait:
                return self._wait(wait, extra)
            case Start() as start:
                return self._start(start, extra)
            case _:
                raise AssertionError(node.action)

    # --- calls --------------------------------------------------------------------------------------------------------

    def _call(self, call: Call, extra: Mapping[str, Piece]) -> Piece:
        if call.type in BUILT_IN_CALLS:
            return self._built_in(call, extra)
        options = {**extra, **self._call_options(call)}
        if call.type != "STANDARD":
            return self._custom(call, options)
        path = call.function or ""
        return call_of(self._with(self.function(path), options), self._arguments(path, call.args))

    def function(self, path: str) -> str:
        """The name of a step function in the module; plain functions get a `step_ref`."""
        if self._declared.is_plain(path):
            key = ("step", path)
            if key not in self._handles:
                self._handles[key] = self._imports.reserve(snake_case(function_name(path)))
                self.handle_lines.append(f"{self._handles[key]} = {self._imports.ours('step_ref')}({quoted(path)})")
            return self._handles[key]
        return self._imports.path(path)

    def _arguments(self, path: str, args: Mapping[str, Expr]) -> list[Piece]:
        state = args.get("state")
        first: list[Piece] = []
        rest = dict(args)
        if state == Name("state"):
            first.append("state")
            del rest["state"]
        elif len(rest) == 1 and not self._declared.only_by_name(path, next(iter(rest))):
            return [self.value(next(iter(rest.values())))]
        return [*first, *self._keywords(rest)]

    def _keywords(self, values: Mapping[str, Expr]) -> list[Piece]:
        positions = [self.value(values[key]) for key in sorted(values, key=len) if key.isdigit()]
        named = [self.value(item, f"{key}=") for key, item in values.items() if is_identifier(key)]
        others = [key for key in values if not key.isdigit() and not is_identifier(key)]
        odd = [self.value(values[key], f"{quoted(key)}: ") for key in others]
        return [*positions, *named, *([Pieces("**", tuple(odd), "{}")] if odd else [])]

    def _custom(self, call: Call, options: Mapping[str, Piece]) -> Piece:
        into = options.get("into")
        items: list[Piece] = [quoted(call.type)]
        if call.function is not None:
            items.append(f"function={self.function(call.function)}")
        if into is not None:
            items.append(_prefixed("into=", into))
        items.extend(self._keywords(call.config))
        head = flat(call_of(self._imports.ours("call"), items))
        kept = {key: item for key, item in options.items() if key != "into"}
        return call_of(self._with(head, kept), self._arguments("", call.args))

    def _built_in(self, call: Call, extra: Mapping[str, Piece]) -> Piece:
        name = BUILT_IN_CALLS[call.type]
        options = self._call_options(call)
        config = dict(call.config)
        items: list[Piece] = []
        for key in _POSITIONAL[call.type]:
            if key not in config:
                break
            items.append(self.value(config.pop(key)))
        items.extend(self._keywords(config))
        items.extend(_prefixed(f"{key}=", item) for key, item in options.items() if key in _DIRECT)
        rest = {**extra, **{key: item for key, item in options.items() if key not in _DIRECT}}
        return call_of(self._with(self._imports.ours(name), rest), items)

    def _call_options(self, call: Call) -> dict[str, Piece]:
        target = self._declared.step(call.function) if call.function is not None and call.type == "STANDARD" else None
        declared = {
            "retry": getattr(target, "retry", None),
            "timeout_us": getattr(target, "timeout_us", None),
            "queue": getattr(target, "queue", None),
            "compensation": getattr(target, "compensation", None),
            "input_model": self._declared.input_model(call.function) if target is not None and call.function else None,
        }
        found: dict[str, Piece] = {}
        if call.retry != declared["retry"]:
            found["retry"] = self.retry(call.retry)
        if call.timeout_us != declared["timeout_us"]:
            found["timeout"] = self._duration(call.timeout_us)
        if call.queue != declared["queue"]:
            found["queue"] = "None" if call.queue is None else quoted(call.queue)
        if call.compensation != declared["compensation"]:
            found["compensate"] = self.compensation(call.compensation)
        if call.input_model != declared["input_model"]:
            found["input_model"] = "None" if call.input_model is None else self._imports.type(call.input_model)
        if call.into is not None:
            found["into"] = self._imports.type(call.into)
        if call.queue_timeout_us is not None:
            found["queue_timeout"] = self._duration(call.queue_timeout_us)
        if call.deadline_us is not None:
            found["deadline"] = self._duration(call.deadline_us)
        if call.required_input:
            found["required_input"] = _texts(call.required_input)
        if call.transaction != getattr(target, "transaction", False):
            found["transaction"] = str(call.transaction)
        key = call.concurrency_key
        if key != getattr(target, "concurrency_key", None):
            found["concurrency_key"] = "None" if key is None else quoted(key)
        return {**found, **self.merge(call.merge, MergeConflict.PREFER_NEW)}

    # --- children -----------------------------------------------------------------------------------------------------

    def _start(self, start: Start, extra: Mapping[str, Piece]) -> Piece:
        options: dict[str, Piece] = dict(extra)
        if start.version is not None:
            options["version"] = quoted(start.version)
        if start.data_region is not None:
            options["data_region"] = self.value(start.data_region)
        if start.retry is not None:
            options["retry"] = self.retry(start.retry)
        if start.timeout_us is not None:
            options["timeout"] = self._duration(start.timeout_us)
        options |= self.merge(start.merge, MergeConflict.PREFER_NEW)
        head = self._with(self._child(start), options)
        items: list[Piece] = [] if start.data is None else [self.value(start.data)]
        match start.mode:
            case StartMode.AWAIT:
                return call_of(head, items)
            case StartMode.DETACH:
                return call_of(f"{head}.spawn", [*items, *self._given(key=start.key)])
            case StartMode.SCHEDULE:
                times = self._given(cron=start.cron, tz=start.timezone, name=start.schedule_name)
                overlap = [] if start.overlap is None else [f"overlap={quoted(start.overlap)}"]
                caught = [] if start.catch_up is None else [f"catch_up={start.catch_up}"]
                return call_of(f"{head}.schedule", [*items, *times, *overlap, *caught])
            case _:
                assert_never(start.mode)

    def _child(self, start: Start) -> str:
        takes, gives = self._takes(start.data), start.result
        key = ("child", start.child, takes or "", gives or "")
        if key not in self._handles:
            handle = self._handles[key] = self._imports.reserve(snake_case(start.child))
            items: list[Piece] = [quoted(start.child)]
            if takes is not None:
                items.append(f"takes={self._imports.type(takes)}")
            if gives is not None:
                items.append(f"gives={'type(None)' if gives == 'None' else self._imports.type(gives)}")
            self.handle_lines.append(_prefixed(f"{handle} = ", call_of(self._imports.ours("external_workflow"), items)))
        return self._handles[key]

    def _takes(self, data: Expr | None) -> str | None:
        match data:
            case CallExpr(function=RefExpr(path=path)):
                return path
            case Name(id="state"):
                return self._state
            case Name(id=name):
                return self._variables.get(name)
            case DictExpr():
                return "dict[str, object]"
            case _:
                return None

    # --- waits --------------------------------------------------------------------------------------------------------

    def _wait(self, wait: Wait, extra: Mapping[str, Piece]) -> Piece:
        options: dict[str, Piece] = {**extra, **self.merge(wait.merge, MergeConflict.PREFER_NEW)}
        if wait.compensation is not None:
            options["compensate"] = self.compensation(wait.compensation)
        tail = self._given(timeout=wait.timeout, default=wait.on_timeout)
        match wait.source:
            case TimerSource(duration=duration, until=until):
                name = "sleep" if duration is not None else "sleep_until"
                moment = duration if duration is not None else until
                items = [] if moment is None else [self.value(moment)]
                return call_of(self._with(self._imports.ours(name), options), [*items, *tail])
            case SignalSource(model=model, key=key):
                items = [self._imports.type(model), *self._given(key=key)]
                return call_of(self._with(self._imports.ours("receive"), options), [*items, *tail])
            case HumanSource() as human:
                items = [*self._human(human), *tail, *self._taker(human)]
                return call_of(self._with(self._imports.ours("human"), options), items)
            case _:
                assert_never(wait.source)

    def _human(self, human: HumanSource) -> list[Piece]:
        items: list[Piece] = [self.value(human.task)]
        if human.form is not None:
            items.append(f"form={self._imports.type(human.form)}")
        return [*items, *self._given(show=human.show, role=human.role, assignee=human.assignee)]

    def _taker(self, human: HumanSource) -> list[Piece]:
        items: list[Piece] = []
        for name, path, args in (("ask", human.ask, human.ask_args), ("answer", human.answer, human.answer_args)):
            if path is not None:
                items.append(f"{name}={self.function(path)}")
            implied = path is not None and self._declared.takes_state(path)
            given = {key: item for key, item in args.items() if key != "state" or not implied}
            if given:
                pairs = tuple(self.value(item, f"{quoted(key)}: ") for key, item in given.items())
                items.append(Pieces(f"{name}_args=", pairs, "{}"))
        if human.required_input:
            items.append(f"required_input={_texts(human.required_input)}")
        if human.answer_to != "self":
            items.append(f"answer_to={quoted(human.answer_to)}")
        return items

    # --- options ------------------------------------------------------------------------------------------------------

    def _with(self, head: str, options: Mapping[str, Piece]) -> str:
        if not options:
            return head
        return flat(call_of(f"{head}.with_", [_prefixed(f"{key}=", item) for key, item in options.items()]))

    def retry(self, policy: RetryPolicy | None) -> Piece:
        """`Retry(...)` with what differs from its defaults."""
        if policy is None:
            return "None"
        plain = RetryPolicy()
        items: list[Piece] = []
        if policy.max_attempts != plain.max_attempts:
            items.append(f"max_attempts={policy.max_attempts}")
        if policy.delay_us != plain.delay_us:
            items.append(_prefixed("delay=", self._duration(policy.delay_us)))
        if policy.backoff != plain.backoff:
            items.append(f"backoff={policy.backoff!r}")
        if policy.max_delay_us is not None:
            items.append(_prefixed("max_delay=", self._duration(policy.max_delay_us)))
        if policy.jitter != plain.jitter:
            items.append(f"jitter={policy.jitter!r}")
        if policy.on != _EXCEPTION:
            items.append(self._classes("on=", policy.on))
        if policy.never:
            items.append(self._classes("never=", policy.never))
        return call_of(self._imports.ours("Retry"), items)

    def compensation(self, compensation: Compensation | None) -> Piece:
        """The function that undoes the step, with options where no declaration carries them."""
        if compensation is None:
            return "None"
        if self._declared.is_compensation(compensation.function):
            return self._imports.path(compensation.function)
        items: list[Piece] = [quoted(compensation.function)]
        if compensation.attempted:
            items.append("attempted=True")
        if compensation.retry is not None:
            items.append(_prefixed("retry=", self.retry(compensation.retry)))
        return call_of(self._imports.ours("compensation"), items)

    def merge(self, merge: Merge, usual: MergeConflict) -> dict[str, Piece]:
        """`merge=`, `conflict=` and `merge_function=` where they are not the usual ones."""
        found: dict[str, Piece] = {}
        if merge.strategy is not MergeStrategy.SHALLOW:
            found["merge"] = f"{self._imports.ours('MergeStrategy')}.{merge.strategy.name}"
        if merge.conflict is not usual:
            found["conflict"] = f"{self._imports.ours('MergeConflictBehavior')}.{merge.conflict.name}"
        if merge.function is not None:
            found["merge_function"] = self._imports.path(merge.function)
        return found

    def _classes(self, head: str, paths: Iterable[str]) -> Piece:
        return Pieces(head, tuple(self._imports.path(path) for path in paths), "(,)")

    def _duration(self, microseconds: int | None) -> Piece:
        if microseconds is None:
            return "None"
        self._imports.plain("timedelta")
        return duration_text(microseconds)

    def duration(self, microseconds: int | None) -> Piece:
        """A number of microseconds as a `timedelta`."""
        return self._duration(microseconds)

    def _given(self, **values: Expr | None) -> list[Piece]:
        return [self.value(item, f"{key}=") for key, item in values.items() if item is not None]

    def value(self, expr: Expr, head: str = "") -> Piece:
        """An expression, its names imported; `head` stands in front (`key=`)."""
        self.use(expr)
        if isinstance(expr, Const) and isinstance(expr.value, timedelta):
            return f"{head}{duration_text(expr.value // _MICROSECOND)}"
        return piece_of(expr, self._imports.names, head)

    def use(self, expr: Expr) -> None:
        """Import everything an expression names."""
        for path in sorted(refs(expr)):
            self._imports.path(path)
        for name in sorted(plain_names(expr)):
            self._imports.plain(name)


def _prefixed(head: str, piece: Piece) -> Piece:
    if isinstance(piece, str):
        return head + piece
    return Pieces(head + piece.head, piece.items, piece.brackets, piece.tail)


def _texts(texts: Iterable[str]) -> str:
    return flat(Pieces("", tuple(quoted(text) for text in texts), "(,)"))
