"""Definitions that were uploaded: kept in the store, and current wherever the store is.

A type is defined either by files of the servers or by uploads. The newest upload of a type is its current version, also for
a server that was started later or that another one has told nothing.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, final

from ruvon.builder import WorkflowBuilder
from ruvon.engine import UnknownWorkflowTypeError
from ruvon.ir import Definition, DefinitionError, Diagnostic, digest, load
from ruvon.ir._reads import secrets_of
from ruvon_server.models.workflows import NAME_PATTERN
from ruvon_server.problems import DefinedByFilesError, SecretsRefusedError, VersionTakenError

__all__ = ["Uploads"]

_NAME: Final = re.compile(NAME_PATTERN)
_LONGEST: Final = 200


@final
class Uploads:
    """The uploaded definitions of one store.

    Args:
        builder: registers them.
        secret_names: the names that their `secret("NAME")` may have; one that ends with `*` stands for all that begin so.
    """

    def __init__(self, builder: WorkflowBuilder, secret_names: Sequence[str] = ()) -> None:
        self._builder = builder
        self._secret_names = tuple(secret_names)
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
            DefinitionError: no request can name it, because its type or version is no line of 1 to 200 characters.
            DefinedByFilesError: files define the type.
            SecretsRefusedError: it asks for secrets that uploads may not have.
            VersionTakenError: the version is stored with another content.
            DefinitionDriftError, ProgramError: its code is not here, or does not fit it.
        """
        if unspeakable := list(_unspeakable(definition)):
            raise DefinitionError(unspeakable)
        if self.is_by_files(definition.workflow_type):
            raise DefinedByFilesError(definition.workflow_type)
        refused = {name: step for name, step in secrets_of(definition).items() if not self._gives(name)}
        if refused:
            raise SecretsRefusedError(refused)
        for record in await self._store.list_definitions(definition.workflow_type):
            if record.workflow_version == definition.workflow_version and record.digest != digest(definition):
                raise VersionTakenError(definition.workflow_type, definition.workflow_version)
        self._builder.engine().program_from(definition)

    def _gives(self, name: str) -> bool:
        return any(
            name.startswith(allowed[:-1]) if allowed.endswith("*") else name == allowed
            for allowed in self._secret_names
        )

    async def keep(self, definition: Definition) -> None:
        """Store a definition; it is current from now on."""
        engine = self._builder.engine()
        await self._store.put_definition(engine.definition_record(engine.program_from(definition)))
        self._builder.register(definition)
        self._newest[definition.workflow_type] = digest(definition)


def _unspeakable(definition: Definition) -> Iterator[Diagnostic]:
    """What is wrong with the names of a definition; every store keeps the others, and every request can name them."""
    for what, name in (("workflow_type", definition.workflow_type), ("workflow_version", definition.workflow_version)):
        if len(name) > _LONGEST or _NAME.fullmatch(name) is None:
            yield Diagnostic(
                code="RV0901",
                message=f"its {what} is {name[:40]!r}, of {len(name):,} characters",
                help=f"write one line of 1 to {_LONGEST} characters, without control characters",
            )
