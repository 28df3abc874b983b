"""The world outside: what the bank, the warehouse and the carrier have been told, in a database that is not Ruvon's.

It behaves as a good partner does: a request that comes again under the same idempotency key has no second effect. And it
keeps what a partner does not: every try, with the process that made it, so that one can count afterwards what was
repeated. `python -m examples.distributed.ledger` creates its tables; `SHOP_LEDGER_URL` names the database.
"""

import asyncio
import os
from typing import Any, Final
from weakref import WeakKeyDictionary

import asyncpg

from ruvon import StepContext

URL: Final = "SHOP_LEDGER_URL"
TABLES: Final = """
CREATE TABLE IF NOT EXISTS effects (
    key text PRIMARY KEY, subject text NOT NULL, what text NOT NULL, cents integer NOT NULL, at timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS tries (
    key text NOT NULL, attempt integer NOT NULL, pid integer NOT NULL, at timestamptz NOT NULL);
"""
TELL: Final = """
WITH tried AS (INSERT INTO tries VALUES ($1, $5, $6, clock_timestamp()))
INSERT INTO effects VALUES ($1, $2, $3, $4, clock_timestamp()) ON CONFLICT (key) DO NOTHING
"""
"""One statement, so that there is no effect without its try."""


class Ledger:
    """A pool of connections for each event loop of this process, opened when it is first asked for."""

    def __init__(self) -> None:
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, Any] = WeakKeyDictionary()

    async def _pool(self) -> Any:
        loop = asyncio.get_running_loop()
        if loop not in self._pools:
            self._pools[loop] = asyncpg.create_pool(os.environ[URL], min_size=0, max_size=4)
        return await self._pools[loop]

    async def tell(self, context: StepContext, subject: str, what: str, cents: int = 0) -> None:
        """Have one effect, however often it is asked for under the key of this activation."""
        pool = await self._pool()
        await pool.execute(TELL, context.idempotency_key, subject, what, cents, context.attempt, os.getpid())


LEDGER: Final = Ledger()


async def create_tables() -> None:
    connection = await asyncpg.connect(os.environ[URL])
    try:
        await connection.execute(TABLES)
    finally:
        await connection.close()


if __name__ == "__main__":
    asyncio.run(create_tables())
    print("the ledger is ready")
