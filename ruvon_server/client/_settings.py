"""What both clients make of their arguments, and of a request that is to be sent."""

from typing import Any
from urllib.parse import urlsplit

import httpx

from ruvon_server.client._errors import InvalidRequestError
from ruvon_server.client._exchange import Send

__all__ = ["checked_url", "headers_of", "sent_by"]


def checked_url(url: str) -> str:
    """The address of a server.

    Raises:
        InvalidRequestError: it is none.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(httpx.URL(url).host) and parts.port != 0
    except (ValueError, httpx.InvalidURL):
        usable = False
    if not usable:
        raise InvalidRequestError("the server", [f"`{url}` is no address; write it like http://127.0.0.1:8000"])
    return url


def headers_of(api_key: str | None) -> dict[str, str]:
    """The header that says who asks.

    Raises:
        InvalidRequestError: the key cannot be one.
    """
    if api_key is None:
        return {}
    if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise InvalidRequestError("the server", ["the API key is empty, or has characters that no key has"])
    return {"Authorization": f"Bearer {api_key}"}


def sent_by(wanted: Send, key: dict[str, str]) -> dict[str, Any]:
    """The arguments of `httpx` for a request."""
    call = wanted.call
    return {
        "method": call.method,
        "url": call.path,
        "params": list(call.params) or None,
        "content": call.body,
        "headers": {**wanted.headers, **key},
        "timeout": wanted.timeout_s,
    }
