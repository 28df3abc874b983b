"""The pytest plugin: a fixture that makes harnesses and closes them. It is loaded wherever Ruvon is installed.

It also lets the assertions of the contract suites explain themselves, as those of test modules do. Nothing of Ruvon is
imported until a test asks for the fixture.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from ruvon.testing._harness import TestHarness

__all__ = ["ruvon_harness"]

pytest.register_assert_rewrite("ruvon.testing.contracts")


@pytest.fixture
def ruvon_harness() -> "Iterator[Callable[..., TestHarness]]":
    """Makes a `TestHarness` of the given workflows; each one is closed when the test ends.

    Example:
        >>> def test_an_order(ruvon_harness):
        ...     harness = ruvon_harness(order_processing)
        ...     run = harness.start(order_processing, {"order_id": "A-1"})
        ...     assert run.status == "COMPLETED"
    """
    from ruvon.testing import TestHarness  # noqa: PLC0415 - only when a test wants it

    made: list[TestHarness] = []

    def make(*workflows: object, **options: Any) -> TestHarness:
        harness = TestHarness(*workflows, **options)
        made.append(harness)
        return harness

    yield make
    for harness in made:
        harness.close()
