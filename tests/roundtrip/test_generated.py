"""Generated programs of every construct, linked, printed in both forms, compiled and linked again (law 2)."""

import pytest
from hypothesis import HealthCheck, given, settings

from ruvon_dsl import compile_source
from ruvon_dsl.printing import to_python, to_yaml
from tests.support.cases import CAMPAIGN
from tests.support.roundtrip import assert_python, assert_yaml
from tests.support.workflows import Program, programs, shop_roots

SETTINGS = settings(
    max_examples=max(CAMPAIGN // 2, 1),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
)


@pytest.mark.campaign
@SETTINGS
@given(programs())
def test_a_program_comes_back_from_python(program: Program) -> None:
    """A definition printed as Python has its digest again."""
    assert_python(program.definition, shop_roots())


@pytest.mark.campaign
@SETTINGS
@given(programs())
def test_a_program_comes_back_from_yaml(program: Program) -> None:
    """A definition printed as YAML has its digest again."""
    assert_yaml(program.definition, shop_roots())


@pytest.mark.campaign
@SETTINGS
@given(programs())
def test_python_to_yaml_and_back(program: Program) -> None:
    """Python, YAML and Python again: the second Python text is the first (S3-014)."""
    roots = shop_roots()
    first = to_python(program.definition, resolve=roots.load)
    (python,) = [
        item.definition
        for item in compile_source(first, roots=roots).definitions
        if item.definition.workflow_type == "Generated"
    ]
    (yaml,) = compile_source(to_yaml(python, resolve=roots.load), kind="yaml", roots=roots).definitions
    assert to_python(yaml.definition, resolve=roots.load) == first
