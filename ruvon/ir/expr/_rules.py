"""The rules of the language over a finished tree: what may be called, which names may be read, what stands where.

Assumes nothing about where a tree comes from: the parser runs these rules on what it read, and the compiler of closures
runs them again on whatever it is given, so that a tree built by hand or loaded from a store can do no more than a text.
Rules never look at types; that is the checker's part.
"""

import difflib
from collections.abc import Iterable, Iterator
from typing import Final, final

from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._spans import Span
from ruvon.ir.expr import _codes as codes
from ruvon.ir.expr._language import (
    BUILTINS,
    CLASS_METHODS,
    FUNCTION_NAMES,
    METHOD_NAMES,
    MUTATING_METHODS,
    words,
)
from ruvon.ir.expr._nodes import (
    Attribute,
    Binary,
    Boolean,
    Call,
    Compare,
    Comprehension,
    Const,
    DictComprehension,
    Expr,
    List,
    Name,
    Ref,
    Set,
    Slice,
    Starred,
    Subscript,
    Tuple,
)
from ruvon.ir.expr._signatures import SIGNATURES
from ruvon.ir.expr._walk import bound_names, children, dotted

__all__ = ["check_rules", "suggestion"]

_NOW: Final = "write `now()`, whose value is recorded once"
_ID: Final = "write `new_id()`, whose value is recorded once"
_CHANCE: Final = "write `random()`, whose value is recorded once"
_STEP: Final = "move it into a function marked @step and await its result"
_EFFECTS: Final[dict[str, tuple[str, str]]] = {
    **dict.fromkeys(
        words("datetime.now datetime.utcnow datetime.today date.today time.time"), ("reads the clock", _NOW)
    ),
    **dict.fromkeys(words("time.time_ns time.monotonic time.perf_counter"), ("reads the clock", _NOW)),
    **dict.fromkeys(words("uuid1 uuid4 uuid.uuid1 uuid.uuid4"), ("makes a new id each time", _ID)),
    **dict.fromkeys(words("print input open"), ("talks to the outside world", _STEP)),
}
_EFFECT_MODULES: Final[dict[str, tuple[str, str]]] = {
    "random": ("draws by chance", _CHANCE),
    "secrets": ("draws by chance", _ID),
    **dict.fromkeys(words("requests httpx aiohttp urllib socket"), ("talks to the network", _STEP)),
    **dict.fromkeys(words("os subprocess shutil pathlib sys logging"), ("talks to the machine", _STEP)),
}
_NEVER: Final = frozenset(
    words(
        "__import__ breakpoint callable classmethod compile delattr dir eval exec exit getattr globals hasattr hash help id "
        "iter locals map filter memoryview next object property quit setattr slice staticmethod super type vars"
    )
)


def check_rules(expr: Expr, *, allowed: frozenset[str] | None, linked: bool) -> list[Diagnostic]:
    """Every breach of the rules in a tree.

    Args:
        expr: The tree.
        allowed: The paths a `Ref` may name; None for any.
        linked: Whether outside names have been resolved; if not, calls of unknown names wait for the linker.
    """
    rules = _Rules(allowed, linked)
    rules.place(expr, None)
    rules.visit(expr, frozenset())
    return rules.found


def suggestion(name: str, known: Iterable[str]) -> str:
    """`did you mean ...?` where one of the known names is close, else nothing."""
    close = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else ""


_PLAIN: Final[frozenset[type]] = frozenset({Const, Name, Ref, Attribute, Subscript, Binary, Boolean, Compare})
"""Kinds whose parts all stand where the whole stands: nearly every one."""


@final
class _Rules:
    def __init__(self, allowed: frozenset[str] | None, linked: bool) -> None:
        self.found: list[Diagnostic] = []
        self._allowed = allowed
        self._linked = linked

    def visit(self, expr: Expr, bound: frozenset[str]) -> None:
        match expr:
            case Name(id=name) if name.startswith("__"):
                self._report(expr.span, codes.UNDERSCORE, f"the name `{name}` belongs to Python")
            case Attribute(name=name) if name.startswith("_"):
                self._underscore(expr.span, name)
            case Ref(path=path) if self._allowed is not None and path not in self._allowed:
                self._report(
                    expr.span,
                    codes.REF_NOT_ALLOWED,
                    f"`{path}` is not among what this definition uses",
                    advice="list it in `uses`",
                )
            case Call():
                self._call(expr, bound)
            case _:
                pass
        if type(expr) in _PLAIN:
            for part in children(expr):
                self.place(part, expr)
                self.visit(part, bound)
            return
        for part, inner in self._parts(expr, bound):
            self.place(part, expr)
            self.visit(part, inner)

    def _parts(self, expr: Expr, bound: frozenset[str]) -> Iterator[tuple[Expr, frozenset[str]]]:
        match expr:
            case Comprehension(clauses=clauses) | DictComprehension(clauses=clauses):
                inner = bound.union(*(bound_names(clause.target) for clause in clauses))
                for position, clause in enumerate(clauses):
                    self._target(clause.target)
                    yield clause.over, inner if position else bound
                    for test in clause.tests:
                        yield test, inner
                for part in (expr.element,) if isinstance(expr, Comprehension) else (expr.key, expr.value):
                    yield part, inner
            case Call(function=Name()):
                for part in children(expr)[1:]:
                    yield part, bound
            case _:
                for part in children(expr):
                    yield part, bound

    def _report(self, span: Span | None, code: str, message: str, reason: str = "", advice: str = "") -> None:
        self.found.append(Diagnostic(code=code, message=message, span=span, reason=reason, help=advice))

    def _underscore(self, span: Span | None, name: str) -> None:
        self._report(
            span,
            codes.UNDERSCORE,
            f"`{name}` begins with an underscore, so it is not data",
            "such attributes lead into the inside of Python objects",
            "read a public field",
        )

    def _target(self, target: Expr) -> None:
        match target:
            case Name(id=name) if name in FUNCTION_NAMES:
                advice = "give the variable another name"
                self._report(target.span, codes.TARGET, f"`{name}` is a function of the language", advice=advice)
            case Name(id=name) if name.startswith("__"):
                self._report(target.span, codes.UNDERSCORE, f"the name `{name}` belongs to Python")
            case Name() | Const(value=None):
                pass
            case Tuple(items=items):
                for item in items:
                    self._target(item)
            case _:
                self._report(target.span, codes.TARGET, "a comprehension binds names or tuples of names")

    def place(self, part: Expr, parent: Expr | None) -> None:
        """Stars, slices and generators stand only where they mean something."""
        match part:
            case Starred() if not isinstance(parent, List | Tuple | Set | Call):
                self._report(part.span, codes.STARRED, "`*` unpacks only inside a display or a call")
            case Slice() if not isinstance(parent, Subscript):
                self._report(part.span, codes.SYNTAX, "a slice stands only in brackets behind a value")
            case Comprehension(kind="generator") if not _takes_generator(parent):
                self._report(
                    part.span,
                    codes.FUNCTION_VALUE,
                    "a generator is not a value that can be kept",
                    advice="write a list: `[... for ... in ...]`",
                )
            case _:
                pass

    def _call(self, expr: Call, bound: frozenset[str]) -> None:
        self._keywords(expr)
        path = dotted(expr.function)
        if path is not None and path.partition(".")[0] not in bound and self._effect(expr, path):
            return
        match expr.function:
            case Name(id=name):
                self._function(expr, name, bound)
            case Attribute(value=value, name=name):
                self._method(expr, value, name, bound)
            case Ref():
                pass
            case _:
                self._report(
                    expr.span,
                    codes.NOT_CALLABLE,
                    "only functions, methods and classes that are named can be called",
                    advice="call a function of the language, a class from `uses` or a function marked @pure",
                )

    def _keywords(self, expr: Call) -> None:
        names = [word.name for word in expr.keywords if word.name is not None]
        for name in sorted({name for name in names if names.count(name) > 1}):
            self._report(expr.span, codes.PARAMETER, f"the argument `{name}` is given twice")
        for name in names:
            if name.startswith("__"):
                self._underscore(expr.span, name)

    def _effect(self, expr: Call, path: str) -> bool:
        head, _, rest = path.partition(".")
        tail = ".".join(path.split(".")[-2:])
        found = _EFFECTS.get(path) or (_EFFECTS.get(tail) if rest else None)
        if found is None and rest:
            found = _EFFECT_MODULES.get(head)
        if found is None:
            return False
        what, advice = found
        reason = "it would act again, or differ, when the instance is resumed"
        self._report(expr.span, codes.EFFECT, f"`{path}` {what}, so it cannot stand in an expression", reason, advice)
        return True

    def _function(self, expr: Call, name: str, bound: frozenset[str]) -> None:
        if name in bound:
            self._report(expr.span, codes.NOT_CALLABLE, f"`{name}` is a variable here and cannot be called")
        elif name in FUNCTION_NAMES:
            self._shape(expr, name)
        elif name.startswith("__"):
            self._report(expr.span, codes.UNDERSCORE, f"the name `{name}` belongs to Python")
        elif name in _NEVER:
            reason = "it reaches into Python itself"
            advice = "read fields by name; move anything else into a step"
            self._report(expr.span, codes.NOT_CALLABLE, f"`{name}` is not a function of the language", reason, advice)
        elif self._linked:
            advice = suggestion(name, FUNCTION_NAMES) or "list the class or the @pure function in `uses`"
            self._report(expr.span, codes.NOT_CALLABLE, f"`{name}` is not a function of the language", advice=advice)

    def _shape(self, expr: Call, name: str) -> None:
        if name in {"secret", "template"} and not (
            len(expr.args) == 1
            and not expr.keywords
            and isinstance(expr.args[0], Const)
            and isinstance(expr.args[0].value, str)
        ):
            message = f"`{name}` takes one literal text"
            self._report(
                expr.span, codes.LITERAL_ARGUMENT, message, "a definition shows what it uses", f'write `{name}("...")`'
            )
            return
        signature = SIGNATURES.get(name)
        if signature is None:
            self._report(expr.span, codes.LITERAL_ARGUMENT, f"`{name}` is not written this way")
            return
        for word in expr.keywords:
            if word.name is not None and word.name not in signature.keywords and "*" not in signature.keywords:
                advice = suggestion(word.name, signature.keywords)
                self._report(
                    expr.span, codes.PARAMETER, f"`{name}` takes no argument named `{word.name}`", advice=advice
                )
        if any(isinstance(arg, Starred) for arg in expr.args):
            return
        count = len(expr.args)
        if signature.most is not None and count > signature.most:
            most = f"{signature.most} argument{'s' if signature.most != 1 else ''}"
            advice = f"leave {'one' if count == signature.most + 1 else f'{count - signature.most} of them'} out"
            self._report(expr.span, codes.PARAMETER, f"`{name}` takes at most {most}, not {count}", "", advice)
        elif count < signature.least and not expr.keywords:
            least = f"{signature.least} argument{'s' if signature.least != 1 else ''}"
            advice = f"give {signature.least - count} more"
            self._report(expr.span, codes.PARAMETER, f"`{name}` needs {least}, not {count}", "", advice)

    def _method(self, expr: Call, value: Expr, name: str, bound: frozenset[str]) -> None:
        if name.startswith("_"):
            return
        if isinstance(value, Name) and value.id not in bound and name in CLASS_METHODS.get(value.id, ()):
            return
        if isinstance(value, Ref):
            self._report(
                expr.span, codes.NOT_CALLABLE, f"`{name}` of a class cannot be called", advice="call the class itself"
            )
        elif name in {"format", "format_map"}:
            reason = "a format text can walk into attributes of its arguments"
            self._report(expr.span, codes.FORMAT, f"`{name}` cannot be called", reason, "write an f-string")
        elif name in METHOD_NAMES:
            if name == "astimezone" and not expr.args and not expr.keywords:
                reason = "the machine's own time zone would decide"
                self._report(
                    expr.span,
                    codes.EFFECT,
                    "`astimezone` needs a time zone",
                    reason,
                    "write `.astimezone(timezone.utc)`",
                )
        elif name in MUTATING_METHODS:
            reason = "the change would not be recorded"
            self._report(
                expr.span,
                codes.MUTATION,
                f"`{name}` would change its object",
                reason,
                "build a new value: `[*values, item]`",
            )
        elif self._linked or dotted(expr.function) is None or dotted(expr.function) == f"state.{name}":
            advice = suggestion(name, METHOD_NAMES) or "move it into a step or a function marked @pure"
            self._report(expr.span, codes.METHOD, f"`{name}` is not a method of the language", advice=advice)


def _takes_generator(parent: Expr | None) -> bool:
    match parent:
        case Call(function=Name(id=name)):
            return name in BUILTINS
        case Call(function=Attribute(name=name)):
            return name in METHOD_NAMES
        case Starred() | Comprehension() | DictComprehension():
            return True
        case _:
            return False
