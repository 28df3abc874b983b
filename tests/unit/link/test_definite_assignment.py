"""Definite assignment against the enumeration of all paths, on random small graphs."""

from hypothesis import given
from hypothesis import strategies as st

from ruvon.ir import (
    BREAK,
    CONTINUE,
    END,
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
from ruvon_dsl._link._bindings import all_variables
from ruvon_dsl._link._checker import Checker
from ruvon_dsl._link._env import Env
from ruvon_dsl._link._flow import Flow
from ruvon_dsl._link._resolve import Resolver
from ruvon_dsl._link._typing import FlowTyping
from tests.unit.link._walker import PathWalker

VARIABLES = ("a", "b", "c")
TEST = parse("state.flag")


class _Maker:
    """Draws definitions; ids count up so that they are unique."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.count = 0

    def graph(self, depth: int, *, loop: bool, outer: tuple[str, ...] = (), outermost: bool = False, ends: bool = True) -> Graph:
        """A flat graph of up to four nodes with arbitrary edges among them, cycles included."""
        size = self.draw(st.integers(0, 4 if depth else 2))
        names = [self._name() for _ in range(size)]
        exits = [END, *((BREAK, CONTINUE) if loop else ()), *outer]
        targets = st.sampled_from([*names, *names, *exits])
        nodes = [self._node(name, depth, targets, names, loop, outer, outermost, ends) for name in names]
        entry = names[0] if names else self.draw(st.sampled_from(exits))
        return Graph(entry=entry, nodes={node.id: node for node in nodes})

    def _name(self) -> str:
        self.count += 1
        return f"n{self.count}"

    def _node(
        self,
        name: str,
        depth: int,
        targets: st.SearchStrategy[str],
        names: list[str],
        loop: bool,
        outer: tuple[str, ...],
        outermost: bool,
        ends: bool,
    ) -> Node:
        kinds = ["set", "call", "raising", "decision", *(["return", "fail"] if ends else [])]
        kinds += ["loop", "try", "parallel"] if depth else []
        kind = self.draw(st.sampled_from(kinds))
        variable = Name(self.draw(st.sampled_from(VARIABLES)))
        following = None if kind in ("decision", "return", "fail") else self.draw(targets)
        automatic = True if outermost and kind not in ("return", "fail") else None
        action = self._action(kind, variable, depth, targets, names, loop, outer)
        return Node(id=name, action=action, next=following, automate_next=automatic)

    def _action(self, kind, variable, depth, targets, names, loop, outer):  # type: ignore[no-untyped-def]
        match kind:
            case "set":
                return Assign(target=variable, value=Const(1))
            case "raising":
                return Assign(target=variable, value=parse("1 + 1"))
            case "call":
                return Call(function="m:f", output=self.draw(st.sampled_from([None, variable])))
            case "decision":
                return Decision(routes=(Route(condition=TEST, target=self.draw(targets)),), default=self.draw(targets))
            case "return":
                return Return(value=None)
            case "fail":
                return Fail(error=parse("state.error"))
            case "loop":
                body = self.graph(depth - 1, loop=True)
                if self.draw(st.booleans()):
                    return Loop(over=parse("state.items"), item=variable, body=body)
                return Loop(condition=self.draw(st.sampled_from([TEST, Const(True)])), body=body)
            case "parallel":
                branches = [
                    Branch(label=f"b{i}", graph=self.graph(depth - 1, loop=False), output=self.draw(st.sampled_from([None, variable])))
                    for i in range(self.draw(st.integers(1, 2)))
                ]
                return Parallel(branches=tuple(branches))
            case _:
                inner = (*outer, *names)
                body = self.graph(depth - 1, loop=loop, outer=inner)
                classes = self.draw(st.sampled_from([("builtins:Exception",), ("m:Error",)]))
                handler = Handler(
                    classes=classes,
                    name=self.draw(st.sampled_from([None, *VARIABLES])),
                    graph=self.graph(depth - 1, loop=loop, outer=inner),
                )
                final = self.graph(depth - 1, loop=False, ends=False) if self.draw(st.booleans()) else None
                return Try(body=body, handlers=(handler,), final=final)


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    """A definition of random nested graphs."""
    return Definition(workflow_type="W", graph=_Maker(draw).graph(2, loop=False, outermost=True))


def may_be_unset(definition: Definition) -> dict[str, frozenset[str]]:
    """For each reached node the variables that the analysis says may be unset."""
    resolver = Resolver(ImportRoots(), opaque=True)
    checker = Checker(object, resolver, all_variables(definition))
    flow = Flow(FlowTyping(definition, resolver, checker))
    flow.run(definition.graph, Env())
    return {
        name: frozenset(
            variable for variable in VARIABLES if variable not in env.variables or env.variables[variable].missing is not None
        )
        for name, env in flow.facts.items()
    }


@given(definitions())
def test_analysis_finds_exactly_what_all_paths_show(definition: Definition) -> None:
    """A variable may be unset at a node exactly when some path reaches the node without setting it."""
    assert not [problem for problem in verify(definition) if "finally" not in problem and "collect" not in problem]
    walker = PathWalker()
    walker.graph(definition.graph, frozenset())
    shown = {name: frozenset(v for v in VARIABLES if any(v not in names for names in sets)) for name, sets in walker.seen.items()}
    assert may_be_unset(definition) == shown


@given(definitions())
def test_every_node_that_no_path_reaches_has_no_fact(definition: Definition) -> None:
    """The analysis neither invents nor loses reachable nodes."""
    walker = PathWalker()
    walker.graph(definition.graph, frozenset())
    assert set(may_be_unset(definition)) == set(walker.seen)
    assert set(walker.seen) <= {node.id for node in walk_nodes(definition.graph)}
