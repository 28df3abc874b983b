"""One strict reading of addresses: what two readers could read differently is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruvon.implementations.egress._url import Target, UrlError, parse_url
from ruvon.models._http import shown_url

TAKEN = {
    "http://example.com": ("http", "example.com", 80, "/"),
    "HTTPS://Example.COM./a?b#c": ("https", "example.com", 443, "/a?b"),
    "https://example.com:8443/a b/ü?q=ö&r=%20": ("https", "example.com", 8443, "/a%20b/%C3%BC?q=%C3%B6&r=%20"),
    "http://[2606:4700::1111]:8080/": ("http", "2606:4700::1111", 8080, "/"),
    "http://[::ffff:8.8.8.8]/": ("http", "::ffff:808:808", 80, "/"),
    "http://127.0.0.1/": ("http", "127.0.0.1", 80, "/"),
    "http://bücher.example/": ("http", "xn--bcher-kva.example", 80, "/"),
    "http://straße.de/": ("http", "xn--strae-oqa.de", 80, "/"),
    "http://a_b.internal?x": ("http", "a_b.internal", 80, "/?x"),
    "http://example.com/a@b:c": ("http", "example.com", 80, "/a@b:c"),
}  # fmt: skip
REFUSED = [
    "", "/a", "//example.com/", "example.com", "ftp://example.com/", "file:///etc/passwd", "gopher://a/", "javascript:alert(1)", "data:,x",
    "http:/example.com", "http:example.com", "http://", "http:///a", "http://?a", "http://:80/", "https://#",
    "http://127.1/", "http://2130706433/", "http://017700000001/", "http://0x7f000001/", "http://0x7f.0.0.1/", "http://0177.0.0.1/",
    "http://127.0.0.01/", "http://127.0.0.1.1/", "http://1.2.3.4.5/", "http://0x7f.1/", "http://0/", "http://0x/", "http://127.0.0.256/", "http://example.123/",
    "http://127.0.0.0x1/", "http://999/", "http://127.0.0.1x.1/",
    "http://[::1/", "http://::1/", "http://[::1]x/", "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[127.0.0.1]/", "http://[]/", "http://[::ffff:127.1]/",
    "http://a.de:99999/", "http://a.de:0/", "http://a.de:/", "http://a.de:8a/", "http://a.de:-1/", "http://a.de: 80/",
    "http://a.de\n/", "http://a.de/\r\nX: y", "http://a.de/\tx", "http://a\x00.de/", "http://a.de/\x7f", "http://a.de/\u2028", " http://a.de/", "http://a.de/\x85",
    "http://a.de\\@b.de/", "http://a.de\\.b.de/", "http:\\\\a.de/", "http://a.de/\\..",
    "http://a@b@c.de/", "http://a.de%2eb.de/", "http://%31%32%37.0.0.1/", "http://a b.de/", "http://a..de/", "http://.de/", "http://-a.de/", "http://a-.de/", "http://a.de,b.de/", "http://a*b/",
    "http://①②⑦.⓪.⓪.①/", "http://１２７.０.０.１/", "http://127。0。0。1/", "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "http://ﬁ.de/", "http://\u202e.de/", "http://a\u200bb.de/", "http://a／b.de/", "http://xn--ü.de/", "http://a\u3002de/", "http://exa\u00admple.com/",  # noqa: RUF001 - what an attacker writes
    "http://" + "a" * 64 + ".de/", "http://" + "a." * 130 + "de/", "http://a.de/" + "x" * 9000, "http://a.de/\ud800",
]  # fmt: skip


@pytest.mark.parametrize("text", TAKEN)
def test_taken(text: str) -> None:
    """Scheme, host, port and path of usual addresses."""
    found = parse_url(text)

    assert (found.scheme, found.host, found.port, found.path) == TAKEN[text]
    assert parse_url(found.url) == found


@pytest.mark.parametrize("text", REFUSED, ids=ascii)
def test_refused(text: str) -> None:
    """Everything unusual is refused, with a sentence that shows nothing of it."""
    with pytest.raises(UrlError):
        parse_url(text)


def test_credentials_leave_the_address() -> None:
    """User information becomes `Authorization` and stands nowhere else."""
    found = parse_url("https://us%40er:p%3Ass@example.com/")

    assert found.credentials == "Basic dXNAZXI6cDpzcw=="
    assert found.url == "https://example.com/"


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/b", "https://a.de:8443/b"),
        ("c", "https://a.de:8443/x/c"),
        ("?q", "https://a.de:8443/x/y?q"),
        ("//b.de/z", "https://b.de/z"),
        ("http://b.de", "http://b.de/"),
    ],
)
def test_redirects_are_joined(location: str, url: str) -> None:
    """A relative place is read against the address that answered."""
    assert Target("https", "a.de", 8443, "/x/y").join(location).url == url


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://127.1/", "//a\\b", "http://a\n.de"])
def test_redirects_are_read_as_strictly(location: str) -> None:
    """A redirect is no way around the rules."""
    with pytest.raises(UrlError):
        Target("https", "a.de", 443, "/").join(location)


@given(st.text(alphabet=st.sampled_from("ab1.:@/?#[]%\\ \n-_é。xX0")))
def test_whatever_is_taken_is_read_alike_by_httpx(tail: str) -> None:
    """No address is taken that httpx would send elsewhere."""
    import httpx

    try:
        found = parse_url(f"http://{tail}")
    except UrlError:
        return
    other = httpx.URL(found.url)
    assert (other.scheme, other.raw_host.decode(), other.port or 80) == (found.scheme, found.host, found.port)


def test_shown_addresses_hold_no_secrets() -> None:
    """Credentials and query values are not shown, nor line breaks."""
    assert shown_url("https://me:pw@a.de/x?key=s3cret&b=&c#f") == "https://a.de/x?key=***&b=***&c"
    assert shown_url("https://a.de/x\r\nSet-Cookie: a") == "https://a.de/x\ufffd\ufffdSet-Cookie: a"
