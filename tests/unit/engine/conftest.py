"""Fixtures of the engine's tests."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.support.engine_world import JumpingClock, make_builder, reset


@pytest.fixture(autouse=True)
def _fresh_ledger() -> None:
    reset()


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
def builder(clock: JumpingClock) -> Any:
    return make_builder(clock=clock)


@pytest.fixture
def play() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    """Run a coroutine on a fresh loop."""
    return asyncio.run
