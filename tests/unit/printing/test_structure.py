"""The structuring pass: what it makes of any graph lowers to that graph again."""

from hypothesis import HealthCheck, given, settings

from ruvon.ir import Graph
from ruvon_dsl.printing._structure import structure
from tests.support._flat_graphs import graph_shapes
from tests.support.cases import CASES
from tests.support.relower import relower


@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(graph_shapes())
def test_any_graph_comes_back(graph: Graph) -> None:
    """Statements of any graph, irreducible ones included, lower to the same graph (S3-024)."""
    assert relower(structure(graph)) == graph
    assert relower(structure(graph, jumps=True)) == graph
