"""What a device's store does beside: handing finished workflows to the cloud, and a few texts of its own."""

import sqlite3
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson

from ruvon.implementations.persistence import _rows as rows
from ruvon.implementations.persistence.sqlite import _statements as sql
from ruvon.implementations.persistence.sqlite._database import Database
from ruvon.implementations.persistence.sqlite._instances import delete_workflow

__all__ = ["Devices"]


class Devices(Database):
    """The documented methods of devices."""

    async def get_pending_sync_workflows(self, limit: int = 100) -> list[dict[str, Any]]:
        """Finished workflows that are still here because the cloud has not acknowledged them, oldest first."""
        return [rows.plain(row) for row in await self._scan(sql.PENDING_SYNC, (limit,))]

    async def get_audit_logs_for_workflows(
        self, workflow_ids: Sequence[UUID | str], limit_per_workflow: int = 50
    ) -> list[dict[str, Any]]:
        """The newest log rows of each of these workflows, each workflow's in order."""
        found: list[dict[str, Any]] = []
        for workflow_id in workflow_ids:
            values = {"id": str(workflow_id), "limit": limit_per_workflow}
            newest = await self._scan(sql.NEWEST_LOG, values)
            found.extend({**rows.columns(row), "workflow_id": str(workflow_id)} for row in newest)
        return found

    async def delete_synced_workflows(self, workflow_ids: Sequence[UUID | str]) -> int:
        """Delete finished workflows that the cloud has; running ones and ones not named stay, children included."""
        ids = orjson.dumps([str(item) for item in workflow_ids]).decode()

        def work(connection: sqlite3.Connection) -> int:
            names = [row["id"] for row in connection.execute(sql.DELETABLE, {"ids": ids})]
            return sum(delete_workflow(connection, name) for name in names)

        deleted = await self._write(work)
        return deleted if isinstance(deleted, int) else 0

    async def get_edge_sync_state(self, key: str) -> str | None:
        """A plain text kept by the device."""
        row = self._one(sql.GET_SYNC_STATE, (key,))
        return None if row is None else str(row["value"])

    async def set_edge_sync_state(self, key: str, value: str) -> None:
        """Keep a plain text."""
        await self._write(lambda connection: connection.execute(sql.SET_SYNC_STATE, (key, value)))
