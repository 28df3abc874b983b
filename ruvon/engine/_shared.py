"""One commit of a run in the transaction of an author's statements: both are written, or neither is."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, final

from ruvon.providers import SqlTransaction, Transition

__all__ = ["SharedCommit", "Statements"]


@final
class Statements:
    """What a step is given of the transaction: it may execute, and neither commit nor roll back."""

    __slots__ = ("_sql",)

    def __init__(self, sql: SqlTransaction) -> None:
        self._sql = sql

    async def execute(
        self, sql: str, parameters: Sequence[object] | Mapping[str, object] = (), /
    ) -> list[tuple[Any, ...]]:
        """Run one statement on the author's own tables, and give its rows."""
        return await self._sql.execute(sql, parameters)


@final
class SharedCommit:
    """An open transaction, and the commit that ends it; leaving it without one rolls the statements back."""

    def __init__(
        self, sql: SqlTransaction, write: Callable[[Callable[[Transition], Awaitable[None]]], Awaitable[Transition]]
    ) -> None:
        self._sql = sql
        self._write = write
        self.statements = Statements(sql)
        self.written: Transition | None = None
        """What was committed, once it is."""

    async def commit(self) -> None:
        """Write everything that has happened in the run, and the statements."""
        self.written = await self._write(self._sql.commit)
