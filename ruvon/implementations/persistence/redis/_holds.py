"""Holding instances: a key with a lease for each, renewed in the background, released by whoever has it alone.

The lease names the connection of its holder that listens for messages. When that connection is gone while the server is
the same, the holder's process is gone too (or about to notice), and its instance is free at once; where this cannot be
told, the lease runs out. A holder that lost its connection makes a new one, names it in its leases, and takes again what
ran out meanwhile; what somebody else has got hold of is lost, its holder is woken, and its next commit is refused.

A hold is marked until it is released in order, so the next holder knows that the one before it died. The mark is written
with the lease: a step that ends its process at once leaves no time to write anything later.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final, final
from uuid import UUID

from ruvon.implementations.persistence.redis._driver import DRIVER_ERRORS, Wire, describe, is_in_doubt, refusal
from ruvon.implementations.persistence.redis._packing import operation
from ruvon.implementations.persistence.redis._reader import Reader
from ruvon.implementations.persistence.redis._scripts import BUSY, FAILED, NOT_FOUND, Answer
from ruvon.implementations.persistence.redis._writer import Writer
from ruvon.providers.persistence import PersistenceError, StaleWorkflowError, WorkflowBusyError, WorkflowNotFoundError

__all__ = ["Holds", "RedisDuty", "RedisHold"]

_LOG: Final = logging.getLogger(__name__)
_LONGEST_PAUSE_S: Final = 2.0
_NOBODY: Final = "0@"


class _Lease:
    """A key that this provider has until it gives it back, or loses it."""

    def __init__(self, holds: "Holds", name: str, token: bytes) -> None:
        self.name = name
        self._holds = holds
        self._token = token
        self.lost = False

    @property
    def token(self) -> bytes:
        """Unique to this lease."""
        return self._token


@final
class RedisDuty(_Lease):
    """A duty that this process has until it releases it, or its lease is lost."""

    async def release(self) -> None:
        """Leave it to others; a second call is harmless."""
        await self._holds.give_back(self)


@final
class RedisHold(_Lease):
    """The right to drive one instance."""

    def __init__(self, holds: "Holds", workflow_id: UUID, token: bytes, *, died: bool) -> None:
        super().__init__(holds, f"h:{workflow_id}", token)
        self.workflow_id = workflow_id
        self.notify: Callable[[], None] | None = None
        self._died = died

    @property
    def died(self) -> bool:
        """Whether the last holder neither released the instance nor closed its store."""
        return self._died

    def driving(self) -> None:
        """Nothing: the mark was written with the hold."""

    def listen(self, notify: Callable[[], None] | None, /) -> None:
        """Call `notify` when an entry was appended to the inbox; None stops that."""
        self.notify = notify

    async def release(self) -> None:
        """Give the instance free; a second call is harmless."""
        self.notify = None
        await self._holds.give_back(self)


class Holds:
    """All holds and duties of one provider, and the connection that hears of messages and tasks.

    Args:
        url: the server, for messages.
        connect: makes a connection.
        writer: writes leases; it does not wait for the server's disk.
        reader: asks the server whether a connection is gone.
        base: the prefix of every key.
        lease_s: after how long a holder that fell silent has lost what it held.
    """

    def __init__(
        self,
        url: str,
        connect: Callable[[], Awaitable[Wire]],
        *,
        writer: Writer,
        reader: Reader,
        base: str,
        lease_s: float,
    ) -> None:
        self._url = url
        self._connect = connect
        self._writer = writer
        self._reader = reader
        self._base = base
        self._tasks_channel = f"{base}tasks".encode()
        self._lease_s = lease_s
        self._wire: Wire | None = None
        self._owner = _NOBODY
        self.task_listeners: list[Callable[[], None]] = []
        """Called whenever tasks may have become due."""
        self._held: dict[UUID, RedisHold] = {}
        self._duties: set[RedisDuty] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._strays: set[asyncio.Task[Any]] = set()

    async def open(self) -> None:
        """Listen, and begin to renew what is held."""
        await self._reopen()
        self._tasks = [
            asyncio.create_task(self._listen(), name="ruvon-redis-listener"),
            asyncio.create_task(self._keep(), name="ruvon-redis-leases"),
        ]

    async def close(self) -> None:
        """Give everything free."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._strays, return_exceptions=True)
        self._tasks.clear()
        leases: list[RedisHold | RedisDuty] = [*self._held.values(), *self._duties]
        for error in await asyncio.gather(*(self.give_back(lease) for lease in leases), return_exceptions=True):
            if isinstance(error, BaseException):
                _LOG.warning("a hold could not be released and ends with its lease: %s", error)
        await self._drop()

    # --- taking and giving back ---------------------------------------------------------------------------------------

    async def hold(self, workflow_id: UUID) -> RedisHold:
        """Take the instance, at once or not at all.

        Raises:
            WorkflowBusyError: somebody else has it.
            WorkflowNotFoundError: there is no such instance.
        """
        taking = asyncio.ensure_future(self._hold(workflow_id))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            self._strays.add(taking)
            taking.add_done_callback(self._hand_back)
            raise

    async def _hold(self, workflow_id: UUID) -> RedisHold:
        if workflow_id in self._held:
            raise WorkflowBusyError(workflow_id)
        token = secrets.token_bytes(8)
        answer = await self._take({"op": "hold", "id": str(workflow_id)}, token)
        if answer[0] == BUSY:
            raise WorkflowBusyError(workflow_id)
        if answer[0] == NOT_FOUND:
            raise WorkflowNotFoundError(workflow_id)
        made = self._held[workflow_id] = RedisHold(self, workflow_id, token, died=bool(answer[1]))
        return made

    async def take_duty(self, name: str) -> RedisDuty | None:
        """Take a duty, at once or not at all; None: somebody has it."""
        token = secrets.token_bytes(8)
        answer = await self._take({"op": "duty", "name": name}, token)
        if answer[0] == BUSY:
            return None
        made = RedisDuty(self, f"duty:{name}", token)
        self._duties.add(made)
        return made

    async def give_back(self, lease: "RedisHold | RedisDuty") -> None:
        """Release a lease if it is still this provider's."""
        header = {"op": "release", "name": lease.name, "token": lease.token.hex()}
        if isinstance(lease, RedisHold):
            if self._held.get(lease.workflow_id) is not lease:
                return
            header["id"] = str(lease.workflow_id)
        elif lease not in self._duties:
            return
        try:
            await self._writer.submit(operation(header))
        finally:
            if isinstance(lease, RedisDuty):
                self._duties.discard(lease)
            elif self._held.get(lease.workflow_id) is lease:
                del self._held[lease.workflow_id]

    def check(self, workflow_id: UUID) -> None:
        """Refuse a commit whose hold was lost.

        Raises:
            StaleWorkflowError: somebody else holds the instance by now.
        """
        held = self._held.get(workflow_id)
        if held is not None and held.lost:
            raise StaleWorkflowError(
                workflow_id,
                f"the lease on the workflow {workflow_id} ran out, and somebody else has it now; "
                "nothing of this change was written",
            )

    def wake(self, workflow_id: UUID) -> None:
        """Tell the holder of this process that its inbox has grown."""
        held = self._held.get(workflow_id)
        if held is not None and held.notify is not None:
            held.notify()

    def tell_workers(self) -> None:
        """Tell the workers of this process that tasks may have become due."""
        for notify in tuple(self.task_listeners):
            notify()

    async def _take(self, header: dict[str, Any], token: bytes) -> Answer:
        """Take a lease; from somebody whose connection is gone, too."""
        header = {**header, **self._terms(token)}
        answer = await self._done(header)
        if answer[0] == BUSY and await self._is_gone(answer[1]):
            answer = await self._done({**header, "rob": answer[1].decode()})
        return answer

    async def _done(self, header: dict[str, Any]) -> Answer:
        answer = await self._writer.submit(operation(header))
        if answer[0] == FAILED:
            raise refusal(self._url, answer[1].decode(errors="replace"))
        return answer

    def _terms(self, token: bytes) -> dict[str, Any]:
        return {"token": token.hex(), "owner": self._owner, "lease": str(round(self._lease_s * 1000))}

    async def _is_gone(self, held: bytes) -> bool:
        """Whether the connection that a lease names is gone, on the same run of the server."""
        owner = held.decode().partition(" ")[2]
        number, _, run = owner.partition("@")
        if owner in {self._owner, _NOBODY} or run != self._owner.partition("@")[2]:
            return False
        try:
            return not await self._reader.use(lambda wire: wire.call("CLIENT", "LIST", "ID", number))
        except PersistenceError:  # the user may not ask; then the lease decides
            return False

    def _hand_back(self, taking: "asyncio.Task[RedisHold]") -> None:
        """Nobody waits for the hold any more."""
        self._strays.discard(taking)
        if taking.cancelled() or taking.exception() is not None:
            return
        task = asyncio.ensure_future(taking.result().release())
        self._strays.add(task)
        task.add_done_callback(self._strays.discard)

    # --- in the background --------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        """Renew every lease long before it runs out, and see whether the listening connection still answers."""
        while True:
            await asyncio.sleep(self._lease_s / 3)
            await self._renew()
            if self._wire is not None:
                try:
                    await self._wire.send("PING")
                except DRIVER_ERRORS as exc:
                    _LOG.debug("the listening connection was lost: %s", exc)

    async def _renew(self) -> None:
        leases = [lease for lease in (*self._held.values(), *self._duties) if not lease.lost]
        operations = [operation({"op": "renew", "name": item.name, **self._terms(item.token)}) for item in leases]
        try:
            answers = await asyncio.gather(*(self._writer.submit(made) for made in operations))
        except PersistenceError as exc:
            _LOG.warning("%s holds and duties could not be renewed: %s", len(leases), exc)
            return
        for lease, answer in zip(leases, answers, strict=True):
            if answer[0] == BUSY:
                lease.lost = True
                if isinstance(lease, RedisHold):
                    self.wake(lease.workflow_id)

    async def _listen(self) -> None:
        """Wake holders whose inbox has grown; what is lost is opened again for as long as it takes."""
        pause_s = 0.02
        while True:
            try:
                if self._wire is None:
                    await self._reopen()
                    await self._renew()
                    for held in list(self._held.values()):  # messages of the meantime were announced to nobody
                        self.wake(held.workflow_id)
                    self.tell_workers()
                    pause_s = 0.02
                await self._hear(self._wire)
            except DRIVER_ERRORS as exc:
                await self._drop()
                word = _LOG.debug if is_in_doubt(exc) else _LOG.warning
                word("the connection that hears of messages is down: %s", describe(exc))
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _hear(self, wire: Wire | None) -> None:
        while wire is not None and wire is self._wire:
            heard = await wire.receive(timeout_s=max(self._lease_s, 1.0))
            if heard[0] != b"message":
                continue
            if heard[1] == self._tasks_channel:
                self.tell_workers()
            else:
                self._wake_named(heard[2])

    def _wake_named(self, names: bytes) -> None:
        try:
            grown = [UUID(name) for name in names.decode().split(",")]
        except ValueError:  # anybody may publish there
            _LOG.warning("somebody else publishes on the channel %sinbox: %r", self._base, names[:80])
            return
        for workflow_id in grown:
            self.wake(workflow_id)

    async def _reopen(self) -> None:
        await self._drop()
        wire = await self._connect()
        try:
            self._owner = await _identity(wire)
            await wire.call("SUBSCRIBE", f"{self._base}inbox", self._tasks_channel)
        except BaseException:
            await wire.close()
            raise
        self._wire = wire

    async def _drop(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.close()


async def _identity(wire: Wire) -> str:
    """The number of this connection and the run of the server, or nobody where the user may not ask."""
    try:
        number = int(await wire.call("CLIENT", "ID"))
        info: bytes = await wire.call("INFO", "server")
    except DRIVER_ERRORS as exc:
        if is_in_doubt(exc):
            raise
        return _NOBODY
    run = next((line[7:].strip().decode() for line in info.splitlines() if line.startswith(b"run_id:")), "")
    return f"{number}@{run}" if run else _NOBODY
