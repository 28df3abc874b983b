"""A module is named once only where all of its names mean in the file what they mean in the module."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ruvon.ir import ImportRoots, digest
from ruvon_dsl import compile_source, require
from ruvon_dsl.printing import to_yaml

MODULE = """
from ruvon import step


@step
async def price() -> int:
    return 1


@step
async def pay(amount: int) -> int:
    return amount
"""
YAML = """
workflow_type: Shop
workflow_version: "1"
uses: {price: one_module_shop:price, pay: one_module_shop:pay}
steps:
  - {name: Price, function: price, output: total}
  - {name: Pay, function: pay, inputs: {amount: "=min(total, 10)"}, output: paid}
  - if: paid > 3
    then:
      - {fail: ValueError, message: too much}
"""


@pytest.fixture
def roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ImportRoots]:
    """Roots of a folder whose module is the test's own."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield ImportRoots(folders=[tmp_path])
    sys.modules.pop("one_module_shop", None)


@pytest.mark.parametrize(
    ("more", "once"),
    [
        ("", True),
        ("OTHER = 1", True),
        ("total = 5", False),
        ("min = max", False),
        ("class ValueError(Exception): ...", False),
        ("from builtins import min", True),
    ],
    ids=["nothing else", "another name", "a variable", "a function", "an exception", "the same function"],
)
def test_a_module_is_named_once_where_nothing_is_mistaken(
    roots: ImportRoots, tmp_path: Path, more: str, *, once: bool
) -> None:
    """Either way the file is read back as the same definition."""
    (tmp_path / "one_module_shop.py").write_text(f"{MODULE}\n\n{more}\n")
    (found,) = require(compile_source(YAML, kind="yaml", roots=roots))

    text = to_yaml(found.definition, resolve=roots.load)

    assert ("module: one_module_shop" in text, "uses:" in text) == (once, not once)
    (again,) = require(compile_source(text, kind="yaml", roots=roots))
    assert again.digest == digest(found.definition)


def test_of_two_modules_the_larger_one_is_named_once(roots: ImportRoots, tmp_path: Path) -> None:
    """What the other one has keeps its paths."""
    (tmp_path / "one_module_shop.py").write_text(MODULE)
    (tmp_path / "one_module_terms.py").write_text("class TooMuch(Exception): ...\n")
    uses = "uses: {TooMuch: one_module_terms:TooMuch, "
    text = YAML.replace("uses: {", uses).replace("ValueError", "TooMuch")
    (found,) = require(compile_source(text, kind="yaml", roots=roots))

    printed = to_yaml(found.definition, resolve=roots.load)

    assert "module: one_module_shop\nuses: {TooMuch: one_module_terms:TooMuch}\n" in printed
    (again,) = require(compile_source(printed, kind="yaml", roots=roots))
    assert again.digest == digest(found.definition)


def test_without_the_code_each_name_has_its_path(roots: ImportRoots, tmp_path: Path) -> None:
    """Nobody can say then what else the module holds."""
    (tmp_path / "one_module_shop.py").write_text(MODULE)
    (found,) = require(compile_source(YAML, kind="yaml", roots=roots))

    assert "uses: {pay: one_module_shop:pay, price: one_module_shop:price}" in to_yaml(found.definition)
