"""API keys and the log of changes on every store, with two servers that change keys at the same time."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from ruvon.providers import SystemClock, SystemIds
from ruvon_server.auth import Keys
from ruvon_server.changes import read_changes
from tests.server.conftest import KINDS


@pytest.fixture(params=[*KINDS, "encrypted"])
def store_kind(request: pytest.FixtureRequest) -> str:
    """The others, and an encrypted one."""
    return str(request.param)


async def made(keys: Keys, name: str) -> tuple[str, str]:
    key, text = await keys.create(
        name=name, roles=("viewer",), permissions=(), owner_id=None, org_id=None, created_by="x", expires_us=None
    )
    return key.key_id, text


def on_two(new_store: Callable[[], Any], talk: Callable[[Keys, Keys, Any], Any]) -> Any:
    """Run a talk with the keys of two servers, and the store of one of them."""

    async def whole() -> Any:
        stores = [new_store(), new_store()]
        for store in stores:
            await store.initialize()
        try:
            return await talk(*(Keys(store, SystemClock(), SystemIds()) for store in stores), stores[0])
        finally:
            for store in stores:
                await store.close()

    return asyncio.run(whole())


def test_no_key_is_lost_where_two_servers_make_them(new_store: Callable[[], Any]) -> None:
    """All of them are listed and recognised."""

    async def talk(one: Keys, other: Keys, _: Any) -> list[Any]:
        found = await asyncio.gather(*(made((one, other)[number % 2], f"k{number}") for number in range(8)))
        known = [await other.recognise(text) for _, text in found]
        return [{key_id for key_id, _ in found} == {item["key_id"] for item in await one.find()}, None in known]

    assert on_two(new_store, talk) == [True, False]


def test_nothing_brings_a_revoked_key_back(new_store: Callable[[], Any]) -> None:
    """Neither its use nor a rotation at the same time."""

    async def talk(one: Keys, other: Keys, _: Any) -> list[Any]:
        key_id, text = await made(one, "k")
        await asyncio.gather(
            one.revoke(key_id),
            other.recognise(text),
            other.rotate(key_id, created_by="x", expires_us=None, grace_us=60_000_000),
            return_exceptions=True,
        )
        return [await one.recognise(text), await other.recognise(text)]

    assert on_two(new_store, talk) == [None, None]


def test_changes_are_read_from_every_store(new_store: Callable[[], Any]) -> None:
    """Newest first, of the server itself only."""

    async def talk(_: Keys, __: Keys, store: Any) -> list[str]:
        for operation in ("create_key", "revoke_key"):
            await store.log_execution("ruvon.server", operation, "INFO", "changed", {"actor": "ann"})
        await store.log_execution("3f2a9c41-6a9b-4a55-8a27-0d2f5b1f1a11", "note", "INFO", "else")
        found = await read_changes(store, 10)
        return [f"{line['step_name']} {'ann' in str(line['metadata'])}" for line in found]

    assert on_two(new_store, talk) == ["revoke_key True", "create_key True"]
