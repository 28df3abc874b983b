"""Entries as mappings of YAML: one function for each action, keys in a fixed order."""

from collections.abc import Collection, Mapping
from typing import Final, assert_never, final

from ruvon.ir._nodes import (
    BREAK,
    CONTINUE,
    Assign,
    Call,
    Compensation,
    Decision,
    Definition,
    Fail,
    Handler,
    HumanSource,
    Join,
    Loop,
    Merge,
    MergeConflict,
    MergeStrategy,
    Node,
    OnFailure,
    Parallel,
    RetryPolicy,
    Return,
    SignalSource,
    Start,
    StartMode,
    TimerSource,
    Try,
    Wait,
)
from ruvon.ir._text import duration_text
from ruvon.ir._verify import single_effect
from ruvon.ir.expr import Attribute, Expr, Name, Ref, Tuple, print_expr
from ruvon.ir.expr import Call as CallExpr
from ruvon_dsl.printing._targets import Declarations
from ruvon_dsl.printing._yaml_items import Arm, Entries, Entry
from ruvon_dsl.printing._yaml_text import Tree
from ruvon_dsl.printing._yaml_values import FREE, UNKNOWN, Expected, Values

__all__ = ["Steps"]

_TIMES: Final = {"timeout": "timeout_us", "queue_timeout": "queue_timeout_us", "deadline": "deadline_us"}
_DURATION: Final = Expected("timedelta")
_TURNS: Final = 1_000
_OWN_TYPES: Final = frozenset({"STANDARD", "HTTP", "AI_INFERENCE", "WASM", "RESTART"})
_STATE: Final[Mapping[str, Expr]] = {"state": Name("state")}
"""What a custom type is called with where its step has no `inputs`."""
_SHORT_JUMPS: Final = {BREAK: "break", CONTINUE: "continue"}
_START_TYPES: Final = {
    StartMode.AWAIT: "SUB_WORKFLOW",
    StartMode.DETACH: "FIRE_AND_FORGET",
    StartMode.SCHEDULE: "CRON_SCHEDULE",
}


@final
class Steps:
    """Writes the steps of one definition."""

    def __init__(
        self,
        definition: Definition,
        values: Values,
        declarations: Declarations,
        *,
        explicit: Collection[str],
        annotated: Collection[str],
        automatic: bool,
    ) -> None:
        self._definition = definition
        self._values = values
        self._declared = declarations
        self._explicit = explicit
        self._annotated = annotated
        self._automatic = automatic

    def entries(self, entries: Entries) -> list[Tree]:
        """A list of steps."""
        made: list[Tree] = []
        before: Node | None = None
        for entry in entries:
            made.append(self.entry(entry, before))
            before = entry.node
        return made

    def entry(self, entry: Entry, before: Node | None = None) -> Tree:
        """One entry of a list."""
        node = entry.node
        if node is None:
            target = entry.next or "END"
            return _SHORT_JUMPS.get(target) or {"goto": target}
        return self._step(entry, node, before)

    def _step(self, entry: Entry, node: Node, before: Node | None = None) -> dict[str, Tree]:
        tree: dict[str, Tree] = {"name": node.id} if node.id in self._explicit else {}
        match node.action:
            case Call() as call:
                tree |= self._call(call)
            case Wait() as wait:
                tree |= self._wait(wait)
            case Start() as start:
                tree |= self._start(start)
            case Assign() as assign:
                tree |= self._assign(assign)
            case Decision() as decision:
                tree |= self._decision(decision, entry)
            case Loop() as loop:
                tree |= self._loop(loop, entry)
            case Parallel() as parallel:
                tree |= self._parallel(parallel, entry)
            case Try() as attempt:
                tree |= self._try(attempt, entry)
            case Return(value=value):
                tree |= (
                    {"type": "RETURN"} if value is None else {"return": self._values.value(value, self._result(value))}
                )
            case Fail() as fail:
                tree |= self._fail(fail)
            case _:
                assert_never(node.action)
        return tree | self._common(entry, node, before)

    def _common(self, entry: Entry, node: Node, before: Node | None) -> dict[str, Tree]:
        tree: dict[str, Tree] = {}
        if node.automate_next is not None and node.automate_next != self._usual(node, before):
            tree["automate_next"] = node.automate_next
        if entry.next is not None:
            tree["next"] = entry.next
        if node.display.description is not None:
            tree["description"] = node.display.description
        if node.display.tags:
            tree["tags"] = list(node.display.tags)
        return tree

    def _usual(self, node: Node, before: Node | None) -> bool:
        """The `automate_next` that the step has without a key."""
        if isinstance(node.action, Decision) and before is not None and node.id not in self._explicit:
            flag = before.automate_next
            if flag is not None and node.id.startswith(f"{before.id}.route"):
                return flag
        function = node.action.function if isinstance(node.action, Call) else None
        declared = None if function is None else self._declared.automate_next(function)
        return self._automatic if declared is None else declared

    def _result(self, value: Expr) -> Expected:
        """What a `return` expects: the workflow's result type, where the front end looks at it."""
        text = self._definition.result
        match value:
            case CallExpr(function=Ref(path=path)) if path == text:
                return Expected(text)
            case _:
                return UNKNOWN

    # --- calls --------------------------------------------------------------------------------------------------------

    def _call(self, call: Call) -> dict[str, Tree]:
        tree: dict[str, Tree] = {}
        if call.type != "STANDARD":
            tree["type"] = call.type
        if call.function is not None:
            tree["function"] = self._values.path(call.function)
        tree |= {key: self._values.value(item) for key, item in call.config.items()}
        if call.type in _OWN_TYPES:
            tree |= self._inputs("inputs", call.function, call.args)
        elif dict(call.args) != _STATE:
            tree["inputs"] = {name: self._values.value(item) for name, item in call.args.items()}
        tree |= self._output(call.output)
        if call.into is not None:
            tree["output_model"] = self._values.type(call.into)
        return tree | self._call_options(call)

    def _inputs(self, key: str, function: str | None, args: Mapping[str, Expr]) -> dict[str, Tree]:
        known = self._values.parameters(function)
        given = {name: item for name, item in args.items() if (name, item) != ("state", Name("state"))}
        if not given:
            return {}
        return {key: {name: self._values.value(item, known.get(name, UNKNOWN)) for name, item in given.items()}}

    def _output(self, output: Expr | None) -> dict[str, Tree]:
        return {} if output is None else {"output": self._values.text(output)}

    def _call_options(self, call: Call) -> dict[str, Tree]:
        target = self._declared.step(call.function) if call.function is not None else None
        tree: dict[str, Tree] = {}
        if call.queue != getattr(target, "queue", None):
            tree["queue"] = call.queue
        if call.retry != getattr(target, "retry", None):
            tree["retry"] = self._retry(call.retry)
        for key, name in _TIMES.items():
            amount: int | None = getattr(call, name)
            if amount != getattr(target, name, None):
                tree[key] = None if amount is None else duration_text(amount)
        if call.compensation != getattr(target, "compensation", None):
            tree["compensate_function"] = self._compensation(call.compensation)
        declared = None if call.function is None else self._declared.input_model(call.function)
        if call.input_model is not None and call.input_model != declared:
            tree["input_model"] = self._values.type(call.input_model)
        if call.required_input:
            tree["required_input"] = list(call.required_input)
        if call.transaction != getattr(target, "transaction", False):
            tree["transaction"] = call.transaction
        if call.concurrency_key != getattr(target, "concurrency_key", None):
            tree["concurrency_key"] = call.concurrency_key
        return tree | self._merge(call.merge)

    def _retry(self, policy: RetryPolicy | None) -> Tree:
        if policy is None:
            return None
        plain = RetryPolicy()
        tree: dict[str, Tree] = {"max_attempts": policy.max_attempts}
        if policy.delay_us != plain.delay_us:
            tree["delay"] = duration_text(policy.delay_us)
        if policy.backoff != plain.backoff:
            tree["backoff"] = policy.backoff
        if policy.max_delay_us is not None:
            tree["max_delay"] = duration_text(policy.max_delay_us)
        if policy.jitter != plain.jitter:
            tree["jitter"] = policy.jitter
        if policy.on != plain.on:
            tree["on"] = [self._values.path(path) for path in policy.on]
        if policy.never:
            tree["never"] = [self._values.path(path) for path in policy.never]
        return tree

    def _compensation(self, compensation: Compensation | None) -> Tree:
        if compensation is None:
            return None
        function = self._values.path(compensation.function)
        plain = not compensation.attempted and compensation.retry is None
        if plain and not self._declared.is_compensation(compensation.function):
            return function
        return {"function": function, "attempted": compensation.attempted, "retry": self._retry(compensation.retry)}

    def _merge(self, merge: Merge) -> dict[str, Tree]:
        tree: dict[str, Tree] = {}
        if merge.strategy is not MergeStrategy.SHALLOW:
            tree["merge_strategy"] = merge.strategy.value
        if merge.conflict is not MergeConflict.PREFER_NEW:
            tree["merge_conflict_behavior"] = merge.conflict.value
        if merge.function is not None:
            tree["merge_function_path"] = self._values.path(merge.function)
        return tree

    # --- waits and children -------------------------------------------------------------------------------------------

    def _wait(self, wait: Wait) -> dict[str, Tree]:
        match wait.source:
            case TimerSource(duration=duration, until=until):
                tree: dict[str, Tree] = {"type": "SLEEP"}
                tree |= self._given(_DURATION, duration=duration) | self._given(Expected("datetime"), until=until)
            case SignalSource(model=model, key=key):
                tree = {"type": "RECEIVE", "model": self._values.type(model), **self._given(FREE, key=key)}
            case HumanSource() as human:
                tree = self._human(human)
            case _:
                assert_never(wait.source)
        tree |= self._output(wait.output) | self._given(_DURATION, timeout=wait.timeout)
        tree |= self._given(UNKNOWN, on_timeout=wait.on_timeout)
        if wait.compensation is not None:
            tree["compensate_function"] = self._compensation(wait.compensation)
        return tree | self._merge(wait.merge)

    def _human(self, human: HumanSource) -> dict[str, Tree]:
        tree: dict[str, Tree] = {"type": "HUMAN_IN_LOOP", "task": self._values.value(human.task)}
        if human.form is not None:
            tree["form"] = self._values.type(human.form)
        tree |= self._given(FREE, show=human.show, role=human.role, assignee=human.assignee)
        both = human.ask is not None and human.answer is not None
        for key, path, args in (("ask", human.ask, human.ask_args), ("answer", human.answer, human.answer_args)):
            if path is not None:
                tree[key] = self._values.path(path)
                tree |= self._inputs(f"{key}_inputs" if both else "inputs", path, args)
        if human.required_input:
            tree["required_input"] = list(human.required_input)
        if human.ask is not None or human.answer is not None or human.answer_to != "self":
            tree["answer_to"] = human.answer_to
        return tree

    def _start(self, start: Start) -> dict[str, Tree]:
        tree: dict[str, Tree] = {"type": _START_TYPES[start.mode], "workflow_type": start.child}
        if start.version is not None:
            tree["version"] = start.version
        tree |= self._given(FREE, initial_data=start.data) | self._output(start.output)
        if start.result is not None:
            tree["output_model"] = self._values.type(start.result)
        tree |= self._given(FREE, key=start.key, cron_expression=start.cron, timezone=start.timezone)
        tree |= self._given(FREE, schedule_name=start.schedule_name, data_region=start.data_region)
        if start.overlap is not None:
            tree["overlap"] = start.overlap
        if start.catch_up is not None:
            tree["catch_up"] = start.catch_up
        if start.retry is not None:
            tree["retry"] = self._retry(start.retry)
        if start.timeout_us is not None:
            tree["timeout"] = duration_text(start.timeout_us)
        return tree | self._merge(start.merge)

    def _given(self, expected: Expected, **values: Expr | None) -> dict[str, Tree]:
        return {key: self._values.value(item, expected) for key, item in values.items() if item is not None}

    # --- assignments and ends -----------------------------------------------------------------------------------------

    def _assign(self, assign: Assign) -> dict[str, Tree]:
        expected = self._target_type(assign.target) if assign.operation.value == "set" else FREE
        return {assign.operation.value: {self._values.text(assign.target): self._values.value(assign.value, expected)}}

    def _target_type(self, target: Expr) -> Expected:
        match target:
            case Name(id=name) if name in self._annotated:
                return Expected(self._definition.variables[name])
            case Attribute(value=Name(id="state"), name=name):
                return self._values.fields(self._definition.state).get(name, UNKNOWN)
            case Name() | Tuple():
                return FREE
            case _:
                return FREE

    def _fail(self, fail: Fail) -> dict[str, Tree]:
        if fail.error is None:
            return {"type": "FAIL"}
        match fail.error:
            case CallExpr(function=Ref(path=path), args=(), keywords=()):
                tree: dict[str, Tree] = {"fail": self._values.path(path)}
            case _:
                tree = {"fail": self._values.bare(fail.error)}
        return tree if fail.cause is None else {**tree, "from": self._values.bare(fail.cause)}

    # --- decisions ----------------------------------------------------------------------------------------------------

    def _decision(self, decision: Decision, entry: Entry) -> dict[str, Tree]:
        injected: dict[str, Tree] = {"injected": True} if decision.injected else {}
        conditions = [self._values.bare(route.condition) for route in decision.routes]
        jumps = any(isinstance(arm, str) for arm in (*entry.arms, entry.default))
        if jumps or injected or not conditions:
            return {"type": "DECISION", **injected, **self._routes(conditions, entry)}
        first, *others = [self.entries(arm) for arm in entry.arms if not isinstance(arm, str)]
        tree: dict[str, Tree] = {"if": conditions[0], "then": first}
        if others:
            tree["elif"] = [
                {"if": condition, "then": arm} for condition, arm in zip(conditions[1:], others, strict=True)
            ]
        return tree if not isinstance(entry.default, list) else {**tree, "else": self.entries(entry.default)}

    def _routes(self, conditions: list[str], entry: Entry) -> dict[str, Tree]:
        routes = [
            {"condition": condition, **self._arm(arm)} for condition, arm in zip(conditions, entry.arms, strict=True)
        ]
        tree: dict[str, Tree] = {"routes": routes} if routes else {}
        if entry.default is not None:
            tree["default"] = entry.default if isinstance(entry.default, str) else self.entries(entry.default)
        return tree

    def _arm(self, arm: Arm) -> dict[str, Tree]:
        return {"next_step": arm} if isinstance(arm, str) else {"steps": self.entries(arm)}

    # --- loops, TRY, PARALLEL -----------------------------------------------------------------------------------------

    def _loop(self, loop: Loop, entry: Entry) -> dict[str, Tree]:
        tree: dict[str, Tree]
        if loop.over is not None:
            tree = {"for": _items(loop.item), "in": self._values.bare(loop.over)}
            if loop.index is not None:
                tree["index"] = loop.index
            usual = None
        elif loop.condition is not None:
            tree = {"while": self._values.bare(loop.condition)}
            usual = _TURNS
        else:
            tree, usual = {}, None
        if loop.collect and loop.over is None:
            tree = {"type": "LOOP", "while_condition": tree["while"]}
        if loop.max_iterations != usual:
            tree["max_iterations"] = loop.max_iterations
        tree |= self._output(loop.output)
        tree["steps" if "type" not in tree else "loop_body"] = self.entries(entry.body or [])
        return tree if entry.otherwise is None else {**tree, "else": self._else(entry.otherwise)}

    def _else(self, arm: Arm) -> Tree:
        return arm if isinstance(arm, str) else self.entries(arm)

    def _try(self, attempt: Try, entry: Entry) -> dict[str, Tree]:
        tree: dict[str, Tree] = {"type": "TRY"}
        if attempt.saga:
            tree["saga"] = True
        tree["steps"] = self.entries(entry.body or [])
        if attempt.handlers:
            pairs = zip(attempt.handlers, entry.handlers, strict=True)
            tree["except"] = [self._handler(handler, entries) for handler, entries in pairs]
        if entry.otherwise is not None:
            tree["else"] = self._else(entry.otherwise)
        if entry.final is not None:
            tree["finally"] = self.entries(entry.final)
        return tree

    def _handler(self, handler: Handler, entries: Entries) -> dict[str, Tree]:
        classes = [self._values.path(path) for path in handler.classes]
        tree: dict[str, Tree] = {"error": classes[0] if len(classes) == 1 else list(classes)}
        if handler.name is not None:
            tree["as"] = handler.name
        return {**tree, "steps": self.entries(entries)}

    def _parallel(self, parallel: Parallel, entry: Entry) -> dict[str, Tree]:
        race = parallel.join is Join.FIRST
        fork = any(branch.after for branch in parallel.branches)
        tree: dict[str, Tree] = {"type": "RACE" if race else "FORK" if fork else "PARALLEL"}
        if parallel.over is not None:
            tree |= {"iterate_over": self._values.bare(parallel.over), "item_var_name": _items(parallel.item)}
            if parallel.index is not None:
                tree["index_var_name"] = parallel.index
            tree |= self._body(parallel, entry)
        elif all(_is_task(branch.graph) for branch in parallel.branches):
            tree["tasks"] = [self._task(parallel, index, entry) for index in range(len(parallel.branches))]
        else:
            tree["branches"] = {
                branch.label: self._branch(parallel, index, entry) for index, branch in enumerate(parallel.branches)
            }
        tree |= self._output(parallel.output)
        tree |= self._given(FREE, limit=parallel.limit, batch_size=parallel.batch_size)
        if parallel.on_failure is OnFailure.COLLECT:
            tree["allow_partial_success"] = True
        tree |= self._given(FREE, tolerate=parallel.tolerate)
        tree |= self._merge(parallel.merge)
        return tree if parallel.timeout_us is None else {**tree, "timeout": duration_text(parallel.timeout_us)}

    def _body(self, parallel: Parallel, entry: Entry) -> dict[str, Tree]:
        steps = self.entries(entry.body or [])
        single = parallel.body is not None and single_effect(parallel.body) is not None
        return {"task": steps[0]} if single else {"steps": steps}

    def _task(self, parallel: Parallel, index: int, entry: Entry) -> Tree:
        branch, (only,) = parallel.branches[index], entry.branches[index]
        assert only.node is not None  # noqa: S101  # a task is one effect
        tree = self._step(only, only.node)
        if branch.label != only.node.id:
            tree["label"] = branch.label
        return {**tree, **self._output(branch.output), **_marks(branch.after, won=branch.won)}

    def _branch(self, parallel: Parallel, index: int, entry: Entry) -> Tree:
        branch, steps = parallel.branches[index], self.entries(entry.branches[index])
        more = {**self._output(branch.output), **_marks(branch.after, won=branch.won)}
        return {"steps": steps, **more} if more else steps


def _is_task(graph: object) -> bool:
    node = single_effect(graph)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    return node is not None and getattr(node.action, "output", None) is None


def _marks(after: tuple[str, ...], *, won: bool) -> dict[str, Tree]:
    tree: dict[str, Tree] = {"after": list(after)} if after else {}
    return {**tree, "won": True} if won else tree


def _items(item: Expr | None) -> str:
    if item is None:
        return "item"
    text = print_expr(item)
    return text[1:-1] if isinstance(item, Tuple) and len(item.items) > 1 else text
