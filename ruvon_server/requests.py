"""How bodies are read: strictly, and within limits.

A body is UTF-8 JSON of bounded size and depth, without doubled keys, without numbers that no store holds, and without NUL.
"""

import json
import math
import re
from collections import Counter
from typing import Any, Final, NoReturn, final

from litestar import Request
from litestar.types import Empty
from pydantic import JsonValue

from ruvon_server.problems import BadJsonError, UnsupportedMediaTypeError

__all__ = ["StrictRequest", "parse_json"]

_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]')
_DIGITS: Final = 400
"""So many digits may a whole number have."""
_DEPTH: Final = 64
JSON: Final = "application/json"


@final
class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON body is read strictly."""

    async def json(self) -> Any:
        """The body.

        Raises:
            UnsupportedMediaTypeError: it is said to be something else.
            BadJsonError: it is no JSON, or JSON that is not taken.
        """
        if self._json is Empty:
            kind = self.content_type[0]
            if kind != JSON and not (kind.startswith("application/") and kind.endswith("+json")):
                raise UnsupportedMediaTypeError(kind, JSON)
            depth = getattr(self.app.state, "json_depth", _DEPTH)
            self._json = parse_json(await self.body(), depth=depth)
        return self._json


def parse_json(body: bytes, *, depth: int = _DEPTH) -> Any:
    """The value that JSON text stands for.

    Raises:
        BadJsonError: it is no JSON, or JSON that is not taken.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise BadJsonError(f"it is not UTF-8 (byte {exc.start})") from None
    if body.count(b"[") + body.count(b"{") > depth:
        _require_flat(body, depth)
    try:
        found = json.loads(
            text, object_pairs_hook=_no_doubles, parse_float=_float, parse_int=_int, parse_constant=_constant
        )
    except json.JSONDecodeError as exc:
        raise BadJsonError(f"{exc.msg} (line {exc.lineno}, column {exc.colno})") from None
    except RecursionError:
        raise BadJsonError(f"it is nested deeper than {depth}") from None
    if "\\u" in text:
        _require_text(found)
    return found


def _require_flat(body: bytes, depth: int) -> None:
    """Refuse what is nested too deeply, before anything is made of it."""
    level = 0
    for token in _TOKENS.finditer(body):
        sign = token.group()[:1]
        level += (sign in b"[{") - (sign in b"]}")
        if level > depth:
            raise BadJsonError(f"it is nested deeper than {depth}")


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        double, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise BadJsonError(f"the key {double!r} is there more than once")
    return found


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise BadJsonError(f"the number {text[:40]} is too large")
    return value


def _int(text: str) -> int:
    if len(text) > _DIGITS:
        raise BadJsonError(f"a number has more than {_DIGITS} digits")
    return int(text)


def _constant(text: str) -> NoReturn:
    raise BadJsonError(f"{text} is no JSON")


def _require_text(value: JsonValue) -> None:
    """Refuse escapes that stand for no text: NUL, and halves of characters."""
    pending: list[JsonValue] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            if "\0" in item or any("\ud800" <= char <= "\udfff" for char in item):
                raise BadJsonError("a text holds NUL or half a character")
        elif isinstance(item, dict):
            pending += (*item, *item.values())
        elif isinstance(item, list):
            pending += item
