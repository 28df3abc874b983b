"""Headers of requests."""

import pytest

from ruvon.implementations.egress._headers import HeaderError, clean_headers, for_another_origin, without_body

WRONG = [
    {"X-A": "a\r\nX-B: c"}, {"X-A": "a\nb"}, {"X-A": "a\x00"}, {"X-A\r\nX-B": "c"}, {"X A": "a"}, {"": "a"}, {"X:": "a"}, {"Ü": "a"}, {"X-A": "ᄀ"}, {"X-A": "a\x7f"}, {"X-A": " a"},
    {"Host": "b.de"}, {"Content-Length": "1"}, {"transfer-encoding": "chunked"}, {"Connection": "upgrade"}, {"TE": "trailers"}, {"Accept-Encoding": "br"}, {"Proxy-Authorization": "x"}, {"Expect": "100-continue"},
    {"x-a": "1", "X-A": "2"}, {"x": "y" * 20_000},
]  # fmt: skip


@pytest.mark.parametrize("headers", WRONG, ids=ascii)
def test_refused(headers: dict[str, str]) -> None:
    """What could end a header or frame another message is not sent, and its value is not shown."""
    with pytest.raises(HeaderError) as caught:
        clean_headers(headers)

    assert not any(value in str(caught.value) for value in headers.values() if len(value) > 2)


def test_taken() -> None:
    """Usual headers pass, their names in lower case."""
    assert clean_headers({"X-A": "a b\té", "Authorization": "Bearer x"}) == {
        "x-a": "a b\té",
        "authorization": "Bearer x",
    }


def test_other_servers_see_nothing_private() -> None:
    """Across origins only what everybody may know is kept; without a body nothing that describes one."""
    headers = {"authorization": "x", "x-token": "y", "cookie": "z", "accept": "a", "content-type": "t"}

    assert for_another_origin(headers) == {"accept": "a", "content-type": "t"}
    assert without_body(headers) == {"authorization": "x", "x-token": "y", "cookie": "z", "accept": "a"}
