"""What people ask of a database: how much there is, how it is kept, whether it is sound."""

import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

from ruvon.implementations.persistence import _rows as rows
from ruvon.implementations.persistence.sqlite import _statements as sql
from ruvon.implementations.persistence.sqlite._database import Database

__all__ = ["Operators"]


class Operators(Database):
    """Beside the protocol: the methods behind `ruvon db` and its like."""

    async def stats(self) -> dict[str, Any]:
        """How many rows there are of each kind, workflows by status, and the size of the file in bytes."""
        counts = {str(row["name"]): int(row["rows"]) for row in await self._scan(sql.COUNTS, ())}
        by_status = {str(row["status"]): int(row["rows"]) for row in await self._scan(sql.BY_STATUS, ())}
        size = 0 if self._memory else Path(self.db_path).stat().st_size  # noqa: ASYNC240  # one system call
        return {"rows": counts, "by_status": by_status, "size_bytes": size}

    async def children_of(self, workflow_id: UUID | str) -> list[dict[str, Any]]:
        """The workflows that this one started, oldest first: id, type, status, step."""
        return [rows.plain(row) for row in await self._scan(sql.CHILDREN, (str(workflow_id),))]

    async def ids_like(
        self, prefix: str, *, limit: int = 2, owner_id: str | None = None, org_id: str | None = None
    ) -> list[str]:
        """Ids of workflows that begin like this, newest first; only those of an owner or organisation that is given."""
        escaped = "".join(letter for letter in prefix if letter not in "%_")
        values = {"begin": escaped, "owner": owner_id, "org": org_id, "limit": limit}
        return [str(row["id"]) for row in await self._scan(sql.IDS_LIKE, values)]

    async def held_instances(self, workflow_ids: Iterable[UUID | str]) -> frozenset[str]:
        """Those of these workflows that somebody holds now; looking takes nothing, so it is in no driver's way."""
        locks, held = self._open_locks(), set[str]()
        for workflow_id in map(str, workflow_ids):
            row = self._one(sql.KEY_OF, (workflow_id,))
            if row is not None and locks.is_held(UUID(workflow_id), int(row[0])):
                held.add(workflow_id)
        return frozenset(held)

    async def summarize(self, workflow_type: str | None = None) -> list[dict[str, Any]]:
        """Workflows by type and status: how many, and their mean and longest age at the last change in microseconds."""
        return [rows.columns(row) for row in await self._scan(sql.BY_TYPE, {"type": workflow_type})]

    async def summarize_metrics(
        self, workflow_id: UUID | str | None = None, *, name: str | None = None
    ) -> list[dict[str, Any]]:
        """Recorded numbers by name and step: how many, least, mean, largest."""
        values = {"id": str(workflow_id) if workflow_id is not None else None, "name": name}
        return [rows.columns(row) for row in await self._scan(sql.METRIC_SUMMARY, values)]

    async def facts(self) -> dict[str, Any]:
        """How the database is kept: file, schema version, journal, flushes, SQLite's version."""
        names = ("user_version", "journal_mode", "synchronous", "page_size")
        found = {name: self._all(f"PRAGMA {name}", ())[0][0] for name in names}
        return {
            "path": self.db_path,
            "schema_version": found["user_version"],
            "journal_mode": found["journal_mode"],
            "durability": self.durability,
            "page_size": found["page_size"],
            "sqlite_version": sqlite3.sqlite_version,
        }

    async def check(self) -> list[dict[str, Any]]:
        """What is wrong with the stored data, as `problem`, `workflow_id` and `detail`; a sound database gives none."""
        pages = [str(row[0]) for row in await self._scan(sql.INTEGRITY, ())]
        found: list[dict[str, Any]] = [
            {"problem": "the file is damaged", "workflow_id": None, "detail": text} for text in pages if text != "ok"
        ]
        for problem, statement in sql.CHECKS.items():
            found += [{"problem": problem, **rows.columns(row)} for row in await self._scan(statement, ())]
        return found
