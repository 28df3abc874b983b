"""Printing findings, in colour where it is wanted."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import rich_click as click

from ruvon.cli._output import colour_wanted
from ruvon.cli._targets import source_texts

if TYPE_CHECKING:
    from ruvon.ir import Diagnostic

__all__ = ["has_errors", "print_findings", "render_findings"]

_STYLES: Final[Mapping[str, dict[str, object]]] = {
    "error": {"fg": "red", "bold": True},
    "warning": {"fg": "yellow", "bold": True},
    "note": {"fg": "blue", "bold": True},
    "title": {"bold": True},
    "line": {"fg": "blue"},
    "help": {"fg": "cyan"},
}


class _ClickPaint:
    """Terminal colours by role."""

    def __call__(self, role: str, text: str, /) -> str:
        return click.style(text, **_STYLES[role])  # type: ignore[arg-type]  # click's own keyword names


def has_errors(findings: "Sequence[Diagnostic]", *, strict: bool = False) -> bool:
    """Whether the findings stop the command; with `strict` warnings do."""
    from ruvon.ir import Severity  # noqa: PLC0415

    bad = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    return any(item.severity in bad for item in findings)


def print_findings(findings: "Sequence[Diagnostic]", *, err: bool = True, fixes: bool = False) -> None:
    """Print findings with excerpts, their number, and how to learn more; nothing when there are none.

    Args:
        findings: what was found.
        err: print on standard error.
        fixes: name the option that makes the fixes.
    """
    from ruvon_dsl.diagnostics import render_terminal, summary  # noqa: PLC0415

    if not findings:
        return
    colour = colour_wanted()
    text = render_terminal(findings, source_texts(tuple(findings)), _ClickPaint() if colour else None)
    click.echo(text, err=err, color=colour)
    click.echo(summary(findings), err=err)
    mend = "; --fix makes the fixes" if fixes and any(item.fix for item in findings) else ""
    click.echo(f"`ruvon explain {findings[0].code}` says more{mend}", err=err)


def render_findings(findings: "Sequence[Diagnostic]", form: str) -> str:
    """Findings in a machine's form: `json`, `sarif` or `github`."""
    from ruvon_dsl import diagnostics  # noqa: PLC0415

    renderers = {
        "json": diagnostics.render_json,
        "sarif": diagnostics.render_sarif,
        "github": diagnostics.render_github,
    }
    return renderers[form](findings)
