"""What can go wrong with a value: it cannot be stored, cannot be read back, or is not what was declared."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from ruvon.ir._errors import NotStorableError, RuvonError

__all__ = ["InvalidField", "InvalidValueError", "NotStorableError", "UnknownTypeError", "UnreadableValueError"]


class UnknownTypeError(RuvonError):
    """Stored bytes name a class that the definition's class table does not hold."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(
            f"a stored value is a `{path}`, which is not among the classes of this definition; "
            "name the class in a field, a parameter or a result of the workflow, or under `uses`"
        )

    def __reduce__(self) -> tuple[type["UnknownTypeError"], tuple[str]]:
        return type(self), (self.path,)


class UnreadableValueError(RuvonError):
    """Stored bytes are not what the declared type writes; they are damaged or were written by other code."""

    def __init__(self, wanted: str, reason: str) -> None:
        self.wanted = wanted
        self.reason = reason
        super().__init__(
            f"a stored value cannot be read as `{wanted}`: {reason}; deploy the code that wrote it, or repair the value"
        )

    def __reduce__(self) -> tuple[type["UnreadableValueError"], tuple[str, str]]:
        return type(self), (self.wanted, self.reason)


@final
@dataclass(frozen=True, slots=True)
class InvalidField:
    """One part of a value that is not what its type asks for."""

    path: str
    """Where it is, from the name the caller gave: `state.lines[2].qty`."""
    reason: str
    """What is asked for, such as `should be greater than 0`."""


class InvalidValueError(RuvonError, ValueError):
    """A value that wants to enter does not fit its declared type; nothing was changed.

    `path` is the value's own name, `fields` lists every part that does not fit.
    """

    def __init__(self, path: str, fields: Sequence[InvalidField]) -> None:
        self.path = path
        self.fields = tuple(fields)
        lines = [f"`{item.path}` {item.reason}" for item in self.fields]
        super().__init__("; ".join(lines) if lines else f"`{path}` is not valid")

    def __reduce__(self) -> tuple[type["InvalidValueError"], tuple[str, tuple[InvalidField, ...]]]:
        return type(self), (self.path, self.fields)


# Definitions name it by path for ever (`except`), so the path is the public one and not this file's.
InvalidValueError.__module__ = "ruvon.ir.values"
