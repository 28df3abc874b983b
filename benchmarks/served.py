"""What the benchmarks of the server share: its process, and connections that send requests as fast as it answers."""

import asyncio
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from ruvon import step, workflow

__all__ = ["THREE", "Server", "ask", "serving", "together"]

ROOT = Path(__file__).parents[1]
START_S = 60
_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


class Order(BaseModel):
    """What the three steps change."""

    n: int = 0


@step
async def add(state: Order) -> None:
    """Change a field."""
    state.n += 1


@workflow("Three", version="1")
async def three(state: Order) -> int:
    """Three steps."""
    await add(state)
    await add(state)
    await add(state)
    return state.n


THREE = three


@dataclass(frozen=True)
class Server:
    """A process that answers on this machine."""

    pid: int
    port: int

    def megabytes(self) -> float:
        """Its resident memory as the kernel counts it."""
        text = Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        found = re.search(r"VmRSS:\s+(\d+) kB", text)
        return int(found[1]) / 1024 if found is not None else 0.0

    def processor_s(self) -> float:
        """Its processor time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(folder: Path, *command: str, ready: str) -> Iterator[Server]:
    """A server in a process of its own, from when it says `ready` with its address; it is ended at the end."""
    log = folder / "server.log"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with log.open("w") as file:
        child = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=env, stdout=file, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + START_S
        while (found := re.search(ready + r".*?http://127\.0\.0\.1:(\d+)", said := log.read_text())) is None:
            if child.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"the server does not answer:\n{said}")
            time.sleep(0.05)
        yield Server(child.pid, int(found[1]))
    finally:
        child.terminate()
        try:
            child.wait(START_S)
        except subprocess.TimeoutExpired:
            child.kill()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: bytes) -> bytes:
    """Send one request over a connection that is open; the head and the body of its answer."""
    fields = f"Host: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    writer.write(f"POST {path} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    found = _LENGTH.search(answer)
    return answer + await reader.readexactly(int(found[1]) if found is not None else 0)


async def together(server: Server, path: str, body: bytes, *, connections: int, requests: int, expect: bytes) -> float:
    """Requests a second by so many connections, each of which sends the next one when the last one is answered."""
    left = iter(range(requests))

    async def one() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for _ in left:
            answer = await ask(reader, writer, path, body)
            if expect not in answer:
                raise RuntimeError(answer.decode())
        writer.close()
        await writer.wait_closed()

    begin = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    return requests / (time.perf_counter() - begin)
