"""A cron and a time zone that are written out: what no moment follows from is found before it runs."""

from collections.abc import Iterator

from ruvon.cron import InvalidCronError, InvalidScheduleError, Plan
from ruvon.ir._diagnostics import Diagnostic
from ruvon.ir._nodes import Start
from ruvon.ir.expr._nodes import Const, Expr
from ruvon_dsl._link._codes import BAD_CRON

__all__ = ["cron_findings"]

_ANY = "* * * * *"


def cron_findings(start: Start) -> Iterator[Diagnostic]:
    """Findings of the literals of one START that registers a schedule."""
    for cron, timezone in ((_text(start.cron), "UTC"), (_ANY, _text(start.timezone))):
        if not cron or not timezone:
            continue  # computed when it runs, or not written
        try:
            Plan(cron, timezone)
        except InvalidScheduleError as exc:
            message, _, remedy = str(exc).partition("; ")
            written = start.cron if isinstance(exc, InvalidCronError) else start.timezone
            yield Diagnostic(
                code=BAD_CRON, message=message, span=written.span if written is not None else None, help=remedy
            )


def _text(expr: Expr | None) -> str:
    return expr.value if isinstance(expr, Const) and isinstance(expr.value, str) else ""
