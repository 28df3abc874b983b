"""The one codec of Ruvon: values to bytes and back, exactly.

`encode(decode(b)) == b` and `decode(encode(v))` equals `v` with the same types, order of dicts included. Bytes are JSON
text, written by orjson from trees that the compiled closures make. The forms are described in `_dynamic`
(self-describing values), `_compile` (typed places), `_classes` (author's classes) and `_scalars` (texts).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, cast, final

import orjson

from ruvon.ir._errors import NotStorableError
from ruvon.ir.types import class_fields, class_kind, type_text, unwrap
from ruvon.ir.values._cache import cache_key
from ruvon.ir.values._compile import Compiler
from ruvon.ir.values._dynamic import RefusedError
from ruvon.ir.values._errors import UnreadableValueError
from ruvon.ir.values._scalars import Tree
from ruvon.ir.values._table import VIEW_OF, ClassTable

__all__ = ["Codec", "codec_for", "compiler_for", "same", "stored_form"]

_COMPILER: Final = object()
_MAX_TABLES: Final = 256
_MAX_DEPTH: Final = 256
"""How deep the search for what cannot be written goes; nothing deeper can be written."""


@final
class Codec:
    """Writes and reads the values of one declared type.

    Loop and thread safe; made once per annotation and class table by `codec_for`.
    """

    __slots__ = ("_compiler", "annotation", "decode_tree", "encode_tree")

    def __init__(self, annotation: object, compiler: Compiler) -> None:
        self.annotation = annotation
        self._compiler = compiler
        pair = compiler.pair(annotation)
        self.encode_tree: Callable[[object], Tree] = pair.encode
        """The JSON tree of a value, to be put into a larger one; it may share lists with nobody."""
        self.decode_tree: Callable[[Tree], object] = pair.decode
        """The value of a JSON tree."""

    def encode(self, value: object, path: str = "value") -> bytes:
        """The bytes of a value.

        Args:
            value: A storable value; of another type than the declared one it is stored all the same, with its type.
            path: What to call the value in an error.

        Raises:
            NotStorableError: It, or something in it, cannot be stored; the error names the path and the type.
        """
        try:
            return orjson.dumps(self.encode_tree(value))
        except (RefusedError, TypeError, RecursionError) as exc:
            raise _located(value, path, self._compiler, exc) from None

    def decode(self, data: bytes) -> object:
        """The value of bytes written by `encode`; runs none of the author's validators.

        Raises:
            UnknownTypeError: The bytes name a class outside the class table.
            UnreadableValueError: The bytes are not of this type.
        """
        try:
            return self.decode_tree(orjson.loads(data))
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as exc:
            raise UnreadableValueError(type_text(self.annotation), str(exc)) from exc


_tables: dict[frozenset[tuple[str, type]], ClassTable] = {}


def _as_table(classes: Mapping[str, type]) -> ClassTable:
    if isinstance(classes, ClassTable):
        return classes
    key = frozenset(classes.items())
    table = _tables.get(key)
    if table is None:
        if len(_tables) >= _MAX_TABLES:
            _tables.clear()
        table = _tables[key] = ClassTable(classes)
    return table


def compiler_for(classes: Mapping[str, type]) -> Compiler:
    """The compiler of a class table, made once."""
    cache = _as_table(classes).cache
    known = cache.get(_COMPILER)
    if known is None:
        known = cache[_COMPILER] = Compiler(_as_table(classes))
    return cast("Compiler", known)


def codec_for(annotation: object, classes: Mapping[str, type]) -> Codec:
    """The codec of a declared type; `object` gives the self-describing one.

    Args:
        annotation: The declared type; `Any`, `object` or a union is written with tags where needed.
        classes: The definition's class table; only these classes are ever written or instantiated. Pass a `ClassTable`
            where speed matters: a plain mapping is compared with the tables seen before.

    Raises:
        UnresolvedTypeError: The annotation holds an unresolved name.
    """
    compiler = compiler_for(classes)
    plain = unwrap(annotation)
    cache = compiler.table.cache
    key = cache_key(plain)
    known = cache.get(key)
    if known is None:
        known = cache[key] = Codec(plain, compiler)
    return cast("Codec", known)


_TOO_DEEP: Final = "it is nested deeper than 250 levels"
_OPEN: Final = ClassTable({}, is_open=True)


def same(left: object, right: object) -> bool:
    """Whether two storable values would be stored as the same bytes: types, order of dicts and NaN included."""
    if left is right:
        return True
    if getattr(type(left), VIEW_OF, type(left)) is not getattr(type(right), VIEW_OF, type(right)):
        return False
    return stored_form(left) == stored_form(right)


def stored_form(value: object) -> bytes:
    """The bytes that tell a storable value from all others, whatever class it is of; for comparing only."""
    return codec_for(object, _OPEN).encode(value)


def _located(value: object, path: str, compiler: Compiler, error: Exception) -> NotStorableError:
    """Walks down to the innermost value that cannot be written, to name its path; only runs after a failure."""
    whole, name_of_whole = value, path
    seen: set[int] = set()
    while True:
        seen.add(id(value))
        if len(seen) > _MAX_DEPTH:
            return NotStorableError(name_of_whole, type(whole), _TOO_DEEP)
        for name, child in _children(value, path):
            if id(child) in seen:
                return NotStorableError(name, type(child), "it contains itself")
            failure = _failure(child, compiler)
            if failure is not None:
                value, path, error = child, name, failure
                break
        else:
            return NotStorableError(path, type(value), _reason(error))


def _failure(value: object, compiler: Compiler) -> Exception | None:
    try:
        orjson.dumps(compiler.dynamic.encode(value))
    except (RefusedError, TypeError, RecursionError) as exc:
        return exc
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, RefusedError):
        return error.reason
    text = str(error)
    if "surrogate" in text:
        return "the text holds surrogates, which have no UTF-8 form"
    if "ecursion" in text:
        return _TOO_DEEP
    return text


def _children(value: object, path: str) -> Iterator[tuple[str, object]]:
    if isinstance(value, list | tuple):
        for index, item in enumerate(cast("list[object]", value)):
            yield f"{path}[{index}]", item
    elif isinstance(value, set | frozenset):
        for item in cast("set[object]", value):
            yield f"{path}{{...}}", item
    elif isinstance(value, dict):
        for key, item in cast("dict[object, object]", value).items():
            yield f"{path} (a key)", key
            yield f"{path}[{key!r}]", item
    elif class_kind(type(value)) in {"model", "dataclass"}:
        yield from _attributes(value, path)


def _attributes(value: object, path: str) -> Iterator[tuple[str, object]]:
    names = [field.name for field in class_fields(type(value))]
    extra: dict[str, object] = getattr(value, "__pydantic_extra__", None) or {}
    for name in [*names, *extra]:
        if hasattr(value, name):
            yield f"{path}.{name}", getattr(value, name)
    private: dict[str, object] = getattr(value, "__pydantic_private__", None) or {}
    for name, item in private.items():
        yield f"{path}.{name}", item
