"""Holding instances: session advisory locks of one connection, taken for many instances in one statement.

The locks die with the connection, so with the process. When the connection is lost, a new one takes them again; what
somebody else has got hold of meanwhile is lost, its holder is woken, and its next commit is refused. The connection
listens too: whoever appends to an inbox names the workflow in a notification of its transaction.

A hold is marked until it is released in order, so the next holder knows that the one before it died. The marks lie in a
table that is not logged: they cost no flush, and a server that crashes forgets them, which says that nobody died.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, Final, final
from uuid import UUID

import asyncpg

from ruvon.implementations.persistence.postgres import _statements as sql
from ruvon.implementations.persistence.postgres._driver import DRIVER_ERRORS, Connection, is_in_doubt
from ruvon.providers.persistence import PersistenceError, StaleWorkflowError, WorkflowBusyError, WorkflowNotFoundError

__all__ = ["LIMITS", "TASKS", "Holds", "PostgresHold"]

_LOG: Final = logging.getLogger(__name__)
TASKS: Final = "tasks"
LIMITS: Final = "limits"
"""The word on the channel of the inboxes that says that there is work in the queue."""
_RETAKE_TRIES: Final = 20
_RETAKE_PAUSE_S: Final = 0.05
_RETRY_PAUSE_S: Final = 1.0


@final
class PostgresHold:
    """The right to drive one instance."""

    def __init__(self, holds: "Holds", workflow_id: UUID, key: int, token: bytes, *, died: bool) -> None:
        self._holds = holds
        self.workflow_id = workflow_id
        self.key = key
        self._token = token
        self._died = died
        self.notify: Callable[[], None] | None = None
        self.lost = False

    @property
    def token(self) -> bytes:
        """Unique to this hold."""
        return self._token

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
        await self._holds.release(self)


class Holds:
    """All holds of one provider."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], salt: int, channel: str) -> None:
        self._connect = connect
        self.salt = salt
        """What tells the locks of this schema from others of the database; a lock is `salt # key`."""
        self._channel = channel
        self._connection: Connection | None = None
        self._who: tuple[int, object] | None = None
        self._held: dict[UUID, PostgresHold] = {}
        self._wanted: list[tuple[UUID, asyncio.Future[PostgresHold]]] = []
        self._free: list[tuple[int, bytes, asyncio.Future[None]]] = []
        self._owed: list[tuple[int, bytes]] = []
        """Marks of holds that were released while the connection was lost."""
        self._asked: list[asyncio.Future[int]] = []
        self.generation = 0
        """Which connection this is. A crash of the server ends them all: one that has lasted proves that there was none."""
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._strays: set[asyncio.Task[None]] = set()
        self._closing = False
        self.task_listeners: list[Callable[[], None]] = []
        """Called when there may be work in the queue."""
        self.limits_changed: Callable[[], None] = lambda: None
        """Called when the limits of a queue have changed."""

    async def open(self) -> None:
        """Connect, and begin to take what is asked for."""
        await self._reopen()
        self._task = asyncio.create_task(self._serve(), name="ruvon-postgres-holds")

    async def close(self) -> None:
        """Give everything free."""
        self._closing = True
        self._work.set()
        if self._task is not None:
            await self._task
        if self._connection is not None:
            await self._forget_marks(self._connection)
            await _close(self._connection)
        self._held.clear()

    async def hold(self, workflow_id: UUID) -> PostgresHold:
        """Take the instance, at once or not at all.

        Raises:
            WorkflowBusyError: somebody else has it.
            WorkflowNotFoundError: there is no such instance.
        """
        if workflow_id in self._held:
            raise WorkflowBusyError(workflow_id)
        if self._closing:
            raise PersistenceError("the provider is closed; open a new one")
        answer: asyncio.Future[PostgresHold] = asyncio.get_running_loop().create_future()
        self._wanted.append((workflow_id, answer))
        self._work.set()
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            answer.add_done_callback(self._give_back)
            raise

    async def release(self, hold: PostgresHold) -> None:
        """Give it free if `hold` still has it."""
        if self._held.get(hold.workflow_id) is not hold or hold.key < 0:
            return
        key, hold.key = hold.key, -1  # nobody of this process gets it before the server has it back
        if self._closing:  # the locks go with the connection
            self._owed.append((key, hold.token))
            del self._held[hold.workflow_id]
            return
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._free.append((key, hold.token, answer))
        self._work.set()
        try:
            await asyncio.shield(answer)
        finally:
            if self._held.get(hold.workflow_id) is hold:
                del self._held[hold.workflow_id]

    def check(self, workflow_id: UUID) -> None:
        """Refuse a commit whose hold was lost.

        Raises:
            StaleWorkflowError: somebody else holds the instance by now.
        """
        held = self._held.get(workflow_id)
        if held is not None and held.lost:
            raise StaleWorkflowError(
                workflow_id,
                f"the connection that held the workflow {workflow_id} was lost, and somebody else has it now; "
                "nothing of this change was written",
            )

    async def has_lasted(self, generation: int) -> bool:
        """Whether the connection of a generation still answers: then the server has not crashed since it was opened."""
        if self._closing:
            return False
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._asked.append(answer)
        self._work.set()
        return await answer == generation

    def wake(self, workflow_id: UUID) -> None:
        """Tell the holder of this process that its inbox has grown."""
        held = self._held.get(workflow_id)
        if held is not None and held.notify is not None:
            held.notify()

    def tell_workers(self) -> None:
        """Tell the workers of this process that there may be work in the queue."""
        for notify in tuple(self.task_listeners):
            notify()

    def _give_back(self, answer: "asyncio.Future[PostgresHold]") -> None:
        """Nobody waits for the hold any more."""
        if answer.cancelled() or answer.exception() is not None:
            return
        task = asyncio.ensure_future(answer.result().release())
        self._strays.add(task)
        task.add_done_callback(self._strays.discard)

    # --- the task -----------------------------------------------------------------------------------------------------

    async def _serve(self) -> None:
        """Do what waits, in one statement each; reopen what was lost. When it ends, nobody is left waiting."""
        try:
            await self._serve_all()
        finally:
            self._closing = True
            self._refuse(PersistenceError("the provider is closed; open a new one"))

    async def _serve_all(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            if self._closing:
                return
            try:
                if self._connection is None or self._connection.is_closed():
                    await self._reopen()
                await self._release_all()
                await self._take_all()
                await self._answer_asked()
            except PersistenceError as exc:
                self._refuse(exc)
                if self._held:  # what is held waits for the server, too
                    asyncio.get_running_loop().call_later(_RETRY_PAUSE_S, self._work.set)
            except DRIVER_ERRORS as exc:
                if not is_in_doubt(exc):
                    self._refuse(PersistenceError(f"the workflow cannot be held: {exc}"))
                await self._drop()  # a statement that failed may have taken locks that nobody knows of
                self._work.set()

    async def _release_all(self) -> None:
        freed, self._free = self._free, []
        try:
            if freed:
                await self._open().execute(
                    sql.RELEASE, [key for key, _, _ in freed], [token for _, token, _ in freed], self.salt
                )
        except BaseException:
            self._owed += [(key, token) for key, token, _ in freed]
            raise
        finally:  # a lost connection has released them, too
            for _, _, answer in freed:
                _settle(answer, None)

    async def _take_all(self) -> None:
        wanted, self._wanted = self._wanted, []
        asked: dict[UUID, list[asyncio.Future[PostgresHold]]] = {}
        for workflow_id, answer in wanted:
            if workflow_id in self._held:
                _fail(answer, WorkflowBusyError(workflow_id))
            elif not answer.done():
                asked.setdefault(workflow_id, []).append(answer)
        if not asked:
            return
        try:
            tokens = {workflow_id: secrets.token_bytes(8) for workflow_id in asked}
            rows = await self._open().fetch(
                sql.TRY_HOLD, [str(name) for name in tokens], list(tokens.values()), self.salt
            )
        except BaseException:
            self._wanted = [*((name, answer) for name, found in asked.items() for answer in found), *self._wanted]
            raise
        found = {UUID(row["id"]): row for row in rows}
        for workflow_id, (first, *others) in asked.items():
            self._answer(workflow_id, found.get(workflow_id), tokens[workflow_id], first)
            for answer in others:
                _fail(answer, WorkflowBusyError(workflow_id))

    async def _answer_asked(self) -> None:
        if self._asked:
            await self._open().execute("SELECT 1")
            asked, self._asked = self._asked, []
            for answer in asked:
                _settle(answer, self.generation)

    def _answer(
        self, workflow_id: UUID, row: "asyncpg.Record | None", token: bytes, answer: "asyncio.Future[PostgresHold]"
    ) -> None:
        if row is None:
            _fail(answer, WorkflowNotFoundError(workflow_id))
        elif not row["taken"]:
            _fail(answer, WorkflowBusyError(workflow_id))
        else:
            made = self._held[workflow_id] = PostgresHold(self, workflow_id, row["key"], token, died=row["died"])
            _settle(answer, made)

    def _open(self) -> Connection:
        if self._connection is None:
            raise asyncpg.InterfaceError("the connection of the holds was lost")
        return self._connection

    def _refuse(self, error: PersistenceError) -> None:
        wanted, self._wanted = self._wanted, []
        freed, self._free = self._free, []
        asked, self._asked = self._asked, []
        for unknown in asked:
            _settle(unknown, -1)
        for _, answer in wanted:
            _fail(answer, error)
        self._owed += [(key, token) for key, token, _ in freed]
        for _, _, released in freed:
            _settle(released, None)

    # --- losing the connection ----------------------------------------------------------------------------------------

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.remove_termination_listener(self._terminated)
            connection.terminate()

    async def _reopen(self) -> None:
        await self._drop()
        connection = await self._connect()
        try:
            await connection.execute(sql.KEEP_ALIVE)
            await connection.add_listener(self._channel, self._heard)
            if self._who is not None:
                await connection.execute(sql.END_OLD, *self._who)
            row = await connection.fetchrow(sql.WHO_AM_I)
            await self._retake(connection)
            await self._pay(connection)
        except BaseException:
            connection.terminate()
            raise
        self._who = (row["pid"], row["backend_start"]) if row is not None else None
        connection.add_termination_listener(self._terminated)
        self._connection = connection
        self.generation += 1
        for held in list(self._held.values()):  # messages of the meantime were announced to nobody
            if held.notify is not None:
                held.notify()
        self.tell_workers()

    async def _retake(self, connection: Connection) -> None:
        """Take again what was held; what somebody else has by now is lost."""
        missing = {held.key: held for held in self._held.values() if held.key >= 0 and not held.lost}
        for _ in range(_RETAKE_TRIES):  # the server may need a moment to end the session that had them
            if not missing:
                return
            tokens = [held.token for held in missing.values()]
            for row in await connection.fetch(sql.TRY_AGAIN, list(missing), tokens, self.salt):
                if row["taken"]:
                    del missing[row["key"]]
            if missing:
                await asyncio.sleep(_RETAKE_PAUSE_S)
        for held in missing.values():
            held.lost = True

    async def _pay(self, connection: Connection) -> None:
        """Forget the marks of what was released while there was no connection."""
        owed = self._owed
        if owed:
            await connection.execute(sql.FORGET_MARKS, [key for key, _ in owed], [token for _, token in owed])
            self._owed = []

    async def _forget_marks(self, connection: Connection) -> None:
        """Nobody dies here: the provider is closed in order."""
        self._owed += [(held.key, held.token) for held in self._held.values() if held.key >= 0 and not held.lost]
        try:
            await self._pay(connection)
        except DRIVER_ERRORS as exc:
            _LOG.warning("holds could not be released in order, and will look as if their process had died: %s", exc)

    def _terminated(self, _connection: object) -> None:
        self._work.set()

    def _heard(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        if payload in {TASKS, LIMITS}:
            if payload == LIMITS:
                self.limits_changed()
            self.tell_workers()
            return
        for name in str(payload).split(","):
            self.wake(UUID(name))


async def _close(connection: Connection) -> None:
    try:
        await connection.close(timeout=5)
    except DRIVER_ERRORS:
        connection.terminate()


def _settle(answer: "asyncio.Future[Any]", value: object) -> None:
    if not answer.done():
        answer.set_result(value)


def _fail(answer: "asyncio.Future[Any]", error: PersistenceError) -> None:
    if not answer.done():
        answer.set_exception(error)
