"""Places for attempts: nobody who never answers, and no tenant, takes those of the others."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from ruvon_server.webhooks import _shares
from ruvon_server.webhooks._lane import Lane
from ruvon_server.webhooks._records import tenant_of
from ruvon_server.webhooks._shares import ALL, OF_TENANT, Shares
from tests.server.test_webhook_sending import start
from tests.support.hand_clock import HandClock
from tests.support.hooks import hooked, made, receiving, settled
from tests.support.http_server import Asked
from tests.support.serving import Client, asked


def lane(tenant: str = "", *, is_proven: bool = True, begun_us: int = 0) -> Lane:
    return Lane("5d41402abc4b2a76", tenant, 1, 1, 1, success_us=1 if is_proven else None, begun_us=begun_us)


def taken(shares: Shares, lanes: Sequence[Lane]) -> int:
    """How many of them get a place."""
    found = 0
    for item in lanes:
        if shares.admits(item):
            shares.take(item)
            found += 1
    return found


@pytest.mark.parametrize(("is_proven", "most"), [(True, OF_TENANT), (False, OF_TENANT // 2)])
def test_a_tenant_has_its_share(is_proven: bool, most: int) -> None:
    """Half of it for webhooks that have not shown that they answer; another tenant has his own."""
    shares = Shares()

    assert taken(shares, [lane("a", is_proven=is_proven)] * ALL) == most
    assert taken(shares, [lane("b", is_proven=is_proven)] * ALL) == most


@pytest.mark.parametrize(("is_proven", "most"), [(True, ALL), (False, ALL // 2)])
def test_there_are_so_many_places_at_all(is_proven: bool, most: int) -> None:
    """However many tenants there are, those that do not answer leave half to the others."""
    shares = Shares()

    assert taken(shares, [lane(str(number), is_proven=is_proven) for number in range(2 * ALL)]) == most
    assert shares.admits(lane("new")) is not is_proven


@pytest.mark.parametrize("is_proven", [True, False])
def test_a_place_that_is_given_back_is_free(is_proven: bool) -> None:
    """Also where the webhook has shown the contrary meanwhile."""
    shares, item = Shares(), lane("a", is_proven=is_proven)
    most = taken(shares, [item] * ALL)
    for _ in range(most):
        shares.give_back("a", was_proven=is_proven)

    assert taken(shares, [item] * ALL) == most


def test_the_tenant_with_the_fewest_places_comes_first() -> None:
    """Of one tenant, the webhook whose last attempt is the longest ago."""
    shares = Shares()
    shares.take(lane("a"))
    many, late, early = lane("a"), lane("b", begun_us=2), lane("b", begun_us=1)

    assert shares.in_turn([many, late, early]) == [early, late, many]


def test_no_two_tenants_share_a_name() -> None:
    """Whatever is in the names of owners and organisations."""
    parts = (None, "a", "b", "a/b", "/", "%2F")
    names = Counter(tenant_of(owner, org) for owner in parts for org in parts)

    assert set(names.values()) == {1}
    assert names[""] == 1


def test_many_that_never_answer_keep_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """They have half of the places, one each; who takes what comes has the others at once."""
    monkeypatch.setattr(_shares, "OF_TENANT", 8)
    clock = HandClock()
    silent = 0

    async def wait(_: Asked, __: asyncio.StreamWriter) -> None:
        nonlocal silent
        silent += 1
        await asyncio.Event().wait()

    async def talk(client: Client) -> Any:
        await made(client, quick.url, events=["workflow.completed"])
        await start(client)
        await settled(lambda: len(quick.came) == 1, clock)
        for _ in range(20):
            await made(client, slow.url, events=["workflow.completed"])
        for _ in range(10):
            await start(client)
        await settled(lambda: len(quick.came) == 11 and silent == 4, clock)

    with receiving(behave=wait) as slow, receiving() as quick:
        asked(talk, hooked(clock=clock, shutdown_grace_s=0.0))

    assert silent == 4
