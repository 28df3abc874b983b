"""Findings about a definition, as data.

A finding is made where the fault is seen and rendered much later, if at all: the terminal, JSON, SARIF and editors all
read the same object. The texts behind a code (its title, its long explanation, its failing and fixed program) live in
the catalogue of the front ends.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from ruvon.ir._spans import Span

__all__ = ["CodeInfo", "Diagnostic", "Edit", "Fix", "Related", "Severity"]


class Severity(Enum):
    """How bad a finding is: an error stops the definition, a warning and a note do not."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Related:
    """A second place that explains the first one, with a few words under its excerpt."""

    span: Span
    label: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text of `span` by `text`."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that mend the finding, and one line that says what they do."""

    title: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One finding: what is wrong, where, why it matters and what to write instead."""

    code: str
    """Stable identifier such as `RV0301`; `ruvon explain` prints its page."""
    message: str
    """One sentence that names the author's own names."""
    span: Span | None = None
    """Where it is; None only for a finding about a whole input that has no text."""
    severity: Severity = Severity.ERROR
    label: str = ""
    """A few words under the carets."""
    related: tuple[Related, ...] = ()
    reason: str = ""
    """What would go wrong at run time."""
    help: str = ""
    """What to write instead."""
    fix: Fix | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeInfo:
    """The page of one code: what `ruvon explain` prints, and the two programs that prove it in the tests."""

    title: str
    """A few words, lower case, without a full stop."""
    explanation: str
    """Why it is a mistake and what to do, one or two paragraphs."""
    bad: str
    """The smallest program that gets this finding."""
    good: str
    """The same program, mended; it compiles without findings."""
    language: Literal["python", "yaml", "expression", "declaration", "definition", "script", "versions", "portable"] = (
        "python"
    )
    """What `bad` and `good` are: a module with one workflow, a YAML file, an expression, a module that fails at import,
    a stored definition, a file that Python runs (a module where its first line names one), or two versions of a module,
    of which an instance of the first one waits when the second one is deployed, or a module that is checked with
    `--portable`."""
