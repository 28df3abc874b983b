"""What a short name of the file means: `module:` first, then `uses`, parameters, and the exceptions of Python and Ruvon.

Everything that a file names goes through `ImportRoots`; nothing is imported in a parse without import, where names stay
as they are written.
"""

import builtins
import importlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from types import FunctionType
from typing import Final, final

from ruvon.ir._diagnostics import Diagnostic, Edit, Fix
from ruvon.ir._errors import RuvonError
from ruvon.ir._paths import ImportRefusedError, ImportRoots, ObjectNotFoundError, canonical_path, split_path
from ruvon.ir.expr._language import DEFINITION_PATHS
from ruvon.models import WorkflowStep
from ruvon_dsl._link import (
    ChildTarget,
    Missing,
    ModuleLookup,
    PlainFunctionTarget,
    Target,
    describe,
    plain_function,
    step_classes,
)
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._findings import Findings
from ruvon_dsl.yaml._near import near_path
from ruvon_dsl.yaml._values import ScalarNode

__all__ = ["Names"]

_RUVON: Final = ("ruvon", "ruvon.models")
_EXCEPTIONS: Final = tuple(
    name for name, item in vars(builtins).items() if isinstance(item, type) and issubclass(item, Exception)
)
"""What a misspelt error class may have meant."""


@final
class Names:
    """The outside names of one file; callable as the linker's `Lookup`.

    Args:
        roots: What may be imported.
        found: Where findings go.
        opaque: Import nothing.
    """

    def __init__(self, roots: ImportRoots, found: Findings, *, opaque: bool) -> None:
        self.opaque = opaque
        self.lost = False
        """A module or name of the header could not be loaded: what else it would have said is not reported."""
        self.module_names: list[str] = []
        self.parameters: dict[str, object] = {}
        self.reported: set[str] = set()
        """Paths that a finding is about already."""
        self._lost: dict[str, Diagnostic] = {}
        """The findings about modules that are not there, by the name of the module."""
        self._roots = roots
        self._found = found
        self._modules: list[ModuleLookup] = []
        self._uses: dict[str, object] = {}
        self._paths: dict[str, str] = {}
        self._children: Mapping[str, ChildTarget] | None = None

    def add_module(self, node: ScalarNode) -> None:
        """Take a module of the header's `module:`."""
        self.module_names.append(node.text)
        if self.opaque:
            return
        try:
            self._modules.append(ModuleLookup(self._roots.load_module(node.text)))
        except RuvonError as error:
            self._not_loaded(error, node.text, node)
            self.lost = True

    def add_use(self, name: str, node: ScalarNode) -> None:
        """Take one entry of the header's `uses:`."""
        self._paths[name] = node.text
        if not self.opaque:
            value = self.load(node)
            if value is Missing:
                self.lost = True
            else:
                self._uses[name] = value

    def give_up_if_lost(self) -> None:
        """Take the rest of the file as it is written, once something of the header is missing."""
        self.opaque = self.opaque or self.lost

    def __call__(self, name: str) -> object:
        """The object that a dotted name means, or `Missing`."""
        for module in self._modules:
            found = module(name)
            if found is not Missing:
                return found
        head, _, rest = name.partition(".")
        if head in self._uses:
            return _walk(self._uses[head], rest)
        if name in self.parameters:
            return self.parameters[name]
        if head == "parameters" and rest in self.parameters:
            return self.parameters[rest]
        if not rest:
            return _common(name)
        return self._imported(name)

    def is_final(self, name: str) -> bool:
        """Whether the name is a constant: a parameter, or declared `Final` by its module."""
        plain = name.removeprefix("parameters.")
        return plain in self.parameters or any(module.is_final(name) for module in self._modules)

    def names(self) -> Collection[str]:
        """All short names, for suggestions."""
        found: set[str] = set(self._uses) | set(self.parameters)
        for module in self._modules:
            found.update(name for name in module.names() if not name.startswith("_"))
        return found

    def load(self, node: ScalarNode, text: str | None = None) -> object:
        """The object a path or short name means; a finding and `Missing` where there is none."""
        path = node.text.strip() if text is None else text
        if ":" not in path:
            found = self(path)
            if found is not Missing:
                return found
        if ":" not in path and "." not in path:
            hint = self._found.closest(
                path,
                [*self.names(), *_EXCEPTIONS],
                "name its module with `module:` or `uses:`, or write `package.module:name`",
            )
            self._found.error(codes.NAME_NOT_FOUND, f"`{path}` is not defined", node.span, hint)
            self.reported.add(self.written(path))
            return Missing
        try:
            return self._roots.load(path)
        except RuvonError as error:
            self.reported.add(self.written(path))
            self._not_loaded(error, path, node)
            return Missing

    def _not_loaded(self, error: RuvonError, path: str, node: ScalarNode) -> None:
        """Report a module or path that is not there; a near one that is there is offered.

        A module that is not there is reported once, where it is needed first; the fix mends the other places too.
        """
        near = near_path(path, self._roots)
        fix = Fix(f"write `{near}`", (Edit(node.span, near),)) if near is not None and path == node.text else None
        lost = self._lost_module(error, path)
        first = self._lost.get(lost) if lost is not None else None
        if first is not None:
            if fix is not None and first.fix is not None:
                self._lost[lost or ""] = also = _also(first, first.fix, fix)
                self._found.replace(also)
            return
        if near is None:
            message, help_ = _explained(error, path)
        else:
            message, help_ = f"there is no `{path}`", f"did you mean `{near}`?"
        finding = Diagnostic(code=codes.NAME_NOT_FOUND, message=message, span=node.span, help=help_, fix=fix)
        self._found.add(finding)
        if lost is not None:
            self._lost[lost] = finding

    def _lost_module(self, error: RuvonError, path: str) -> str | None:
        """The module of a path, where it is the module that is missing or cannot be imported."""
        module = path if path in self.module_names else split_path(path)[0]
        if isinstance(error, ImportRefusedError):
            return None
        try:
            self._roots.load_module(module)
        except RuvonError:
            return module
        return None

    def target(self, node: ScalarNode) -> Target | None:
        """What a path or short name is to the compiler; None where it cannot be found (reported) or in opaque mode."""
        if self.opaque:
            return None
        value = self.load(node)
        if value is Missing:
            return None
        described = describe(value)
        if (
            isinstance(described, PlainFunctionTarget)
            and isinstance(value, FunctionType)
            and canonical_path(value) is None
        ):
            return plain_function(value, self.written(node.text))
        return described

    def written(self, text: str) -> str:
        """The path of a name as written: with a colon where the module is known."""
        path = self._paths.get(text.strip(), text.strip())
        if ":" in path:
            return path
        if "." in path:
            module, name = split_path(path)
            return f"{module}:{name}"
        return f"{self.module_names[0]}:{path}" if self.module_names else path

    def step_type(self, name: str) -> tuple[str, ...] | None:
        """The fields of a custom step type whose class the file's modules hold or `uses` names; None for another name.

        This is what a file checked by itself knows; whether the type is registered is the builder's question.
        """
        found = self.step_classes().get(name)
        return None if found is None else tuple(found.model_fields)

    def step_classes(self) -> Mapping[str, type[WorkflowStep]]:
        """The classes of custom step types that the file's modules hold or `uses` names, by the name of the type."""
        values = [module(word) for module in self._modules for word in module.names()]
        return step_classes([*values, *self._uses.values()])

    def child(self, name: str) -> ChildTarget | None:
        """The workflow of this type (or short name) that the file's modules declare or import."""
        if self.opaque:
            return None
        if self._children is None:
            self._children = dict(self._child_targets())
        return self._children.get(name)

    def _child_targets(self) -> Iterator[tuple[str, ChildTarget]]:
        values = [(name, module(name)) for module in self._modules for name in module.names()]
        for name, value in [*values, *self._uses.items()]:
            if hasattr(value, "__ruvon_workflow__"):
                target = describe(value)
                if isinstance(target, ChildTarget):
                    yield name, target
                    yield target.workflow_type, target

    def _imported(self, name: str) -> object:
        """A dotted name that is a path of its own, `shop.models.Receipt`; tried quietly."""
        module, _, attribute = name.rpartition(".")
        language = DEFINITION_PATHS.get(f"{module}:{attribute}")
        if language is not None:
            return getattr(importlib.import_module(module), attribute, Missing)
        try:
            return self._roots.load(name)
        except RuvonError:
            return Missing


def _also(finding: Diagnostic, known: Fix, more: Fix) -> Diagnostic:
    """A finding whose fix makes the edits of another one too."""
    if set(more.edits) <= set(known.edits):
        return finding
    title = known.title.removesuffix(_ALIKE) + _ALIKE
    return replace(finding, fix=Fix(title, (*known.edits, *more.edits)))


_IN_MODULE: Final = "mend the import of that module, which Python names here"
_ALIKE: Final = ", and the others alike"


def _explained(error: RuvonError, path: str) -> tuple[str, str]:
    match error:
        case ImportRefusedError():
            return error.problem, error.remedy
        case ObjectNotFoundError(reason=reason, remedy=remedy) if remedy:
            return reason, f"correct `{path}`, or {remedy}"
        case _:
            return str(error), _IN_MODULE if "fails to import" in str(error) or "No module" in str(error) else ""


def _walk(value: object, rest: str) -> object:
    for part in rest.split(".") if rest else ():
        if part.startswith("__"):
            return Missing
        value = getattr(value, part, Missing)
    return value


def _common(name: str) -> object:
    """An exception of Python's, or a class of Ruvon's (`TimedOut`, `Won`)."""
    found: object = getattr(builtins, name, Missing)
    if isinstance(found, type) and issubclass(found, Exception):
        return found
    for module in _RUVON:
        value: object = getattr(importlib.import_module(module), name, Missing)
        if isinstance(value, type):
            return value
    return Missing
