"""What several processes count into one folder: the multiprocess mode of `prometheus_client`."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, final

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

__all__ = ["FOLDER", "Together"]

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder; `prometheus_client` reads it when it is imported."""


@final
class Together:
    """What all processes of the folder have written. The gauges of those that have ended are forgotten first."""

    def collect(self) -> Iterable["Metric"]:
        """The sums over the processes."""
        from prometheus_client import multiprocess  # noqa: PLC0415 - present, or nobody could construct the observer

        together: Any = multiprocess  # it has no types
        folder = Path(os.environ[FOLDER])
        for pid in {int(name.stem.rpartition("_")[2]) for name in folder.glob("gauge_live*_*.db")}:
            if not _lives(pid):
                together.mark_process_dead(pid, str(folder))
        collected: Iterable[Metric] = together.MultiProcessCollector(None, str(folder)).collect()
        return collected


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
