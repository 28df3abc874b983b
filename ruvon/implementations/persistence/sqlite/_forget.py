"""Forgetting old history: rows at the far end of the chains go, and what stays is chained anew."""

import sqlite3

from ruvon.implementations.persistence.sqlite import _statements as sql

__all__ = ["forget"]


def forget(connection: sqlite3.Connection, key: int, before: int) -> None:
    """Delete log entries and snapshots below `before`, but nothing that loading or a rollback needs."""
    kept = connection.execute(sql.KEPT_FROM, (key,)).fetchone()
    if kept is not None:
        _forget_log(connection, key, min(before, kept["snapshot_seq"] + 1, kept["last_seq"]))
        _forget_snapshots(connection, key, min(before, kept["snapshot_seq"]))


def _forget_log(connection: sqlite3.Connection, key: int, first: int) -> None:
    """Entries of a saga stay; the chain of what stays is closed over the gaps."""
    gone: list[tuple[int]] = []
    linked: list[tuple[int | None, int]] = []
    newest: int | None = None
    for row in connection.execute(sql.LOG_UP_TO, {"key": key, "seq": first}).fetchall():
        if row["seq"] < first and not row["saga"]:
            gone.append((row["id"],))
            continue
        if row["prev"] != newest:
            linked.append((newest, row["id"]))
        newest = row["id"]
    connection.executemany(sql.FORGET_LOG, gone)
    connection.executemany(sql.RELINK_LOG, linked)


def _forget_snapshots(connection: sqlite3.Connection, key: int, first: int) -> None:
    found = connection.execute(sql.SNAPSHOTS_UP_TO, {"key": key}).fetchall()
    gone = [(row["id"],) for row in found if row["seq"] < first]
    if gone:
        connection.executemany(sql.FORGET_SNAPSHOT, gone)
        connection.execute(sql.END_SNAPSHOTS, (found[len(gone)]["id"],))
