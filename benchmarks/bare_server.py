"""The yardstick of the server: a bare handler that writes one row, on the same server program.

python -m benchmarks.bare_server FILE
"""

import asyncio
import socket
import sqlite3
import sys
from typing import Any

import uvicorn
import uvloop
from litestar import Litestar, post


def app(path: str) -> Litestar:
    """An application with one handler; each request is one row and one flush."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, data TEXT NOT NULL)")

    @post("/rows")
    async def write(data: dict[str, Any]) -> dict[str, Any]:
        """Write one row."""
        cursor = connection.execute("INSERT INTO rows (data) VALUES (?)", (str(data),))
        return {"id": cursor.lastrowid, "status": "written"}

    return Litestar([write], openapi_config=None, logging_config=None)


def main() -> None:
    """Serve until ended."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=2_048)
    print(f"bare answers on http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    config = uvicorn.Config(app(sys.argv[1]), log_config=None, access_log=False)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve(sockets=[listening]))


if __name__ == "__main__":
    main()
