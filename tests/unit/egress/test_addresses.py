"""Which addresses are public, in whatever form they come."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ruvon.implementations.egress._addresses import Place, place_of

PLACES = {
    Place.PUBLIC: ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1", "64:ff9b::808:808", "172.32.0.1", "100.128.0.1", "169.255.0.1"],
    Place.LOOPBACK: ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "::7f00:1", "2002:7f00:1::"],
    Place.PRIVATE: ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12:3456::1", "fec0::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "2002:c0a8:101::"],
    Place.SHARED: ["100.64.0.1", "100.127.255.255", "::ffff:100.64.0.1"],
    Place.LINK_LOCAL: ["169.254.1.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.1.1"],
    Place.METADATA: ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "169.254.170.2", "2002:a9fe:a9fe::", "::a9fe:a9fe", "fd20:ce::254"],
    Place.SPECIAL: ["0.0.0.0", "0.1.2.3", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "::", "ff02::1", "2001:db8::1", "100::1", "64:ff9b:1::1", "2002:808:808::1", "192.88.99.1", "3fff::1", "5f00::1", "::ffff:0:7f00:1", "::ffff:0:808:808", "4000::1", "1::1", "e000::1"],  # noqa: S104 - judged, not bound
}  # fmt: skip


@pytest.mark.parametrize(("text", "place"), [(text, place) for place, texts in PLACES.items() for text in texts])
def test_places(text: str, place: Place) -> None:
    """Each range is known, also inside an address of version 6 that carries one of version 4."""
    assert place_of(ip_address(text)) is place


def test_teredo_is_never_public() -> None:
    """A tunnel to a public client through a public server is refused as a tunnel."""
    assert place_of(IPv6Address("2001:0:4136:e378:8000:63bf:f7f7:f7f7")) is Place.SPECIAL


@given(st.ip_addresses(v=4))
def test_nothing_local_is_public(address: IPv4Address) -> None:
    """What the standard library does not call global is not public either, in any of the forms that carry it."""
    carriers = [address, IPv6Address(f"::ffff:{address}"), IPv6Address(f"64:ff9b::{address}")]
    found = [place_of(item) is Place.PUBLIC for item in carriers]

    assert len(set(found)) == 1
    assert address.is_global or not found[0]


@given(st.ip_addresses(v=6))
def test_nothing_local_of_version_6_is_public(address: IPv6Address) -> None:
    """The same of version 6."""
    assert address.is_global or place_of(address) is not Place.PUBLIC
