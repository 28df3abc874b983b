"""The ids of runs as people type them: whole, or their first characters."""

import re
from collections.abc import Sequence
from typing import Final

from ruvon.cli._output import Exit, fail, shortened

__all__ = ["begin_of", "is_whole", "only_one"]

_SHORTEST: Final = 4
_LENGTH: Final = 36
_WHOLE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def is_whole(begin: str) -> bool:
    """Whether nothing of an id is missing."""
    return _WHOLE.fullmatch(begin) is not None


def begin_of(given: str, again: str) -> str:
    """What was typed as the beginning of an id, or as all of it; what can be neither ends the command.

    Args:
        given: what was typed.
        again: the options that `ruvon list` needs to find the same runs.
    """
    text = given.strip().lower()
    if is_whole(text):
        return text
    if not _SHORTEST <= len(text) < _LENGTH or text.strip("0123456789abcdef-"):
        fail(f"`{shortened(given)}` is no workflow id; see `ruvon list{again}`", Exit.NOT_FOUND)
    return text


def only_one(found: Sequence[str], begin: str, again: str) -> str:
    """The one id that begins like this; none or several end the command."""
    if not found:
        fail(f"no workflow has an id that begins with {begin}; see `ruvon list{again}`", Exit.NOT_FOUND)
    if len(found) > 1:
        fail(f"several workflows have ids that begin with {begin}; give more of it", Exit.USAGE)
    return found[0]
