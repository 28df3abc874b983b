"""`EgressProvider`: how a process asks servers outside it. HTTP steps, and everything else that fetches, go through one.

An `EgressError` is a `TransportError`: no answer came. It is an `EgressRefusedError` where the policy, or the form of the
request, forbids it and nothing was sent; and an `EgressFailedError`, which is a `ConnectionError` too, where there was no
connection or it broke.
"""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol, final, runtime_checkable

from ruvon.providers._errors import TransportError

__all__ = [
    "Connectivity",
    "EgressAnswer",
    "EgressError",
    "EgressFailedError",
    "EgressProvider",
    "EgressRefusedError",
    "EgressRequest",
]

_UTF_8: Final = "utf-8"
_UNSAFE_CODECS: Final = frozenset({"idna", "punycode", "raw-unicode-escape", "unicode-escape", "utf-7"})


class EgressError(TransportError):
    """A server could not be asked, or gave no answer.

    Args:
        target: what was asked, without anything secret in it.
        reason: why there is no answer.
    """

    def __init__(self, target: str, reason: str) -> None:
        self.target = target
        self.reason = reason
        super().__init__(f"{target}: {reason}")


@final
class EgressRefusedError(EgressError):
    """The request was not sent: the egress policy forbids its target, or it is malformed. Repeating it cannot help."""

    retryable = False


@final
class EgressFailedError(ConnectionError, EgressError):
    """There was no connection, or it broke before the answer was complete.

    Args:
        target: what was asked, without anything secret in it.
        reason: why there is no answer.
        outcome_unknown: the request was sent, wholly or in part, so the server may have acted on it.
    """

    def __init__(self, target: str, reason: str, *, outcome_unknown: bool = False) -> None:
        self.outcome_unknown = outcome_unknown
        EgressError.__init__(self, target, reason)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EgressRequest:
    """One request; a provider follows its redirects."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    content: bytes | None = field(default=None, repr=False)
    max_bytes: int
    """Longest body of the answer in bytes, as sent and decompressed; the rest is not read."""
    timeout: timedelta | None = None
    """Longest time for everything, redirects included; None: the provider's own."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class EgressAnswer:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    """Names are in lower case; what was sent several times is joined by commas."""
    content: bytes
    """The body, decompressed."""
    truncated: bool = False
    """The body is longer than `max_bytes`; `content` is its beginning."""

    @property
    def text(self) -> str:
        """The body as text, in the charset that the answer names; what is no text is replaced."""
        _, _, charset = self.headers.get("content-type", "").lower().partition("charset=")
        return self.content.decode(_codec(charset.partition(";")[0].strip("\"' ")), "replace")


def _codec(charset: str) -> str:
    """The codec of a charset; UTF-8 for one that nobody knows, or whose decoder takes for ever."""
    try:
        name = codecs.lookup(charset).name if charset else _UTF_8
        b"a".decode(name, "replace")
    except (LookupError, ValueError):
        return _UTF_8
    return name if name not in _UNSAFE_CODECS else _UTF_8


@runtime_checkable
class Connectivity(Protocol):
    """What knows whether this machine has a network, such as a device's modem."""

    def is_online(self) -> bool:
        """Whether there is a network; asked before each request, so it must not wait."""
        ...


@runtime_checkable
class EgressProvider(Protocol):
    """Sends requests."""

    def is_online(self) -> bool:
        """False where it is known that there is no network; a step then fails with `Offline` at once."""
        ...

    async def send(self, request: EgressRequest, /) -> EgressAnswer:
        """Send a request and read its answer, whatever its status.

        Raises:
            EgressRefusedError: nothing was sent.
            EgressFailedError: no connection, or it broke.
            TimeoutError: the time is over.
        """
        ...

    async def close(self) -> None:
        """Close all connections; a second call is harmless."""
        ...
