"""Hostile expressions: a corpus by families, and mutations of it; none reads, calls or costs what it may not.

Every text is refused when it is read or checked, or ends in the budget or in a refused access, in bounded time. For
mutations, which may become harmless, the value must be plain data.
"""

import ast
import os
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ruvon.ir.expr import (
    Environment,
    ExpressionAccessError,
    ExpressionBudgetError,
    ExpressionError,
    TypeEnv,
    check,
    compile_expr,
    parse,
)
from tests.support.cases import CAMPAIGN
from tests.unit.expr.world import STATE, State

_CORPUS: Final = Path(__file__).with_name("escapes.txt")
_SECONDS: Final = 5


class Tool:
    """An object with behaviour, of the kind that must stay out of reach."""

    def __init__(self) -> None:
        self.uses = 0

    def run(self) -> str:
        """Counts that it was called."""
        self.uses += 1
        return "ran"

    def __call__(self) -> str:
        return self.run()


_TOOL: Final = Tool()
_CODE: Final[dict[str, object]] = {
    "obj": _TOOL,
    "cls": Tool,
    "func": _TOOL.run,
    "gen": (item for item in [1]),
    "mod": os,
}
"""What no engine would put among the names: objects, classes, functions, generators, modules."""
_NAMES: Final[dict[str, object]] = {"state": STATE, "word": "word", "n": 4, "xs": [3, 1, 2], **_CODE}
_TYPES: Final = TypeEnv({"state": State, "word": str, "n": int, "xs": list[int], **dict.fromkeys(_CODE, object)})


def _families() -> Iterator[tuple[str, str]]:
    family = ""
    for line in _CORPUS.read_text("utf-8").split("\n"):
        if line.startswith("#"):
            family = line[2:]
        elif line.startswith("repr:"):
            yield family, _text(line.removeprefix("repr:"))
        elif line:
            yield family, line


def _text(source: str) -> str:
    value: object = eval(compile(ast.parse(source, mode="eval"), "escapes.txt", "eval"), {})  # noqa: S307 - our own corpus
    assert isinstance(value, str)
    return value


HOSTILE: Final = list(_families())


def _outcome(text: str) -> str:
    """How a text ends: refused by `parse`, by `check`, in the budget or on access, with a Python error, or a value."""
    try:
        expr = parse(text, refs={})
    except ExpressionError:
        return "parse"
    if not check(expr, _TYPES).ok:
        return "check"
    try:
        value = compile_expr(expr, _NAMES)(Environment(_NAMES))
    except ExpressionError:
        return "parse"
    except ExpressionBudgetError:
        return "budget"
    except ExpressionAccessError:
        return "access"
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        return "error"
    assert _is_data(value), f"{text[:200]} gave {type(value)}"
    return "value"


def _is_data(value: object) -> bool:
    match value:
        case None | bool() | int() | float() | str() | bytes() | Decimal() | date() | datetime() | timedelta() | UUID():
            return True
        case list() | tuple() | set() | frozenset():
            return all(_is_data(item) for item in value)
        case dict():
            return all(_is_data(key) and _is_data(item) for key, item in value.items())
        case _:
            known = State.__module__, __name__
            return (
                type(value).__module__ in known
                or isinstance(value, range | tzinfo | Iterator)
                or value in _CODE.values()
            )


def test_the_corpus_is_large() -> None:
    """At least 300 different hostile texts in every family that is known."""
    assert len({text for _, text in HOSTILE}) >= 300
    assert len({family for family, _ in HOSTILE}) >= 10


@pytest.mark.parametrize(
    ("family", "text"), HOSTILE, ids=[f"{index}-{family}" for index, (family, _) in enumerate(HOSTILE)]
)
def test_hostile_text_is_refused_in_time(family: str, text: str) -> None:
    """Each is refused before it runs, or ends in the budget or a refused access, within seconds (S2-072)."""
    before = _TOOL.uses
    started = time.monotonic()
    assert _outcome(text) in {"parse", "check", "budget", "access"}, family
    assert time.monotonic() - started < _SECONDS
    assert before == _TOOL.uses


_PIECES: Final = st.sampled_from(
    [
        ".__class__",
        ".gi_frame",
        "()",
        "[0]",
        " for x in xs",
        "lambda: ",
        "eval",
        "*",
        "**",
        "{",
        "}",
        "(",
        ")",
        "f'",
        "'",
        "!r",
        ":=",
        "ref('os:system')",
        "obj",
        "obj.run",
        "obj.run()",
        "state",
        "__",
        "._",
        " if n else ",
        "range(9)",
        ".format(obj)",
        "\uff45",
        "\u202e",
        ",",
    ]
)


@st.composite
def _mutations(draw: st.DrawFn) -> str:
    """A hostile text with parts cut out, doubled, moved in from another one or put in."""
    text = draw(st.sampled_from([item for _, item in HOSTILE if len(item) < 200]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 12)))
        match draw(st.integers(0, 3)):
            case 0:
                text = text[:start] + text[end:]
            case 1:
                text = text[:end] + text[start:end] + text[end:]
            case 2:
                other = draw(st.sampled_from([item for _, item in HOSTILE if len(item) < 200]))
                text = text[:start] + other + text[end:]
            case _:
                text = text[:start] + draw(_PIECES) + text[end:]
    return text


@pytest.mark.campaign
@settings(max_examples=CAMPAIGN * 2)
@given(_mutations())
def test_mutations_never_get_out(text: str) -> None:
    """A mutation is refused, fails, or gives plain data; nothing with behaviour is ever called; and it ends in time."""
    before = _TOOL.uses
    started = time.monotonic()
    assert _outcome(text) in {"parse", "check", "budget", "access", "error", "value"}
    assert time.monotonic() - started < _SECONDS
    assert before == _TOOL.uses
