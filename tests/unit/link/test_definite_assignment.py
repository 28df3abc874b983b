"""Definite assignment against the enumeration of all paths, on random small graphs."""

from dataclasses import dataclass

from hypothesis import assume, given
from hypothesis import strategies as st

from ruvon.ir import (
    BREAK,
    CONTINUE,
    END,
    Action,
    Assign,
    Branch,
    Call,
    Decision,
    Definition,
    Fail,
    Graph,
    Handler,
    ImportRoots,
    Loop,
    Node,
    Parallel,
    Return,
    Route,
    Try,
    verify,
    walk_nodes,
)
from ruvon.ir.expr import Const, Name, parse
from ruvon_dsl._draft import Draft, SourceText
from ruvon_dsl._link import link
from ruvon_dsl._link._bindings import all_variables
from ruvon_dsl._link._checker import Checker
from ruvon_dsl._link._env import Env
from ruvon_dsl._link._flow import Flow
from ruvon_dsl._link._resolve import Resolver
from ruvon_dsl._link._typing import FlowTyping
from tests.unit.link._walker import PathWalker

VARIABLES = ("a", "b", "c")
TEST = parse("state.flag")


@dataclass(frozen=True)
class _Place:
    """Where a node is drawn: what its edges may lead to and what may stand there."""

    depth: int
    names: tuple[str, ...]
    exits: tuple[str, ...]
    outer: tuple[str, ...]
    loop: bool
    ends: bool

    @property
    def targets(self) -> st.SearchStrategy[str]:
        """Any edge; those to nodes of the same graph twice as often."""
        return st.sampled_from([*self.names, *self.names, *self.exits])


class _Maker:
    """Draws definitions; ids count up so that they are unique."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.count = 0

    def graph(
        self, depth: int, *, loop: bool, outer: tuple[str, ...] = (), ends: bool = True, top: bool = False
    ) -> Graph:
        """A flat graph of up to four nodes with arbitrary edges among them, cycles included."""
        names = tuple(self._name() for _ in range(self.draw(st.integers(0, 4 if depth else 2))))
        exits = (END, *((BREAK, CONTINUE) if loop else ()), *outer)
        place = _Place(depth, names, exits, outer, loop, ends)
        nodes = [self._node(name, place, top=top) for name in names]
        entry = names[0] if names else self.draw(st.sampled_from(exits))
        return Graph(entry=entry, nodes={node.id: node for node in nodes})

    def _name(self) -> str:
        self.count += 1
        return f"n{self.count}"

    def _node(self, name: str, place: _Place, *, top: bool) -> Node:
        kinds = ["set", "call", "raising", "decision", *(["return", "fail"] if place.ends else [])]
        kinds += ["loop", "try", "parallel"] if place.depth else []
        kind = self.draw(st.sampled_from(kinds))
        following = None if kind in {"decision", "return", "fail"} else self.draw(place.targets)
        automatic = True if top and kind not in {"return", "fail"} else None
        simple = self._simple(kind, place)
        action = simple if simple is not None else self._nested(kind, place)
        return Node(id=name, action=action, next=following, automate_next=automatic)

    def _variable(self) -> Name:
        return Name(self.draw(st.sampled_from(VARIABLES)))

    def _simple(self, kind: str, place: _Place) -> Action | None:
        match kind:
            case "set":
                return Assign(target=self._variable(), value=Const(1))
            case "raising":
                return Assign(target=self._variable(), value=parse("1 + 1"))
            case "call":
                return Call(function="m:f", output=self.draw(st.sampled_from([None, self._variable()])))
            case "decision":
                route = Route(condition=TEST, target=self.draw(place.targets))
                return Decision(routes=(route,), default=self.draw(place.targets))
            case "return":
                return Return(value=None)
            case "fail":
                return Fail(error=parse("state.error"))
            case _:
                return None

    def _nested(self, kind: str, place: _Place) -> Action:
        depth = place.depth - 1
        match kind:
            case "loop":
                body = self.graph(depth, loop=True)
                if self.draw(st.booleans()):
                    return Loop(over=parse("state.items"), item=self._variable(), body=body)
                return Loop(condition=self.draw(st.sampled_from([TEST, Const(True)])), body=body)
            case "parallel":
                return Parallel(branches=tuple(self._branch(i, depth) for i in range(self.draw(st.integers(1, 2)))))
            case _:
                inner = (*place.outer, *place.names)
                body = self.graph(depth, loop=place.loop, outer=inner)
                classes = self.draw(st.sampled_from([("builtins:Exception",), ("m:Error",)]))
                caught = self.draw(st.sampled_from([None, *VARIABLES]))
                handler = Handler(classes=classes, name=caught, graph=self.graph(depth, loop=place.loop, outer=inner))
                final = self.graph(depth, loop=False, ends=False) if self.draw(st.booleans()) else None
                return Try(body=body, handlers=(handler,), final=final)

    def _branch(self, index: int, depth: int) -> Branch:
        output = self.draw(st.sampled_from([None, self._variable()]))
        return Branch(label=f"b{index}", graph=self.graph(depth, loop=False), output=output)


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """A definition of random nested graphs."""
    return Definition(workflow_type="W", graph=_Maker(draw).graph(2, loop=False, top=True))


def may_be_unset(definition: Definition) -> dict[str, frozenset[str]]:
    """For each reached node the variables that the analysis says may be unset."""
    resolver = Resolver(ImportRoots(), opaque=True)
    checker = Checker(object, resolver, all_variables(definition))
    flow = Flow(FlowTyping(definition, resolver, checker))
    flow.run(definition.graph, Env())
    return {
        name: frozenset(
            variable
            for variable in VARIABLES
            if variable not in env.variables or env.variables[variable].missing is not None
        )
        for name, env in flow.facts.items()
    }


@given(definitions())
def test_analysis_finds_exactly_what_all_paths_show(definition: Definition) -> None:
    """A variable may be unset at a node exactly when some path reaches the node without setting it."""
    assume(not verify(definition))
    walker = PathWalker()
    walker.graph(definition.graph, frozenset())
    shown = {
        name: frozenset(v for v in VARIABLES if any(v not in names for names in sets))
        for name, sets in walker.seen.items()
    }
    assert may_be_unset(definition) == shown


@given(definitions())
def test_every_node_that_no_path_reaches_has_no_fact(definition: Definition) -> None:
    """The analysis neither invents nor loses reachable nodes."""
    walker = PathWalker()
    walker.graph(definition.graph, frozenset())
    assert set(may_be_unset(definition)) == set(walker.seen)
    assert set(walker.seen) <= {node.id for node in walk_nodes(definition.graph)}


@given(definitions(), st.booleans())
def test_linking_never_raises(definition: Definition, opaque: bool) -> None:
    """Whatever the graph, linking gives findings, and a digest exactly when none of them is an error."""
    result = link(Draft(definition, SourceText("random.py", "")), ImportRoots(), opaque=opaque)
    assert (result.digest is not None) == (result.ok and not opaque and result.definition is not None)
