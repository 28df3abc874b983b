"""Open event streams: what a thousand of them cost one server, and how soon a change is in all of them.

    python -m benchmarks streams

A real `ruvon serve` on SQLite; the readers are connections of this process. The resident memory is as the kernel counts it
(`VmRSS`), while the streams are open and workflows have run.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from benchmarks.served import Server, ask, serving
from benchmarks.table import Row, Table, show

STREAMS = 1_000
WORKFLOWS = 100
LIMIT_MB = 200
PATIENCE_S = 60


async def opened(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A stream that is open; its connection ends with the writer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /api/v1/events?status=COMPLETED HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    await reader.readuntil(b"event: opened")
    return reader, writer


async def followed(server: Server, streams: int) -> tuple[float, float, float]:
    """Megabytes with the streams open, and with changes told; seconds from an answer to the last stream's message."""
    readers: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    while len(readers) < streams:
        readers += await asyncio.gather(*(opened(server) for _ in range(min(50, streams - len(readers)))))
    quiet = server.megabytes()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    body = b'{"workflow_type": "Three", "data": {"n": 1}, "wait_s": 30}'
    for _ in range(WORKFLOWS):
        await ask(reader, writer, "/api/v1/workflows", body)
    begin = time.perf_counter()
    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(*(told(item, WORKFLOWS) for item, _ in readers))
    figures = quiet, server.megabytes(), time.perf_counter() - begin
    for end in (writer, *(item for _, item in readers)):
        end.close()
        await end.wait_closed()
    return figures


async def told(reader: asyncio.StreamReader, number: int) -> None:
    """Until so many workflows have come."""
    for _ in range(number):
        await reader.readuntil(b"event: workflow")


def measure(streams: int) -> Table:
    """Measure everything and print the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = (
            "-c",
            "from ruvon.cli import main; main()",
            "serve",
            "--db",
            str(folder / "served.db"),
            "--port",
            "0",
        )
        code = ("--workflows", str(Path(__file__).parent / "served.py"))
        with serving(folder, *command, *code, ready="Ruvon answers on") as server:
            idle = server.megabytes()
            quiet, busy, took_s = asyncio.run(followed(server, streams))
    return show(
        f"{streams:,} open event streams on one server",
        [
            Row("no stream", idle, "MB", "itself", idle),
            Row(f"{streams:,} streams", quiet, "MB", "no stream", idle, LIMIT_MB),
            Row(f"... that were told of {WORKFLOWS} workflows", busy, "MB", "no stream", idle, LIMIT_MB),
            Row("each stream", (busy - idle) * 1024 / streams, "kB", "itself", (busy - idle) * 1024 / streams),
            Row("from the last answer until all are told", took_s * 1e3, "ms", "itself", took_s * 1e3),
        ],
    )


def main() -> Table:
    """Measure as the whole run does."""
    return measure(STREAMS)


if __name__ == "__main__":
    main()
