"""Names to addresses: looked up once for each connection, judged, and then used as they are."""

import asyncio
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from ipaddress import ip_address
from typing import Final, Protocol, final, runtime_checkable

from ruvon.implementations.egress._addresses import Address
from ruvon.implementations.egress._policy import EgressPolicy
from ruvon.providers.egress import EgressFailedError, EgressRefusedError

__all__ = ["Resolver", "SystemResolver", "allowed_addresses"]

_AT_ONCE: Final = 256


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
    """The resolver of this machine, in threads of its own.

    A name whose servers do not answer takes its thread for half a minute, whoever waits for it. The threads of the event
    loop are few, and the loop waits for them at its end; so look-ups have others. Those of one name share one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[tuple[str, int], Future[Sequence[str]]] = {}

    async def resolve(self, host: str, port: int, /) -> Sequence[str]:
        """The addresses of a name, in the system's order.

        Raises:
            OSError: there are none, or too many names do not answer.
        """
        return await asyncio.wrap_future(self._begun(host, port))

    def _begun(self, host: str, port: int) -> "Future[Sequence[str]]":
        with self._lock:
            found = self._under_way.get((host, port))
            if found is not None:
                return found
            if len(self._under_way) >= _AT_ONCE:
                raise OSError(f"{_AT_ONCE} names are looked up and do not answer")
            found = self._under_way[host, port] = Future()
        found.set_running_or_notify_cancel()  # whoever gives up leaves it to the others
        threading.Thread(target=self._look_up, args=(host, port, found), name="ruvon-resolver", daemon=True).start()
        return found

    def _look_up(self, host: str, port: int, told: "Future[Sequence[str]]") -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except Exception as exc:  # noqa: BLE001 - whoever waits has to hear of it, whatever it is
            self._forget(host, port)
            told.set_exception(exc)
        else:
            self._forget(host, port)
            told.set_result(list(dict.fromkeys(str(item[4][0]) for item in found)))

    def _forget(self, host: str, port: int) -> None:
        with self._lock:
            del self._under_way[host, port]


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
