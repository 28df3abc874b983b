"""`EgressPolicy`: where requests may go, and how much they may take."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from ipaddress import ip_network
from typing import Final, final

from ruvon.implementations.egress._addresses import Address, Network, Place, place_of, spellings
from ruvon.implementations.egress._url import parse_url

__all__ = ["ALLOW_VARIABLE", "EgressPolicy"]

ALLOW_VARIABLE: Final = "RUVON_EGRESS_ALLOW"
_WITH_ALLOW_PRIVATE: Final = frozenset({Place.PUBLIC, Place.LOOPBACK, Place.PRIVATE, Place.SHARED})
_WITH_ALLOWED_HOST: Final = _WITH_ALLOW_PRIVATE | {Place.LINK_LOCAL}


@final
@dataclass(frozen=True, kw_only=True)
class EgressPolicy:
    """Where requests may go: every public address, and of all others only what is named here."""

    allow_hosts: tuple[str, ...] = ()
    """Names (`billing.internal`, `*.internal` for all names below one) that may lead to addresses that are not public;
    metadata services and multicast stay closed."""
    allow_networks: tuple[str, ...] = ()
    """Networks or addresses (`10.1.0.0/16`, `127.0.0.1`) that are open, whatever they are."""
    allow_private: bool = False
    """Open this machine and every private and carrier's network; the local link and metadata services stay closed."""
    ports: frozenset[int] | None = None
    """The ports that may be asked; None: every port."""
    timeout: timedelta = timedelta(seconds=60)
    """Longest time of a request that names none, redirects and body included."""
    connect_timeout: timedelta = timedelta(seconds=10)
    """Longest time of connecting to one address, TLS not included."""
    max_redirects: int = 5
    """How many redirects are followed; 0 gives the redirect itself as the answer."""
    max_connections: int = 256
    """Connections at once of one event loop; further requests wait for their turn."""
    keep_alive: timedelta = timedelta(seconds=15)
    """How long an idle connection is kept for the next request to the same origin."""
    proxy: str | None = None
    """Address of an HTTP proxy that everything goes through. It resolves names itself, so of the rules above only those
    about addresses that stand in a URL, and about ports, still hold. Variables such as `HTTPS_PROXY` are never read."""

    def __post_init__(self) -> None:
        """Refuse what is no policy.

        Raises:
            ValueError: a network or the proxy is none, or a number makes no sense.
        """
        _ = self._networks
        if self.proxy is not None:
            parse_url(self.proxy)
        wrong = [host for host in self.allow_hosts if not host.strip("*.") or "/" in host or "*" in host[1:]]
        if wrong:
            raise ValueError(f"allow_hosts takes names such as `billing.internal` and `*.internal`, not {wrong[0]!r}")
        if self.max_redirects < 0 or self.max_connections < 1:
            raise ValueError("max_redirects must be at least 0 and max_connections at least 1")

    @cached_property
    def _networks(self) -> tuple[Network, ...]:
        return tuple(ip_network(text) for text in self.allow_networks)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "EgressPolicy":
        """The default policy and what `RUVON_EGRESS_ALLOW` opens: names, networks and the word `private`, with commas.

        Args:
            environment: the variables; those of the process where none are given.

        Raises:
            ValueError: an item is neither of these.
        """
        said = (os.environ if environment is None else environment).get(ALLOW_VARIABLE, "")
        items = [item.strip() for item in said.split(",") if item.strip()]
        networks = tuple(item for item in items if _is_network(item))
        hosts = tuple(item for item in items if item not in networks and item != "private")
        return cls(allow_hosts=hosts, allow_networks=networks, allow_private="private" in items)

    def names(self, host: str) -> bool:
        """Whether a host is opened by name."""
        name = host.lower().rstrip(".")
        return any(_covers(item.lower().rstrip("."), name) for item in self.allow_hosts)

    def refusal(self, host: str, port: int, address: Address) -> str | None:
        """Why a connection is refused; None where it is allowed.

        Args:
            host: the name, or the address itself where the request had one.
            port: where to.
            address: what the name stands for.
        """
        if self.ports is not None and port not in self.ports:
            return f"port {port} is not open; the policy's `ports` names those that are"
        if any(item in network for item in spellings(address) for network in self._networks):
            return None
        place = place_of(address)
        if place is Place.PUBLIC:
            return None
        if self.allow_private and place in _WITH_ALLOW_PRIVATE:
            return None
        if place in _WITH_ALLOWED_HOST and self.names(host):
            return None
        if place not in _WITH_ALLOWED_HOST:
            remedy = "only EgressPolicy(allow_networks=...) opens it"
        else:
            option = "allow_networks" if host == str(address) else "allow_hosts"
            remedy = f"open it with EgressPolicy({option}=({host!r},)), or with {ALLOW_VARIABLE}={host}"
        return f"{host} belongs to {place.value}, which is closed to workflows; {remedy}"


def _covers(item: str, name: str) -> bool:
    return name.endswith(item[1:]) and len(name) > len(item) - 1 if item.startswith("*.") else item == name


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True
