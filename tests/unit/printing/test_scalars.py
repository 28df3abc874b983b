"""Literal values of every kind survive both printers, whatever they look like."""

from decimal import Decimal
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ruvon.ir import Assign, Definition, Graph, Node
from ruvon.ir.expr import Const, Name
from ruvon_dsl._draft import SourceText
from ruvon_dsl.printing._yaml_text import emit
from ruvon_dsl.yaml._reader import read
from tests.support.cases import CASES
from tests.support.roundtrip import assert_python_shape, assert_yaml_shape
from tests.support.workflows import shop_roots

SETTINGS = settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
LOOKALIKES = st.sampled_from(
    [
        "yes", "no", "on", "null", "~", "1e3", "0x1F", "1_000", "12:30", "2024-01-01", "=state.amount", "=", "==", "{{ x }}",
        "a {{ b }} c", "{% if %}", "${HOME}", "$${HOME}", "- a", "? a", ": a", "a: b", "a #b", "#", "!tag", "&a", "*a", "|", ">",
        "'", '"', "''", "\\", "%a", "@a", "`a`", "", " ", " a ", "a\nb", "\t", "\x85", "\u2028", "\ufeff", "é", "😀", "true", ".5", "-",
        "---", "...", "[a]", "{a}", "a,b", "<<", "6h", "1.0.0", "state.amount",
    ]
)  # fmt: skip
TEXTS = LOOKALIKES | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
CONSTANTS = (
    TEXTS
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=True)
    | st.booleans()
    | st.none()
    | st.binary(max_size=8)
    | st.decimals(allow_nan=False).map(lambda value: Decimal(str(value)))
    | st.timedeltas()
    | st.datetimes()
    | st.dates()
    | st.times()
    | st.uuids()
)


def _definition(value: object) -> Definition:
    node = Node(id="set", action=Assign(target=Name("x"), value=Const(value)), next="END", automate_next=True)  # type: ignore[arg-type]
    return Definition(
        workflow_type="W", state="tests.support.shop:Order", graph=Graph(entry="set", nodes={"set": node})
    )


@SETTINGS
@given(CONSTANTS)
def test_a_constant_survives_yaml(value: object) -> None:
    """A constant printed as YAML is read as the same constant of the same type."""
    assert_yaml_shape(_definition(value), shop_roots())


@SETTINGS
@given(CONSTANTS.filter(lambda value: not isinstance(value, UUID)))  # the front end takes UUID for a source of chance
def test_a_constant_survives_python(value: object) -> None:
    """A constant printed as Python is read as the same constant of the same type."""
    assert_python_shape(_definition(value), shop_roots())


@SETTINGS
@given(st.lists(TEXTS.filter(lambda text: "${" not in text), min_size=1, max_size=4))
def test_texts_stay_texts_in_lists_and_keys(texts: list[str]) -> None:
    """The emitter's texts are texts for the reader, in blocks, in brackets and as keys."""
    keys = {f"k{index} {text}": text for index, text in enumerate(texts)}
    text = emit({"flat": texts, "block": [{"long": item, "steps": [{"a": item}]} for item in texts], "keys": keys})
    (document,), findings = read(SourceText("x.yaml", text))
    assert not findings
    entries = {entry.key.text: entry.value for entry in document.entries}
    assert [item.value for item in entries["flat"].items] == texts
    assert [item.entries[0].value.value for item in entries["block"].items] == texts
    assert {entry.key.text: entry.value.value for entry in entries["keys"].entries} == keys
