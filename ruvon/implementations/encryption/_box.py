"""Envelopes: AES-256-GCM, bound to the place that the data lies in.

A place is a table, a column, a scope (the workflow's id in most tables) and what else names the row. It is authenticated
together with the head of the envelope, so data that was moved to another row, column or workflow does not open.

No key of the ring encrypts anything itself: each scope has a key of its own, derived by HMAC-SHA256. Random nonces are
safe for 2**32 messages under one key (NIST SP 800-38D, 8.3), which a busy store writes in days, and one workflow never.
"""

import base64
import binascii
import hmac
import os
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast, final

from ruvon.implementations.encryption._keys import KEY_BYTES
from ruvon.providers import (
    DamagedDataError,
    EncryptionKeyFormatError,
    KeyProvider,
    MissingExtraError,
    UnencryptedDataError,
    UnknownEncryptionKeyError,
)
from ruvon.providers.encryption import ENVELOPE, key_id_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["TEXT_MARK", "Box", "Place", "described"]

Place: TypeAlias = tuple[object, ...]
"""Table, column, scope, and what else names the row."""
TEXT_MARK: Final = "\x01sealed:"
"""Begins an envelope in a column of text; Base64 follows."""
_VERSION: Final = 1
_NONCE: Final = 12
_TAG: Final = 16
_SCOPE: Final = 2
_MOST_SCOPES: Final = 2048
_PURPOSE: Final = b"ruvon envelope 1\x1f"


@final
class Box:
    """Opens what any key of a ring closed, and closes with the current one. Safe to share by threads.

    Args:
        keys: where keys come from; without any, nothing is closed, and what is closed is refused.
        required: refuse to read what is in plain.

    Raises:
        EncryptionKeyFormatError: the current key is not there, or is none.
        MissingExtraError: `cryptography` is not installed.
    """

    def __init__(self, keys: KeyProvider | None, *, required: bool = False) -> None:
        self.required = required
        self._provider = keys
        self._keys: dict[str, bytes] = {}
        self._ciphers: dict[tuple[str, object], Any] = {}
        self.key_id: str | None = None
        """The id of the current key; None without keys."""
        if keys is None:
            return
        try:
            from cryptography.exceptions import InvalidTag  # noqa: PLC0415  # an optional package
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415
        except ImportError:
            raise MissingExtraError("encryption", "cryptography") from None
        self.key_id = keys.current_key_id()
        self._cipher = AESGCM
        self._invalid: type[Exception] = InvalidTag
        if self._key(self.key_id) is None:
            raise EncryptionKeyFormatError(
                "the keys for encryption", f"the current key `{self.key_id}` is not among them"
            )
        self._head = _head(self.key_id)

    def seal(self, data: bytes, place: Place) -> bytes:
        """An envelope around data, for one place; nothing stays nothing."""
        if not data or self.key_id is None:
            return data
        nonce = os.urandom(_NONCE)
        cipher = self._ciphers.get((self.key_id, place[_SCOPE])) or self._derived(self.key_id, place[_SCOPE])
        return self._head + nonce + cipher.encrypt(nonce, data, self._head + _bound(place))

    def open(self, data: bytes, place: Place) -> bytes:
        """What an envelope holds; data that never was in one is given back as it is.

        Raises:
            UnknownEncryptionKeyError: its key is not at hand.
            DamagedDataError: it was changed, or does not belong to this place.
            UnencryptedDataError: it is in plain, and encryption is required.
        """
        if not data:
            return data
        if not data.startswith(ENVELOPE):
            if 0 in data[:2] or data[1:2] == ENVELOPE[1:]:  # never so in plain: a byte of the mark was changed
                raise DamagedDataError(described(place))
            if self.required:
                raise UnencryptedDataError(described(place))
            return data
        key_id = cast("str", key_id_of(data))
        head = _head(key_id)
        if not data.startswith(head) or len(data) < len(head) + _NONCE + _TAG:
            raise DamagedDataError(described(place))
        cipher = self._ciphers.get((key_id, place[_SCOPE])) or self._derived(key_id, place[_SCOPE], place)
        body = len(head) + _NONCE
        try:
            return cipher.decrypt(data[len(head) : body], data[body:], head + _bound(place))
        except self._invalid:
            raise DamagedDataError(described(place), key_id) from None

    def seal_text(self, text: str, place: Place) -> str:
        """The same for a column of text."""
        if not text or self.key_id is None:
            return text
        return TEXT_MARK + base64.b64encode(self.seal(text.encode("utf-8", "surrogatepass"), place)).decode()

    def open_text(self, text: str, place: Place) -> str:
        """The text that `seal_text` closed."""
        if not text:
            return text
        return self.open(self.envelope_in(text, place), place).decode("utf-8", "surrogatepass")

    @staticmethod
    def is_marked(text: str) -> bool:
        """Whether a text is an envelope, or was one before a character of its mark was changed."""
        return text[:1] == TEXT_MARK[0] or text[1 : len(TEXT_MARK)] == TEXT_MARK[1:]

    @staticmethod
    def envelope_in(text: str, place: Place) -> bytes:
        """The envelope in a text, or the text's own bytes where it is in plain.

        Raises:
            DamagedDataError: it is no envelope any more.
        """
        if not text.startswith(TEXT_MARK):
            if Box.is_marked(text):
                raise DamagedDataError(described(place))
            return text.encode("utf-8", "surrogatepass")
        try:
            found = base64.b64decode(text[len(TEXT_MARK) :], validate=True)
        except (binascii.Error, ValueError):
            raise DamagedDataError(described(place)) from None
        if not found.startswith(ENVELOPE) or base64.b64encode(found).decode() != text[len(TEXT_MARK) :]:
            raise DamagedDataError(described(place))  # the last character has bits that Base64 leaves out
        return found

    def _derived(self, key_id: str, scope: object, place: Place | None = None) -> "AESGCM":
        key = self._key(key_id)
        if key is None:
            raise UnknownEncryptionKeyError(key_id, described(place or ()))
        cipher = self._cipher(hmac.digest(key, _PURPOSE + _text(scope), "sha256"))
        if len(self._ciphers) >= _MOST_SCOPES:
            self._ciphers.clear()  # rare, and the next use derives anew
        self._ciphers[key_id, scope] = cipher
        return cipher

    def _key(self, key_id: str) -> bytes | None:
        found = self._keys.get(key_id)
        if found is not None or self._provider is None:
            return found
        found = self._provider.key(key_id)
        if found is None:
            return None
        if len(found) != KEY_BYTES:
            reason = f"the key `{key_id}` has {len(found)} bytes, and it takes {KEY_BYTES}"
            raise EncryptionKeyFormatError("the keys for encryption", reason)
        self._keys[key_id] = found
        return found


def described(place: Place) -> str:
    """A place in words."""
    if not place:
        return "data of this store"
    table, column, scope, *_ = place
    return f"`{column}` of {table} of {scope}"


def _head(key_id: str) -> bytes:
    name = key_id.encode("ascii", "replace")
    return ENVELOPE + bytes((_VERSION, len(name))) + name


def _bound(place: Place) -> bytes:
    parts = [part if isinstance(part, str) else "\x1e" if part is None else str(part) for part in place]
    return "\x1f".join(parts).encode("utf-8", "surrogatepass")


def _text(part: object) -> bytes:
    return _bound((part,))
