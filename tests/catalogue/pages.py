"""Run the programs of a page of the catalogue: each language is read the way its authors have it read."""

import asyncio
import linecache
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import ModuleType
from typing import assert_never

from ruvon import DeclarationError
from ruvon.builder import WorkflowBuilder
from ruvon.engine._against import find_broken
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.ir import CodeInfo, Diagnostic, ImportRoots, IRError, load, require_valid
from ruvon.ir.expr import ExpressionError, check, expect, parse
from ruvon.ir.expr._examples import EXAMPLE_ENV
from ruvon_dsl import compile_function, compile_source, require
from ruvon_dsl._compile import Kind
from ruvon_dsl._portable import portable_findings
from ruvon_dsl.diagnostics import catalogue

__all__ = ["Found", "findings_of", "run_page"]

_AS_CONDITION = frozenset({"RV0306", "RV0524"})
"""Codes about truth: their expressions are judged as conditions."""
_AS_DECIMAL = frozenset({"RV0526"})
"""Codes about a wanted type: their expressions stand where a Decimal is expected."""


@dataclass(frozen=True)
class Found:
    """The findings of one program, and the text that their places point into."""

    file: str
    text: str
    findings: Sequence[Diagnostic]

    @property
    def codes(self) -> list[str]:
        """The codes, in order of position."""
        return [item.code for item in self.findings]

    @property
    def texts(self) -> dict[str, str]:
        """What the renderers take."""
        return {self.file: self.text}


def run_page(code: str, *, bad: bool) -> Found:
    """The findings of the failing, or of the mended, program of a page."""
    info = catalogue()[code]
    return findings_of(code, info, info.bad if bad else info.good)


def findings_of(code: str, info: CodeInfo, text: str) -> Found:
    """The findings of any program in the language of a page."""
    match info.language:
        case "python":
            return _compiled(text, "example.py", "python")
        case "yaml":
            return _compiled(text, "example.yaml", "yaml")
        case "expression":
            return Found("expression", text, _expression(text, code))
        case "declaration":
            return Found("example.py", text, _declaration(text))
        case "portable":
            return Found("example.py", text, _portable(text))
        case "definition":
            return Found("example.json", text, _definition(text))
        case "script":
            return Found("example.py", text, _script(text))
        case "versions":
            return Found("example.py", text, asyncio.run(_deployed(text)))
        case _:
            assert_never(info.language)


def _compiled(text: str, file: str, kind: Kind) -> Found:
    return Found(file, text, compile_source(text, kind=kind, file=file, module="example_page").diagnostics)


def _expression(text: str, code: str) -> list[Diagnostic]:
    try:
        expr = parse(text, refs={}, file="expression")
    except ExpressionError as error:
        return list(error.diagnostics)
    checked = check(expr, EXAMPLE_ENV, condition=code in _AS_CONDITION)
    mismatch = expect(checked, Decimal) if code in _AS_DECIMAL else None
    return [*checked.diagnostics, *([mismatch] if mismatch else [])]


def _declaration(text: str) -> Sequence[Diagnostic]:
    """Execute a module as an import would, with its lines at hand for findings that quote them."""
    name, file = "example_declaration", "example.py"
    module = ModuleType(name)
    sys.modules[name] = module
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    try:
        exec(compile(text, file, "exec"), module.__dict__)  # noqa: S102 - pages of our own
    except DeclarationError as error:
        return error.diagnostics
    finally:
        del sys.modules[name], linecache.cache[file]
    return ()


def _script(text: str) -> Sequence[Diagnostic]:
    """Run a file as Python does, and compile its workflow; one that begins with the name of a module is imported."""
    name, file = "__main__" if not text.startswith("# ") else "example_script", "example.py"
    module, before = ModuleType(name), sys.modules.get(name)
    module.__file__ = file
    sys.modules[name] = module
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    try:
        exec(compile(text, file, "exec"), module.__dict__)  # noqa: S102 - pages of our own
        return compile_function(module.__dict__["flow"]).diagnostics
    finally:
        del sys.modules[name], linecache.cache[file]
        if before is not None:
            sys.modules[name] = before


async def _deployed(text: str) -> Sequence[Diagnostic]:
    """Begin an instance of the first version, deploy the second one, and see what that would break."""
    old, _, new = text.partition("# deployed now\n")
    store = MemoryPersistenceProvider()
    for version in (old, new):
        found = compile_source(version, file="example.py", module="example_versions")
        definition = require(found)[0].definition
        builder = WorkflowBuilder(plugins=False, import_roots=["example_versions"], persistence_provider=store)
        builder.register(definition)
        if version is old:
            await (await builder.create_workflow("Shop", {})).run()
    return await find_broken(builder.engine(), builder.get_definition("Shop"))


def _portable(text: str) -> Sequence[Diagnostic]:
    found = compile_source(text, file="example.py", module="example_portable")
    definition = require(found)[0].definition
    return [*found.diagnostics, *portable_findings(definition, ImportRoots({"example_portable"}).load)]


def _definition(text: str) -> Sequence[Diagnostic]:
    try:
        require_valid(load(text))
    except IRError as error:
        return error.diagnostics
    return ()
