"""What applications keep beside their workflows: dictionaries, text logs, numbers, heartbeats."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

import orjson

from ruvon.implementations.persistence import _rows as rows
from ruvon.implementations.persistence.redis import _packing as packing
from ruvon.implementations.persistence.redis._database import Database
from ruvon.providers.persistence import WorkflowNotFoundError

__all__ = ["Beside"]

LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")


class Beside(Database):
    """The documented methods around the engine."""

    async def save_workflow(self, workflow_id: UUID | str, data: Mapping[str, Any], /) -> None:
        """Store a complete state dictionary of the caller's own; values JSON does not know become their text."""
        labels = [
            None if data.get(name) is None else str(data[name]) for name in ("status", "workflow_type", "owner_id")
        ]
        parts = rows.json_text(dict(data)).encode(), packing.line(labels)
        header = {"op": "document", "id": str(workflow_id), "now": str(self._clock.now_us())}
        await self._do_plain({**header, "data": len(parts[0]), "labels": len(parts[1])}, *parts)

    async def load_workflow(self, workflow_id: UUID | str, /) -> dict[str, Any]:
        """The stored dictionary, or the row of an engine-driven workflow."""
        document = await self._ask("document", str(workflow_id))
        if document is not None:
            loaded: dict[str, Any] = orjson.loads(document)
            return loaded
        found = await self._ask("load", str(workflow_id))
        if found is None:
            raise WorkflowNotFoundError(workflow_id)
        return {**asdict(packing.instance(*found)), "workflow_id": str(workflow_id)}

    async def log_execution(
        self,
        workflow_id: UUID | str,
        step_name: str | None = None,
        level: str = "INFO",
        message: str = "",
        metadata: Mapping[str, Any] | None = None,
        *,
        log_level: str | None = None,
    ) -> None:
        """Append a line of text log; an unknown level is refused with a `ValueError`."""
        wanted = (log_level or level).upper()
        if wanted not in LOG_LEVELS:
            raise ValueError(f"the level {wanted!r} is not one of {', '.join(LOG_LEVELS)}")
        text = rows.json_text(dict(metadata or {})).encode()
        part = packing.packed([str(workflow_id), step_name, wanted, message, self._clock.now_us()], text)
        await self._do_plain({"op": "line", "id": str(workflow_id), "level": wanted, "size": len(part)}, part)

    async def read_execution_logs(
        self, workflow_id: UUID | str, *, level: str | None = None, limit: int = 100, before: int | None = None
    ) -> list[dict[str, Any]]:
        """The newest text log lines of a workflow, oldest of them first; those before one with `before`, its `key`."""
        found = self._newest("lines", str(workflow_id), value=level.upper() if level else "", before=before)
        names = ("workflow_id", "step_name", "level", "message", "at_us")
        entries = await _first(found, limit)
        return [{**_opened(names, entry), "key": int(entry[0].partition(b"-")[0])} for entry in reversed(entries)]

    async def record_metric(
        self,
        workflow_id: UUID | str,
        step_name: str | None,
        name: str,
        value: float,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Record a number, such as `duration_ms`."""
        text = rows.json_text(dict(metadata or {})).encode()
        part = packing.packed([str(workflow_id), step_name, name, value, self._clock.now_us()], text)
        await self._do_plain({"op": "metric", "id": str(workflow_id), "name": name, "size": len(part)}, part)

    async def read_metrics(
        self, workflow_id: UUID | str | None = None, *, name: str | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """The newest numbers, of one workflow or of all, oldest of them first; with `name` only those."""
        return (await _first(self._metrics(workflow_id, name), limit))[::-1]

    async def summarize_metrics(
        self, workflow_id: UUID | str | None = None, *, name: str | None = None
    ) -> list[dict[str, Any]]:
        """Recorded numbers by name and step: how many, least, mean, largest."""
        values: dict[tuple[str, str | None], list[float]] = {}
        async for row in self._metrics(workflow_id, name):
            values.setdefault((row["name"], row["step_name"]), []).append(row["value"])
        return [
            {
                "name": key[0],
                "step_name": key[1],
                "count": len(found),
                "min": min(found),
                "mean": sum(found) / len(found),
                "max": max(found),
            }
            for key, found in sorted(values.items(), key=lambda item: (item[0][0], item[0][1] or ""))
        ]

    async def _metrics(self, workflow_id: UUID | str | None, name: str | None) -> AsyncGenerator[dict[str, Any], None]:
        """Recorded numbers, newest first."""
        names = ("workflow_id", "step_name", "name", "value", "at_us")
        if workflow_id is None:
            async for entry in self._newest("metrics", value=name or ""):
                yield _opened(names, entry)
            return
        place: int | None = 0
        while place is not None:
            found, place = await self._ask("metrics_of", str(workflow_id), place, name or "")
            for entry in found:
                yield _opened(names, entry)

    async def _newest(
        self, question: str, *of: str, value: str, before: int | None = None
    ) -> AsyncGenerator[Any, None]:
        """The entries of a stream that fit, newest first; those before a number where one is given."""
        place: bytes | None = b"(%d-0" % before if before is not None else b"+"
        while place is not None:
            found, last = await self._ask(question, *of, place, value)
            for entry in found:
                yield entry
            place = b"(" + last if last is not None else None

    async def heartbeat_update(
        self,
        workflow_id: UUID | str,
        worker_id: str,
        current_step: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell that a worker is alive and where it is; one row per workflow."""
        text = rows.json_text(dict(metadata or {})).encode()
        step = rows.json_text(current_step)  # so that no step and one of an empty name differ
        header = {"op": "beat", "id": str(workflow_id), "worker": worker_id, "step": step, "metadata": len(text)}
        await self._do_plain({**header, "now": str(self._clock.now_us())}, text)

    async def remove_heartbeat(self, workflow_id: UUID | str, worker_id: str, /) -> None:
        """Forget the heartbeat of a workflow, unless it is another worker's by now."""
        await self._do_plain({"op": "silence", "id": str(workflow_id), "worker": worker_id})

    async def scan_stale_heartbeats(self, threshold_seconds: float, /) -> list[dict[str, Any]]:
        """The heartbeats older than the threshold, oldest first."""
        before = self._clock.now_us() - round(threshold_seconds * 1_000_000)
        return [
            {
                "workflow_id": name.decode(),
                "worker_id": worker.decode(),
                "current_step": orjson.loads(step),
                "step_started_us": int(started),
                "heartbeat_us": int(now),
                "metadata": orjson.loads(metadata),
            }
            for name, (worker, step, started, now, metadata) in await self._ask("beats", before)
        ]

    async def delete_workflow(self, workflow_id: UUID | str, /) -> bool:
        """Delete a workflow with all that belongs to it; False where there is none."""
        return bool((await self._do_plain({"op": "delete", "id": str(workflow_id)}))[1])


async def _first(found: AsyncGenerator[Any, None], limit: int) -> list[Any]:
    """So many of what is found; the rest is not asked for."""
    taken: list[Any] = []
    try:
        while len(taken) < limit:
            taken.append(await anext(found))
    except StopAsyncIteration:
        return taken
    await found.aclose()
    return taken


def _opened(names: Sequence[str], entry: Any) -> dict[str, Any]:
    values, (metadata,) = packing.unpacked(entry[1][1])
    return {**dict(zip(names, values, strict=True)), "metadata": orjson.loads(metadata or b"{}")}
