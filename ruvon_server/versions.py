"""The versions of workflow types that a server knows: stored ones, and those that its files define."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, final

from ruvon import ir
from ruvon._versions import StoredVersion, stored_versions
from ruvon.builder import WorkflowBuilder
from ruvon.engine import UnknownWorkflowTypeError
from ruvon.ir import Definition
from ruvon_server.uploads import Uploads

__all__ = ["Version", "Versions"]

_SHORTEST: Final = 6
"""So many characters of a digest name a definition."""


@final
@dataclass(frozen=True, slots=True)
class Version:
    """A version that is stored, registered, or both."""

    definition: Definition
    digest: bytes
    stored: StoredVersion | None


@final
class Versions:
    """Finds versions of workflow types.

    Args:
        builder: the registered ones, and the store.
        uploads: the uploaded ones.
    """

    def __init__(self, builder: WorkflowBuilder, uploads: Uploads) -> None:
        self._builder = builder
        self._uploads = uploads

    async def of(self, workflow_type: str, stored: Sequence[StoredVersion] | None = None) -> list[Version]:
        """The versions of a type: stored ones in their order, then those that are registered and not stored.

        Args:
            workflow_type: the type.
            stored: its stored versions, where they have been read.

        Raises:
            UnknownWorkflowTypeError: nobody knows the type.
        """
        await self._uploads.learn(workflow_type)
        known = stored if stored is not None else await stored_versions(self._builder.persistence, workflow_type)
        found = [Version(ir.load(item.record.text), item.record.digest, item) for item in known]
        try:
            current = self._builder.get_definition(workflow_type)
        except UnknownWorkflowTypeError:
            if not found:
                raise
            return found
        digest = ir.digest(current)
        if all(item.digest != digest for item in found):
            found.append(Version(current, digest, None))
        return found

    async def one(self, workflow_type: str, version: str | None) -> Version:
        """A version by its name, by its digest or the beginning of that; the current one where none is named.

        Raises:
            UnknownWorkflowTypeError: nobody knows the type, or it has no such version.
        """
        found = await self.of(workflow_type)
        if version is None:
            return next((item for item in found if self.is_current(item)), found[-1])
        named = [item for item in found if item.definition.workflow_version == version]
        named = named or [item for item in found if len(version) >= _SHORTEST and item.digest.hex().startswith(version)]
        if not named:
            raise UnknownWorkflowTypeError(workflow_type, self._builder.registered_types(), version)
        return named[-1]

    def is_current(self, version: Version) -> bool:
        """Whether a start without a version takes this one."""
        try:
            return ir.digest(self._builder.get_definition(version.definition.workflow_type)) == version.digest
        except UnknownWorkflowTypeError:
            return False
