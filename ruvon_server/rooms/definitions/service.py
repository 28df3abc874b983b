"""What the definitions room does."""

import asyncio
from collections.abc import Sequence
from typing import Final, final

from ruvon import ir
from ruvon._versions import StoredVersion
from ruvon.builder import WorkflowBuilder
from ruvon.ir import Definition, DefinitionError, Diagnostic, drawing
from ruvon.ir._diff import diff as differences
from ruvon_server.auth import Principal
from ruvon_server.models import definitions as models
from ruvon_server.shown import moment
from ruvon_server.uploads import Uploads
from ruvon_server.versions import Version, Versions

__all__ = ["DefinitionService"]

_PICTURES: Final = {
    "svg": drawing.to_svg,
    "mermaid": drawing.to_mermaid,
    "dot": drawing.to_dot,
    "text": drawing.to_terminal,
}


@final
class DefinitionService:
    """Lists, shows, draws, compares and stores definitions.

    Args:
        builder: the registered ones, and the store.
        uploads: the uploaded ones.
    """

    def __init__(self, builder: WorkflowBuilder, uploads: Uploads) -> None:
        self._builder = builder
        self._store = builder.persistence
        self._uploads = uploads
        self._known = Versions(builder, uploads)

    async def find(
        self, principal: Principal, limit: int, after: tuple[str, str] | None
    ) -> tuple[list[models.DefinitionRow], tuple[str, str] | None]:
        """A page of the versions of all types, and where the next one begins: behind a version of a type."""
        stored = {item.workflow_type for item in await self._store.list_definitions()}
        rows: list[models.DefinitionRow] = []
        for name in sorted({*self._builder.registered_types(), *stored}):
            if after is None or name >= after[0]:
                known = [self._row(principal, item, name) for item in await self._known.of(name)]
                rows += _behind(known, after[1]) if after is not None and name == after[0] else known
            if len(rows) > limit:
                last = rows[limit - 1]
                return rows[:limit], (last.workflow_type, last.digest)
        return rows, None

    async def versions(self, principal: Principal, workflow_type: str) -> models.DefinitionList:
        """Every version of a type, oldest first."""
        found = await self._known.of(workflow_type)
        return models.DefinitionList(items=[self._row(principal, item, workflow_type) for item in found])

    async def show(self, principal: Principal, workflow_type: str, version: str | None) -> models.DefinitionInfo:
        """A version of a type; the current one where none is named."""
        found = await self._known.one(workflow_type, version)
        definition = found.definition
        schema = definition.schemas.get(definition.state)
        return models.DefinitionInfo(
            **self._row(principal, found, workflow_type).model_dump(),
            description=definition.description,
            saga=definition.saga,
            steps=[models.Step(name=node.id, kind=ir.label(node)) for node in ir.ordered(definition.graph)],
            state_schema=dict(schema) if schema is not None else None,
        )

    async def history(self, principal: Principal, workflow_type: str) -> models.DefinitionHistory:
        """The versions of a type, each with what differs from the one before."""
        found = await self._known.of(workflow_type)
        items: list[models.VersionEntry] = []
        for before, item in zip([None, *found[:-1]], found, strict=True):
            changes = _changes(before.definition, item.definition) if before is not None else []
            row = self._row(principal, item, workflow_type).model_dump()
            items.append(models.VersionEntry(**row, changes=changes))
        return models.DefinitionHistory(items=items)

    async def diff(self, principal: Principal, workflow_type: str, old: str, new: str | None) -> models.DefinitionDiff:
        """What differs between two versions of a type."""
        before, after = await self._known.one(workflow_type, old), await self._known.one(workflow_type, new)
        return models.DefinitionDiff(
            old=self._row(principal, before, workflow_type),
            new=self._row(principal, after, workflow_type),
            changes=_changes(before.definition, after.definition),
        )

    async def graph(self, workflow_type: str, version: str | None) -> models.Graph:
        """The graph of a version, for programs that draw."""
        return _graph(drawing.picture((await self._known.one(workflow_type, version)).definition))

    async def document(self, workflow_type: str, version: str | None) -> bytes:
        """A version as `ruvon compile` writes it."""
        return ir.dump((await self._known.one(workflow_type, version)).definition)

    async def picture(self, workflow_type: str, version: str | None, form: str) -> str:
        """The graph of a version as `svg`, `mermaid`, `dot` or `text`."""
        return _PICTURES[form]((await self._known.one(workflow_type, version)).definition)

    async def upload(self, principal: Principal, wanted: models.UploadDefinition) -> models.Uploaded:
        """Check a text, and store its definitions.

        Raises:
            DefinitionError: it has mistakes; nothing was stored.
            DefinedByFilesError: files of this server define the type.
            VersionTakenError: the version is stored with another content.
        """
        definitions, findings = await self._compiled(wanted)
        for definition in definitions:
            await self._uploads.require_new(definition)
        if not wanted.dry_run:
            for definition in definitions:
                await self._uploads.keep(definition)
        rows = [
            models.DefinitionRow(
                workflow_type=item.workflow_type,
                workflow_version=item.workflow_version,
                digest=ir.digest(item).hex(),
                is_current=not wanted.dry_run,
                by_files=False,
                stored_at=None,
                **_counts(principal, None),
            )
            for item in definitions
        ]
        return models.Uploaded(items=rows, findings=[_finding(item) for item in findings])

    async def _compiled(self, wanted: models.UploadDefinition) -> tuple[list[Definition], Sequence[Diagnostic]]:
        if wanted.form == "ir":
            return [ir.load(wanted.source.encode())], ()
        found = await asyncio.to_thread(
            self._builder.compile_source, wanted.source, kind="yaml", file="upload.yaml", environment={}
        )
        if not found.ok or not found.definitions:
            raise DefinitionError(found.diagnostics)
        return [item.definition for item in found.definitions], found.diagnostics

    def _row(self, principal: Principal, version: Version, workflow_type: str) -> models.DefinitionRow:
        stored = version.stored
        return models.DefinitionRow(
            workflow_type=workflow_type,
            workflow_version=version.definition.workflow_version,
            digest=version.digest.hex(),
            is_current=self._known.is_current(version),
            by_files=self._uploads.is_by_files(workflow_type),
            stored_at=moment(stored.record.stored_us) if stored is not None else None,
            **_counts(principal, stored),
        )


def _behind(rows: Sequence[models.DefinitionRow], digest: str) -> Sequence[models.DefinitionRow]:
    """The versions behind one; none where it is gone: only the last one of a type, which nothing has, can be."""
    digests = [item.digest for item in rows]
    return rows[digests.index(digest) + 1 :] if digest in digests else ()


def _counts(principal: Principal, stored: StoredVersion | None) -> dict[str, int | None]:
    """How many runs have a version; for whoever sees only his own nothing is said of others'."""
    if principal.owner_id is not None or principal.org_id is not None:
        return {"running": None, "waiting": None, "ended": None}
    if stored is None:
        return {"running": 0, "waiting": 0, "ended": 0}
    return {"running": stored.running, "waiting": stored.waiting, "ended": stored.ended}


def _changes(old: Definition, new: Definition) -> list[models.Change]:
    return [
        models.Change(
            area=item.area.value,
            kind=item.kind.value,
            subject=item.subject,
            field=item.field or None,
            before=item.before,
            after=item.after,
        )
        for item in differences(old, new)
    ]


def _graph(found: drawing.Picture) -> models.Graph:
    return models.Graph(
        boxes=[
            models.GraphBox(
                id=box.id.replace("\0", "@"),
                shape=box.shape,
                title=box.title,
                kind=box.kind,
                detail=box.detail,
                parts=[models.GraphPart(title=part.title, graph=_graph(part.picture)) for part in box.parts],
            )
            for box in found.boxes
        ],
        edges=[
            models.GraphEdge(
                source=edge.source.replace("\0", "@"),
                target=edge.target.replace("\0", "@"),
                text=edge.text,
                back=edge.back,
            )
            for edge in found.edges
        ],
    )


def _finding(item: Diagnostic) -> models.Finding:
    place = str(item.span) if item.span is not None else None
    return models.Finding(
        code=item.code, severity=item.severity.value, message=item.message, help=item.help, place=place
    )
