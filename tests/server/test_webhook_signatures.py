"""Signatures of webhooks: the vector of the specification's own libraries, and whatever is done to a request."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ruvon.providers import SystemIds
from ruvon_server.webhooks import WebhookSecretError, WebhookVerificationError, _signature, sign, verify
from ruvon_server.webhooks._signature import new_secret

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of the vector, which everybody knows
WEBHOOK_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
BODY = b'{"test": 2432232314}'
SENT_S = 1_614_265_330
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
SENT = datetime.fromtimestamp(SENT_S, UTC)

secrets = st.binary(min_size=24, max_size=63).map(lambda key: "whsec_" + base64.b64encode(key + b"\1").decode())
"""Keys that end in no zero: HMAC fills short keys up with zeros, so with and without them they are one key."""
ids = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789_", min_size=1, max_size=40).map("msg_".__add__)
bodies = st.binary(max_size=200)
moments = st.integers(min_value=0, max_value=4_000_000_000)


def headers(**changed: str | None) -> dict[str, str]:
    """The headers of the vector, changed; None leaves one out."""
    given = {"webhook-id": WEBHOOK_ID, "webhook-timestamp": str(SENT_S), "webhook-signature": SIGNATURE}
    given |= {f"webhook-{name}": value for name, value in changed.items()}  # type: ignore[misc]
    return {name: value for name, value in given.items() if value is not None}


def refused(body: bytes | str, named: dict[str, str], secret: Any = SECRET, now: datetime = SENT) -> str:
    with pytest.raises(WebhookVerificationError) as found:
        verify(body, named, secret, now=now)
    return found.value.reason


def test_the_vector_of_the_specification_is_signed() -> None:
    """The reference libraries have this secret, id, moment, body and signature in their tests."""
    assert sign(SECRET, WEBHOOK_ID, SENT_S, BODY) == SIGNATURE


@pytest.mark.parametrize("secret", [SECRET, SECRET.removeprefix("whsec_"), ["whsec_AAAA", SECRET]])
@pytest.mark.parametrize("body", [BODY, BODY.decode()])
def test_the_vector_of_the_specification_is_verified(secret: Any, body: Any) -> None:
    """With and without the prefix of the secret, among several, as bytes and as text."""
    found = verify(body, headers(), secret, now=SENT)

    assert (found.id, found.sent_at, found.json()) == (WEBHOOK_ID, SENT, {"test": 2432232314})


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"id": None}, "header-missing"),
        ({"timestamp": None}, "header-missing"),
        ({"signature": None}, "header-missing"),
        ({"timestamp": "hello"}, "bad-timestamp"),
        ({"timestamp": "-1"}, "bad-timestamp"),
        ({"timestamp": "\u0661"}, "bad-timestamp"),
        ({"timestamp": "9" * 40}, "bad-timestamp"),
        ({"signature": "v1,dawfeoifkpqwoekfpqoekf"}, "no-match"),
        ({"signature": SIGNATURE[:8]}, "no-match"),
        ({"signature": "v1,"}, "no-match"),
        ({"signature": SIGNATURE.replace("v1,", "v2,")}, "no-match"),
        ({"signature": SIGNATURE.replace("v1,", "v1a,")}, "no-match"),
        ({"signature": "v1,\udcff"}, "no-match"),
        ({"id": "msg_\udcff"}, "no-match"),
    ],
)
def test_what_the_reference_libraries_refuse_is_refused(changed: dict[str, str | None], reason: str) -> None:
    """Each case of their tests, and some beside."""
    assert refused(BODY, headers(**changed)) == reason


def test_a_body_that_is_no_text_is_refused() -> None:
    """As some frameworks hand it over."""
    assert refused("\ud800", headers()) == "no-match"


def test_many_signatures_take_no_more_work_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The body is hashed once for each secret, however many signatures a request brings."""
    hashed: list[int] = []
    digest = hmac.digest

    def counted(key: bytes, message: bytes, algorithm: Any) -> bytes:
        hashed.append(len(message))
        return digest(key, message, algorithm)

    monkeypatch.setattr(_signature.hmac, "digest", counted)

    assert refused(BODY, headers(signature=" ".join(["v1,x"] * 1_000)), [SECRET, new_secret(SystemIds())]) == "no-match"
    assert len(hashed) == 2


def test_one_right_signature_among_others_is_enough() -> None:
    """Wrong ones of the same scheme and others of other schemes are passed over."""
    wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="

    found = verify(BODY, headers(signature=f"{wrong} v2,x {SIGNATURE} {wrong}"), SECRET, now=SENT)

    assert found.id == WEBHOOK_ID


@pytest.mark.parametrize(
    ("now", "reason"), [(SENT + timedelta(seconds=301), "too-old"), (SENT - timedelta(seconds=301), "too-new")]
)
def test_old_and_future_requests_are_refused(now: datetime, reason: str) -> None:
    """Five minutes either way are allowed, and no more."""
    assert refused(BODY, headers(), now=now) == reason
    assert verify(BODY, headers(), SECRET, now=now, tolerance=timedelta(seconds=301)).id == WEBHOOK_ID


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!", "whsec_\u00e4", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa"])
def test_a_secret_that_is_none_is_said_to_be_none(secret: str) -> None:
    """It is no matter of the request, and is not shown."""
    with pytest.raises(WebhookSecretError) as found:
        verify(BODY, headers(), secret, now=SENT)

    assert not secret or len(secret) < 8 or secret not in str(found.value)


def test_headers_have_names_in_any_case() -> None:
    """As frameworks give them."""
    assert verify(BODY, {name.title(): text for name, text in headers().items()}, SECRET, now=SENT).id == WEBHOOK_ID


def test_a_new_secret_has_256_random_bits() -> None:
    """Between the 24 and 64 bytes that the specification allows."""
    made = {new_secret(SystemIds()) for _ in range(20)}

    assert len(made) == 20
    assert {len(base64.b64decode(item.removeprefix("whsec_"))) for item in made} == {32}


@given(secrets, ids, moments, bodies)
def test_what_is_signed_is_verified(secret: str, webhook_id: str, sent_s: int, body: bytes) -> None:
    """By this secret; and it is the HMAC that the specification writes down."""
    signature = sign(secret, webhook_id, sent_s, body)
    named = {"webhook-id": webhook_id, "webhook-timestamp": str(sent_s), "webhook-signature": signature}
    key = base64.b64decode(secret.removeprefix("whsec_"))
    plain = hmac.new(key, f"{webhook_id}.{sent_s}.".encode() + body, hashlib.sha256).digest()

    assert verify(body, named, secret, now=datetime.fromtimestamp(sent_s, UTC)).body == body
    assert signature == f"v1,{base64.b64encode(plain).decode()}"


@given(secrets, secrets, ids, ids, moments, st.integers(-300, 300), bodies, bodies, st.integers(0, 3))
def test_whatever_is_changed_is_noticed(
    secret: str, other: str, webhook_id: str, other_id: str, sent_s: int, later_s: int, body: bytes, changed: bytes,
    what: int,
) -> None:  # fmt: skip
    """The body, the id, the moment within the tolerance, the secret."""
    assume([changed != body, other_id != webhook_id, later_s != 0 and sent_s + later_s >= 0, other != secret][what])
    now = datetime.fromtimestamp(sent_s, UTC)
    named = {
        "webhook-id": other_id if what == 1 else webhook_id,
        "webhook-timestamp": str(sent_s + later_s if what == 2 else sent_s),
        "webhook-signature": sign(secret, webhook_id, sent_s, body),
    }

    assert refused(changed if what == 0 else body, named, other if what == 3 else secret, now) == "no-match"


@given(secrets, secrets, ids, moments, bodies)
def test_during_a_rotation_either_secret_fits(old: str, new: str, webhook_id: str, sent_s: int, body: bytes) -> None:
    """Both sign, and a receiver that has one of them believes; one that has none of them does not."""
    assume(old != new)
    signatures = " ".join(sign(secret, webhook_id, sent_s, body) for secret in (new, old))
    named = {"webhook-id": webhook_id, "webhook-timestamp": str(sent_s), "webhook-signature": signatures}
    now = datetime.fromtimestamp(sent_s, UTC)

    assert verify(body, named, old, now=now) == verify(body, named, new, now=now)
    assert refused(body, named, new_secret(SystemIds()), now) == "no-match"
