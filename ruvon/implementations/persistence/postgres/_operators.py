"""What people ask of a database: how much there is, how it is kept, whether it is sound."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from ruvon.implementations.persistence import _rows as rows
from ruvon.implementations.persistence.postgres import _queries as queries
from ruvon.implementations.persistence.postgres import _statements as sql
from ruvon.implementations.persistence.postgres._database import Database
from ruvon.implementations.persistence.postgres._driver import shown_url
from ruvon.implementations.persistence.postgres._session import OWN_TABLES

__all__ = ["Operators"]


class Operators(Database):
    """Beside the protocol: the methods behind `ruvon db` and its like."""

    async def stats(self) -> dict[str, Any]:
        """How many rows there are of each kind, workflows by status, and the size of the tables in bytes."""
        counts = {str(row["name"]): int(row["rows"]) for row in await self._all(queries.COUNTS)}
        by_status = {str(row["status"]): int(row["rows"]) for row in await self._all(queries.BY_STATUS)}
        (size,) = await self._all(queries.SIZE, list(OWN_TABLES))
        return {"rows": counts, "by_status": by_status, "size_bytes": int(size[0])}

    async def children_of(self, workflow_id: UUID | str) -> list[dict[str, Any]]:
        """The workflows that this one started, oldest first: id, type, status, step."""
        return [rows.plain(row) for row in await self._all(queries.CHILDREN, str(workflow_id))]

    async def ids_like(
        self, prefix: str, *, limit: int = 2, owner_id: str | None = None, org_id: str | None = None
    ) -> list[str]:
        """Ids of workflows that begin like this, newest first; only those of an owner or organisation that is given."""
        found = await self._all(queries.IDS_LIKE, prefix, limit, owner_id, org_id)
        return [str(row["id"]) for row in found]

    async def held_instances(self, workflow_ids: Iterable[UUID | str]) -> frozenset[str]:
        """Those of these workflows that somebody holds now; looking takes nothing, so it is in no driver's way."""
        found = await self._all(queries.HELD, [str(item) for item in workflow_ids], self._open_holds().salt)
        return frozenset(str(row["id"]) for row in found)

    async def summarize(self, workflow_type: str | None = None) -> list[dict[str, Any]]:
        """Workflows by type and status: how many, and their mean and longest age at the last change in microseconds."""
        return [rows.columns(row) for row in await self._all(queries.BY_TYPE, workflow_type)]

    async def summarize_metrics(
        self, workflow_id: UUID | str | None = None, *, name: str | None = None
    ) -> list[dict[str, Any]]:
        """Recorded numbers by name and step: how many, least, mean, largest."""
        whose = str(workflow_id) if workflow_id is not None else None
        return [rows.columns(row) for row in await self._all(queries.METRIC_SUMMARY, whose, name)]

    async def facts(self) -> dict[str, Any]:
        """How the database is kept: address, revision of the schema, what a commit survives, the server's version."""
        (found,) = await self._all(queries.FACTS)
        revisions = [str(row[0]) for row in await self._all(sql.READ_VERSION)]
        facts = rows.columns(found)
        durable = facts["fsync"] == "on" and facts["synchronous_commit"] != "off"
        return {
            "path": shown_url(self.db_url),
            "schema_version": ", ".join(revisions),
            "durability": "FULL" if durable else "OFF" if facts["fsync"] != "on" else "NORMAL",
            **facts,
        }

    async def check(self) -> list[dict[str, Any]]:
        """What is wrong with the stored data, as `problem`, `workflow_id` and `detail`; a sound database gives none."""
        found: list[dict[str, Any]] = []
        for problem, statement in queries.CHECKS.items():
            found += [{"problem": problem, **rows.columns(row)} for row in await self._all(statement)]
        return found
