"""What an HTTP step makes of an answer: one rule for the engine, which asks a server, and `.local`, which asks a world."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from ruvon.models._errors import HttpError
from ruvon.models._results import HttpResponse

__all__ = ["DEFAULT_MAX_BYTES", "judge_answer", "retry_after_us", "shown_url", "value_of_answer"]

DEFAULT_MAX_BYTES: Final = 10_000_000
"""Longest body of an answer where the step says nothing."""
_FIRST_ERROR: Final = 400
_EXCERPT: Final = 2_000
_LONGEST_WAIT_US: Final = 24 * 3_600_000_000
_PRIVATE_HEADERS: Final = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"})
_AUTHORITY: Final = re.compile(r"(//)[^/?#]*@")
_QUERY_VALUE: Final = re.compile(r"([?&][^=&#]*=)[^&#]*")


def shown_url(url: str) -> str:
    """An address for people: without credentials, without the values of its query, on one line."""
    bare = _AUTHORITY.sub(r"\1", url.partition("#")[0])
    return "".join(
        char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in _QUERY_VALUE.sub(r"\1***", bare)
    )


def judge_answer(
    answer: HttpResponse,
    method: str,
    url: str,
    *,
    expect: Collection[int] = (),
    max_bytes: int | None = None,
    truncated: bool | None = None,
    now_us: int = 0,
    secrets: Collection[str] = (),
) -> None:
    """Refuse an answer that is an error, or longer than allowed.

    Args:
        answer: what the server said.
        method: the method of the request.
        url: its address, as the step names it.
        expect: statuses of 400 and more that are no errors.
        max_bytes: the longest body; None means `DEFAULT_MAX_BYTES`.
        truncated: whether the body was cut because it is longer; None counts the text's bytes.
        now_us: the present moment, which an HTTP date in `Retry-After` is held against.
        secrets: texts that the error may not show, in case the server repeats them.

    Raises:
        HttpError: it is one.
    """
    asked = f"{method} {shown_url(url)}"
    if answer.status >= _FIRST_ERROR and answer.status not in expect:
        raise HttpError(
            answer.status,
            f"{asked} was answered with status {answer.status}",
            _without(answer.text, secrets)[:_EXCERPT],
            headers={
                name: _without(value, secrets) for name, value in answer.headers.items() if name not in _PRIVATE_HEADERS
            },
            retry_after_us=retry_after_us(answer.headers, now_us),
        )
    limit = DEFAULT_MAX_BYTES if max_bytes is None else max_bytes
    if len(answer.text.encode()) > limit if truncated is None else truncated:
        raise HttpError(answer.status, f"{asked} was answered with more than max_bytes={limit}", "")


def _without(text: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def retry_after_us(headers: Mapping[str, str], now_us: int) -> int | None:
    """How long `Retry-After` asks to wait, at most a day; None where it says nothing that can be read.

    Args:
        headers: the answer's, their names in lower case.
        now_us: the present moment.
    """
    said = headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return min(int(said[:10]) * 1_000_000, _LONGEST_WAIT_US)
    try:
        moment = parsedate_to_datetime(said)
    except (ValueError, IndexError, OverflowError):
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    due_us = int((aware - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 1_000_000
    return min(max(due_us - now_us, 0), _LONGEST_WAIT_US)


def value_of_answer(answer: HttpResponse, method: str, url: str, *, includes: Collection[str], typed: bool) -> Any:
    """The value that the step's result is made of.

    Args:
        answer: what the server said.
        method: the method of the request.
        url: its address, as the step names it.
        includes: the parts that the result has, a dict of them; without any it is the body or the whole answer.
        typed: the result is validated as a type (`into=`), so the body must be JSON.

    Raises:
        HttpError: the body of a typed answer is no JSON.
    """
    if includes:
        return {part: _part(answer, part) for part in includes}
    if not typed:
        return answer
    try:
        return answer.json
    except ValueError:
        asked = f"{method} {shown_url(url)}"
        raise HttpError(answer.status, f"{asked} was answered with a body that is not JSON", "") from None


def _part(answer: HttpResponse, part: str) -> object:
    match part:
        case "status":
            return answer.status
        case "headers":
            return dict(answer.headers)
        case "text":
            return answer.text
        case _:
            try:
                return answer.json
            except ValueError:  # no JSON: the text is the body
                return answer.text
