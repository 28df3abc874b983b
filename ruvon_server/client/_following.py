"""What a client makes of a stream of server-sent events, without any network: messages, and going on behind the last."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, cast, final

import httpx

from ruvon_server.client._call import Call
from ruvon_server.client._errors import ServerUnreachableError, UnexpectedAnswerError
from ruvon_server.client._exchange import LONGEST_PAUSE_S, Options, Send, may_pass, read_answer, retry_after

__all__ = ["Following", "ServerEvent"]

_KIND: Final = "text/event-stream"
_ACCEPT: Final = f"{_KIND}, application/problem+json"
_OK: Final = 200
_SECOND_US: Final = 1_000_000


@final
@dataclass(frozen=True, slots=True)
class ServerEvent:
    """A message of a stream."""

    event: str
    """`opened` first on each connection, then `workflow`, `entry` or `gap`."""
    id: str | None
    """Give it as `after` to go on behind it; None where it is no place."""
    data: dict[str, Any]
    """How a workflow stands, an entry of its history, or what was left out."""


@final
class Following:
    """A stream over as many connections as it takes.

    One that breaks, or that a server ends because it is started again, is opened again behind the last message that had
    an id. After `attempts` connections in a row that said nothing it is given up.

    Args:
        call: the operation.
        options: how the client asks.
    """

    def __init__(self, call: Call[None], options: Options) -> None:
        self._call = call
        self._options = options
        self._last: str | None = None
        self._failures = 0
        self._rest = b""
        self._fields: dict[str, list[str]] = {}
        self._was_ended = False
        limits = [float(value) for key, value in call.params if key == "for_s"]
        self._for_s = limits[0] if limits else None
        self._began_us = options.clock.monotonic_us()

    def request(self) -> Send:
        """What opens the next connection."""
        self._rest, self._fields, self._was_ended = b"", {}, False
        params = self._call.params
        if self._last is not None:
            params = (*(item for item in params if item[0] != "after"), ("after", self._last))
        if self._for_s is not None:
            params = (*(item for item in params if item[0] != "for_s"), ("for_s", f"{self._left_s():g}"))
        return Send(replace(self._call, params=params), {"Accept": _ACCEPT}, self._options.timeout_s)

    def is_open(self, answer: httpx.Response) -> bool:
        """Whether an answer is the stream; any other is to be read and given to `refused`."""
        kind = answer.headers.get("Content-Type", "").partition(";")[0]
        return answer.status_code == _OK and bool(kind == _KIND)

    def refused(self, answer: httpx.Response) -> float:
        """So many seconds to pause before another attempt.

        Raises:
            ProblemError: the server does not open it.
            UnexpectedAnswerError: what came is no stream of a server of ours.
        """
        self._failures += 1
        wait_s = retry_after(answer) or 0.0
        if self._failures >= self._options.attempts or not may_pass(self._call, answer) or wait_s > LONGEST_PAUSE_S:
            read_answer(self._call, answer, wait_s or None)
            raise UnexpectedAnswerError(_shown(answer), answer.status_code, f"it is not of the type {_KIND}")
        return max(self._pause_s(), wait_s)

    def lost(self, error: httpx.TransportError) -> float | None:
        """So many seconds to pause after a connection has broken, or was not made; None: the time is over.

        Raises:
            ServerUnreachableError: that was the last attempt.
        """
        self._failures += 1
        if self._is_over():
            return None
        if self._failures >= self._options.attempts:
            raise ServerUnreachableError(
                self._options.url, str(error) or type(error).__name__, was_sent=False
            ) from error
        return self._pause_s()

    def ended(self) -> float | None:
        """So many seconds to pause after the server has ended a connection; None: the stream is whole."""
        if self._is_over() or (self._for_s is not None and not self._was_ended):
            return None
        return self.lost(httpx.RemoteProtocolError("the server ends every stream that it opens"))

    def feed(self, answer: httpx.Response, chunk: bytes) -> Iterator[ServerEvent]:
        """The messages that are whole with one more piece of the stream.

        Raises:
            UnexpectedAnswerError: a message is not written as ours are.
        """
        *lines, self._rest = (self._rest + chunk).split(b"\n")  # a text in JSON may hold the other ends of lines
        for line in lines:
            found = self._take(answer, line.removesuffix(b"\r"))
            if found is not None:
                self._failures = 0
                self._last = found.id or self._last
                self._was_ended = found.event == "end"
                if not self._was_ended:
                    yield found

    def _take(self, answer: httpx.Response, line: bytes) -> ServerEvent | None:
        """The message that a line ends."""
        try:
            name, _, value = line.decode().partition(":")
            if line:
                self._fields.setdefault(name, []).append(value.removeprefix(" "))
                return None
            fields, self._fields = self._fields, {}
            if "data" not in fields:
                return None
            data = json.loads("\n".join(fields["data"]))
        except ValueError as exc:
            raise UnexpectedAnswerError(_shown(answer), answer.status_code, f"a message is not JSON: {exc}") from None
        if not isinstance(data, dict):
            raise UnexpectedAnswerError(_shown(answer), answer.status_code, "a message is no object")
        ids = fields.get("id")
        return ServerEvent(fields.get("event", ["message"])[-1], ids[-1] if ids else None, cast("dict[str, Any]", data))

    def _pause_s(self) -> float:
        return self._options.pause_s * 2.0 ** max(0, self._failures - 1)

    def _left_s(self) -> float:
        gone_s = (self._options.clock.monotonic_us() - self._began_us) / _SECOND_US
        return max(0.0, (self._for_s or 0.0) - gone_s)

    def _is_over(self) -> bool:
        return self._for_s is not None and self._left_s() <= 0


def _shown(answer: httpx.Response) -> str:
    return str(answer.url.copy_with(query=None))
