"""Real and damaged Python never breaks the front end: it gives findings with places."""

import ast
import os
import random
import re
import textwrap
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from ruvon_dsl._draft import SourceText
from ruvon_dsl.python import find_workflows, lower_module
from tests.support.cases import CASES

HEAD = (
    "from ruvon import first_of, flow, gather, human, node, receive, saga, sleep, step, workflow\n@workflow('Sample')\n"
)
TOKENS = (
    "await ",
    "(",
    ")",
    "state",
    "match ",
    "yield ",
    "async ",
    "lambda ",
    "*",
    "gather(",
    "\n",
    ":",
    "[",
    "{",
    "'",
    ":=",
)
LIBRARY = Path(os.__file__).parent
FILES = sorted(
    path for path in LIBRARY.rglob("*.py") if "site-packages" not in path.parts and path.stat().st_size < 60_000
)


def functions_of(text: str, chance: random.Random) -> Iterator[str]:
    """Functions of a module, made to bodies of workflows."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    found = [item for item in ast.walk(tree) if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
    for item in chance.sample(found, min(4, len(found))):
        source = ast.get_source_segment(text, item)
        if source is not None:
            plain = textwrap.dedent(" " * item.col_offset + source)
            yield HEAD + re.sub(r"^(async )?def ", "async def ", plain) + "\n"


def damaged(text: str, chance: random.Random) -> str:
    """The text with a few words removed, repeated or added."""
    words = re.findall(r"\w+|\s+|.", text)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(words))
        match chance.randrange(3):
            case 0:
                del words[place]
            case 1:
                words[place] = chance.choice(words)
            case _:
                words.insert(place, chance.choice(TOKENS))
    return "".join(words)


def samples() -> list[str]:
    """Functions of Python's own library and damaged copies of them; more of them with RUVON_CASES."""
    chance = random.Random(20)
    texts: list[str] = []
    for path in chance.sample(FILES, min(len(FILES), max(20, CASES // 5))):
        module = path.read_text(encoding="utf-8", errors="replace")
        for text in functions_of(module, chance):
            texts.extend((text, damaged(text, chance)))
    return texts


@pytest.mark.filterwarnings("ignore::SyntaxWarning", "ignore::DeprecationWarning")
def test_real_code_gives_findings_never_a_traceback() -> None:
    """Every sample ends with drafts whose findings have places inside the text."""
    texts = samples()
    assert texts

    for text in texts:
        lines = len(text.splitlines()) + 2
        for draft in lower_module(SourceText("sample.py", text), None):
            for item in draft.diagnostics:
                assert item.span is not None, item
                assert 1 <= item.span.start.line <= lines, item


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0",
        "\ufeffx = 1\n",
        "(" * 5_000,
        "x = " + "(" * 300 + ")" * 300,
        "x = " + "-" * 5_000 + "1",
        "x = " + "+".join(["1"] * 5_000),
        "x = a" + ".b" * 5_000,
        "if x:\n" + "\n".join(" " * depth + "if x:" for depth in range(1, 90)) + "\n" + " " * 90 + "pass\n",
        "def f(:\n  pass",
        "x = 'unfinished",
        "match x:\n",
        "\t  x = 1\n y = 2",
        "class A:\n  @workflow('X')\n  async def f(self, state): ...\n",
    ],
    ids=range(14),
)
def test_odd_texts_are_answered(text: str) -> None:
    """Texts at the edges of the grammar give drafts with findings, or none."""
    for draft in lower_module(SourceText("odd.py", text), None):
        assert all(item.span is not None for item in draft.diagnostics)

    assert find_workflows(SourceText("odd.py", text)) == []
