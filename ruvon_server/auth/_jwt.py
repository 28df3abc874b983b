"""Recognising people by a signed token (JSON Web Token, RFC 7519, with the advice of RFC 8725)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast, final

import jwt

from ruvon.providers import Clock
from ruvon_server.auth._key_set import ALGORITHMS, KeySet
from ruvon_server.auth._principal import EVERYTHING, Principal
from ruvon_server.auth._provider import Connection, token_of
from ruvon_server.auth._roles import DEVICE, Roles
from ruvon_server.problems import NotAuthenticatedError

__all__ = ["JwtAuthenticator", "TokenRules"]

_SECOND_US: Final = 1_000_000
_LONGEST: Final = 200
_LATEST_S: Final = 253_402_300_799
"""The last second of the year 9999."""
_REQUIRED: Final = ["iss", "aud", "exp", "sub"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRules:
    """Which tokens are taken, and where they say what."""

    issuer: str
    audience: str
    skew_s: float
    """So much may the clocks of the issuer and of this server differ."""
    roles_claim: str
    """Has the roles: a list, or text with blanks between them."""
    owner_claim: str
    """Has the owner; no claim where it is empty."""
    org_claim: str
    """Has the organisation; no claim where it is empty."""


@final
class JwtAuthenticator:
    """Says who asks by the header `Authorization: Bearer TOKEN`.

    Args:
        keys: the keys of the issuer.
        rules: what a token has to say.
        roles: what its roles allow.
        clock: says whether it is valid.
    """

    def __init__(self, keys: KeySet, rules: TokenRules, roles: Roles, clock: Clock) -> None:
        self._keys = keys
        self._rules = rules
        self._roles = roles
        self._clock = clock

    async def authenticate(self, connection: Connection, /) -> Principal:
        """The one of whom the token speaks.

        Raises:
            NotAuthenticatedError: there is no token, or none that is taken.
            IssuerUnreachableError: the keys of the issuer cannot be read.
        """
        claims = await self._claims(token_of(connection))
        roles = _words(claims.get(self._rules.roles_claim))
        permissions = self._roles.permissions(roles)
        name = _text(claims, "sub")
        owner, org = self._tenant(claims, self._rules.owner_claim), self._tenant(claims, self._rules.org_claim)
        if self._rules.org_claim and org is None and EVERYTHING not in permissions:
            raise NotAuthenticatedError(
                f"the token does not say to which organisation its holder belongs (claim {self._rules.org_claim})"
            )
        if self._rules.owner_claim and owner is None and EVERYTHING not in permissions:
            raise NotAuthenticatedError(f"the token does not say whose it is (claim {self._rules.owner_claim})")
        if DEVICE in roles and owner is None:
            owner = name
        return Principal(
            name=f"jwt/{name}", person=name, roles=roles, permissions=permissions, owner_id=owner, org_id=org
        )

    async def _claims(self, token: str) -> dict[str, Any]:
        """What a token says, if its signature and its times are right."""
        try:
            head = jwt.get_unverified_header(token)
            algorithm, kid = head.get("alg"), head.get("kid")
            known = kid is None or isinstance(kid, str)
            if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or not known or "crit" in head:
                raise NotAuthenticatedError(f"the token is not signed with {', '.join(ALGORITHMS)}")
            claims = jwt.decode(
                token,
                await self._keys.find(kid, algorithm),
                algorithms=[algorithm],
                issuer=self._rules.issuer,
                audience=self._rules.audience,
                options={"require": _REQUIRED, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except jwt.PyJWTError as exc:
            raise NotAuthenticatedError(f"the token is not taken: {exc}") from None
        self._require_times(claims)
        return claims

    def _require_times(self, claims: dict[str, Any]) -> None:
        now_s = self._clock.now_us() / _SECOND_US
        for claim in ("exp", "nbf", "iat"):
            value = claims.get(claim)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (is_number and 0 <= value <= _LATEST_S):
                raise NotAuthenticatedError(f"the claim {claim} of the token is no time")
        if now_s >= claims["exp"] + self._rules.skew_s:
            raise NotAuthenticatedError("the token has expired; get a new one")
        if now_s < max(claims.get("nbf", 0), claims.get("iat", 0)) - self._rules.skew_s:
            raise NotAuthenticatedError(
                "the token is not valid yet; the clock of its issuer or of this server is wrong"
            )

    @staticmethod
    def _tenant(claims: dict[str, Any], claim: str) -> str | None:
        return _text(claims, claim) if claim and claim in claims else None


def _text(claims: dict[str, Any], claim: str) -> str:
    value = claims[claim]
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST or not value.isprintable():
        raise NotAuthenticatedError(f"the claim {claim} of the token is no text of 1 to {_LONGEST} characters")
    return value


def _words(value: object) -> frozenset[str]:
    if isinstance(value, str):
        return frozenset(value.split())
    if isinstance(value, list):
        return frozenset(item for item in cast("Sequence[object]", value) if isinstance(item, str))
    return frozenset()
