"""Print, compile again, compare: the helpers of law 2's tests."""

import difflib
import hashlib
import json
import sys
from types import ModuleType

from ruvon.ir import Definition, Diagnostic, ImportRoots, Severity, digest, to_tree
from ruvon_dsl import compile_source
from ruvon_dsl._draft import Draft, SourceText
from ruvon_dsl._link import ModuleLookup
from ruvon_dsl._modules import load_text
from ruvon_dsl._recording import RecordingRoots
from ruvon_dsl.printing import to_python, to_yaml
from ruvon_dsl.python import lower_module
from ruvon_dsl.yaml import lower_file

__all__ = ["assert_python", "assert_python_shape", "assert_yaml", "assert_yaml_shape", "registered"]

DEAD_CODE = "RV0401"


def registered(name: str) -> tuple[str, ...] | None:
    """The custom step types that the tests' sources use, with any fields."""
    return () if name in {"RETRYABLE", "AUDIT", "RECEIPT"} else None


def assert_yaml(definition: Definition, roots: ImportRoots) -> None:
    """A linked definition printed as YAML compiles to the same digest."""
    text = to_yaml(definition, resolve=roots.load)
    result = compile_source(text, kind="yaml", roots=roots, step_types=registered)
    _no_errors(text, result.diagnostics)
    (found,) = result.definitions
    _same(text, definition, found.definition)
    assert found.digest == digest(definition)


def assert_python(definition: Definition, roots: ImportRoots) -> None:
    """A linked definition printed as Python compiles to the same digest."""
    text = to_python(definition, resolve=roots.load)
    result = compile_source(text, kind="python", roots=roots)
    _no_errors(text, result.diagnostics)
    (found,) = [item for item in result.definitions if item.definition.workflow_type == definition.workflow_type]
    _same(text, definition, found.definition)
    assert found.digest == digest(definition)


def assert_yaml_shape(definition: Definition, roots: ImportRoots) -> None:
    """An unlinked definition printed as YAML lowers to the same graph."""
    text = to_yaml(definition, resolve=roots.load)
    (draft,) = lower_file(SourceText("printed.yaml", text), roots=roots, opaque=False, step_types=registered)
    _same_draft(text, definition, draft)


def assert_python_shape(definition: Definition, roots: ImportRoots) -> None:
    """An unlinked definition printed as Python lowers to the same graph."""
    text = to_python(definition, resolve=roots.load)
    name = f"printed_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    source = SourceText("printed.py", text)
    module = load_text(name, source, RecordingRoots.of(roots))
    assert isinstance(module, ModuleType), f"{text}\n{module}"
    try:
        (draft,) = lower_module(source, ModuleLookup(module, builtins=True))
        _same_draft(text, definition, draft)
    finally:
        sys.modules.pop(name, None)


def _same_draft(text: str, expected: Definition, draft: Draft) -> None:
    _no_errors(text, draft.diagnostics)
    _same(text, expected, draft.definition, without=("variables", "types"))


def _no_errors(text: str, diagnostics: tuple[Diagnostic, ...]) -> None:
    errors = [f"{item.code} {item.span} {item.message}" for item in diagnostics if item.severity is Severity.ERROR]
    assert not errors, "\n".join([text, *errors])


def _same(text: str, expected: Definition, found: Definition, without: tuple[str, ...] = ()) -> None:
    left, right = (_lines(definition, without) for definition in (expected, found))
    if left != right:
        difference = "\n".join(difflib.unified_diff(left, right, "expected", "found", lineterm="", n=8))
        raise AssertionError(f"{text}\n{difference}")


def _lines(definition: Definition, without: tuple[str, ...]) -> list[str]:
    tree = {key: value for key, value in to_tree(definition).items() if key not in without}
    return json.dumps(tree, indent=1, sort_keys=True).split("\n")
