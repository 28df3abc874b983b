"""Which keys the values of a store are under, as anybody can see who has none of them."""

from dataclasses import dataclass, field
from typing import Any, Final, cast, final

import orjson

from ruvon.implementations.encryption._box import Box
from ruvon.implementations.encryption._records import SEALED
from ruvon.providers import DamagedDataError
from ruvon.providers.encryption import Form, ResealableStore, StoredTable, key_id_of

__all__ = ["MOST_ROWS", "KeySurvey", "survey"]

MOST_ROWS: Final = 2000
"""So many rows of each table are looked at, the oldest first, which are the last to get a new key."""
_BATCH: Final = 500


@final
@dataclass(slots=True)
class KeySurvey:
    """What was found, in values."""

    by_key: dict[str, int] = field(default_factory=dict[str, int])
    """Values under each key, by its id."""
    plain: int = 0
    unreadable: int = 0
    """Envelopes that were damaged."""
    is_complete: bool = True
    """Every row was looked at."""

    def not_under(self, key_id: str) -> int:
        """Values that a rotation to this key would write anew."""
        return self.plain + sum(count for name, count in self.by_key.items() if name != key_id)


async def survey(store: ResealableStore, *, most_rows: int = MOST_ROWS) -> KeySurvey:
    """Look at the oldest rows of every table, without opening anything.

    Raises:
        PersistenceError: the store failed.
    """
    found = KeySurvey()
    for table in store.stored_tables:
        await _look(store, table, found, most_rows)
    return found


async def _look(store: ResealableStore, table: StoredTable, found: KeySurvey, most_rows: int) -> None:
    after: object = None
    left = most_rows
    while left > 0:
        rows, after = await store.read_stored(table, after=after, limit=min(left, _BATCH))
        for row in rows:
            for column, form in table.columns.items():
                if value := row.values.get(column):
                    _count(found, form, value)
        if after is None:
            return
        left -= len(rows)
    found.is_complete = False


def _count(found: KeySurvey, form: Form, value: bytes) -> None:
    try:
        key_id = _key_id(form, value)
    except DamagedDataError:
        found.unreadable += 1
        return
    if key_id is not None:
        found.by_key[key_id] = found.by_key.get(key_id, 0) + 1
    elif form not in {Form.DOCUMENT, Form.METADATA} or value != b"{}":
        found.plain += 1


def _key_id(form: Form, value: bytes) -> str | None:
    match form:
        case Form.BYTES:
            return key_id_of(value)
        case Form.PICTURE:
            return None
        case Form.TEXT:
            return _of_text(value.decode("utf-8", "surrogatepass"))
        case Form.DOCUMENT | Form.METADATA:
            sealed: object = cast("dict[str, Any]", orjson.loads(value)).get(SEALED)
            return _of_text(sealed) if isinstance(sealed, str) else None


def _of_text(text: str) -> str | None:
    return key_id_of(Box.envelope_in(text, ()))
