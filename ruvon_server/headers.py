"""Headers that tell browsers to be careful with every answer."""

from collections.abc import MutableMapping
from typing import Final, cast

from litestar.datastructures import MutableScopeHeaders
from litestar.types import Message, Scope

__all__ = ["add_security_headers"]

_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""What an answer has that says nothing else itself."""
_TLS: Final = ("Strict-Transport-Security", "max-age=31536000")


async def add_security_headers(message: Message, scope: Scope) -> None:
    """Give an answer the headers that it lacks."""
    if message["type"] != "http.response.start":
        return
    headers = cast("MutableMapping[str, str]", MutableScopeHeaders.from_message(message))
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
    if scope["scheme"] == "https":
        headers.setdefault(*_TLS)
