"""A small emitter of YAML: one text for one tree, readable, and every scalar read back as what it was.

Mappings and lists of scalars stand on one line where they fit, everything else in blocks. A text is plain only where no
reader could take it for anything else: neither the core schema of YAML 1.2, nor the older one (`yes`, `1e3`, dates).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, final

__all__ = ["Pairs", "Tree", "emit", "scalar"]

_WIDTH: Final = 110
_FLAT: Final = 90
_PLAIN: Final = re.compile(r"[A-Za-z_=./\w(][^\x00-\x1f\x7f-\xa0\u2028\u2029\ufeff\ud800-\udfff]*")
_AMBIGUOUS: Final = re.compile(
    r"(?i:~|null|true|false|yes|no|on|off|y|n|=|<<|[-+]?\.(inf|nan)|[-+.]?\d.*|0o?[0-7]+|0x[0-9a-f]+)"
)
_DURATION: Final = re.compile(r"(\d+(d|h|m|s|ms|us))+")
_VARIABLE: Final = re.compile(r"\$\$?\{[A-Za-z_][\w.]*(?::-(?:[^{}]|\{[^{}]*\})*)?\}")
"""What the front end would replace by a value of the environment; one more `$` in front makes it text."""
_SHORT: Final = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_ESCAPED: Final = re.compile('[\x00-\x1f"\\\\\x7f-\xa0\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]')


@final
@dataclass(frozen=True, slots=True)
class Pairs:
    """A mapping whose keys may be numbers."""

    items: "tuple[tuple[str | int, Tree], ...]"


Tree: TypeAlias = "str | int | float | bool | Pairs | Mapping[str, Tree] | Sequence[Tree] | None"


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


def _pairs(tree: Tree) -> "tuple[tuple[str | int, Tree], ...] | None":
    """The entries of a mapping; None for other trees."""
    match tree:
        case Pairs(items=items):
            return items
        case Mapping():
            return tuple(tree.items())
        case _:
            return None


def _items(tree: Tree) -> "Sequence[Tree] | None":
    """The items of a list; None for other trees."""
    return tree if isinstance(tree, Sequence) and not isinstance(tree, str) else None


def _mapping(tree: Tree, indent: int) -> Iterator[str]:
    pad = " " * indent
    for key, value in _pairs(tree) or ():
        head = f"{pad}{scalar(key)}:"
        flat = _flat(value)
        if flat is not None and (len(head) + len(flat) < _WIDTH or not _breaks(value)):
            yield f"{head} {flat}"
            continue
        yield head
        yield from _block(value, indent + 2)


def _block(tree: Tree, indent: int) -> Iterator[str]:
    return _sequence(tree, indent) if _pairs(tree) is None else _mapping(tree, indent)


def _sequence(tree: Tree, indent: int) -> Iterator[str]:
    pad = " " * indent
    for item in _items(tree) or ():
        flat = _flat(item)
        if flat is not None and (len(pad) + len(flat) < _WIDTH or not _breaks(item)):
            yield f"{pad}- {flat}"
            continue
        lines = list(_block(item, indent + 2))
        yield f"{pad}- {lines[0].lstrip(' ')}"
        yield from lines[1:]


def _breaks(tree: Tree) -> bool:
    """Whether a tree can stand in a block instead."""
    return bool(_pairs(tree) or _items(tree))


def _flat(tree: Tree) -> str | None:
    """The text on one line; None for what holds lists of mappings and reads better in a block."""
    if not _breaks(tree):
        return _inline(tree)
    if _depth(tree) > 2 or _holds_steps(tree):
        return None
    text = _inline(tree)
    return text if len(text) <= _FLAT else None


def _holds_steps(tree: Tree) -> bool:
    """A list of mappings, as lists of steps are."""
    pairs = _pairs(tree)
    if pairs is not None:
        return any(_holds_steps(item) for _, item in pairs)
    return any(_pairs(item) is not None for item in _items(tree) or ())


def _depth(tree: Tree) -> int:
    pairs, items = _pairs(tree), _items(tree)
    if pairs is not None:
        return 1 + max((_depth(item) for _, item in pairs), default=0)
    return 0 if items is None else 1 + max((_depth(item) for item in items), default=0)


def _inline(tree: Tree) -> str:
    match tree:
        case str():
            return scalar(_VARIABLE.sub(r"$\g<0>", tree), flow=True)
        case int() | float() | None:
            return scalar(tree, flow=True)
        case Pairs() | Mapping():
            pairs = (f"{scalar(key, flow=True)}: {_inline(item)}" for key, item in _pairs(tree) or ())
            return "{" + ", ".join(pairs) + "}"
        case _:
            return "[" + ", ".join(_inline(item) for item in tree) + "]"
