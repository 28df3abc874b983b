"""Types across edges: every expression of every reachable node against what its place expects.

The facts have settled when this runs, so each expression is looked at once, with the join of all ways to its node. What
an expression may say by itself is the checker's; here is what a place expects of it.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, final

from ruvon.ir._canonical import walk_nodes
from ruvon.ir._diagnostics import Diagnostic, Related, Severity
from ruvon.ir._nodes import (
    Assign,
    AssignOperation,
    Call,
    Decision,
    Definition,
    Fail,
    HumanSource,
    Loop,
    Node,
    Parallel,
    Return,
    SignalSource,
    Start,
    StartMode,
    TimerSource,
    Try,
    Wait,
)
from ruvon.ir._spans import Span
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr import describe, print_expr
from ruvon.ir.expr._codes import OPTIONAL
from ruvon.ir.expr._nodes import Expr
from ruvon.models import WorkflowStep
from ruvon_dsl._link._branches import indistinct_winners
from ruvon_dsl._link._checker import Checker
from ruvon_dsl._link._codes import (
    ARGUMENT_TYPE,
    NO_RESULT,
    NOT_AN_EXCEPTION,
    OPTION_TYPE,
    RESULT_TYPE,
    TARGET_TYPE,
)
from ruvon_dsl._link._config import CONFIG_TYPES
from ruvon_dsl._link._custom_fields import NOT_CONSTANT, constant_of
from ruvon_dsl._link._env import Env
from ruvon_dsl._link._flow import Exits
from ruvon_dsl._link._resolve import Resolver
from ruvon_dsl._link._schedules import cron_findings
from ruvon_dsl._link._targets import Missing, Parameter, ParameterKind, PlainFunctionTarget, Site, StepTarget
from ruvon_dsl._link._typing import FlowTyping, list_of
from ruvon_dsl._link._unions import members_of, without_literals

__all__ = ["Checks"]

_TEXT_OR_NONE: Final[object] = str | None


@final
class Checks:
    """One pass over the nodes of one definition."""

    def __init__(
        self,
        definition: Definition,
        resolver: Resolver,
        checker: Checker,
        typing: FlowTyping,
        takes: Mapping[str, object],
        step_types: Mapping[str, type[WorkflowStep]],
    ) -> None:
        self.found: list[Diagnostic] = []
        self._definition = definition
        self._resolver = resolver
        self._checker = checker
        self._typing = typing
        self._takes = takes
        self._step_types = step_types
        self._in_branch: set[str] = set()

    def run(self, facts: Mapping[str, Env], heads: Mapping[str, Env]) -> None:
        """Check every node that has a fact."""
        self._in_branch = _nodes_in_branches(self._definition)
        for node in walk_nodes(self._definition.graph):
            env = facts.get(node.id)
            if env is not None:
                self._node(node, env, heads.get(node.id, env))

    def _node(self, node: Node, env: Env, head: Env) -> None:
        match node.action:
            case Call() as call:
                self._call(node, call, env)
            case Wait() as wait:
                self._wait(node, wait, env)
            case Start() as start:
                self._start(node, start, env)
            case Assign() as assign:
                self._assign(node, assign, env)
            case Decision() as decision:
                self._decision(decision, env)
            case Loop() as loop:
                self._loop(loop, env, head)
            case Parallel() as parallel:
                self._parallel(node, parallel, env)
            case Return() as action:
                self._return(node, action, env)
            case Fail() as fail:
                self._fail(fail, env)
            case Try():
                return

    # --- actions ------------------------------------------------------------------------------------------------------

    def _call(self, node: Node, call: Call, env: Env) -> None:
        span = node.display.source
        target = None if call.function is None else self._resolver.callee(call.function, span)
        parameters = {} if target is None else {item.name: item for item in target.parameters}
        for name, argument in call.args.items():
            if name == "state" and argument == e.Name("state"):
                continue
            parameter = parameters.get(name)
            if target is None or parameter is None or parameter.kind is ParameterKind.VAR_KEYWORD:
                self._look(argument, env)
            else:
                self._argument(argument, env, target, parameter)
        result = self._typing.result_of(node, env)
        for name, value in call.config.items():
            expected = result if name == "default" else self._wanted_field(call.type, name, value)
            self._expect(value, env, expected, OPTION_TYPE, f"`{name}` of `{node.id}`")
        self._target(node, call.output, result, env)

    def _wanted_field(self, type_: str, name: str, value: Expr) -> object:
        """What a field of a step type wants; None takes anything. Constants of custom types are looked at elsewhere."""
        cls = self._step_types.get(type_)
        if cls is None:
            return CONFIG_TYPES.get(type_, {}).get(name)
        info = cls.model_fields.get(name)
        return info.annotation if info is not None and constant_of(value) is NOT_CONSTANT else None

    def _argument(
        self, argument: Expr, env: Env, target: StepTarget | PlainFunctionTarget, parameter: Parameter
    ) -> None:
        expected = None if parameter.annotation is Missing else parameter.annotation
        what = f"the argument `{parameter.name}` of `{target.name}`"
        self._expect(argument, env, expected, ARGUMENT_TYPE, what, site=target.defined)

    def _wait(self, node: Node, wait: Wait, env: Env) -> None:
        match wait.source:
            case TimerSource(duration=duration, until=until):
                self._option(node, "duration", duration, env, timedelta)
                self._option(node, "until", until, env, datetime)
            case SignalSource(key=key):
                self._option(node, "key", key, env, _TEXT_OR_NONE)
            case HumanSource() as human:
                self._option(node, "task", human.task, env, str)
                self._option(node, "role", human.role, env, _TEXT_OR_NONE)
                self._option(node, "assignee", human.assignee, env, _TEXT_OR_NONE)
                self._option(node, "show", human.show, env, None)
                for path, given in ((human.ask, human.ask_args), (human.answer, human.answer_args)):
                    self._function_arguments(node, path, given, env)
        self._option(node, "timeout", wait.timeout, env, timedelta)
        if wait.on_timeout is not None:
            self._look(wait.on_timeout, env)
        self._target(node, wait.output, self._typing.result_of(node, env), env)

    def _function_arguments(self, node: Node, path: str | None, given: Mapping[str, Expr], env: Env) -> None:
        target = None if path is None else self._resolver.callee(path, node.display.source)
        parameters = {} if target is None else {item.name: item for item in target.parameters}
        for name, argument in given.items():
            parameter = parameters.get(name)
            if parameter is None or target is None or argument == e.Name("state"):
                self._look(argument, env)
            else:
                self._argument(argument, env, target, parameter)

    def _start(self, node: Node, start: Start, env: Env) -> None:
        if start.data is not None:
            expected = self._takes.get(node.id)
            self._expect(start.data, env, expected, ARGUMENT_TYPE, f"the data of the child `{start.child}`")
        for name, value in (("key", start.key), ("cron", start.cron), ("tz", start.timezone)):
            self._option(node, name, value, env, _TEXT_OR_NONE if name == "key" else str)
        self._option(node, "name", start.schedule_name, env, _TEXT_OR_NONE)
        self._option(node, "data_region", start.data_region, env, _TEXT_OR_NONE)
        self.found.extend(cron_findings(start))
        result = str if start.mode is not StartMode.AWAIT else self._typing.result_of(node, env)
        self._target(node, start.output, result, env)

    def _assign(self, node: Node, assign: Assign, env: Env) -> None:
        match assign.operation:
            case AssignOperation.SET:
                expected = self._place(assign.target, env)
                what = f"`{print_expr(assign.target)}`"
                value = self._expect(assign.value, env, expected, TARGET_TYPE, what)
                placed = self._typing.by_place(assign, value, env)
                self._target(node, assign.target, placed, env, checked=expected is not None)
            case AssignOperation.APPEND:
                value = self._look(assign.value, env)
                self._grown(node, assign, list_of(value) if value is not Any else Any, env)
            case AssignOperation.EXTEND | AssignOperation.UPDATE:
                self._grown(node, assign, self._look(assign.value, env), env)

    def _grown(self, node: Node, assign: Assign, added: object, env: Env) -> None:
        """An append must leave the list what it is declared to be."""
        expected = self._place(assign.target, env)
        self._look_at_target(assign.target, env)
        if expected is None or added is Any:
            return
        element = self._checker.item_of(expected)
        item = self._checker.item_of(added)
        if element is not None and item is not None and not self._checker.fits(item, element):
            what = f"an item of `{print_expr(assign.target)}`"
            self._misfit(TARGET_TYPE, what, element, item, assign.value.span or node.display.source)

    def _decision(self, decision: Decision, env: Env) -> None:
        rest: Env | None = env
        for route in decision.routes:
            if rest is None:
                return
            self.found.extend(self._checker.condition_findings(route.condition, rest))
            _, rest = self._typing.decide(route.condition, rest)

    def _loop(self, loop: Loop, env: Env, head: Env) -> None:
        if loop.condition is not None:
            self.found.extend(self._checker.condition_findings(loop.condition, head))
        if loop.over is not None:
            self.found.extend(self._checker.iteration_findings(loop.over, env))
        if loop.output is not None:
            self._look_at_target(loop.output, env)

    def _parallel(self, node: Node, parallel: Parallel, env: Env) -> None:
        if parallel.over is not None:
            self.found.extend(self._checker.iteration_findings(parallel.over, env))
        self._option(node, "limit", parallel.limit, env, int | None)
        self._option(node, "batch_size", parallel.batch_size, env, int | None)
        self._option(node, "tolerate", parallel.tolerate, env, float | int | None)
        results = [(branch, self._typing.branch_result(node, branch, env)) for branch in parallel.branches]
        for branch, result in results:
            self._target(node, branch.output, result, env)
        self._target(node, parallel.output, self._typing.parallel_result(node, parallel, env), env)
        self.found.extend(indistinct_winners(node, parallel, results))

    def _return(self, node: Node, action: Return, env: Env) -> None:
        expected = Missing if node.id in self._in_branch else self._result()
        if action.value is None:
            if expected is not Missing and not self._checker.fits(None, expected):
                self._no_result(node.display.source)
        elif expected is None:
            self._nothing_expected(action.value, env)
        else:
            self._expect(action.value, env, None if expected is Missing else expected, RESULT_TYPE, "the result")

    def _nothing_expected(self, value: Expr, env: Env) -> None:
        """A result is returned where the workflow says that it gives none."""
        type_ = self._look(value, env)
        if type_ is not Any and not self._checker.fits(type_, None):
            self._misfit(RESULT_TYPE, "the result", None, type_, value.span)

    def _fail(self, fail: Fail, env: Env) -> None:
        for name, value in (("`raise`", fail.error), ("the cause of an error", fail.cause)):
            if value is None:
                continue
            type_ = self._look(value, env)
            if type_ is not Any and type_ is not None and not self._checker.is_error(type_):
                self.found.append(
                    Diagnostic(
                        code=NOT_AN_EXCEPTION,
                        message=f"{name} takes an error, and this is `{_short(type_)}`",
                        span=value.span,
                        help="raise a class that derives from Exception",
                    )
                )

    def falls_off(self, exits: Exits) -> None:
        """Check that the outermost graph does not end without a result where one is declared."""
        expected = self._result()
        left = exits.targets.get("END")
        if left is not None and expected is not Missing and not self._checker.fits(None, expected):
            self._no_result(left.path[-1].span if left.path else None)

    def _no_result(self, span: Span | None) -> None:
        result = _short(self._result())
        self.found.append(
            Diagnostic(
                code=NO_RESULT,
                message=f"the workflow can end without a result, but says that it gives `{result}`",
                span=span,
                help=f"return a `{result}` on every way, or say that the result may be None",
            )
        )

    def _result(self) -> object:
        """The declared result; `Missing` where the definition has none, or where it is not known."""
        if self._definition.result is None or self._resolver.opaque:
            return Missing
        result = self._resolver.type_of(self._definition.result, None)
        return Missing if result is Any else result

    # --- single expressions -------------------------------------------------------------------------------------------

    def _look(self, expr: Expr, env: Env) -> object:
        self.found.extend(self._checker.findings(expr, env))
        return self._checker.type_of(expr, env)

    def _option(self, node: Node, name: str, value: Expr | None, env: Env, expected: object) -> None:
        if value is not None:
            self._expect(value, env, expected, OPTION_TYPE, f"`{name}` of `{node.id}`")

    def _expect(self, expr: Expr, env: Env, expected: object, code: str, what: str, site: Site | None = None) -> object:
        """Check an expression and that its value fits; `expected` None takes anything."""
        type_ = self._checker.type_of(expr, env)
        wrong = self._checker.findings(expr, env)
        self.found.extend(wrong)
        broken = any(item.severity is Severity.ERROR for item in wrong)
        misfit = None if expected is None or broken else self._checker.misfit(expr, env, expected)
        if misfit is not None and misfit.code == OPTIONAL:
            message = f"{what} must be `{describe(expected)}`, and `{print_expr(expr)}` may be None"
            self.found.append(replace(misfit, message=message))
        elif misfit is not None:
            self._misfit(code, what, expected, type_, expr.span, site)
        return type_

    def _misfit(
        self, code: str, what: str, expected: object, got: object, span: Span | None, site: Site | None = None
    ) -> None:
        self.found.append(
            Diagnostic(
                code=code,
                message=f"{what} must be `{describe(expected)}`, and this is `{_short(got)}`",
                span=span,
                related=() if site is None else (Related(Span.at(site.file, site.line, 1), "defined here"),),
                reason="the value would be refused when it is reached",
                help=_hint(code, expected, got),
            )
        )

    def _place(self, target: Expr, env: Env) -> object | None:
        """The declared type of what is assigned to; None where there is none."""
        match target:
            case e.Name(id=name):
                declared = self._typing.declared.get(name)
                return None if declared is Any else declared
            case e.Attribute() | e.Subscript():
                declared = self._checker.declared_type(target, env)
                return None if declared is Any else declared
            case _:
                return None

    def _target(self, node: Node, target: Expr | None, type_: object, env: Env, *, checked: bool = False) -> None:
        """Check that a result may be assigned to a target."""
        if target is None:
            return
        if isinstance(target, e.Tuple):
            self._tuple(node, target, type_, env)
            return
        self._look_at_target(target, env)
        expected = None if checked else self._place(target, env)
        if expected is not None and not self._checker.fits(type_, expected):
            span = target.span or node.display.source
            self._misfit(TARGET_TYPE, f"`{print_expr(target)}`", expected, type_, span)

    def _tuple(self, node: Node, target: e.Tuple, type_: object, env: Env) -> None:
        parts = self._typing.parts(type_, len(target.items))
        if parts is None:
            message = f"{len(target.items)} names cannot be set from `{_short(type_)}`"
            span = target.span or node.display.source
            self.found.append(
                Diagnostic(code=TARGET_TYPE, message=message, span=span, help="give as many names as values")
            )
            return
        for item, part in zip(target.items, parts, strict=True):
            self._target(node, item, part, env)

    def _look_at_target(self, target: Expr, env: Env) -> None:
        if isinstance(target, e.Attribute | e.Subscript):
            self.found.extend(self._checker.target_findings(target, env))


def _nodes_in_branches(definition: Definition) -> set[str]:
    """The ids of all nodes below a PARALLEL, whose RETURN gives the branch's result."""
    found: set[str] = set()
    for node in walk_nodes(definition.graph):
        if isinstance(node.action, Parallel):
            graphs = [branch.graph for branch in node.action.branches]
            graphs += [] if node.action.body is None else [node.action.body]
            found.update(inner.id for graph in graphs for inner in walk_nodes(graph))
    return found


def _short(type_: object) -> str:
    """A type as people write it."""
    return describe(object if type_ is Any else type_)


def _hint(code: str, expected: object, got: object) -> str:
    if None in members_of(got) and None not in members_of(expected):
        return "it may be None here; test it with `is not None` before"
    if expected is timedelta and all(member is int or member is float for member in members_of(without_literals(got))):
        return "write `timedelta(seconds=...)`, which says the unit"
    if code in {OPTION_TYPE, RESULT_TYPE}:
        return f"give a value of type `{describe(expected)}`"
    return f"convert it, or declare the place as `{_short(without_literals(got))}`"
