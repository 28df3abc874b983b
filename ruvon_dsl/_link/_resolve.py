"""Paths and type texts of a definition, resolved to objects, each once, with a finding in place of an exception."""

import importlib
import sys
from collections.abc import Collection
from typing import Any, final

from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._errors import RuvonError
from ruvon.ir._paths import ImportRefusedError, ImportRoots, ObjectNotFoundError, split_path
from ruvon.ir._spans import Span
from ruvon.ir.types import parse_type
from ruvon_dsl._link._codes import NOT_FOUND
from ruvon_dsl._link._describe import describe
from ruvon_dsl._link._targets import Missing, OtherTarget, PlainFunctionTarget, StepTarget

__all__ = ["Resolver"]


@final
class Resolver:
    """Resolves inside import roots and remembers; `found` collects what could not be resolved.

    In opaque mode (parse only) nothing is imported and every type is `Any`. About `reported` paths nothing is said.
    """

    def __init__(
        self, roots: ImportRoots, *, opaque: bool, span: Span | None = None, reported: Collection[str] = ()
    ) -> None:
        self.opaque = opaque
        self._span = span
        self.found: list[Diagnostic] = []
        self._roots = roots
        self._reported = reported
        self._objects: dict[str, object] = {}
        self._types: dict[str, object] = {}
        self._callees: dict[str, StepTarget | PlainFunctionTarget] = {}

    def load(self, path: str) -> object:
        """The object at a path; exception classes of the standard library are allowed too.

        Raises:
            ImportRefusedError: the module lies outside the roots.
            ObjectNotFoundError: there is no such object.
        """
        if path not in self._objects:
            self._objects[path] = self._load(path)
        return self._objects[path]

    def _load(self, path: str) -> object:
        try:
            return self._roots.load(path)
        except ImportRefusedError:
            module, name = split_path(path)
            if module.partition(".")[0] not in sys.stdlib_module_names:
                raise
            found = getattr(importlib.import_module(module), name, None)
            if isinstance(found, type) and issubclass(found, Exception):
                return found
            raise

    def type_of(self, text: str | None, span: Span | None) -> object:
        """The annotation of a type text; `Any` where it is not known or not found."""
        if text is None or self.opaque:
            return Any
        if text not in self._types:
            try:
                self._types[text] = parse_type(text, self.load)
            except RuvonError as exc:
                self._report(text, exc, span)
                self._types[text] = Any
        return self._types[text]

    def callee(self, path: str, span: Span | None) -> StepTarget | PlainFunctionTarget | None:
        """The function at a path; None where there is none, with a finding."""
        if self.opaque:
            return None
        known = self._callees.get(path)
        if known is not None:
            return known
        try:
            found = self.load(path)
        except RuvonError as exc:
            self._report(path, exc, span)
            return None
        target = describe(found)
        if isinstance(target, StepTarget | PlainFunctionTarget):
            self._callees[path] = target
            return target
        if path in self._reported:
            return None
        kind = target.kind if isinstance(target, OtherTarget) else "no step"
        self.found.append(
            Diagnostic(
                code=NOT_FOUND,
                message=f"`{path}` is {kind}, not a function that a step can run",
                span=span,
                help="name a `@step` or a module-level function",
            )
        )
        return None

    def known(self, path: str) -> object:
        """The object at a path, or `Missing` where there is none; reports nothing."""
        if self.opaque:
            return Missing
        try:
            return self.load(path)
        except RuvonError:
            return Missing

    def classes(self, paths: tuple[str, ...], span: Span | None) -> tuple[type, ...]:
        """The classes at the paths; what is no class or not found is left out, with a finding where a span is given."""
        if self.opaque:
            return ()
        loaded: list[type] = []
        for path in paths:
            try:
                found = self.load(path)
            except RuvonError as exc:
                if span is not None:
                    self._report(path, exc, span)
                continue
            if isinstance(found, type):
                loaded.append(found)
        return tuple(loaded)

    def _report(self, path: str, error: RuvonError, span: Span | None) -> None:
        if path in self._reported:
            return
        match error:
            case ImportRefusedError():
                message, help_ = error.problem, error.remedy
            case ObjectNotFoundError():
                message, help_ = str(error), "mend the path, or define the name"
            case _:
                message, help_ = f"`{path}` cannot be read as a type: {error}", "mend the path, or define the name"
        self.found.append(Diagnostic(code=NOT_FOUND, message=message, span=span or self._span, help=help_))
