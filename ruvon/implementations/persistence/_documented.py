"""Answers of the documented methods that are the same in every store."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

__all__ = ["WithoutDevice", "known_level"]

_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")


def known_level(level: str) -> str:
    """A level of text logs in capitals.

    Raises:
        ValueError: there is no such level.
    """
    wanted = level.upper()
    if wanted not in _LEVELS:
        raise ValueError(f"the level {wanted!r} is not one of {', '.join(_LEVELS)}")
    return wanted


class WithoutDevice:
    """What only a device's store keeps, in a store that is none."""

    async def get_pending_sync_workflows(self, limit: int = 100) -> list[dict[str, Any]]:
        """Only a device's store keeps this."""
        raise _device_only("get_pending_sync_workflows")

    async def get_audit_logs_for_workflows(
        self, workflow_ids: Sequence[UUID | str], limit_per_workflow: int = 50
    ) -> list[dict[str, Any]]:
        """Only a device's store keeps this."""
        raise _device_only("get_audit_logs_for_workflows")

    async def delete_synced_workflows(self, workflow_ids: Sequence[UUID | str]) -> int:
        """Only a device's store keeps this."""
        raise _device_only("delete_synced_workflows")

    async def get_edge_sync_state(self, key: str) -> str | None:
        """Only a device's store keeps this."""
        raise _device_only("get_edge_sync_state")

    async def set_edge_sync_state(self, key: str, value: str) -> None:
        """Only a device's store keeps this."""
        raise _device_only("set_edge_sync_state")


def _device_only(name: str) -> Exception:
    return NotImplementedError(f"`{name}` is for devices: use the SQLite store")
