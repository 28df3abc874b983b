"""The driver: how connections are made, what the server's errors mean, and which of them leave a write in doubt."""

import asyncio
import os
from collections.abc import Awaitable
from typing import Any, Final, cast, final
from urllib.parse import urlsplit

from ruvon.implementations.persistence._urls import shown_url
from ruvon.providers.persistence import PersistenceError

try:
    from redis.asyncio import ConnectionPool
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import AuthenticationError, NoScriptError, RedisError, ResponseError
    from redis.exceptions import ConnectionError as LostError
    from redis.exceptions import TimeoutError as LateError
except ImportError:
    from ruvon.providers import MissingExtraError

    raise MissingExtraError("redis", "redis") from None

__all__ = [
    "DRIVER_ERRORS",
    "NoScriptError",
    "RedisServerError",
    "ResponseError",
    "Wire",
    "database_url",
    "describe",
    "is_in_doubt",
    "is_patient",
    "refusal",
    "shown_url",
]

DRIVER_ERRORS: Final = (OSError, TimeoutError, RedisError)
"""Everything that the driver raises."""
SCHEMES: Final = frozenset({"redis", "rediss", "unix"})
_CONNECT_TIMEOUT_S: Final = 10.0


class RedisServerError(PersistenceError):
    """The Redis server cannot be used, or refused what was to be written; the sentence says what to do."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = shown_url(url)
        super().__init__(f"the Redis server {self.url} cannot be used: {reason}")


@final
class Wire:
    """One connection, used by one task at a time; nothing is repeated behind the caller's back."""

    def __init__(self, url: str, timeout_s: float) -> None:
        pool: Any = cast("Any", ConnectionPool).from_url(
            url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_timeout=timeout_s,
            socket_connect_timeout=_CONNECT_TIMEOUT_S,
            socket_keepalive=True,
            client_name="ruvon",
        )
        self._inner: Any = pool.make_connection()

    async def open(self) -> None:
        """Connect.

        Raises:
            DRIVER_ERRORS: there is no such server, or it refuses the user.
        """
        await _heeding(self._inner.connect())

    async def call(self, *arguments: bytes | str | int) -> Any:
        """Send one command and give its answer."""
        await _heeding(self._inner.send_command(*arguments))
        return await _heeding(self._inner.read_response())

    async def send(self, *arguments: bytes | str | int) -> None:
        """Send a command whose answer `receive` gives."""
        await _heeding(self._inner.send_command(*arguments))

    async def receive(self, *, timeout_s: float) -> Any:
        """The next thing that the server says."""
        return await _heeding(self._inner.read_response(timeout=timeout_s))

    async def close(self) -> None:
        """Let it go; a second call is harmless, and so is a connection that was lost."""
        try:
            await self._inner.disconnect(nowait=True)
        except DRIVER_ERRORS:
            return


async def _heeding(work: Awaitable[Any]) -> Any:
    """What the driver gives, unless the task was cancelled meanwhile.

    The driver waits with `asyncio.wait_for`, which before Python 3.12 drops a cancel that comes as its work ends. Whoever
    had cancelled the task and waits for its end would wait for ever.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task is not None else 0
    found = await work
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
    return found


def database_url(given: str | None) -> str:
    """The URL of the server: the given one, else `RUVON_DB_URL`, else `REDIS_URL`.

    Raises:
        ValueError: there is none, or it is not one of Redis.
    """
    url = given or os.environ.get("RUVON_DB_URL") or os.environ.get("REDIS_URL") or ""
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in SCHEMES:
        what = f"{shown_url(url)!r} is not one" if url else "there is none"
        raise ValueError(f"the store needs a URL like redis://host:6379/0, and {what}; give db_url=")
    number = urlsplit(url).path.strip("/")
    if scheme != "unix" and number and not number.isdecimal():
        raise ValueError(
            f"the URL {shown_url(url)} names the database {number!r}; a database of Redis is a number, as in /0"
        )
    return url


def is_in_doubt(exc: BaseException) -> bool:
    """Whether the error leaves it open what the server has done: the connection is gone, or an answer never came."""
    if isinstance(exc, AuthenticationError):
        return False
    return isinstance(exc, OSError | TimeoutError | LostError | LateError)


def is_patient(exc: BaseException) -> bool:
    """Whether the server did nothing and will be able to in a moment: it loads, is busy, or hands over."""
    return _word(exc) in {"LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN"}


_REMEDIES: Final = {
    "NOAUTH": "it wants a password; give it in the URL, as in redis://:password@host:6379/0",
    "WRONGPASS": "it refuses the user or the password; check both",
    "NOPERM": "the user may not do this; it needs @read, @write, @scripting, @pubsub and @connection on the store's keys",
    "READONLY": "it is a read-only replica; name the primary one",
    "OOM": "its memory is full; raise maxmemory or purge ended workflows, nothing of this was written",
    "MISCONF": "it cannot write to its disk and takes no changes; free some space and look into its log",
    "MOVED": "it is a cluster, and the store's keys are on another node; name the node that has their slot",
    "CROSSSLOT": "the prefix of the store breaks its keys into several slots; choose one without braces",
    "WRONGTYPE": "a key of the store is of another type; somebody else writes under its prefix, choose another one",
    "NOREPLICAS": "it has too few replicas to take changes; see min-replicas-to-write",
    "LOADING": "it is still loading its data; try again in a while",
    "BUSY": "it is busy with somebody's script; try again in a while, or end that script",
    "CLUSTERDOWN": "its cluster is down; look into the cluster's state",
    "MASTERDOWN": "it has lost its primary; look into the replication",
    "NOPROTO": "it is too old; Redis 6.2 or later is needed",
}


def _word(exc: BaseException) -> str:
    """The first word of the server's answer, which tells what is wrong."""
    text = str(exc)
    named = {"OutOfMemoryError": "OOM", "ReadOnlyError": "READONLY", "BusyLoadingError": "LOADING"}
    return named.get(type(exc).__name__) or text.partition(" ")[0].lstrip("-").rstrip(":")


def describe(exc: BaseException) -> str:
    """An error of the driver in words that say what to do."""
    text = str(exc) or type(exc).__name__
    remedy = remedy_for(_word(exc), text)
    if remedy:
        return f"{remedy} ({text})"
    if isinstance(exc, AuthenticationError):
        return f"it refuses the user or the password; check both ({text})"
    if isinstance(exc, TimeoutError | LateError):
        return f"it did not answer in time; check the server and the network ({text})"
    if isinstance(exc, OSError | LostError):
        return f"it cannot be reached; check the address, and that the server runs ({text})"
    return text


def remedy_for(word: str, text: str) -> str | None:
    """What to do about an answer that begins with this word."""
    if "DB index is out of range" in text:
        return "it has no database of this number; name a smaller one"
    if "invalid username-password" in text or "Authentication required" in text or "AUTH" in text.split(" ")[:1]:
        return _REMEDIES["NOAUTH" if "required" in text else "WRONGPASS"]
    if "unknown command" in text.lower():
        return "it is too old, or this command is switched off; Redis 6.2 or later with scripts is needed"
    return _REMEDIES.get(word)


def refusal(url: str, text: str) -> RedisServerError:
    """What the script was refused by the server, as an error that says what to do."""
    remedy = remedy_for(text.partition(" ")[0].lstrip("-"), text)
    return RedisServerError(url, f"{remedy} ({text})" if remedy else text)
