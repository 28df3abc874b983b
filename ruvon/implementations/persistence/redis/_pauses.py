"""Waiting for a server that is away."""

import asyncio
from collections.abc import Iterator

__all__ = ["pauses"]


def pauses(patience_s: float) -> Iterator[float]:
    """Growing pauses in seconds, at least one, until patience ends."""
    loop = asyncio.get_running_loop()
    end, pause_s = loop.time() + patience_s, 0.02
    while True:
        left = end - loop.time()
        yield min(pause_s, max(0.0, left))
        if left <= 0:
            return
        pause_s = min(pause_s * 2, 2.0)
