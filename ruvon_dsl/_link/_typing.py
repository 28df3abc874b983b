"""Flow typing: what every node does to the types of variables and to what conditions have shown.

These are the `Rules` of the data-flow engine. Nothing is reported here; the checks read the facts afterwards, when they
have settled. Narrowing of `state.*` lives until a state call, a merge or a join may have changed the state.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, Never, final

from ruvon.ir._nodes import (
    Assign,
    AssignOperation,
    Branch,
    Call,
    Definition,
    Graph,
    Handler,
    HumanSource,
    Join,
    Loop,
    Node,
    OnFailure,
    Parallel,
    Return,
    SignalSource,
    Start,
    StartMode,
    TimerSource,
    Wait,
)
from ruvon.ir._spans import Span
from ruvon.ir._verify import single_effect
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr import dotted
from ruvon.ir.expr._nodes import Expr
from ruvon.models import Batch, Elapsed, HttpResponse, Won
from ruvon_dsl._link._checker import Checker
from ruvon_dsl._link._config import CONFIG_TYPES
from ruvon_dsl._link._env import Env
from ruvon_dsl._link._resolve import Resolver
from ruvon_dsl._link._targets import Missing
from ruvon_dsl._link._unions import members_of, union_of, without_literals

__all__ = ["FlowTyping", "is_state_call"]

_TAKEN_APART: Final[tuple[object, ...]] = (tuple, list, object, Any)
_PLAIN_DICT: Final[object] = dict[str, object]


@final
class FlowTyping:
    """The rules for one definition; `results` holds what each scope returns, `bound` every type of every variable."""

    def __init__(self, definition: Definition, resolver: Resolver, checker: Checker) -> None:
        self.declared: dict[str, object] = {
            name: resolver.type_of(text, None) for name, text in definition.variables.items()
        }
        self.bound: dict[str, dict[str, object]] = {}
        self._returns: dict[str, dict[str, object]] = {}
        self._resolver = resolver
        self._checker = checker

    # --- the rules ----------------------------------------------------------------------------------------------------

    def after(self, node: Node, env: Env) -> Env:
        """The fact after a CALL, WAIT, START or ASSIGN has succeeded."""
        span = node.display.source
        match node.action:
            case Assign() as assign:
                return self._assigned(node, assign, env)
            case Call() as call:
                merges = is_state_call(call) or (call.type != "STANDARD" and call.output is None)
                after = env.forget("state") if merges else env
                return self.bind(node, call.output, self.result_of(node, env), after, span)
            case Wait() as wait:
                merges = isinstance(wait.source, HumanSource) and wait.output is None
                after = env.forget("state") if merges else env
                return self.bind(node, wait.output, self.result_of(node, env), after, span)
            case Start() as start:
                merges = start.mode is StartMode.AWAIT and start.output is None
                after = env.forget("state") if merges else env
                return self.bind(node, start.output, self.result_of(node, env), after, span)
            case _:
                return env

    def decide(self, condition: Expr, env: Env) -> tuple[Env | None, Env | None]:
        """The facts where the condition is true and where it is false."""
        if isinstance(condition, e.Const):
            return (env, None) if condition.value else (None, env)
        return self._checker.narrow(condition, env)

    def turn(self, node: Node, action: Loop | Parallel, env: Env) -> Env:
        """The fact at the start of a turn: item and index bound."""
        if action.over is None or action.item is None:
            return env
        span = action.item.span or node.display.source
        after = self.bind(node, action.item, self._checker.element_of(action.over, env), env, span)
        if action.index is not None:
            after = self.bind(node, e.Name(action.index, span), int, after, span)
        return after

    def looped(self, node: Node, loop: Loop, env: Env) -> Env:
        """The fact after a loop; a collecting one binds its list."""
        if not loop.collect:
            return env
        collected = list_of(self._graph_result(f"{node.id}/body", loop.body, env))
        return self.bind(node, loop.output, collected, env, node.display.source)

    def forked(self, node: Node, parallel: Parallel, branch: Branch, env: Env) -> Env:
        """The fact at the start of a branch: outputs of the branches it comes after are known in it."""
        after = env
        for label in _before(parallel, branch):
            earlier = next(item for item in parallel.branches if item.label == label)
            after = self.bind(node, earlier.output, self.branch_result(node, earlier, env), after, node.display.source)
            after = after.forget("state")
        return after

    def merged(self, node: Node, parallel: Parallel, env: Env) -> Env:
        """The fact after the join: outputs bound, nothing known of the state."""
        after = env.forget("state")
        span = node.display.source
        for branch in parallel.branches:
            after = self.bind(node, branch.output, self.branch_result(node, branch, env), after, span)
        return self.bind(node, parallel.output, self.parallel_result(node, parallel, env), after, span)

    def handled(self, handler: Handler, env: Env) -> Env:
        """The fact at the start of a handler: the error bound."""
        if handler.name is None:
            return env
        classes = self._resolver.classes(handler.classes, None)
        known = Any if self._resolver.opaque or not classes else union_of(*classes)
        self._note(handler.name, f"except {handler.classes}", known)
        return env.bind(handler.name, known, None)

    def failed(self, env: Env) -> Env:
        """A handler relies on variables, not on what was shown of the state."""
        return env.forget("state")

    def returned(self, node: Node, action: Return, env: Env, scope: str) -> None:
        """Keep the type of a returned value for the scope's result."""
        result = None if action.value is None else self._checker.type_of(action.value, env)
        known = self._returns.setdefault(scope, {})
        known[node.id] = union_of(known[node.id], result) if node.id in known else result

    def widened(self, env: Env) -> Env:
        """Types that do not settle become what is declared, or `object`."""
        variables = {
            name: replace(binding, type=self.declared.get(name, object)) for name, binding in env.variables.items()
        }
        return replace(env, variables=variables)

    # --- results ------------------------------------------------------------------------------------------------------

    def result_of(self, node: Node, env: Env) -> object:
        """The type of what an effect node gives; None for other nodes."""
        span = node.display.source
        match node.action:
            case Call() as call:
                return self._call_result(call, span)
            case Wait() as wait:
                return self._wait_result(wait, env, span)
            case Start(mode=StartMode.AWAIT, result=result):
                return self._resolver.type_of(result, span)
            case Start():
                return str
            case _:
                return None

    def parallel_result(self, node: Node, parallel: Parallel, env: Env) -> object:
        """The type of a PARALLEL's own output: a tuple, a list, a `Batch`, or what the winner gives."""
        if parallel.body is not None:
            each = self._graph_result(f"{node.id}/body", parallel.body, env)
            return _generic(Batch, each) if parallel.on_failure is OnFailure.COLLECT else list_of(each)
        results = [self.branch_result(node, branch, env) for branch in parallel.branches]
        if parallel.join is Join.FIRST:
            return union_of(*results)
        if parallel.on_failure is OnFailure.COLLECT:
            return _generic(Batch, union_of(*results))
        return tuple[tuple(results)] if results else tuple[()]  # type: ignore[misc]  # a tuple type built at run time

    def scope_result(self, scope: str) -> object | None:
        """The union of what a scope returns; None where it has no RETURN."""
        returned = self._returns.get(scope)
        return union_of(*returned.values()) if returned else None

    def branch_result(self, node: Node, branch: Branch, env: Env) -> object:
        """The type of what a static branch gives."""
        result = self._graph_result(f"{node.id}/{branch.label}", branch.graph, env)
        return _generic(Won, result) if branch.won else result

    def _graph_result(self, scope: str, graph: Graph, env: Env) -> object:
        effect = single_effect(graph)
        if effect is not None:
            return self.result_of(effect, env)
        returned = self._returns.get(scope)
        return union_of(*returned.values()) if returned else None

    def _call_result(self, call: Call, span: Span | None) -> object:
        if call.type in CONFIG_TYPES and call.config.get("fallback_on_error") == e.Const("skip"):
            return union_of(self._own_result(call, span), None)
        return self._own_result(call, span)

    def _own_result(self, call: Call, span: Span | None) -> object:
        if call.into is not None:
            return self._resolver.type_of(call.into, span)
        if call.type == "HTTP" and "includes" not in call.config:
            return HttpResponse
        if call.function is None or call.type != "STANDARD":
            return Any if self._resolver.opaque else _PLAIN_DICT
        target = self._resolver.callee(call.function, span)
        return Any if target is None or target.result is Missing else target.result

    def _wait_result(self, wait: Wait, env: Env, span: Span | None) -> object:
        match wait.source:
            case TimerSource():
                return Elapsed
            case SignalSource(model=model):
                result = self._resolver.type_of(model, span)
            case HumanSource(form=form):
                result = _PLAIN_DICT if form is None else self._resolver.type_of(form, span)
        if wait.on_timeout is not None:
            return union_of(result, without_literals(self._checker.type_of(wait.on_timeout, env)))
        return result

    # --- bindings -----------------------------------------------------------------------------------------------------

    def _assigned(self, node: Node, assign: Assign, env: Env) -> Env:
        value = self._checker.type_of(assign.value, env)
        span = assign.target.span or node.display.source
        if assign.operation is AssignOperation.SET:
            return self.bind(node, assign.target, self.by_place(assign, value, env), env, span)
        if isinstance(assign.target, e.Name) and assign.target.id != "state":
            known = env.variables.get(assign.target.id)
            grown = value if assign.operation is not AssignOperation.APPEND else list_of(without_literals(value))
            return self.bind(node, assign.target, union_of(known.type, grown) if known else grown, env, span)
        return env.forget(_root(assign.target))

    def by_place(self, assign: Assign, value: object, env: Env) -> object:
        """A list that is taken apart where it is written, as YAML does, has a type for each of its places."""
        match assign.target, assign.value:
            case e.Tuple(items=targets), e.List(items=items) if len(targets) == len(items):
                kinds = [self._checker.type_of(item, env) for item in items if not isinstance(item, e.Starred)]
                return _tuple_of(kinds) if len(kinds) == len(items) else value
            case _:
                return value

    def bind(self, node: Node, target: Expr | None, type_: object, env: Env, span: Span | None) -> Env:
        """The fact after a value of the type was assigned to a target."""
        match target:
            case None:
                return env
            case e.Name(id=name):
                self._note(name, node.id, type_)
                return env.bind(name, self.held(self.declared.get(name), type_), target.span or span)
            case e.Tuple(items=items):
                for item, part in zip(items, unpacked(type_, len(items)), strict=True):
                    env = self.bind(node, item, part, env, span)
                return env
            case e.Attribute():
                path = dotted(target)
                if path is None:
                    return env.forget(_root(target))
                declared = self._checker.declared_type(target, env)
                return env.forget(path).narrow({path: self.held(declared, type_)})
            case _:
                return env.forget(_root(target))

    def held(self, declared: object, value: object) -> object:
        """The type of a place after an assignment: the members of its declared type that the value may be."""
        if declared is None:
            return value
        if value is Any or declared is Any:
            return declared
        fitting = [
            member
            for member in members_of(declared)
            if any(self._checker.fits(part, member) for part in members_of(value))
        ]
        return union_of(*fitting) if fitting else declared

    def parts(self, type_: object, count: int) -> tuple[object, ...] | None:
        """The types of the parts of a value that is assigned to `count` names; None where it cannot be taken apart so.

        Only tuples and lists are taken apart: a text or a dict of the right length would be a coincidence.
        """
        for member in members_of(type_):
            arguments: tuple[object, ...] = getattr(member, "__args__", ())
            origin = getattr(member, "__origin__", member)
            if origin is tuple and arguments and Ellipsis not in arguments and len(arguments) != count:
                return None
            if origin is None or (isinstance(origin, type) and origin not in _TAKEN_APART):
                return None
        return tuple(unpacked(type_, count))

    def _note(self, name: str, node: str, type_: object) -> None:
        """A node may be reached in several ways (`finally` serves them all), so what it gives is added up."""
        known = self.bound.setdefault(name, {})
        known[node] = union_of(known[node], type_) if node in known else type_


def is_state_call(call: Call) -> bool:
    """Whether a CALL works on the state: its argument `state` is exactly the name `state`."""
    given = call.args.get("state")
    return isinstance(given, e.Name) and given.id == "state"


def list_of(element: object) -> object:
    """`list[element]`."""
    return _generic(list, object if element is Any else element)


def _tuple_of(kinds: Iterable[object]) -> object:
    return tuple[tuple(kinds)]  # type: ignore[misc]  # pyright: ignore[reportInvalidTypeArguments]


def unpacked(type_: object, count: int) -> Iterable[object]:
    """The types of the parts of a value that is assigned to `count` targets; `Any` where it does not say."""
    alternatives: list[tuple[object, ...]] = []
    for member in members_of(type_):
        arguments: tuple[object, ...] = getattr(member, "__args__", ())
        origin = getattr(member, "__origin__", None)
        if origin is tuple and len(arguments) == count and Ellipsis not in arguments:
            alternatives.append(arguments)
        elif origin in (tuple, list) and arguments:
            alternatives.append((arguments[0],) * count)
        else:
            return (Any,) * count
    return tuple(union_of(*parts) for parts in zip(*alternatives, strict=True)) if alternatives else (Any,) * count


def _generic(origin: Any, argument: object) -> object:
    return origin[Any if argument is Never else argument]


def _before(parallel: Parallel, branch: Branch) -> list[str]:
    """The labels of all branches that end before this one, in the order of the list."""
    wanted = set(branch.after)
    while True:
        more = {label for item in parallel.branches if item.label in wanted for label in item.after} - wanted
        if not more:
            return [item.label for item in parallel.branches if item.label in wanted]
        wanted |= more


def _root(target: Expr) -> str:
    """The longest dotted prefix of a path that an assignment below it makes uncertain."""
    while not isinstance(target, e.Name):
        found = dotted(target)
        if found is not None:
            return found
        if not isinstance(target, e.Attribute | e.Subscript):
            return "state"
        target = target.value
    return target.id
