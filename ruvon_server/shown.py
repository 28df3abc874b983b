"""From what the store has of an instance to what is shown of it; secrets are masked."""

from datetime import UTC, datetime
from typing import Any, Final, final

from ruvon._described import described_waits, error_text, traceback_text
from ruvon.engine import Engine
from ruvon.ir import Definition, RuvonError, load
from ruvon.ir.values import mask
from ruvon.providers import EngineStore, InstanceRecord

__all__ = ["DefinitionCache", "error_of", "moment", "result_of", "state_of", "waits_of"]

_MOST: Final = 256


def maybe_moment(at_us: int | None) -> datetime | None:
    """`moment` for what may not have happened."""
    return moment(at_us) if at_us is not None else None


def moment(at_us: int) -> datetime:
    """A moment of the store as a date and time in UTC."""
    return datetime.fromtimestamp(at_us / 1_000_000, UTC)


@final
class DefinitionCache:
    """Stored definitions by digest; the same digest is always the same definition.

    Args:
        store: has them.
    """

    def __init__(self, store: EngineStore) -> None:
        self._store = store
        self._known: dict[bytes, Definition] = {}

    async def get(self, digest: bytes) -> Definition:
        """The definition with a digest.

        Raises:
            DefinitionNotFoundError: the store has none.
        """
        found = self._known.get(digest)
        if found is None:
            found = load((await self._store.get_definition(digest)).text)
            while len(self._known) >= _MOST:
                del self._known[next(iter(self._known))]
            self._known[digest] = found
        return found


async def waits_of(record: InstanceRecord, definitions: DefinitionCache) -> list[dict[str, Any]]:
    """What an instance waits for, with the forms of answers."""
    if record.waiting_for is None:
        return []
    return described_waits(record.waiting_for, await definitions.get(record.digest))


async def result_of(engine: Engine, record: InstanceRecord) -> tuple[Any, str | None]:
    """The result of an instance, and why it cannot be shown where the author's code is not here."""
    if record.result is None:
        return None, None
    try:
        program = await engine.program_of(record)
        return mask(program.types.dynamic.decode(record.result)), None
    except RuvonError as exc:
        return None, str(exc)


async def state_of(engine: Engine, record: InstanceRecord) -> tuple[dict[str, Any] | None, str | None]:
    """The state of an instance, and why it cannot be shown where the author's code is not here."""
    try:
        run = await engine.load(record)
    except RuvonError as exc:
        return None, str(exc)
    found = mask(run.root.scope.view())
    return (found if isinstance(found, dict) else {"value": found}), None


def error_of(record: InstanceRecord) -> tuple[str | None, str | None]:
    """The error of an instance in a line, and where it was raised."""
    return error_text(record.error), traceback_text(record.error)
