"""`RedisPersistenceProvider`: workflows on one Redis server, shared by any number of processes."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, final
from uuid import UUID

from ruvon.implementations.persistence._documented import WithoutDevice
from ruvon.implementations.persistence.redis import _packing as packing
from ruvon.implementations.persistence.redis import _scripts as scripts
from ruvon.implementations.persistence.redis._beside import Beside
from ruvon.implementations.persistence.redis._holds import RedisDuty, RedisHold
from ruvon.implementations.persistence.redis._operations import appending, committing, defining, key_of_answer
from ruvon.implementations.persistence.redis._operators import Operators
from ruvon.implementations.persistence.redis._planned import Planned
from ruvon.implementations.persistence.redis._queue import Queue
from ruvon.implementations.persistence.redis._resealing import Resealing
from ruvon.providers.persistence import (
    DefinitionNotFoundError,
    DefinitionRecord,
    HistoryForgottenError,
    InboxEntry,
    InstanceRecord,
    LogEntry,
    SqlTransaction,
    Transition,
    UnsupportedError,
    WorkflowNotFoundError,
)

__all__ = ["RedisPersistenceProvider"]


@final
class RedisPersistenceProvider(Operators, Planned, Beside, Queue, Resealing, WithoutDevice):
    """Workflows on one Redis server.

    Args:
        db_url: `redis://user:password@host:port/number`, `rediss://...` with TLS, or `unix://...`; without it
            `RUVON_DB_URL`, then `REDIS_URL`.
        prefix: The name that begins every key, as a hash tag: several stores may share a database.
        lease_s: After how long a holder that fell silent has lost what it held. Leases are renewed three times as often.
        wait_for_disk: Let each batch wait until the server has flushed it, where the server can (`WAITAOF`, Redis 7.2).
        command_timeout_s: A command that takes longer counts as unanswered, and its batch is sent again.
        reconnect_timeout_s: How long a server that is away is waited for.
        clock: Where times of logs, metrics, heartbeats and tasks come from.

    The provider belongs to one event loop at a time and may be shared by any number of workflows. How durable a commit is
    decides the server; `durability` says what was found.
    """

    @property
    def durability(self) -> str:
        """`fsync`, `everysec` or `memory`, as read by `initialize`."""
        if self._durability is None:
            raise self._not_open()
        return self._durability.reached

    def another(self) -> "RedisPersistenceProvider":
        """A further provider on the same store, for another event loop; not open yet."""
        return RedisPersistenceProvider(
            self.db_url,
            prefix=self.prefix,
            lease_s=self._lease_s,
            wait_for_disk=self._wait_for_disk,
            command_timeout_s=self._timeout_s,
            reconnect_timeout_s=self._patience_s,
            clock=self._clock,
        )

    async def commit(self, transition: Transition, /) -> None:
        """Write one transition completely, or not at all; on return it is as durable as the server makes it."""
        if transition.expected >= 0:
            self._open_holds().check(transition.workflow_id)
        if transition.schedules:
            answer = await self._commit_registering(transition)
        else:
            answer = await self._do(committing(transition, (), ()))
        for new, key in zip(transition.created, answer[1], strict=True):
            new.key = key_of_answer(key)
        if self._holds is not None:
            for entry in transition.sent:
                self._holds.wake(entry.workflow_id)

    async def _commit_registering(self, transition: Transition) -> scripts.Answer:
        """Commit over what the store has of the schedules; read again where somebody else has changed them meanwhile."""
        while True:
            known, schedules = await self._registered(transition)
            answer = await self._do(committing(transition, known, schedules))
            if answer[0] != scripts.AGAIN:
                return answer

    def transact(self) -> AbstractAsyncContextManager[SqlTransaction]:
        """There is no SQL in Redis."""
        raise UnsupportedError("SQL", "use the SQLite or the PostgreSQL store, where a step shares its transaction")

    async def hold(self, workflow_id: UUID, /) -> RedisHold:
        """Take the right to drive the instance, at once or not at all."""
        return await self._open_holds().hold(workflow_id)

    async def take_duty(self, name: str, /) -> RedisDuty | None:
        """Take a duty that one process at a time has in this store, at once or not at all."""
        return await self._open_holds().take_duty(name)

    async def load_instance(self, workflow_id: UUID, /) -> InstanceRecord:
        """The row of an instance with its newest snapshot."""
        found = await self._ask("load", str(workflow_id))
        if found is None:
            raise WorkflowNotFoundError(workflow_id)
        return packing.instance(*found)

    async def find_by_idempotency_key(self, key: str, /) -> InstanceRecord | None:
        """The instance that was created with this key."""
        found = await self._ask("by_idempotency_key", key)
        return packing.instance(*found) if found is not None else None

    async def read_log(
        self, workflow_id: UUID, /, *, after: int = 0, saga: bool = False, limit: int | None = None
    ) -> Sequence[LogEntry]:
        """Log entries above `after`, in order; with `saga` only those that hold or undo a saga entry."""
        if limit == 0:
            return []
        asked = (str(workflow_id), after, "" if limit is None else limit, "1" if saga else "")
        return [packing.log_entry(number, fields) for number, fields in await self._ask("log", *asked)]

    async def read_snapshot(self, workflow_id: UUID, /, *, at: int) -> tuple[int, bytes]:
        """The newest full state as of log entry `at` or earlier."""
        found: Any = await self._ask("snapshot", str(workflow_id), at)
        if found is None:
            raise WorkflowNotFoundError(workflow_id)
        if not found:
            raise HistoryForgottenError(workflow_id, at)
        return int(found[0]), found[1]

    async def append_inbox(self, entry: InboxEntry, /) -> bool:
        """Append a message and wake the holder; False when its `dedup` key was there already."""
        answer = await self._do(appending(entry))
        if answer[1] is None:
            return False
        entry.seq = int(answer[1])
        self._open_holds().wake(entry.workflow_id)
        return True

    async def read_inbox(self, workflow_id: UUID, /, *, after: int = 0) -> Sequence[InboxEntry]:
        """The messages not consumed yet, in order."""
        found = await self._ask("inbox", str(workflow_id), after)
        return [packing.message(workflow_id, number, fields) for number, fields in found]

    async def put_definition(self, record: DefinitionRecord, /) -> None:
        """Store a definition; one whose digest is known is left alone."""
        await self._do(defining(record, self._clock.now_us()))

    async def get_definition(self, digest: bytes, /) -> DefinitionRecord:
        """The definition with this digest."""
        row = await self._ask("definition", digest.hex())
        if row[0] is None:
            raise DefinitionNotFoundError(digest)
        return packing.definition(digest.hex().encode(), row)
