"""What people write who come from another language: its operators and constants in an expression, its words for a retry.

Each is told as what it is, with the spelling that is meant, instead of as a text that cannot be read.
"""

import re
from collections.abc import Collection
from typing import Final, NamedTuple

from ruvon.ir._diagnostics import Edit, Fix
from ruvon.ir._spans import Position, Span
from ruvon_dsl.yaml import _codes as codes
from ruvon_dsl.yaml._findings import Findings
from ruvon_dsl.yaml._keys import Table
from ruvon_dsl.yaml._values import Entry, ScalarNode

__all__ = ["Slip", "corrected", "report_slips", "retries_meant", "slips_of"]

_TOKEN: Final = re.compile(
    r"""(?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
    r"|(?P<sign>&&|\|\||!==|===|!(?!=)\ *)"
    r"|(?<![.\w])(?P<word>null|true|false|nil|undefined|AND|OR|NOT)(?!\w)(?!\s*=[^=])"
)
_SIGNS: Final = {"&&": "and", "||": "or", "!==": "!=", "===": "==", "!": "not "}
_WORDS: Final = {
    "null": "None",
    "nil": "None",
    "undefined": "None",
    "true": "True",
    "false": "False",
    "AND": "and",
    "OR": "or",
    "NOT": "not",
}
_RETRIES: Final = frozenset({"max_retries", "retries", "retry_count", "max_retry", "maxRetries"})
_STEP_RETRY: Final = "retry"


class Slip(NamedTuple):
    """A stretch of an expression that another language writes like this."""

    start: int
    end: int
    written: str
    meant: str


def slips_of(text: str, bound: Collection[str]) -> list[Slip]:
    """The operators and constants of other languages in a text, outside of its quoted parts.

    Args:
        text: An expression.
        bound: Names that mean something here.
    """
    found: list[Slip] = []
    for match in _TOKEN.finditer(text):
        sign, word = match["sign"], match["word"]
        if sign is not None:
            found.append(Slip(match.start(), match.end(), sign.strip(), _SIGNS[sign.strip()]))
        elif word is not None and word not in bound:
            found.append(Slip(match.start(), match.end(), word, _WORDS[word]))
    return found


def corrected(text: str, slips: list[Slip]) -> str:
    """The text with every slip replaced."""
    for slip in reversed(slips):
        text = text[: slip.start] + slip.meant + text[slip.end :]
    return text


def report_slips(node: ScalarNode, start: int, slips: list[Slip], found: Findings) -> None:
    """A finding for each slip of a part of a scalar that begins at `start`."""
    for slip in slips:
        span = node.at(start + slip.start, start + slip.end)
        word = slip.meant.strip()
        fix = Fix(f"write `{word}`", (Edit(span, slip.meant),))
        message = f"`{slip.written}` is not written like this in an expression"
        found.error(codes.FOREIGN, message, span, f"expressions are Python's: write `{word}`", fix=fix)


def retries_meant(entry: Entry, table: Table, found: Findings) -> bool:
    """Report a number of retries where attempts are counted, the first one included; whether it was one."""
    name, node = entry.key.text, entry.value
    inside = table.name == "a retry policy"
    if name not in _RETRIES or not isinstance(node, ScalarNode) or not (inside or _STEP_RETRY in table.by_spelling()):
        return False
    count = node.value
    number = count + 1 if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else None
    shown = "N + 1" if number is None else str(number)
    meant = f"max_attempts: {shown}" if inside else f"retry: {{max_attempts: {shown}}}"
    whole = Span(entry.key.span.file, entry.key.span.start, Position(node.span.end.line, node.span.end.column))
    fix = None if number is None else Fix(f"write `{meant}`", (Edit(whole, meant),))
    message = f"{table.name} has no key `{name}`"
    help_ = f"attempts are counted, the first one included: write `{meant}`"
    found.error(codes.UNKNOWN_KEY, message, entry.key.span, help_, fix=fix)
    return True
