"""Outside names in expressions, bound to what they mean.

A stored expression knows `state`, variables and the functions of the language. Every other name is replaced here, once:
classes and `@pure` functions become `Ref` by canonical path, constants their value. What is neither would make the
definition depend on something it does not hold, so it is a finding that names the definition.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from difflib import get_close_matches
from types import ModuleType
from typing import Final, get_type_hints

from ruvon.ir._diagnostics import Diagnostic, Related
from ruvon.ir._spans import Span
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._language import DEFINITION_PATHS, FUNCTION_NAMES
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl._link._codes import MODULE_VARIABLE, NOT_A_VALUE, OUTSIDE_NAME, PLAIN_CALL, SHADOWED
from ruvon_dsl._link._constants import constant_expr, fold
from ruvon_dsl._link._describe import describe, site_of
from ruvon_dsl._link._targets import (
    BlockTarget,
    ChildTarget,
    ClassTarget,
    ConstantTarget,
    Lookup,
    Missing,
    OtherTarget,
    PlainFunctionTarget,
    PureTarget,
    Site,
    StepTarget,
)

__all__ = ["ModuleLookup", "bind_names", "language_name"]


class ModuleLookup:
    """The names of one imported module, as its code sees them.

    Args:
        module: The module whose globals are looked up.
    """

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self._final = _final_names(module)

    def __call__(self, name: str) -> object:
        """The object that the dotted `name` means in the module, or `Missing`."""
        root, *rest = name.split(".")
        found: object = vars(self.module).get(root, Missing)
        for part in rest:
            if found is Missing:
                return Missing
            found = getattr(found, part, Missing)
        return found

    def is_final(self, name: str) -> bool:
        """Whether the module declares `name: Final`."""
        return name in self._final

    def names(self) -> Collection[str]:
        """All global names of the module, for suggestions."""
        return vars(self.module).keys()


def _final_names(module: ModuleType) -> frozenset[str]:
    declared: Mapping[str, object] = getattr(module, "__annotations__", {})
    try:
        hints: Mapping[str, object] = get_type_hints(module, include_extras=True)
    except (NameError, TypeError):
        hints = declared
    return frozenset(name for name, hint in {**declared, **hints}.items() if "Final" in str(hint))


def bind_names(
    expr: Expr, *, bound: Collection[str], lookup: Lookup | None
) -> tuple[Expr, list[Diagnostic]]:
    """Replace the outside names of an expression by what they stand for.

    Args:
        expr: The parsed expression.
        bound: The names that are variables where the expression stands; `state` always is.
        lookup: Outside names to objects; None (parse only) leaves every name as it is.

    Returns:
        The bound expression and a finding for every name that may not stand in it.
    """
    if lookup is None:
        return expr, []
    binder = _Binder(lookup)
    return binder.bind(expr, frozenset(bound) | {"state"}), binder.found


_LANGUAGE: Final[Mapping[str, str]] = DEFINITION_PATHS


def language_name(value: object) -> str | None:
    """The name under which the expression language knows an object (`datetime.timedelta` is `timedelta`), or None."""
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    top = module.partition(".")[0]
    return _LANGUAGE.get(f"{top if top == 'ruvon' else module.lstrip('_')}:{name}")


class _Binder:
    """One walk over one expression; `found` collects what may not stand in it."""

    def __init__(self, lookup: Lookup) -> None:
        self.lookup = lookup
        self.found: list[Diagnostic] = []

    def bind(self, expr: Expr, bound: frozenset[str]) -> Expr:
        match expr:
            case e.Name() | e.Attribute():
                return self._chain(expr, bound)
            case e.Const() | e.Ref():
                return expr
            case e.Call():
                return fold(self._call(expr, bound))
            case e.Comprehension(element=element, clauses=clauses):
                inside, bound_clauses = self._clauses(clauses, bound)
                return replace(expr, element=self.bind(element, inside), clauses=bound_clauses)
            case e.DictComprehension(key=key, value=value, clauses=clauses):
                inside, bound_clauses = self._clauses(clauses, bound)
                return replace(
                    expr, key=self.bind(key, inside), value=self.bind(value, inside), clauses=bound_clauses
                )
            case _:
                return map_children(expr, lambda child: self.bind(child, bound))

    def _clauses(
        self, clauses: tuple[e.Clause, ...], bound: frozenset[str]
    ) -> tuple[frozenset[str], tuple[e.Clause, ...]]:
        done: list[e.Clause] = []
        for clause in clauses:
            over = self.bind(clause.over, bound)
            bound |= target_names(clause.target)
            tests = tuple(self.bind(test, bound) for test in clause.tests)
            done.append(e.Clause(clause.target, over, tests))
        return bound, tuple(done)

    def _call(self, call: e.Call, bound: frozenset[str]) -> Expr:
        function = self._callee(call, bound)
        args = tuple(self.bind(arg, bound) for arg in call.args)
        keywords = tuple(e.Keyword(item.name, self.bind(item.value, bound)) for item in call.keywords)
        return e.Call(function, args, keywords, call.span)

    def _callee(self, call: e.Call, bound: frozenset[str]) -> Expr:
        function = call.function
        dotted = dotted_name(function)
        root = dotted.partition(".")[0] if dotted else ""
        if not dotted or root in bound:
            return self.bind(function, bound)
        value = self.lookup(dotted)
        if value is Missing:
            return self.bind(function, bound)
        return self._value(function, dotted, value, called=True)

    def _chain(self, expr: e.Name | e.Attribute, bound: frozenset[str]) -> Expr:
        """A name, or a chain of attributes: the longest prefix that is a module or class is looked up as one name."""
        dotted = dotted_name(expr)
        if dotted is None:
            return map_children(expr, lambda child: self.bind(child, bound))
        if dotted.partition(".")[0] in bound:
            return expr
        value = self.lookup(dotted)
        if isinstance(expr, e.Attribute) and self._is_data(dotted):
            return e.Attribute(self._chain_head(expr.value, bound), expr.name, expr.span)
        if value is Missing:
            return self._missing(expr, dotted)
        return self._value(expr, dotted, value, called=False)

    def _chain_head(self, expr: Expr, bound: frozenset[str]) -> Expr:
        return self._chain(expr, bound) if isinstance(expr, e.Name | e.Attribute) else self.bind(expr, bound)

    def _is_data(self, dotted: str) -> bool:
        """Whether the last part of a chain is an attribute of a value, read by the expression itself."""
        owner = self.lookup(dotted.rpartition(".")[0])
        if owner is Missing or isinstance(owner, ModuleType):
            return False
        return not (isinstance(owner, type) and isinstance(self.lookup(dotted), type))

    def _value(self, expr: e.Name | e.Attribute, dotted: str, value: object, *, called: bool) -> Expr:
        known = language_name(value)
        if known is not None:
            return e.Name(known, expr.span)
        if dotted in FUNCTION_NAMES:
            self._report(
                SHADOWED,
                f"`{dotted}` means something else here than in the language of expressions",
                expr,
                help_=f"import it under another name; in expressions `{dotted}` is always the built-in one",
                site=site_of(value),
            )
            return expr
        target = describe(value)
        match target:
            case ClassTarget(path=path) | PureTarget(path=path):
                return e.Ref(path, expr.span)
            case ConstantTarget(value=constant):
                return self._constant(expr, dotted, constant)
            case StepTarget() | BlockTarget() | ChildTarget():
                self._not_awaited(expr, dotted, target, called=called)
            case PlainFunctionTarget():
                self._plain_function(expr, dotted, value, called=called)
            case OtherTarget(kind=kind):
                self._other(expr, dotted, kind, value)
        return expr

    def _constant(self, expr: e.Name | e.Attribute, dotted: str, value: object) -> Expr:
        name = dotted.rpartition(".")[2]
        built = constant_expr(value, expr.span)
        if built is None:
            self._other(expr, dotted, "a value", value)
            return expr
        if not (name.isupper() or self._is_final(dotted) or isinstance(built, e.Attribute)):
            self._report(
                MODULE_VARIABLE,
                f"`{dotted}` is a module variable that may be assigned again; a definition holds only constants",
                expr,
                help_=f"write `{name}: Final = ...`, or name it `{name.upper()}`",
            )
        return built

    def _is_final(self, dotted: str) -> bool:
        check: Callable[[str], bool] | None = getattr(self.lookup, "is_final", None)
        return check is not None and check(dotted)

    def _missing(self, expr: e.Name | e.Attribute, dotted: str) -> Expr:
        if dotted in FUNCTION_NAMES:
            return expr
        if isinstance(expr, e.Attribute) and self.lookup(dotted.partition(".")[0]) is Missing:
            return e.Attribute(self._chain_head(expr.value, frozenset()), expr.name, expr.span)
        listed: Callable[[], Collection[str]] | None = getattr(self.lookup, "names", None)
        close = get_close_matches(dotted, [*(listed() if listed else ()), *FUNCTION_NAMES], 1)
        hint = f"did you mean `{close[0]}`?" if close else "assign it before, or import it"
        self._report(OUTSIDE_NAME, f"`{dotted}` is not defined", expr, help_=hint)
        return expr

    def _plain_function(self, expr: Expr, dotted: str, value: object, *, called: bool) -> None:
        verb = "calls" if called else "names"
        self._report(
            PLAIN_CALL,
            f"the expression {verb} `{dotted}`, an ordinary function",
            expr,
            help_=f"mark `{dotted}` with @pure if it only computes, or with @step (and `await` it) if it acts",
            reason="the engine cannot know whether it may run again after a crash",
            site=site_of(value),
        )

    def _not_awaited(
        self, expr: Expr, dotted: str, target: StepTarget | BlockTarget | ChildTarget, *, called: bool
    ) -> None:
        kinds = {StepTarget: "a step", BlockTarget: "a block", ChildTarget: "a workflow"}
        kind = kinds[type(target)]
        help_ = f"write `value = await {dotted}(...)` on a line of its own and use `value`"
        verb = "called" if called else "used as a value"
        self._report(NOT_A_VALUE, f"`{dotted}` is {kind} and cannot be {verb} inside an expression", expr, help_=help_)

    def _other(self, expr: Expr, dotted: str, kind: str, value: object) -> None:
        self._report(
            MODULE_VARIABLE,
            f"`{dotted}` is {kind}, which a definition cannot hold as a constant",
            expr,
            help_="pass it in the state, read it in a step, or make it a constant (a tuple, a frozen model, an enum)",
            reason="the definition would change its meaning with something that is not part of it",
            site=site_of(value),
        )

    def _report(
        self, code: str, message: str, expr: Expr, *, help_: str, reason: str = "", site: Site | None = None
    ) -> None:
        related = (Related(Span.at(site.file, site.line, 1), "defined here"),) if site else ()
        self.found.append(
            Diagnostic(code=code, message=message, span=expr.span, help=help_, reason=reason, related=related)
        )


def dotted_name(expr: Expr) -> str | None:
    """`a.b.c` for a name or a chain of attributes on one, else None."""
    match expr:
        case e.Name(id=name):
            return name
        case e.Attribute(value=value, name=name):
            head = dotted_name(value)
            return f"{head}.{name}" if head else None
        case _:
            return None


def target_names(target: Expr) -> frozenset[str]:
    """The plain names that a target binds; attributes and items bind none."""
    match target:
        case e.Name(id=name):
            return frozenset({name})
        case e.Tuple(items=items) | e.List(items=items):
            return frozenset().union(*(target_names(item) for item in items))
        case e.Starred(value=value):
            return target_names(value)
        case _:
            return frozenset()


def map_children(expr: Expr, each: Callable[[Expr], Expr]) -> Expr:
    """The same node with `each` applied to every direct child expression."""
    match expr:
        case e.Const() | e.Name() | e.Ref():
            return expr
        case e.Attribute():
            return replace(expr, value=each(expr.value))
        case e.Starred():
            return replace(expr, value=each(expr.value))
        case e.Subscript():
            return replace(expr, value=each(expr.value), index=each(expr.index))
        case e.Slice():
            return replace(expr, start=_maybe(expr.start, each), stop=_maybe(expr.stop, each), step=_maybe(expr.step, each))
        case e.Unary():
            return replace(expr, operand=each(expr.operand))
        case e.Binary():
            return replace(expr, left=each(expr.left), right=each(expr.right))
        case e.Boolean():
            return replace(expr, values=tuple(map(each, expr.values)))
        case e.Compare():
            return replace(expr, left=each(expr.left), rights=tuple(map(each, expr.rights)))
        case e.Conditional():
            return replace(expr, test=each(expr.test), body=each(expr.body), otherwise=each(expr.otherwise))
        case e.List() | e.Tuple() | e.Set():
            return replace(expr, items=tuple(map(each, expr.items)))
        case e.Dict():
            return replace(expr, items=tuple(e.DictItem(_maybe(item.key, each), each(item.value)) for item in expr.items))
        case e.Call():
            keywords = tuple(e.Keyword(item.name, each(item.value)) for item in expr.keywords)
            return replace(expr, function=each(expr.function), args=tuple(map(each, expr.args)), keywords=keywords)
        case e.Comprehension():
            return replace(expr, element=each(expr.element), clauses=_map_clauses(expr.clauses, each))
        case e.DictComprehension():
            clauses = _map_clauses(expr.clauses, each)
            return replace(expr, key=each(expr.key), value=each(expr.value), clauses=clauses)
        case e.FormatString():
            return _map_format(expr, each)


def _maybe(expr: Expr | None, each: Callable[[Expr], Expr]) -> Expr | None:
    return None if expr is None else each(expr)


def _map_clauses(clauses: tuple[e.Clause, ...], each: Callable[[Expr], Expr]) -> tuple[e.Clause, ...]:
    return tuple(e.Clause(item.target, each(item.over), tuple(map(each, item.tests))) for item in clauses)


def _map_format(expr: e.FormatString, each: Callable[[Expr], Expr]) -> e.FormatString:
    parts: list[str | e.FormatPart] = []
    for part in expr.parts:
        if isinstance(part, str):
            parts.append(part)
        else:
            spec = None if part.spec is None else _map_format(part.spec, each)
            parts.append(e.FormatPart(each(part.value), part.conversion, spec))
    return replace(expr, parts=tuple(parts))
