"""Closures for calls: functions of the language, methods, classes and `@pure` functions, recorded values.

What is called is decided here, once; at run time only the values of arguments are new. Python's order is kept: the
function or the method is looked up before the arguments are evaluated.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final, cast

from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir.expr import _codes as codes
from ruvon.ir.expr._access import bind_method
from ruvon.ir.expr._budget import ATOMS, counted
from ruvon.ir.expr._compile_collections import collect_items
from ruvon.ir.expr._compile_values import CompilePart, constant, resolve
from ruvon.ir.expr._errors import ExpressionAccessError, ExpressionError
from ruvon.ir.expr._guards import CLASS_FUNCTIONS, FUNCTIONS, METHOD_GUARDS
from ruvon.ir.expr._language import CLASS_METHODS, IMPURE, KEY_FUNCTIONS, SPECIAL, TYPE_NAMES
from ruvon.ir.expr._nodes import Attribute, Binary, Call, Const, Expr, Keyword, Name, Ref, Starred, Tuple
from ruvon.ir.expr._operators import Code
from ruvon.ir.expr._scopes import Scopes
from ruvon.ir.expr._walk import class_names

__all__ = ["compile_call"]

_LONG_TEXT: Final = 256


def compile_call(expr: Call, scopes: Scopes, part: CompilePart) -> Code:
    """The closure of a call that has passed the rules."""
    match expr.function:
        case Name(id="isinstance"):
            return _isinstance(expr, scopes, part)
        case Name(id=name) if name in IMPURE:
            return _recorded(name)
        case Name(id=name) if name in SPECIAL:
            return _special(name, expr)
        case Name(id=name):
            return _function(name, expr, scopes, part)
        case Attribute(value=Name(id=owner), name=name) if not scopes.is_local(owner) and name in CLASS_METHODS.get(
            owner, ()
        ):
            return _general(CLASS_FUNCTIONS[owner, name], expr, scopes, part)
        case Attribute(value=value, name=name):
            return _method(part(value, scopes), name, expr, scopes, part)
        case Ref(path=path):
            return _reference(path, expr, scopes, part)
        case _:
            raise _refused(expr, "only functions, methods and classes that are named can be called")


def _refused(expr: Call, message: str) -> ExpressionError:
    return ExpressionError([Diagnostic(code=codes.NOT_CALLABLE, message=message, span=expr.span)])


def _recorded(name: str) -> Code:
    match name:
        case "now":
            return lambda f: f.env.recorder.now()
        case "new_id":
            return lambda f: f.env.recorder.new_id()
        case _:
            return lambda f: f.env.recorder.random()


def _special(name: str, expr: Call) -> Code:
    match expr.args:
        case (Const(value=str(text)),) if name == "secret":
            return lambda f: f.env.secrets(text)
        case (Const(value=str(text)),) if name == "template":
            return lambda f: f.meter.grown(f.env.templates(text, f.names))
        case _:
            raise _refused(expr, f"`{name}` takes one literal text")


def _isinstance(expr: Call, scopes: Scopes, part: CompilePart) -> Code:
    match expr:
        case Call(args=(value, kinds), keywords=()) if class_names(kinds):
            item, wanted = part(value, scopes), _classes(kinds)
            return lambda f: isinstance(item(f), wanted(f))
        case _:
            raise _refused(expr, "`isinstance` takes a value and a class, or a tuple of classes, that is named")


def _classes(expr: Expr) -> Code:
    match expr:
        case Name(id=name):
            return constant(TYPE_NAMES[name])
        case Const():
            return constant(type(None))
        case Tuple(items=items):
            parts = [_classes(item) for item in items]
            return lambda f: tuple(item(f) for item in parts)
        case Binary(left=left, right=right):
            pair = (_classes(left), _classes(right))
            return lambda f: tuple(item(f) for item in pair)
        case Ref(path=path):
            return _class_of(path)
        case _:
            return constant(())


def _class_of(path: str) -> Code:
    def load(f: Any) -> Any:
        found: object = f.env.resolve(path)
        if not isinstance(found, type):
            raise ExpressionAccessError(type(found), path, "it is not a class")
        return found

    return load


def _function(name: str, expr: Call, scopes: Scopes, part: CompilePart) -> Code:
    function = FUNCTIONS.get(name)
    if function is None:
        raise _refused(expr, f"`{name}` is not a function of the language")
    if name == "len" and len(expr.args) == 1 and not expr.keywords and not isinstance(expr.args[0], Starred):
        only = part(expr.args[0], scopes)
        return lambda f: len(only(f))
    return _general(function, expr, scopes, part)


def _general(function: Callable[..., Any], expr: Call, scopes: Scopes, part: CompilePart) -> Code:
    """A call of a guarded function, which takes the meter first; what it built is accounted for afterwards."""
    args, keywords = collect_items(expr.args, scopes, part), _keywords(expr.keywords, scopes, part)

    def call(f: Any) -> Any:
        value = function(f.meter, *args(f), **keywords(f))
        return value if type(value) in ATOMS and type(value) is not int else f.meter.grown(value)

    return call


def _keywords(words: tuple[Keyword, ...], scopes: Scopes, part: CompilePart) -> Code:
    if not words:
        return lambda _: {}
    parts = [(word.name, _key_function(word) or part(word.value, scopes)) for word in words]

    def collect(f: Any) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for name, code in parts:
            value = code(f)
            for key, item in ((name, value),) if name is not None else _pairs(value):
                if key in given:
                    raise TypeError(f"got multiple values for keyword argument {key!r}")
                given[key] = item
        return given

    return collect


def _pairs(value: Any) -> Any:
    kind = type(cast("object", value))
    if not hasattr(kind, "keys"):
        raise TypeError(f"argument after ** must be a mapping, not {kind.__name__}")
    items: dict[object, object] = dict(value)
    if not all(isinstance(key, str) for key in items):
        raise TypeError("keywords must be strings")
    return items.items()


def _key_function(word: Keyword) -> Code | None:
    """`key=len` and `key=pure_function` name a function without calling it."""
    if word.name != "key":
        return None
    match word.value:
        case Name(id=name) if name in KEY_FUNCTIONS:
            return constant(
                {"abs": abs, "bool": bool, "float": float, "int": int, "len": len, "repr": repr, "str": str}[name]
            )
        case Ref(path=path):
            return resolve(path)
        case _:
            return None


def _method(value: Code, name: str, expr: Call, scopes: Scopes, part: CompilePart) -> Code:
    """A method of the language; the last type it was found on is remembered at this place."""
    get = attrgetter(name)
    args, keywords = collect_items(expr.args, scopes, part), _keywords(expr.keywords, scopes, part)

    known: tuple[type, Callable[..., Any] | None] | None = None

    def call(f: Any) -> Any:
        nonlocal known
        item: object = value(f)
        kind = type(item)
        memory = known
        if memory is not None and memory[0] is kind:
            guard, method = memory[1], get(item)
        else:
            base, method = bind_method(item, name)
            guard = METHOD_GUARDS.get((base, name))
            known = (kind, guard)
        if isinstance(item, str | bytes) and len(item) > _LONG_TEXT:
            f.meter.step(len(item) >> 8)
        given, named = args(f), keywords(f)
        found = method(*given, **named) if guard is None else guard(f.meter, method, tuple(given), named)
        return found if type(found) in ATOMS else f.meter.grown(found)

    return call


def _reference(path: str, expr: Call, scopes: Scopes, part: CompilePart) -> Code:
    args, keywords = collect_items(expr.args, scopes, part), _keywords(expr.keywords, scopes, part)

    def call(f: Any) -> Any:
        target: Any = f.env.resolve(path)
        values: list[object] = args(f)
        given = [counted(arg, f.meter) if hasattr(arg, "__next__") else arg for arg in values]
        found = target(*given, **keywords(f))
        return found if type(found) in ATOMS else f.meter.grown(found)

    return call
