"""Names to addresses: looked up once for each connection, judged, and then used as they are."""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Protocol, final, runtime_checkable

from ruvon.implementations.egress._addresses import Address
from ruvon.implementations.egress._policy import EgressPolicy
from ruvon.providers.egress import EgressFailedError, EgressRefusedError

__all__ = ["Resolver", "SystemResolver", "allowed_addresses"]


@runtime_checkable
class Resolver(Protocol):
    """Looks names up."""

    async def resolve(self, host: str, port: int, /) -> Sequence[str]:
        """The addresses of a name, the preferred one first.

        Raises:
            OSError: there are none.
        """
        ...


@final
class SystemResolver:
    """The resolver of this machine."""

    async def resolve(self, host: str, port: int, /) -> Sequence[str]:
        """The addresses of a name, in the system's order."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(item[4][0]) for item in found))


async def allowed_addresses(resolver: Resolver, policy: EgressPolicy, host: str, port: int) -> list[Address]:
    """The addresses to connect to. One that is refused refuses them all: a name has no business with both kinds.

    Raises:
        EgressRefusedError: the policy forbids one of them.
        EgressFailedError: there are none.
    """
    addresses = _literal(host) or await _looked_up(resolver, host, port)
    for address in addresses:
        refusal = policy.refusal(host, port, address)
        if refusal is not None:
            raise EgressRefusedError(f"{host}:{port}", refusal)
    return addresses


def _literal(host: str) -> list[Address]:
    try:
        return [ip_address(host)]
    except ValueError:
        return []


async def _looked_up(resolver: Resolver, host: str, port: int) -> list[Address]:
    try:
        texts = await resolver.resolve(host, port)
        addresses = [ip_address(text) for text in texts]
    except (OSError, ValueError) as exc:
        raise EgressFailedError(f"{host}:{port}", "there is no such name, or the name service is away") from exc
    if not addresses:
        raise EgressFailedError(f"{host}:{port}", "the name has no address")
    return addresses
