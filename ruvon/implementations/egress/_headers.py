"""The headers of a request: checked, and cut down where a redirect leads to another server."""

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["HeaderError", "clean_headers", "for_another_origin", "without_body"]

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}")
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]{0,16384}")
_OWN: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_HARMLESS: Final = frozenset({"accept", "accept-language", "content-type", "idempotency-key", "user-agent"})


class HeaderError(ValueError):
    """A header that is not sent; its text shows the header's name and never its value."""


def clean_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers with their names in lower case.

    Raises:
        HeaderError: a name or value that could end the header, or a header that frames the message.
    """
    found: dict[str, str] = {}
    for given, value in headers.items():
        name = given.lower()
        if _NAME.fullmatch(given) is None:
            raise HeaderError(f"{given[:40]!r} is no name of a header")
        if name in _OWN:
            raise HeaderError(f"the header `{given}` is set by the client itself; leave it out")
        if name in found:
            raise HeaderError(f"the header `{given}` is given twice")
        if _VALUE.fullmatch(value) is None or value != value.strip():
            raise HeaderError(
                f"the value of the header `{given}` holds what a header cannot: a line break, for example"
            )
        found[name] = value
    return found


def for_another_origin(headers: Mapping[str, str]) -> dict[str, str]:
    """What another server than the one that was asked may see: nobody knows which other headers are credentials."""
    return {name: value for name, value in headers.items() if name in _HARMLESS}


def without_body(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request that has lost its body."""
    return {name: value for name, value in headers.items() if not name.startswith("content-")}
