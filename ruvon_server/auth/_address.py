"""Where a request comes from: the address of the peer, unless that is a proxy that is trusted to say more."""

import ipaddress
from collections.abc import Sequence
from typing import Final, TypeAlias, final

from ruvon_server.auth._provider import Connection

__all__ = ["Addresses", "network_of"]

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_SUBSCRIBER: Final = 64
"""So many bits of an IPv6 address are one subscriber's."""


@final
class Addresses:
    """Tells addresses of connections.

    Args:
        trusted: addresses and networks of proxies whose `X-Forwarded-For` is believed.

    Raises:
        ValueError: one of them is neither an address nor a network.
    """

    def __init__(self, trusted: Sequence[str] = ()) -> None:
        self._trusted = [ipaddress.ip_network(item, strict=False) for item in trusted]

    def of(self, connection: Connection) -> str:
        """The address of whoever asks; of several forwarded ones the last that no trusted proxy has."""
        client = connection.client
        peer = client.host if client is not None else ""
        if not self._trusted or not self._trusts(peer):
            return peer
        forwarded = ",".join(connection.headers.getall("x-forwarded-for", []))
        for item in reversed([part.strip() for part in forwarded.split(",")]):
            if _address(item) is None:
                break  # what stands before something that is no address was not written by a proxy
            peer = item
            if not self._trusts(item):
                break
        return peer

    def _trusts(self, text: str) -> bool:
        found = _address(text)
        return found is not None and any(found in network for network in self._trusted)


def network_of(address: str) -> str:
    """Under which name requests of an address are counted: of IPv6 the network of one subscriber."""
    found = _address(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, _SUBSCRIBER), strict=False))
    return address


def _address(text: str) -> _Address | None:
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found
