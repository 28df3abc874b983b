"""Types: their canonical texts, the fingerprints of classes, and the lint of what cannot be stored."""

from ruvon.ir.types._entries import FieldEntry, TypeEntry, TypeKind
from ruvon.ir.types._fields import ClassField, class_fields, class_kind
from ruvon.ir.types._fingerprint import NoFingerprintError, fingerprint, reachable_classes, type_table
from ruvon.ir.types._parse import TypeTextError, parse_type
from ruvon.ir.types._shape import UnresolvedTypeError, unwrap
from ruvon.ir.types._storable import Problem, unstorable
from ruvon.ir.types._text import class_path, type_text

__all__ = [
    "ClassField",
    "FieldEntry",
    "NoFingerprintError",
    "Problem",
    "TypeEntry",
    "TypeKind",
    "TypeTextError",
    "UnresolvedTypeError",
    "class_fields",
    "class_kind",
    "class_path",
    "fingerprint",
    "parse_type",
    "reachable_classes",
    "type_table",
    "type_text",
    "unstorable",
    "unwrap",
]
