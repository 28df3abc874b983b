"""Starts `ruvon serve` on a free port of this machine, for the demonstrations."""

import os
import sys
from asyncio import subprocess, timeout
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

SERVE = (sys.executable, "-c", "from ruvon.cli import main; main()", "serve", "--port", "0")
ROOT = Path(__file__).parents[1]


@asynccontextmanager
async def served(workflows: Path, database: Path) -> AsyncGenerator[str, None]:
    """The address of a server over the workflows of a folder; it ends with the block, as with Ctrl-C."""
    places: Sequence[str] = ("--workflows", str(workflows), "--import-root", "examples", "--db", str(database))
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    server = await subprocess.create_subprocess_exec(
        *SERVE, *places, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths}
    )
    if server.stderr is None:
        raise RuntimeError("the server's words cannot be read")
    try:
        async with timeout(60):
            said = (await server.stderr.readline()).decode()
        if not said.startswith("Ruvon answers on "):
            raise SystemExit(f"the server did not start: {said}{(await server.stderr.read()).decode()}")
        yield said.removeprefix("Ruvon answers on ").partition(";")[0]
    finally:
        if server.returncode is None:
            server.terminate()
        await server.communicate()
