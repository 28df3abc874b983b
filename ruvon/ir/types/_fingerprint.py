"""What the IR remembers of an author's class: its kind and its fields, by name and type text.

The fingerprint is our own and not pydantic's JSON Schema, because the schema text changes with pydantic's releases and
with docstrings, and then every digest would change with it.
"""

from collections.abc import Iterable, Iterator

from ruvon.ir._errors import RuvonError
from ruvon.ir.types._entries import FieldEntry, TypeEntry
from ruvon.ir.types._fields import class_fields, class_kind
from ruvon.ir.types._shape import arguments_of, literal_values, parameters_of, union_members, unwrap
from ruvon.ir.types._text import class_path, type_text

__all__ = ["NoFingerprintError", "fingerprint", "reachable_classes", "type_table"]


class NoFingerprintError(RuvonError):
    """A class is none of those that Ruvon can take apart."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        super().__init__(
            f"`{class_path(cls)}` has no fields that Ruvon can read; make it a pydantic model, a dataclass, an enum, "
            "a TypedDict or an exception"
        )


def fingerprint(cls: type) -> TypeEntry:
    """Kind and fields of a class; the members of an enum are its fields, typed by their values.

    Raises:
        NoFingerprintError: The class is of no kind that Ruvon knows.
        UnresolvedTypeError: A field's type cannot be resolved.
    """
    kind = class_kind(cls)
    if kind is None:
        raise NoFingerprintError(cls)
    fields = tuple(FieldEntry(item.name, type_text(item.annotation), item.required) for item in class_fields(cls))
    return TypeEntry(kind, fields, _bases(cls) if kind == "exception" else ())


def _bases(cls: type) -> tuple[str, ...]:
    return tuple(class_path(base) for base in cls.__mro__ if issubclass(base, BaseException))


def type_table(annotations: Iterable[object]) -> dict[str, TypeEntry]:
    """The fingerprints of all classes that can be reached from the annotations, by path, sorted."""
    return {path: fingerprint(cls) for path, cls in sorted(reachable_classes(annotations).items())}


def reachable_classes(annotations: Iterable[object]) -> dict[str, type]:
    """All classes with a fingerprint that can be reached from the annotations, fields of fields included, by path."""
    found: dict[str, type] = {}
    seen: set[str] = set()
    waiting: list[object] = list(annotations)
    while waiting:
        for cls, annotation in _classes_in(waiting.pop()):
            found.setdefault(class_path(cls), cls)
            text = type_text(annotation)  # `Box[Item]` reaches more than `Box` does
            if text not in seen:
                seen.add(text)
                waiting.extend(field.annotation for field in class_fields(annotation))
    return found


def _classes_in(annotation: object) -> Iterator[tuple[type, object]]:
    """The author's classes that an annotation names itself, those in its arguments included, each as it is named."""
    for member in union_members(unwrap(annotation)):
        values = literal_values(member)
        if values is not None:
            yield from ((type(value), type(value)) for value in values if class_kind(type(value)) == "enum")
            continue
        cls, _ = parameters_of(member)
        if isinstance(cls, type) and class_kind(cls) is not None:
            yield cls, member
        for argument in arguments_of(member):
            yield from _classes_in(argument)
