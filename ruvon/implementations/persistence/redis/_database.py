"""One open store: its connections, what the server promises, and what its answers mean."""

import asyncio
import logging
from typing import Any, Final
from uuid import UUID

from ruvon.implementations.persistence.redis import _scripts as scripts
from ruvon.implementations.persistence.redis._driver import (
    DRIVER_ERRORS,
    RedisServerError,
    Wire,
    database_url,
    describe,
    is_in_doubt,
    is_patient,
    refusal,
    shown_url,
)
from ruvon.implementations.persistence.redis._durability import Durability, read_durability
from ruvon.implementations.persistence.redis._holds import Holds
from ruvon.implementations.persistence.redis._packing import operation
from ruvon.implementations.persistence.redis._pauses import pauses
from ruvon.implementations.persistence.redis._reader import Reader
from ruvon.implementations.persistence.redis._scripts import Answer
from ruvon.implementations.persistence.redis._writer import Writer
from ruvon.providers._clock import Clock, SystemClock
from ruvon.providers.persistence import (
    DuplicateIdempotencyKeyError,
    PersistenceError,
    StaleWorkflowError,
    WorkflowNotFoundError,
)

__all__ = ["LAYOUT", "Database", "read_layout"]

_LOG: Final = logging.getLogger(__name__)
_OLDEST_SERVER: Final = (6, 2)
LAYOUT: Final = "1"
"""The version of the layout of keys."""


class Database:
    """What the parts of the provider share."""

    def __init__(
        self,
        db_url: str | None = None,
        *,
        prefix: str = "ruvon",
        lease_s: float = 15.0,
        wait_for_disk: bool = True,
        command_timeout_s: float = 10.0,
        reconnect_timeout_s: float = 30.0,
        clock: Clock | None = None,
    ) -> None:
        self.db_url = database_url(db_url)
        if not prefix or set(prefix) & set("{}"):
            raise ValueError(
                f"the prefix {prefix!r} must be a text without braces; it becomes the hash tag of every key"
            )
        if lease_s <= 0:
            raise ValueError(f"lease_s is {lease_s}; a lease must last for some time")
        self.prefix = prefix
        self._base = f"{{{prefix}}}:"
        self._lease_s = lease_s
        self._wait_for_disk = wait_for_disk
        self._timeout_s = command_timeout_s
        self._patience_s = reconnect_timeout_s
        self._clock: Clock = clock or SystemClock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._durability: Durability | None = None
        self._writer: Writer | None = None
        self._leases: Writer | None = None
        self._reader: Reader | None = None
        self._holds: Holds | None = None
        self._looked: dict[tuple[str, ...], tuple[int, int | None]] = {}
        """By queues, under limits: when the last claim found no more, and when a rate opens one of them again."""

    async def initialize(self) -> None:
        """Connect, and see what the server promises; a second call is harmless.

        Raises:
            RedisServerError: the server cannot be used; the sentence says what to do.
        """
        loop = asyncio.get_running_loop()
        if self._holds is not None and self._loop is loop:
            return
        found = await self._look()
        patience = self._patience_s
        writer = Writer(self.db_url, self._connect, self._base, patience_s=patience, flush=found.waits)
        leases = Writer(self.db_url, self._connect, self._base, patience_s=patience)
        reader = Reader(self.db_url, self._connect, self._base, patience_s=patience)
        holds = Holds(self.db_url, self._connect, writer=leases, reader=reader, base=self._base, lease_s=self._lease_s)
        try:
            await holds.open()
        except DRIVER_ERRORS as exc:
            raise RedisServerError(self.db_url, describe(exc)) from exc
        self._writer, self._leases, self._reader, self._holds = writer, leases, reader, holds
        self._durability, self._loop = found, loop

    async def close(self) -> None:
        """Write what waits and release every connection; a second call is harmless."""
        writer, leases, reader, holds = self._writer, self._leases, self._reader, self._holds
        elsewhere = self._is_elsewhere()
        self._writer = self._leases = self._reader = self._holds = self._loop = None
        if elsewhere or writer is None or leases is None or reader is None or holds is None:
            return  # another loop, which is over, had them: the server notices that they are gone
        await writer.close()
        await holds.close()
        await leases.close()
        await reader.close()

    async def _look(self) -> Durability:
        """What the server is and promises; a server that is not there is waited for."""
        last: BaseException | None = None
        for pause_s in pauses(self._patience_s):
            try:
                wire = await self._connect()
                try:
                    return await self._judge(wire)
                finally:
                    await wire.close()
            except DRIVER_ERRORS as exc:
                last = exc
                if not (is_in_doubt(exc) or is_patient(exc)):
                    break
            await asyncio.sleep(pause_s)
        assert last is not None  # noqa: S101  # there was at least one try
        raise RedisServerError(self.db_url, describe(last)) from last

    async def _judge(self, wire: Wire) -> Durability:
        found = await read_durability(wire, wait=self._wait_for_disk)
        numbers = tuple(int(part) for part in found.server_version.split(".")[:2] if part.isdecimal())
        if numbers and numbers < _OLDEST_SERVER:
            raise RedisServerError(self.db_url, f"it has version {found.server_version}; Redis 6.2 or later is needed")
        if found.role == "slave":
            raise RedisServerError(self.db_url, "it is a replica, which takes no changes; name the primary one")
        await wire.call("HSETNX", f"{self._base}meta", "layout", LAYOUT)
        layout = (await wire.call("HGET", f"{self._base}meta", "layout")).decode()
        if layout != LAYOUT:
            raise RedisServerError(
                self.db_url, f"its keys have the layout {layout}, and this Ruvon knows {LAYOUT}; use the newer Ruvon"
            )
        _LOG.info("the Redis server %s keeps commits as `%s`", shown_url(self.db_url), found.reached)
        for warning in found.warnings():
            _LOG.warning("the Redis server %s: %s", shown_url(self.db_url), warning)
        return found

    async def _connect(self) -> Wire:
        wire = Wire(self.db_url, self._timeout_s)
        try:
            await wire.open()
        except BaseException:
            await wire.close()
            raise
        return wire

    # --- asking and writing -------------------------------------------------------------------------------------------

    async def _ask(self, question: str, *arguments: bytes | str | int) -> Any:
        return await self._open_reader().ask(question, *arguments)

    async def _do(self, made: bytes) -> Answer:
        """Do one operation with the next batch; its answer, unless the server failed or a guard did.

        Raises:
            StaleWorkflowError: the row was changed by somebody else, or exists already.
            WorkflowNotFoundError: there is no such row.
            DuplicateIdempotencyKeyError: a key is taken.
            RedisServerError: the server failed.
        """
        return self._judged(await self._open_writer().submit(made))

    async def _do_plain(self, header: dict[str, object], *parts: bytes) -> Answer:
        """The same with an operation that is a few plain values."""
        return await self._do(operation(header, *parts))

    async def _do_lightly(self, header: dict[str, object], *parts: bytes) -> Answer:
        """The same for signs of life, which nobody misses after a power cut: the server's disk is not waited for."""
        self._open_writer()
        assert self._leases is not None  # noqa: S101  # it is opened with the writer
        return self._judged(await self._leases.submit(operation(header, *parts)))

    def _judged(self, answer: Answer) -> Answer:
        match answer[0]:
            case scripts.STALE:
                raise StaleWorkflowError(answer[1].decode())
            case scripts.NOT_FOUND:
                raise WorkflowNotFoundError(answer[1].decode())
            case scripts.DUPLICATE:
                raise DuplicateIdempotencyKeyError(answer[1].decode(), UUID(answer[2].decode()))
            case scripts.FAILED:
                raise refusal(self.db_url, answer[1].decode(errors="replace"))
            case _:
                return answer

    # --- what must be open --------------------------------------------------------------------------------------------

    def _open_reader(self) -> Reader:
        if self._reader is None or self._is_elsewhere():
            raise self._not_open()
        return self._reader

    def _open_writer(self) -> Writer:
        if self._writer is None or self._is_elsewhere():
            raise self._not_open()
        return self._writer

    def _open_holds(self) -> Holds:
        if self._holds is None or self._is_elsewhere():
            raise self._not_open()
        return self._holds

    def _is_elsewhere(self) -> bool:
        """Its connections belong to another event loop, which may be over."""
        return self._loop is not asyncio.get_running_loop()

    def _not_open(self) -> PersistenceError:
        if self._writer is not None:
            return RedisServerError(
                self.db_url,
                "the provider was opened in another event loop; close it there, and call `await provider.initialize()` here",
            )
        return RedisServerError(self.db_url, "the provider is not open; call `await provider.initialize()` first")


async def read_layout(url: str, prefix: str = "ruvon") -> str | None:
    """The version of the layout of keys that a store has; None where it has none yet.

    Raises:
        RedisServerError: the server cannot be used.
    """
    wire = Wire(url, 10.0)
    try:
        await wire.open()
        found: bytes | None = await wire.call("HGET", f"{{{prefix}}}:meta", "layout")
    except DRIVER_ERRORS as exc:
        raise RedisServerError(url, describe(exc)) from exc
    finally:
        await wire.close()
    return found.decode() if found is not None else None
