"""The guard against query parameters that an operation does not have: a typo in a filter must not list everything."""

import difflib

from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.params import QueryParameter

from ruvon_server.auth import Connection
from ruvon_server.problems import UnknownParameterError, closing

__all__ = ["known_parameters", "refuse_unknown_parameters"]


def known_parameters(handler: BaseRouteHandler) -> list[str]:
    """The query parameters of an operation, from the signature of its handler."""
    found = ((name, item.kwarg_definition) for name, item in handler.parsed_fn_signature.parameters.items())
    return [kind.name or name for name, kind in found if isinstance(kind, QueryParameter)]


async def refuse_unknown_parameters(connection: Connection, handler: BaseRouteHandler) -> None:
    """Refuse a request with query parameters that its operation does not have.

    What is open to everybody is left alone: links out of mails come back with parameters of those who count clicks.

    Raises:
        UnknownParameterError: it has one.
    """
    if not connection.scope["query_string"]:
        return
    known = known_parameters(handler)
    unknown = [name for name in dict.fromkeys(connection.query_params) if name not in known]
    if not unknown:
        return
    near = {name: next(iter(difflib.get_close_matches(name, known, n=1)), None) for name in unknown}
    error = UnknownParameterError(near, known)
    raise closing(error) if connection.scope["type"] == ScopeType.WEBSOCKET else error
