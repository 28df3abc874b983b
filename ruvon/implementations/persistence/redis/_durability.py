"""What a commit survives: read from the server's settings, never assumed."""

from dataclasses import dataclass
from typing import Any, Final

from ruvon.implementations.persistence.redis._driver import DRIVER_ERRORS, Wire, is_in_doubt

__all__ = ["Durability", "read_durability"]

_SECTIONS: Final = ("server", "persistence", "memory", "replication")


@dataclass(frozen=True, slots=True, kw_only=True)
class Durability:
    """How the server keeps what it is given."""

    server_version: str
    role: str
    """`master`, or `slave` for a replica."""
    appendonly: bool
    appendfsync: str
    """`always`, `everysec`, `no`, or `unknown` where the server does not tell."""
    waits: bool
    """Every batch waits until the server has flushed it (WAITAOF)."""
    maxmemory: int
    """In bytes; 0 is no limit."""
    maxmemory_policy: str

    @property
    def reached(self) -> str:
        """`fsync`: a commit is on the disk; `everysec`: within a second, or when the system likes; `memory`: never."""
        if not self.appendonly:
            return "memory"
        return "fsync" if self.waits or self.appendfsync == "always" else "everysec"

    @property
    def class_name(self) -> str:
        """The same in the words of the other stores: FULL, NORMAL or OFF."""
        return {"fsync": "FULL", "everysec": "NORMAL", "memory": "OFF"}[self.reached]

    def warnings(self) -> list[str]:
        """What an operator should know, each with the remedy."""
        found: list[str] = []
        if self.reached == "memory":
            found.append("a restart of the server loses everything: set `appendonly yes` and `appendfsync always`")
        elif self.reached == "everysec":
            found.append(
                f"appendfsync is {self.appendfsync}, so a power cut may lose the last commits: set `appendfsync always`, "
                "or use Redis 7.2 or later, where each commit waits for the disk"
            )
        if self.maxmemory and self.maxmemory_policy != "noeviction":
            found.append(
                f"maxmemory-policy is {self.maxmemory_policy}, so workflows or their holds may be evicted when the "
                "memory is full: set `maxmemory-policy noeviction`"
            )
        return found


async def read_durability(wire: Wire, *, wait: bool) -> Durability:
    """Ask the server: CONFIG GET, or INFO where that is forbidden.

    Args:
        wire: a connection.
        wait: wait for flushes where the server can.
    """
    info = await read_info(wire)
    found = {
        name: await _setting(wire, name) for name in ("appendonly", "appendfsync", "maxmemory", "maxmemory-policy")
    }
    appendonly = found["appendonly"] == "yes" if found["appendonly"] else info.get("aof_enabled") == "1"
    return Durability(
        server_version=info.get("redis_version", "unknown"),
        role=info.get("role", "master"),
        appendonly=appendonly,
        appendfsync=found["appendfsync"] or "unknown",
        waits=wait and appendonly and await _can_wait(wire),
        maxmemory=int(found["maxmemory"] or info.get("maxmemory", "0")),
        maxmemory_policy=found["maxmemory-policy"] or info.get("maxmemory_policy", "noeviction"),
    )


async def read_info(wire: Wire) -> dict[str, str]:
    """What INFO says, in the sections that matter here; a section that may not be read says nothing."""
    found: dict[str, str] = {}
    for section in _SECTIONS:
        text: Any = await _asked(wire, "INFO", section)
        for line in (text or b"").decode(errors="replace").splitlines():
            name, separator, value = line.partition(":")
            if separator:
                found[name] = value
    return found


async def _setting(wire: Wire, name: str) -> str | None:
    found = await _asked(wire, "CONFIG", "GET", name)
    return found[1].decode() if found else None


async def _can_wait(wire: Wire) -> bool:
    return await _asked(wire, "WAITAOF", 0, 0, 1) is not None


async def _asked(wire: Wire, *command: str | int) -> Any:
    """The answer, or None where the server refuses the question."""
    try:
        return await wire.call(*command)
    except DRIVER_ERRORS as exc:
        if is_in_doubt(exc):
            raise
        return None
