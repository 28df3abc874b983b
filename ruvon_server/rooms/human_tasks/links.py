"""Approval links: a text that says which answer is given to which task, signed so that nobody can change it.

What a link says can be read by whoever has it; only the signature is secret. A link is of use once because a wait takes
one answer, whoever gives it; a question that is asked again, after a rewind, is not the one that the link is about.
"""

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any, Final, final

import orjson
from pydantic import SecretStr

from ruvon.providers import Clock
from ruvon_server.problems import LinkExpiredError, LinkNotFoundError, LinksAreOffError

__all__ = ["Link", "Links"]

_PURPOSE: Final = b"ruvon approval link 1\0"
"""Signatures for anything else never fit."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What a link does."""

    task_id: str
    answer: Any
    expires_us: int
    made_by: str
    """Who made it."""
    recipient: str = ""
    """For whom; the history names him."""
    seq: int = 0
    """How long the history of the workflow was when it was made: who answers after that answers in its place."""


@final
class Links:
    """Signs and reads links.

    Args:
        key: signs them; without one there are none.
        clock: says when they end.
    """

    def __init__(self, key: SecretStr | None, clock: Clock) -> None:
        self._key = key.get_secret_value().encode() if key is not None else None
        self._clock = clock

    def sign(self, link: Link) -> str:
        """The text of a link.

        Raises:
            LinksAreOffError: there is no key.
        """
        said = [link.task_id, link.answer, link.expires_us, link.made_by, link.recipient, link.seq]
        body = orjson.dumps(said)
        return f"{_text(body)}.{_text(self._signature(body))}"

    def read(self, text: str) -> Link:
        """What a link does.

        Raises:
            LinksAreOffError: there is no key.
            LinkNotFoundError: the text is no link of this server.
            LinkExpiredError: its time is over.
        """
        if self._key is None:
            raise LinksAreOffError
        said, _, signature = text.partition(".")
        try:
            body, given = _bytes(said), _bytes(signature)
        except (binascii.Error, ValueError):
            raise LinkNotFoundError from None
        if not hmac.compare_digest(self._signature(body), given):
            raise LinkNotFoundError
        task_id, answer, expires_us, made_by, recipient, *more = orjson.loads(body)
        if expires_us <= self._clock.now_us():
            raise LinkExpiredError
        return Link(
            task_id=task_id,
            answer=answer,
            expires_us=expires_us,
            made_by=made_by,
            recipient=recipient,
            seq=more[0] if more else 0,
        )

    def _signature(self, body: bytes) -> bytes:
        if self._key is None:
            raise LinksAreOffError
        return hmac.digest(self._key, _PURPOSE + body, hashlib.sha256)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
