"""Keys from the environment, from a file, or given: several to read with, the first of them to write with.

A key is written as `ID:BASE64` with 32 bytes in Base64; its id stands in every envelope, so it must never be given to
another key. Blank lines and lines that begin with `#` are left out of a file.
"""

import base64
import binascii
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, cast, final

from ruvon.providers import EncryptionKeyFormatError, KeyProvider

__all__ = ["FileKeys", "KeyRing", "keys_from_environment", "new_key", "parse_key"]

KEY_BYTES: Final = 32
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_VARIABLE: Final = "RUVON_ENCRYPTION_KEY"
_FILE_VARIABLE: Final = "RUVON_ENCRYPTION_KEY_FILE"
_REQUIRED_VARIABLE: Final = "RUVON_ENCRYPTION_REQUIRED"


def new_key(key_id: str) -> str:
    """A fresh key as it is written.

    Raises:
        EncryptionKeyFormatError: the id is none.
    """
    _check_id(key_id, "the id of the new key")
    return f"{key_id}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"


def parse_key(text: str, source: str) -> tuple[str, bytes]:
    """The id and the bytes of a written key.

    Raises:
        EncryptionKeyFormatError: it is none; the sentence does not show it.
    """
    key_id, separator, encoded = text.strip().partition(":")
    if not separator:
        raise EncryptionKeyFormatError(source, "a key is written as ID:BASE64, and there is no colon in it")
    _check_id(key_id, source)
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise EncryptionKeyFormatError(source, f"the key `{key_id}` is not Base64 behind its colon") from None
    if len(key) != KEY_BYTES:
        raise EncryptionKeyFormatError(source, f"the key `{key_id}` has {len(key)} bytes, and it takes {KEY_BYTES}")
    return key_id, key


def _check_id(key_id: str, source: str) -> None:
    if not _ID.fullmatch(key_id):
        raise EncryptionKeyFormatError(
            source, "the id of a key has 1 to 64 letters, digits, dots, dashes and underscores"
        )


@final
class KeyRing:
    """Keys that are given; the first one writes.

    Args:
        keys: keys as they are written, or their bytes by id.
        source: where they come from, for messages.

    Raises:
        EncryptionKeyFormatError: there is none, one cannot be used, or two have the same id.
    """

    def __init__(self, keys: Iterable[str] | Mapping[str, bytes], *, source: str = "the key ring") -> None:
        if isinstance(keys, Mapping):
            pairs = list(cast("Mapping[str, bytes]", keys).items())
        else:
            pairs = [parse_key(text, source) for text in keys]
        if not pairs:
            raise EncryptionKeyFormatError(source, "there is no key in it")
        self._keys: dict[str, bytes] = {}
        for key_id, key in pairs:
            _check_id(key_id, source)
            if len(key) != KEY_BYTES:
                raise EncryptionKeyFormatError(
                    source, f"the key `{key_id}` has {len(key)} bytes, and it takes {KEY_BYTES}"
                )
            if self._keys.setdefault(key_id, key) != key:
                raise EncryptionKeyFormatError(source, f"two different keys have the id `{key_id}`")
        self._current = pairs[0][0]

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

    def current_key_id(self) -> str:
        """The first key's id."""
        return self._current

    def key(self, key_id: str, /) -> bytes | None:
        """A key's bytes."""
        return self._keys.get(key_id)


@final
class FileKeys:
    """Keys in a file, one a line; the first one writes. A key that is unknown is looked for in the file again.

    Args:
        path: the file; only the user of the process should be able to read it.

    Raises:
        EncryptionKeyFormatError: it cannot be read, or a key in it cannot be used.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._ring = self._read()

    def current_key_id(self) -> str:
        """The first key's id."""
        return self._ring.current_key_id()

    def key(self, key_id: str, /) -> bytes | None:
        """A key's bytes."""
        found = self._ring.key(key_id)
        if found is None:
            found = self._read().key(key_id)
        return found

    def _read(self) -> KeyRing:
        source = f"the key file {self._path}"
        try:
            lines = self._path.read_text(encoding="ascii").splitlines()
        except OSError as exc:
            raise EncryptionKeyFormatError(source, f"it cannot be read: {exc.strerror or type(exc).__name__}") from exc
        except ValueError:  # its text may show bytes of a key
            raise EncryptionKeyFormatError(source, "it cannot be read: it is no ASCII text") from None
        return KeyRing([line for line in lines if line.strip() and not line.startswith("#")], source=source)


def keys_from_environment(environment: Mapping[str, str] | None = None) -> KeyProvider | None:
    """The keys of `RUVON_ENCRYPTION_KEY` (separated by commas) or of the file that `RUVON_ENCRYPTION_KEY_FILE` names.

    Args:
        environment: the variables; those of the process where none are given.

    Returns:
        The keys, or None where neither variable is set: encryption is off.

    Raises:
        EncryptionKeyFormatError: a key cannot be used, or both variables are set, or encryption is required and neither is.
    """
    variables = os.environ if environment is None else environment
    given, file = variables.get(_VARIABLE, "").strip(), variables.get(_FILE_VARIABLE, "").strip()
    if given and file:
        raise EncryptionKeyFormatError(_VARIABLE, f"{_FILE_VARIABLE} is set too; keep one of them")
    if file:
        return FileKeys(file)
    if given:
        return KeyRing([item for item in given.split(",") if item.strip()], source=_VARIABLE)
    if encryption_required(variables):
        raise EncryptionKeyFormatError(_REQUIRED_VARIABLE, f"encryption is required, and {_VARIABLE} is not set")
    return None


def encryption_required(environment: Mapping[str, str] | None = None) -> bool:
    """Whether `RUVON_ENCRYPTION_REQUIRED` says that data in plain is refused."""
    variables = os.environ if environment is None else environment
    return variables.get(_REQUIRED_VARIABLE, "").strip().lower() in {"1", "true", "yes", "on"}
