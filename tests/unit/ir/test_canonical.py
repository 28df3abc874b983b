"""The canonical form, the digest and the file form of definitions."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given

from ruvon.ir import (
    IR_VERSION,
    Definition,
    Display,
    IRError,
    Span,
    canonical_json,
    digest,
    dump,
    from_tree,
    load,
    to_tree,
    walk_nodes,
)
from tests.support._flat_graphs import flat_definitions
from tests.support.definitions import DEFINITIONS, everything, order
from tests.support.golden import GOLDEN

SAVED = GOLDEN / "saved_ir"


@pytest.mark.parametrize("name", DEFINITIONS)
def test_file_form_round_trips_everything(name: str) -> None:
    """A definition that is dumped and loaded is the same, including what stands beside the digest."""
    definition = DEFINITIONS[name]

    loaded = load(dump(definition))

    assert loaded == definition
    assert digest(loaded) == digest(definition)
    assert (loaded.contracts, loaded.schemas, loaded.description, loaded.tags, loaded.owner) == (
        definition.contracts,
        definition.schemas,
        definition.description,
        definition.tags,
        definition.owner,
    )
    assert [item.display for item in sorted(walk_nodes(loaded.graph), key=lambda item: item.id)] == [
        item.display for item in sorted(walk_nodes(definition.graph), key=lambda item: item.id)
    ]


@given(flat_definitions())
def test_any_graph_round_trips(definition: Definition) -> None:
    """Random graphs survive the tree and the file form, byte for byte."""
    assert from_tree(to_tree(definition)) == definition
    assert canonical_json(load(dump(definition))) == canonical_json(definition)


def test_digest_ignores_what_people_read() -> None:
    """Positions, descriptions, prompts, tags, owner, contracts and schemas change no digest."""
    plain = order()
    shown = Display(source=Span.at("a.py", 1, 1), description="d", prompt="p", tags=("t",))
    nodes = {name: dataclasses.replace(item, display=shown) for name, item in plain.graph.nodes.items()}
    decorated = dataclasses.replace(
        plain, graph=dataclasses.replace(plain.graph, nodes=nodes), description="x", owner="y", tags=("z",)
    )

    assert digest(decorated) == digest(plain)


def test_digest_ignores_the_order_of_nodes() -> None:
    """The nodes of a graph are a set."""
    plain = order()
    turned = dict(reversed(plain.graph.nodes.items()))

    assert digest(dataclasses.replace(plain, graph=dataclasses.replace(plain.graph, nodes=turned))) == digest(plain)


@pytest.mark.parametrize(
    "change",
    [
        {"workflow_type": "Other"},
        {"workflow_version": "2"},
        {"state": "shop.models:Other"},
        {"result": None},
        {"saga": True},
        {"strict_results": True},
        {"history": 5},
        {"variables": {"x": "str"}},
        {"types": {"a:B": None}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_digest_sees_what_changes_behaviour(change: dict[str, object]) -> None:
    """Each header field of the digest table matters."""
    if change == {"types": {"a:B": None}}:
        change = {"types": dict(order().types)}

    assert digest(dataclasses.replace(everything(), **change)) != digest(everything())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "not JSON"),
        (b"[]", "an object is expected"),
        (b"{}", '"format": "ruvon-definition"` is missing'),
        (b'{"format": "ruvon-definition"}', "definition: an object is expected"),
        (b'{"format": "ruvon-definition", "definition": {}}', "is missing"),
        (b'{"format": "ruvon-definition", "definition": {"ir_version": 99}}', "reads up to"),
    ],
)
def test_malformed_files_are_refused_with_a_place(text: bytes, says: str) -> None:
    """A broken file is an IRError that says what is wrong."""
    with pytest.raises(IRError) as caught:
        load(text)

    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("graph", "entry"), 3, "definition.graph.entry: str is expected"),
        (("graph", "nodes", "quote", "action", "kind"), "teleport", "`kind` is 'teleport'"),
        (("graph", "nodes", "quote", "action", "colour"), "red", "unknown field `colour`"),
        (("graph", "nodes", "quote", "action", "output"), "a +", "definition.graph.nodes.quote.action.output"),
        (("saga",), "yes", "definition.saga: bool is expected"),
        (("commit",), "never", "definition.commit: 'never' is none of"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(path: tuple[str, ...], value: object, says: str) -> None:
    """Every kind of wrong value is refused with the path to it."""
    tree = json.loads(json.dumps(to_tree(order())))
    place = tree
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value

    with pytest.raises(IRError) as caught:
        from_tree(tree)

    assert says in str(caught.value)


def test_a_file_that_was_edited_is_refused() -> None:
    """The digest in the file must be the digest of what stands in it."""
    tree = json.loads(dump(order()))
    tree["definition"]["saga"] = False

    with pytest.raises(IRError, match="was changed after it was written"):
        load(json.dumps(tree))


@pytest.mark.parametrize("file", sorted(SAVED.glob("*.json")), ids=lambda file: file.stem)
def test_saved_definitions_load_for_ever(file: Path) -> None:
    """Files written by earlier versions load and keep the digest that instances know them by."""
    claimed = json.loads(file.read_bytes())["digest"]

    assert digest(load(file.read_bytes())).hex() == claimed


def test_there_are_saved_definitions() -> None:
    """The corpus of saved files exists for the present version of the IR."""
    assert {file.stem for file in SAVED.glob(f"v{IR_VERSION}-*.json")} >= {
        f"v{IR_VERSION}-{name}" for name in DEFINITIONS
    }
