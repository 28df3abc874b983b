"""Questions about a tree and rewritings of it: parts, names, references, paths, substitution.

All functions respect the scopes of comprehensions: the variables of a comprehension are its own, except that its first
iterable is evaluated outside, as in Python.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, assert_never

from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._spans import Span
from ruvon.ir.expr._canonical import FoldError, boolean, call, format_string, unary
from ruvon.ir.expr._codes import ARGUMENTS
from ruvon.ir.expr._errors import ExpressionError
from ruvon.ir.expr._language import CLASS_ATTRIBUTES, CLASS_METHODS, IMPURE, KEY_FUNCTIONS, TYPE_NAMES
from ruvon.ir.expr._nodes import (
    Attribute,
    Binary,
    Boolean,
    Call,
    Clause,
    Compare,
    Comprehension,
    Conditional,
    Const,
    Dict,
    DictComprehension,
    DictItem,
    Expr,
    FormatPart,
    FormatString,
    Keyword,
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

__all__ = [
    "attribute_paths",
    "bound_names",
    "children",
    "class_names",
    "dotted",
    "free_names",
    "impure_calls",
    "is_target",
    "names",
    "rebuild",
    "refs",
    "substitute",
    "transform",
    "walk",
]


_LEAVES: Final[frozenset[type]] = frozenset({Const, Name, Ref})
_NOTHING: Final[frozenset[str]] = frozenset()
_SCOPED: Final[frozenset[type]] = frozenset({Call, Comprehension, DictComprehension})


def children(expr: Expr) -> tuple[Expr, ...]:
    """The direct parts of an expression, in the order of evaluation."""
    if type(expr) in _LEAVES:
        return ()
    match expr:  # frequent kinds first: each case that does not fit costs a test
        case Attribute(value=value):
            return (value,)
        case Call(function=function, args=args, keywords=keywords):
            return (function, *args, *(word.value for word in keywords)) if keywords else (function, *args)
        case Compare(left=left, rights=rights):
            return (left, *rights)
        case Boolean(values=parts) | List(items=parts) | Tuple(items=parts) | Set(items=parts):
            return parts
        case Binary(left=left, right=right):
            return (left, right)
        case Unary(operand=value) | Starred(value=value):
            return (value,)
        case FormatString(parts=parts):
            return tuple(_format_children(parts))
        case Subscript(value=value, index=index):
            return (value, index)
        case Slice(start=start, stop=stop, step=step):
            return tuple(part for part in (start, stop, step) if part is not None)
        case Conditional(test=test, body=body, otherwise=otherwise):
            return (test, body, otherwise)
        case Dict(items=items):
            return tuple(part for item in items for part in (item.key, item.value) if part is not None)
        case Comprehension(element=element, clauses=clauses):
            return (*_clause_parts(clauses), element)
        case DictComprehension(key=key, value=value, clauses=clauses):
            return (*_clause_parts(clauses), key, value)
        case Const() | Name() | Ref():
            return ()
        case _:
            assert_never(expr)


def _clause_parts(clauses: tuple[Clause, ...]) -> tuple[Expr, ...]:
    return tuple(part for clause in clauses for part in (clause.over, clause.target, *clause.tests))


def _format_children(parts: tuple[str | FormatPart, ...]) -> Iterator[Expr]:
    for part in parts:
        if isinstance(part, FormatPart):
            yield part.value
            if part.spec is not None:
                yield part.spec


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all its parts, outer before inner, left to right."""
    found = _chain(expr)
    last = found[-1]
    if type(last) in _LEAVES:
        return iter(found)
    pending = list(children(last)[::-1])
    while pending:
        node = pending.pop()
        found.append(node)
        if type(node) is Attribute:
            pending.append(node.value)
        elif type(node) not in _LEAVES:
            pending.extend(children(node)[::-1])
    return iter(found)


def _chain(expr: Expr) -> list[Expr]:
    """The expression and what stands before its dots: most expressions are a name, or a path such as `state.amount`."""
    found = [expr]
    while type(expr) is Attribute:
        expr = expr.value
        found.append(expr)
    return found


def rebuild(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """The expression with every direct part replaced by `change(part)`; canonical if the parts are.

    Raises:
        ExpressionError: a constructor became constant and Python refuses its arguments.
    """
    match expr:
        case Const() | Name() | Ref():
            return expr
        case Attribute(value=value, name=name, span=span):
            return Attribute(change(value), name, span)
        case Subscript(value=value, index=index, span=span):
            return Subscript(change(value), change(index), span)
        case Slice(start=start, stop=stop, step=step, span=span):
            first, last, by = (None if part is None else change(part) for part in (start, stop, step))
            return Slice(first, last, by, span)
        case Unary(op=op, operand=operand, span=span):
            return unary(op, change(operand), span)
        case Binary(op=op, left=left, right=right, span=span):
            return Binary(op, change(left), change(right), span)
        case Boolean(op=op, values=values, span=span):
            return boolean(op, [change(value) for value in values], span)
        case Compare(left=left, ops=ops, rights=rights, span=span):
            return Compare(change(left), ops, tuple(change(right) for right in rights), span)
        case Conditional(test=test, body=body, otherwise=otherwise, span=span):
            return Conditional(change(test), change(body), change(otherwise), span)
        case _:
            return _rebuild_collection(expr, change)


def _rebuild_collection(
    expr: Starred | List | Tuple | Set | Dict | Comprehension | DictComprehension | Call | FormatString,
    change: Callable[[Expr], Expr],
) -> Expr:
    match expr:
        case Starred(value=value, span=span):
            return Starred(change(value), span)
        case List(items=items, span=span):
            return List(tuple(change(item) for item in items), span)
        case Tuple(items=items, span=span):
            return Tuple(tuple(change(item) for item in items), span)
        case Set(items=items, span=span):
            return Set(tuple(change(item) for item in items), span)
        case Dict(items=pairs, span=span):
            return Dict(tuple(_rebuild_item(item, change) for item in pairs), span)
        case Comprehension(kind=kind, element=element, clauses=clauses, span=span):
            made = tuple(_rebuild_clause(clause, change) for clause in clauses)
            return Comprehension(kind, change(element), made, span)
        case DictComprehension(key=key, value=value, clauses=clauses, span=span):
            made = tuple(_rebuild_clause(clause, change) for clause in clauses)
            return DictComprehension(change(key), change(value), made, span)
        case Call(function=function, args=args, keywords=keywords, span=span):
            return _rebuild_call(change(function), tuple(change(arg) for arg in args), keywords, change, span)
        case FormatString(parts=parts, span=span):
            return format_string([_rebuild_part(part, change) for part in parts], span)
        case _:
            assert_never(expr)


def _rebuild_call(
    function: Expr,
    args: tuple[Expr, ...],
    keywords: tuple[Keyword, ...],
    change: Callable[[Expr], Expr],
    span: Span | None,
) -> Expr:
    try:
        return call(function, args, tuple(Keyword(word.name, change(word.value)) for word in keywords), span)
    except FoldError as error:
        raise ExpressionError([Diagnostic(code=ARGUMENTS, message=str(error), span=span)]) from None


def _rebuild_item(item: DictItem, change: Callable[[Expr], Expr]) -> DictItem:
    return DictItem(None if item.key is None else change(item.key), change(item.value))


def _rebuild_clause(clause: Clause, change: Callable[[Expr], Expr]) -> Clause:
    return Clause(change(clause.target), change(clause.over), tuple(change(test) for test in clause.tests))


def _rebuild_part(part: str | FormatPart, change: Callable[[Expr], Expr]) -> str | FormatPart:
    if isinstance(part, str):
        return part
    spec = None if part.spec is None else change(part.spec)
    if isinstance(spec, Const):
        spec = FormatString((str(spec.value),), spec.span) if spec.value else None
    return FormatPart(change(part.value), part.conversion, spec if isinstance(spec, FormatString) else None)


def transform(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """The expression with `change` applied to every part, inner before outer; the result is canonical again."""
    return change(rebuild(expr, lambda part: transform(part, change)))


def bound_names(target: Expr) -> frozenset[str]:
    """The names a comprehension's target binds."""
    return frozenset(node.id for node in walk(target) if isinstance(node, Name))


def dotted(expr: Expr) -> str | None:
    """`a.b.c` where the expression is a chain of attributes that starts at a name, else None."""
    parts: list[str] = []
    while isinstance(expr, Attribute):
        parts.append(expr.name)
        expr = expr.value
    return ".".join([expr.id, *reversed(parts)]) if isinstance(expr, Name) else None


def substitute(expr: Expr, mapping: Mapping[str, Expr]) -> Expr:
    """Replace free names, and dotted chains that start at a free name, by expressions; longest chain first.

    Names bound by a comprehension are left alone. The spans of what is put in are those of the replaced part's place
    where the new node has none.
    """
    return _substitute(expr, mapping, frozenset()) if mapping else expr


def _substitute(expr: Expr, mapping: Mapping[str, Expr], bound: frozenset[str]) -> Expr:
    match expr:
        case Name() | Attribute():
            path = dotted(expr)
            if path is not None and path in mapping and path.partition(".")[0] not in bound:
                return mapping[path]
            return rebuild(expr, lambda part: _substitute(part, mapping, bound))
        case Comprehension(kind=kind, element=element, clauses=clauses, span=span):
            made, inner = _substitute_clauses(clauses, mapping, bound)
            return Comprehension(kind, _substitute(element, mapping, inner), made, span)
        case DictComprehension(key=key, value=value, clauses=clauses, span=span):
            made, inner = _substitute_clauses(clauses, mapping, bound)
            return DictComprehension(_substitute(key, mapping, inner), _substitute(value, mapping, inner), made, span)
        case _:
            return rebuild(expr, lambda part: _substitute(part, mapping, bound))


def _substitute_clauses(
    clauses: tuple[Clause, ...], mapping: Mapping[str, Expr], bound: frozenset[str]
) -> tuple[tuple[Clause, ...], frozenset[str]]:
    inner = bound.union(*(bound_names(clause.target) for clause in clauses))
    made: list[Clause] = []
    for position, clause in enumerate(clauses):
        over = _substitute(clause.over, mapping, inner if position else bound)
        made.append(Clause(clause.target, over, tuple(_substitute(test, mapping, inner) for test in clause.tests)))
    return tuple(made), inner


def free_names(expr: Expr) -> Iterator[Name]:
    """The names that are read from outside the expression, as nodes; names of called functions are not among them."""
    yield from _free(expr, frozenset())


def _free(expr: Expr, bound: frozenset[str]) -> Iterator[Name]:
    match expr:
        case Name(id=name):
            if name not in bound:
                yield expr
        case Attribute(value=Name(id=name), name=member) if name not in bound and member in CLASS_ATTRIBUTES.get(
            name, ()
        ):
            return
        case Call(function=Name(id=name)) if name not in bound:
            for part in _value_arguments(expr, name):
                yield from _free(part, bound)
        case Call(function=Attribute(value=Name(id=name), name=member)) if (
            name not in bound and member in CLASS_METHODS.get(name, ())
        ):
            for part in children(expr)[1:]:
                yield from _free(part, bound)
        case Comprehension(clauses=clauses) | DictComprehension(clauses=clauses):
            inner = bound.union(*(bound_names(clause.target) for clause in clauses))
            for position, clause in enumerate(clauses):
                yield from _free(clause.over, inner if position else bound)
                for test in clause.tests:
                    yield from _free(test, inner)
            last = (expr.element,) if isinstance(expr, Comprehension) else (expr.key, expr.value)
            for part in last:
                yield from _free(part, inner)
        case _:
            for part in children(expr):
                yield from _free(part, bound)


def _value_arguments(expr: Call, function: str) -> Iterator[Expr]:
    """The arguments that are values, without classes given to `isinstance` and functions given as `key=`."""
    for position, arg in enumerate(expr.args):
        if function != "isinstance" or position != 1 or not class_names(arg):
            yield arg
    for word in expr.keywords:
        if word.name != "key" or not isinstance(word.value, Name) or word.value.id not in KEY_FUNCTIONS:
            yield word.value


def class_names(expr: Expr) -> bool:
    """Whether an expression names classes as `isinstance` takes them: `int`, `(int, str)` or `int | str`."""
    match expr:
        case Name(id=name):
            return name in TYPE_NAMES
        case Ref() | Const(value=None):
            return True
        case Tuple(items=items):
            return all(class_names(item) for item in items)
        case Binary(op="|", left=left, right=right):
            return class_names(left) and class_names(right)
        case _:
            return False


def names(expr: Expr) -> frozenset[str]:
    """The variables an expression reads: free names without comprehension variables and called functions."""
    if type(expr) in _LEAVES:
        return frozenset((expr.id,)) if isinstance(expr, Name) else frozenset()
    found: set[str] = set()
    for part in walk(expr):
        if type(part) in _SCOPED or (isinstance(part, Attribute) and _is_of_class(part)):
            return frozenset(node.id for node in free_names(expr))
        if isinstance(part, Name):
            found.add(part.id)
    return frozenset(found)


def _is_of_class(expr: Attribute) -> bool:
    return isinstance(expr.value, Name) and expr.value.id in CLASS_ATTRIBUTES


def refs(expr: Expr) -> frozenset[str]:
    """The paths of all definitions an expression refers to."""
    if type(_chain(expr)[-1]) is Name:
        return _NOTHING
    return frozenset(node.path for node in walk(expr) if isinstance(node, Ref))


def attribute_paths(expr: Expr) -> frozenset[str]:
    """The longest dotted chains the expression reads, such as `state.amount`; comprehension variables excluded."""
    return frozenset(_paths(expr, names(expr)))


def _paths(expr: Expr, free: frozenset[str]) -> Iterator[str]:
    path = dotted(expr) if isinstance(expr, Attribute) else None
    if path is not None:
        if path.partition(".")[0] in free:
            yield path
        return
    if isinstance(expr, Call) and isinstance(expr.function, Attribute):
        yield from _paths(expr.function.value, free)
        parts = children(expr)[1:]
    else:
        parts = children(expr)
    for part in parts:
        yield from _paths(part, free)


def impure_calls(expr: Expr) -> tuple[Call, ...]:
    """The calls of `now()`, `new_id()` and `random()`, outer before inner."""
    if type(_chain(expr)[-1]) in _LEAVES:
        return ()
    found = [node for node in walk(expr) if isinstance(node, Call)]
    return tuple(node for node in found if isinstance(node.function, Name) and node.function.id in IMPURE)


def is_target(expr: Expr) -> bool:
    """Whether a value can be assigned to the expression: a name, a path that starts at one, or a tuple of those."""
    match expr:
        case Name():
            return True
        case Attribute(value=value):
            return not isinstance(value, Tuple) and is_target(value)
        case Subscript(value=value, index=index):
            return not isinstance(value, Tuple) and not isinstance(index, Slice) and is_target(value)
        case Tuple(items=items):
            return bool(items) and all(is_target(item) for item in items)
        case _:
            return False
