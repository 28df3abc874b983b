"""The log of changes: who has changed what, when and from where.

Every change that was made is told to the logger `ruvon.server.changes`. Changes of workflows are in their histories; those
of anything else are kept in the store besides.
"""

import logging
from collections.abc import Sequence
from typing import Any, Final, final

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from ruvon.providers import PersistenceProvider
from ruvon.providers.persistence import PersistenceError, UnsupportedError
from ruvon_server.auth import ADDRESS, PUBLIC, Principal

__all__ = ["REASON", "ChangesMiddleware", "read_changes"]

_LOGGER: Final = logging.getLogger("ruvon.server.changes")
_LOG: Final = "ruvon.server"
"""Under this name lines of the store's text log belong to the server itself."""
REASON: Final = "ruvon_reason"
"""Where the state of a request has why it is made."""
_LOOKING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_WORKFLOWS: Final = "workflows:"
_FIRST_REFUSED: Final = 400


@final
class ChangesMiddleware(ASGIMiddleware):
    """Notes every change before it is answered.

    Args:
        store: keeps those that no history has.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, store: PersistenceProvider) -> None:
        self._store = store

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Go on, and look at what is answered."""
        permission = str(scope["route_handler"].opt.get("permission", ""))
        if scope["type"] != ScopeType.HTTP or scope["method"] in _LOOKING or permission == PUBLIC:
            await next_app(scope, receive, send)
            return

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < _FIRST_REFUSED:
                await self._note(scope, message["status"], is_workflow=permission.startswith(_WORKFLOWS))
            await send(message)

        await next_app(scope, receive, noting)

    async def _note(self, scope: Scope, status: int, *, is_workflow: bool) -> None:
        user: object = dict(scope).get("user")
        name = getattr(scope["route_handler"], "operation_id", None)
        operation = name if isinstance(name, str) else scope["route_handler"].handler_name
        said: dict[str, Any] = {
            "actor": user.name if isinstance(user, Principal) else None,
            "path": scope["path"],
            "status": status,
            "address": scope["state"].get(ADDRESS),
            "reason": scope["state"].get(REASON),
        }
        _LOGGER.info("%s %s", operation, said)
        if is_workflow:
            return
        try:
            await self._store.log_execution(_LOG, operation, "INFO", "changed", said)
        except PersistenceError:
            _LOGGER.exception("the store does not keep that %s was done (%s)", operation, said)


async def read_changes(store: PersistenceProvider, limit: int) -> Sequence[dict[str, Any]]:
    """The newest changes that no history has, newest first, as lines of the store's text log.

    Raises:
        UnsupportedError: this store does not give them out.
    """
    read = getattr(store, "read_execution_logs", None)
    if read is None:
        raise UnsupportedError("way to read its text log", "read the logger ruvon.server.changes")
    found: list[dict[str, Any]] = await read(_LOG, limit=limit)
    return found[::-1]
