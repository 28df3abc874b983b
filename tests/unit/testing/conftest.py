"""A harness for the tests of the kit."""

from collections.abc import Iterator

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.ir import Definition
from ruvon.testing import TestHarness
from tests.support import kit_flows as flows


@pytest.fixture(scope="session")
def compiled() -> list[Definition]:
    """Every workflow of the kit's tests, compiled once."""
    builder = WorkflowBuilder(plugins=False, import_roots=["tests"])
    builder.register(*(item for item in vars(flows).values() if hasattr(item, "__ruvon_workflow__")))
    return [builder.get_definition(name) for name in builder.registered_types()]


@pytest.fixture
def harness(compiled: list[Definition]) -> Iterator[TestHarness]:
    """A harness that knows them all."""
    with TestHarness(*compiled, import_roots=["tests"]) as made:
        yield made
