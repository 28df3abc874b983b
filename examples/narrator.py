"""Prints what a workflow does, for the demonstrations: a plain class with the hooks it wants, no base class needed."""

from collections.abc import Mapping


class Narrator:
    """An observer; Ruvon calls it after each commit, so that what it prints is already stored."""

    async def on_step_executed(self, step_name: str, duration_ms: float | None = None) -> None:
        took = f"{duration_ms:.1f} ms" if duration_ms is not None else ""
        print(f"   ■ {step_name:<18} {took}")

    async def on_workflow_paused(self, step_name: str, reason: str) -> None:
        print(f"   ◷ {step_name}: waits ({reason})")

    async def on_workflow_status_changed(self, old_status: str, new_status: str) -> None:
        print(f"     {old_status} → {new_status}")

    async def on_workflow_failed(self, error: Exception, step_name: str | None = None) -> None:
        print(f"   ✖ {step_name}: {type(error).__name__}: {error}")

    async def on_compensation_completed(self, step_name: str, success: bool) -> None:
        print(f"   ↺ {step_name} {'undone' if success else 'could NOT be undone'}")


def heading(text: str) -> None:
    """A title with a line under it."""
    print(f"\n{text}\n{'─' * len(text)}")


def show(title: str, values: Mapping[str, object]) -> None:
    """A few named values."""
    print(f"   {title}: " + ", ".join(f"{name}={value}" for name, value in values.items()))
