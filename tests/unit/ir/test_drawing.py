"""Text form, drawings and JSON Schema: golden, deterministic, and sound as pictures."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given

from ruvon.ir import Definition, json_schema, label, ordered, print_text, walk_nodes
from ruvon.ir.drawing import LaidBox, Layout, lay_out, picture, to_dot, to_mermaid, to_svg, to_terminal
from tests.support._flat_graphs import flat_definitions
from tests.support.definitions import DEFINITIONS
from tests.support.golden import GOLDEN

Golden = Callable[[Path, str], None]
FORMS = {"txt": print_text, "terminal": to_terminal, "mmd": to_mermaid, "dot": to_dot, "svg": to_svg}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", DEFINITIONS)
def test_forms_are_golden(name: str, form: str, golden: Golden) -> None:
    """Each form of each hand-made definition is exactly the reviewed one (S3-019)."""
    golden(GOLDEN / "ir" / f"{name}.{form}", FORMS[form](DEFINITIONS[name]))


@given(flat_definitions())
def test_svg_is_well_formed_and_names_every_node(definition: Definition) -> None:
    """Any graph draws as XML with one group for each node, nested ones included."""
    root = ET.fromstring(to_svg(definition))  # noqa: S314  # our own output

    shown = sorted(str(item.get("data-node")) for item in root.iter() if item.get("data-node") is not None)

    assert shown == sorted(item.id for item in walk_nodes(definition.graph))


@given(flat_definitions())
def test_boxes_never_overlap(definition: Definition) -> None:
    """The layout keeps the boxes of one picture apart, at every depth, and inside their frame."""
    _assert_apart(lay_out(picture(definition)))


def _assert_apart(layout: Layout) -> None:
    for box in layout.boxes:
        assert box.x >= 0
        assert box.y >= 0
        assert box.x + box.width <= layout.width
        assert box.y + box.height <= layout.height
        for part in box.parts:
            _assert_apart(part.layout)
    for one, other in combinations(layout.boxes, 2):
        assert not _overlap(one, other), (one.box.id, other.box.id)


def _overlap(one: LaidBox, other: LaidBox) -> bool:
    apart_x = one.x + one.width <= other.x or other.x + other.width <= one.x
    apart_y = one.y + one.height <= other.y or other.y + other.height <= one.y
    return not (apart_x or apart_y)


@given(flat_definitions())
def test_every_form_is_deterministic(definition: Definition) -> None:
    """The same definition, its nodes in another order, gives the same texts."""
    nodes = dict(reversed(definition.graph.nodes.items()))
    turned = Definition(
        **{**_fields(definition), "graph": type(definition.graph)(entry=definition.graph.entry, nodes=nodes)}
    )

    for draw in FORMS.values():
        assert draw(turned) == draw(definition)


def _fields(definition: Definition) -> dict[str, object]:
    return {name: getattr(definition, name) for name in Definition.__dataclass_fields__}


@given(flat_definitions())
def test_terminal_shows_every_node_once(definition: Definition) -> None:
    """Each node has exactly one line of its own, with its sign and label."""
    lines = [line.strip("│├└─ ") for line in to_terminal(definition).split("\n")]
    for item in walk_nodes(definition.graph):
        own = [line for line in lines if line[2:].startswith(f"{item.id}  {label(item)}")]
        if "\n" not in item.id and "  " not in item.id and item.id == item.id.strip():
            assert len(own) == 1


@given(flat_definitions())
def test_reading_order_holds_every_node_once(definition: Definition) -> None:
    """Ordering loses nothing and repeats nothing, and begins at the entry."""
    order = [item.id for item in ordered(definition.graph)]

    assert sorted(order) == sorted(definition.graph.nodes)
    assert not order or definition.graph.entry not in definition.graph.nodes or order[0] == definition.graph.entry


def test_json_schema_is_golden(golden: Golden) -> None:
    """The schema of the file form is exactly the reviewed one."""
    import json

    golden(GOLDEN / "ir" / "schema.json", json.dumps(json_schema(), indent=2, sort_keys=True) + "\n")
