"""Forgetting old history: rows at the far end of the chains go, and what stays is chained anew."""

from ruvon.implementations.persistence.postgres import _statements as sql
from ruvon.implementations.persistence.postgres._driver import Connection

__all__ = ["forget"]


async def forget(connection: Connection, key: int, before: int) -> None:
    """Delete log entries and snapshots below `before`, but nothing that loading or a rollback needs."""
    kept = await connection.fetchrow(sql.KEPT_FROM, key)
    if kept is not None:
        await _forget_log(connection, key, min(before, kept["snapshot_seq"] + 1, kept["last_seq"]))
        await _forget_snapshots(connection, key, min(before, kept["snapshot_seq"]))


async def _forget_log(connection: Connection, key: int, first: int) -> None:
    """Entries of a saga stay; the chain of what stays is closed over the gaps."""
    gone: list[int] = []
    linked: list[tuple[int, int | None]] = []
    newest: int | None = None
    for row in await connection.fetch(sql.LOG_UP_TO, key, first):
        if row["seq"] < first and not row["saga"]:
            gone.append(row["id"])
            continue
        if row["prev"] != newest:
            linked.append((row["id"], newest))
        newest = row["id"]
    if gone:
        await connection.execute(sql.FORGET_LOG, gone)
    if linked:
        await connection.execute(sql.RELINK_LOG, [item for item, _ in linked], [prev for _, prev in linked])


async def _forget_snapshots(connection: Connection, key: int, first: int) -> None:
    found = await connection.fetch(sql.SNAPSHOTS_UP_TO, key)
    gone = [row["id"] for row in found if row["seq"] < first]
    if gone:
        await connection.execute(sql.FORGET_SNAPSHOTS, gone)
        await connection.execute(sql.END_SNAPSHOTS, found[len(gone)]["id"])
