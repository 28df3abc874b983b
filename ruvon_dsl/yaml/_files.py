"""Workflow files: one draft for each document."""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePath
from typing import Final

from ruvon.ir._diagnostics import Diagnostic, Related
from ruvon.ir._paths import ImportRoots
from ruvon.ir._spans import Span
from ruvon_dsl._draft import Draft, SourceText
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._document import DocumentLowering, nothing
from ruvon_dsl.yaml._findings import Findings
from ruvon_dsl.yaml._reader import read
from ruvon_dsl.yaml._steps import StepTypes

__all__ = ["is_registry_text", "is_workflow_text", "lower_file"]

_HEADER: Final = re.compile(r"^\s*[\"']?(?:workflow_type|steps)[\"']?\s*:", re.MULTILINE)
_REGISTRY: Final = re.compile(r"^[\"']?workflows[\"']?\s*:", re.MULTILINE)


def is_workflow_text(text: str) -> bool:
    """Whether a YAML text looks like a workflow file: a header key at the start of a line (a registry has none)."""
    return any(match.group().lstrip("\n")[:1] not in {" ", "\t"} for match in _HEADER.finditer(text[:200_000]))


def is_registry_text(text: str) -> bool:
    """Whether a YAML text looks like a registry file: `workflows` at the start of a line, and no key of a workflow."""
    return _REGISTRY.search(text[:200_000]) is not None and not is_workflow_text(text)


def lower_file(
    source: SourceText,
    *,
    roots: ImportRoots,
    opaque: bool = False,
    step_types: StepTypes | None = None,
    environment: Mapping[str, str] | None = None,
) -> list[Draft]:
    """Lower every workflow of a YAML file.

    Args:
        source: The file's name and text.
        roots: The packages and folders that it may take code from.
        opaque: Import nothing; functions and types stay as they are written.
        step_types: The registered custom step types: a name to the names of its fields, or None for an unknown name.
            Without it those whose class a module of the file holds are known, and every other type is a finding.
        environment: The variables for `${NAME}`; the process's environment where it is None.

    Returns:
        One draft for each document, findings included. A text that is no YAML gives one draft with an empty graph that
        carries the findings. Nothing is raised for any text.
    """
    documents, problems = read(source)
    found = Findings()
    found.extend(problems)
    if not documents:
        if not problems:
            found.error(
                codes.NOT_A_WORKFLOW,
                "the file is empty",
                Span.at(source.file, 1, 1),
                "write `workflow_type:` and `steps:`",
            )
        return [Draft(nothing(PurePath(source.file).stem), source, found.ordered())]
    variables = os.environ if environment is None else environment
    lowering = DocumentLowering(source, roots, opaque=opaque, step_types=step_types, environment=variables)
    drafts: list[Draft] = []
    for number, document in enumerate(documents):
        collected = Findings()
        collected.extend(problems if number == 0 else ())
        drafts.append(lowering.lower(document, collected))
    return _distinct(drafts)


def _distinct(drafts: list[Draft]) -> list[Draft]:
    """The drafts; a workflow type that is defined twice in the file is reported at the second place."""
    seen: dict[tuple[str, str], Span | None] = {}
    checked: list[Draft] = []
    for draft in drafts:
        key = (draft.definition.workflow_type, draft.definition.workflow_version)
        if key in seen and key[0]:
            first = seen[key]
            related = (Related(first, "the first one"),) if first is not None else ()
            finding = Diagnostic(
                code=codes.DUPLICATE_NAME,
                message=f"the file defines `{key[0]}` version {key[1]} twice",
                span=draft.span,
                related=related,
                help="give one of them another type or version",
            )
            checked.append(replace(draft, diagnostics=(*draft.diagnostics, finding)))
            continue
        seen[key] = draft.span
        checked.append(draft)
    return checked
