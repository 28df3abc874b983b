"""What an HTTP step makes of an answer."""

import pytest

from ruvon.models import HttpError, HttpResponse
from ruvon.models._http import judge_answer, retry_after_us, value_of_answer

NOW = 1_000_000_000_000_000
"""2001-09-09 01:46:40."""
DAY = 86_400_000_000


@pytest.mark.parametrize(
    ("said", "wait"),
    [
        ("0", 0), ("7", 7_000_000), (" 7 ", 7_000_000), ("999999999999999", DAY), ("86401", DAY),
        ("Sun, 09 Sep 2001 01:47:00 GMT", 20_000_000), ("Sunday, 09-Sep-01 01:47:00 GMT", 20_000_000), ("Sun, 09 Sep 2001 01:46:00 GMT", 0), ("Sun, 09 Sep 2001 03:47:00 +0200", 20_000_000), ("Sun, 09 Sep 2035 01:47:00 GMT", DAY), ("Sun, 09 Sep 2001 01:47:00 -0000", 20_000_000),
        ("", None), ("-1", None), ("1.5", None), ("soon", None), ("٣", None), ("Sun, 99 Sep 2001 01:47:00 GMT", None), ("1" * 5_000, DAY),
        ("Sun, 09 Sep 99999999999999999999 01:47:00 GMT", None), ("Sun, 09 Sep 2001 01:47:99999999999999999999 GMT", None), ("Sun, 09 Sep 2001 01:47:00 +99999999999999999999", None), ("Sat, 01 Jan 0001 00:00:00 +2359", 0), ("Fri, 31 Dec 9999 23:59:59 -2359", DAY),
    ],
)  # fmt: skip
def test_retry_after(said: str, wait: int | None) -> None:
    """Seconds and dates, at most a day; what cannot be read says nothing."""
    assert retry_after_us({"retry-after": said}, NOW) == wait


def test_no_retry_after() -> None:
    """A missing header says nothing."""
    assert retry_after_us({}, NOW) is None


@pytest.mark.parametrize(("status", "repeats"), [(400, False), (404, False), (408, False), (409, False), (429, True), (500, True), (503, True), (599, True), (200, False)])  # fmt: skip
def test_which_statuses_are_repeated(status: int, repeats: bool) -> None:
    """Too many requests, and trouble of the server."""
    assert HttpError(status).retryable is repeats


def test_an_error_is_short_and_discreet() -> None:
    """The body is cut; secrets are masked in it and in the headers; cookies are left out."""
    answer = HttpResponse(500, {"x-a": "tok3n", "set-cookie": "tok3n", "retry-after": "2"}, "tok3n " + "x" * 5_000)

    with pytest.raises(HttpError) as caught:
        judge_answer(answer, "GET", "https://me:pw@a.de/?k=tok3n", now_us=NOW, secrets=["tok3n"])

    error = caught.value
    assert (len(error.body), error.retry_after_us) == (2_000, 2_000_000)
    assert error.headers == {"x-a": "***", "retry-after": "2"}
    assert "tok3n" not in error.body
    assert str(error) == "GET https://a.de/?k=*** was answered with status 500"


def test_expected_statuses_are_answers() -> None:
    """What `expect` names, and everything below 400, is no error."""
    judge_answer(HttpResponse(404, {}, ""), "GET", "u", expect=(404,))
    judge_answer(HttpResponse(399, {}, ""), "GET", "u")


def test_the_default_limit() -> None:
    """Without `max_bytes` a body may have ten million bytes."""
    judge_answer(HttpResponse(200, {}, "x" * 10_000_000), "GET", "u")
    with pytest.raises(HttpError, match="max_bytes=10000000"):
        judge_answer(HttpResponse(200, {}, "x" * 10_000_001), "GET", "u")


def test_a_typed_answer_must_be_json() -> None:
    """A page of HTML where a model is wanted is an error with a sentence of its own, which is not repeated."""
    with pytest.raises(HttpError, match="a body that is not JSON") as caught:
        value_of_answer(HttpResponse(200, {}, "<html>"), "GET", "u", includes=(), typed=True)

    assert caught.value.retryable is False
