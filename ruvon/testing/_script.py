"""What comes to a workflow from outside in a test: answers of people, signals, a cancel, each at its moment.

The outside world does not die with the process: what was answered or sent stays answered or sent, and what a wait was
answered with it is answered with again when a process repeats the asking.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, cast, final

import orjson

from ruvon.testing._errors import ScriptError

__all__ = ["Script", "ScriptedSignal"]

_NOW: Final = timedelta(0)


@final
@dataclass(frozen=True, slots=True)
class ScriptedSignal:
    """A signal and when it is sent."""

    message: object
    """The signal's model instance, or its type's name."""
    payload: object = None
    """The fields, where `message` is a name."""
    key: str | None = None
    after: timedelta = _NOW
    """How long after the start of the run."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """The outside world of a run."""

    answers: Mapping[str, Sequence[object]] = field(default_factory=dict[str, Sequence[object]])
    """By task or step, the answers in order; the last one is given again to whoever asks again."""
    signals: Sequence[ScriptedSignal] = ()
    answer_after: timedelta = _NOW
    """How long people take."""
    cancel_after: timedelta | None = None
    lag: timedelta = _NOW
    """Whoever drives what is due, or has a message, comes so much later."""

    @staticmethod
    def of_json(text: bytes | str) -> "Script":
        """A script as JSON, by the names of its parts, moments as seconds: `answer_after_s`, `cancel_after_s`, `lag_s`.

        `answers` is by task; a signal has `type`, `payload`, `key`, `after_s`.

        Raises:
            ScriptError: the text is no script; the message names the part.
        """
        try:
            tree = orjson.loads(text)
        except orjson.JSONDecodeError as exc:
            raise ScriptError(f"it is no JSON: {exc}") from None
        if not isinstance(tree, dict):
            raise ScriptError("it must be an object")
        given = cast("dict[str, Any]", tree)
        unknown = sorted(set(given) - {"answers", "signals", "answer_after_s", "cancel_after_s", "lag_s"})
        if unknown:
            raise ScriptError(
                f"it has no key `{unknown[0]}`; it has answers, signals, answer_after_s, cancel_after_s, lag_s"
            )
        cancel = given.get("cancel_after_s")
        return Script(
            answers={name: _list(name, value) for name, value in _mapping("answers", given.get("answers", {})).items()},
            signals=[_signal(item) for item in _list("signals", given.get("signals", []))],
            answer_after=_seconds("answer_after_s", given.get("answer_after_s", 0)),
            cancel_after=_seconds("cancel_after_s", cancel) if cancel is not None else None,
            lag=_seconds("lag_s", given.get("lag_s", 0)),
        )


def _mapping(name: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ScriptError(f"`{name}` must be an object")
    return cast("dict[str, object]", value)


def _list(name: str, value: object) -> list[object]:
    if not isinstance(value, list):
        raise ScriptError(f"`{name}` must be a list")
    return cast("list[object]", value)


def _seconds(name: str, value: object) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ScriptError(f"`{name}` must be a number of seconds")
    return timedelta(seconds=value)


def _signal(item: object) -> ScriptedSignal:
    given = _mapping("signals[]", item)
    unknown = sorted(set(given) - {"type", "payload", "key", "after_s"})
    if unknown:
        raise ScriptError(f"a signal has no key `{unknown[0]}`; it has type, payload, key, after_s")
    if not isinstance(given.get("type"), str):
        raise ScriptError("a signal needs `type`, the name of its model")
    key = given.get("key")
    return ScriptedSignal(
        given["type"],
        given.get("payload", {}),
        str(key) if key is not None else None,
        _seconds("after_s", given.get("after_s", 0)),
    )
