"""What protects the server beside authentication: limits, addresses, headers, origins."""

import asyncio
from typing import Any

import pytest

from ruvon_server.auth import Addresses, Buckets, DisabledAuthenticator, Principal
from ruvon_server.auth._limits import Buckets as _Buckets
from ruvon_server.problems import CrossOriginError, NotAuthenticatedError, TooManyRequestsError
from ruvon_server.settings import ServerSettings, ServerSettingsError
from tests.support.engine_world import JumpingClock
from tests.support.serving import Client, asked, new_app, new_builder, served

PATH = "/api/v1/workflows"


class ByHeader:
    """Whoever says his name is believed."""

    async def authenticate(self, connection: Any) -> Principal:
        name = connection.headers.get("x-name")
        if name is None:
            raise NotAuthenticatedError
        return Principal(name=name, permissions=frozenset({"*"}))


def limited(clock: JumpingClock | None = None, **settings: Any) -> Any:
    """A server that takes two requests at once and one a second."""
    builder = new_builder()
    builder.clock = clock or JumpingClock()
    given = {"rate_limit_per_s": 1, "rate_limit_burst": 2, **settings}
    return new_app(builder, authenticator=ByHeader(), **given)


async def asking(client: Client, times: int, **headers: str) -> list[int]:
    return [(await client.get(PATH, headers=headers)).status_code for _ in range(times)]


def test_a_principal_has_his_requests() -> None:
    """What is too much is 429; others are not concerned."""

    async def talk(client: Client) -> list[Any]:
        return [await asking(client, 3, **{"X-Name": "ann"}), await asking(client, 1, **{"X-Name": "bob"})]

    assert asked(talk, limited()) == [[200, 200, 429], [200]]


def test_time_brings_requests_back() -> None:
    """The header Retry-After says when, and then it is so."""
    clock = JumpingClock()

    async def talk() -> list[Any]:
        async with served(limited(clock)) as client:
            await asking(client, 2, **{"X-Name": "ann"})
            answer = await client.get(PATH, headers={"X-Name": "ann"})
            wait_s = int(answer.headers["Retry-After"])
            clock.advance(wait_s * 1_000_000)
            return [answer.json()["code"], wait_s, await asking(client, 2, **{"X-Name": "ann"})]

    assert asyncio.run(talk()) == ["too-many-requests", 1, [200, 429]]


def test_failed_attempts_count_for_their_address() -> None:
    """Behind the last one nobody of that address is even looked at."""

    async def talk(client: Client) -> list[int]:
        return await asking(client, 3)

    assert asked(talk, limited()) == [401, 401, 429]


class Broken:
    """It fails over everybody."""

    async def authenticate(self, _: Any) -> Principal:
        raise RuntimeError("broken")


@pytest.mark.parametrize("authenticator", [ByHeader(), Broken()], ids=["refused", "failed"])
def test_a_path_adds_no_line_to_the_log(authenticator: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever it holds, nothing of it looks like a line of the server's own, and no terminal obeys it."""

    async def talk(client: Client) -> int:
        return (await client.get("/api/v1/webhooks/%0aERROR%20forged%1b%5b31m")).status_code

    status = asked(talk, new_app(authenticator=authenticator))
    told = [record.getMessage() for record in caplog.records if "forged" in record.getMessage()]

    assert status in {401, 500}
    assert len(told) == 1
    assert "\n" not in told[0]
    assert "\x1b" not in told[0]


def test_a_forwarded_address_is_not_believed() -> None:
    """Whoever invents addresses gets no further requests by it."""

    async def talk(client: Client) -> list[int]:
        return [(await asking(client, 1, **{"X-Forwarded-For": f"192.0.2.{number}"}))[0] for number in range(3)]

    assert asked(talk, limited()) == [401, 401, 429]


def test_public_pages_are_limited_and_health_is_not() -> None:
    """A supervisor never gets a 429."""

    async def talk(client: Client) -> list[list[int]]:
        return [
            [(await client.get(path)).status_code for _ in range(3)] for path in ("/health", "/ready", "/openapi.json")
        ]

    assert asked(talk, limited()) == [[200] * 3, [200] * 3, [200, 200, 429]]


def test_there_is_a_limit_by_default_where_there_is_authentication() -> None:
    """100 requests a second go on and on; without authentication, on a machine of one's own, any number."""
    assert ServerSettings(auth="api-key").requests_per_s == 100
    assert ServerSettings().requests_per_s is None
    assert ServerSettings(auth="api-key", rate_limit_per_s=0).requests_per_s is None


def test_buckets_take_bounded_memory() -> None:
    """The one that was used longest ago is forgotten."""
    buckets = _Buckets(JumpingClock(), 1, 1, most=2)
    for name in ("a", "b", "c"):
        buckets.take(name)

    buckets.take("a")
    with pytest.raises(TooManyRequestsError):
        buckets.take("c")


class From:
    """As much of a connection as an address is read from."""

    def __init__(self, host: str, *forwarded: str) -> None:
        self.client = type("Client", (), {"host": host})()
        self.headers = type("Headers", (), {"getall": staticmethod(lambda _, default: list(forwarded) or default)})()


@pytest.mark.parametrize(
    ("host", "forwarded", "expected"),
    [
        ("192.0.2.7", ["198.51.100.1"], "192.0.2.7"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9, 198.51.100.1, 10.0.0.2"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9", "198.51.100.1"], "198.51.100.1"),
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ("10.0.0.1", ["198.51.100.1, nonsense"], "10.0.0.1"),
        ("::ffff:10.0.0.1", ["2001:db8::7"], "2001:db8::7"),
        ("", ["198.51.100.1"], ""),
    ],
)
def test_a_trusted_proxy_says_who_asks(host: str, forwarded: list[str], expected: str) -> None:
    """The last address that no trusted proxy has; what stands before it anybody may have written."""
    assert Addresses(["10.0.0.0/8"]).of(From(host, *forwarded)) == expected  # type: ignore[arg-type]


def test_addresses_of_one_subscriber_count_together() -> None:
    """Whoever has an IPv6 network has more addresses than there are buckets."""
    from ruvon_server.auth._address import network_of

    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db8:0:1::1")
    assert network_of("192.0.2.7") == "192.0.2.7"


@pytest.mark.parametrize("path", ["/health", PATH, "/nowhere", "/openapi.json", f"{PATH}/x"])
def test_every_answer_has_the_headers_of_a_careful_server(path: str) -> None:
    """Problems and paths that are not there as well."""

    async def talk(client: Client) -> dict[str, str]:
        return dict((await client.get(path)).headers)

    headers = asked(talk)

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers


def test_over_tls_browsers_stay_there() -> None:
    """And only there the header means anything."""

    async def talk(client: Client) -> list[bool]:
        plain = await client.get("/health")
        secure = await client.get("https://testserver.local/health")
        return ["strict-transport-security" in answer.headers for answer in (plain, secure)]

    assert asked(talk) == [False, True]


def test_a_page_from_elsewhere_does_nothing_where_nobody_has_to_say_who_he_is() -> None:
    """A browser on the machine reaches the server for any page; the server's own page and named ones may ask."""

    async def talk(client: Client) -> list[int]:
        origins = ["https://evil.example", "null", "http://[", "http://testserver.local", "https://page.example"]
        body = {"workflow_type": "Greeting", "run": False}
        return [(await client.post(PATH, json=body, headers={"Origin": item})).status_code for item in origins]

    assert asked(talk, new_app(cors_origins=("https://page.example",))) == [403, 403, 403, 201, 201]


def test_a_bucket_is_full_at_first() -> None:
    """And never holds more than the burst."""
    clock = JumpingClock()
    buckets = Buckets(clock, 10, 3)
    clock.advance(3_600_000_000)
    for _ in range(3):
        buckets.take("a")

    with pytest.raises(TooManyRequestsError):
        buckets.take("a")


@pytest.mark.parametrize(
    ("server", "host", "is_answered"),
    [
        ("127.0.0.1", "127.0.0.1:8000", True),
        ("127.0.0.1", "localhost:8000", True),
        ("::1", "[::1]:8000", True),
        ("127.0.0.1", "ours.example", True),
        ("127.0.0.1", "evil.example:8000", False),
        ("127.0.0.1", "127.0.0.1.evil.example", False),
        ("127.0.0.1", "", False),
        ("192.0.2.7", "anything", True),
    ],
)
def test_a_name_that_somebody_has_made_point_here_is_refused(server: str, host: str, is_answered: bool) -> None:
    """Else any page reaches a server without authentication under a name of its own."""

    class Asked:
        """As much of a connection as is read."""

        def __init__(self) -> None:
            self.scope = {"server": (server, 8000)}
            self.headers = {"host": host}

    async def talk() -> bool:
        try:
            await DisabledAuthenticator(hosts=("ours.example",)).authenticate(Asked())  # type: ignore[arg-type]
        except CrossOriginError:
            return False
        return True

    assert asyncio.run(talk()) is is_answered


@pytest.mark.parametrize("auth", ["disabled", " disabled", "disabled,api-key"])
def test_no_way_of_writing_it_opens_an_address(auth: str) -> None:
    """Whatever stands around `disabled`."""
    with pytest.raises(ServerSettingsError, match="insecure"):
        ServerSettings.from_environment({}, host="192.0.2.7", auth=auth)

    assert ServerSettings.from_environment({}, host="192.0.2.7", auth="api-key").host == "192.0.2.7"
