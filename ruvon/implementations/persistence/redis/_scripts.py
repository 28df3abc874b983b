"""The two Lua scripts: one writes batches, one answers questions. Sent once, then called by their digest."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from ruvon.implementations.persistence.redis._driver import NoScriptError, Wire

__all__ = ["Answer", "Script", "read_script", "write_script"]

OK, STALE, NOT_FOUND, DUPLICATE, BUSY, AGAIN, NO_SCHEDULE, STALE_SCHEDULE, FAILED = 0, 1, 2, 3, 4, 5, 6, 7, 9
"""The first value of the answer to an operation, as in `operation.lua`."""

Answer = list[Any]
_FOLDER: Final = files("ruvon.implementations.persistence.redis") / "scripts"


@dataclass(frozen=True, slots=True)
class Script:
    """A script and the digest that the server knows it by."""

    text: bytes
    digest: str

    async def run(self, wire: Wire, base: str, *arguments: bytes | str | int) -> Any:
        """Run it; a server that does not know it is told first. The one key says which slot of a cluster it needs."""
        try:
            return await wire.call("EVALSHA", self.digest, 1, f"{base}meta", base, *arguments)
        except NoScriptError:
            await wire.call("SCRIPT", "LOAD", self.text)
            return await wire.call("EVALSHA", self.digest, 1, f"{base}meta", base, *arguments)


@cache
def write_script() -> Script:
    """The script that writes a batch of operations."""
    parts = ("rows", "operation", "tasks", "limits", "write", "queue", "beside", "reseal", "leases", "batch")
    return _made(*(f"{part}.lua" for part in parts))


@cache
def read_script() -> Script:
    """The script that answers one question."""
    return _made("rows.lua", "limits.lua", "read.lua")


def _made(*parts: str) -> Script:
    text = b"\n".join((_FOLDER / part).read_bytes() for part in parts)
    return Script(text, hashlib.sha1(text, usedforsecurity=False).hexdigest())
