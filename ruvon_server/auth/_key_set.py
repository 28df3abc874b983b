"""The public keys of whoever issues tokens: a JSON Web Key Set (RFC 7517) of a URL or a file, read again as keys change."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast, final

import httpx
import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from ruvon.providers import Clock
from ruvon_server.problems import IssuerUnreachableError, NotAuthenticatedError

__all__ = ["ALGORITHMS", "KeySet", "read_place"]

_LOGGER: Final = logging.getLogger("ruvon.server")
ALGORITHMS: Final[Mapping[str, tuple[str, str | None]]] = {
    "RS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""The algorithms that are taken, each with the type and the curve of its keys. All have a public key and a secret one."""
_RSA_BITS: Final = 2_048
_FRESH_US: Final = 600_000_000
"""So old may the keys be before they are read again."""
_PAUSE_US: Final = 30_000_000
"""So long passes at least between two readings, however many unknown keys tokens name."""
_FIRST_PAUSE_US: Final = 1_000_000
"""So long passes while none are known, so that those who wait are refused together and not one after the other."""
_STALE_US: Final = 86_400_000_000
"""So long keys are used that cannot be read again."""
_TIMEOUT_S: Final = 5.0
"""So long may reading take altogether."""
_LARGEST: Final = 262_144
_ASKED: Final = {"Accept": "application/json", "Accept-Encoding": "identity"}
"""Uncompressed, so that its size is the one on the wire."""
_OK: Final = 200


@final
@dataclass(frozen=True, slots=True)
class _Key:
    kid: str | None
    algorithm: str
    key: jwt.PyJWK


@final
class KeySet:
    """The keys that tokens may be signed with.

    Args:
        place: a URL or a file.
        clock: says when they are to be read again.
        read: reads the place.
    """

    def __init__(self, place: str, clock: Clock, read: Callable[[str], Awaitable[bytes]] | None = None) -> None:
        self._place = place
        self._clock = clock
        self._read = read or read_place
        self._keys: list[_Key] = []
        self._read_us: int | None = None
        self._tried_us: int | None = None
        self._lock = asyncio.Lock()

    async def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK:
        """The key of a token.

        Args:
            kid: which key it names; None where it names none, which will do where there is one key only.
            algorithm: what it is signed with; a key for another algorithm is none.

        Raises:
            NotAuthenticatedError: there is no such key.
            IssuerUnreachableError: the keys cannot be read.
        """
        if self._age(self._read_us) > _FRESH_US and not self._does_without:
            await self._refresh()
        found = self._fitting(kid, algorithm)
        if found is None and self._age(self._tried_us) > _PAUSE_US:
            await self._refresh()
            found = self._fitting(kid, algorithm)
        if found is None:
            raise NotAuthenticatedError("the token is signed with a key that its issuer does not have")
        return found

    @property
    def _does_without(self) -> bool:
        """Whether somebody reads the keys already, and those that are known will do meanwhile."""
        return self._lock.locked() and self._age(self._read_us) <= _STALE_US

    def _fitting(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        fitting = [item for item in self._keys if item.algorithm == algorithm and kid in {None, item.kid}]
        return fitting[0].key if len(fitting) == 1 else None

    async def _refresh(self) -> None:
        """Read the keys, unless somebody has just done or tried so."""
        async with self._lock:
            if self._age(self._tried_us) > (_FIRST_PAUSE_US if self._read_us is None else _PAUSE_US):
                began_us = self._clock.monotonic_us()
                try:
                    self._keys = _parsed(await self._read(self._place))
                    self._read_us = began_us
                except (OSError, ValueError, httpx.HTTPError) as exc:
                    _LOGGER.warning("the keys at %s cannot be read: %s", self._place, str(exc) or type(exc).__name__)
                finally:
                    self._tried_us = self._clock.monotonic_us()
            if self._age(self._read_us) > _STALE_US:
                raise IssuerUnreachableError(self._place, "the log of the server says why")

    def _age(self, moment_us: int | None) -> int:
        return _STALE_US + 1 if moment_us is None else self._clock.monotonic_us() - moment_us


async def read_place(place: str) -> bytes:
    """What a URL or a file holds; redirections are not followed.

    Raises:
        OSError, ValueError, HTTPError: it cannot be read, or is too large.
    """
    if "://" not in place:
        return await asyncio.to_thread(Path(place).read_bytes)
    found = bytearray()
    async with (
        asyncio.timeout(_TIMEOUT_S),
        httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False) as client,
        client.stream("GET", place, headers=_ASKED) as answer,
    ):
        if answer.status_code != _OK:
            raise ValueError(f"it answers {answer.status_code}")
        async for part in answer.aiter_raw():
            found += part
            if len(found) > _LARGEST:
                raise ValueError(f"it is larger than {_LARGEST} bytes")
    return bytes(found)


def _parsed(text: bytes) -> list[_Key]:
    """The keys that can be used; others are left out, as an issuer may have them for somebody else.

    Raises:
        ValueError: it is no key set, or none of its keys can be used.
    """
    found: object = orjson.loads(text)
    items: object = cast("dict[str, Any]", found).get("keys") if isinstance(found, dict) else None
    if not isinstance(items, list):
        raise ValueError("it is no JSON Web Key Set")  # noqa: TRY004 - what it reads is wrong, not how it is called
    listed = [cast("dict[str, Any]", item) for item in cast("Sequence[object]", items) if isinstance(item, dict)]
    keys = [key for item in listed if (key := _key(item)) is not None]
    if not keys:
        raise ValueError("none of its keys is for RS256, ES256 or EdDSA")
    return keys


def _key(item: dict[str, Any]) -> _Key | None:
    kid, said = item.get("kid"), item.get("alg")
    for algorithm, (kind, curve) in ALGORITHMS.items():
        if item.get("kty") != kind or (curve is not None and item.get("crv") != curve):
            continue
        if item.get("use") not in (None, "sig") or said not in (None, algorithm):
            return None
        public = {name: value for name, value in item.items() if name not in {"d", "p", "q", "dp", "dq", "qi", "oth"}}
        try:
            key = jwt.PyJWK(cast("Any", public), algorithm)
        except jwt.PyJWTError as exc:
            _LOGGER.warning("a key of a token's issuer cannot be used: %s", exc)
            return None
        if isinstance(key.key, RSAPublicKey) and key.key.key_size < _RSA_BITS:
            _LOGGER.warning("an RSA key of a token's issuer has less than %s bits and is not used", _RSA_BITS)
            return None
        return _Key(kid if isinstance(kid, str) else None, algorithm, key)
    return None
