"""The workflows of a module are compiled one by one, but its text is read once."""

import libcst
import pytest

from ruvon_dsl._draft import SourceText
from ruvon_dsl.python import _source, lower_module
from ruvon_dsl.python._findings import Findings
from ruvon_dsl.python._source import read_source

HEAD = "from ruvon import step, workflow\n\n@step\nasync def use(): ...\n"
TEXT = HEAD + "".join(f'\n@workflow("W{n}")\nasync def w{n}(state):\n    await use()\n' for n in range(3))


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What libcst reads from now on."""
    read: list[str] = []
    parse = libcst.parse_module

    def counting(text: str) -> libcst.Module:
        read.append(text)
        return parse(text)

    monkeypatch.setattr(_source.cst, "parse_module", counting)
    _source._kept_tree.cache_clear()
    return read


def test_a_text_is_read_once_for_all_its_workflows(texts: list[str]) -> None:
    """Each workflow by itself gives what all of them together give."""
    together = lower_module(SourceText("a.py", TEXT), None)
    single = [draft for n in range(3) for draft in lower_module(SourceText("a.py", TEXT), None, only=f"w{n}")]

    assert [draft.definition for draft in single] == [draft.definition for draft in together]
    assert len(together) == 3
    assert texts == [TEXT]


def test_another_file_with_the_same_text_has_places_of_its_own(texts: list[str]) -> None:
    """A tree knows lines and columns; the file comes from who asks."""
    spans = {file: [draft.span for draft in lower_module(SourceText(file, TEXT), None)] for file in ("a.py", "b.py")}

    assert {file: {span.file for span in found if span} for file, found in spans.items()} == {
        "a.py": {"a.py"},
        "b.py": {"b.py"},
    }
    assert texts == [TEXT]


def test_a_changed_text_is_read_anew(texts: list[str]) -> None:
    """What is kept is found by the whole text."""
    changed = TEXT.replace("W2", "W9")
    found = [lower_module(SourceText("a.py", text), None, only="w2") for text in (TEXT, changed)]

    assert [draft.definition.workflow_type for (draft,) in found] == ["W2", "W9"]
    assert texts == [TEXT, changed]


def test_a_text_that_is_no_python_is_told_each_time(texts: list[str]) -> None:
    """A refusal is not kept, and neither is a finding lost."""
    for _ in range(2):
        findings = Findings()
        assert read_source(SourceText("a.py", "def f(:\n"), findings) is None
        assert findings.count == 1
    assert len(texts) == 2


def test_long_texts_are_not_kept(texts: list[str]) -> None:
    """Their trees would be tens of megabytes that nobody asks for again."""
    long = TEXT + "#" * _source._MAX_KEPT_TEXT
    for _ in range(2):
        assert read_source(SourceText("a.py", long), Findings()) is not None
    assert texts == [long, long]
