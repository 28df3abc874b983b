"""What a definition remembers of each class it names: our own field fingerprint, independent of pydantic's schema text."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, final

__all__ = ["FieldEntry", "TypeEntry", "TypeKind"]

TypeKind: TypeAlias = Literal["model", "dataclass", "enum", "typeddict", "exception"]


@final
@dataclass(frozen=True, slots=True)
class FieldEntry:
    """One field of a class: its name, the canonical text of its type, and whether a value must be given."""

    name: str
    type: str
    required: bool


@final
@dataclass(frozen=True, slots=True)
class TypeEntry:
    """The fingerprint of a class; `bases` holds the paths of an exception's MRO and is empty otherwise."""

    kind: TypeKind
    fields: tuple[FieldEntry, ...] = ()
    bases: tuple[str, ...] = ()
