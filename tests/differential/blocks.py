"""Statements and blocks of random workflows: as source text, and what can be read from them.

A statement is a tuple of lines and blocks, a block is a list of statements.
"""

from typing import TypeAlias

__all__ = ["HEAD", "Block", "Statement", "breaks", "ends", "source_of", "waits"]

Statement: TypeAlias = "tuple[str | Block, ...]"
Block: TypeAlias = "list[Statement]"

HEAD = """from datetime import timedelta

from ruvon import *
from tests.differential.shop import (
    Approval, Busy, Declined, Inner, Job, Note, Receipt, Rejected, State, Stop, book, branch_a, branch_b, change, charge,
    combine, couple, double, flaky, mark, money, patch, patch_dict, quick, slow, stray, sub, table, told, val, whole,
)


"""


def source_of(block: Block, *, options: str = "", result: str = "int | None") -> str:
    """The module's text."""
    lines = [f'@workflow("Generated"{options})', f"async def generated(state: State) -> {result}:"]
    _write(block, 1, lines)
    return HEAD + "\n".join(lines) + "\n"


def _write(block: Block, depth: int, lines: list[str]) -> None:
    if not block:
        lines.append("    " * depth + "pass")
    for statement in block:
        for part in statement:
            if isinstance(part, str):
                lines.append("    " * depth + part)
            else:
                _write(part, depth + 1, lines)


def ends(block: Block) -> bool:
    """Whether nothing behind the block can be reached."""
    if not block:
        return False
    *_, last = block
    words = [part.split()[0].rstrip(":") for part in last if isinstance(part, str)]
    parts = dict(zip(words, [part for part in last if isinstance(part, list)], strict=False))
    match words[0]:
        case "return" | "raise" | "break" | "continue":
            return True
        case "if":
            return "else" in parts and all(ends(part) for part in last if isinstance(part, list))
        case "match":
            cases = [part for case in parts["match"] for part in case if isinstance(part, list)]
            return all(ends(part) for part in cases)
        case "try":
            handlers = [
                part
                for head, part in zip(last[2::2], last[3::2], strict=False)
                if str(head).startswith("except") and isinstance(part, list)
            ]
            body = ends(parts["try"]) or ends(parts.get("else", []))
            return body and all(ends(part) for part in handlers)
        case "async":
            return str(last[0]).startswith("async with") and ends(parts["async"])
        case _:
            return False


def breaks(part: object) -> bool:
    if isinstance(part, list | tuple):
        return any(
            breaks(item) for item in part if not (isinstance(part, tuple) and str(part[0]).startswith(("for", "while")))
        )
    return part == "break"


def waits(part: object) -> bool:
    """Whether something comes from outside that a second life of the instance would be given again."""
    if isinstance(part, list | tuple):
        return any(map(waits, part))
    return any(word in str(part) for word in ("receive(", "human(", "first_of(", "new_id()", "random()"))
