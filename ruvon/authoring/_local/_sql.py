"""SQL of steps with `transaction=True` in a local run: a connection of the test's, rolled back where the step fails.

The connection is described by what is needed of it, so that this layer loads no driver.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol, final

from ruvon.authoring._declarations import StepDeclaration
from ruvon.models import ContextUnavailableError, StepTransaction
from ruvon.providers import StatementError

if TYPE_CHECKING:
    from ruvon.authoring._local._world import World

__all__ = ["LocalConnection", "LocalStatements", "local_transaction", "require_sql"]

_STEERS: Final = frozenset({"ATTACH", "BEGIN", "COMMIT", "DETACH", "END", "PRAGMA", "RELEASE", "ROLLBACK", "SAVEPOINT"})
"""First words of statements that a store refuses; here one would end the savepoint."""


class LocalRows(Protocol):
    """What a statement gives."""

    def fetchall(self) -> list[Any]:
        """All rows."""
        ...


class LocalConnection(Protocol):
    """What `World(sql=)` needs of a database connection; one of `sqlite3` has it."""

    @property
    def Error(self) -> type[Exception]:  # noqa: N802 - the name that PEP 249 gives it
        """The class of the driver's errors."""
        ...

    @property
    def Warning(self) -> type[Exception]:  # noqa: N802 - the name that PEP 249 gives it
        """The class of what the driver refuses before it executes it."""
        ...

    def execute(self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), /) -> LocalRows:
        """Execute one statement."""
        ...


@final
class LocalStatements:
    """Executes statements on the world's connection, inside a savepoint."""

    __slots__ = ("_connection",)

    def __init__(self, connection: LocalConnection) -> None:
        self._connection = connection

    async def execute(
        self, sql: str, parameters: Sequence[object] | Mapping[str, object] = (), /
    ) -> list[tuple[Any, ...]]:
        """Run one statement, and give its rows."""
        connection = self._connection
        if sql.lstrip().partition(" ")[0].rstrip("; \n").upper() in _STEERS:
            raise StatementError(sql, "the step's transaction begins and ends by itself, and settings are the test's")
        try:
            return [tuple(row) for row in connection.execute(sql, parameters).fetchall()]
        except (connection.Error, connection.Warning) as exc:
            raise StatementError(sql, str(exc)) from exc


@asynccontextmanager
async def local_transaction(
    world: "World", declaration: StepDeclaration
) -> AsyncGenerator[StepTransaction | None, None]:
    """The transaction of one attempt: kept where it ends well, rolled back where it raises; one at a time."""
    connection = world.sql
    if connection is None or not declaration.transaction:
        yield None
        return
    async with world.sql_turn:
        connection.execute("SAVEPOINT ruvon_step")
        try:
            yield LocalStatements(connection)
        except BaseException:
            connection.execute("ROLLBACK TO ruvon_step")
            connection.execute("RELEASE ruvon_step")
            raise
        connection.execute("RELEASE ruvon_step")


def require_sql(found: StepTransaction | None, step: str, *, declared: bool) -> StepTransaction:
    """The transaction of a step that asks for it.

    Raises:
        ContextUnavailableError: the world has no connection, or the step does not share a transaction.
    """
    if found is not None:
        return found
    remedy = "give the database with World(sql=sqlite3.connect(...))"
    if not declared:
        remedy = "declare it with @step(transaction=True)"
    raise ContextUnavailableError(step, "its transaction", remedy)
