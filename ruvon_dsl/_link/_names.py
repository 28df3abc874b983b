"""Outside names in expressions, bound to what they mean.

A stored expression knows `state`, variables and the functions of the language. Every other name is replaced here, once:
classes and `@pure` functions become `Ref` by canonical path, constants their value. What is neither would make the
definition depend on something it does not hold, so it is a finding that names the definition.
"""

import builtins
import re
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from difflib import get_close_matches
from enum import Enum
from types import ModuleType
from typing import Final, get_origin

from ruvon.ir._diagnostics import Diagnostic, Related
from ruvon.ir._spans import Span
from ruvon.ir.expr import ExpressionError, bound_names, dotted, print_expr, rebuild
from ruvon.ir.expr import _canonical as canonical
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._language import DEFINITION_PATHS, FUNCTION_NAMES
from ruvon.ir.expr._nodes import Expr
from ruvon_dsl._link._codes import BAD_ARGUMENTS, MODULE_VARIABLE, NOT_A_VALUE, OUTSIDE_NAME, PLAIN_CALL, SHADOWED
from ruvon_dsl._link._constants import constant_expr
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

__all__ = ["ModuleLookup", "asked_names", "bind_names", "language_name"]

_ASKED: Final[ContextVar[set[tuple[str, str]] | None]] = ContextVar("ruvon_asked_names", default=None)


@contextmanager
def asked_names() -> Generator[set[tuple[str, str]]]:
    """Collect the modules and dotted names that are looked up inside, for the cache of definitions."""
    names: set[tuple[str, str]] = set()
    token = _ASKED.set(names)
    try:
        yield names
    finally:
        _ASKED.reset(token)


class ModuleLookup:
    """The names of one imported module, as its code sees them.

    Args:
        module: The module whose globals are looked up.
        builtins: Names that the module does not define are those of Python, as in its own code.
    """

    def __init__(self, module: ModuleType, *, builtins: bool = False) -> None:
        self.module = module
        self.complete = builtins
        """A function of the language that the module does not import is not defined, as in Python."""
        self._final = _final_names(module)

    def __call__(self, name: str) -> object:
        """The object that the dotted `name` means in the module, or `Missing`."""
        asked = _ASKED.get()
        if asked is not None:
            asked.add((self.module.__name__, name))
        root, *rest = name.split(".")
        found: object = vars(self.module).get(root, Missing)
        if found is Missing and self.complete:
            found = vars(builtins).get(root, Missing)
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
    return frozenset(name for name, hint in declared.items() if _is_final_hint(hint))


def _is_final_hint(hint: object) -> bool:
    """Whether an annotation says `Final`; under `from __future__ import annotations` it is text."""
    if isinstance(hint, str):
        return re.match(r"(\w+\.)?Final\b", hint) is not None
    return hint is Final or get_origin(hint) is Final


def bind_names(expr: Expr, *, bound: Collection[str], lookup: Lookup | None) -> tuple[Expr, list[Diagnostic]]:
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


_IMPORTS: Final[Mapping[str, str]] = {
    name: f"from {path.partition(':')[0]} import {name}" for path, name in DEFINITION_PATHS.items()
}


def language_name(value: object) -> str | None:
    """The name under which the expression language knows an object (`datetime.timedelta` is `timedelta`), or None."""
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    top = module.partition(".")[0]
    return DEFINITION_PATHS.get(f"{top if top == 'ruvon' else module}:{name}")


class _Binder:
    """One walk over one expression; `found` collects what may not stand in it."""

    def __init__(self, lookup: Lookup) -> None:
        self.lookup = lookup
        self.found: list[Diagnostic] = []

    def bind(self, expr: Expr, bound: frozenset[str]) -> Expr:
        """The expression with its outside names replaced; `bound` are the names that are variables here."""
        match expr:
            case e.Name() | e.Attribute():
                return self._chain(expr, bound)
            case e.Call(function=e.Name() | e.Attribute()):
                return self._folded(e.Call(self._callee(expr, bound), expr.args, expr.keywords, expr.span), bound)
            case e.Comprehension(element=element, clauses=clauses):
                inside, bound_clauses = self._clauses(clauses, bound)
                return replace(expr, element=self.bind(element, inside), clauses=bound_clauses)
            case e.DictComprehension(key=key, value=value, clauses=clauses):
                inside, bound_clauses = self._clauses(clauses, bound)
                return replace(expr, key=self.bind(key, inside), value=self.bind(value, inside), clauses=bound_clauses)
            case _:
                return rebuild(expr, lambda child: self.bind(child, bound))

    def _folded(self, call: e.Call, bound: frozenset[str]) -> Expr:
        """A call whose function is bound already; a constructor of a value type becomes its value."""
        args = tuple(self.bind(arg, bound) for arg in call.args)
        keywords = tuple(e.Keyword(item.name, self.bind(item.value, bound)) for item in call.keywords)
        try:
            return canonical.call(call.function, args, keywords, call.span)
        except canonical.FoldError as exc:
            self._report(BAD_ARGUMENTS, str(exc), call, help_="mend the arguments")
            return e.Call(call.function, args, keywords, call.span)

    def _clauses(
        self, clauses: tuple[e.Clause, ...], bound: frozenset[str]
    ) -> tuple[frozenset[str], tuple[e.Clause, ...]]:
        done: list[e.Clause] = []
        for clause in clauses:
            over = self.bind(clause.over, bound)
            bound |= bound_names(clause.target)
            done.append(e.Clause(clause.target, over, tuple(self.bind(test, bound) for test in clause.tests)))
        return bound, tuple(done)

    def _callee(self, call: e.Call, bound: frozenset[str]) -> Expr:
        function = call.function
        if isinstance(function, e.Name | e.Attribute):
            return self._chain(function, bound, called=True)
        return self.bind(function, bound)

    def _chain(self, expr: e.Name | e.Attribute, bound: frozenset[str], *, called: bool = False) -> Expr:
        """A name, or a chain of attributes on one: what a module holds is one name, what a value holds is its data."""
        path = dotted(expr)
        if path is None:
            return rebuild(expr, lambda child: self.bind(child, bound))
        if path.partition(".")[0] in bound:
            return expr
        value = self.lookup(path)
        if isinstance(expr, e.Attribute) and isinstance(expr.value, e.Name | e.Attribute):
            owner = self.lookup(path.rpartition(".")[0])
            if self._is_data(owner, value):
                return e.Attribute(self._chain(expr.value, bound), expr.name, expr.span)
        if value is Missing:
            return self._missing(expr, path)
        return self._value(expr, path, value, called=called)

    def _is_data(self, owner: object, value: object) -> bool:
        """Whether an attribute is read by the expression itself, from a value, an enum or a class of the language."""
        if isinstance(owner, type):
            return language_name(owner) is not None or (isinstance(value, Enum) and issubclass(owner, Enum))
        return not isinstance(owner, ModuleType) and (owner is not Missing or value is Missing)

    def _value(self, expr: e.Name | e.Attribute, path: str, value: object, *, called: bool) -> Expr:
        known = language_name(value)
        if known is not None:
            return e.Name(known, expr.span)
        if path in FUNCTION_NAMES:
            self._report(
                SHADOWED,
                f"`{path}` means something else here than in the language of expressions",
                expr,
                help_=f"import it under another name; in expressions `{path}` is always the built-in one",
                site=site_of(value),
            )
            return expr
        target = describe(value)
        match target:
            case ClassTarget(path=found) | PureTarget(path=found):
                return e.Ref(found, expr.span)
            case ConstantTarget(value=constant):
                return self._constant(expr, path, constant)
            case StepTarget() | BlockTarget() | ChildTarget():
                self._not_awaited(expr, path, target, called=called)
            case PlainFunctionTarget():
                self._plain_function(expr, path, value, called=called)
            case OtherTarget(kind=kind):
                self._other(expr, path, kind, value)
        return expr

    def _constant(self, expr: e.Name | e.Attribute, path: str, value: object) -> Expr:
        name = path.rpartition(".")[2]
        built = constant_expr(value, expr.span)
        if built is None:
            self._other(expr, path, "a value", value)
            return expr
        if unwritable := _unwritable(built):
            self.found.extend(
                replace(item, message=f"`{path}` cannot be a constant: {item.message}", span=expr.span)
                for item in unwritable
            )
            return expr
        if not (name.isupper() or self._is_final(path) or isinstance(built, e.Attribute)):
            self._report(
                MODULE_VARIABLE,
                f"`{path}` is a module variable that may be assigned again; a definition holds only constants",
                expr,
                help_=f"write `{name}: Final = ...`, or name it `{name.upper()}`",
            )
        return built

    def _is_final(self, path: str) -> bool:
        check: Callable[[str], bool] | None = getattr(self.lookup, "is_final", None)
        return check is not None and check(path)

    def _missing(self, expr: e.Name | e.Attribute, path: str) -> Expr:
        complete: bool = getattr(self.lookup, "complete", False)
        if path in FUNCTION_NAMES and not complete:
            return expr
        listed: Callable[[], Collection[str]] | None = getattr(self.lookup, "names", None)
        close = get_close_matches(path, [*(listed() if listed else ()), *sorted(FUNCTION_NAMES)], 1)
        if path in FUNCTION_NAMES:
            hint = f"import it: `{_IMPORTS.get(path, f'from ruvon import {path}')}`"
        else:
            hint = f"did you mean `{close[0]}`?" if close else "assign it before, or import it"
        self._report(OUTSIDE_NAME, f"`{path}` is not defined", expr, help_=hint)
        return expr

    def _plain_function(self, expr: Expr, path: str, value: object, *, called: bool) -> None:
        verb = "calls" if called else "names"
        self._report(
            PLAIN_CALL,
            f"the expression {verb} `{path}`, an ordinary function",
            expr,
            help_=f"mark `{path}` with @pure if it only computes, or with @step (and `await` it) if it acts",
            reason="the engine cannot know whether it may run again after a crash",
            site=site_of(value),
        )

    def _not_awaited(
        self, expr: Expr, path: str, target: StepTarget | BlockTarget | ChildTarget, *, called: bool
    ) -> None:
        kinds = {StepTarget: "a step", BlockTarget: "a block", ChildTarget: "a workflow"}
        kind = kinds[type(target)]
        help_ = f"write `value = await {path}(...)` on a line of its own and use `value`"
        verb = "called" if called else "used as a value"
        self._report(NOT_A_VALUE, f"`{path}` is {kind} and cannot be {verb} inside an expression", expr, help_=help_)

    def _other(self, expr: Expr, path: str, kind: str, value: object) -> None:
        self._report(
            MODULE_VARIABLE,
            f"`{path}` is {kind}, which a definition cannot hold as a constant",
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


def _unwritable(expr: Expr) -> tuple[Diagnostic, ...]:
    """Why a constant has no text in the language; empty where it has one."""
    try:
        print_expr(expr)
    except ExpressionError as exc:
        return exc.diagnostics
    return ()
