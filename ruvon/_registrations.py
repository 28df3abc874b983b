"""What is registered beside a definition: when its workflow is started, and how long its ended runs are kept.

Nothing of this is part of the graph or its digest. It comes from `@workflow(cron=...)` or from a registry file.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, final

from ruvon.providers import duration_us

if TYPE_CHECKING:
    from ruvon.authoring._declarations import WorkflowDeclaration
    from ruvon_dsl.yaml import RegistryEntry

__all__ = ["Registration"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """The registration of one workflow type."""

    cron: str | None = None
    timezone: str = "UTC"
    overlap: str = "skip"
    catch_up: int = 1
    retention_us: int | None = None
    """Ended runs are deleted when they are older; None keeps them for ever."""

    @classmethod
    def of_declaration(cls, declared: "WorkflowDeclaration") -> Self:
        """What `@workflow(...)` says."""
        return cls(
            cron=declared.cron,
            timezone=declared.tz,
            overlap=declared.overlap,
            catch_up=declared.catch_up,
            retention_us=duration_us(declared.retention) if declared.retention is not None else None,
        )

    @classmethod
    def of_entry(cls, entry: "RegistryEntry") -> Self:
        """What an entry of a registry file says."""
        given: dict[str, Any] = {
            "cron": entry.schedule,
            "timezone": entry.timezone,
            "overlap": entry.overlap,
            "catch_up": entry.catch_up,
            "retention_us": entry.retention_us,
        }
        return cls(**{name: value for name, value in given.items() if value is not None})
