"""A small emitter of YAML: one text for one tree, readable, and every scalar read back as what it was.

Mappings and lists of scalars stand on one line where they fit, everything else in blocks. A text is plain only where no
reader could take it for anything else: neither the core schema of YAML 1.2, nor the older one (`yes`, `1e3`, dates).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, final

__all__ = ["Flat", "Tree", "emit", "scalar"]

_WIDTH: Final = 110
_FLAT: Final = 90
_PLAIN: Final = re.compile(r"[A-Za-z_=./\w(][^\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ud800-\udfff]*")
_AMBIGUOUS: Final = re.compile(
    r"(?i:~|null|true|false|yes|no|on|off|y|n|=|<<|[-+]?\.(inf|nan)|[-+.]?\d.*|0o?[0-7]+|0x[0-9a-f]+)"
)
_DURATION: Final = re.compile(r"(\d+(d|h|m|s|ms|us))+")
_SHORT: Final = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_ESCAPED: Final = re.compile('[\x00-\x1f"\\\\\x7f-\xa0\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]')


@final
@dataclass(frozen=True, slots=True)
class Flat:
    """A mapping or list that stands on one line whatever its width."""

    value: "Mapping[str | int, Tree] | Sequence[Tree]"


Tree: TypeAlias = "str | int | float | bool | Flat | Mapping[str, Tree] | Mapping[str | int, Tree] | Sequence[Tree] | None"


def emit(tree: "Mapping[str, Tree]") -> str:
    """The text of a whole file."""
    return "\n".join(_mapping(tree, 0)) + "\n"


def scalar(value: str | float | bool | None, *, flow: bool = False) -> str:
    """One scalar; `flow` where it stands inside brackets."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _number(value)
        case str():
            return value if _is_plain(value, flow=flow) else _quoted(value)


def _number(value: float) -> str:
    if value - value != 0:
        return ".nan" if value != value else ".inf" if value > 0 else "-.inf"  # noqa: PLR0124 - only NaN differs from itself
    return repr(value)


def _is_plain(text: str, *, flow: bool) -> bool:
    if _DURATION.fullmatch(text):
        return True
    if not text or text != text.strip() or not _PLAIN.fullmatch(text) or _AMBIGUOUS.fullmatch(text):
        return False
    if ": " in text or " #" in text or text.endswith(":"):
        return False
    return not flow or not any(mark in text for mark in ",[]{}?")


def _quoted(text: str) -> str:
    if '"' in text or "\\" in text:
        plain = not _ESCAPED.search(text.replace('"', "").replace("\\", ""))
        if plain:
            return "'" + text.replace("'", "''") + "'"
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}")


def _mapping(tree: "Mapping[str, Tree] | Mapping[str | int, Tree]", indent: int) -> Iterator[str]:
    pad = " " * indent
    for key, value in tree.items():
        head = f"{pad}{scalar(key)}:"
        flat = _flat(value)
        if flat is not None and (len(head) + len(flat) < _WIDTH or not _breaks(value)):
            yield f"{head} {flat}"
        elif isinstance(value, Mapping):
            yield head
            yield from _mapping(value, indent + 2)
        else:
            yield head
            yield from _sequence(value, indent + 2)


def _sequence(items: object, indent: int) -> Iterator[str]:
    pad = " " * indent
    for item in items if isinstance(items, Sequence) else ():
        flat = _flat(item)
        if flat is not None and (len(pad) + len(flat) < _WIDTH or not _breaks(item)):
            yield f"{pad}- {flat}"
            continue
        lines = list(_mapping(item, indent + 2) if isinstance(item, Mapping) else _sequence(item, indent + 2))
        yield f"{pad}- {lines[0].lstrip(' ')}"
        yield from lines[1:]


def _breaks(value: object) -> bool:
    """Whether a tree can stand in a block instead."""
    return isinstance(value, Mapping | list | tuple) and bool(value)


def _flat(value: object) -> str | None:
    """The text on one line; None for what holds lists of mappings and reads better in a block."""
    if isinstance(value, Flat):
        return _inline(value.value)
    if isinstance(value, Mapping | list | tuple):
        if value and (_depth(value) > 2 or _holds_steps(value)):
            return None
        text = _inline(value)
        return text if len(text) <= _FLAT or not value else None
    return _inline(value)


def _holds_steps(value: object) -> bool:
    """A list of mappings, as lists of steps are."""
    if isinstance(value, Mapping):
        return any(_holds_steps(item) for item in value.values())
    return isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value)


def _depth(value: object) -> int:
    match value:
        case Flat(value=inner):
            return _depth(inner)
        case Mapping():
            return 1 + max((_depth(item) for item in value.values()), default=0)
        case list() | tuple():
            return 1 + max((_depth(item) for item in value), default=0)
        case _:
            return 0


def _inline(value: object) -> str:
    match value:
        case Flat(value=inner):
            return _inline(inner)
        case Mapping():
            pairs = (f"{scalar(key, flow=True)}: {_inline(item)}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
        case list() | tuple():
            return "[" + ", ".join(_inline(item) for item in value) + "]"
        case str() | int() | float() | None:
            return scalar(value, flow=True)
        case _:
            raise TypeError(type(value).__name__)
