"""The type checker of expressions.

Assumes a tree that passes the rules and types that are resolved annotations; reports what Python would raise or what
can only be a mistake, and nothing where a type is unknown. Types flow outward: each kind of node says what it needs of
its parts and what it gives. Conditions narrow the parts behind them and, through the result, the branches behind the
whole.
"""

from collections.abc import Mapping
from typing import assert_never, final

from ruvon.ir._diagnostics import Diagnostic, Severity
from ruvon.ir.expr import _codes as codes
from ruvon.ir.expr._access import method_base
from ruvon.ir.expr._check_calls import call_type, class_attribute
from ruvon.ir.expr._check_compare import compare_type
from ruvon.ir.expr._check_items import comprehension_type, display_type, subscript_type
from ruvon.ir.expr._language import FUNCTION_NAMES
from ruvon.ir.expr._members import Found, advice_of, attribute_of
from ruvon.ir.expr._narrow import narrowing, truth
from ruvon.ir.expr._nodes import (
    Attribute,
    Binary,
    Boolean,
    Call,
    Compare,
    Comprehension,
    Conditional,
    Const,
    Dict,
    DictComprehension,
    Expr,
    FormatPart,
    FormatString,
    List,
    Name,
    Ref,
    Set,
    Slice,
    Starred,
    Subscript,
    Tuple,
    Unary,
)
from ruvon.ir.expr._operations import binary_result, unary_result
from ruvon.ir.expr._print import print_expr
from ruvon.ir.expr._quote import quoted
from ruvon.ir.expr._rules import suggestion
from ruvon.ir.expr._type_env import Checked, TypeEnv
from ruvon.ir.expr._types import (
    UNKNOWN,
    base_of,
    describe,
    family,
    fits,
    generic,
    is_set,
    item_of,
    join,
    literal,
    members,
)
from ruvon.ir.expr._walk import dotted, impure_calls
from ruvon.ir.types._fields import class_kind

__all__ = ["Checker", "check", "expect"]


def check(expr: Expr, env: TypeEnv, *, condition: bool = False, narrow: bool = True) -> Checked:
    """Find out the type of an expression and what is wrong with it.

    Args:
        expr: The tree, linked (outside names are unknown names).
        env: The names that can be read here and their types.
        condition: Whether the expression is used for its truth.
        narrow: Whether to find out what is known where it is true and where it is false.
    """
    checker = Checker(Memory())
    found = checker.condition(expr, env) if condition else checker.visit(expr, env)
    for call in impure_calls(expr):
        if call is not expr or condition:
            checker.report(
                call,
                codes.MISPLACED_IMPURE,
                f"`{quoted(call)}` stands inside a larger expression",
                reason="its value is recorded once, and only a whole value can be recorded",
                advice=f"assign it first: `moment = {quoted(call)}`",
            )
    unique = tuple(dict.fromkeys(checker.found))
    if not narrow:
        return Checked(expr, found, unique)
    true, false = (checker.narrowing(expr, env, wanted) for wanted in (True, False))
    return Checked(expr, found, unique, true, false)


def expect(checked: Checked, wanted: object) -> Diagnostic | None:
    """The finding for an expression whose value cannot stand where `wanted` is expected, or None if it can."""
    if fits(checked.type, wanted):
        return None
    text, span = quoted(checked.expr), checked.expr.span
    rest = [member for member in members(checked.type) if member is not None]
    if len(rest) < len(members(checked.type)) and fits(join(rest) if rest else UNKNOWN, wanted) and rest:
        return Diagnostic(
            code=codes.OPTIONAL,
            message=f"`{text}` may be None, where {describe(wanted)} is expected",
            span=span,
            help="narrow it first: test `is not None`, or give a default with `or`",
        )
    message = f"`{text}` is {describe(checked.type)}, where {describe(wanted)} is expected"
    return Diagnostic(code=codes.MISMATCH, message=message, span=span, help=f"give {describe(wanted)}, or convert it")


@final
class Memory:
    """Answers of one run, by place and part, so that no part is looked at more than a few times.

    Places are compared by identity; they are held here, so that none is reused for another.
    """

    def __init__(self) -> None:
        self.types: dict[tuple[int, int], object] = {}
        self.narrowings: dict[tuple[int, int, bool], dict[str, object]] = {}
        self.places: dict[tuple[int, tuple[tuple[str, str], ...]], TypeEnv] = {}
        self.held: list[TypeEnv] = []


@final
class _View:
    """One place, as narrowing looks at it."""

    __slots__ = ("_checker", "_env")

    def __init__(self, checker: "Checker", env: TypeEnv) -> None:
        self._checker = checker
        self._env = env

    def type(self, expr: Expr, /) -> object:
        return self._checker.quietly(expr, self._env)

    def narrowing(self, expr: Expr, wanted: bool, /) -> dict[str, object]:
        return self._checker.narrowing(expr, self._env, wanted)

    def behind(self, more: Mapping[str, object], /) -> "_View":
        return _View(self._checker, self._checker.behind(self._env, more))

    def resolve(self, path: str, /) -> object:
        return self._checker.resolve(path, self._env)


@final
class Checker:
    """One run over one expression; collects findings."""

    def __init__(self, memory: Memory) -> None:
        self.found: list[Diagnostic] = []
        self._memory = memory

    def quietly(self, expr: Expr, env: TypeEnv) -> object:
        """The type of a part at a place, without findings."""
        key = (id(env), id(expr))
        if key not in self._memory.types:
            self._memory.held.append(env)
            self._memory.types[key] = Checker(self._memory).visit(expr, env)
        return self._memory.types[key]

    def narrowing(self, expr: Expr, env: TypeEnv, wanted: bool) -> dict[str, object]:
        """What is known about paths where a condition is true, or false."""
        key = (id(env), id(expr), wanted)
        if key not in self._memory.narrowings:
            self._memory.held.append(env)
            self._memory.narrowings[key] = narrowing(expr, wanted, _View(self, env))
        return self._memory.narrowings[key]

    def behind(self, env: TypeEnv, more: Mapping[str, object]) -> TypeEnv:
        """The place behind a condition; the same place for the same knowledge."""
        if not more:
            return env
        key = (id(env), tuple(sorted((path, repr(kind)) for path, kind in more.items())))
        if key not in self._memory.places:
            self._memory.held.append(env)
            self._memory.places[key] = env.narrow(more)
        return self._memory.places[key]

    def report(
        self,
        expr: Expr,
        code: str,
        message: str,
        *,
        reason: str = "",
        advice: str = "",
        severity: Severity = Severity.ERROR,
    ) -> object:
        """Note a finding about a part; gives the unknown type, so that nothing follows from it."""
        self.found.append(
            Diagnostic(code=code, message=message, span=expr.span, reason=reason, help=advice, severity=severity)
        )
        return UNKNOWN

    def visit(self, expr: Expr, env: TypeEnv) -> object:
        """The type of a part at a place."""
        match expr:
            case Const(value=value):
                return literal(value)
            case Name():
                return self._name(expr, env)
            case Ref(path=path):
                return self._reference(expr, path, env)
            case Attribute():
                return self._attribute(expr, env)
            case Subscript():
                return subscript_type(self, expr, env)
            case Unary(op="not", operand=operand):
                self.condition(operand, env)
                return bool
            case Unary():
                return self._unary(expr, env)
            case Binary():
                return self._binary(expr, env)
            case Boolean():
                return self._boolean(expr, env, as_condition=False)
            case Compare():
                return compare_type(self, expr, env)
            case Conditional(test=test, body=body, otherwise=otherwise):
                self.condition(test, env)
                then, instead = (self.behind(env, self.narrowing(test, env, wanted)) for wanted in (True, False))
                return join([self.visit(body, then), self.visit(otherwise, instead)])
            case List() | Tuple() | Set() | Dict():
                return display_type(self, expr, env)
            case Comprehension() | DictComprehension():
                return comprehension_type(self, expr, env, ordered=True)
            case Call():
                return call_type(self, expr, env)
            case FormatString():
                self._format(expr, env)
                return str
            case Starred(value=value):
                return self.items(value, self.visit(value, env))
            case Slice():
                return UNKNOWN
            case _:
                assert_never(expr)

    def resolve(self, path: str, env: TypeEnv) -> object:
        """What a reference stands for; `object` where that is unknown."""
        if env.resolve is None:
            return UNKNOWN
        try:
            return env.resolve(path)
        except LookupError:
            return UNKNOWN

    def _name(self, expr: Name, env: TypeEnv) -> object:
        name = expr.id
        if name in env.narrowed:
            return env.narrowed[name]
        if name in env.names:
            return env.names[name]
        if name in FUNCTION_NAMES:
            return self.report(
                expr, codes.FUNCTION_VALUE, f"`{name}` is a function, not a value", advice=f"call it: `{name}(...)`"
            )
        return self.report(
            expr,
            codes.OUTSIDE_NAME,
            f"`{name}` is not known here",
            reason="an expression sees `state`, variables bound before it and loop variables",
            advice=suggestion(name, env.names) or "assign it in a step before, or keep it in `state`",
        )

    def _reference(self, expr: Expr, path: str, env: TypeEnv) -> object:
        if env.resolve is not None:
            try:
                env.resolve(path)
            except LookupError:
                return self.report(
                    expr,
                    codes.REF_NOT_ALLOWED,
                    f"`{path}` is not among what this definition uses",
                    advice="list it in `uses`",
                )
        target = self.resolve(path, env)
        return generic(type, target) if isinstance(target, type) and target is not UNKNOWN else UNKNOWN

    def condition(self, expr: Expr, env: TypeEnv) -> object:
        """The type of a part that is used for its truth; tells what can only be a mistake there."""
        if isinstance(expr, Boolean):
            return self._boolean(expr, env, as_condition=True)
        found = self.visit(expr, env)
        for member in members(found):
            base = base_of(member)
            if not isinstance(base, type) or base is UNKNOWN:
                continue
            if hasattr(base, "__await__"):
                self.report(
                    expr,
                    codes.NOT_AWAITED,
                    f"`{quoted(expr)}` was not awaited, so it is always true",
                    advice="await it in a statement before and test its result",
                )
            elif class_kind(base) in {"model", "dataclass", "exception"} and (
                hasattr(base, "__bool__") or hasattr(base, "__len__")
            ):
                self.report(
                    expr,
                    codes.TRUTH,
                    f"{base.__name__} defines its own truth, so `{quoted(expr)}` does not say what is asked",
                    advice="write the test out, for example `is not None` or a comparison",
                )
        return found

    def _boolean(self, expr: Boolean, env: TypeEnv, *, as_condition: bool) -> object:
        found: list[object] = []
        last = len(expr.values) - 1
        for position, value in enumerate(expr.values):
            tested = as_condition or position < last
            kind = self.condition(value, env) if tested else self.visit(value, env)
            if position < last:
                found.extend(truth(kind, expr.op == "or"))
                env = self.behind(env, self.narrowing(value, env, expr.op == "and"))
            else:
                found.append(kind)
        return join(found)

    def attribute(self, member: object, name: str) -> Found:
        """What an attribute is of one member of a type; None has none."""
        return Found(problem="missing") if member is None else attribute_of(member, name)

    def _attribute(self, expr: Attribute, env: TypeEnv) -> object:
        path = dotted(expr)
        known = class_attribute(expr, env)
        if known is not None:
            return known
        owner = self.visit(expr.value, env)
        if path is not None and path in env.narrowed:
            return env.narrowed[path]
        found: list[object] = []
        for member in members(owner):
            result = self.attribute(member, expr.name)
            if member is None:
                self.optional(expr, expr.value)
            elif result.problem:
                return self._no_attribute(expr, member, result, len(members(owner)) > 1)
            else:
                found.append(result.annotation)
        return join(found)

    def optional(self, expr: Expr, value: Expr) -> object:
        """Note that a part may be None where None cannot stand."""
        text = quoted(value)
        return self.report(
            expr,
            codes.OPTIONAL,
            f"`{text}` may be None here",
            reason="Python raises an error for None",
            advice=f"narrow it first: `{text} is not None and ...`",
        )

    def _no_attribute(self, expr: Attribute, member: object, result: Found, one_of: bool) -> object:
        text, kind, name = quoted(expr.value), describe(member), expr.name
        base = base_of(member)
        known = advice_of(base)
        if result.problem == "key":
            advice = f"write `{text}['{name}']`"
            return self.report(expr, codes.FIELD, f"`{text}` is a dict, so `{name}` is a key of it", advice=advice)
        if result.problem == "code":
            method = isinstance(base, type) and method_base(base, name) is not None
            advice = (
                f"call it: `{text}.{name}()`"
                if method
                else known or "read a stored field, or compute it with a @pure function"
            )
            return self.report(expr, codes.NOT_DATA, f"`{name}` of {kind} is code, not a stored field", advice=advice)
        which = f"{kind}, which `{text}` may be," if one_of else kind
        advice = (
            known
            or suggestion(name, result.known)
            or ("its fields are " + ", ".join(sorted(result.known)) if result.known else "")
        )
        return self.report(expr, codes.FIELD, f"{which} has no field `{name}`", advice=advice)

    def _unary(self, expr: Unary, env: TypeEnv) -> object:
        operand = self.visit(expr.operand, env)
        found: list[object] = []
        for member in members(operand):
            if member is None:
                return self.optional(expr, expr.operand)
            result = unary_result(expr.op, member)
            if result is None:
                message = f"`{quoted(expr.operand)}` is {describe(member)}, and `{expr.op}` does not work on it"
                return self.report(expr, codes.OPERANDS, message, reason="Python raises TypeError here")
            found.append(result)
        return join(found)

    def _binary(self, expr: Binary, env: TypeEnv) -> object:
        left, right = self.visit(expr.left, env), self.visit(expr.right, env)
        found: list[object] = []
        for one in members(left):
            for other in members(right):
                if expr.op == "%" and family(one) == "text":
                    found.append(str)
                    continue
                if one is None or other is None:
                    return self.optional(expr, expr.left if one is None else expr.right)
                result = binary_result(expr.op, one, other)
                if result is None:
                    return self.operands(expr, expr.left, one, expr.right, other)
                found.append(result)
        return join(found)

    def operands(self, expr: Expr, left: Expr, one: object, right: Expr, other: object) -> object:
        """Note two operands that do not fit together."""
        message = f"`{quoted(left)}` is {describe(base_of(one))}, `{quoted(right)}` is {describe(base_of(other))}"
        return self.report(
            expr,
            codes.OPERANDS,
            message,
            reason="Python raises TypeError here",
            advice=_operand_advice(left, one, right, other),
        )

    def items(self, expr: Expr, annotation: object, *, ordered: bool = True) -> object:
        """The type of the items of a part that is looped over; tells where it cannot be, or has no fixed order."""
        found: list[object] = []
        for member in members(annotation):
            item = None if member is None else item_of(member)
            if member is None:
                self.optional(expr, expr)
            elif item is None:
                self.report(
                    expr, codes.NO_ITEMS, f"`{quoted(expr)}` is {describe(member)}, which cannot be looped over"
                )
            else:
                found.append(item)
                if ordered and is_set(member):
                    self.set_order(expr)
        return join(found)

    def set_order(self, expr: Expr) -> None:
        """Note that the order of a set would decide something."""
        self.report(
            expr,
            codes.SET_ORDER,
            f"`{quoted(expr)}` is a set, whose order changes with each process",
            reason="a resumed instance would take another path",
            advice=f"write `sorted({quoted(expr)})`",
        )

    def _format(self, expr: FormatString, env: TypeEnv) -> None:
        for part in expr.parts:
            if isinstance(part, FormatPart):
                self.written(part.value, self.visit(part.value, env))
                if part.spec is not None:
                    self._format(part.spec, env)

    def written(self, expr: Expr, annotation: object) -> None:
        """A part is written out as text; a set would be written in any order."""
        if any(is_set(member) for member in members(annotation)):
            self.set_order(expr)


def _operand_advice(left: Expr, one: object, right: Expr, other: object) -> str:
    names: Mapping[str, Expr] = {describe(base_of(one)): left, describe(base_of(other)): right}
    if names.keys() == {"Decimal", "float"}:
        number = names["float"]
        return f"write `Decimal('{print_expr(number)}')`" if isinstance(number, Const) else "convert one of them"
    if "str" in names and len(names) == 2:
        return "write an f-string, or convert one of them"
    return ""
