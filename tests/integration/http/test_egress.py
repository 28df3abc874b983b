"""The egress client against real servers on loopback, and what an attacker would try on it."""

import asyncio
import gzip
import ssl
import threading
import zlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ruvon.implementations.egress import EgressPolicy, HttpEgress, _transport
from ruvon.providers import (
    EgressAnswer,
    EgressError,
    EgressFailedError,
    EgressProvider,
    EgressRefusedError,
    EgressRequest,
    MissingExtraError,
)
from tests.support.http_server import Asked, Server, answer, serving

LOOPBACK = EgressPolicy(allow_networks=("127.0.0.1",))
PEM = Path(__file__).with_name("shop_test.pem")
"""A certificate and its key, for these tests and for ever: `shop.test`, signed by itself."""
NAMED = EgressPolicy(allow_hosts=("shop.test", "*.test"))


class Names:
    """A resolver that answers in turn; the last answer for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int, /) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def ask(
    url: str,
    policy: EgressPolicy = LOOPBACK,
    *,
    resolver: Any = None,
    max_bytes: int = 100_000,
    timeout: timedelta | None = timedelta(seconds=30),
    **fields: Any,
) -> EgressAnswer:
    """Send one request in a loop of its own."""
    request = EgressRequest(method=fields.pop("method", "GET"), url=url, max_bytes=max_bytes, timeout=timeout, **fields)
    return asyncio.run(HttpEgress(policy, resolver=resolver).send(request))


async def hello(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """Say something."""
    answer(writer, 200, b"hello", {"Content-Type": "text/plain", "Set-Cookie": "a=1"})


def redirecting(**places: str) -> Callable[[Asked, asyncio.StreamWriter], Awaitable[None]]:
    """A server that sends `/name` to its place with status 302, or the status that the name ends with."""

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        name = asked.path.strip("/")
        if name in places:
            answer(writer, int(name[-3:]) if name[-3:].isdigit() else 302, b"", {"Location": places[name]})
        else:
            answer(writer, 200, f"{asked.method} {asked.body.decode()}".encode())

    return behave


def test_an_answer() -> None:
    """Status, headers and body come as they are; `Host` names the server and cookies are not kept."""
    with serving(hello) as server:

        async def twice() -> list[EgressAnswer]:
            egress = HttpEgress(LOOPBACK)
            request = EgressRequest(method="POST", url=f"{server.url}/x?y=1", content=b"body", max_bytes=100)
            return [await egress.send(request), await egress.send(request)]

        first, second = asyncio.run(twice())

    assert (first.status, first.content, first.text) == (200, b"hello", "hello")
    assert first == second
    assert server.asked[1].headers["host"] == f"127.0.0.1:{server.port}"
    assert "cookie" not in server.asked[1].headers
    assert server.asked[1].body == b"body"
    assert server.connections == 1
    assert isinstance(HttpEgress(), EgressProvider)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "127.1", "2130706433", "0x7f.1", "0177.0.0.1", "0.0.0.1", "[::]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "①②⑦.⓪.⓪.①", "127.0.0.1\n", "127.0.0.1%00", "localhost.", "LOCALHOST"],
)  # fmt: skip
def test_loopback_is_closed_in_every_spelling(host: str) -> None:
    """Nothing reaches this machine by default, however it is written."""
    with serving(hello) as server, pytest.raises(EgressRefusedError):
        ask(f"http://{host}:{server.port}/", EgressPolicy())

    assert server.connections == 0


@pytest.mark.parametrize(
    "addresses",
    [["10.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["::ffff:169.254.169.254"], ["fd00:ec2::254"], ["64:ff9b::a9fe:a9fe"], ["fe80::1%eth0"], ["100.64.0.1"], ["224.0.0.1"]],
)  # fmt: skip
def test_names_of_closed_places_are_refused(addresses: list[str]) -> None:
    """One closed address among those of a name closes the name."""
    with pytest.raises(EgressRefusedError, match="closed to workflows"):
        ask("https://shop.example/", EgressPolicy(), resolver=Names(addresses))


def test_a_name_is_looked_up_once() -> None:
    """Rebinding gains nothing: what was judged is connected to, and there is no second look-up."""
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    with serving(hello) as server:
        found = ask(f"http://shop.test:{server.port}/", NAMED, resolver=names)

    assert found.status == 200
    assert names.asked == ["shop.test"]
    assert server.asked[0].headers["host"] == f"shop.test:{server.port}"


def test_rebinding_between_redirects() -> None:
    """Each hop to another origin is judged anew: the name that was open answers with a closed address the next time."""
    names = Names(["127.0.0.1"], ["169.254.169.254"])
    with serving(redirecting(a="http://other.test/")) as server, pytest.raises(EgressRefusedError, match="metadata"):
        ask(f"http://shop.test:{server.port}/a", NAMED, resolver=names)

    assert names.asked == ["shop.test", "other.test"]


@pytest.mark.parametrize(
    "place",
    ["http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://10.0.0.1/", "http://127.1/", "file:///etc/passwd", "gopher://127.0.0.1:70/", "//[::1]/", "http://a\\b/", "http://[::ffff:a9fe:a9fe]/"],
)  # fmt: skip
def test_redirects_to_closed_places(place: str) -> None:
    """An open server leads nowhere that is closed."""
    with serving(redirecting(a=place)) as server, pytest.raises(EgressRefusedError):
        ask(f"{server.url}/a")

    assert len(server.asked) == 1


def test_redirects_are_followed_up_to_five() -> None:
    """Five redirects are followed and a sixth is not; with none allowed, the redirect is the answer."""
    places = {f"r{number}": f"/r{number + 1}" for number in range(1, 7)}
    with serving(redirecting(**places)) as server:
        assert ask(f"{server.url}/r2").status == 200
        with pytest.raises(EgressRefusedError, match="more than 5 redirects"):
            ask(f"{server.url}/r1")
        alone = EgressPolicy(allow_networks=("127.0.0.1",), max_redirects=0)
        assert ask(f"{server.url}/r1", alone).headers["location"] == "/r2"


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [(301, "POST", "GET "), (302, "POST", "GET "), (303, "PUT", "GET "), (307, "POST", "POST x"), (308, "PUT", "PUT x"), (302, "PUT", "PUT x")],
)  # fmt: skip
def test_methods_of_redirects(status: int, method: str, then: str) -> None:
    """A redirect keeps or changes the method as HTTP says."""
    with serving(redirecting(**{f"a{status}": "/there"})) as server:
        assert ask(f"{server.url}/a{status}", method=method, content=b"x").text == then


def test_credentials_stay_with_their_origin() -> None:
    """Another port is another origin: it gets neither the header nor the user information."""
    headers = {"X-Api-Key": "s3cret", "Cookie": "a", "Accept": "text/plain"}
    with serving(redirecting()) as other, serving(redirecting(a=f"{other.url}/b", c="/d")) as server:
        ask(f"http://me:pw@127.0.0.1:{server.port}/a", headers=headers)
        ask(f"http://me:pw@127.0.0.1:{server.port}/c", headers=headers)

    assert all(item.headers["authorization"] == "Basic bWU6cHc=" for item in server.asked)
    assert server.asked[2].headers["x-api-key"] == "s3cret"
    assert {"authorization", "x-api-key", "cookie"} & set(other.asked[0].headers) == set()
    assert other.asked[0].headers["accept"] == "text/plain"


def test_tls_is_for_the_name() -> None:
    """The name is sent and its certificate wanted, though an address is connected to; a redirect to http is refused."""
    mine, theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context(cafile=PEM)
    mine.load_cert_chain(PEM)
    names: list[str | None] = []
    mine.sni_callback = lambda _, name, __: names.append(name)

    async def get(url: str, context: ssl.SSLContext | None) -> int:
        egress = HttpEgress(NAMED, resolver=Names(["127.0.0.1"]), ssl_context=context)
        return (await egress.send(EgressRequest(method="GET", url=url, max_bytes=99))).status

    with serving(redirecting(a="http://shop.test/"), mine) as server:
        assert asyncio.run(get(f"https://shop.test:{server.port}/", theirs)) == 200
        with pytest.raises(EgressRefusedError, match="from https to http"):
            asyncio.run(get(f"https://shop.test:{server.port}/a", theirs))
        with pytest.raises(EgressFailedError, match="no connection"):
            asyncio.run(get(f"https://other.test:{server.port}/", theirs))
        with pytest.raises(EgressFailedError, match="no connection"):
            asyncio.run(get(f"https://shop.test:{server.port}/", None))

    assert names == ["shop.test", "shop.test", "other.test", "shop.test"]


async def endless(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """A body without an end."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1000\r\n" + bytes(4096) + b"\r\n")
        await writer.drain()


async def bomb(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """64 MB in 64 KB."""
    packer = zlib.compressobj(9, wbits=31)
    body = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    answer(writer, 200, body, {"Content-Encoding": "gzip"})


@pytest.mark.parametrize("behave", [endless, bomb])
def test_a_body_is_read_up_to_its_limit(behave: Any) -> None:
    """Endless bodies and those that unpack to much more end at the limit."""
    with serving(behave) as server:
        found = ask(f"{server.url}/", max_bytes=50_000)

    assert found.truncated
    assert len(found.content) == 50_000


async def unpacked(asked: Asked, writer: asyncio.StreamWriter) -> None:
    """A compressed text."""
    answer(
        writer,
        200,
        gzip.compress("Grüße".encode("latin-1")),
        {"Content-Encoding": "gzip", "Content-Type": 'text/plain; charset="latin-1"'},
    )


def test_compressed_bodies_are_unpacked() -> None:
    """A body comes as what it means, its text in its charset."""
    with serving(unpacked) as server:
        assert ask(f"{server.url}/").text == "Grüße"

    assert server.asked[0].headers["accept-encoding"] == "gzip, deflate"


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "utf-7", "hex", "undefined", "no-such", ""])
def test_odd_charsets_are_utf_8(charset: str) -> None:
    """A charset that is none, or whose decoder is a trap, does not decide."""
    found = EgressAnswer(status=200, headers={"content-type": f"text/plain; charset={charset}"}, content=b"+AGE-\\x41")

    assert found.text == "+AGE-\\x41"


def hanging(*pieces: bytes) -> Any:
    """A server that says this and then nothing more."""

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        await asyncio.Event().wait()

    return behave


@pytest.mark.parametrize(
    "pieces",
    [(), (b"HTTP/1.1 200 OK\r\nX-A: ",), (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"a"), (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n")],
)  # fmt: skip
def test_one_limit_for_everything(pieces: tuple[bytes, ...]) -> None:
    """A server that never ends its answer, at whatever point, is left when the time is over."""
    with serving(hanging(*pieces)) as server, pytest.raises(TimeoutError, match=r"was not answered within 0:00:00\.2"):
        ask(f"{server.url}/", timeout=timedelta(milliseconds=200))


def flooding(head: bytes, piece: bytes) -> Any:
    """A server that sends pieces without end."""

    async def behave(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()

    return behave


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\n", b"x-a: b\r\n" * 100),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"a" * 10_000 + b"\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n", gzip.compress(b"") * 100),
    ],
    ids=["interim answers", "headers", "extensions of chunks", "members of gzip"],
)
def test_what_frames_an_answer_is_bounded(head: bytes, piece: bytes) -> None:
    """A server that sends no end of it is left, long before the time is over."""
    with serving(flooding(head, piece)) as server:
        try:
            found = ask(server.url, max_bytes=20_000, timeout=timedelta(minutes=5))
        except EgressFailedError:
            return

    assert found.truncated


def test_a_long_head_and_a_body_in_single_bytes_are_read() -> None:
    """What servers really send is not too much."""

    async def behave(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n")
        writer.write(b"x-long: " + b"a" * 20_000 + b"\r\n\r\n" + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n")

    with serving(behave) as server:
        found = ask(server.url, max_bytes=20_000)

    assert (len(found.content), found.truncated) == (20_000, False)


def test_more_requests_than_connections_wait_outside_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are sent at once, the pool has as many as it has connections, and all are answered."""
    inside, most = 0, 0
    handle = _transport._Transport.handle_async_request

    async def counted(self: Any, request: Any) -> Any:
        nonlocal inside, most
        inside, most = inside + 1, max(most, inside + 1)
        try:
            return await handle(self, request)
        finally:
            inside -= 1

    monkeypatch.setattr(_transport._Transport, "handle_async_request", counted)
    policy = EgressPolicy(allow_networks=("127.0.0.1",), max_connections=3)

    async def send(url: str) -> list[int]:
        egress = HttpEgress(policy)
        asked = EgressRequest(method="GET", url=url, max_bytes=100)
        return [answer.status for answer in await asyncio.gather(*(egress.send(asked) for _ in range(20)))]

    with serving(hello) as server:
        assert asyncio.run(send(server.url)) == [200] * 20
    assert most == 3


@pytest.mark.parametrize(
    "said",
    [b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000, b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\nx", b""],
    ids=["ssh", "short", "headers", "brotli", "nothing"],
)  # fmt: skip
def test_answers_that_are_none(said: bytes) -> None:
    """What is no HTTP, ends too early or has headers without end is a failed connection, a `ConnectionError`."""

    async def behave(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()
        raise ConnectionResetError

    with serving(behave) as server, pytest.raises(EgressFailedError) as caught:
        ask(f"http://me:pw@127.0.0.1:{server.port}/?key=s3cret")

    assert isinstance(caught.value, ConnectionError)
    assert "s3cret" not in f"{caught.value}{caught.value.__cause__}"
    assert "pw@" not in f"{caught.value}{caught.value.__cause__}"


def test_the_next_address_is_tried() -> None:
    """Where the first address of a name takes no connection, the next one is asked; with none there is no connection."""
    policy = EgressPolicy(allow_networks=("127.0.0.0/8", "::1"))
    with serving(hello) as server:
        assert ask(f"http://a.de:{server.port}/", policy, resolver=Names(["::1", "127.0.0.1"])).status == 200
    with pytest.raises(EgressFailedError, match="no connection"):
        ask(f"http://a.de:{server.port}/", policy, resolver=Names(["127.0.0.1"]))


def test_names_that_do_not_exist() -> None:
    """A name without an address is a failed connection: the name service may be away."""

    class Nobody:
        async def resolve(self, host: str, port: int, /) -> Sequence[str]:
            raise OSError("no such name")

    with pytest.raises(EgressFailedError, match="no such name"):
        ask("http://a.de/", resolver=Nobody())
    with pytest.raises(EgressFailedError, match="has no address"):
        ask("http://a.de/", resolver=Names([]))


@pytest.mark.parametrize(
    "fields",
    [{"headers": {"X-A": "a\r\nX-B: c"}}, {"headers": {"Host": "b.de"}}, {"method": "CONNECT"}, {"method": "GET / HTTP/1.1\r\nX: y"}],
)  # fmt: skip
def test_requests_that_are_not_sent(fields: dict[str, Any]) -> None:
    """A malformed request reaches nobody."""
    with serving(hello) as server, pytest.raises(EgressRefusedError):
        ask(f"{server.url}/", **fields)

    assert server.connections == 0


def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """`HTTP_PROXY` and its like are not read."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    with serving(hello) as server:
        assert ask(f"{server.url}/").status == 200


def test_a_proxy_that_is_told() -> None:
    """A proxy of the policy gets everything, with its own credentials; closed addresses stay closed."""
    with serving(hello) as server:
        policy = EgressPolicy(proxy=f"http://me:pw@127.0.0.1:{server.port}")
        assert ask("http://example.com/x", policy).status == 200
        with pytest.raises(EgressRefusedError, match="metadata"):
            ask("http://169.254.169.254/", policy)

    assert server.asked[0].path == "http://example.com/x"
    assert server.asked[0].headers["proxy-authorization"] == "Basic bWU6cHc="


def test_connections_end_with_their_loop() -> None:
    """Each loop has its own connections, closed when the loop ends or the client is closed; both may be used again."""
    with serving(hello) as server:
        egress = HttpEgress(LOOPBACK)
        request = EgressRequest(method="GET", url=server.url, max_bytes=99)

        async def ask_and_close() -> None:
            await egress.send(request)
            await egress.close()
            await egress.send(request)

        asyncio.run(egress.send(request))  # pyright: ignore[reportArgumentType]
        asyncio.run(ask_and_close())
        asyncio.run(egress.close())

    assert server.connections == 3
    assert len(egress._loops) == 0


def test_a_cancelled_request_gives_its_connection_back() -> None:
    """Cancelling a request leaves the client usable, also where there is room for one connection only."""

    begun = threading.Event()

    async def slow_once(asked: Asked, writer: asyncio.StreamWriter) -> None:
        if asked.path == "/slow":
            begun.set()
            await asyncio.Event().wait()
        answer(writer, 200, b"fast")

    async def main(server: Server) -> bytes:
        egress = HttpEgress(EgressPolicy(allow_networks=("127.0.0.1",), max_connections=1))
        slow = asyncio.create_task(egress.send(EgressRequest(method="GET", url=f"{server.url}/slow", max_bytes=9)))
        await asyncio.to_thread(begun.wait, 30)
        slow.cancel()
        await asyncio.gather(slow, return_exceptions=True)
        return (await egress.send(EgressRequest(method="GET", url=f"{server.url}/", max_bytes=9))).content

    with serving(slow_once) as server:
        assert asyncio.run(main(server)) == b"fast"


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without httpx the error says how to install it."""
    monkeypatch.setitem(__import__("sys").modules, "ruvon.implementations.egress._transport", None)

    with pytest.raises(MissingExtraError, match=r"ruvon\[http\]"):
        ask("http://example.com/")


def test_errors_have_one_root() -> None:
    """Whoever asks can catch everything that kept an answer away."""
    assert issubclass(EgressFailedError, EgressError)
    assert issubclass(EgressRefusedError, EgressError)
