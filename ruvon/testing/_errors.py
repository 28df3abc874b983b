"""Errors of the testing kit."""

from ruvon.ir._errors import RuvonError

__all__ = ["HarnessError", "ScriptError"]


class ScriptError(RuvonError):
    """A script of the outside world is malformed."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"the script of the outside world cannot be read: {problem}")


class HarnessError(RuvonError):
    """A test asks the harness for something that cannot be; the message says what to do instead."""
