"""Encryption at rest: where keys come from, what encrypted data looks like from outside, and how a store lets it be renewed.

Encrypted data is an *envelope*: two bytes that no plain data of Ruvon's begins with (it is JSON), the version of the
envelope, the id of the key, a nonce, and the ciphertext with its tag. So a process without keys can tell it from plain
data, and say which key it takes. What reads and writes envelopes is `ruvon.implementations.encryption`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, final

from ruvon.providers._errors import UnknownEncryptionKeyError

__all__ = [
    "ENVELOPE",
    "Form",
    "KeyProvider",
    "ResealableStore",
    "StoredRow",
    "StoredTable",
    "key_id_of",
    "refuse_sealed",
]

ENVELOPE: Final = b"\x00\x01"
"""The first bytes of every envelope."""
_KEY_ID: Final = 4
"""Where the id of the key begins, behind its length."""


class KeyProvider(Protocol):
    """Where keys come from: the environment, a file, or a key service.

    It is asked on the event loop's thread and its answers are kept, so it should have its keys ready. `key` is asked again
    for an id that was unknown before.
    """

    def current_key_id(self) -> str:
        """The id of the key that everything new is encrypted with; asked once, when a store is opened."""
        ...

    def key(self, key_id: str, /) -> bytes | None:
        """The 32 bytes of a key, or None where there is none with this id."""
        ...


def key_id_of(data: bytes) -> str | None:
    """The id of the key that data is encrypted with; None where it is in plain."""
    if not data.startswith(ENVELOPE):
        return None
    length = data[_KEY_ID - 1] if len(data) >= _KEY_ID else 0
    return data[_KEY_ID : _KEY_ID + length].decode("ascii", "replace")


def refuse_sealed(data: bytes | None, where: str) -> None:
    """Raise where data is encrypted and nobody has opened it.

    Raises:
        UnknownEncryptionKeyError: it is.
    """
    if data is not None and (key_id := key_id_of(data)) is not None:
        raise UnknownEncryptionKeyError(key_id, where)


class Form(StrEnum):
    """How a column of a store keeps a value of the author's."""

    BYTES = "bytes"
    TEXT = "text"
    DOCUMENT = "document"
    """JSON text of an object, whose labels stay in plain beside what is encrypted."""
    METADATA = "metadata"
    """JSON text of an object, which is encrypted whole."""
    PICTURE = "picture"
    """A copy for queries; there is none of what is encrypted."""


@final
@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table, or its like, in which values of the author's lie."""

    name: str
    columns: Mapping[str, Form]
    """The columns that hold them."""
    key: str
    """The column that orders and names the rows."""
    key_is_text: bool = False
    scope: str = "workflow_id"
    """The column whose value the keys of its rows are derived from, the instance's id in most."""
    details: tuple[str, ...] = ()
    """Further columns that say which row it is."""


@final
@dataclass(slots=True, eq=False)
class StoredRow:
    """One row of such a table, as it is stored."""

    scope: str
    details: tuple[object, ...]
    values: dict[str, bytes | None]
    """The columns; texts in UTF-8."""
    handle: object
    """What the store finds the row by."""


class ResealableStore(Protocol):
    """A store whose rows can be encrypted anew while it is in use."""

    @property
    def stored_tables(self) -> Sequence[StoredTable]:
        """The tables that hold values of the author's, in the order in which they are renewed."""
        ...

    async def read_stored(
        self, table: StoredTable, /, *, after: object = None, limit: int = 200
    ) -> tuple[Sequence[StoredRow], object]:
        """The next rows of a table, and where it goes on; None: there are no more.

        Args:
            table: one of `stored_tables`.
            after: where it goes on, as the last call said; None begins.
            limit: about how many rows.
        """
        ...

    async def swap_stored(
        self, table: StoredTable, swaps: Sequence[tuple[StoredRow, Mapping[str, bytes | None]]], /
    ) -> int:
        """Give rows new values, each only where it still has the old ones; on return it is durable.

        Returns:
            How many rows were changed; the others were changed by somebody else meanwhile, or are gone.
        """
        ...

    async def compact_stored(self) -> None:
        """Let go of old versions of rows, which the files of the store may still hold; may take long and lock tables."""
        ...
