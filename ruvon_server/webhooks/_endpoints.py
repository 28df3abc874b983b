"""Which webhooks there are: a list, and a record for each.

The list has a number that rises with each change of a record, so whoever looks every second reads one dictionary, and
records only where they changed. A record is written before the list: a process that dies in between leaves nothing that
hurts, and a record that nobody was told of is read again within a minute.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, final

from ruvon.providers import Clock, IdSource, PersistenceProvider
from ruvon_server.problems import TooManyWebhooksError, WebhookNotFoundError
from ruvon_server.stored import Documents
from ruvon_server.turns import turn
from ruvon_server.webhooks._records import Endpoint, Secret
from ruvon_server.webhooks._signature import new_secret

__all__ = ["Endpoints", "Known"]

_INDEX: Final = "ruvon.server.webhooks"
_RECORD: Final = "ruvon.server.webhook."
_TURN: Final = "webhooks"
_ID_BYTES: Final = 8
_MOST: Final = 1_000
"""So many webhooks there are that belong to no tenant."""
_MOST_OF_TENANT: Final = 100
_MOST_SECRETS: Final = 3
_FRESH_US: Final = 60_000_000


@final
@dataclass(frozen=True, slots=True)
class Known:
    """A webhook as the list has it."""

    webhook_id: str
    owner_id: str | None
    org_id: str | None
    revision: int
    tenant: str = ""
    """Whom it is counted for."""


@final
class Endpoints:
    """The webhooks of one store.

    Args:
        store: keeps them.
        clock: says when.
        ids: makes their ids and secrets.
    """

    def __init__(self, store: PersistenceProvider, clock: Clock, ids: IdSource) -> None:
        self._store = store
        self._documents = Documents(store)
        self._clock = clock
        self._ids = ids
        self._lock = asyncio.Lock()
        self._read: dict[str, tuple[int, int, Endpoint]] = {}

    async def list(self) -> Sequence[Known]:
        """All of them, oldest first."""
        found = (await self._documents.get(_INDEX) or {"webhooks": []})["webhooks"]
        return [Known(**item) for item in found]

    async def get(self, webhook_id: str) -> Endpoint:
        """A webhook.

        Raises:
            WebhookNotFoundError: there is none.
        """
        found = await self._documents.get(f"{_RECORD}{webhook_id}") if _is_id(webhook_id) else None
        if found is None:
            raise WebhookNotFoundError(webhook_id)
        return Endpoint.of(found["webhook"])

    async def all(self) -> Sequence[Endpoint]:
        """All records; those that were read in the last minute and have not changed are not read again."""
        now_us, known = self._clock.monotonic_us(), await self.list()
        for item in known:
            revision, read_us, _ = self._read.get(item.webhook_id, (-1, 0, None))
            if revision != item.revision or now_us - read_us >= _FRESH_US:
                try:
                    self._read[item.webhook_id] = (item.revision, now_us, await self.get(item.webhook_id))
                except WebhookNotFoundError:  # it was deleted meanwhile
                    self._read.pop(item.webhook_id, None)
        ids = [item.webhook_id for item in known if item.webhook_id in self._read]
        self._read = {webhook_id: self._read[webhook_id] for webhook_id in ids}
        return [self._read[webhook_id][2] for webhook_id in ids]

    async def create(self, **fields: Any) -> tuple[Endpoint, str]:
        """Make a webhook of the fields that are given; the record, and its secret.

        Raises:
            TooManyWebhooksError: there are as many as its tenant has.
        """
        secret, now_us = new_secret(self._ids), self._clock.now_us()
        made = Endpoint(
            webhook_id=self._ids.token(_ID_BYTES).hex(),
            created_us=now_us,
            since_us=now_us,
            secrets=(Secret(secret),),
            **fields,
        )
        async with self._turn():
            known = await self.list()
            most = _MOST_OF_TENANT if made.tenant else _MOST
            if sum(item.tenant == made.tenant for item in known) >= most:
                raise TooManyWebhooksError(most)
            await self._put(made)
            await self._list([*known, Known(made.webhook_id, made.owner_id, made.org_id, 1, made.tenant)])
        return made, secret

    async def change(self, webhook_id: str, **fields: Any) -> Endpoint:
        """Change the fields that are given. One that is enabled again is told of what happens from now on.

        Raises:
            WebhookNotFoundError: there is none.
        """
        async with self._turn():
            old = await self.get(webhook_id)
            if fields.get("enabled") and not old.enabled:
                fields |= {"since_us": self._clock.now_us(), "disabled_reason": None}
            return await self._replace(replace(old, **fields))

    async def rotate(self, webhook_id: str, overlap_us: int) -> tuple[Endpoint, str]:
        """Give it a new secret; the old ones sign for a while beside it, three together at most.

        Raises:
            WebhookNotFoundError: there is none.
        """
        secret = new_secret(self._ids)
        async with self._turn():
            old, now_us = await self.get(webhook_id), self._clock.now_us()
            ends_us = now_us + overlap_us
            kept = [
                Secret(item.text, ends_us if item.ends_us is None else min(item.ends_us, ends_us))
                for item in old.secrets
                if overlap_us > 0 and (item.ends_us is None or now_us < item.ends_us)
            ]
            secrets = (Secret(secret), *kept[: _MOST_SECRETS - 1])
            return await self._replace(replace(old, secrets=secrets)), secret

    async def disable(self, webhook_id: str, reason: str) -> Endpoint | None:
        """Switch one off because of what its server says, or does not say; None where it is off or gone."""
        async with self._turn():
            try:
                old = await self.get(webhook_id)
            except WebhookNotFoundError:
                return None
            if not old.enabled:
                return None
            return await self._replace(replace(old, enabled=False, disabled_reason=reason))

    async def delete(self, webhook_id: str) -> None:
        """Forget a webhook.

        Raises:
            WebhookNotFoundError: there is none.
        """
        async with self._turn():
            await self.get(webhook_id)
            await self._list([item for item in await self.list() if item.webhook_id != webhook_id])
            await self._documents.drop(f"{_RECORD}{webhook_id}")

    async def _replace(self, changed: Endpoint) -> Endpoint:
        await self._put(changed)
        raised = [
            replace(item, revision=item.revision + 1) if item.webhook_id == changed.webhook_id else item
            for item in await self.list()
        ]
        await self._list(raised)
        return changed

    async def _put(self, endpoint: Endpoint) -> None:
        await self._documents.put(f"{_RECORD}{endpoint.webhook_id}", {"webhook": endpoint.tree()})

    async def _list(self, known: Sequence[Known]) -> None:
        await self._documents.put(_INDEX, {"webhooks": [asdict(item) for item in known]})

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None, None]:
        async with self._lock, turn(self._store, self._clock, _TURN):
            yield


def _is_id(text: str) -> bool:
    return len(text) == 2 * _ID_BYTES and not set(text) - set("0123456789abcdef")
