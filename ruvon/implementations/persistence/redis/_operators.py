"""What people ask of a store: how much there is, how it is kept, whether it is sound."""

from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable
from typing import Any, Final
from uuid import UUID

from ruvon.implementations.persistence.redis import _packing as packing
from ruvon.implementations.persistence.redis._database import LAYOUT
from ruvon.implementations.persistence.redis._driver import Wire, shown_url
from ruvon.implementations.persistence.redis._durability import read_durability, read_info
from ruvon.implementations.persistence.redis._listing import Listing
from ruvon.implementations.persistence.redis._operations import mark
from ruvon.models import WorkflowStatus
from ruvon.providers.persistence import InstanceFilter, WorkflowSummary

__all__ = ["Operators"]

_PORTION: Final = 200
_PAGE: Final = 1000


class Operators(Listing):
    """Beside the protocol: the methods behind `ruvon db` and its like. Those that count everything go in portions."""

    async def stats(self) -> dict[str, Any]:
        """How many rows there are of each kind, workflows by status, and the memory of the whole server in bytes."""
        workflows, definitions, tasks, events = await self._ask("totals")
        entries = messages = rank = 0
        while True:
            count, more_entries, more_messages = await self._ask("portion", rank, _PORTION)
            entries, messages, rank = entries + more_entries, messages + more_messages, rank + count
            if count < _PORTION:
                break
        statuses = sorted(str(status) for status in WorkflowStatus)
        sizes = await self._ask("sizes", *(mark("status", status) for status in statuses))
        info: dict[str, str] = await self._open_reader().use(read_info)
        return {
            "rows": {
                "workflows": workflows,
                "log entries": entries,
                "inbox entries": messages,
                "definitions": definitions,
                "tasks": tasks,
                "outbox events": events,
            },
            "by_status": {status: size for status, size in zip(statuses, sizes, strict=True) if size},
            "size_bytes": int(info.get("used_memory", "0")),
        }

    async def children_of(self, workflow_id: UUID | str) -> list[dict[str, Any]]:
        """The workflows that this one started, oldest first: id, type, status, step."""
        wanted = InstanceFilter(parent_id=UUID(str(workflow_id)))
        found = [item async for item in self._all(wanted)][::-1]
        activations = [packing.activation_of((await self._ask("load", item.workflow_id))[1]) for item in found]
        return [
            {
                "workflow_id": item.workflow_id,
                "workflow_type": item.workflow_type,
                "status": item.status,
                "current_step": item.current_step,
                "parent_activation": activation,
                "created_us": item.created_us,
            }
            for item, activation in zip(found, activations, strict=True)
        ]

    async def ids_like(
        self, prefix: str, *, limit: int = 2, owner_id: str | None = None, org_id: str | None = None
    ) -> list[str]:
        """Ids of workflows that begin like this, newest first; only those of an owner or organisation that is given."""
        if owner_id is not None or org_id is not None:
            theirs = InstanceFilter(owner_id=owner_id, org_id=org_id)
            fitting = [item async for item in self._all(theirs) if item.workflow_id.startswith(prefix)]
            return [item.workflow_id for item in sorted(fitting, key=lambda item: -item.created_us)[:limit]]
        found = [name.decode().partition(":") for name in await self._ask("ids_like", prefix)]
        return [name for name, _, _ in sorted(found, key=lambda item: item[2], reverse=True)[:limit]]

    async def held_instances(self, workflow_ids: Iterable[UUID | str]) -> frozenset[str]:
        """Those of these workflows that somebody holds now; looking takes nothing, so it is in no driver's way."""
        found = await self._ask("held", *(str(item) for item in workflow_ids))
        return frozenset(name.decode() for name in found)

    async def summarize(self, workflow_type: str | None = None) -> list[dict[str, Any]]:
        """Workflows by type and status: how many, and their mean and longest age at the last change in microseconds."""
        ages: dict[tuple[str, str], list[int]] = defaultdict(list)
        async for item in self._all(InstanceFilter(workflow_type=workflow_type)):
            ages[item.workflow_type, item.status].append(item.updated_us - item.created_us)
        return [
            {
                "workflow_type": kind,
                "status": status,
                "workflows": len(found),
                "mean_us": sum(found) / len(found),
                "longest_us": max(found),
            }
            for (kind, status), found in sorted(ages.items())
        ]

    async def facts(self) -> dict[str, Any]:
        """How the store is kept: address, layout, what a commit survives, the server's version and settings."""
        found = await self._open_reader().use(self._durability_now)
        return {
            "path": shown_url(self.db_url),
            "schema_version": LAYOUT,
            "prefix": self.prefix,
            "durability": found.class_name,
            "reached": found.reached,
            "appendonly": found.appendonly,
            "appendfsync": found.appendfsync,
            "waits_for_disk": found.waits,
            "maxmemory": found.maxmemory,
            "maxmemory_policy": found.maxmemory_policy,
            "server_version": found.server_version,
            "warnings": found.warnings(),
        }

    async def check(self) -> list[dict[str, Any]]:
        """What is wrong with the stored data, as `problem`, `workflow_id` and `detail`; a sound store gives none."""
        found: list[dict[str, Any]] = []
        rank = 0
        while True:
            count, wrong = await self._ask("check", rank, _PORTION)
            for item in wrong:
                problem, name, detail = (text.decode() for text in item)
                found.append({"problem": problem, "workflow_id": name or None, "detail": detail})
            rank += count
            if count < _PORTION:
                return found

    async def _durability_now(self, wire: Wire) -> Any:
        return await read_durability(wire, wait=self._wait_for_disk)

    async def _all(self, wanted: InstanceFilter) -> AsyncGenerator[WorkflowSummary, None]:
        """Every instance that fits, newest first, page by page."""
        after = None
        while page := await self.find_instances(wanted, limit=_PAGE, after=after):
            for item in page:
                yield item
            after = (page[-1].created_us, page[-1].key)
