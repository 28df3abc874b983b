"""Types as YAML writes them (`Receipt`, `list[Item] | None`, `decimal.Decimal`), turned into annotations."""

import re
from dataclasses import dataclass
from typing import Final, final

from ruvon.ir._errors import RuvonError
from ruvon.ir.expr._language import DEFINITION_PATHS
from ruvon.ir.types import TypeTextError, class_path, parse_type, type_text
from ruvon.ir.types._text import SHORT_NAMES
from ruvon_dsl._link import Missing
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._findings import Findings
from ruvon_dsl.yaml._lookup import Names
from ruvon_dsl.yaml._values import ScalarNode

__all__ = ["TypeReader", "WrittenType"]

_TOKEN: Final = re.compile(r"'[^']*'|\"[^\"]*\"|[A-Za-z_][\w.]*(?::[A-Za-z_][\w.]*)?")
_KNOWN: Final = frozenset({*SHORT_NAMES, "None", "Literal", "True", "False"})


@final
@dataclass(frozen=True, slots=True)
class WrittenType:
    """A type of the file: its canonical text, and the annotation where code was imported."""

    text: str
    annotation: object = Missing


@final
class TypeReader:
    """Reads the types of one file."""

    def __init__(self, names: Names, found: Findings) -> None:
        self._names = names
        self._found = found

    def read(self, node: ScalarNode) -> WrittenType | None:
        """The type, or None where it was reported as wrong."""
        objects: dict[str, object] = {}
        missing = False

        def plain(match: re.Match[str]) -> str:
            nonlocal missing
            word = match.group()
            if word[0] in "'\"" or word in _KNOWN:
                return word
            path = word if ":" in word else ":".join(word.rsplit(".", 1))
            if path in DEFINITION_PATHS:
                return DEFINITION_PATHS[path]
            if self._names.opaque:
                return self._names.written(word)
            value = self._names.load(node, word)
            if value is Missing:
                missing = True
                return word
            key = class_path(value) if isinstance(value, type) else self._names.written(word)
            objects[key] = value
            return key

        text = _TOKEN.sub(plain, node.text.strip())
        if missing:
            return None
        if self._names.opaque:
            return WrittenType(text)
        return self._parsed(node, text, objects)

    def _parsed(self, node: ScalarNode, text: str, objects: dict[str, object]) -> WrittenType | None:
        try:
            annotation = objects[text] if text in objects else parse_type(text, objects.__getitem__)
            return WrittenType(type_text(annotation), annotation)
        except TypeTextError as error:
            reason = str(error)
        except (RuvonError, KeyError, TypeError) as error:
            reason = f"`{node.text}` is not a type: {error}"
        self._found.error(codes.BAD_TYPE, reason, node.span, "write a class, or a text such as `list[Item] | None`")
        return None
