"""Lines of Python from pieces that may break: a call that does not fit has one argument a line.

Only calls and displays break, at their own commas, so that the text stays what a person would write.
"""

import keyword
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from ruvon.ir.expr import Call, Dict, Expr, Keyword, List, Starred, Tuple, print_expr

__all__ = ["WIDTH", "Piece", "Pieces", "call_of", "flat", "is_identifier", "lay_out", "piece_of", "quoted", "soft"]

WIDTH: Final = 120
_INDENT: Final = "    "


@final
@dataclass(frozen=True, slots=True)
class Pieces:
    """`head` + opening + items + closing + `tail`, where the items may stand on lines of their own."""

    head: str
    items: "tuple[Piece, ...]"
    brackets: str = "()"
    tail: str = ""


Piece: TypeAlias = str | Pieces


def is_identifier(name: str) -> bool:
    """Whether a text can be a name in Python source."""
    return name.isidentifier() and not keyword.iskeyword(name)


def soft(text: str) -> str:
    """The text of an expression with double quotes, where nothing stands against it."""
    return text if '"' in text or "\\'" in text else text.replace("'", '"')


def quoted(text: str) -> str:
    """A literal text of Python source, in double quotes where they need no escape."""
    shown = repr(text)
    if shown.startswith("'") and '"' not in shown and "\\'" not in shown:
        return f'"{shown[1:-1]}"'
    return shown


def call_of(head: str, items: "list[Piece] | tuple[Piece, ...]", tail: str = "") -> Pieces:
    """A call."""
    return Pieces(head, tuple(items), "()", tail)


def flat(piece: Piece) -> str:
    """The text on one line."""
    if isinstance(piece, str):
        return piece
    inner = ", ".join(flat(item) for item in piece.items)
    comma = "," if piece.brackets == "(,)" and len(piece.items) == 1 else ""
    return f"{piece.head}{piece.brackets[0]}{inner}{comma}{piece.brackets[-1]}{piece.tail}"


def lay_out(prefix: str, piece: Piece, suffix: str = "", *, depth: int = 0) -> list[str]:
    """The lines of `prefix` + piece + `suffix` at an indent of `depth` levels."""
    pad = _INDENT * depth
    line = f"{pad}{prefix}{flat(piece)}{suffix}"
    if len(line) <= WIDTH or isinstance(piece, str) or not piece.items:
        return [line]
    lines = [f"{pad}{prefix}{piece.head}{piece.brackets[0]}"]
    generator = len(piece.items) == 1 and isinstance(piece.items[0], str) and " for " in piece.items[0]
    for item in piece.items:
        lines.extend(lay_out("", item, "" if generator else ",", depth=depth + 1))
    lines.append(f"{pad}{piece.brackets[-1]}{piece.tail}{suffix}")
    return lines


def piece_of(expr: Expr, names: dict[str, str], head: str = "") -> Piece:
    """An expression as a piece; calls and displays may break. `head` is written in front (`key=`)."""
    text = head + soft(print_expr(expr, names))
    if len(text) <= WIDTH // 2:
        return text
    match expr:
        case Call(function=function, args=args, keywords=keywords) if not _is_generator(args):
            items = [*(piece_of(arg, names) for arg in args), *(_keyword(word, names) for word in keywords)]
            return Pieces(head + soft(print_expr(function, names)), tuple(items))
        case List(items=items):
            return Pieces(head, tuple(piece_of(item, names) for item in items), "[]")
        case Tuple(items=items) if len(items) > 1:
            return Pieces(head, tuple(piece_of(item, names) for item in items), "(,)")
        case Dict(items=pairs):
            texts = tuple(
                f"**{_operand(pair.value, names)}"
                if pair.key is None
                else piece_of(pair.value, names, f"{soft(print_expr(pair.key, names))}: ")
                for pair in pairs
            )
            return Pieces(head, texts, "{}")
        case _:
            return text


def _is_generator(args: tuple[Expr, ...]) -> bool:
    return len(args) == 1 and getattr(args[0], "kind", "") == "generator"


def _keyword(word: Keyword, names: dict[str, str]) -> Piece:
    return f"**{_operand(word.value, names)}" if word.name is None else piece_of(word.value, names, f"{word.name}=")


def _operand(value: Expr, names: dict[str, str]) -> str:
    return soft(print_expr(Starred(value), names))[1:]
