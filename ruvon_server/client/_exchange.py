"""What happens between a call and its answer, without any network: repetition, pauses, problems, waiting.

Generators say what is to be sent and how long to pause; the two clients do that, each in its own way.
"""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeAlias, TypeVar, final

import httpx
from pydantic import ValidationError

from ruvon.models import WorkflowStatus
from ruvon.providers import Clock, IdSource
from ruvon_server.client._call import Call, WorkflowRef
from ruvon_server.client._errors import ProblemError, ServerUnreachableError, StillRunningError, UnexpectedAnswerError
from ruvon_server.client.calls.workflows import get_workflow
from ruvon_server.models.problems import Problem
from ruvon_server.models.workflows import WorkflowInfo

__all__ = [
    "LONGEST_PAUSE_S",
    "Options",
    "Pause",
    "Send",
    "Steps",
    "exchange",
    "may_pass",
    "read_answer",
    "rest",
    "retry_after",
]

T = TypeVar("T")

_PROBLEM: Final = "application/problem+json"
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_MAY_PASS: Final = frozenset({502, 503, 504})
_TOO_MANY: Final = 429
_FIRST_ERROR: Final = 400
_FIRST_SUCCESS: Final = 200
_SOMEBODY: Final = frozenset({"human", "input", "signal"})
LONGEST_PAUSE_S: Final = 30.0
"""Whoever is to wait longer is told so."""
_LOOKS_S: Final = (0.05, 1.0)
"""How often a workflow is looked at that is waited for: first after so many seconds, and at least once in so many."""


@final
@dataclass(frozen=True, slots=True)
class Options:
    """How a client asks."""

    url: str
    """The server, for messages."""
    timeout_s: float
    """So long an answer may take, beside what a call asks the server to wait."""
    attempts: int
    """So often a request is sent that may be sent again."""
    pause_s: float
    """The pause after the first attempt; each one is twice as long as the one before."""
    ids: IdSource
    clock: Clock


@final
@dataclass(frozen=True, slots=True)
class Send:
    """A request is to be sent; what comes back is given to the generator, or thrown into it."""

    call: Call[Any]
    headers: dict[str, str]
    timeout_s: float


@final
@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing happens for so many seconds."""

    seconds: float


Steps: TypeAlias = Generator[Send | Pause, "httpx.Response | None", T]


def exchange(call: Call[T], options: Options) -> Steps[T]:
    """Send a call until it is answered, and read the answer.

    Raises:
        ProblemError: the server did not do it.
        ServerUnreachableError: no answer came.
        UnexpectedAnswerError: what came is no answer of a server of ours.
    """
    headers = _headers(call, options)
    sent = False
    for attempt in range(1, options.attempts + 1):
        is_last = attempt == options.attempts
        pause_s = options.pause_s * 2 ** (attempt - 1)
        try:
            answer = yield Send(call, headers, options.timeout_s + call.patience_s)
        except httpx.RequestError as exc:
            sent = sent or not isinstance(exc, _NOT_SENT)
            if is_last or (sent and not call.repeatable):
                reason = str(exc) or type(exc).__name__
                raise ServerUnreachableError(options.url, reason, was_sent=sent) from exc
        else:
            if answer is None:
                raise RuntimeError("a request was sent, and nothing came back")  # a driver of ours is wrong
            wait_s = retry_after(answer)
            if is_last or not may_pass(call, answer) or (wait_s or 0.0) > LONGEST_PAUSE_S:
                return read_answer(call, answer, wait_s)
            pause_s = max(pause_s, wait_s or 0.0)
        yield Pause(pause_s)
    raise ValueError("a client tries at least once: `attempts` is 1 or more")


def rest(workflow_id: WorkflowRef, options: Options, patience: timedelta, *, until_ended: bool) -> Steps[WorkflowInfo]:
    """Look at a workflow until it has ended, or waits for somebody.

    Raises:
        StillRunningError: it has not, in that time.
    """
    began_us = options.clock.monotonic_us()
    pause_s, longest_s = _LOOKS_S
    while True:
        found = yield from exchange(get_workflow(workflow_id), options)
        if WorkflowStatus(found.status).is_terminal or (not until_ended and _asks(found)):
            return found
        waited_s = (options.clock.monotonic_us() - began_us) / 1_000_000
        left_s = patience.total_seconds() - waited_s
        if left_s <= 0:
            raise StillRunningError(found.workflow_id, found.status.value, patience.total_seconds())
        yield Pause(min(pause_s, left_s))
        pause_s = min(pause_s * 2, longest_s)


def _asks(found: WorkflowInfo) -> bool:
    """Whether it does nothing until somebody says something."""
    return bool(found.waiting_for) and all(wait.kind in _SOMEBODY for wait in found.waiting_for)


def _headers(call: Call[Any], options: Options) -> dict[str, str]:
    headers = {"Accept": f"application/json, {_PROBLEM}, */*;q=0.5"}
    if call.body is not None:
        headers["Content-Type"] = "application/json"
    if call.keyed:
        headers["Idempotency-Key"] = str(options.ids.new_id())
    return headers


def may_pass(call: Call[Any], answer: httpx.Response) -> bool:
    """Whether the same request may be answered otherwise a little later, and may be sent again."""
    if answer.status_code == _TOO_MANY:
        return True  # it was not even begun
    return answer.status_code in _MAY_PASS - call.answers and call.repeatable


def retry_after(answer: httpx.Response) -> float | None:
    """So many seconds the server asks to wait; None where it says nothing."""
    written = answer.headers.get("Retry-After", "")
    return float(written) if written.isdecimal() else None


def read_answer(call: Call[T], answer: httpx.Response, retry_after_s: float | None) -> T:
    """The answer of a call.

    Raises:
        ProblemError: the server did not do it.
        UnexpectedAnswerError: what came is no answer of a server of ours.
    """
    status, url = answer.status_code, str(answer.url.copy_with(query=None))
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    if kind == _PROBLEM:
        raise ProblemError(_problem(answer, url), retry_after_s)
    if not (_FIRST_SUCCESS <= status < _FIRST_ERROR - 100 or status in call.answers):
        raise UnexpectedAnswerError(url, status, f"its body is {kind or 'of no type'}, not a problem")
    try:
        return call.read(answer.content)
    except ValidationError as exc:
        first = exc.errors()[0]
        reason = f"{'.'.join(map(str, first['loc'])) or 'the body'}: {first['msg']}"
    except UnicodeDecodeError as exc:
        reason = str(exc)
    raise UnexpectedAnswerError(url, status, reason)


def _problem(answer: httpx.Response, url: str) -> Problem:
    try:
        return Problem.model_validate_json(answer.content)
    except ValidationError:
        raise UnexpectedAnswerError(url, answer.status_code, "its problem is not written as ours are") from None
