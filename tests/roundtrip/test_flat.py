"""Arbitrary flat graphs, irreducible ones included, printed and lowered again (law 2)."""

import pytest
from hypothesis import HealthCheck, given, settings

from ruvon.ir import Definition, verify
from ruvon_dsl.printing import to_python
from tests.support.cases import CAMPAIGN
from tests.support.roundtrip import assert_python_shape, assert_yaml_shape
from tests.support.workflows import flat_definitions, shop_roots

SETTINGS = settings(
    max_examples=CAMPAIGN, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False
)


@pytest.mark.campaign
@SETTINGS
@given(flat_definitions())
def test_a_flat_graph_comes_back_from_yaml(definition: Definition) -> None:
    """Any graph printed as YAML lowers to the same graph: nodes, edges, names, options."""
    assert verify(definition) == ()
    assert_yaml_shape(definition, shop_roots())


@pytest.mark.campaign
@SETTINGS
@given(flat_definitions())
def test_a_flat_graph_comes_back_from_python(definition: Definition) -> None:
    """Any graph printed as Python, with `flow` where statements do not suffice, lowers to the same graph."""
    assert verify(definition) == ()
    assert_python_shape(definition, shop_roots())


@pytest.mark.campaign
@SETTINGS
@given(flat_definitions())
def test_every_graph_prints_as_python(definition: Definition) -> None:
    """No graph is unprintable: the text is a module of Python's own grammar."""
    compile(to_python(definition, resolve=shop_roots().load), "printed.py", "exec")
