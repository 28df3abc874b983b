"""What every test against a PostgreSQL server needs."""

import gc
import warnings
from collections.abc import Generator

import pytest


@pytest.fixture(autouse=True)
def lost_connections_are_collected() -> Generator[None]:
    """A test may lose connections on purpose; they are collected behind it, not in the middle of another one."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
