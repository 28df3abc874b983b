"""Definitions that were uploaded: kept in the store, and current wherever the store is.

A type is defined either by files of the servers or by uploads. The newest upload of a type is its current version, also for
a server that was started later or that another one has told nothing.
"""

from typing import final

from ruvon.builder import WorkflowBuilder
from ruvon.engine import UnknownWorkflowTypeError
from ruvon.ir import Definition, digest, load
from ruvon_server.problems import DefinedByFilesError, VersionTakenError

__all__ = ["Uploads"]


@final
class Uploads:
    """The uploaded definitions of one store.

    Args:
        builder: registers them.
    """

    def __init__(self, builder: WorkflowBuilder) -> None:
        self._builder = builder
        self._store = builder.persistence
        self._newest: dict[str, bytes] = {}
        """The digests that are registered here, of types that no file defines."""

    def is_by_files(self, workflow_type: str) -> bool:
        """Whether files of this server define a type."""
        if workflow_type in self._newest:
            return False
        try:
            self._builder.get_definition(workflow_type)
        except UnknownWorkflowTypeError:
            return False
        return True

    async def learn(self, workflow_type: str) -> None:
        """Register what was uploaded of a type, unless files define it."""
        if self.is_by_files(workflow_type):
            return
        stored = await self._store.list_definitions(workflow_type)
        if stored and self._newest.get(workflow_type) != stored[-1].digest:
            for record in stored:
                self._builder.register(load(record.text))
            self._newest[workflow_type] = stored[-1].digest

    async def require_new(self, definition: Definition) -> None:
        """Refuse what cannot be uploaded.

        Raises:
            DefinedByFilesError: files define the type.
            VersionTakenError: the version is stored with another content.
            DefinitionDriftError, ProgramError: its code is not here, or does not fit it.
        """
        if self.is_by_files(definition.workflow_type):
            raise DefinedByFilesError(definition.workflow_type)
        for record in await self._store.list_definitions(definition.workflow_type):
            if record.workflow_version == definition.workflow_version and record.digest != digest(definition):
                raise VersionTakenError(definition.workflow_type, definition.workflow_version)
        self._builder.engine().program_from(definition)

    async def keep(self, definition: Definition) -> None:
        """Store a definition; it is current from now on."""
        engine = self._builder.engine()
        await self._store.put_definition(engine.definition_record(engine.program_from(definition)))
        self._builder.register(definition)
        self._newest[definition.workflow_type] = digest(definition)
