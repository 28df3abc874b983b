"""The types of calls: functions of the language, methods, classes and `@pure` functions, and their arguments."""

import inspect
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

from ruvon.ir.expr import _codes as codes
from ruvon.ir.expr._check_items import comprehension_type
from ruvon.ir.expr._language import CLASS_ATTRIBUTES, CLASS_METHODS, KEY_FUNCTIONS, VALUE_TYPES
from ruvon.ir.expr._members import advice_of, method_result
from ruvon.ir.expr._nodes import Attribute, Call, Comprehension, Expr, Name, Ref, Starred
from ruvon.ir.expr._quote import quoted
from ruvon.ir.expr._rules import suggestion
from ruvon.ir.expr._type_env import TypeEnv
from ruvon.ir.expr._types import (
    UNKNOWN,
    base_of,
    describe,
    family,
    fields_of,
    finite_values,
    fits,
    generic,
    iterator_of,
    join,
    members,
)
from ruvon.ir.expr._walk import class_names
from ruvon.ir.types._fields import class_kind

if TYPE_CHECKING:
    from ruvon.ir.expr._check import Checker

__all__ = ["call_type", "class_attribute"]

_ORDERLESS: Final = frozenset({"all", "any", "frozenset", "len", "max", "min", "set", "sorted", "sum"})
"""Functions whose result does not depend on the order of what they go through."""
_ITERATING: Final = _ORDERLESS - {"len"} | {"enumerate", "list", "reversed", "tuple"}
_RESULTS: Final[Mapping[str, object]] = {
    **dict.fromkeys(("all", "any", "bool", "isinstance"), bool),
    **dict.fromkeys(("ascii", "bin", "chr", "format", "hex", "oct", "repr", "secret", "str", "template"), str),
    **dict.fromkeys(("int", "len", "ord"), int),
    "bytes": bytes,
    "dict": dict,
    "divmod": UNKNOWN,
    "float": float,
    "new_id": UUID,
    "now": datetime,
    "pow": UNKNOWN,
    "random": float,
    "range": range,
    **VALUE_TYPES,
}
_CLASS_RESULTS: Final[Mapping[str, object]] = {
    "Decimal": Decimal,
    "bytes": bytes,
    "date": date,
    "datetime": datetime,
    "dict": dict,
    "float": float,
    "int": int,
    "time": time,
}


def class_attribute(expr: Attribute, env: TypeEnv) -> object | None:
    """The type of a constant of a class of the language, such as `timezone.utc`, or None."""
    match expr:
        case Attribute(value=Name(id=owner), name=name) if owner not in env.names and name in CLASS_ATTRIBUTES.get(
            owner, ()
        ):
            value: object = getattr(VALUE_TYPES[owner], name)
            return type(value)
        case _:
            return None


def call_type(checker: "Checker", expr: Call, env: TypeEnv) -> object:
    """The type of a call; its arguments are checked on the way."""
    match expr.function:
        case Name(id=name) if name in env.names:
            return checker.report(expr, codes.NOT_CALLABLE, f"`{name}` is a variable here and cannot be called")
        case Name(id=name):
            return _function(checker, expr, name, env)
        case Attribute(value=Name(id=owner), name=name) if owner not in env.names and name in CLASS_METHODS.get(
            owner, ()
        ):
            _arguments(checker, expr, env)
            return _CLASS_RESULTS[owner]
        case Attribute(value=value, name=name):
            return _method(checker, expr, value, name, env)
        case Ref(path=path):
            checker.visit(expr.function, env)
            return _reference(checker, expr, checker.resolve(path, env), env)
        case _:
            return UNKNOWN


def _arguments(checker: "Checker", expr: Call, env: TypeEnv) -> list[object]:
    for word in expr.keywords:
        if not (word.name == "key" and isinstance(word.value, Name) and word.value.id in KEY_FUNCTIONS):
            checker.visit(word.value, env)
    return [checker.visit(arg, env) for arg in expr.args]


def _function(checker: "Checker", expr: Call, name: str, env: TypeEnv) -> object:
    if name == "isinstance":
        for arg in expr.args:
            if not class_names(arg):
                checker.visit(arg, env)
        return bool
    kinds = _function_arguments(checker, expr, name, env)
    if any(isinstance(arg, Starred) for arg in expr.args):
        return _RESULTS.get(name, UNKNOWN)
    if name in _ITERATING and kinds and (len(kinds) == 1 or name not in {"max", "min"}):
        return _iterating(checker, expr, name, kinds)
    if name in {"repr", "str", "format", "ascii"} and expr.args:
        checker.written(expr.args[0], kinds[0])
    return _plain(checker, expr, name, kinds)


def _function_arguments(checker: "Checker", expr: Call, name: str, env: TypeEnv) -> list[object]:
    match expr.args:
        case (Comprehension(kind="generator") as only,) if name in _ORDERLESS:
            for word in expr.keywords:
                if word.name != "key":
                    checker.visit(word.value, env)
            return [comprehension_type(checker, only, env, ordered=False)]
        case _:
            return _arguments(checker, expr, env)


def _iterating(checker: "Checker", expr: Call, name: str, kinds: list[object]) -> object:
    item = checker.items(expr.args[0], kinds[0], ordered=name not in _ORDERLESS)
    match name:
        case "list" | "sorted":
            return generic(list, item)
        case "tuple":
            return generic(tuple, item, ...)
        case "set" | "frozenset":
            return generic(set if name == "set" else frozenset, item)
        case "enumerate":
            return iterator_of(generic(tuple, int, item))
        case "reversed":
            return iterator_of(item)
        case "max" | "min":
            default = next((word for word in expr.keywords if word.name == "default"), None)
            return join([item, UNKNOWN]) if default is not None else item
        case "sum":
            return _sum(checker, expr, item, kinds)
        case _:
            return bool


def _sum(checker: "Checker", expr: Call, item: object, kinds: list[object]) -> object:
    start = kinds[1] if len(kinds) > 1 else int
    if expr.keywords:
        return UNKNOWN
    for member in members(item):
        if member is None:
            return checker.report(
                expr, codes.OPTIONAL, f"an item of `{quoted(expr.args[0])}` may be None, which cannot be added"
            )
        mixed = {base_of(member), *(base_of(part) for part in members(start))}
        if {Decimal, float} <= mixed or (len(kinds) == 1 and family(member) not in {"number", None}):
            return checker.operands(expr, expr.args[0], member, expr.args[-1], members(start)[0])
    wide = join(base_of(member) if family(member) == "number" else member for member in members(item))
    base_start = join(base_of(member) for member in members(start))
    if wide is bool:
        return int
    if (wide is float or wide is Decimal) and base_start is int and len(kinds) == 1:
        return join([wide, int])
    return join([wide, base_start]) if base_start is not int else wide


def _plain(checker: "Checker", expr: Call, name: str, kinds: list[object]) -> object:
    match name:
        case "abs" if kinds:
            return _no_none(
                checker, expr, kinds[0], lambda m: base_of(m) if family(m) in {"number", "timedelta"} else UNKNOWN
            )
        case "round" if kinds:
            whole = len(kinds) == 1 and not expr.keywords
            return _no_none(checker, expr, kinds[0], lambda m: int if whole else base_of(m))
        case "len" if kinds:
            return _len(checker, expr, kinds[0])
        case "max" | "min":
            return join(kinds)
        case "zip":
            columns = [checker.items(arg, kind) for arg, kind in zip(expr.args, kinds, strict=True)]
            return iterator_of(generic(tuple, *columns) if columns else tuple)
        case "int" | "float" if kinds and len(kinds) == 1:
            _no_none(checker, expr, kinds[0], lambda _: int)
            return _RESULTS[name]
        case "list" | "set" | "tuple" | "frozenset" if not kinds:
            return {"list": list, "set": set, "tuple": tuple, "frozenset": frozenset}[name]
        case _:
            return _RESULTS.get(name, UNKNOWN)


def _no_none(checker: "Checker", expr: Call, annotation: object, result: Callable[[object], object]) -> object:
    if None in members(annotation):
        return checker.optional(expr, expr.args[0])
    return join(result(member) for member in members(annotation))


def _len(checker: "Checker", expr: Call, annotation: object) -> object:
    for member in members(annotation):
        base = base_of(member)
        if member is None:
            checker.optional(expr, expr.args[0])
        elif isinstance(base, type) and base is not UNKNOWN and not hasattr(base, "__len__"):
            message = f"`{quoted(expr.args[0])}` is {describe(member)}, which has no length"
            checker.report(expr, codes.NO_ITEMS, message, reason="Python raises TypeError here")
    return int


def _method(checker: "Checker", expr: Call, value: Expr, name: str, env: TypeEnv) -> object:
    owner = checker.visit(value, env)
    kinds = _arguments(checker, expr, env)
    if name == "join" and expr.args:
        checker.items(expr.args[0], kinds[0])
    found: list[object] = []
    for member in members(owner):
        if member is None:
            checker.optional(expr, value)
            continue
        result = method_result(member, name, kinds)
        if result is None:
            message = f"`{quoted(value)}` is {describe(member)}, which has no method `{name}` in an expression"
            advice = advice_of(base_of(member)) or "compute it in a step or a @pure function"
            return checker.report(expr, codes.METHOD, message, advice=advice)
        found.append(result)
    return join(found)


def _reference(checker: "Checker", expr: Call, target: object, env: TypeEnv) -> object:
    kinds = _arguments(checker, expr, env)
    if target is UNKNOWN:
        return UNKNOWN
    if isinstance(target, type):
        return _construct(checker, expr, cast("type[object]", target), kinds, env)
    if not callable(target):
        return checker.report(expr, codes.NOT_CALLABLE, f"`{quoted(expr.function)}` cannot be called")
    if inspect.iscoroutinefunction(inspect.unwrap(target)):
        message = f"`{quoted(expr.function)}` gives work that has to be awaited"
        return checker.report(expr, codes.NOT_AWAITED, message, advice="await it in a statement before")
    hints = _hints(target)
    _bind(checker, expr, target, hints, env)
    return hints.get("return", UNKNOWN)


def _hints(target: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(inspect.unwrap(target))
    except (NameError, TypeError, AttributeError):
        return {}


def _construct(checker: "Checker", expr: Call, target: type[object], kinds: list[object], env: TypeEnv) -> object:
    kind = class_kind(target)
    if issubclass(target, Enum):
        _enum(checker, expr, target, kinds)
    elif kind == "model" and _plain_init(target):
        _fields(checker, expr, target, env)
    elif kind == "typeddict":
        if not expr.args:
            _fields(checker, expr, target, env)
    elif kind is not None:
        _bind(checker, expr, target, _hints(target) if kind == "dataclass" else _hints(_init_of(target)), env)
    return target


def _enum(checker: "Checker", expr: Call, target: type[Enum], kinds: list[object]) -> None:
    values = finite_values(kinds[0]) if len(kinds) == 1 else None
    if values is None:
        return
    for _, value in values:
        if not any(value == member.value or value is member for member in target):
            known = [member.value for member in target if isinstance(member.value, str)]
            advice = suggestion(value, known) if isinstance(value, str) else ""
            checker.report(expr, codes.ARGUMENTS, f"{target.__name__} has no value {value!r}", advice=advice)


def _plain_init(target: type[object]) -> bool:
    """Whether a model's constructor takes its fields by name, as pydantic's own does."""
    return str(getattr(_init_of(target), "__module__", "")).startswith("pydantic")


def _init_of(target: type[object]) -> object:
    return getattr(target, "__init__")  # noqa: B009 - a checker thinks of the method of an instance


def _fields(checker: "Checker", expr: Call, target: type[object], env: TypeEnv) -> None:
    fields = fields_of(target)
    if fields is None or any(word.name is None for word in expr.keywords):
        return
    if expr.args:
        message = f"{target.__name__} takes its fields by name"
        checker.report(expr, codes.ARGUMENTS, message, advice=f"write `{next(iter(fields), 'field')}=...`")
        return
    given = {word.name: word for word in expr.keywords if word.name is not None}
    aliases = _aliases(target)
    for name, word in given.items():
        field = fields.get(aliases.get(name, name))
        if field is None:
            _unknown_argument(checker, expr, target, name, frozenset(fields))
        else:
            _fit(checker, word.value, field.annotation, f"`{name}` of {target.__name__}", env)
    named = {aliases.get(name, name) for name in given}
    missing = [name for name, field in fields.items() if field.required and name not in named]
    if missing:
        _missing(checker, expr, target.__name__, missing)


def _aliases(target: type[object]) -> dict[str, str]:
    """The field names behind the aliases of a model."""
    found: dict[str, str] = {}
    fields = cast("Mapping[str, Any]", getattr(target, "__pydantic_fields__", {}))
    for name, info in fields.items():
        for alias in (getattr(info, "alias", None), getattr(info, "validation_alias", None)):
            if isinstance(alias, str):
                found[alias] = name
    return found


def _unknown_argument(checker: "Checker", expr: Call, target: type[object], name: str, known: frozenset[str]) -> None:
    config: Any = getattr(target, "model_config", {})
    if config.get("extra") == "allow":
        return
    advice = suggestion(name, known) or "it takes " + ", ".join(sorted(known))
    checker.report(expr, codes.ARGUMENTS, f"{target.__name__} has no field `{name}`", advice=advice)


def _missing(checker: "Checker", expr: Call, name: str, missing: list[str]) -> None:
    listed = ", ".join(f"`{item}`" for item in missing)
    checker.report(expr, codes.ARGUMENTS, f"{name} is called without {listed}", reason="Python raises an error here")


def _fit(checker: "Checker", expr: Expr, wanted: object, where: str, env: TypeEnv) -> None:
    given = checker.quietly(expr, env)
    if fits(given, wanted):
        return
    rest = [member for member in members(given) if member is not None]
    if len(rest) < len(members(given)) and rest and fits(join(rest), wanted):
        message = f"`{quoted(expr)}` may be None, but {where} is {describe(wanted)}"
        checker.report(expr, codes.OPTIONAL, message, advice=f"narrow it first: `{quoted(expr)} is not None`")
        return
    message = f"`{quoted(expr)}` is {describe(given)}, but {where} is {describe(wanted)}"
    checker.report(expr, codes.ARGUMENTS, message)


def _bind(checker: "Checker", expr: Call, target: Any, hints: Mapping[str, object], env: TypeEnv) -> None:
    """Check arguments against the signature of a function or class."""
    if any(isinstance(arg, Starred) for arg in expr.args) or any(word.name is None for word in expr.keywords):
        return
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return
    name = getattr(target, "__name__", quoted(expr.function))
    words = [word for word in expr.keywords if word.name is not None]
    known = _by_name(signature)
    for word in words:
        if known is not None and word.name not in known:
            advice = suggestion(word.name or "", known) or "it takes " + ", ".join(sorted(known))
            checker.report(expr, codes.ARGUMENTS, f"`{name}` takes no argument `{word.name}`", advice=advice)
            return
    try:
        bound = signature.bind(*expr.args, **{word.name or "": word.value for word in words})
    except TypeError as error:
        checker.report(expr, codes.ARGUMENTS, f"`{name}` cannot be called like this: {error}")
        return
    for parameter, value in bound.arguments.items():
        kind = signature.parameters[parameter].kind
        if parameter in hints and kind not in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL):
            _fit(checker, value, hints[parameter], f"`{parameter}` of `{name}`", env)


def _by_name(signature: inspect.Signature) -> frozenset[str] | None:
    kinds = {parameter.name: parameter.kind for parameter in signature.parameters.values()}
    if inspect.Parameter.VAR_KEYWORD in kinds.values():
        return None
    return frozenset(
        name
        for name, kind in kinds.items()
        if kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    )
