"""What is awaited and is no step: the finding, with the rewrite that fits the thing."""

from collections.abc import Mapping
from typing import Final

from ruvon.ir._spans import Span
from ruvon_dsl.python import _codes as codes
from ruvon_dsl.python._context import Unit
from ruvon_dsl.python._findings import edit_fix
from ruvon_dsl.python._lower_values import effect_of, import_edit, report_effect
from ruvon_dsl.python._near import near_work
from ruvon_dsl.python._surface import Dotted, Invocation

__all__ = ["refuse_await"]


def refuse_await(unit: Unit, base: Dotted, span: Span, what: str, call: Invocation | None = None) -> None:
    """Report an `await` of something that is no step; libraries get the rewrite that fits them."""
    full = effect_of(unit, base.parts)
    name = base.name
    if full is not None and full.startswith("asyncio."):
        _foreign(unit, base, full.partition(".")[2], span, call)
        return
    if full is not None:
        report_effect(unit, name, span)
        return
    help_ = "await steps, workflows and the waiting functions of ruvon only"
    if "function" in what:
        help_ = f"mark `{name}` with @step, or leave the `await` out if it is @pure"
    elif "not defined" in what:
        near = near_work(unit, name)
        help_ = "import it, or correct its name" if near is None else f"did you mean `{near}`?"
    elif "class" in what:
        help_ = f"write `{name}(...)` without `await`"
    unit.findings.error(
        codes.AWAITED,
        f"`{name}` {what} and cannot be awaited",
        span,
        help=help_,
        reason="an `await` is a place where the instance is stored, so it must name something durable",
    )


_ASYNC_REWRITES: Final[Mapping[str, str]] = {
    "sleep": "sleep(timedelta(seconds=...))",
    "gather": "gather(...)",
    "wait": "gather(...)",
    "wait_for": "the step's `.with_(timeout=...)`",
    "create_task": "gather(...)",
    "timeout": "the step's `.with_(timeout=...)`",
}


def _foreign(unit: Unit, base: Dotted, name: str, span: Span, call: Invocation | None) -> None:
    only = call.args[0] if call is not None and len(call.args) == 1 else None
    seconds = only.value if only is not None and only.keyword is None and not only.star else None
    timed = next((local for local, full in unit.names.imports.items() if full == "datetime.timedelta"), None)
    rewrite = _ASYNC_REWRITES.get(name, "the functions of ruvon")
    imported = import_edit(unit, name) if name in {"gather", "sleep"} else None
    fix = None
    if imported is not None and (name == "gather" or (seconds is not None and timed is not None)):
        local, edits = imported
        inside = [] if seconds is None or name == "gather" else [(seconds.span, f"{timed}(seconds={seconds.text})")]
        fix = edit_fix(f"use ruvon's `{name}`", (base.span, local), *inside, *edits)
    unit.findings.error(
        codes.FOREIGN_ASYNC,
        f"`{base.name}` is not durable here",
        base.span if fix is not None else span,
        help=f"write {rewrite} of ruvon (`from ruvon import {name if name in {'gather', 'sleep'} else 'gather, sleep'}`)",
        reason="what asyncio holds in memory is gone after a crash",
        fix=fix,
    )
