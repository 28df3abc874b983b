"""The reader: YAML 1.2 scalars, exact places, and bounds that are counted, not timed."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ruvon.ir._diagnostics import Diagnostic
from ruvon_dsl._draft import SourceText
from ruvon_dsl.yaml import _reader as reader
from ruvon_dsl.yaml._durations import parse_duration
from ruvon_dsl.yaml._reader import read
from ruvon_dsl.yaml._scalars import resolve
from ruvon_dsl.yaml._values import MappingNode, ScalarNode, SequenceNode, YamlNode


def codes_of(text: str) -> list[str]:
    """The codes that reading a text gives."""
    return [item.code for item in read(SourceText("f.yaml", text))[1]]


def first(text: str) -> YamlNode:
    """The first document."""
    documents, found = read(SourceText("f.yaml", text))
    assert found == []
    return documents[0]


def scalar(node: YamlNode | None) -> ScalarNode:
    """The node, which is a scalar."""
    assert isinstance(node, ScalarNode)
    return node


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("0o17", 15),
        ("017", 17),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("-12", -12),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
        ("+", "+"),
        (".", "."),
        ("0b1", "0b1"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_core_schema(text: str, value: object) -> None:
    """Plain scalars mean what the core schema of YAML 1.2 says."""
    found = resolve(text)

    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("6h", 21_600_000_000),
        ("5d", 432_000_000_000),
        ("1h30m", 5_400_000_000),
        ("1h 30m", 5_400_000_000),
        ("250ms", 250_000),
        ("PT6H", 21_600_000_000),
        ("P1DT2H3M4.5S", 93_784_500_000),
        ("P2W", 1_209_600_000_000),
        ("90", 90_000_000),
        ("1.5", 1_500_000),
        ("P1M", None),
        ("PT", None),
        ("P", None),
        ("soon", None),
        ("-5s", None),
        ("5 parsecs", None),
        ("1e400", None),
        ("9" * 50 + "d", None),
    ],
)
def test_durations(text: str, microseconds: int | None) -> None:
    """Durations are short texts, ISO 8601, or seconds."""
    assert parse_duration(text) == microseconds


def test_places_of_scalars() -> None:
    """Plain and quoted scalars of one line know the column of every character."""
    text = "a: x + yy\nb: \"x \\\" yy\"\nc: 'it''s'\n"
    node = first(text)
    assert isinstance(node, MappingNode)
    plain, double, single = (scalar(entry.value) for entry in node.entries)

    assert (plain.at(4, 6).start.line, plain.at(4, 6).start.column) == (1, 8)
    assert (double.at(4, 6).start.line, double.at(4, 6).start.column) == (2, 10)
    assert (single.at(3, 4).start.line, single.at(3, 4).start.column) == (3, 9)


def test_places_in_block_scalars() -> None:
    """Lines of block scalars know where they begin in the file."""
    node = first("a: |\n    first\n    second\nb: >-\n  one\n  two\n")
    assert isinstance(node, MappingNode)
    literal, folded = (scalar(entry.value) for entry in node.entries)

    assert literal.lines() == {1: (2, 5), 2: (3, 5)}
    assert (folded.at(4, 7).start.line, folded.at(4, 7).start.column) == (6, 3)


def test_duplicate_keys_are_errors() -> None:
    """A key that stands twice is an error that shows both places."""
    _, found = read(SourceText("f.yaml", "a: 1\nb: 2\na: 3\n"))

    assert [
        (item.code, item.span.start.line if item.span else 0, item.related[0].span.start.line) for item in found
    ] == [("RV0807", 3, 1)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: !!python/object/apply:os.system [x]", "RV0805"),
        ("a: !!str x", "RV0805"),
        ("a: ! x", "RV0805"),
        ("!custom\na: 1", "RV0805"),
        ("a: {<<: {b: 1}}", "RV0806"),
        ("a: *nothing", "RV0804"),
        ("a: &x [*x]", "RV0804"),
        ("? [1, 2]\n: 3", "RV0808"),
        ("a: [", "RV0801"),
        ("a: b: c", "RV0801"),
        ("a:\n\t- x", "RV0801"),
        ("a: \x00", "RV0801"),
        ("a: '\ud800'", "RV0801"),
        ("%YAML 9.9\n---\na: 1", "RV0801"),
    ],
)
def test_refused(text: str, code: str) -> None:
    """What YAML, or this reader, does not take is refused with a place."""
    assert codes_of(text) == [code]


def test_quoted_merge_sign_is_a_key() -> None:
    """Only the plain `<<` is a merge key."""
    assert codes_of("a: {'<<': 1}") == []


class Counted:
    """Counts the events that the reader takes before it refuses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.events = 0
        original = yaml.parse

        def counting(*args: Any, **kwargs: Any) -> Iterator[Any]:
            for event in original(*args, **kwargs):
                self.events += 1
                yield event

        monkeypatch.setattr(yaml, "parse", counting)


def refusal(text: str) -> Diagnostic:
    """The one finding of a refused text."""
    documents, found = read(SourceText("f.yaml", text))
    assert documents == []
    return found[-1]


def test_billion_laughs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bomb of nested aliases is refused after a few hundred events, at the alias that crosses the bound."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 40)]
    counted = Counted(monkeypatch)

    assert refusal("\n".join(lines)).code == "RV0802"
    assert counted.events < 200


def test_many_aliases(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of aliases is bounded."""
    counted = Counted(monkeypatch)

    assert refusal("a: &a 1\nb: [" + "*a, " * 5000 + "]").code == "RV0802"
    assert counted.events < reader.MAX_ALIASES + 20


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting(opening: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nesting is refused at the level that crosses the bound, however deep the text goes."""
    counted = Counted(monkeypatch)

    assert refusal(opening * 20_000 + "x").code == "RV0803"
    assert counted.events < 4 * reader.MAX_DEPTH


def test_large_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of ten million characters is refused before it is parsed."""
    counted = Counted(monkeypatch)

    assert refusal("a" * 10_000_000).code == "RV0802"
    assert counted.events == 0


def test_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flat list is bounded as well."""
    counted = Counted(monkeypatch)

    assert refusal("[" + "1," * 400_000 + "]").code == "RV0802"
    assert counted.events < reader.MAX_NODES + 10


def test_aliases_in_bounds_are_shared() -> None:
    """An alias is the same node as its anchor."""
    node = first("a: &x [1]\nb: *x\n")
    assert isinstance(node, MappingNode)

    assert isinstance(node.entries[0].value, SequenceNode)
    assert node.entries[0].value is node.entries[1].value


@given(st.text(max_size=300))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the reader raise, and every refusal has a place."""
    _, found = read(SourceText("f.yaml", text))

    assert all(item.span is not None for item in found)


@given(st.text(alphabet="abc: -[]{}&*!|>'\"#\n\t,?%@", max_size=120))
def test_any_yaml_like_text_is_read_or_refused(text: str) -> None:
    """No arrangement of YAML's signs makes the reader raise."""
    documents, found = read(SourceText("f.yaml", text))

    assert all(item.code.startswith("RV08") for item in found)
    assert isinstance(documents, list)


_QUOTABLE = st.text(st.sampled_from("ab {}=.'\"\\#:-é\t"), min_size=1, max_size=12)


@given(text=_QUOTABLE, quote=st.sampled_from("\"'"), indent=st.integers(0, 3))
def test_places_in_a_quoted_text_do_not_depend_on_the_short_way(text: str, quote: str, indent: int) -> None:
    """A text that stands between its quotes as it is has its characters where walking side by side finds them."""
    written = text.replace("'", "''") if quote == "'" else text.replace("\\", "\\\\").replace('"', '\\"')
    source = f"{' ' * indent}- {quote}{written}{quote}"
    short, walked = (scalar(cast("SequenceNode", first(source)).items[0]) for _ in range(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ScalarNode, "_is_written_out", lambda _: False)
        expected = walked._places()

    assert short.text == text
    assert short._places() == expected
