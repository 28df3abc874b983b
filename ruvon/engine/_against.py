"""What a new definition, and the code deployed with it, would break for the instances that are running.

They keep the definition that they began with, so most changes touch none of them. Two things do: code that no longer fits
what their definition recorded of it (they are parked), and a position or a value that does not exist in the new
definition (they cannot be moved to it).
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING
from uuid import UUID

from ruvon.engine._errors import DefinitionDriftError, ProgramError, UnknownStepTypeError
from ruvon.engine._migrate import check_migration
from ruvon.ir._canonical import digest as digest_of
from ruvon.ir._canonical import load
from ruvon.ir._diagnostics import Diagnostic, Severity
from ruvon.ir._nodes import Definition
from ruvon.models import TERMINAL_STATUSES, WorkflowStatus
from ruvon.providers import DefinitionRecord, InstanceFilter, WorkflowSummary

if TYPE_CHECKING:
    from ruvon.engine._engine import Engine

__all__ = ["LIVE", "find_broken", "live_instances"]

LIVE = tuple(sorted(status.value for status in WorkflowStatus if status not in TERMINAL_STATUSES))
"""The statuses of instances that have not ended."""
_PAGE = 200


async def find_broken(engine: "Engine", new: Definition, *, most: int = 1_000) -> list[Diagnostic]:
    """Findings about the live instances of a type that run other definitions than this one.

    Args:
        engine: over the store that they are in.
        new: the new definition.
        most: so many instances of each definition are looked at, the newest.
    """
    found: list[Diagnostic] = []
    for digest, _, _, live, _ in await engine.store.count_by_definition(new.workflow_type):
        if not live or digest == digest_of(new):
            continue
        stored = await engine.store.get_definition(digest)
        who = _who(live, stored)
        found += [_parked(who, problem) for problem in await _drift(engine, stored)]
        found += _lost_fields(who, load(stored.text), new)
        found += await _stranded(engine, new, stored, most)
    return found


def _who(count: int, stored: DefinitionRecord) -> str:
    runs = "live run" if count == 1 else "live runs"
    return f"{count} {runs} of {stored.workflow_type} {stored.workflow_version} ({stored.digest.hex()[:8]})"


async def _drift(engine: "Engine", stored: DefinitionRecord) -> tuple[str, ...]:
    """How the deployed code fails a stored definition (law 5)."""
    wanted = InstanceFilter(digest=stored.digest, statuses=LIVE)
    for row in await engine.store.find_instances(wanted, limit=1):
        try:
            await engine.program_of(await engine.store.load_instance(UUID(row.workflow_id)))
        except UnknownStepTypeError:  # a program of the author's own registers it
            return ()
        except (DefinitionDriftError, ProgramError) as exc:
            return exc.problems
    return ()


def _parked(who: str, problem: str) -> Diagnostic:
    return Diagnostic(
        code="RV0902",
        message=f"{who} would be parked: {problem}",
        reason="They call the code by the paths that their own definition names, and it no longer fits them.",
        help="Keep what they call until they have ended, or move them with `ruvon migrate`.",
    )


def _lost_fields(who: str, old: Definition, new: Definition) -> Iterator[Diagnostic]:
    before, after = old.types.get(old.state), new.types.get(new.state)
    if before is None or after is None:
        return
    kept = {item.name for item in after.fields}
    for item in before.fields:
        if item.name not in kept:
            yield Diagnostic(
                code="RV0903",
                severity=Severity.WARNING,
                message=f"the state's field `{item.name}`, which has a value in {who}, is removed",
                reason="The value stays in their snapshots, and nothing reads it any more.",
                help="Keep the field until they have ended, or copy its value first.",
            )


async def _stranded(engine: "Engine", new: Definition, stored: DefinitionRecord, most: int) -> list[Diagnostic]:
    problems: Counter[str] = Counter()
    wanted = InstanceFilter(digest=stored.digest, statuses=LIVE)
    async for row in live_instances(engine, wanted, most):
        if WorkflowStatus(row.status).is_waiting:
            problems.update((await check_migration(engine, UUID(row.workflow_id), new)).problems)
    return [
        Diagnostic(
            code="RV0904",
            severity=Severity.WARNING,
            message=f"{_who(count, stored)} cannot be moved to this definition: {problem}",
            reason="They go on with their own definition, as long as the code fits it.",
            help="Let them end first, or keep what they stand at; `ruvon migrate check` names each of them.",
        )
        for problem, count in problems.items()
    ]


async def live_instances(engine: "Engine", wanted: InstanceFilter, most: int | None) -> AsyncIterator[WorkflowSummary]:
    """Instances that fit, newest first, page by page."""
    after: tuple[int, int] | None = None
    left = most
    while left is None or left > 0:
        rows = await engine.store.find_instances(wanted, limit=min(_PAGE, left or _PAGE), after=after)
        for row in rows:
            yield row
        if not rows:
            return
        after = (rows[-1].created_us, rows[-1].key)
        left = left - len(rows) if left is not None else None
