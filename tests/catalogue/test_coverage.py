"""The catalogue and the sources know the same codes, and each code stands in one place."""

import ast
import re
from collections import Counter
from importlib import import_module
from pathlib import Path

from ruvon_dsl.diagnostics import catalogue, explain, similar_codes
from ruvon_dsl.diagnostics._catalogue import _MODULES

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("ruvon", "ruvon_dsl", "ruvon_server", "ruvon_edge")
CODE = re.compile(r"RV\d{4}")


def _literals() -> set[str]:
    """Every code that is the whole of a string in the sources."""
    found: set[str] = set()
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
                    found.add(node.value)
    return found


def test_every_code_in_the_sources_has_a_page() -> None:
    """No finding can be reported that `ruvon explain` does not know."""
    assert sorted(_literals() - set(catalogue())) == []


def test_every_page_belongs_to_a_code_in_the_sources() -> None:
    """No page describes a code that nothing mentions."""
    assert sorted(set(catalogue()) - _literals()) == []


def test_no_code_has_two_pages() -> None:
    """Each package keeps its own codes, and no two packages share one."""
    counted = Counter(code for module in _MODULES for code in import_module(module).CODES)
    assert [code for code, count in counted.items() if count > 1] == []


def test_every_table_of_codes_is_in_the_catalogue() -> None:
    """A package that gets a `_codes.py` is listed."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("_codes.py")]
    found = {".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files}
    assert found == set(_MODULES)


def test_a_page_reads_as_text() -> None:
    """`explain` begins with the failing program; a code may be typed in lower case."""
    text = explain("rv0204")
    info = catalogue()["RV0204"]
    assert text.startswith(f"RV0204: {info.title}\n\nGets it:\n\n    # imports, and the definitions of Order, charge\n")
    assert f"\n\n{info.explanation}\n\nDoes not:\n\n    " in text
    assert "class Order" not in text
    assert "await charge(state)" in text


def test_a_page_shows_what_the_programs_differ_in() -> None:
    """Every page shows a line that only the failing program has, in its first part, and one mended in its last."""
    for code, info in catalogue().items():
        first, _, last = explain(code).partition("\nDoes not:\n")
        bad, good = info.bad.splitlines(), info.good.splitlines()
        wrong = [line for line in bad if line not in good]
        right = [line for line in good if line not in bad]
        assert not wrong or any(f"    {line}".rstrip() in first for line in wrong), code
        assert not right or any(f"    {line}".rstrip() in last for line in right), code


def test_no_page_is_longer_than_a_screen_or_two() -> None:
    """What both programs begin with is left out, and a very long one is cut."""
    assert [code for code in catalogue() if explain(code).count("\n") > 75] == []


def test_a_mistyped_code_is_answered_with_near_ones() -> None:
    """A code that does not exist leads to the nearest ones."""
    assert "RV0204" in similar_codes("rvo204")
