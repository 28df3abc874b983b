"""Declared types compiled to pairs of closures, once per class table.

The form of a typed place is the shortest JSON that the type leaves open: a `Decimal` is its text, a list an array, a
model an object by field name. Every encoder first checks that the value really is of the declared type; one that is not
(a subclass of the declared model, a number where text was declared) is written with its tag instead, and every decoder
knows a tag when it sees one. `None` in an optional place is null. Unions of several classes, `object` and types that
say nothing are written self-describing.
"""

import enum
import math
from collections.abc import Mapping
from typing import Final, NamedTuple, cast, final

import pydantic

from ruvon.ir.types import class_fields, class_kind, class_path, unwrap
from ruvon.ir.types._shape import literal_values, substitution_of, union_members
from ruvon.ir.values._classes import ClassForm, DataclassForm, EnumForm, FieldForm, ModelForm
from ruvon.ir.values._dynamic import Decode, Dynamic, Encode, RefusedError, sorted_trees, text_keyed
from ruvon.ir.values._errors import UnknownTypeError
from ruvon.ir.values._scalars import INT_LIMIT, SCALARS, Tree
from ruvon.ir.values._table import VIEW_OF, ClassTable

__all__ = ["Compiler", "Pair"]

_PLAIN: Final[frozenset[object]] = frozenset({str, int, bool, float})
_COLLECTIONS: Final[frozenset[object]] = frozenset({list, set, frozenset})


class Pair(NamedTuple):
    """The two directions of one declared type."""

    encode: Encode
    decode: Decode


@final
class Compiler:
    """Compiles annotations against one class table, and keeps the forms of its classes."""

    def __init__(self, table: ClassTable) -> None:
        self.table = table
        self.dynamic = Dynamic(table, self.form_of)
        self._forms: dict[object, ClassForm] = {}
        self._any = Pair(self.dynamic.encode, self.dynamic.decode)

    def pair(self, annotation: object, substitution: Mapping[object, object] | None = None) -> Pair:
        """The closures of an annotation."""
        plain = unwrap(annotation, substitution)
        members = union_members(plain, substitution)
        if members[-1] is None and len(members) == 2:
            return self._optional(self.pair(members[0], substitution))
        if len(members) > 1 or plain is None or plain is object:
            return self._any
        values = literal_values(plain)
        if values is not None:
            kinds = {type(value) for value in values}
            return self.pair(kinds.pop()) if kinds in ({str}, {int}, {bool}) else self._any
        return self._of_class(plain, substitution)

    def form_of(self, cls: type) -> ClassForm:
        """The form of an author's class of the table, without arguments."""
        return self._form(cls, cls)

    def _of_class(self, annotation: object, outer: Mapping[object, object] | None) -> Pair:
        cls, substitution = substitution_of(annotation, outer)
        arguments: tuple[object, ...] = tuple(getattr(annotation, "__args__", ()))
        if cls in _COLLECTIONS:
            return self._collection(cast("type", cls), self.pair(arguments[0], outer) if arguments else self._any)
        if cls is tuple:
            return self._tuple(annotation, arguments, outer)
        if cls is dict:
            return self._dict(arguments, outer)
        if cls in SCALARS:
            return self._scalar(cast("type", cls))
        if cls in _PLAIN:
            return self._plain(cast("type", cls))
        match class_kind(cls):
            case "model" | "dataclass" | "enum":
                return self._instance(annotation, cast("type", cls), substitution)
            case "typeddict":
                return self._typed_dict(annotation, outer)
            case "exception" | None:
                return self._any

    def _plain(self, cls: type) -> Pair:
        tagged, decode = self.dynamic.tagged, self.dynamic.decode

        def exact(value: object) -> Tree:
            return value if type(value) is cls else tagged(value)

        def whole(value: object) -> Tree:
            if type(value) is int and -INT_LIMIT <= value < INT_LIMIT:
                return value
            return tagged(value)

        def finite(value: object) -> Tree:
            return value if type(value) is float and math.isfinite(value) else tagged(value)

        def back(tree: Tree) -> object:
            kind = type(tree)
            return decode(tree) if kind is dict else tree

        return Pair({int: whole, float: finite}.get(cls, exact), back)

    def _scalar(self, cls: type) -> Pair:
        _, to_tree, from_tree, form = SCALARS[cls]
        tagged, decode = self.dynamic.tagged, self.dynamic.decode

        def encode(value: object) -> Tree:
            return to_tree(value) if type(value) is cls else tagged(value)

        def back(tree: Tree) -> object:
            return from_tree(tree) if type(tree) is form else decode(tree)

        return Pair(encode, back)

    def _optional(self, inner: Pair) -> Pair:
        encode, decode = inner

        def forth(value: object) -> Tree:
            return None if value is None else encode(value)

        def back(tree: Tree) -> object:
            return None if tree is None else decode(tree)

        return Pair(forth, back)

    def _collection(self, cls: type, item: Pair) -> Pair:
        tagged, decode = self.dynamic.tagged, self.dynamic.decode
        encode_item, decode_item = item

        def list_to_tree(value: object) -> Tree:
            return list(map(encode_item, cast("list[object]", value))) if type(value) is list else tagged(value)

        def set_to_tree(value: object) -> Tree:
            if type(value) is not cls:
                return tagged(value)
            return sorted_trees(map(encode_item, cast("set[object]", value)))

        def back(tree: Tree) -> object:
            return cls(map(decode_item, cast("list[Tree]", tree))) if type(tree) is list else decode(tree)

        return Pair(list_to_tree if cls is list else set_to_tree, back)

    def _tuple(self, annotation: object, arguments: tuple[object, ...], outer: Mapping[object, object] | None) -> Pair:
        if annotation is tuple:
            arguments = (object, ...)
        if len(arguments) == 2 and arguments[1] is ...:
            return self._collection_of_tuple(self.pair(arguments[0], outer))
        tagged, decode = self.dynamic.tagged, self.dynamic.decode
        pairs = [self.pair(item, outer) for item in arguments]
        forth, back = [pair.encode for pair in pairs], [pair.decode for pair in pairs]

        def encode(value: object) -> Tree:
            kind = type(value)
            if kind is not tuple or len(cast("tuple[object, ...]", value)) != len(forth):
                return tagged(value)
            return [each(item) for each, item in zip(forth, cast("tuple[object, ...]", value), strict=True)]

        def from_tree(tree: Tree) -> object:
            if type(tree) is not list:
                return decode(tree)
            return tuple(each(item) for each, item in zip(back, cast("list[Tree]", tree), strict=True))

        return Pair(encode, from_tree)

    def _collection_of_tuple(self, item: Pair) -> Pair:
        tagged = self.dynamic.tagged
        encode_item = item.encode

        def encode(value: object) -> Tree:
            return list(map(encode_item, cast("tuple[object, ...]", value))) if type(value) is tuple else tagged(value)

        return Pair(encode, self._collection(tuple, item).decode)

    def _dict(self, arguments: tuple[object, ...], outer: Mapping[object, object] | None) -> Pair:
        if len(arguments) != 2:
            return self._any
        key, item = (self.pair(argument, outer) for argument in arguments)
        key_type = unwrap(arguments[0], outer)
        texts = literal_values(key_type)
        if key_type is str or (texts is not None and all(type(text) is str for text in texts)):
            return self._object(item)
        tagged, decode = self.dynamic.tagged, self.dynamic.decode
        if key_type is object:
            return Pair(self.dynamic.encode, decode)

        def encode(value: object) -> Tree:
            if type(value) is not dict:
                return tagged(value)
            members = cast("dict[object, object]", value)
            return [[key.encode(name), item.encode(member)] for name, member in members.items()]

        def back(tree: Tree) -> object:
            if type(tree) is not list:
                return decode(tree)
            return {key.decode(name): item.decode(member) for name, member in cast("list[tuple[Tree, Tree]]", tree)}

        return Pair(encode, back)

    def _object(self, item: Pair) -> Pair:
        tagged, decode = self.dynamic.tagged, self.dynamic.decode
        encode_item, decode_item = item

        def encode(value: object) -> Tree:
            kind = type(value)
            if kind is not dict or not text_keyed(cast("dict[object, object]", value)):
                return tagged(value)
            return {name: encode_item(member) for name, member in cast("dict[str, object]", value).items()}

        def back(tree: Tree) -> object:
            if _is_tag(tree):
                return decode(tree)
            return {name: decode_item(member) for name, member in cast("dict[str, Tree]", tree).items()}

        return Pair(encode, back)

    def _typed_dict(self, annotation: object, outer: Mapping[object, object] | None) -> Pair:
        tagged, decode_any, encode_any = self.dynamic.tagged, self.dynamic.decode, self.dynamic.encode
        forth: dict[str, Encode] = {}
        back: dict[str, Decode] = {}

        def fill() -> None:
            for field in class_fields(annotation, outer):
                forth[field.name], back[field.name] = self.pair(field.annotation, outer)

        def encode(value: object) -> Tree:
            kind = type(value)
            if kind is not dict or not text_keyed(cast("dict[object, object]", value)):
                return tagged(value)
            if not forth:
                fill()
            members = cast("dict[str, object]", value)
            return {name: forth.get(name, encode_any)(member) for name, member in members.items()}

        def decode(tree: Tree) -> object:
            if _is_tag(tree):
                return decode_any(tree)
            if not back:
                fill()
            members = cast("dict[str, Tree]", tree)
            return {name: back.get(name, decode_any)(member) for name, member in members.items()}

        return Pair(encode, decode)

    def _instance(self, annotation: object, cls: type, substitution: Mapping[object, object]) -> Pair:
        if not self.table.holds(cls):
            return _missing(cls)
        form = self._form(annotation if substitution else cls, cls)
        tagged, decode = self.dynamic.tagged, self.dynamic.decode

        def encode(value: object) -> Tree:
            kind = type(value)
            if kind is cls or getattr(kind, VIEW_OF, None) is cls:
                return form.encode(value)
            return tagged(value)

        def back(tree: Tree) -> object:
            return decode(tree) if _is_tag(tree) else form.decode(tree)

        return Pair(encode, back)

    def _form(self, annotation: object, cls: type) -> ClassForm:
        known = self._forms.get(annotation)
        if known is None:
            known = self._forms[annotation] = self._new_form(annotation, cls)
        return known

    def _new_form(self, annotation: object, cls: type) -> ClassForm:
        def fields() -> tuple[FieldForm, ...]:
            return tuple(FieldForm(field.name, *self.pair(field.annotation)) for field in class_fields(annotation))

        kind = class_kind(cls)
        if kind == "model":
            return ModelForm(cast("type[pydantic.BaseModel]", cls), fields, self.dynamic)
        if kind == "enum":
            return EnumForm(cast("type[enum.Enum]", cls), self.dynamic)
        return DataclassForm(cls, fields)


def _is_tag(tree: Tree) -> bool:
    if type(tree) is not dict:
        return False
    members = cast("dict[str, Tree]", tree)
    if len(members) != 1:
        return False
    (key,) = members
    return key[:1] == "$"


def _missing(cls: type) -> Pair:
    """A declared class that the table lacks: neither written nor read."""

    def encode(value: object) -> Tree:
        raise RefusedError(value, f"`{class_path(cls)}` is not among the classes of the definition")

    def decode(_: Tree) -> object:
        raise UnknownTypeError(class_path(cls))

    return Pair(encode, decode)
