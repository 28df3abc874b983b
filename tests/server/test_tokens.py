"""Signed tokens: which are taken, whom they stand for, and how keys of their issuer change."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from ruvon_server.auth import Keys, Principal, Roles, _key_set, authenticator_of
from ruvon_server.auth._key_set import KeySet
from ruvon_server.problems import IssuerUnreachableError, NotAuthenticatedError
from ruvon_server.settings import ServerSettings, ServerSettingsError
from tests.support.engine_world import JumpingClock
from tests.support.serving import Client, asked, new_app, new_builder
from tests.support.tokens import AUDIENCE, ISSUER, NOW_S, Issuer

ONE = Issuer()


class At(JumpingClock):
    """A clock that stands at the moment of the tests."""

    def __init__(self) -> None:
        super().__init__()
        self.advance(NOW_S * 1_000_000 - self.now_us())


def served(folder: Path, **settings: Any) -> Any:
    """A server that takes tokens of the issuer."""
    builder = new_builder()
    builder.clock = At()
    given = {"auth": "jwt", "jwt_issuer": ISSUER, "jwt_audience": AUDIENCE, "jwt_jwks": ONE.saved(folder), **settings}
    return new_app(builder, **given)


def principal(token: str, folder: Path, issuer: Issuer = ONE, **settings: Any) -> Principal:
    """Whom a token stands for."""
    builder = new_builder()
    given = {
        "auth": "jwt",
        "jwt_issuer": ISSUER,
        "jwt_audience": AUDIENCE,
        "jwt_jwks": issuer.saved(folder),
        **settings,
    }
    clock = At()
    keys = Keys(builder.persistence, clock, builder.ids)
    provider = authenticator_of(ServerSettings(**given), keys, Roles(), clock)

    class Connection:
        """As much of a connection as a provider reads."""

        class headers:  # noqa: N801 - as Litestar has it
            @staticmethod
            def getall(name: str, default: list[str]) -> list[str]:
                return [f"Bearer {token}"] if name == "authorization" else default

    return asyncio.run(provider.authenticate(Connection()))  # type: ignore[arg-type]


def taken(folder: Path, token: str, **settings: Any) -> bool:
    """Whether a token is taken."""
    try:
        principal(token, folder, **settings)
    except NotAuthenticatedError:
        return False
    return True


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_good_token_is_taken(algorithm: str, tmp_path: Path) -> None:
    """Of each algorithm."""
    issuer = Issuer(algorithm)

    assert principal(issuer.token(), tmp_path, issuer).name == "jwt/ann"


def test_requests_bring_tokens(tmp_path: Path) -> None:
    """A good one is let in, none and an expired one are not."""

    async def talk(client: Client) -> list[int]:
        tokens = [ONE.token(), ONE.token(exp=NOW_S - 60), ""]
        sent = [await client.get("/api/v1/workflows", headers={"Authorization": f"Bearer {token}"}) for token in tokens]
        return [answer.status_code for answer in sent]

    assert asked(talk, served(tmp_path)) == [200, 401, 401]


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example"},
        {"aud": "other"},
        {"iss": None},
        {"aud": None},
        {"exp": None},
        {"sub": None},
        {"exp": NOW_S - 31},
        {"exp": "tomorrow"},
        {"exp": True},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"exp": 10**400},
        {"exp": -5},
        {"nbf": float("nan")},
        {"nbf": 10**400},
        {"iat": float("-inf")},
        {"nbf": NOW_S + 31},
        {"iat": NOW_S + 31},
        {"sub": "a\nb"},
        {"sub": "x" * 201},
        {"org_id": None},
        {"org_id": ""},
        {"org_id": 7},
    ],
    ids=lambda item: str(item)[:40],
)
def test_a_token_with_a_wrong_claim_is_refused(claims: dict[str, Any], tmp_path: Path) -> None:
    """Each claim that is asked for counts."""
    try:
        token = ONE.token(**claims)
    except TypeError:  # the library signs no such claim
        token = jwt.PyJWS().encode(
            json.dumps(
                {"iss": ISSUER, "aud": AUDIENCE, "sub": "ann", "org_id": "ours", "exp": NOW_S + 9, **claims}
            ).encode(),
            ONE.secret,
            "ES256",
            headers={"kid": "one"},
        )

    assert not taken(tmp_path, token)


@pytest.mark.parametrize("claims", [{"exp": NOW_S - 29}, {"nbf": NOW_S + 29}, {"aud": ["other", AUDIENCE]}], ids=str)
def test_clocks_may_differ_a_little(claims: dict[str, Any], tmp_path: Path) -> None:
    """By the skew of the settings, 30 s; one of several audiences is enough."""
    assert taken(tmp_path, ONE.token(**claims))


def unsigned(head: dict[str, Any], signature: str = "") -> str:
    parts = [head, jwt.decode(ONE.token(), options={"verify_signature": False})]
    return ".".join(
        [*(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts), signature]
    )


@pytest.mark.parametrize(
    "head",
    [
        {"alg": []},
        {"alg": {}},
        {"alg": 1},
        {"alg": None},
        {"alg": True},
        {"alg": "ES256", "kid": []},
        {"alg": "ES256", "kid": {}},
        {"alg": "ES256", "kid": "\ud800"},
        {"alg": "ES256", "kid": "one", "b64": False},
        {"alg": "ES256", "kid": "one", "jwk": {"kty": "EC"}},
    ],
    ids=str,
)
def test_a_head_of_other_kinds_is_refused(head: dict[str, Any], tmp_path: Path) -> None:
    """Nobody who sends a strange head gets anything but a refusal."""
    assert not taken(tmp_path, unsigned(head, "c2ln"))


def test_a_head_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    """As deep as the longest token that is read can have it."""
    head = b'{"alg":"ES256","x":' + b"[" * 2_900 + b"]" * 2_900 + b"}"
    text = base64.urlsafe_b64encode(head).decode().rstrip("=")

    assert not taken(tmp_path, f"{text}.e30.c2ln")


def test_a_token_without_a_signature_is_refused(tmp_path: Path) -> None:
    """`none` is no algorithm, in whatever case."""
    tokens = [unsigned({"alg": name, "kid": "one", "typ": "JWT"}) for name in ("none", "None", "NONE", "")]

    assert not any(taken(tmp_path, token) for token in tokens)


def test_the_public_key_is_no_secret_to_sign_with(tmp_path: Path) -> None:
    """A token that is signed with the public key as if it were a shared secret is refused."""
    import hashlib
    import hmac

    public = ONE.secret.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    text = unsigned({"alg": "HS256", "kid": "one", "typ": "JWT"}).rstrip(".")
    mark = base64.urlsafe_b64encode(hmac.new(public, text.encode(), hashlib.sha256).digest()).decode().rstrip("=")

    assert not taken(tmp_path, f"{text}.{mark}")


@pytest.mark.parametrize("headers", [{"kid": "other"}, {"crit": ["exp"]}, {"kid": "../one"}], ids=str)
def test_a_token_with_a_strange_head_is_refused(headers: dict[str, Any], tmp_path: Path) -> None:
    """A key that the issuer does not have, and whatever has to be understood and is not."""
    assert not taken(tmp_path, ONE.token(headers))


def test_a_token_of_another_key_is_refused(tmp_path: Path) -> None:
    """The name of the key alone is nothing; nor is a key that the token brings along."""
    other = Issuer()

    assert not taken(tmp_path, other.token())
    assert not taken(tmp_path, other.token({"jwk": other.jwk()}))
    assert not taken(tmp_path, ONE.token()[:-4] + "AAAA")
    assert not taken(tmp_path, "eyJ.x.y")


def test_a_token_without_the_name_of_a_key_needs_an_only_one(tmp_path: Path) -> None:
    """Where the issuer has one key of that kind there is nothing to choose."""
    assert taken(tmp_path, ONE.token({"kid": None}))


def test_a_token_says_who_and_whose(tmp_path: Path) -> None:
    """Name, roles, organisation; the owner where a claim is named for it."""
    found = principal(ONE.token(dept="d-7"), tmp_path, jwt_owner_claim="dept")

    assert (found.name, found.owner_id, found.org_id) == ("jwt/ann", "d-7", "ours")
    assert found.may("workflows:repair")
    assert not found.may("keys:write")


def test_roles_are_a_list_or_words(tmp_path: Path) -> None:
    """As issuers write them; one that is unknown allows nothing."""
    listed = principal(ONE.token(roles=["viewer", "chief", 7]), tmp_path)
    words = principal(ONE.token(scope="viewer chief"), tmp_path, jwt_roles_claim="scope")
    nothing = principal(ONE.token(roles={"admin": True}), tmp_path)

    assert listed.permissions == words.permissions != frozenset()
    assert nothing.permissions == frozenset()


def test_an_administrator_needs_no_organisation(tmp_path: Path) -> None:
    """Without one he sees all; with one he is its administrator."""
    assert not principal(ONE.token(roles=["admin"], org_id=None), tmp_path).is_limited
    assert principal(ONE.token(roles=["admin"]), tmp_path).is_limited


def test_a_device_has_what_is_its_own(tmp_path: Path) -> None:
    """Its name is its owner where no claim says another."""
    found = principal(ONE.token(roles=["device"], sub="till-7"), tmp_path)

    assert (found.owner_id, found.org_id) == ("till-7", "ours")


def test_without_an_organisations_claim_all_see_everything(tmp_path: Path) -> None:
    """For an installation of one tenant, which says so by name."""
    assert not principal(ONE.token(org_id=None), tmp_path, jwt_org_claim="-").is_limited


class Shelf:
    """Key sets, as an issuer publishes them one after the other."""

    def __init__(self, *issuers: Issuer) -> None:
        self.issuers = list(issuers)
        self.read = 0
        self.broken = False

    async def __call__(self, _: str) -> bytes:
        self.read += 1
        if self.broken:
            raise OSError("away")
        return json.dumps({"keys": [item.jwk() for item in self.issuers]}).encode()


def test_a_new_key_is_learnt_when_a_token_names_it() -> None:
    """Keys are read again at once for the first unknown name, and not for each of many."""
    clock, shelf = At(), Shelf(ONE)
    keys = KeySet("https://issuer.example/keys", clock, shelf)

    async def talk() -> list[Any]:
        await keys.find("one", "ES256")
        shelf.issuers = [ONE, Issuer(kid="two")]
        clock.advance(31_000_000)
        await keys.find("two", "ES256")
        for number in range(20):
            with pytest.raises(NotAuthenticatedError):
                await keys.find(f"no-{number}", "ES256")
        return [shelf.read]

    assert asyncio.run(talk()) == [2]


def test_a_key_that_is_withdrawn_is_forgotten() -> None:
    """At the latest ten minutes later."""
    clock, shelf = At(), Shelf(ONE, Issuer(kid="two"))
    keys = KeySet("https://issuer.example/keys", clock, shelf)

    async def talk() -> None:
        await keys.find("one", "ES256")
        shelf.issuers = shelf.issuers[1:]
        clock.advance(601_000_000)
        with pytest.raises(NotAuthenticatedError):
            await keys.find("one", "ES256")

    asyncio.run(talk())


def test_keys_outlive_an_issuer_that_is_away_for_a_day() -> None:
    """Then nobody is recognised any more; at the start it takes no such patience."""
    clock, shelf = At(), Shelf(ONE)
    keys = KeySet("https://issuer.example/keys", clock, shelf)

    async def talk() -> None:
        await keys.find("one", "ES256")
        shelf.broken = True
        clock.advance(3_600_000_000)
        await keys.find("one", "ES256")
        clock.advance(86_400_000_000)
        with pytest.raises(IssuerUnreachableError):
            await keys.find("one", "ES256")
        shelf.broken = False
        clock.advance(31_000_000)
        await keys.find("one", "ES256")

    asyncio.run(talk())


def test_keys_that_are_too_weak_or_for_something_else_are_left_out() -> None:
    """Short RSA keys, shared secrets, keys to encrypt with, other curves, and text that is none."""
    shelf = [
        Issuer("RS256", bits=1024).jwk(),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "one", "alg": "HS256"},
        ONE.jwk(use="enc"),
        ONE.jwk(alg="ES512"),
        ONE.jwk(crv="P-384"),
        ONE.jwk(x="!"),
        "key",
    ]

    async def read(_: str) -> bytes:
        return json.dumps({"keys": shelf}).encode()

    async def talk() -> None:
        with pytest.raises(IssuerUnreachableError):
            await KeySet("https://issuer.example/keys", At(), read).find(None, "ES256")

    asyncio.run(talk())


@pytest.mark.parametrize("strange", [{"use": []}, {"alg": {}}, {"n": 5}, {"kty": []}, {"kid": []}], ids=str)
def test_a_strange_key_takes_no_other_with_it(strange: dict[str, Any]) -> None:
    """What an issuer has beside a good key, of whatever kind its fields are, is left out."""

    async def read(_: str) -> bytes:
        return json.dumps({"keys": [Issuer("RS256").jwk(**strange), ONE.jwk()]}).encode()

    assert asyncio.run(KeySet("https://issuer.example/keys", At(), read).find("one", "ES256")) is not None


class Silent(Shelf):
    """An issuer that takes a request and answers when it is let."""

    def __init__(self, *issuers: Issuer) -> None:
        super().__init__(*issuers)
        self.answers = asyncio.Event()

    async def __call__(self, place: str) -> bytes:
        self.read += 1
        await self.answers.wait()
        self.read -= 1
        return await super().__call__(place)


def test_an_issuer_that_takes_its_time_keeps_nobody_waiting_whose_key_is_known() -> None:
    """One request reads the keys again; the others go on with those that are there."""

    async def talk() -> int:
        clock, shelf = At(), Silent(ONE)
        keys = KeySet("https://issuer.example/keys", clock, shelf)
        shelf.answers.set()
        await keys.find("one", "ES256")
        shelf.answers.clear()
        clock.advance(601_000_000)
        waits = asyncio.create_task(keys.find("one", "ES256"))
        await asyncio.sleep(0)
        found = [await asyncio.wait_for(keys.find("one", "ES256"), 5) for _ in range(3)]
        is_waiting = not waits.done()
        shelf.answers.set()
        await waits
        return len(found) if is_waiting else 0

    assert asyncio.run(talk()) == 3


def test_an_issuer_that_never_answered_is_not_asked_by_each_request() -> None:
    """Those who wait for it together are refused together; a moment later it is asked again."""
    clock, shelf = At(), Shelf(ONE)
    shelf.broken = True
    keys = KeySet("https://issuer.example/keys", clock, shelf)

    async def talk() -> list[Any]:
        refused = await asyncio.gather(*(keys.find("one", "ES256") for _ in range(50)), return_exceptions=True)
        assert all(isinstance(item, IssuerUnreachableError) for item in refused)
        asked_for = shelf.read
        shelf.broken = False
        clock.advance(1_100_000)
        await keys.find("one", "ES256")
        return [asked_for, shelf.read]

    assert asyncio.run(talk()) == [1, 2]


def test_an_issuer_that_answers_in_drops_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often a byte comes, reading takes no longer than it may."""
    monkeypatch.setattr(_key_set, "_TIMEOUT_S", 0.3)
    is_left = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.05)
        writer.close()
        is_left.set()

    async def talk() -> None:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            place = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/keys"
            async with asyncio.timeout(30):
                with pytest.raises(IssuerUnreachableError):
                    await KeySet(place, At()).find("one", "ES256")
                await is_left.wait()

    asyncio.run(talk())


def test_an_issuer_that_is_away_is_a_503(tmp_path: Path) -> None:
    """It is not the fault of whoever asks."""

    async def talk(client: Client) -> tuple[int, str]:
        (tmp_path / "jwks.json").write_text("{}")
        answer = await client.get("/api/v1/workflows", headers={"Authorization": f"Bearer {ONE.token()}"})
        return answer.status_code, answer.json()["code"]

    assert asked(talk, served(tmp_path)) == (503, "issuer-unreachable")


def test_keys_are_read_over_https() -> None:
    """Or from this machine."""
    with pytest.raises(ServerSettingsError, match="https"):
        new_app(auth="jwt", jwt_issuer="i", jwt_audience="a", jwt_jwks="http://issuer.example/keys")


def test_keys_and_tokens_work_beside_each_other(tmp_path: Path) -> None:
    """What begins like a token is one, anything else is a key."""
    admin = "admin-key-of-the-tests-0123456789"
    both = {"auth": "api-key,jwt", "admin_key": admin}

    assert taken(tmp_path, ONE.token(), **both)
    assert taken(tmp_path, admin, **both)
    assert not taken(tmp_path, ONE.token(exp=NOW_S - 60), **both)
    assert not taken(tmp_path, "other", **both)


@pytest.mark.parametrize(
    ("answer", "is_taken"),
    [
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + ONE.key_set(), True),
        (b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nConnection: close\r\n\r\n" + ONE.key_set(), False),
        (b"HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b" " * 300_000 + ONE.key_set(), False),
        (b"nonsense", False),
    ],
    ids=["keys", "redirection", "error", "too large", "nonsense"],
)
def test_keys_are_read_from_a_server(answer: bytes, is_taken: bool) -> None:
    """Of bounded size, and from that place only."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async def talk() -> bool:
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            try:
                await KeySet(f"http://127.0.0.1:{port}/keys", At()).find("one", "ES256")
            except IssuerUnreachableError:
                return False
            return True

    assert asyncio.run(talk()) is is_taken
