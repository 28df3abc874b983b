"""What kind of place an IP address is: public, or one that a workflow has no business to ask unless somebody said so.

The standard library's own properties (`is_private` and the like) changed between releases of Python, so the ranges are
named here; what it does not call global is refused all the same. An address of version 6 that carries one of version 4
(mapped, compatible, NAT64, 6to4, Teredo) is also judged as the one that it carries.
"""

from collections.abc import Iterator
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final, TypeAlias

__all__ = ["Address", "Network", "Place", "place_of", "spellings"]

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network


class Place(Enum):
    """What an address belongs to."""

    PUBLIC = "public"
    LOOPBACK = "this machine"
    PRIVATE = "a private network"
    SHARED = "a carrier's network"
    LINK_LOCAL = "the local link"
    METADATA = "a cloud's metadata service"
    SPECIAL = "no single public server"
    """Multicast, broadcast, unspecified, reserved, documentation, translation and tunnels."""


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ip_network(text) for text in texts)


_RANGES: Final[tuple[tuple[Place, tuple[Network, ...]], ...]] = (
    (
        Place.METADATA,
        _networks(
            "169.254.169.254/32",
            "169.254.169.253/32",
            "169.254.170.2/32",
            "169.254.170.23/32",
            "100.100.100.200/32",
            "168.63.129.16/32",
            "192.0.0.192/32",
            "fd00:ec2::/32",
            "fd20:ce::254/128",
        ),
    ),
    (Place.LOOPBACK, _networks("127.0.0.0/8", "::1/128")),
    (Place.PRIVATE, _networks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10")),
    (Place.SHARED, _networks("100.64.0.0/10")),
    (Place.LINK_LOCAL, _networks("169.254.0.0/16", "fe80::/10")),
    (
        Place.SPECIAL,
        _networks(
            "0.0.0.0/8",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",
            "240.0.0.0/4",
            "::/128",
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/23",
            "2001:db8::/32",
            "2002::/16",
            "3fff::/20",
            "5f00::/16",
            "ff00::/8",
        ),
    ),
)
_COMPATIBLE: Final = IPv6Network("::/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_UNICAST: Final = IPv6Network("2000::/3")
"""All that is assigned to servers; what lies outside is reserved, or translated on the way (SIIT)."""
_LOW_32: Final = (1 << 32) - 1


def spellings(address: Address) -> Iterator[Address]:
    """The address and those of version 4 that it carries; a rule that means one of them means it."""
    yield address
    if isinstance(address, IPv4Address):
        return
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        yield IPv4Address(int(address) & _LOW_32)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo


def place_of(address: Address) -> Place:
    """What an address belongs to; the first that is not public, of it and of what it carries."""
    carried = list(spellings(address))
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        carried = [address.ipv4_mapped]
    places = [_own_place(item) for item in carried]
    return next((place for place in Place if place is not Place.PUBLIC and place in places), Place.PUBLIC)


def _own_place(address: Address) -> Place:
    for place, networks in _RANGES:
        if any(address in network for network in networks):
            return place
    if isinstance(address, IPv6Address) and (address in _NAT64 or address in _COMPATIBLE):
        return Place.PUBLIC  # as public as what it carries
    is_assigned = isinstance(address, IPv4Address) or address in _UNICAST
    return Place.PUBLIC if is_assigned and address.is_global else Place.SPECIAL
