"""What differs between two definitions."""

import copy
import dataclasses
from collections.abc import Iterator
from typing import Any

from ruvon.ir import Call, Contract, Definition, Graph, IRError, Node, digest, from_tree, to_tree
from ruvon.ir._diff import diff, places
from ruvon.ir.expr import ExpressionError
from ruvon.ir.types._entries import FieldEntry, TypeEntry
from ruvon_dsl import compile_source, require
from tests.support.definitions import everything

HEAD = """
from pydantic import BaseModel
from ruvon import Retry, gather, step, workflow

class Order(BaseModel):
    total: int = 0
    name: str = ""

@step
async def charge(state: Order) -> int:
    return 1

@step
async def ship(state: Order) -> int:
    return 2

@step
async def tell(state: Order, text: str) -> None: ...
"""
BODY = """
@workflow("Shop")
async def shop(state: Order) -> int:
    paid = await charge(state)
    for item in range(3):
        await tell(state, text="one")
    if state.total > 10:
        await ship(state)
    return paid
"""


def compiled(body: str = BODY, head: str = HEAD) -> Definition:
    """A workflow of the test."""
    return require(compile_source(head + body, module="diffed_shop"))[0].definition


def told(old: Definition, new: Definition) -> list[str]:
    return [str(item) for item in diff(old, new)]


def test_a_definition_does_not_differ_from_itself() -> None:
    """Nor by comments, spelling or order."""
    commented = BODY.replace("    paid =", "    # a comment\n    paid =")

    assert diff(compiled(), compiled()) == ()
    assert diff(compiled(), compiled(commented)) == ()


def _leaves(tree: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    if not isinstance(tree, dict | list):
        yield path
    for key, item in items:
        yield from _leaves(item, (*path, key))


def _changed(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value}_x"
        case _:
            return 7


def test_every_part_of_a_definition_is_compared() -> None:
    """Whatever single value of the digested tree is another one, the difference is told."""
    whole = everything()
    compared = 0
    for path in _leaves(to_tree(whole)):
        tree: Any = copy.deepcopy(to_tree(whole))
        place: Any = tree
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = _changed(place[path[-1]])
        try:
            other = from_tree(tree)
        except (IRError, ExpressionError, KeyError):
            continue
        if digest(other) != digest(whole) and path[-1] != "id":
            compared += 1
            assert diff(whole, other), path
    assert compared > 200


def test_expressions() -> None:
    """A condition or an argument."""
    condition = told(compiled(), compiled(BODY.replace("> 10", "> 20")))
    argument = told(compiled(), compiled(BODY.replace('text="one"', 'text="two"')))

    assert condition == ["~ `for.route` routes.1: if state.total > 10 -> ship -> if state.total > 20 -> ship"]
    assert argument == ["~ `tell` args.text: 'one' -> 'two'"]


def test_options() -> None:
    """A retry policy is told option by option."""
    changed = BODY.replace("charge(state)", "charge.with_(retry=Retry(max_attempts=5))(state)")

    found = told(compiled(), compiled(changed))
    assert "~ `charge` retry.max_attempts: nothing -> 5" in found
    assert {line for line in found if not line.startswith("~ `charge` retry")} == {"+ type `builtins:Exception`"}


def test_nodes_that_come_and_go() -> None:
    """With the graph that they stand in."""
    changed = BODY.replace("    return paid", "    await charge(state)\n    return paid")

    assert "+ node `charge_2`: STANDARD in the outermost graph" in told(compiled(), compiled(changed))
    assert "- node `charge_2`: STANDARD in the outermost graph" in told(compiled(changed), compiled())


def test_a_renamed_node_is_one_node() -> None:
    """The edges that follow its name, and what lies inside it, are no differences of their own."""
    changed = BODY.replace("await ship(state)", 'await ship.with_(name="Send")(state)')
    loop = BODY.replace("    for item", '    node("Items")\n    for item')

    assert told(compiled(), compiled(changed)) == ["~ node `ship` is now `Send`"]
    head = HEAD.replace("import Retry,", "import Retry, node,")
    assert told(compiled(BODY, head), compiled(loop, head)) == [
        "~ node `for` is now `Items`",
        "~ node `for.route` is now `Items.route`",
    ]


def test_state_fields_and_signatures() -> None:
    """A field with its type, a function with its parameters."""
    head = HEAD.replace("    total: int = 0", "    total: float = 0\n    extra: int").replace(
        "text: str) ->", "text: str, n: int = 0) ->"
    )

    found = told(compiled(), compiled(head=head))
    assert "~ state `diffed_shop:Order.total`: int, optional -> float, optional" in found
    assert "+ state `diffed_shop:Order.extra`: int" in found
    assert any(line.startswith("~ function `diffed_shop:tell`") for line in found), found


def _node(name: str, following: str, **options: object) -> Node:
    return Node(id=name, action=Call(function=f"m:{name}", **options), next=following)  # type: ignore[arg-type]


def test_headers_variables_types_and_contracts() -> None:
    """Each is told as what it is."""
    graph = Graph(entry="a", nodes={"a": _node("a", "END")})
    old = Definition(workflow_type="W", graph=graph, variables={"x": "int"}, types={"m:T": TypeEntry("model")})
    new = dataclasses.replace(
        old,
        workflow_version="2",
        saga=True,
        variables={"x": "str", "y": "int"},
        types={"m:U": TypeEntry("model", (FieldEntry("n", "int", True),))},
        contracts={"m:a": Contract(parameters=(("n", "int", True),), result="int")},
    )

    assert told(old, new) == [
        "~ definition `workflow_version`: 1.0.0 -> 2",
        "~ definition `saga`: false -> true",
        "~ variable `x`: int -> str",
        "+ variable `y`: int",
        "- type `m:T`",
        "+ type `m:U`",
        "+ function `m:a`: (n: int) -> int",
    ]


def test_an_edge_is_told() -> None:
    """The next node, and a nested entry."""
    one = Graph(entry="a", nodes={"a": _node("a", "b"), "b": _node("b", "END")})
    two = Graph(entry="b", nodes={"a": _node("a", "END"), "b": _node("b", "a")})

    assert told(Definition(workflow_type="W", graph=one), Definition(workflow_type="W", graph=two)) == [
        "~ edge `entry`: a -> b",
        "~ `a` next: b -> END",
        "~ `b` next: END -> a",
    ]


def test_a_node_that_moved() -> None:
    """Its graph is another one."""
    found = told(
        compiled(),
        compiled(
            BODY.replace(
                "    if state.total > 10:\n        await ship(state)",
                "    if state.total > 10:\n        for x in range(2):\n            await ship(state)",
            )
        ),
    )

    assert any("moved from the outermost graph to `for_2:body`" in line for line in found), found


def test_places_name_the_graphs_around() -> None:
    """Outermost first."""
    found = places(compiled())

    assert (found["charge"].within, found["tell"].within) == ("", "for:body")
    assert found["tell"].where == "`for:body`"
