"""Keys of caches by annotation.

Most annotations have a hash; one with unhashable metadata, such as `Annotated[int, {"unit": "cm"}]`, has none and is known
by its identity.
"""

from dataclasses import dataclass
from typing import final

__all__ = ["cache_key"]


def cache_key(annotation: object) -> object:
    """The annotation itself where it can be a key, else a stand-in that keeps it alive."""
    try:
        hash(annotation)
    except TypeError:
        return _Identity(annotation)
    return annotation


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Identity:
    target: object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.target is self.target

    def __hash__(self) -> int:
        return id(self.target)
