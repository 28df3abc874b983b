"""Identifiers and chance from a seed, so that a run can be repeated exactly."""

import random
from typing import final
from uuid import UUID

__all__ = ["SeededIds"]


@final
class SeededIds:
    """An id source that gives the same sequence for the same seed.

    Args:
        seed: any integer.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._ids = 0
        self._randoms = 0

    def new_id(self) -> UUID:
        """The next identifier: version 4 in form, derived from the seed and its number."""
        self._ids += 1
        drawn = random.Random(f"id/{self._seed}/{self._ids}").getrandbits(128)  # noqa: S311 - repeatable on purpose
        return UUID(int=drawn, version=4)

    def random(self) -> float:
        """The next random number, at least 0.0 and below 1.0."""
        self._randoms += 1
        return random.Random(f"random/{self._seed}/{self._randoms}").random()  # noqa: S311 - repeatable on purpose

    def token(self, size_bytes: int, /) -> bytes:
        """So many bytes; the same for every call."""
        return random.Random(f"token/{self._seed}").randbytes(size_bytes)  # noqa: S311 - repeatable on purpose

    def mark(self) -> tuple[int, int]:
        """How far both sequences are."""
        return self._ids, self._randoms

    def reset(self, mark: tuple[int, int]) -> None:
        """Go back: what was drawn and never committed is drawn again by the process that repeats it."""
        self._ids, self._randoms = mark
