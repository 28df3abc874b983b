"""What the histories room does."""

import re
from collections.abc import Mapping
from typing import Any, Final, final
from uuid import UUID

from ruvon._step_numbers import step_numbers
from ruvon._told import LEVELS, told_history, told_lines
from ruvon.builder import WorkflowBuilder
from ruvon.engine._repair import audit_words
from ruvon.ir import Definition
from ruvon.models import WorkflowStatus
from ruvon.providers import InstanceFilter, InstanceRecord, WorkflowNotFoundError
from ruvon.providers.persistence import UnsupportedError
from ruvon_server.auth import Principal
from ruvon_server.models import histories as models
from ruvon_server.shown import DefinitionCache, moment

__all__ = ["HistoryService"]

_SAID: Final = re.compile(r"(started|answer sent|signal \S+ sent|claimed|released)( by |: )")
"""What lines about starts, messages and claims begin with."""
_LINES: Final = 500
_MOST_LINES: Final = 10_000
"""So many lines one page looks through for those of a step, at most."""
_MOST_NUMBERS: Final = 500
_FAILED: Final = tuple(item.value for item in WorkflowStatus if item.value.startswith("FAILED"))


@final
class HistoryService:
    """Tells what has happened. A workflow of another tenant is not there for whoever asks.

    Args:
        builder: the workflows and their store.
    """

    def __init__(self, builder: WorkflowBuilder) -> None:
        self._builder = builder
        self._store = builder.persistence
        self._definitions = DefinitionCache(self._store)

    async def history(
        self, principal: Principal, workflow_id: UUID, limit: int, after: int
    ) -> tuple[list[models.HistoryEntry], int | None]:
        """A page of the history of a workflow, oldest first, and behind which entry the next one begins."""
        record = await self._record(principal, workflow_id)
        definition = await self._definition_of(record)
        found = await told_history(self._builder.engine(), definition, record, after=after, limit=limit + 1)
        more, found = len(found) > limit, found[:limit]
        return [_entry(item) for item in found], found[-1]["seq"] if more else None

    async def logs(
        self,
        principal: Principal,
        workflow_id: UUID,
        level: str,
        step: str | None,
        limit: int,
        before: int | None,
    ) -> tuple[list[models.LogLine], int | None]:
        """A page of the lines of a level and worse, newest first, and before which line the next one begins.

        Raises:
            UnsupportedError: the store does not give them out.
        """
        await self._record(principal, workflow_id)
        if not hasattr(self._store, "read_execution_logs"):
            raise UnsupportedError("way to read its text log", "use one of the stores that come with Ruvon")
        items: list[models.LogLine] = []
        looked, size = 0, limit + 1 if step is None else _LINES
        while True:
            found = await self._lines(workflow_id, level, size, before)
            for item in found:
                if len(items) == limit or looked == _MOST_LINES:
                    return items, before
                looked, before = looked + 1, item["key"]
                if step in {None, item["step"]}:
                    items.append(_log_line(item))
            if len(found) < size:
                return items, None

    async def _lines(self, workflow_id: UUID, level: str, limit: int, before: int | None) -> list[dict[str, Any]]:
        """Lines of a level and worse, newest first."""
        found: list[dict[str, Any]] = []
        for wanted in LEVELS[LEVELS.index(level) :]:
            found += await told_lines(self._store, workflow_id, limit=limit, level=wanted, before=before)
        return sorted(found, key=lambda item: item["key"], reverse=True)[:limit]

    async def metrics(self, principal: Principal, workflow_id: UUID) -> models.WorkflowMetrics:
        """The numbers of one workflow."""
        record = await self._record(principal, workflow_id)
        rows, _ = await step_numbers(self._store, record, self._definition_of, runs=1)
        read = getattr(self._store, "read_metrics", None)
        recorded: list[dict[str, Any]] = await read(workflow_id, limit=_MOST_NUMBERS) if read is not None else []
        return models.WorkflowMetrics(
            steps=[models.StepNumbers(**row) for row in rows],
            recorded=[models.MetricValue(**_value(row)) for row in recorded],
        )

    async def recorded(self, workflow_id: UUID | None, name: str | None, limit: int) -> models.RecordedMetrics:
        """The numbers that were recorded of all workflows, or of one, and what they come to.

        Raises:
            UnsupportedError: the store does not give them out.
        """
        store: Any = self._store
        if not hasattr(store, "summarize_metrics"):
            raise UnsupportedError("way to read recorded numbers", "use SQLite, PostgreSQL or Redis")
        if workflow_id is not None:
            await self._store.load_instance(workflow_id)
        whose = str(workflow_id) if workflow_id is not None else None
        values: list[dict[str, Any]] = await store.read_metrics(whose, name=name, limit=limit)
        sums: list[dict[str, Any]] = await store.summarize_metrics(whose, name=name)
        runs: list[dict[str, Any]] = await store.summarize() if whose is None else []
        return models.RecordedMetrics(
            items=[models.RecordedMetric(workflow_id=str(row["workflow_id"]), **_value(row)) for row in values],
            sums=[models.Summary.model_validate({**row, "step": row["step_name"] or None}) for row in sums],
            workflows=[_runs(row) for row in runs],
        )

    async def fleet(
        self, principal: Principal, workflow_type: str | None, window_s: int, runs: int
    ) -> models.FleetMetrics:
        """The numbers of all workflows that are there for whoever asks."""
        chosen = self._filter(principal, workflow_type)
        rows, number = await step_numbers(self._store, chosen, self._definition_of, runs=runs)
        counts = {item.value: await self._count(principal, workflow_type, (item.value,)) for item in WorkflowStatus}
        since_us = self._builder.clock.now_us() - window_s * 1_000_000
        started = await self._count(principal, workflow_type, (), since_us)
        completed = await self._count(principal, workflow_type, (WorkflowStatus.COMPLETED.value,), since_us)
        return models.FleetMetrics(
            counts={status: count for status, count in counts.items() if count},
            throughput=models.Throughput(
                window_s=window_s,
                started=started,
                completed=completed,
                failed=await self._count(principal, workflow_type, _FAILED, since_us),
                started_per_s=started / window_s,
                completed_per_s=completed / window_s,
            ),
            runs_counted=number,
            steps=[models.StepNumbers(**row) for row in rows],
        )

    async def _count(
        self, principal: Principal, workflow_type: str | None, statuses: tuple[str, ...], since_us: int | None = None
    ) -> int:
        return await self._store.count_instances(self._filter(principal, workflow_type, statuses, since_us))

    def _filter(
        self,
        principal: Principal,
        workflow_type: str | None,
        statuses: tuple[str, ...] = (),
        since_us: int | None = None,
    ) -> InstanceFilter:
        return InstanceFilter(
            statuses=statuses,
            workflow_type=workflow_type,
            owner_id=principal.owner_id,
            org_id=principal.org_id,
            created_after_us=since_us,
        )

    async def _definition_of(self, record: InstanceRecord) -> Definition:
        return await self._definitions.get(record.digest)

    async def _record(self, principal: Principal, workflow_id: UUID) -> InstanceRecord:
        record = await self._store.load_instance(workflow_id)
        if not principal.sees(record.owner_id, record.org_id):
            raise WorkflowNotFoundError(workflow_id)
        return record


def _value(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"at": moment(row["at_us"]), "step": row["step_name"] or None, "name": row["name"], "value": row["value"]}


def _runs(row: Mapping[str, Any]) -> models.RunNumbers:
    spans = {f"{name}_s": row[f"{name}_us"] / 1_000_000 for name in ("mean", "longest")}
    return models.RunNumbers(
        workflow_type=row["workflow_type"], status=row["status"], workflows=row["workflows"], **spans
    )


def _entry(item: Mapping[str, Any]) -> models.HistoryEntry:
    actor, reason = audit_words(str(item.get("note", ""))) if item["kind"] == "repair" else (None, None)
    return models.HistoryEntry.model_validate({**item, "actor": actor, "reason": reason})


def _log_line(item: Mapping[str, Any]) -> models.LogLine:
    message = str(item["message"])
    actor, reason = audit_words(message) if _SAID.match(message) else (None, None)
    return models.LogLine.model_validate({**item, "actor": actor, "reason": reason})
