"""Opening one SQLite database the way money wants it: WAL, full flushes, typed errors."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final, Literal, TypeAlias

from ruvon.implementations.persistence.sqlite._schema import OWN_TABLES, SCHEMA_VERSION
from ruvon.implementations.persistence.sqlite._upgrade import scripts_from, statements_of
from ruvon.providers.persistence import PersistenceError

__all__ = [
    "UNKEPT",
    "DatabaseFileError",
    "Durability",
    "describe",
    "is_memory",
    "migrate",
    "open_connection",
    "read_version",
    "refuse_foreign",
    "unkept",
]

Durability: TypeAlias = Literal["FULL", "NORMAL", "OFF"]

_BUSY_TIMEOUT_S: Final = 10.0


class DatabaseFileError(PersistenceError):
    """The database file cannot be used; the sentence says what to do."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(f"the SQLite database {path} cannot be used: {reason}")


def is_memory(path: str) -> bool:
    """Whether the database lives in memory only."""
    return path in {":memory:", ""}


def open_connection(path: str, durability: Durability) -> sqlite3.Connection:
    """Open a connection with our settings; statements run outside implicit transactions.

    Raises:
        DatabaseFileError: the folder is missing, it is a folder, the file is not a database, is locked or may not be
            written.
    """
    if not is_memory(path) and not Path(path).parent.is_dir():
        raise DatabaseFileError(path, f"the folder {Path(path).parent} does not exist; create it")
    if not is_memory(path) and Path(path).is_dir():
        raise DatabaseFileError(path, f"it is a folder; name a file, such as {Path(path) / 'ruvon.db'}")
    try:
        connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {durability}")
        connection.execute("PRAGMA temp_store = MEMORY")
    except sqlite3.Error as exc:
        raise DatabaseFileError(path, describe(exc)) from exc
    return connection


def read_version(path: str) -> int:
    """The schema version of a file, which is neither created nor changed; 0 where it has no tables of ours.

    Raises:
        DatabaseFileError: it is no database.
    """
    try:
        with closing(_open_to_read(path)) as connection:
            return _version_of(connection)
    except sqlite3.Error as exc:
        raise DatabaseFileError(path, describe(exc)) from exc


def refuse_foreign(path: str, schema: str) -> None:
    """Look at a file without changing a byte of it, and refuse one that `migrate` would refuse.

    Opening a file for our use writes to it (its journal becomes a WAL), so what belongs to another program or to a later
    Ruvon is told apart first: what it has of our names is rebuilt, empty, in memory, and migrated there. A file that is
    missing or cannot be looked at is left to `open_connection`, which says why.

    Raises:
        DatabaseFileError: the file is another program's, is locked by one, or was written by a later Ruvon.
    """
    if is_memory(path) or not Path(path).is_file():
        return
    try:
        with closing(_open_to_read(path)) as connection:
            connection.execute("BEGIN")  # one look: another process may be upgrading the file
            version, own = _version_of(connection), _own_objects(connection)
    except sqlite3.Error as exc:
        if exc.sqlite_errorname.startswith("SQLITE_BUSY"):  # whoever opens it would wait as long once more
            raise DatabaseFileError(path, describe(exc)) from exc
        return
    if version == SCHEMA_VERSION and own:
        return
    if 0 < version <= SCHEMA_VERSION and not own:
        raise DatabaseFileError(path, "it is the database of another program; name another file")
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as rehearsal:
        try:
            for statement in own:
                rehearsal.execute(statement)
        except sqlite3.Error:
            return  # it uses what this connection lacks, such as a collation
        rehearsal.execute(f"PRAGMA user_version = {version}")
        migrate(rehearsal, path, schema)


def _open_to_read(path: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True, timeout=_BUSY_TIMEOUT_S)


def _version_of(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _own_objects(connection: sqlite3.Connection) -> list[str]:
    """The statements that made what bears the names of our tables, and their indexes."""
    rows = connection.execute("SELECT tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type <> 'trigger'")
    return [str(sql) for table, sql in rows if table in OWN_TABLES]


def migrate(connection: sqlite3.Connection, path: str, schema: str) -> None:
    """Create what is missing, and bring an older database up to date: all of it or nothing.

    A database of a later version is refused untouched.

    Raises:
        DatabaseFileError: the database was written by a later Ruvon, or is read-only.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")  # of two processes that find an old file, one upgrades it
        try:
            _migrate(connection, path, schema)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    except sqlite3.Error as exc:
        raise DatabaseFileError(path, describe(exc)) from exc


def _migrate(connection: sqlite3.Connection, path: str, schema: str) -> None:
    found = _version_of(connection)
    if found > SCHEMA_VERSION:
        raise DatabaseFileError(
            path, f"it has schema version {found}, this Ruvon knows {SCHEMA_VERSION}; upgrade Ruvon"
        )
    try:
        for statement in statements_of(scripts_from(found) + schema):
            connection.execute(statement)
    except sqlite3.OperationalError as exc:
        if exc.sqlite_errorname != "SQLITE_ERROR":  # not about what the file holds, but about the disk or a lock
            raise
        reason = "another program's tables have names that Ruvon needs, or `schema=` is wrong; name another file"
        raise DatabaseFileError(path, f"{reason} ({exc})") from exc
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


UNKEPT: Final = (OverflowError, UnicodeError, sqlite3.DataError)
"""What is raised of a value that no column keeps: a number beyond 64 bits, half a character, a text or blob too long."""


def unkept(exc: Exception) -> PersistenceError:
    """The answer to one of `UNKEPT`; it concerns whoever brought the value, and nobody else."""
    return PersistenceError(f"a text or a number of this cannot be stored: {exc}; change it")


def describe(exc: sqlite3.Error) -> str:
    """A SQLite error in words that say what to do."""
    text = str(exc)
    remedies = {
        "SQLITE_FULL": "the disk is full; free some space, nothing was lost",
        "SQLITE_READONLY": "it may not be written; check the rights of the file and its folder",
        "SQLITE_CANTOPEN": "it cannot be opened; check the path, and the rights of the file and its folder",
        "SQLITE_NOTADB": "the file is not a SQLite database; name another file",
        "SQLITE_CORRUPT": "the file is damaged; restore it from a backup",
        "SQLITE_BUSY": "another process keeps it locked; stop that process or wait",
        "SQLITE_IOERR": "the disk reports an error; check it",
    }
    name = getattr(exc, "sqlite_errorname", "") or ""
    for prefix, remedy in remedies.items():
        if name.startswith(prefix):
            return f"{remedy} ({text})"
    return text
