"""Lowering with fixed surroundings: the steps of `steps/`, one custom type, an empty environment."""

from collections.abc import Mapping
from pathlib import Path

from ruvon.ir._paths import ImportRoots
from ruvon_dsl._draft import Draft, SourceText
from ruvon_dsl.yaml import lower_file

__all__ = ["STEPS", "lower", "step_types"]

STEPS = Path(__file__).parent / "steps"
RETRYABLE = ("max_retries", "retry_delay_seconds", "backoff_multiplier", "retry_on_exceptions", "limit")


def step_types(name: str) -> tuple[str, ...] | None:
    """The registered custom types of the tests."""
    return RETRYABLE if name == "RETRYABLE" else None


def lower(
    text: str, *, file: str = "flow.yaml", opaque: bool = False, environment: Mapping[str, str] | None = None
) -> list[Draft]:
    """Lower a text with the tests' surroundings."""
    roots = ImportRoots(folders=[STEPS])
    return lower_file(
        SourceText(file, text), roots=roots, opaque=opaque, step_types=step_types, environment=environment or {}
    )
