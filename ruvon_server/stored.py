"""What the server itself keeps: dictionaries under names, in the store of the workflows, so every store has them."""

from collections.abc import Mapping
from typing import Any, final

from ruvon.providers import PersistenceProvider, WorkflowNotFoundError

__all__ = ["Documents"]


@final
class Documents:
    """Dictionaries by name.

    Args:
        store: keeps them, encrypted where it encrypts.
    """

    def __init__(self, store: PersistenceProvider) -> None:
        self._store = store

    async def get(self, name: str) -> dict[str, Any] | None:
        """The dictionary of a name; None where there is none."""
        try:
            return await self._store.load_workflow(name)
        except WorkflowNotFoundError:
            return None

    async def put(self, name: str, tree: Mapping[str, Any]) -> None:
        """Keep a dictionary in the place of the one before."""
        await self._store.save_workflow(name, tree)

    async def drop(self, name: str) -> None:
        """Forget one; harmless where there is none."""
        await self._store.delete_workflow(name)
