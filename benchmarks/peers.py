"""Peers: other projects that do the same work in the same run, each in a process of the environment of `make bench-peers`.

A peer is a script of this folder. It is given the address of an empty database and the size of the work, and prints one
JSON object: its `version` and rates. One that is not installed, or that fails, is named and left out.
"""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

__all__ = ["database", "on_postgres", "on_sqlite"]

FOLDER = Path(__file__).parent
ENVIRONMENT = FOLDER.parent / "var" / "peers" / "bin" / "python"
PYTHON = Path(os.environ.get("RUVON_BENCH_PEERS", str(ENVIRONMENT)))
TIMEOUT_S = 300
_SHOWN_LINES = 12


def run(script: str, address: str, *sizes: int) -> dict[str, Any] | None:
    """What a peer has measured; None where it is not there or fails, which is said."""
    name = script.removeprefix("peer_").removesuffix(".py")
    if not PYTHON.exists():
        print(f"{name}: left out, there is no {PYTHON}; `make bench-peers` installs the peers")
        return None
    command = [str(PYTHON), str(FOLDER / script), address, *map(str, sizes)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        print(f"{name}: left out, it did not end within {TIMEOUT_S} s")
        return None
    if done.returncode == 0:
        try:
            return dict(orjson.loads(done.stdout.strip().rpartition("\n")[2]))
        except (orjson.JSONDecodeError, TypeError, ValueError):
            print(f"{name}: left out, it printed no result")
    else:
        print(f"{name}: left out, it ended with {done.returncode} and said")
    said = (done.stderr or done.stdout).strip().splitlines()
    shown = [line for line in said if line.strip() and not line.startswith((" ", "Traceback"))][-_SHOWN_LINES:]
    print("".join(f"    {line}\n" for line in shown), end="")
    return None


@asynccontextmanager
async def database(url: str) -> AsyncGenerator[str, None]:
    """The address of an empty database on the server of `url`, which is dropped afterwards."""
    import asyncpg

    name = f"ruvon_bench_peer_{os.getpid()}"
    connection: Any = await asyncpg.connect(url, timeout=5)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await connection.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{url.rpartition('/')[0]}/{name}"
        finally:
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        await connection.close()


async def on_postgres(script: str, url: str, *sizes: int) -> dict[str, Any] | None:
    """What a peer measures in an empty database of the server."""
    async with database(url) as address:
        return await asyncio.to_thread(run, script, address, *sizes)


def on_sqlite(script: str, *sizes: int) -> dict[str, Any] | None:
    """What a peer measures in an empty file."""
    with tempfile.TemporaryDirectory(prefix="ruvon-bench-") as folder:
        return run(script, f"sqlite:///{folder}/peer.db", *sizes)
