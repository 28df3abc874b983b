"""The expression checker as the linker uses it: types, narrowing and findings over a fact of the data flow.

The checker itself (`ruvon.ir.expr.check`) knows one expression and the types of names; this module feeds it with facts,
and adds what only control flow needs: whether a condition can be true, or false, at all.
"""

import typing
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Never, final

from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._errors import RuvonError
from ruvon.ir.expr import FUNCTION_NAMES, Checked, TypeEnv, check, dotted, expect, fits, names
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._nodes import Expr
from ruvon.ir.expr._types import UNKNOWN, finite_values, item_of
from ruvon.ir.types._shape import is_plain_class
from ruvon_dsl._link._certainty import Certainty
from ruvon_dsl._link._env import Env
from ruvon_dsl._link._resolve import Resolver
from ruvon_dsl._link._unions import members_of, union_of

__all__ = ["Checker"]

_EMPTY = {e.List: list[Never], e.Dict: dict[Never, Never]}


@final
class Checker:
    """Checks expressions of one definition.

    Args:
        state: The annotation of the state.
        resolver: Where classes are found.
        names: Every variable of the definition; one that is not set where it is read is reported elsewhere.
    """

    def __init__(self, state: object, resolver: Resolver, names: Iterable[str]) -> None:
        self._known: dict[str, object] = {**dict.fromkeys(names, UNKNOWN), "state": _plain(state)}
        self._resolver = resolver
        self._answers: dict[tuple[int, bool], list[tuple[TypeEnv, Checked]]] = {}
        """What was asked before: the data flow and the checks ask the same of the same facts. Answers hold their tree."""
        self._sound: dict[tuple[Expr, bool], list[tuple[TypeEnv, Checked]]] = {}
        """Answers without findings by what was asked, wherever it stands."""
        self._asked: dict[tuple[int, int, bool], tuple[Env, Checked]] = {}
        """The same by the very fact, which is held so that no other can take its place."""
        self._narrowed: dict[tuple[int, int], tuple[Env, Env | None, Env | None]] = {}
        """Facts behind conditions, which the data flow and the checks both ask for."""
        self._behind: dict[tuple[int, int, bool], tuple[Env, Env]] = {}
        """Facts behind parts of conditions, by part and fact."""
        self._free: dict[int, tuple[Expr, frozenset[str]]] = {}

    # --- types --------------------------------------------------------------------------------------------------------

    def checked(self, expr: Expr, env: Env, *, condition: bool = False) -> Checked:
        """What the checker says of an expression at a point."""
        if self._resolver.opaque:
            return Checked(expr, UNKNOWN)
        asked = self._asked.get((id(expr), id(env), condition))
        if asked is None:
            asked = self._asked[id(expr), id(env), condition] = (env, self._answer(expr, env, condition))
        return asked[1]

    def _answer(self, expr: Expr, env: Env, condition: bool) -> Checked:
        types = self._types(expr, env)
        known = self._answers.setdefault((id(expr), condition), [])
        for before, answer in known:
            if _same(before, types):
                return answer
        answer = self._again(expr, types, condition) or check(expr, types, condition=condition, narrow=condition)
        known.append((types, answer))
        if not answer.diagnostics:
            self._sound.setdefault((expr, condition), []).append((types, answer))
        return answer

    def _again(self, expr: Expr, types: TypeEnv, condition: bool) -> Checked | None:
        """The answer for an equal expression somewhere else, where nothing was wrong with it."""
        for before, answer in self._sound.get((expr, condition), ()):
            if _same(before, types):
                return replace(answer, expr=expr)
        return None

    def type_of(self, expr: Expr, env: Env) -> object:
        """The type of an expression's value; `Any` where nobody knows."""
        if isinstance(expr, e.List | e.Dict) and not expr.items:
            return _EMPTY[type(expr)]
        found = self.checked(expr, env).type
        return Any if found is UNKNOWN else found

    def declared_type(self, target: Expr, env: Env) -> object:
        """The declared type of a place such as `state.owner`; `Any` where nobody knows."""
        path = dotted(target)
        return self.type_of(target, env if path is None else env.forget(path))

    def element_of(self, over: Expr, env: Env) -> object:
        """The type of the items that an iteration over the expression gives."""
        return self.item_of(self.type_of(over, env)) or Any

    def item_of(self, type_: object) -> object | None:
        """The type of the items of a list (of the keys of a dict); None where it has none."""
        items = [item_of(_plain(member)) for member in members_of(type_)]
        known = [item for item in items if item is not None]
        if not known:
            return None
        found = union_of(*known)
        return Any if found is UNKNOWN else found

    def fits(self, value: object, expected: object) -> bool:
        """Whether a value of one type may stand where another is expected."""
        return fits(_plain(value), _plain(expected))

    def is_error(self, type_: object) -> bool:
        """Whether a value of the type can be raised."""
        for member in members_of(type_):
            cls = typing.get_args(member)[0] if typing.get_origin(member) is type else member
            if isinstance(cls, type) and cls is not UNKNOWN and not issubclass(cls, BaseException):
                return False
            if member is None:
                return False
        return True

    # --- conditions ---------------------------------------------------------------------------------------------------

    def narrow(self, condition: Expr, env: Env) -> tuple[Env | None, Env | None]:
        """The facts where the condition is true and where it is false; None where it never is."""
        if self._resolver.opaque:
            return env, env
        known = self._narrowed.get((id(condition), id(env)))
        if known is None:
            known = self._narrowed[id(condition), id(env)] = (env, *self._narrow(condition, env))
        return known[1:]

    def _narrow(self, condition: Expr, env: Env) -> tuple[Env | None, Env | None]:
        checked = self.checked(condition, env, condition=True)
        certain = Certainty(lambda part, point: self.checked(part, point).type, self._shown, self._load)
        true = None if certain.impossible(condition, env, wanted=True) else env.narrow(checked.narrowing_true)
        false = None if certain.impossible(condition, env, wanted=False) else env.narrow(checked.narrowing_false)
        return true, false

    def _shown(self, condition: Expr, env: Env, wanted: bool) -> Env:
        """The fact behind a part; the same fact for the same question, so that what is asked of it is asked once."""
        known = self._behind.get((id(condition), id(env), wanted))
        if known is None:
            checked = self.checked(condition, env, condition=True)
            shown = env.narrow(checked.narrowing_true if wanted else checked.narrowing_false)
            known = self._behind[id(condition), id(env), wanted] = (env, shown)
        return known[1]

    # --- findings -----------------------------------------------------------------------------------------------------

    def findings(self, expr: Expr, env: Env) -> list[Diagnostic]:
        """What is wrong with the expression here."""
        return list(self.checked(expr, env).diagnostics)

    def misfit(self, expr: Expr, env: Env, expected: object) -> Diagnostic | None:
        """The checker's finding where the value cannot stand where `expected` is expected."""
        return expect(self.checked(expr, env), _plain(expected))

    def condition_findings(self, expr: Expr, env: Env) -> list[Diagnostic]:
        """What is wrong with a condition here."""
        return list(self.checked(expr, env, condition=True).diagnostics)

    def iteration_findings(self, expr: Expr, env: Env) -> list[Diagnostic]:
        """What is wrong with an iteration over the expression here."""
        item = e.Name("item", expr.span)
        loop = e.Comprehension("list", item, (e.Clause(item, expr),), expr.span)
        return list(self.checked(loop, env).diagnostics)

    def target_findings(self, target: Expr, env: Env) -> list[Diagnostic]:
        """What is wrong with an assignment to the path."""
        path = dotted(target)
        return self.findings(target, env if path is None else env.forget(path))

    def is_finite(self, type_: object) -> bool:
        """Whether a type has only so many values (literals, enums, bool, None)."""
        return finite_values(_plain(type_)) is not None

    def _types(self, expr: Expr, env: Env) -> TypeEnv:
        """What the expression reads, and nothing else: a large workflow has hundreds of variables."""
        names: dict[str, object] = {}
        for name in self._names_in(expr):
            if name in env.variables:
                names[name] = _plain(env.variables[name].type)
            elif name in self._known or name not in FUNCTION_NAMES:
                names[name] = self._known.get(name, UNKNOWN)
        narrowed = {path: _plain(type_) for path, type_ in env.narrowed.items() if path.partition(".")[0] in names}
        return TypeEnv(names, narrowed, self._load)

    def _names_in(self, expr: Expr) -> frozenset[str]:
        known = self._free.get(id(expr))
        if known is None:
            known = self._free[id(expr)] = (expr, names(expr))
        return known[1]

    def _load(self, path: str) -> object:
        try:
            return self._resolver.load(path)
        except RuvonError:
            return UNKNOWN


def _same(left: TypeEnv, right: TypeEnv) -> bool:
    """Whether two facts know the same names as the same types; equal unions may differ in order, so identity counts."""
    return _identical(left.names, right.names) and _identical(left.narrowed, right.narrowed)


def _identical(left: Mapping[str, object], right: Mapping[str, object]) -> bool:
    return left.keys() == right.keys() and all(type_ is right[name] for name, type_ in left.items())


def _plain(type_: object) -> object:
    """A type as the checker knows it: unknown is `object`, and the items of an empty display are unknown."""
    if type_ is Any or type_ is Never:
        return UNKNOWN
    if is_plain_class(type_):
        return type_
    members = members_of(type_)
    empty = [member for member in members if Never in typing.get_args(member)]
    if not empty:
        return type_
    filled = [dict[object, object] if typing.get_origin(member) is dict else list[object] for member in empty]
    return union_of(*(member for member in members if member not in empty), *filled)
