"""Signatures of webhooks: HMAC-SHA256 over `id.timestamp.body`, as Standard Webhooks 1.0.0 defines them.

The specification is https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md. Of its two
schemes this is the symmetric one, `v1`; signatures of other schemes in the header are passed over.

RuvonError
├── WebhookSecretError          a secret that cannot be one
└── WebhookVerificationError    a request that is not to be believed
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias, final

import orjson

from ruvon.ir import RuvonError
from ruvon.providers import IdSource, SystemClock

__all__ = [
    "ID",
    "SIGNATURE",
    "TIMESTAMP",
    "VerifiedWebhook",
    "WebhookSecretError",
    "WebhookVerificationError",
    "new_secret",
    "sign",
    "verify",
]

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
_PREFIX: Final = "whsec_"
_SCHEME: Final = "v1,"
_SECRET_BYTES: Final = 32
_TOLERANCE: Final = timedelta(minutes=5)
_SECONDS: Final = re.compile(r"[0-9]{1,11}", re.ASCII)
_MOST_SIGNATURES: Final = 32
Reason: TypeAlias = Literal["header-missing", "bad-timestamp", "too-old", "too-new", "no-match"]


class WebhookSecretError(RuvonError, ValueError):
    """A secret is not `whsec_` and base64. It is not shown."""

    def __init__(self) -> None:
        super().__init__(
            "the secret of a webhook is `whsec_` and base64, as it was shown when the webhook was made; this one is not"
        )


class WebhookVerificationError(RuvonError, ValueError):
    """A request is not to be believed: answer 400 or 401, and do nothing of what it says.

    Args:
        reason: `header-missing`, `bad-timestamp`, `too-old`, `too-new` or `no-match`.
        sentence: what is wrong.
    """

    def __init__(self, reason: Reason, sentence: str) -> None:
        self.reason: Reason = reason
        super().__init__(sentence)


@final
@dataclass(frozen=True, slots=True)
class VerifiedWebhook:
    """A request whose signature is right."""

    id: str
    """The event's id, the same each time that it is sent: act once for each."""
    sent_at: datetime
    """When this attempt was made, to the second (UTC)."""
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON: `type`, `timestamp` and `data`.

        Raises:
            ValueError: it is none; a webhook of Ruvon always is.
        """
        return orjson.loads(self.body)


def new_secret(ids: IdSource) -> str:
    """A secret that nobody has seen: `whsec_` and 32 random bytes in base64."""
    return _PREFIX + base64.b64encode(ids.token(_SECRET_BYTES)).decode()


def sign(secret: str, webhook_id: str, timestamp_s: int, body: bytes) -> str:
    """The signature of one attempt: `v1,` and base64.

    Args:
        secret: with or without `whsec_`.
        webhook_id: the event's id.
        timestamp_s: when the attempt is made, in seconds since the Unix epoch.
        body: the bytes that are sent.

    Raises:
        WebhookSecretError: the secret is none.
    """
    signed = b".".join((webhook_id.encode("utf-8", "surrogatepass"), str(timestamp_s).encode(), body))
    return _SCHEME + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode()


def verify(
    body: bytes | str,
    headers: Mapping[str, str],
    secret: str | Sequence[str],
    *,
    tolerance: timedelta = _TOLERANCE,
    now: datetime | None = None,
) -> VerifiedWebhook:
    """Make sure that a request comes from whoever has the secret, is what was sent, and is no old one.

    Signatures are compared in constant time. A request may come twice all the same: remember the ids that were acted on.

    Args:
        body: the bytes as they came; JSON that was read and written again is something else.
        headers: the headers of the request, their names in any case.
        secret: the secret of the webhook; several during a rotation.
        tolerance: so far the clocks may differ, and so long a request may have been under way.
        now: the present moment; the clock of this machine where none is given.

    Raises:
        WebhookVerificationError: it is not to be believed; `reason` says why.
        WebhookSecretError: a secret is none.
    """
    secrets = (secret,) if isinstance(secret, str) else tuple(secret)
    raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
    named = {name.lower(): value for name, value in headers.items()}
    webhook_id, written, signatures = (_header(named, name) for name in (ID, TIMESTAMP, SIGNATURE))
    if _SECONDS.fullmatch(written) is None:
        raise WebhookVerificationError("bad-timestamp", f"the header {TIMESTAMP} is no number of seconds")
    sent_s = int(written)
    given = [item.encode("utf-8", "replace") for item in signatures.split(" ", _MOST_SIGNATURES)[:_MOST_SIGNATURES]]
    matches = [
        hmac.compare_digest(expected, found)
        for expected in [sign(item, webhook_id, sent_s, raw).encode() for item in secrets]
        for found in given
    ]
    if not any(matches):
        raise WebhookVerificationError(
            "no-match", "no signature fits: the secret is another one, or the request is not what was sent"
        )
    sent_at = _within(sent_s, tolerance, SystemClock().now() if now is None else now)
    return VerifiedWebhook(webhook_id, sent_at, raw)


def _within(sent_s: int, tolerance: timedelta, now: datetime) -> datetime:
    sent_at = datetime.fromtimestamp(sent_s, UTC)
    if sent_at < now - tolerance:
        raise WebhookVerificationError("too-old", f"the request was sent at {sent_at}, more than {tolerance} ago")
    if sent_at > now + tolerance:
        raise WebhookVerificationError("too-new", f"the request says {sent_at}, more than {tolerance} from now")
    return sent_at


def _header(named: Mapping[str, str], name: str) -> str:
    found = named.get(name)
    if not found:
        raise WebhookVerificationError("header-missing", f"the header {name} is missing")
    return found


def _key(secret: str) -> bytes:
    try:
        found = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise WebhookSecretError from None
    if not found:
        raise WebhookSecretError
    return found
