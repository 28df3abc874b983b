"""An address taken apart once, strictly: what other readers would guess about is refused.

Two readers of one text that disagree about the host are how checks are passed by. So there is one reading, everything
after it works on the parts, and a host is an address in its usual form, or a name that cannot be read as one.
"""

import re
from base64 import b64encode
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, final
from urllib.parse import quote, unquote, urljoin

from ruvon.implementations.egress._addresses import Address

__all__ = ["Target", "UrlError", "parse_url"]

_LONGEST: Final = 8_192
_URL: Final = re.compile(r"(https?)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.IGNORECASE | re.DOTALL)
_AUTHORITY: Final = re.compile(r"(?:([^@]*)@)?(\[[^\]@]*\]|[^:@\[\]]*)(?::([0-9]{1,5}))?")
_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(?:\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?")
_NUMBER: Final = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\.?")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PATH_SAFE: Final = "/%:@!$&'()*+,;=~-._"
_QUERY_SAFE: Final = _PATH_SAFE + "?"


class UrlError(ValueError):
    """An address that is not taken; its text says why, and shows nothing of the address but its host."""


@final
@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes."""

    scheme: str
    host: str
    """A name in lower case and ASCII, or an address without brackets."""
    port: int
    path: str
    """Path and query, percent-encoded."""
    credentials: str | None = None
    """`Authorization` of the user information, where the address had one."""

    @property
    def address(self) -> Address | None:
        """The address that the host is, where it is no name."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None

    @property
    def origin(self) -> tuple[str, str, int]:
        """What credentials are for."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Host and port as in an address; the port only where it is not the scheme's."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole address, without credentials."""
        return f"{self.scheme}://{self.authority}{self.path}"

    def join(self, location: str) -> "Target":
        """The target of a redirect.

        Raises:
            UrlError: it is not taken.
        """
        require_plain(location)
        return parse_url(urljoin(self.url, location))


def parse_url(text: str) -> Target:
    """Take an address apart.

    Raises:
        UrlError: it is not taken.
    """
    require_plain(text)
    found = _URL.fullmatch(text)
    if found is None:
        raise UrlError("only complete addresses with http:// or https:// are asked")
    scheme, authority = found[1].lower(), _AUTHORITY.fullmatch(found[2])
    if authority is None:
        raise UrlError("the part between // and the path is no host with an optional port")
    port = int(authority[3]) if authority[3] else _DEFAULT_PORTS[scheme]
    if not 0 < port < 65_536:
        raise UrlError(f"there is no port {port}")
    path = quote(found[3] or "/", _PATH_SAFE) + quote(found[4] or "", _QUERY_SAFE)
    return Target(scheme, _host(authority[2]), port, path, _credentials(authority[1]))


def require_plain(text: str) -> None:
    """Refuse what some readers drop and others keep.

    Raises:
        UrlError: it holds a control character or a backslash, or is very long.
    """
    if len(text) > _LONGEST:
        raise UrlError(f"the address has more than {_LONGEST} characters")
    if "\\" in text or any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 or char in "\u2028\u2029" for char in text):
        raise UrlError("the address holds a line break, another control character or a backslash")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UrlError("the address holds a character that has no UTF-8 form") from None


def _host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(IPv6Address(text[1:-1] if "%" not in text else ""))
        except ValueError:
            raise UrlError("the text in brackets is no address of version 6") from None
    name = text.lower() if text.isascii() else _ascii_name(text)
    try:
        return str(IPv4Address(name))
    except ValueError:
        if _NAME.fullmatch(name) is None or len(name) > 254:
            raise UrlError("the host is neither a name nor an address") from None
    if _NUMBER.fullmatch(name.rstrip(".").rpartition(".")[2]):
        raise UrlError("the host is a number; write an address as four decimal numbers") from None
    return name.rstrip(".")


def _ascii_name(text: str) -> str:
    """A name in other scripts as it stands in the DNS."""
    import idna  # noqa: PLC0415 - only where it is needed; installed with httpx

    try:
        name = idna.encode(text, uts46=True, std3_rules=True).decode().lower()
    except (idna.IDNAError, UnicodeError):
        raise UrlError("the host is no valid international name") from None
    if all(not label.startswith("xn--") for label in name.split(".")):
        raise UrlError("the host is written in characters that only look like ASCII; write it in ASCII")
    return name


def _credentials(userinfo: str | None) -> str | None:
    if not userinfo:
        return None
    user, _, password = userinfo.partition(":")
    return f"Basic {b64encode(f'{unquote(user)}:{unquote(password)}'.encode()).decode()}"
