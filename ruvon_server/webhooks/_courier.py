"""One attempt: the request, and what its answer means.

As Standard Webhooks 1.0.0 advises: 2xx is success, everything else is not; redirects are not followed; 410 ends the
endpoint; `Retry-After` makes the wait longer, by a day at most.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from ipaddress import ip_address
from typing import Final, final

from ruvon.implementations.egress import EgressPolicy, HttpEgress, Resolver
from ruvon.implementations.egress._policy import ALLOW_VARIABLE
from ruvon.implementations.egress._url import Target, UrlError, parse_url
from ruvon.models._http import retry_after_us
from ruvon.providers import (
    Clock,
    EgressAnswer,
    EgressError,
    EgressProvider,
    EgressRefusedError,
    EgressRequest,
    IdSource,
)
from ruvon_server.problems import WebhookUrlRefusedError
from ruvon_server.webhooks._records import ATTEMPTS, DELAYS_US, Attempt, DeliveryRecord, Endpoint
from ruvon_server.webhooks._shares import ALL
from ruvon_server.webhooks._signature import ID, SIGNATURE, TIMESTAMP, sign

__all__ = ["Courier", "Outcome", "egress_for", "policy_for", "require_url"]

_TIMEOUT: Final = timedelta(seconds=15)
_ANSWER_BYTES: Final = 16_384
_SHOWN: Final = 500
_SECOND_US: Final = 1_000_000
_JITTER: Final = 0.1
"""Waits are up to a tenth longer, so that what failed together does not come again together."""
_GONE: Final = 410


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt."""

    delivery: DeliveryRecord
    """As it stands now."""
    is_gone: bool = False
    """The endpoint wants nothing any more."""
    pause_us: int = 0
    """So long the endpoint asks to be left alone."""


def policy_for(allow: tuple[str, ...]) -> EgressPolicy:
    """Where webhooks may go: every public address, and what is named.

    Args:
        allow: names, networks and the word `private`, as `RUVON_EGRESS_ALLOW` has them.

    Raises:
        ValueError: one is none of these.
    """
    named = EgressPolicy.from_environment({ALLOW_VARIABLE: ",".join(allow)})
    return replace(named, max_redirects=0, max_connections=ALL, timeout=_TIMEOUT)


def egress_for(policy: EgressPolicy, resolver: Resolver | None = None) -> HttpEgress:
    """What sends: the client of HTTP steps, under a policy of its own."""
    return HttpEgress(policy, resolver=resolver)


def require_url(policy: EgressPolicy, url: str) -> None:
    """Refuse an address that webhooks never reach; what a name leads to is judged by each attempt.

    Raises:
        WebhookUrlRefusedError: the address is malformed, has a password in it, is not https, or is closed.
    """
    try:
        target = parse_url(url)
    except UrlError as exc:
        raise WebhookUrlRefusedError(str(exc)) from None
    if target.credentials is not None:
        raise WebhookUrlRefusedError(
            "it has a user or a password in it, which everybody would see who may see the webhook"
        )
    refusal = policy.refusal(target.host, target.port, target.address) if target.address is not None else None
    if refusal is not None:
        raise WebhookUrlRefusedError(
            f"{target.host} is closed to webhooks; RUVON_SERVER_WEBHOOK_ALLOW opens it by name"
        )
    if target.scheme != "https" and not _is_open_loopback(policy, target):
        raise WebhookUrlRefusedError(
            "it is not https; http is only for this machine, where RUVON_SERVER_WEBHOOK_ALLOW names it"
        )


def _is_open_loopback(policy: EgressPolicy, target: Target) -> bool:
    if target.address is None:
        return target.host == "localhost" and (policy.names(target.host) or policy.allow_private)
    return ip_address(target.host).is_loopback


@final
class Courier:
    """Makes attempts.

    Args:
        egress: sends the requests.
        policy: where they may go.
        clock: says when.
        ids: vary the waits.
    """

    def __init__(self, egress: EgressProvider, policy: EgressPolicy, clock: Clock, ids: IdSource) -> None:
        self._egress = egress
        self._policy = policy
        self._clock = clock
        self._ids = ids

    async def attempt(self, endpoint: Endpoint, delivery: DeliveryRecord) -> Outcome:
        """Send a delivery once. It waits at most a quarter of a minute."""
        began_us, began = self._clock.now_us(), self._clock.monotonic_us()
        answer: EgressAnswer | None = None
        error: str | None = None
        try:
            require_url(self._policy, endpoint.url)  # the settings may have changed
            answer = await self._egress.send(self._request(endpoint, delivery, began_us // _SECOND_US))
        except EgressRefusedError as exc:
            error = f"{exc.target}: it leads where webhooks may not go; RUVON_SERVER_WEBHOOK_ALLOW names what is open"
        except (EgressError, WebhookUrlRefusedError, TimeoutError) as exc:
            error = str(exc)
        if answer is not None and not _is_success(answer.status):
            error = f"answered {answer.status}" + (
                ", a redirect, which is not followed" if 300 <= answer.status < 400 else ""
            )
        made = Attempt(
            at_us=began_us,
            status=answer.status if answer is not None else None,
            duration_us=self._clock.monotonic_us() - began,
            error=error,
            answer=answer.text[:_SHOWN].replace("\0", "\ufffd") if answer is not None else "",
        )
        return self._judged(replace(delivery, attempts=(*delivery.attempts, made), next_us=None), answer)

    def _request(self, endpoint: Endpoint, delivery: DeliveryRecord, now_s: int) -> EgressRequest:
        body = delivery.body.encode()
        secrets = endpoint.signing(now_s * _SECOND_US)
        headers = {
            "content-type": "application/json",
            "user-agent": "ruvon-webhooks",
            ID: delivery.event_id,
            TIMESTAMP: str(now_s),
            SIGNATURE: " ".join(sign(secret, delivery.event_id, now_s, body) for secret in secrets),
        }
        return EgressRequest(
            method="POST", url=endpoint.url, headers=headers, content=body, max_bytes=_ANSWER_BYTES, timeout=_TIMEOUT
        )

    def _judged(self, tried: DeliveryRecord, answer: EgressAnswer | None) -> Outcome:
        now_us, count = self._clock.now_us(), len(tried.attempts)
        if answer is not None and _is_success(answer.status):
            return Outcome(replace(tried, status="delivered"))
        if answer is not None and answer.status == _GONE:
            return Outcome(replace(tried, status="failed"), is_gone=True)
        asked_us = (retry_after_us(answer.headers, now_us) or 0) if answer is not None else 0
        if count >= ATTEMPTS:
            return Outcome(replace(tried, status="failed"), pause_us=asked_us)
        wait_us = round(DELAYS_US[count] * (1 + _JITTER * self._ids.random()))
        return Outcome(replace(tried, next_us=now_us + max(wait_us, asked_us)), pause_us=asked_us)


def _is_success(status: int) -> bool:
    return 200 <= status < 300
