"""Where the folders of tests lie: in memory where there is room, because a flush of a disk takes milliseconds each.

The tests kill processes, and the system keeps what a killed process has written; none cuts the power. A folder of pytest's
is removed behind a test that passes, so that they never add up. `PYTEST_DEBUG_TEMPROOT` names another place.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["own_cache", "prefer_memory"]

_MEMORY = Path("/dev/shm")  # noqa: S108 - a file system, not a file
_ROOM_BYTES = 2**30


def prefer_memory() -> None:
    """Let pytest make its folders in memory; nothing changes where that is small or must not hold programs."""
    if _holds_folders(_MEMORY):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_MEMORY))


def own_cache() -> Callable[[], None]:
    """One cache of compiled definitions for all processes of a run; what is returned removes it, where it was made here."""
    if "RUVON_CACHE_DIR" in os.environ:
        return lambda: None
    folder = tempfile.mkdtemp(prefix="ruvon-compiled-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT"))
    os.environ["RUVON_CACHE_DIR"] = folder
    return lambda: shutil.rmtree(folder, ignore_errors=True)


def _holds_folders(place: Path) -> bool:
    if not (place.is_dir() and os.access(place, os.W_OK)):
        return False
    runs_programs = not os.statvfs(place).f_flag & os.ST_NOEXEC
    return runs_programs and shutil.disk_usage(place).free >= _ROOM_BYTES
