"""What a policy opens and closes."""

from ipaddress import ip_address

import pytest

from ruvon.implementations.egress import EgressPolicy

CLOSED = EgressPolicy()
PRIVATE = EgressPolicy(allow_private=True)
NAMED = EgressPolicy(allow_hosts=("billing.internal", "*.corp"))
NETWORK = EgressPolicy(allow_networks=("10.1.0.0/16", "169.254.169.254", "fd00::/8"))


@pytest.mark.parametrize(
    ("policy", "host", "address", "opened"),
    [
        (CLOSED, "a.de", "8.8.8.8", True),
        (CLOSED, "a.de", "10.1.0.1", False),
        (PRIVATE, "a.de", "10.1.0.1", True),
        (PRIVATE, "a.de", "127.0.0.1", True),
        (PRIVATE, "a.de", "100.64.0.1", True),
        (PRIVATE, "a.de", "::ffff:192.168.0.1", True),
        (PRIVATE, "a.de", "169.254.1.1", False),
        (PRIVATE, "a.de", "169.254.169.254", False),
        (PRIVATE, "a.de", "100.100.100.200", False),
        (PRIVATE, "a.de", "fd00:ec2::254", False),
        (PRIVATE, "a.de", "224.0.0.1", False),
        (PRIVATE, "a.de", "0.0.0.0", False),  # noqa: S104 - refused here
        (NAMED, "billing.internal", "10.0.0.1", True),
        (NAMED, "Billing.Internal.", "10.0.0.1", True),
        (NAMED, "x.billing.internal", "10.0.0.1", False),
        (NAMED, "a.b.corp", "10.0.0.1", True),
        (NAMED, "corp", "10.0.0.1", False),
        (NAMED, "xcorp", "10.0.0.1", False),
        (NAMED, "billing.internal", "169.254.169.254", False),
        (NAMED, "billing.internal", "::ffff:169.254.169.254", False),
        (NETWORK, "a.de", "10.1.2.3", True),
        (NETWORK, "a.de", "::ffff:10.1.2.3", True),
        (NETWORK, "a.de", "64:ff9b::a01:203", True),
        (NETWORK, "a.de", "10.2.0.1", False),
        (NETWORK, "a.de", "169.254.169.254", True),
        (NETWORK, "a.de", "fd00:ec2::254", True),
        (NETWORK, "a.de", "8.8.8.8", True),
    ],
)
def test_what_is_open(policy: EgressPolicy, host: str, address: str, opened: bool) -> None:
    """Each option opens what it says and nothing else."""
    assert (policy.refusal(host, 443, ip_address(address)) is None) is opened


def test_ports() -> None:
    """A list of ports holds for everything, named or not."""
    policy = EgressPolicy(ports=frozenset({443}), allow_networks=("10.0.0.0/8",))

    assert policy.refusal("a.de", 443, ip_address("10.0.0.1")) is None
    assert "port 22" in str(policy.refusal("a.de", 22, ip_address("10.0.0.1")))


def test_the_environment() -> None:
    """`RUVON_EGRESS_ALLOW` names hosts, networks and `private`."""
    found = EgressPolicy.from_environment({"RUVON_EGRESS_ALLOW": "10.0.0.0/8, a.internal,::1,*.corp,private"})

    assert found == EgressPolicy(
        allow_hosts=("a.internal", "*.corp"), allow_networks=("10.0.0.0/8", "::1"), allow_private=True
    )
    assert EgressPolicy.from_environment({}) == EgressPolicy()


@pytest.mark.parametrize(
    "wrong",
    [
        {"allow_networks": ("10.0.0.1/8",)},
        {"allow_networks": ("a.de",)},
        {"allow_hosts": ("http://a.de",)},
        {"allow_hosts": ("*",)},
        {"allow_hosts": ("a.*.de",)},
        {"proxy": "proxy.internal:3128"},
        {"max_redirects": -1},
        {"max_connections": 0},
    ],
)
def test_a_wrong_policy_is_refused(wrong: dict[str, object]) -> None:
    """A policy that would not mean what its author thinks is none."""
    with pytest.raises(ValueError):
        EgressPolicy(**wrong)  # type: ignore[arg-type]


def test_a_refusal_names_the_remedy() -> None:
    """The operator reads which option opens the place, and that metadata services need a network."""
    assert "allow_hosts=('a.de',)" in str(CLOSED.refusal("a.de", 80, ip_address("10.0.0.1")))
    assert "RUVON_EGRESS_ALLOW=10.0.0.1" in str(CLOSED.refusal("10.0.0.1", 80, ip_address("10.0.0.1")))
    assert "only EgressPolicy(allow_networks=...)" in str(NAMED.refusal("a.de", 80, ip_address("169.254.169.254")))
