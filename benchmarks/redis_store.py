"""What a commit costs on Redis beside a bare pipeline of the same writes.

    python -m benchmarks.redis_store [--url redis://127.0.0.1:6379/9]

The pipeline does what no store can leave out: one small HSET and one XADD for each step, 64 steps to a MULTI. The provider
gets the same steps as transitions of 64 instances that are driven at once. Times are processor times of this process and of
the server together; the server should have nothing else to do.
"""

import argparse
import asyncio
import secrets
import time
from typing import Any

from redis.asyncio import Redis

from benchmarks.persistence import GROUP, POSITION, creation, instance, step
from benchmarks.table import Row, Table, show
from ruvon.implementations.persistence.redis import RedisPersistenceProvider

URL = "redis://127.0.0.1:6379/9"
STEPS = 100


async def spent(client: Any) -> float:
    """Processor time so far of this process and of the server, in seconds."""
    info = await client.info("cpu")
    return time.process_time() + float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


async def bare(url: str, prefix: str, steps: int) -> float:
    """Processor time of a step of the bare pipeline, in microseconds."""
    client: Any = Redis.from_url(url)
    head, entry = (
        b'[[90,14,-1,-1,-1],"step",1,1,false]\n' + POSITION,
        b'[[21,4,-1,-1,-1],"step","step","step",1,1,""]\n',
    )
    await client.ping()
    begin = await spent(client)
    for number in range(1, steps + 1):
        pipeline = client.pipeline(transaction=True)
        for key in range(GROUP):
            pipeline.hset(f"{{{prefix}}}:i:{key}", mapping={"revision": number, "now": head})
            pipeline.xadd(f"{{{prefix}}}:l:{key}", {"e": entry + b'{"":{"s":{"n":1}}}null'}, id=f"{number}-0")
        await pipeline.execute()
    took = await spent(client) - begin
    await client.aclose()
    return took / (steps * GROUP) * 1e6


async def commits(url: str, prefix: str, instances: int, steps: int) -> float:
    """Processor time of a commit through the provider, in microseconds."""
    store = RedisPersistenceProvider(url, prefix=prefix)
    await store.initialize()
    records = [instance(number) for number in range(instances)]
    await store.commit(creation(records))

    async def drive(record: Any) -> None:
        for number in range(1, steps + 1):
            await store.commit(step(record, number))

    client: Any = Redis.from_url(url)
    begin = await spent(client)
    await asyncio.gather(*(drive(record) for record in records))
    took = await spent(client) - begin
    await client.aclose()
    await store.close()
    return took / (instances * steps) * 1e6


async def emptied(url: str, prefix: str) -> None:
    """Delete what was written."""
    client: Any = Redis.from_url(url)
    async for key in client.scan_iter(match=f"{{{prefix}}}*", count=1000):
        await client.delete(key)
    await client.aclose()


def measure(url: str) -> Table:
    """Measure everything and print the table."""
    prefix = f"bench-{secrets.token_hex(4)}"
    times: dict[str, list[float]] = {"bare": [], "grouped": [], "alone": []}
    for _ in range(3):
        times["bare"].append(asyncio.run(bare(url, prefix, STEPS)))
        asyncio.run(emptied(url, prefix))
        times["grouped"].append(asyncio.run(commits(url, prefix, GROUP, STEPS)))
        asyncio.run(emptied(url, prefix))
        times["alone"].append(asyncio.run(commits(url, prefix, 1, STEPS * 5)))
        asyncio.run(emptied(url, prefix))
    base = min(times["bare"])
    rows = [
        Row("bare pipeline", base, "us/step", "itself", base),
        Row(f"provider, {GROUP} instances at once", min(times["grouped"]), "us/step", "the bare pipeline", base),
        Row("provider, one instance", min(times["alone"]), "us/step", "the bare pipeline", base),
    ]
    return show("Redis", rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default=URL)
    measure(parser.parse_args().url)
