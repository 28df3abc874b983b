"""What every test against a Redis server needs: nothing left of the one before."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from ruvon.implementations.persistence.redis import RedisPersistenceProvider
from tests.support.redis import emptied, store

Scenario = Callable[[RedisPersistenceProvider], Awaitable[Any]]


@pytest.fixture(autouse=True)
def _empty() -> None:
    emptied()


@pytest.fixture
def on_store() -> Callable[[Scenario], Any]:
    """Run a scenario on an open provider."""

    def run(scenario: Scenario) -> Any:
        async def whole() -> Any:
            opened = store()
            await opened.initialize()
            try:
                return await scenario(opened)
            finally:
                await opened.close()

        return asyncio.run(whole())

    return run
