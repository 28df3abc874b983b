"""What the health room answers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["Health", "Readiness"]


class Health(BaseModel):
    """The process answers."""

    model_config = ConfigDict(
        use_attribute_docstrings=True, json_schema_extra={"examples": [{"status": "ok", "version": "0.1.0"}]}
    )

    status: Literal["ok"] = "ok"
    version: str
    """The version of Ruvon."""


class Readiness(BaseModel):
    """Whether requests can be served."""

    model_config = ConfigDict(
        use_attribute_docstrings=True, json_schema_extra={"examples": [{"status": "ready", "store": "ok"}]}
    )

    status: Literal["ready", "not ready"]
    store: Literal["ok", "away"]
    """Whether the store answers."""
