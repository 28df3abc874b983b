"""Webhooks on every store: nothing is lost when a server dies, and several servers send nothing twice."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.encryption import EncryptedPersistence, KeyRing, new_key
from ruvon.implementations.persistence.memory import MemoryPersistenceProvider
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import SystemClock
from ruvon_server.auth import Principal
from ruvon_server.models.webhooks import CreateWebhook, RotateWebhookSecret
from ruvon_server.problems import BusyElsewhereError
from ruvon_server.rooms.webhooks.service import WebhookService
from ruvon_server.webhooks._planner import Planner
from ruvon_server.webhooks._relay import Webhooks
from tests.support import postgres, redis
from tests.support.hooks import Receiver, receiving, settled
from tests.support.serving import new_builder

RING = KeyRing([new_key("k1")])
ADMIN = Principal.admin("root")


@pytest.fixture(
    params=["memory", "sqlite", "encrypted", pytest.param("postgres", marks=postgres.needs_postgres), "redis"]
)
def new_store(request: Any, tmp_path: Path) -> Callable[[], Any]:
    """Providers on one store that is empty at first."""
    if request.param == "postgres":
        postgres.emptied()
        return postgres.store
    if request.param == "redis":
        redis.emptied()
        return redis.store
    if request.param == "memory":
        one = MemoryPersistenceProvider()
        return lambda: one
    if request.param == "encrypted":
        return lambda: EncryptedPersistence(SQLitePersistenceProvider(tmp_path / "hooks.db"), RING)
    return lambda: SQLitePersistenceProvider(tmp_path / "hooks.db")


class Site:
    """One server's webhooks, and the workflows beside them."""

    def __init__(self, builder: WorkflowBuilder) -> None:
        self.builder = builder
        self.webhooks = Webhooks(builder, ("127.0.0.1",))
        self.service = WebhookService(self.webhooks, builder.clock, builder.ids)

    async def create(self, url: str, *events: str) -> Any:
        return await self.service.create(ADMIN, CreateWebhook(url=url, events=list(events or ("workflow.completed",))))

    async def complete(self, count: int = 1) -> set[str]:
        """Workflows that are driven to their ends; nobody here knows of webhooks."""
        done = set()
        for number in range(count):
            made = await self.builder.create_workflow("Greeting", {"number": f"A-{number}"})
            await made.run()
            done.add(made.id)
        return done

    async def all_done(self, webhook_id: str, count: int) -> bool:
        found, _ = await self.service.deliveries(ADMIN, webhook_id, 500, None, "delivered")
        return len(found) >= count


def on(new_store: Callable[[], Any], talk: Callable[..., Any], count: int = 1) -> Any:
    """Run a talk with so many servers on one store."""

    async def whole() -> Any:
        sites = [Site(new_builder(new_store())) for _ in range(count)]
        for site in sites:
            await site.builder.initialize()
        try:
            return await talk(*sites)
        finally:
            for site in sites:
                await site.builder.close()

    return asyncio.run(whole())


def told(receiver: Receiver, secret: str) -> list[str]:
    return sorted(str(found.json()["data"]["workflow_id"]) for found in receiver.verified(secret))


def test_every_end_is_told_once(new_store: Callable[[], Any]) -> None:
    """Verified by the secret that was shown."""

    async def talk(site: Site) -> Any:
        hook = await site.create(receiver.url)
        async with site.webhooks.running(grace_s=5):
            ids = await site.complete(5)
            await settled(lambda: site.all_done(hook.webhook_id, 5))
        return hook.secret, ids

    with receiving() as receiver:
        secret, ids = on(new_store, talk)

    assert told(receiver, secret) == sorted(ids)


def test_nothing_is_lost_while_no_server_runs(new_store: Callable[[], Any]) -> None:
    """What was committed between two servers is told by the second one, without what the first one has told."""

    async def talk(first: Site, worker: Site, second: Site) -> Any:
        hook = await first.create(receiver.url)
        async with first.webhooks.running(grace_s=5):
            ids = await first.complete(2)
            await settled(lambda: first.all_done(hook.webhook_id, 2))
        ids |= await worker.complete(3)
        async with second.webhooks.running(grace_s=5):
            await settled(lambda: second.all_done(hook.webhook_id, 5))
        return hook.secret, ids

    with receiving() as receiver:
        secret, ids = on(new_store, talk, 3)

    assert told(receiver, secret) == sorted(ids)


def test_nothing_is_lost_between_planning_and_sending(new_store: Callable[[], Any]) -> None:
    """A server that has written deliveries and died before any was sent: another one sends them."""

    async def talk(first: Site, second: Site) -> Any:
        hook = await first.create(receiver.url)
        ids = await first.complete(3)
        planner = Planner(first.builder.persistence, SystemClock(), first.webhooks.endpoints, first.webhooks.deliveries)
        assert await planner.plan() == 3
        async with second.webhooks.running(grace_s=5):
            await settled(lambda: second.all_done(hook.webhook_id, 3))
        return hook.secret, ids

    with receiving() as receiver:
        secret, ids = on(new_store, talk, 2)

    assert told(receiver, secret) == sorted(ids)


def test_an_attempt_that_was_broken_off_is_made_again(new_store: Callable[[], Any]) -> None:
    """Under the same id, by the next server, when the first one was ended in the middle of a request."""

    async def silent(*_: Any) -> None:
        await asyncio.Event().wait()

    async def talk(first: Site, second: Site) -> Any:
        await first.create(receiver.url)
        async with first.webhooks.running(grace_s=0):
            await first.complete(1)
            await settled(lambda: len(receiver.came) == 1)
        receiver.behave = None
        async with second.webhooks.running(grace_s=5):
            await settled(lambda: len(receiver.came) == 2)

    with receiving(behave=silent) as receiver:
        on(new_store, talk, 2)

    assert receiver.ids[0] == receiver.ids[1]


def test_two_servers_send_nothing_twice(new_store: Callable[[], Any]) -> None:
    """They share what there is to send, to several webhooks, of workflows that both of them run."""

    async def talk(one: Site, other: Site) -> Any:
        hooks = [await (one, other)[number % 2].create(receiver.url) for number in range(4)]
        async with one.webhooks.running(grace_s=5), other.webhooks.running(grace_s=5):
            await asyncio.gather(one.complete(5), other.complete(5))
            for hook in hooks:
                await settled(lambda hook=hook: one.all_done(hook.webhook_id, 10))  # type: ignore[misc]
        return [hook.secret for hook in hooks]

    with receiving() as receiver:
        on(new_store, talk, 2)

    assert len(receiver.came) == 40
    assert len(set(receiver.ids)) == 10


def test_webhooks_that_two_servers_make_are_all_there(new_store: Callable[[], Any]) -> None:
    """And their deliveries have numbers of their own."""

    async def talk(one: Site, other: Site) -> Any:
        made = await asyncio.gather(*((one, other)[n % 2].create("https://a.example/") for n in range(6)))
        hook = made[0].webhook_id
        numbers = await asyncio.gather(*((one, other)[n % 2].service.test(ADMIN, hook) for n in range(6)))
        found, _ = await one.service.find(ADMIN, 100, None)
        return {item.webhook_id for item in found} == {item.webhook_id for item in made}, sorted(
            item.number for item in numbers
        )

    assert on(new_store, talk, 2) == (True, [1, 2, 3, 4, 5, 6])


def test_a_rotation_is_kept(new_store: Callable[[], Any]) -> None:
    """Both secrets are there on another server."""

    async def talk(one: Site, other: Site) -> Any:
        hook = await one.create("https://a.example/")
        new = await one.service.rotate(ADMIN, hook.webhook_id, RotateWebhookSecret(overlap_s=60))
        kept = await other.webhooks.endpoints.get(hook.webhook_id)
        return kept.signing(SystemClock().now_us()) == (new.secret, hook.secret)

    assert on(new_store, talk, 2)


def test_a_deleted_webhook_leaves_nothing(new_store: Callable[[], Any]) -> None:
    """Neither its record nor its deliveries."""

    async def talk(site: Site) -> Any:
        hook = await site.create(receiver.url)
        async with site.webhooks.running(grace_s=5):
            await site.complete(2)
            await settled(lambda: site.all_done(hook.webhook_id, 2))
        await site.service.delete(ADMIN, hook.webhook_id)
        later = Webhooks(site.builder, ("127.0.0.1",))
        async with later.running(grace_s=5):
            await settled(lambda: is_gone(later))
        return [await later.deliveries.find(hook.webhook_id, number) for number in (1, 2)]

    async def is_gone(webhooks: Webhooks) -> bool:
        return not await webhooks.deliveries.spans()

    with receiving() as receiver:
        assert on(new_store, talk) == [None, None]


def test_the_secret_lies_encrypted(tmp_path: Path) -> None:
    """Where the store encrypts; the file of the database has not a byte of it."""
    path = tmp_path / "hooks.db"

    async def talk(site: Site) -> str:
        return str((await site.create("https://a.example/")).secret)

    secret = on(lambda: EncryptedPersistence(SQLitePersistenceProvider(path), RING), talk)

    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert secret.removeprefix("whsec_").encode() not in kept


def test_a_planner_goes_on_where_the_last_one_was(new_store: Callable[[], Any]) -> None:
    """One that begins anew, as after a death at any moment behind its last write, adds nothing a second time."""

    async def talk(site: Site) -> Any:
        await site.create("https://a.example/", "*")
        counts = []
        for _ in range(3):
            await site.complete(2)
            for _ in range(2):
                parts = (site.builder.persistence, SystemClock(), site.webhooks.endpoints, site.webhooks.deliveries)
                counts.append(await Planner(*parts).plan())
        return counts

    counts = on(new_store, talk)
    assert min(counts[::2]) >= 4
    assert counts[::2] == counts[:1] * 3
    assert counts[1::2] == [0, 0, 0]


def test_a_planner_whose_deliveries_cannot_be_written_adds_them_at_the_next_look() -> None:
    """Nothing is taken as told before it is written."""
    store = MemoryPersistenceProvider()

    async def talk(site: Site) -> Any:
        await site.create("https://a.example/")
        deliveries = site.webhooks.deliveries
        planner = Planner(store, SystemClock(), site.webhooks.endpoints, deliveries)
        await site.complete(2)
        duty = await store.take_duty("ruvon.server.webhooks.deliveries")
        assert duty is not None
        with pytest.raises(BusyElsewhereError):
            await planner.plan()
        await duty.release()
        return await planner.plan(), await planner.plan()

    assert on(lambda: store, talk) == (2, 0)
