"""Whether what a name means follows from the text of the modules alone.

A compiled definition holds values of its modules: constants, options of steps. `LIMIT = 3` is vouched for by the hash of
its file; `LIMIT = int(os.environ["LIMIT"])` is not. This reads the texts, never the objects, and says yes only where every
part of the value is written out; a wrong no costs an import, a wrong yes would be a wrong definition.
"""

import ast
import builtins
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias, final

from ruvon.ir.expr._language import words

__all__ = ["ModuleText", "is_written_out"]

_PURE_BUILTINS: Final = frozenset(
    words(
        "abs bool bytes classmethod complex dict divmod enumerate float frozenset int len list max min pow property range "
        "reversed round set sorted staticmethod str sum tuple zip"
    )
)
_PURE: Final = frozenset(
    {"dataclasses.dataclass", "dataclasses.field", "datetime.date", "datetime.datetime", "datetime.time"}
    | {"datetime.timedelta", "datetime.timezone", "decimal.Decimal", "enum.auto", "enum.unique", "uuid.UUID"}
    | {"types.MappingProxyType", "typing.NewType", "typing.TypeVar", "typing.cast", "typing.final"}
)
"""What may be called in a value that is written out: makers of values, which ask nobody for anything."""
_PURE_PACKAGES: Final = frozenset({"ruvon", "pydantic"})
_MODULE_ATTRIBUTES: Final = frozenset({"__name__", "__doc__"})

Texts: TypeAlias = Callable[[str], "ModuleText | None"]
"""From the name of a module to its text; None for a library."""


@final
@dataclass(frozen=True)
class ModuleText:
    """One module: its name, whether it is a package, and its tree."""

    name: str
    is_package: bool
    tree: ast.Module

    @cached_property
    def bindings(self) -> dict[str, ast.stmt | None]:
        """Global names to the one plain statement that binds each; None where there are several, or one in a branch."""
        found: dict[str, ast.stmt | None] = {}
        for statement in self.tree.body:
            for name, plain in _bound_by(statement):
                found[name] = statement if plain and name not in found else None
        return found

    def origin(self, node: ast.ImportFrom) -> str:
        """The absolute name of the module that an import names."""
        if not node.level:
            return node.module or ""
        package = self.name.split(".") if self.is_package else self.name.split(".")[:-1]
        kept = package[: len(package) - node.level + 1]
        return ".".join([*kept, *([node.module] if node.module else [])])


def is_written_out(module: ModuleText, name: str, texts: Texts) -> bool:
    """Whether the text of `module`, and of those it imports from, decides what the dotted `name` means."""
    return _Reader(texts).is_fixed(module, name.split("."))


@final
class _Reader:
    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._open: set[tuple[str, str]] = set()

    def is_fixed(self, module: ModuleText, parts: list[str]) -> bool:
        name, rest = parts[0], parts[1:]
        if name not in module.bindings:
            return name in _MODULE_ATTRIBUTES or hasattr(builtins, name)
        statement = module.bindings[name]
        if statement is None or (module.name, name) in self._open:
            return False
        self._open.add((module.name, name))
        try:
            return self._statement(module, statement, name, rest)
        finally:
            self._open.discard((module.name, name))

    def _statement(self, module: ModuleText, statement: ast.stmt, name: str, rest: list[str]) -> bool:
        match statement:
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                return self._value(module, value)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return all(self._value(module, item) for item in statement.decorator_list)
            case ast.ClassDef():
                return self._class(module, statement)
            case ast.Import(names=names):
                alias = next(item for item in names if (item.asname or item.name.partition(".")[0]) == name)
                return self._imported(alias.name if alias.asname else name, rest)
            case ast.ImportFrom(names=names):
                alias = next(item for item in names if (item.asname or item.name) == name)
                return self._imported(module.origin(statement), [alias.name, *rest])
            case _:
                return False

    def _imported(self, module: str, parts: list[str]) -> bool:
        """A name of another module; what a library says counts as fixed, but for what it reads from outside."""
        while parts and (inner := self._texts(f"{module}.{parts[0]}")) is not None:
            module, parts = inner.name, parts[1:]
        text = self._texts(module)
        if text is not None:
            return self.is_fixed(text, parts) if parts else True
        path = ".".join([module, *parts])
        return path in _PURE or module.partition(".")[0] in _PURE_PACKAGES or module.partition(".")[0] == "typing"

    def _class(self, module: ModuleText, node: ast.ClassDef) -> bool:
        return all(self._value(module, item) for item in node.decorator_list) and all(
            self._member(module, item) for item in node.body
        )

    def _member(self, module: ModuleText, node: ast.stmt) -> bool:
        match node:
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                return self._value(module, value)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Pass() | ast.AnnAssign():
                return True
            case ast.Expr(value=ast.Constant()):
                return True
            case ast.ClassDef():
                return self._class(module, node)
            case _:
                return False

    def _value(self, module: ModuleText, node: ast.expr) -> bool:
        match node:
            case ast.Constant():
                return True
            case ast.Name() | ast.Attribute():
                path = _dotted(node)
                return path is not None and self.is_fixed(module, path)
            case ast.Call(func=function, args=args, keywords=keywords):
                values = [*args, *(item.value for item in keywords)]
                return self._callee(module, function) and all(self._value(module, item) for item in values)
            case ast.Lambda() | ast.Await() | ast.Yield() | ast.YieldFrom() | ast.NamedExpr():
                return False
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                return False
            case _:
                return all(self._value(module, item) for item in _inner(node))

    def _callee(self, module: ModuleText, node: ast.expr) -> bool:
        path = _dotted(node)
        if path is None:
            return False
        statement = module.bindings.get(path[0])
        if path[0] not in module.bindings:
            return len(path) == 1 and path[0] in _PURE_BUILTINS
        match statement:
            case ast.Import() | ast.ImportFrom():
                return self.is_fixed(module, path)
            case _:
                return False


def _inner(node: ast.expr) -> Iterator[ast.expr]:
    for item in ast.iter_child_nodes(node):
        if isinstance(item, ast.expr):
            yield item


def _dotted(node: ast.expr) -> list[str] | None:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.insert(0, node.attr)
        node = node.value
    return [node.id, *parts] if isinstance(node, ast.Name) else None


def _bound_by(statement: ast.stmt) -> Iterator[tuple[str, bool]]:
    """The names that a statement at the top of a module binds, and whether that is all it does."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr()):
            yield name, True
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name, True
        case ast.Import(names=names):
            yield from ((item.asname or item.name.partition(".")[0], True) for item in names)
        case ast.ImportFrom(names=names):
            yield from ((item.asname or item.name, True) for item in names)
        case _:
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
                    yield node.id, False
