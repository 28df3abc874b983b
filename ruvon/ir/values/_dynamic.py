"""Values whose declared type does not fix their type, written so that they describe themselves.

None, bool, 64-bit int, finite float, str, list and dict with text keys are plain JSON. Everything else is an object
with one key, its tag, which starts with `$`:

    {"$int": "0x1ffffffffffffffff"}      {"$float": "nan"}        {"$bytes": "AAE="}      {"$decimal": "1.20"}
    {"$date": ...}  {"$time": ...}       {"$datetime": ...}       {"$timedelta": [0, 1, 0]}   {"$uuid": ...}
    {"$tuple": [...]}  {"$set": [...]}   {"$frozenset": [...]}    {"$dict": [[key, value], ...]}
    {"$shop.models:Item": {...}}         an instance of an author's class, in the form of the class

A dict that would look like a tag itself is written as `$dict`. The same tags, and `$none`, `$bool`, `$str`, `$list` for
what is plain JSON elsewhere, mark a value that is not of the type declared for its place (`tagged`): so a typed form
never hides what the value really was. Sets are written in the order of their members' bytes.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, cast, final

import orjson

from ruvon.ir.types import class_kind, class_path
from ruvon.ir.values._errors import UnknownTypeError, UnreadableValueError
from ruvon.ir.values._scalars import INT_LIMIT, SCALARS, Tree, float_text, int_text, text_float, text_int
from ruvon.ir.values._table import VIEW_OF, ClassTable

if TYPE_CHECKING:
    from ruvon.ir.values._classes import ClassForm

__all__ = ["Dynamic", "RefusedError", "sorted_trees", "text_keyed"]

Encode = Callable[[object], Tree]
Decode = Callable[[Tree], object]
_TEXT_KEYS: Final = frozenset({str})
_AS_THEY_ARE: Final = frozenset({type(None), bool, str})


class RefusedError(Exception):
    """Internal: a value cannot be written; the codec turns it into a `NotStorableError` with the path."""

    def __init__(self, value: object, reason: str = "") -> None:
        super().__init__(reason)
        self.value = value
        self.reason = reason


def sorted_trees(trees: Iterable[Tree]) -> list[Tree]:
    """The members of a set in their canonical order."""
    return sorted(trees, key=orjson.dumps)


def text_keyed(value: dict[object, object]) -> bool:
    """Whether a dict can be a JSON object: exact text keys, and not to be mistaken for a tag."""
    if len(value) == 1:
        (key,) = value
        return type(key) is str and key[:1] != "$"
    return _TEXT_KEYS.issuperset(map(type, value))


@final
class Dynamic:
    """The self-describing form, for one class table. Handlers are found by exact type and remembered."""

    def __init__(self, table: ClassTable, form_of: "Callable[[type], ClassForm]") -> None:
        self._table = table
        self._form_of = form_of
        self._encoders: dict[type, Encode] = self._builtin_encoders()
        self._decoders: dict[str, Decode] = self._builtin_decoders()

    def encode(self, value: object) -> Tree:
        """The self-describing tree of a storable value."""
        handler = self._encoders.get(type(value))
        return handler(value) if handler is not None else self._learn(type(value), value)(value)

    def decode(self, tree: Tree) -> object:
        """The value of a self-describing tree."""
        kind = type(tree)
        if kind is dict:
            members = cast("dict[str, Tree]", tree)
            if len(members) == 1:
                ((tag, content),) = members.items()
                if tag[:1] == "$":
                    return self._decoder(tag)(content)
            decode = self.decode
            return {key: decode(item) for key, item in members.items()}
        if kind is list:
            return list(map(self.decode, cast("list[Tree]", tree)))
        return tree

    def tagged(self, value: object) -> Tree:
        """A tree with a tag even where plain JSON would do, for a value that is not of the declared type."""
        tree = self.encode(value)
        kind = type(value)
        form = type(tree)
        if form is dict and not (kind is dict and text_keyed(cast("dict[object, object]", value))):
            return tree
        if kind is dict:
            return {"$dict": self._pairs(value)}
        if kind is int:
            return {"$int": int_text(cast("int", value))}
        if kind is float:
            return {"$float": float_text(cast("float", value))}
        return {_PLAIN_TAGS[kind]: tree}

    def _builtin_encoders(self) -> dict[type, Encode]:
        found: dict[type, Encode] = {
            type(None): _same,
            bool: _same,
            str: _same,
            int: _encode_int,
            float: _encode_float,
            list: lambda value: list(map(self.encode, cast("list[object]", value))),
            dict: self._encode_dict,
            tuple: lambda value: {"$tuple": list(map(self.encode, cast("tuple[object, ...]", value)))},
            set: lambda value: {"$set": sorted_trees(map(self.encode, cast("set[object]", value)))},
            frozenset: lambda value: {"$frozenset": sorted_trees(map(self.encode, cast("set[object]", value)))},
        }
        for cls, scalar in SCALARS.items():
            found[cls] = _tagging(scalar.tag, scalar.encode)
        return found

    def _builtin_decoders(self) -> dict[str, Decode]:
        found: dict[str, Decode] = {
            "$none": _same,
            "$bool": _same,
            "$str": _same,
            "$int": lambda tree: text_int(cast("str", tree)),
            "$float": lambda tree: text_float(cast("str", tree)),
            "$list": lambda tree: list(map(self.decode, cast("list[Tree]", tree))),
            "$tuple": lambda tree: tuple(map(self.decode, cast("list[Tree]", tree))),
            "$set": lambda tree: set(map(self.decode, cast("list[Tree]", tree))),
            "$frozenset": lambda tree: frozenset(map(self.decode, cast("list[Tree]", tree))),
            "$dict": self._decode_pairs,
        }
        for scalar in SCALARS.values():
            found[scalar.tag] = scalar.decode
        return found

    def _encode_dict(self, value: object) -> Tree:
        members = cast("dict[object, object]", value)
        if not text_keyed(members):
            return {"$dict": self._pairs(members)}
        encode = self.encode
        return {key: item if type(item) in _AS_THEY_ARE else encode(item) for key, item in members.items()}

    def _pairs(self, value: object) -> list[Tree]:
        encode = self.encode
        return [[encode(key), encode(item)] for key, item in cast("dict[object, object]", value).items()]

    def _decode_pairs(self, tree: Tree) -> object:
        decode = self.decode
        return {decode(key): decode(item) for key, item in cast("list[tuple[Tree, Tree]]", tree)}

    def _learn(self, cls: type, value: object) -> Encode:
        author_cls: type = getattr(cls, VIEW_OF, cls)
        if author_cls is dict:
            self._encoders[cls] = self._encode_dict
            return self._encode_dict
        if class_kind(author_cls) not in {"model", "dataclass", "enum"}:
            raise RefusedError(value)
        if not self._table.holds(author_cls):
            raise RefusedError(value, "its class is not among the classes of the definition")
        form = self._form_of(author_cls)
        handler = self._encoders[cls] = _tagging(f"${class_path(author_cls)}", form.encode)
        return handler

    def _decoder(self, tag: str) -> Decode:
        known = self._decoders.get(tag)
        if known is not None:
            return known
        cls = self._table.get(tag[1:])
        if cls is None:
            raise UnknownTypeError(tag[1:])
        if class_kind(cls) not in {"model", "dataclass", "enum"}:
            raise UnreadableValueError(tag[1:], "values of this kind of class are not stored under a tag")
        found = self._decoders[tag] = self._form_of(cls).decode
        return found


_PLAIN_TAGS: Final[Mapping[type, str]] = {type(None): "$none", bool: "$bool", str: "$str", list: "$list"}


def _same(value: object) -> object:
    return value


def _encode_int(value: object) -> Tree:
    number = cast("int", value)
    return number if -INT_LIMIT <= number < INT_LIMIT else {"$int": int_text(number)}


def _encode_float(value: object) -> Tree:
    number = cast("float", value)
    return number if math.isfinite(number) else {"$float": float_text(number)}


def _tagging(tag: str, encode: Encode) -> Encode:
    def with_tag(value: object) -> Tree:
        return {tag: encode(value)}

    return with_tag
