"""Duties: what one process of a database does at a time, as a session advisory lock of a connection of its own."""

from typing import final

from ruvon.implementations.persistence.postgres import _statements as sql
from ruvon.implementations.persistence.postgres._driver import DRIVER_ERRORS, Connection

__all__ = ["PostgresDuty", "taken_duty"]


@final
class PostgresDuty:
    """A duty that this process has until it releases it, or loses the connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def release(self) -> None:
        """Leave it to others; a second call is harmless."""
        try:
            await self._connection.close(timeout=5)
        except DRIVER_ERRORS:
            self._connection.terminate()


async def taken_duty(connection: Connection, name: str, salt: int) -> PostgresDuty | None:
    """The duty, which the connection belongs to from now on; None, and the connection closed, where somebody has it."""
    made = PostgresDuty(connection)
    try:
        taken = await connection.fetchval(sql.TAKE_DUTY, f"ruvon duty {name}", salt)
    except BaseException:
        connection.terminate()
        raise
    if not taken:
        await made.release()
        return None
    return made
