"""Leases: who dies gives free, who falls silent loses, who comes late is refused."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ruvon.implementations.persistence.redis import RedisPersistenceProvider
from ruvon.providers import StaleWorkflowError, WorkflowBusyError, WorkflowNotFoundError
from ruvon.testing.contracts._records import create, instance, message, step
from tests.integration.redis.test_lost_connections import cut_all, opened
from tests.support.redis import client, free_port, prefix, private_server, server, store

ROOT = Path(__file__).parents[3]


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Until it holds; a minute is too long."""
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110 - what is waited for happens in the server
            await asyncio.sleep(0.01)


async def taken(one: RedisPersistenceProvider, workflow_id: Any) -> Any:
    """The hold, as soon as it is free."""
    found: list[Any] = []

    async def attempt() -> bool:
        try:
            found.append(await one.hold(workflow_id))
        except WorkflowBusyError:
            return False
        return True

    await until(attempt)
    return found[0]


def test_a_killed_process_gives_its_holds_free_at_once() -> None:
    """S4-031: its lease would have lasted a minute; the next holder knows that it died."""

    async def scenario() -> None:
        one = await opened()
        record = await create(one)
        command = [sys.executable, "-m", "tests.integration.redis.holding_on_redis"]
        child = await asyncio.create_subprocess_exec(
            *command, server(), prefix(), str(record.workflow_id), cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        try:
            assert child.stdout is not None
            assert (await child.stdout.readline()).strip() == b"held"
            with pytest.raises(WorkflowBusyError):
                await one.hold(record.workflow_id)
            assert await one.take_duty("outbox") is None
        finally:
            child.kill()
            await child.wait()
        hold = await taken(one, record.workflow_id)
        duty = await one.take_duty("outbox")
        assert hold.died
        assert duty is not None
        await hold.release()
        again = await one.hold(record.workflow_id)
        assert not again.died
        await one.close()

    asyncio.run(scenario())


def test_a_closed_store_leaves_no_hold_and_no_death() -> None:
    """An orderly end must not look like a crash."""

    async def scenario() -> None:
        one, other = await opened(), await opened()
        record = await create(one)
        (await one.hold(record.workflow_id)).driving()
        assert await one.take_duty("d") is not None
        await one.close()
        hold = await other.hold(record.workflow_id)
        assert not hold.died
        assert await other.take_duty("d") is not None
        await other.close()

    asyncio.run(scenario())


def test_two_providers_exclude_each_other() -> None:
    """Of many that ask at once, one gets it."""

    async def scenario() -> None:
        stores = [await opened() for _ in range(4)]
        record = await create(stores[0])
        asked = [one.hold(record.workflow_id) for one in stores for _ in range(3)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
        assert sum(isinstance(answer, WorkflowBusyError) for answer in answers) == 11
        for one in stores:
            await one.close()

    asyncio.run(scenario())


def test_nobody_can_be_held() -> None:
    """An unknown workflow is a typed error."""

    async def scenario() -> None:
        one = await opened()
        with pytest.raises(WorkflowNotFoundError):
            await one.hold(instance().workflow_id)
        await one.close()

    asyncio.run(scenario())


def test_a_lease_is_renewed_as_long_as_its_holder_lives() -> None:
    """Several times its length."""

    async def scenario() -> None:
        one, other = await opened(lease_s=0.3), await opened()
        record = await create(one)
        hold = await one.hold(record.workflow_id)
        with client() as asked:
            name = f"{{{prefix()}}}:h:{record.workflow_id}"
            renewed = 0
            left = asked.pttl(name)
            while renewed < 6:
                now = asked.pttl(name)
                assert now > 0
                renewed += now > left
                left = now
                await asyncio.sleep(0.01)
        with pytest.raises(WorkflowBusyError):
            await other.hold(record.workflow_id)
        await hold.release()
        await one.close()
        await other.close()

    asyncio.run(scenario())


def test_a_holder_that_lost_its_lease_is_woken_and_refused() -> None:
    """Somebody else drives by then; nothing of the late commit is written, and releasing harms nobody."""

    async def scenario() -> None:
        one, other = await opened(lease_s=0.3), await opened()
        record = await create(one)
        hold = await one.hold(record.workflow_id)
        woken = asyncio.Event()
        hold.listen(woken.set)
        with client() as asked:
            asked.delete(f"{{{prefix()}}}:h:{record.workflow_id}")  # as if it had been silent for too long
        later = await other.hold(record.workflow_id)
        assert later.died
        await asyncio.wait_for(woken.wait(), 60)
        with pytest.raises(StaleWorkflowError, match="somebody else has it now"):
            await one.commit(step(record, 1))
        await hold.release()
        with pytest.raises(WorkflowBusyError):
            await one.hold(record.workflow_id)
        await other.commit(step(record, 1))
        await one.close()
        await other.close()

    asyncio.run(scenario())


def test_a_lease_that_ran_out_unnoticed_is_taken_again() -> None:
    """Where nobody else came: the holder goes on."""

    async def scenario() -> None:
        one, other = await opened(lease_s=0.3), await opened()
        record = await create(one)
        hold = await one.hold(record.workflow_id)
        name = f"{{{prefix()}}}:h:{record.workflow_id}"
        with client() as asked:
            asked.delete(name)

            async def is_back() -> bool:
                return bool(asked.exists(name))

            await until(is_back)
        with pytest.raises(WorkflowBusyError):
            await other.hold(record.workflow_id)
        await one.commit(step(record, 1))
        await hold.release()
        await one.close()
        await other.close()

    asyncio.run(scenario())


def test_a_holder_that_lost_its_connections_keeps_its_holds(tmp_path: Path) -> None:
    """It names its new connection in its leases, and hears of messages again, also of those of the meantime."""

    async def scenario(url: str) -> None:
        one, other = await opened(url), await opened(url)
        record = await create(one)
        hold = await one.hold(record.workflow_id)
        heard = asyncio.Event()
        hold.listen(heard.set)
        owner = one._open_holds()._owner
        await asyncio.to_thread(cut_all, url)

        async def is_renewed() -> bool:
            return one._open_holds()._owner != owner

        await until(is_renewed)
        await asyncio.wait_for(heard.wait(), 60)
        with client(url) as asked:

            async def names_the_new_one() -> bool:
                value: bytes = asked.get(f"{{{prefix()}}}:h:{record.workflow_id}")
                return value.decode().endswith(one._open_holds()._owner)

            await until(names_the_new_one)
        with pytest.raises(WorkflowBusyError):
            await other.hold(record.workflow_id)
        heard.clear()
        await other.append_inbox(message(record, "x"))
        await asyncio.wait_for(heard.wait(), 60)
        await hold.release()
        await one.close()
        await other.close()

    with private_server(tmp_path) as far:
        asyncio.run(scenario(far.url))


def test_a_restarted_server_does_not_rob_a_living_holder(tmp_path: Path) -> None:
    """Numbers of connections begin anew then, so the lease decides."""

    async def scenario(far: Any) -> None:
        one = await opened(far.url, lease_s=30)
        record = await create(one)
        hold = await one.hold(record.workflow_id)
        await asyncio.to_thread(far.kill)
        await asyncio.to_thread(far.start)
        other = await opened(far.url)
        with pytest.raises(WorkflowBusyError):
            await other.hold(record.workflow_id)
        await one.commit(step(record, 1))
        await hold.release()
        await (await other.hold(record.workflow_id)).release()
        await one.close()
        await other.close()

    with private_server(tmp_path, "--appendonly", "yes", "--appendfsync", "always") as far:
        asyncio.run(scenario(far))


def test_a_user_who_may_not_ask_about_connections_waits_for_the_lease(tmp_path: Path) -> None:
    """Where CLIENT is forbidden a killed holder's instance is free when its lease ends, and not before."""

    async def scenario(far: Any) -> None:
        with client(far.url) as asked:
            asked.execute_command(
                "ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", "-client", "-config", "+client|setname"
            )
        url = far.url.replace("://", "://app:pw@")
        one, other = await opened(url, lease_s=0.5), await opened(url)
        record = await create(one)
        await one.hold(record.workflow_id)
        for task in one._open_holds()._tasks:
            task.cancel()
        await one._open_holds()._drop()
        with pytest.raises(WorkflowBusyError):
            await other.hold(record.workflow_id)
        hold = await taken(other, record.workflow_id)
        assert hold.died
        await other.close()
        await one.close()

    with private_server(tmp_path) as far:
        asyncio.run(scenario(far))


def test_a_call_that_was_cancelled_holds_nothing() -> None:
    """What it would have got is given back."""

    async def scenario() -> None:
        one, other = await opened(), await opened()
        record = await create(one)
        asking = asyncio.ensure_future(one.hold(record.workflow_id))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        hold = await taken(other, record.workflow_id)
        assert not hold.died
        await one.close()
        await other.close()

    asyncio.run(scenario())


def test_a_holder_hears_of_what_another_process_sends() -> None:
    """In a transition's messages, too; a message to another instance wakes nobody."""

    async def scenario() -> None:
        one, other = await opened(), store()
        await other.initialize()
        record, sender, stranger = await create(one), await create(one), await create(one)
        hold = await one.hold(record.workflow_id)
        calls: list[int] = []
        heard = asyncio.Event()

        def notify() -> None:
            calls.append(1)
            heard.set()

        hold.listen(notify)
        with client() as asked:
            assert asked.publish(f"{{{prefix()}}}:inbox", b"\xffnobody") == 2
        await other.append_inbox(message(stranger, "x"))
        await other.commit(step(sender, 1, sent=(message(record, "y"), message(record, "z"))))
        await asyncio.wait_for(heard.wait(), 60)
        assert calls == [1]
        await hold.release()
        await one.close()
        await other.close()

    asyncio.run(scenario())


def test_a_cluster_of_one_node_takes_every_script(tmp_path: Path) -> None:
    """All keys of a store are in one slot; whatever a workflow's life writes works there."""

    async def scenario(url: str) -> None:
        one = await opened(url)
        record = await create(one, owner_id="o", idempotency_key="k", metadata={"a": 1})
        hold = await one.hold(record.workflow_id)
        heard = asyncio.Event()
        hold.listen(heard.set)
        await one.append_inbox(message(record, "x"))
        await asyncio.wait_for(heard.wait(), 60)
        await one.commit(step(record, 1, snapshot=b"{}", due_us=5, created=(instance(parent_id=record.workflow_id),)))
        assert len(await one.due_instances(5)) == 1
        await hold.release()
        assert await one.check() == []
        assert await one.delete_workflow(record.workflow_id)
        await one.close()

    with private_server(tmp_path, "--cluster-enabled", "yes", "--cluster-port", str(free_port())) as far:
        with client(far.url) as asked:
            asked.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
            while b"cluster_state:ok" not in asked.execute_command("CLUSTER", "INFO", NEVER_DECODE=True):
                time.sleep(0.01)
        asyncio.run(scenario(far.url))
