"""`dependencies` on random orders of steps: the graph keeps the order, and nothing else decides it."""

from itertools import pairwise
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from ruvon.ir._canonical import digest
from ruvon.ir._nodes import END, Definition, Graph, Parallel
from ruvon.ir._verify import verify
from tests.unit.yaml_front_end.surroundings import lower

Order = dict[str, list[str]]


@st.composite
def orders(draw: st.DrawFn) -> Order:
    """Up to nine steps, each with any of the earlier ones as dependencies."""
    names = [f"S{number}" for number in range(draw(st.integers(2, 9)))]
    return {
        name: sorted(draw(st.sets(st.sampled_from(names[:index]), max_size=3))) if index else []
        for index, name in enumerate(names)
    }


def definition(order: Order, listed: list[str] | None = None) -> Definition:
    """The definition of a list of assignments with these dependencies, listed in some order."""
    steps = [
        f"  - {{name: {name}, set: {{v_{name}: 1}}, dependencies: [{', '.join(order[name])}]}}"
        for name in listed or order
    ]
    (draft,) = lower("\n".join(["workflow_type: Example", "steps:", *steps]))
    assert draft.diagnostics == ()
    return draft.definition


def before(order: Order) -> dict[str, set[str]]:
    """For each step all steps that must precede it."""
    found: dict[str, set[str]] = {}
    for name, direct in order.items():
        found[name] = set(direct).union(*(found[other] for other in direct))
    return found


def chain(graph: Graph) -> list[str]:
    """The nodes of a graph without branches, in order."""
    found: list[str] = []
    place = graph.entry
    while place != END:
        found.append(place)
        following = graph.nodes[place].next
        assert following is not None
        place = following
    return found


def realised(graph: Graph) -> dict[str, set[str]]:
    """For each step the steps that the graph makes precede it."""
    found: dict[str, set[str]] = {}
    done: set[str] = set()
    for place in chain(graph):
        action = graph.nodes[place].action
        if not isinstance(action, Parallel):
            found[place] = set(done)
            done.add(place)
            continue
        after = {branch.label: set(branch.after) for branch in action.branches}
        for label, direct in after.items():
            pending, seen = list(direct), set[str]()
            while pending:
                other = pending.pop()
                if other not in seen:
                    seen.add(other)
                    pending.extend(after[other])
            found[label] = done | seen
        done |= set(after)
    return found


@given(orders())
def test_the_partial_order_is_kept(order: Order) -> None:
    """Each step runs after its dependencies, and after nothing it need not wait for, save at a cut (S3-062, S3-063)."""
    made = definition(order)
    wanted = before(order)

    assert verify(made) == ()
    assert realised(made.graph) == wanted


@given(orders(), st.randoms(use_true_random=False))
def test_the_listing_does_not_matter(order: Order, shuffled: Random) -> None:
    """The cuts follow from the order alone: any listing has the same sections and the same branches."""
    listed = list(order)
    shuffled.shuffle(listed)
    first, second = definition(order).graph, definition(order, listed).graph

    assert realised(first) == realised(second)


@given(orders())
def test_lowering_is_deterministic(order: Order) -> None:
    """The same text gives the same digest."""
    assert digest(definition(order)) == digest(definition(order))


@given(orders())
def test_cuts_are_nodes_of_the_graph(order: Order) -> None:
    """A step is a node of its own exactly where every other step precedes or follows it."""
    wanted = before(order)
    cuts = {
        name
        for name in order
        if all(name in wanted[other] or other in wanted[name] for other in order if other != name)
    }

    assert set(definition(order).graph.nodes) & set(order) == cuts


def test_a_plain_list_is_a_chain() -> None:
    """Dependencies that follow the list change nothing (S3-061)."""
    names = [f"S{number}" for number in range(5)]
    order = {name: [] if index == 0 else [names[index - 1]] for index, name in enumerate(names)}
    graph = definition(order).graph

    assert chain(graph) == names
    assert all(graph.nodes[left].next == right for left, right in pairwise(names))
