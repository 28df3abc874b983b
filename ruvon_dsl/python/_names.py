"""What the names of one module mean, as far as its own text says: imports, and which functions are steps or workflows.

Nothing is imported. This is what lets a file be checked in an editor or in CI, and what recognises the functions of
Ruvon under any alias.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, final

import libcst as cst

__all__ = ["RUVON_NAMES", "Declared", "Names", "read_names"]

RUVON_NAMES: Final = frozenset(
    [
        "BREAK",
        "CONTINUE",
        "END",
        "Elapsed",
        "Retry",
        "TimedOut",
        "Won",
        "after",
        "block",
        "call",
        "compensate",
        "compensation",
        "external_workflow",
        "first_of",
        "flow",
        "gather",
        "http",
        "human",
        "infer",
        "named",
        "new_id",
        "node",
        "now",
        "pure",
        "random",
        "receive",
        "saga",
        "secret",
        "sleep",
        "sleep_until",
        "start",
        "step",
        "step_ref",
        "template",
        "wasm",
        "workflow",
    ]
)
"""The names of Ruvon that mean something to the compiler."""
_HOMES: Final = ("ruvon", "ruvon.authoring", "ruvon_dsl")


@final
@dataclass(frozen=True, slots=True)
class Declared:
    """What the module's text says about one of its own names."""

    kind: Literal["step", "workflow", "pure", "block", "compensation", "function", "class", "value"]
    workflow_type: str | None = None
    """For a workflow: its type, where it is a literal."""
    path: str | None = None
    """For a `step_ref`: the path, where it is a literal."""
    node: cst.FunctionDef | None = None


@final
@dataclass(slots=True)
class Names:
    """Imports and declarations of a module."""

    imports: dict[str, str] = field(default_factory=dict[str, str])
    """Local name to the full dotted path it was imported from."""
    stars: list[str] = field(default_factory=list[str])
    declared: dict[str, Declared] = field(default_factory=dict[str, Declared])
    ruvon_import: cst.ImportAlias | None = None
    """The last name of the first `from ruvon import ...`, behind which a fix adds another."""

    def full(self, parts: Sequence[str]) -> str | None:
        """The full path of a dotted name that starts at an import, or None."""
        root = self.imports.get(parts[0])
        return None if root is None else ".".join((root, *parts[1:]))

    def ruvon(self, parts: Sequence[str]) -> str | None:
        """The name of Ruvon that a dotted name means (`rv.human` is `human`), or None."""
        full = self.full(parts)
        if full is not None:
            home, _, name = full.rpartition(".")
            return name if home in _HOMES and name in RUVON_NAMES else None
        if len(parts) == 1 and parts[0] not in self.declared and any(star in _HOMES for star in self.stars):
            return parts[0] if parts[0] in RUVON_NAMES else None
        return None


def read_names(module: cst.Module) -> Names:
    """Collect the imports and declarations of a module."""
    names = Names()
    for statement in _statements(module.body):
        match statement:
            case cst.Import() | cst.ImportFrom():
                _import(names, statement)
            case cst.FunctionDef():
                names.declared[statement.name.value] = _function(names, statement)
            case cst.ClassDef(name=name):
                names.declared[name.value] = Declared("class")
            case cst.Assign(targets=targets, value=value):
                _assignment(names, [item.target for item in targets], value)
            case cst.AnnAssign(target=target, value=value):
                _assignment(names, [target], value)
            case _:
                continue
    return names


def _statements(body: Sequence[cst.CSTNode]) -> Iterator[cst.CSTNode]:
    """The statements of the module, those below `if` and `try` included."""
    for item in body:
        match item:
            case cst.SimpleStatementLine(body=small):
                yield from small
            case cst.If() | cst.Else() | cst.Finally() | cst.ExceptHandler():
                yield from _statements(item.body.body)
                if isinstance(item, cst.If) and item.orelse is not None:
                    yield from _statements([item.orelse])
            case cst.Try():
                yield from _statements([*item.body.body, *item.handlers])
                yield from _statements([part for part in (item.orelse, item.finalbody) if part is not None])
            case _:
                yield item


def _import(names: Names, node: cst.Import | cst.ImportFrom) -> None:
    if isinstance(node, cst.Import):
        for item in node.names:
            path = _dotted(item.name)
            if item.asname is not None and isinstance(item.asname.name, cst.Name):
                names.imports[item.asname.name.value] = path
            else:
                names.imports[path.partition(".")[0]] = path.partition(".")[0]
        return
    home = "." * len(node.relative) + (_dotted(node.module) if node.module is not None else "")
    if isinstance(node.names, cst.ImportStar):
        names.stars.append(home)
        return
    if home == "ruvon" and names.ruvon_import is None:
        names.ruvon_import = node.names[-1]
    for item in node.names:
        name = _dotted(item.name)
        local = item.asname.name.value if item.asname and isinstance(item.asname.name, cst.Name) else name
        names.imports[local] = f"{home}.{name}" if home else name


def _dotted(node: cst.BaseExpression) -> str:
    match node:
        case cst.Name(value=value):
            return value
        case cst.Attribute(value=value, attr=attr):
            return f"{_dotted(value)}.{attr.value}"
        case _:
            return ""


def _function(names: Names, node: cst.FunctionDef) -> Declared:
    for decorator in node.decorators:
        call = decorator.decorator
        maker = call.func if isinstance(call, cst.Call) else call
        match names.ruvon(tuple(_dotted(maker).split("."))):
            case "workflow":
                return Declared("workflow", _first_text(call), node=node)
            case "step":
                return Declared("step", node=node)
            case "pure":
                return Declared("pure", node=node)
            case "block":
                return Declared("block", node=node)
            case "compensate":
                return Declared("compensation", node=node)
            case _:
                continue
    return Declared("function", node=node)


def _assignment(names: Names, targets: Sequence[cst.BaseExpression], value: cst.BaseExpression | None) -> None:
    made = Declared("value")
    if isinstance(value, cst.Call):
        match names.ruvon(tuple(_dotted(value.func).split("."))):
            case "external_workflow":
                made = Declared("workflow", _first_text(value))
            case "step_ref":
                made = Declared("step", path=_first_text(value))
            case _:
                pass
    for target in targets:
        if isinstance(target, cst.Name):
            names.declared[target.value] = made


def _first_text(call: cst.BaseExpression) -> str | None:
    if not isinstance(call, cst.Call) or not call.args or call.args[0].keyword is not None:
        return None
    value = call.args[0].value
    text = value.evaluated_value if isinstance(value, cst.SimpleString) else None
    return text if isinstance(text, str) else None
