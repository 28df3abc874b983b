"""The driver: how connections are made, what its errors mean, and which of them leave a commit in doubt."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from ruvon.implementations.persistence._urls import shown_url
from ruvon.providers.persistence import PersistenceError

try:
    import asyncpg
except ImportError:
    from ruvon.providers import MissingExtraError

    raise MissingExtraError("postgres", "asyncpg") from None

__all__ = [
    "CLAIM_SETTINGS",
    "DRIVER_ERRORS",
    "WRITER_SETTINGS",
    "Connection",
    "DatabaseServerError",
    "PoolSettings",
    "connect",
    "database_url",
    "describe",
    "is_in_doubt",
    "is_transient",
    "shown_url",
]

T = TypeVar("T", int, float)
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

OLDEST_SERVER: Final = 13
DRIVER_ERRORS: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the answer to a statement on a connection that the server has just ended
)
"""Everything that the driver raises."""
_CONNECT_TIMEOUT_S: Final = 10.0
_TRANSIENT: Final = frozenset({"40001", "40P01", "55P03"})
"""Serialization failure, deadlock, lock not available: the same again may well succeed."""
_GONE: Final = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03", "53300"})
"""The server ends the connection or takes none: shut down, crashed, starting, idle too long, too many."""
_SETTINGS: Final = {
    "application_name": "ruvon",
    "tcp_keepalives_idle": "15",  # locks of a machine that fell silent come free after half a minute
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}

WRITER_SETTINGS: Final = {
    # Every statement of a group commit finds its rows by their keys. A plan that was made while the tables were small
    # must not read them from end to end once they are large.
    "enable_seqscan": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}
"""What the connections of the group commits have beside."""

CLAIM_SETTINGS: Final = {
    # A claim takes the first tasks of an index. A plan that was made while few waited must not fetch and sort a backlog.
    "enable_sort": "off",
    "enable_bitmapscan": "off",
    "enable_seqscan": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}
"""What the connection of the claims has beside."""


class DatabaseServerError(PersistenceError):
    """The database server cannot be used, or refused what was to be written; the sentence says what to do."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = shown_url(url)
        super().__init__(f"the PostgreSQL database {self.url} cannot be used: {reason}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSettings:
    """The connections of one provider, beside the two that it keeps for commits and for holds."""

    min_size: int = 10
    """Connections that are opened at the start and kept."""
    max_size: int = 50
    """Connections at most; who needs one more waits."""
    command_timeout_s: float = 10.0
    """A statement that takes longer is cancelled. A commit that was cancelled is looked up before it is repeated."""
    max_queries: int = 50_000
    """A connection that has done so many statements is replaced."""
    max_inactive_lifetime_s: float = 300.0
    """A connection that did nothing for so long is closed."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "PoolSettings":
        """The settings of the variables `POSTGRES_POOL_*`; what is not set keeps its default.

        Raises:
            ValueError: a variable is not a number, or out of range.
        """
        found = os.environ if environment is None else environment
        made = cls(
            min_size=_number(found, "POSTGRES_POOL_MIN_SIZE", 10, 0),
            max_size=_number(found, "POSTGRES_POOL_MAX_SIZE", 50, 1),
            command_timeout_s=_number(found, "POSTGRES_POOL_COMMAND_TIMEOUT", 10.0, 0.001),
            max_queries=_number(found, "POSTGRES_POOL_MAX_QUERIES", 50_000, 1),
            max_inactive_lifetime_s=_number(found, "POSTGRES_POOL_MAX_INACTIVE_LIFETIME", 300.0, 0.0),
        )
        if made.min_size > made.max_size:
            raise ValueError(
                f"POSTGRES_POOL_MIN_SIZE is {made.min_size}, which is more than POSTGRES_POOL_MAX_SIZE, {made.max_size}"
            )
        return made


def _number(found: Mapping[str, str], name: str, default: T, least: T) -> T:
    text = found.get(name, "").strip()
    if not text:
        return default
    try:
        value = type(default)(text)
    except ValueError:
        raise ValueError(f"{name} is {text!r}, which is no number") from None
    if value < least:
        raise ValueError(f"{name} is {text}; the least is {least}")
    return value


def database_url(given: str | None) -> str:
    """The URL of the database: the given one, else `RUVON_DB_URL`, else `DATABASE_URL`.

    Raises:
        ValueError: there is none, or it is not one of PostgreSQL.
    """
    url = given or os.environ.get("RUVON_DB_URL") or os.environ.get("DATABASE_URL") or ""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        what = f"{shown_url(url)!r} is not one" if url else "there is none"
        raise ValueError(f"the store needs a URL like postgresql://user@host/database, and {what}; give db_url=")
    return f"postgresql://{rest}"


async def connect(
    url: str, *, schema: str | None, timeout_s: float, beside: Mapping[str, str] | None = None
) -> Connection:
    """One connection with our settings, and further ones.

    Raises:
        DatabaseServerError: there is no such server, database or user.
    """
    try:
        return await asyncpg.connect(url, **options(schema, timeout_s, beside))
    except (*DRIVER_ERRORS, ValueError) as exc:
        raise DatabaseServerError(url, describe(exc)) from exc


def options(schema: str | None, timeout_s: float, beside: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What every connection is opened with."""
    settings = {**_SETTINGS, **(beside or {})} | ({"search_path": schema} if schema else {})
    return {"timeout": _CONNECT_TIMEOUT_S, "command_timeout": timeout_s, "server_settings": settings}


def is_in_doubt(exc: BaseException) -> bool:
    """Whether the error leaves it open what the server has done: the connection is gone, or an answer never came."""
    if isinstance(exc, asyncpg.PostgresError):
        state = exc.sqlstate or ""
        return state in _GONE or state.startswith("08")
    if isinstance(exc, asyncpg.InterfaceError):
        return not isinstance(exc, ValueError)  # those are values that cannot be encoded
    return isinstance(exc, OSError | TimeoutError | EOFError | asyncpg.InternalClientError)


def is_transient(exc: BaseException) -> bool:
    """Whether nothing is wrong but the moment."""
    return isinstance(exc, asyncpg.PostgresError) and exc.sqlstate in _TRANSIENT


_REMEDIES: Final = (
    ("28", "the server refuses the user or the password; check both"),
    ("3D000", "there is no such database; create it, or name another one"),
    ("3F000", "there is no such schema; create it, or name another one"),
    ("42501", "the user may not do this; grant the right, or use the owner of the tables"),
    ("42P01", "a table is missing; run `ruvon db migrate`"),
    ("42703", "a column is missing; run `ruvon db migrate`"),
    ("53100", "the disk of the server is full; free some space, nothing was lost"),
    ("53300", "the server has no connection left; raise max_connections, or make the pool smaller"),
    ("25006", "the server is read-only; name the primary one"),
    ("22021", "a text has the character U+0000, which PostgreSQL cannot keep; remove it"),
    ("22P05", "a text has the character U+0000, which PostgreSQL cannot keep; remove it"),
)


def describe(exc: BaseException) -> str:
    """An error of the driver in words that say what to do."""
    text = str(exc) or type(exc).__name__
    state = str(getattr(exc, "sqlstate", "") or "")
    for prefix, remedy in _REMEDIES:
        if state.startswith(prefix):
            return f"{remedy} ({text})"
    if isinstance(exc, TimeoutError):
        return "it did not answer in time; check the server and the network"
    if isinstance(exc, OSError):
        return f"it cannot be reached; check the address, and that the server runs ({text})"
    return text
