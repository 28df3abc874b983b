"""Answers of the documented methods that are the same in every store."""

from typing import Final

__all__ = ["device_only", "known_level"]

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


def device_only(name: str) -> Exception:
    """The documented answer of stores that are not a device's."""
    return NotImplementedError(f"`{name}` is for devices: use the SQLite store")
