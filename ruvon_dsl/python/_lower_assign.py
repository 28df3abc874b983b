"""Assignments and in-place changes: targets, augmented forms, and the methods that grow a list or dict."""

from typing import Final

from ruvon.ir._nodes import Assign, AssignOperation
from ruvon.ir._spans import Span
from ruvon.ir.expr import ExpressionError, is_target, parse
from ruvon.ir.expr import _nodes as e
from ruvon.ir.expr._language import FUNCTION_NAMES, MUTATING_METHODS
from ruvon.ir.expr._nodes import BINARY_OPERATORS, Expr
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._context import Frame, Given, Place, Unit
from ruvon_dsl.python._lower_values import bind, lower_value, read_expression
from ruvon_dsl.python._pieces import Pieces, Step
from ruvon_dsl.python._scopes import statements_of, target_parts
from ruvon_dsl.python._surface import (
    Annotated,
    Assigned,
    Augmented,
    Awaiting,
    Dotted,
    Each,
    ForLoop,
    Invocation,
    Member,
    Statement,
    Text,
    Value,
)

__all__ = ["assign_piece", "in_place_call", "lower_augmented", "lower_target"]

_OPERATIONS: Final = {
    "append": AssignOperation.APPEND,
    "extend": AssignOperation.EXTEND,
    "update": AssignOperation.UPDATE,
}
_REWRITES: Final = {
    "append": "{0} = [*{0}, {1}]",
    "extend": "{0} = [*{0}, *{1}]",
    "insert": "{0} = [*{0}[:i], value, *{0}[i:]]",
    "remove": "{0} = [item for item in {0} if item != {1}]",
    "pop": "{0} = {0}[:-1]",
    "clear": "{0} = []",
    "sort": "{0} = sorted({0})",
    "reverse": "{0} = list(reversed({0}))",
    "update": "{0} = {{**{0}, **{1}}}",
    "setdefault": "{0} = {{key: value, **{0}}}",
    "popitem": "{0} = {{key: value for key, value in {0}.items() if ...}}",
    "add": "{0} = {{*{0}, {1}}}",
    "discard": "{0} = {{item for item in {0} if item != {1}}}",
}


def assign_piece(
    unit: Unit,
    target: Expr,
    value: Expr,
    span: Span,
    place: Place,
    given: Given,
    operation: AssignOperation = AssignOperation.SET,
) -> Step:
    """An ASSIGN node."""
    name, given.name = given.name, None
    node = unit.ids.derive("set") if name is None else unit.ids.use(name)
    action = Assign(target=target, value=value, operation=operation)
    return Step(node, action, span, unit.automation(place, given.automate_next))


def lower_target(unit: Unit, target: Text | Dotted, place: Place) -> Expr | None:
    """The expression of an assignment target; one that may not be assigned is reported and gives None."""
    found = read_expression(unit, target.text, target.span)
    if found is None:
        return None
    if not is_target(found):
        unit.findings.error(
            codes.TARGET,
            f"`{target.text}` is not a target that a workflow can assign to",
            target.span,
            help="assign to a name, a field of `state` or a path below one",
        )
        return None
    return bind(unit, found, place.frame) if _assignable(unit, found, target.span, place) else None


def _assignable(unit: Unit, target: Expr, span: Span, place: Place) -> bool:
    match target:
        case e.Tuple(items=items):
            found = [_assignable(unit, item, item.span or span, place) for item in items]  # all of them are reported
            return all(found)
        case e.Name(id="state"):
            unit.findings.error(
                codes.STATE_NAME,
                "`state` is assigned, but it is the workflow's state and cannot be another object",
                span,
                help="assign its fields: `state.field = value`",
                reason="the engine stores the fields of one state object",
            )
            return False
        case e.Name(id=name) if name in FUNCTION_NAMES:
            unit.findings.error(
                codes.LANGUAGE_NAME,
                f"`{name}` is a function of the expression language and cannot be a variable",
                span,
                help=f"give the variable another name, such as `{name}_value`",
            )
            return False
        case e.Name():
            return True
        case _:
            return _path(unit, target, span, place)


def _path(unit: Unit, target: Expr, span: Span, place: Place) -> bool:
    """A path below the state, or an item of a list or dict that was made here."""
    root = root_of(target)
    if root is None or root.id == "state":
        return root is not None
    one_item = isinstance(target, e.Subscript) and isinstance(target.value, e.Name)
    if one_item and fresh_kind(root.id, place.frame):
        return True
    text = unit.source.slice(span)
    origin = origin_of(root.id, place.frame)
    if origin is not None:
        rewrite = _by_origin(root.id, origin, f"{origin}{text[len(root.id) :]} = ...")
    elif isinstance(target, e.Subscript):
        key = unit.source.slice(target.index.span) if target.index.span is not None else "key"
        rewrite = f"write `{root.id} = {{**{root.id}, {key}: value}}` for a dict"
    else:
        rewrite = "build a new object with the changed field, or change it by its path below `state`"
    report_in_place(unit, f"`{text}` is assigned", root, span, place, rewrite)
    return False


def root_of(expr: Expr) -> e.Name | None:
    """The name that a path starts at."""
    while isinstance(expr, e.Attribute | e.Subscript):
        expr = expr.value
    return expr if isinstance(expr, e.Name) else None


def report_in_place(unit: Unit, what: str, root: e.Name, span: Span, place: Place, rewrite: str) -> None:
    """Report an in-place change through something that others may see."""
    frame = place.frame
    if root.id in frame.bound:
        why = f"`{root.id}` may be another name of a value that is stored elsewhere"
    elif frame.has(root.id):
        why = f"`{root.id}` belongs to the workflow around this branch, which sees it as it was"
    else:
        why = f"`{root.id}` is a variable of the module, which is not stored with the workflow"
    unit.findings.error(
        codes.IN_PLACE,
        f"{what}, but workflow values are stored by value",
        span,
        reason=f"{why}; after a crash the change would be there on some runs and lost on others",
        help=rewrite,
    )


def origin_of(name: str, frame: Frame) -> str | None:
    """The path below `state`, or the list or dict made here, that a variable only is another name of."""
    seen: set[str] = set()
    while name in frame.bound and frame.body is not None and name not in seen:
        seen.add(name)
        made = _binders(frame).get(name, [])
        value = made[0].value if len(made) == 1 and isinstance(made[0], Assigned) else None
        if value is None or isinstance(value, Awaiting | Each):
            return None
        root = _path_root(value)
        if root == "state" or (root is not None and fresh_kind(root, frame)):
            return value.text
        if root is None or value.text != root:
            return None
        name = root
    return None


def _path_root(value: Value) -> str | None:
    try:
        found = parse(value.text)
    except ExpressionError:
        return None
    root = root_of(found)
    return None if root is None or not is_target(found) else root.id


def _by_origin(name: str, origin: str, rewrite: str) -> str:
    return f"`{name}` is another name of `{origin}`: write `{rewrite}`"


# --- what was made here -----------------------------------------------------------------------------------------------


def fresh_kind(name: str, frame: Frame) -> str:
    """`list` or `dict` where every value the name gets in this function is made by an expression of that kind."""
    if name not in frame.bound or frame.body is None:
        return ""
    if name not in frame.fresh:
        kinds = {_kind(item, name) for item in _binders(frame).get(name, ())}
        kinds.discard("declaration")
        frame.fresh[name] = kinds.pop() if len(kinds) == 1 else ""
    return frame.fresh[name]


def _binders(frame: Frame) -> dict[str, list[Statement]]:
    """The statements that give each name of a function a value."""
    if not frame.binders and frame.body is not None:
        for statement in statements_of(frame.body):
            if isinstance(statement, Assigned | Annotated | ForLoop):
                for name in dict.fromkeys(part for part, _ in target_parts(statement.target)):
                    frame.binders.setdefault(name, []).append(statement)
    return frame.binders


def _kind(statement: Statement, name: str) -> str:
    match statement:
        case Annotated(value=None):
            return "declaration"
        case Assigned(target=Dotted(parts=(found,)), value=value) if found == name:
            return _kind_of(value)
        case Annotated(target=Dotted(parts=(found,)), value=value) if found == name and value is not None:
            return _kind_of(value)
        case _:
            return ""


def _kind_of(value: Value) -> str:
    if isinstance(value, Each):
        return "list" if value.kind == "list" else ""
    if isinstance(value, Awaiting):
        return ""
    try:
        found = parse(value.text)
    except ExpressionError:
        return ""
    match found:
        case e.List() | e.Comprehension(kind="list") | e.Call(function=e.Name(id="list" | "sorted")):
            return "list"
        case e.Dict() | e.DictComprehension() | e.Call(function=e.Name(id="dict")):
            return "dict"
        case _:
            return ""


# --- augmented assignments --------------------------------------------------------------------------------------------


def lower_augmented(unit: Unit, statement: Augmented, place: Place, given: Given) -> Pieces:
    """`target op= value`."""
    if statement.op not in BINARY_OPERATORS:
        unit.findings.error(
            codes.AUGMENTED, f"the operator `{statement.op}=` is not in the language", statement.span, help="use a step"
        )
        return ()
    value = lower_value(unit, statement.value, place.frame, statement.span)
    target = lower_target(unit, statement.target, place)
    if target is None or isinstance(target, e.Tuple):
        return ()
    if statement.op == "+" and isinstance(target, e.Name):
        name = statement.target.text
        if fresh_kind(name, place.frame) == "list":
            return (assign_piece(unit, target, value, statement.span, place, given, AssignOperation.EXTEND),)
        if isinstance(value, e.List | e.Comprehension):
            added = " ".join(statement.value.text.split())
            origin = origin_of(name, place.frame)
            items = added[1:-1] if isinstance(value, e.List) else f"*{added}"
            rewrite = f"write `{name} = [*{name}, {items}]`"
            if origin is not None:
                rewrite = _by_origin(name, origin, f"{origin} += {added}")
            report_in_place(unit, f"`{name} +=` grows a list in place", e.Name(name), statement.span, place, rewrite)
            return ()
    whole = e.Binary(statement.op, target, value, statement.span)
    return (assign_piece(unit, target, whole, statement.span, place, given),)


# --- methods ----------------------------------------------------------------------------------------------------------


def in_place_call(unit: Unit, call: Invocation, span: Span, place: Place, given: Given) -> Pieces | None:
    """`xs.append(v)` and its like as a statement; None where the call is something else."""
    method = _method(unit, call, place)
    if method is None:
        return None
    owner, name = method
    root = root_of(owner)
    args = [arg for arg in call.args if not arg.star and arg.keyword is None]
    text = " ".join(_owner_text(call).split())
    added = args[0].value.text if args else "value"
    rewrite = _REWRITES.get(name, "a new value")
    operation = _OPERATIONS.get(name)
    wanted = "dict" if name == "update" else "list"
    local = isinstance(owner, e.Name) and fresh_kind(owner.id, place.frame) == wanted
    below = root is not None and root.id == "state" and not isinstance(owner, e.Name)
    if root is not None and operation is not None and (local or below):
        value = _grown(unit, name, call, place)
        if value is not None:
            return (assign_piece(unit, bind(unit, owner, place.frame), value, span, place, given, operation),)
    if root is not None:
        advice = f"write `{rewrite.format(text, added)}`"
        origin = origin_of(root.id, place.frame)
        if origin is not None:
            path = origin + text[len(root.id) :]
            given_text = ", ".join(" ".join(unit.source.slice(arg.span).split()) for arg in call.args)
            fits = f"{path}.{name}({given_text})" if name in _OPERATIONS else rewrite.format(path, added)
            advice = _by_origin(root.id, origin, fits)
        report_in_place(unit, f"`{text}.{name}(...)` changes `{text}` in place", root, span, place, advice)
    return ()


def _method(unit: Unit, call: Invocation, place: Place) -> tuple[Expr, str] | None:
    """The owner and name of a mutating method of a variable or of the state."""
    function = call.function
    if not isinstance(function, Dotted | Text | Member) or function.text.rpartition(".")[2] not in MUTATING_METHODS:
        return None
    try:
        found = parse(
            function.text, file=function.span.file, line=function.span.start.line, column=function.span.start.column
        )
    except ExpressionError:
        return None
    root = root_of(found)
    if not isinstance(found, e.Attribute) or root is None:
        return None
    known = unit.names.imports.keys()
    if root.id in known and not place.frame.has(root.id):
        return None
    return found.value, found.name


def _owner_text(call: Invocation) -> str:
    return call.function.text.rpartition(".")[0]


def _grown(unit: Unit, name: str, call: Invocation, place: Place) -> Expr | None:
    """The value that is appended or merged, or None where the arguments do not fit."""
    plain = [arg.value for arg in call.args if arg.keyword is None and not arg.star]
    keywords = [arg for arg in call.args if arg.keyword is not None]
    if len(plain) + len(keywords) != len(call.args) or len(plain) > 1 or (keywords and name != "update"):
        return None
    if keywords:
        items = tuple(
            e.DictItem(e.Const(arg.keyword, arg.span), lower_value(unit, arg.value, place.frame, call.span))
            for arg in keywords
        )
        first = tuple(e.DictItem(None, lower_value(unit, value, place.frame, call.span)) for value in plain)
        return e.Dict((*first, *items), call.span)
    return lower_value(unit, plain[0], place.frame, call.span) if plain else None
