"""What a commit survives is read from the server and said; "durable" means that it was flushed."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from ruvon.implementations.persistence.redis import RedisServerError
from ruvon.testing.contracts._records import create, step
from tests.integration.redis.flushing import flushing
from tests.integration.redis.test_lost_connections import opened
from tests.support.redis import client, private_server

CASES = {
    "always": (("--appendonly", "yes", "--appendfsync", "always"), "fsync", "FULL", ""),
    "everysec": (("--appendonly", "yes", "--appendfsync", "everysec"), "everysec", "NORMAL", "appendfsync is everysec"),
    "no fsync": (("--appendonly", "yes", "--appendfsync", "no"), "everysec", "NORMAL", "appendfsync is no"),
    "memory": ((), "memory", "OFF", "a restart of the server loses everything"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_class_that_is_reached_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str) -> None:
    """In the log, with a warning and its remedy where it is not fsync; by the provider; in the facts for `db status`."""
    options, reached, word, warning = CASES[name]

    async def scenario(url: str) -> dict[str, Any]:
        one = await opened(url, wait_for_disk=False)
        facts = await one.facts()
        assert one.durability == facts["reached"]
        await one.close()
        return facts

    with caplog.at_level(logging.INFO), private_server(tmp_path, *options) as far:
        facts = asyncio.run(scenario(far.url))

    assert (facts["reached"], facts["durability"]) == (reached, word)
    assert f"keeps commits as `{reached}`" in caplog.text
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == len(facts["warnings"]) == (1 if warning else 0)
    assert warning in "".join(warned)


@pytest.mark.parametrize(
    ("policy", "limit", "warned"),
    [
        ("allkeys-lru", "100mb", True),
        ("volatile-ttl", "100mb", True),
        ("noeviction", "100mb", False),
        ("allkeys-lru", "0", False),
    ],
)
def test_a_policy_that_evicts_is_warned_about(tmp_path: Path, policy: str, limit: str, warned: bool) -> None:
    """Where there is a limit: workflows, or the leases of their holders, would vanish."""

    async def scenario(url: str) -> list[str]:
        one = await opened(url)
        facts = await one.facts()
        await one.close()
        return list(facts["warnings"])

    options = ("--appendonly", "yes", "--appendfsync", "always", "--maxmemory", limit, "--maxmemory-policy", policy)
    with private_server(tmp_path, *options) as far:
        found = asyncio.run(scenario(far.url))

    assert bool(found) is warned
    assert all("set `maxmemory-policy noeviction`" in item for item in found)


def test_without_config_the_server_is_asked_by_info(tmp_path: Path) -> None:
    """Managed servers forbid CONFIG; what INFO does not say counts as the lesser promise."""

    async def scenario(url: str) -> tuple[object, ...]:
        one = await opened(url, wait_for_disk=False)
        facts = await one.facts()
        await one.close()
        return tuple(facts[name] for name in ("reached", "appendfsync", "maxmemory", "maxmemory_policy"))

    options = ("--appendonly", "yes", "--appendfsync", "always", "--maxmemory", "104857600")
    with private_server(tmp_path, *options) as far:
        with client(far.url) as asked:
            asked.execute_command("ACL", "SETUSER", "app", "on", ">pw", "~*", "&*", "+@all", "-config")
        found = asyncio.run(scenario(far.url.replace("://", "://app:pw@")))

    assert found == ("everysec", "unknown", 104857600, "noeviction")


def test_each_batch_waits_for_the_disk_where_the_server_can(tmp_path: Path) -> None:
    """WAITAOF after everything that is written, so everysec is as good as always; holds do not wait."""

    async def scenario(url: str) -> None:
        async with flushing(url) as far:
            one = await opened(far.url)
            assert one.durability == "fsync"
            record = await create(one)
            before = len(far.asked)
            await one.commit(step(record, 1))
            assert len(far.asked) == before + 1
            assert b"$1\r\n1\r\n$1\r\n0\r\n" in far.asked[-1]
            hold = await one.hold(record.workflow_id)
            await hold.release()
            assert len(far.asked) == before + 1
            far.flushed = [0, 0, 1]
            await one.commit(step(record, 2))
            assert len(far.asked) == before + 4
            await one.close()

    with private_server(tmp_path, "--appendonly", "yes") as server:
        asyncio.run(scenario(server.url))


def test_a_disk_that_never_flushes_is_an_error(tmp_path: Path) -> None:
    """Nobody is told that a commit is durable when it is not."""

    async def scenario(url: str) -> None:
        async with flushing(url) as far:
            one = await opened(far.url, reconnect_timeout_s=0.2)
            record = await create(one)
            far.flushed = [0]
            with pytest.raises(RedisServerError, match="does not flush it to its disk; look into its log"):
                await one.commit(step(record, 1))
            far.flushed = [1]
            await one.close()

    with private_server(tmp_path, "--appendonly", "yes") as server:
        asyncio.run(scenario(server.url))


def test_without_an_append_only_file_nothing_is_waited_for(tmp_path: Path) -> None:
    """The server would refuse it."""

    async def scenario(url: str) -> None:
        async with flushing(url) as far:
            one = await opened(far.url)
            await create(one)
            assert one.durability == "memory"
            assert far.asked == []
            await one.close()

    with private_server(tmp_path) as server:
        asyncio.run(scenario(server.url))
