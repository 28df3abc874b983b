"""Headers that tell browsers to be careful with every answer."""

from typing import Final, cast

from litestar.types import Message, Scope

__all__ = ["add_security_headers"]

_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
"""What an answer has that says nothing else itself."""
_TLS: Final = (b"strict-transport-security", b"max-age=31536000")


async def add_security_headers(message: Message, scope: Scope) -> None:
    """Give an answer the headers that it lacks."""
    if message["type"] != "http.response.start":
        return
    headers = [*cast("list[tuple[bytes, bytes]]", message.get("headers", ()))]
    has = {name.lower() for name, _ in headers}
    wanted = (*_HEADERS, _TLS) if scope["scheme"] == "https" else _HEADERS
    headers += [pair for pair in wanted if pair[0] not in has]
    message["headers"] = headers
