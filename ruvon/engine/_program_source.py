"""`ProgramSource`: the programs of registered and of stored definitions, each built once."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol, final

from ruvon.engine._compile import CompileNode, build_program
from ruvon.engine._errors import UnknownWorkflowTypeError
from ruvon.engine._program import Program
from ruvon.ir._canonical import digest, dump, load, walk_nodes
from ruvon.ir._errors import RuvonError
from ruvon.ir._nodes import Definition, Start
from ruvon.models import WorkflowStep
from ruvon.providers import DefinitionRecord, EngineStore, InstanceRecord

__all__ = ["Definitions", "ProgramCache", "ProgramSource"]


class Definitions(Protocol):
    """Where the engine finds the definition of a workflow type; the builder's registry."""

    def find(self, workflow_type: str, version: str | None, /) -> Definition:
        """The newest definition of a type, or that of a version.

        Raises:
            UnknownWorkflowTypeError: there is none.
        """
        ...

    def schedule_policy(self, workflow_type: str, /) -> tuple[str, int]:
        """What its declaration says of overlapping and of missed runs: `overlap` and `catch_up`."""
        ...

    def load(self, path: str, /) -> object:
        """The object at a path, inside the allowed import roots."""
        ...


@final
class ProgramCache:
    """Programs that were made already; engines over the same definitions and step types may share one."""

    __slots__ = ("by_definition", "by_digest", "learnt", "stored", "texts")

    def __init__(self) -> None:
        self.by_digest: dict[bytes, Program] = {}
        self.by_definition: dict[int, tuple[Definition, Program]] = {}
        """By the identity of the definition, which is kept with it so that the identity stays its own."""
        self.texts: dict[bytes, bytes] = {}
        """The stored text of each definition, by digest."""
        self.stored: dict[tuple[str, str | None], Definition] = {}
        """By type and version (None: the newest), definitions that were found in the store only."""
        self.learnt: set[bytes] = set()
        """Programs whose children were looked for in the store."""


class ProgramSource:
    """Where an engine has its programs from.

    Args:
        store: keeps the definition of every instance.
        definitions: what is registered here.
        compile_node: makes the operation of a node.
        step_types: custom step types, by name.
        programs: what others over the same definitions have built.
    """

    def __init__(
        self,
        store: EngineStore,
        definitions: Definitions,
        compile_node: CompileNode,
        step_types: Mapping[str, type[WorkflowStep]] | None = None,
        programs: ProgramCache | None = None,
    ) -> None:
        self.store = store
        self.step_types: Mapping[str, type[WorkflowStep]] = step_types if step_types is not None else {}
        self._definitions = definitions
        self._compile_node = compile_node
        self._programs = programs if programs is not None else ProgramCache()

    def program_for(self, workflow_type: str, version: str | None) -> Program:
        """The program of a registered type."""
        definition = self._find(workflow_type, version)
        known = self._programs.by_definition.get(id(definition))
        if known is None:
            known = (definition, self._build(definition, digest(definition)))
            self._programs.by_definition[id(definition)] = known
        return known[1]

    def program_from(self, definition: Definition) -> Program:
        """The program of a definition, registered or not.

        Raises:
            DefinitionDriftError: the deployed code does not fit it.
            ProgramError: it cannot run here.
        """
        return self._build(definition, digest(definition))

    def _find(self, workflow_type: str, version: str | None) -> Definition:
        """A definition as registered, or, where nobody registered the type here, as stored with what starts it."""
        try:
            return self._definitions.find(workflow_type, version)
        except UnknownWorkflowTypeError:
            found = self._programs.stored.get((workflow_type, version))
            if found is None:
                raise
            return found

    async def learn_children(self, program: Program) -> None:
        """Look in the store for the definitions of types that a program starts and nobody has registered here."""
        if program.digest in self._programs.learnt:
            return
        for child, version in _child_types(program.definition):
            try:
                self._definitions.find(child, version)
            except UnknownWorkflowTypeError:
                for item in await self.store.list_definitions(child):
                    definition = load(item.text)
                    self._programs.stored[child, item.workflow_version] = definition
                    self._programs.stored[child, None] = definition
        self._programs.learnt.add(program.digest)

    def family(self, program: Program) -> tuple[DefinitionRecord, ...]:
        """The definitions of a program and of everything that it starts, as far as they are known here."""
        found: dict[bytes, DefinitionRecord] = {}
        pending = [program]
        while pending:
            member = pending.pop()
            if member.digest in found:
                continue
            found[member.digest] = self.definition_record(member)
            for child, version in _child_types(member.definition):
                with suppress(RuvonError):  # what cannot run here is told when it is started
                    pending.append(self.program_for(child, version))
        return tuple(found.values())

    async def program_of(self, record: InstanceRecord) -> Program:
        """The program of an instance: its own definition, from the store."""
        return await self.program_by_digest(record.digest)

    async def program_by_digest(self, digest: bytes) -> Program:
        """The program of a stored definition.

        Raises:
            DefinitionNotFoundError: the store has none with this digest.
            DefinitionDriftError: the deployed code does not fit it.
            ProgramError: it cannot run here.
        """
        known = self._programs.by_digest.get(digest)
        if known is not None:
            return known
        stored = await self.store.get_definition(digest)
        return self._build(load(stored.text), digest)

    def _build(self, definition: Definition, key: bytes) -> Program:
        known = self._programs.by_digest.get(key)
        if known is None:
            made = build_program(definition, key, self._definitions.load, self._compile_node, self.step_types)
            known = self._programs.by_digest[key] = made
        return known

    def definition_record(self, program: Program) -> DefinitionRecord:
        """A program's definition as stored."""
        text = self._programs.texts.get(program.digest)
        if text is None:
            text = self._programs.texts[program.digest] = dump(program.definition)
        definition = program.definition
        return DefinitionRecord(program.digest, definition.workflow_type, definition.workflow_version, text)

    def schedule_policy(self, workflow_type: str) -> tuple[str, int]:
        """`overlap` and `catch_up` as a workflow's own declaration has them."""
        return self._definitions.schedule_policy(workflow_type)


def _child_types(definition: Definition) -> list[tuple[str, str | None]]:
    """The types, with their pinned versions, that a definition starts."""
    return [
        (node.action.child, node.action.version)
        for node in walk_nodes(definition.graph)
        if isinstance(node.action, Start)
    ]
