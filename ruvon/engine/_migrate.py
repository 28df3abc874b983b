"""Migration: an instance that waits goes on with another definition of its type, where its position exists there too.

What has to fit: every node that it stands at or is inside of, with the same kind and nesting; the values that it has, by
the field fingerprints (a new field takes its default, a removed one stays unused in the snapshot, another type is
refused); the variables that the rest reads; and a compensation for everything that may still be undone. It is moved by
one transition, guarded by the revision, so a move and anything else that happens to it never mix.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast, final
from uuid import UUID

import orjson

from ruvon.engine._ahead import Ahead
from ruvon.engine._commit import build_transition, committed, snapshot_of
from ruvon.engine._errors import RepairError
from ruvon.engine._frames import ForkFrame, WaitKind
from ruvon.engine._load import loaded_at, read_kept
from ruvon.engine._program import Program
from ruvon.engine._repair import MIGRATED, audit_note
from ruvon.engine._scope import StoredScopes
from ruvon.engine._standing import Standing, Waiting, is_leaving, standing, unmapped, waitings
from ruvon.engine._undo import still_open
from ruvon.ir._canonical import digest, load
from ruvon.ir._diff import Place, places
from ruvon.ir._nodes import Call, Compensation, Definition, HumanSource, Start, Wait
from ruvon.models import WAITING_STATUSES, WorkflowStatus
from ruvon.providers import InboxEntry, InboxKind, InstanceRecord, LogEntry

if TYPE_CHECKING:
    from ruvon.engine._engine import Engine

__all__ = ["Migration", "check_migration", "migrate"]

_PATH: Final = re.compile(r"[\w.]+:[\w.]+")
_FREE: Final = 1
"""A compensation may have one parameter that was no argument of the step: it gets the result."""
_GIVEN: Final = frozenset({"state", "context"})


@final
@dataclass(frozen=True, slots=True)
class Migration:
    """Whether an instance can be moved."""

    record: InstanceRecord
    stands: tuple[str, ...]
    """The nodes that it stands at, outermost first."""
    problems: tuple[str, ...]
    """Why it cannot be moved; empty where it can."""


async def check_migration(engine: "Engine", workflow_id: UUID, definition: Definition) -> Migration:
    """Whether an instance can go on with another definition of its type; nothing is changed."""
    found = await _look(engine, await engine.store.load_instance(workflow_id))
    return Migration(found.record, tuple(item.node for item in found.stands), found.problems(definition))


async def migrate(engine: "Engine", workflow_id: UUID, program: Program, *, actor: str = "", reason: str = "") -> None:
    """Move an instance to another definition of its type.

    Raises:
        RepairError: it cannot be moved; nothing was changed.
        WorkflowBusyError: somebody drives it.
    """
    hold = await engine.store.hold(workflow_id)
    try:
        found = await _look(engine, await engine.store.load_instance(workflow_id))
        problems = found.problems(program.definition)
        if problems:
            raise RepairError(str(workflow_id), "; ".join(problems))
        await _move(engine, found, program, hold.token, audit_note(actor, reason))
    finally:
        await hold.release()
    if await engine.store.read_inbox(workflow_id):
        await engine.poke(workflow_id)  # whoever sent it found the instance held


async def _move(engine: "Engine", found: "_Found", program: Program, token: bytes, note: str) -> None:
    record, old, new = found.record, found.definition, program.definition
    moved = replace(record, digest=program.digest, workflow_version=new.workflow_version)
    if record.saga_enabled == old.saga:  # else somebody has switched it for this instance
        moved.saga_enabled = new.saga
    run = await loaded_at(engine, moved, program, record.position, found.stored)
    for strand in list(run.strands()):
        if isinstance(strand.top, ForkFrame):  # branches that have not begun are not in the position
            strand.top.op.begin(run, strand, strand.top)
    run.token = token
    versions = f"{_named(record.workflow_version, record.digest)} -> {_named(new.workflow_version, program.digest)}"
    run.log("repair", "", "", note=f"{MIGRATED}{versions}{note}")
    transition = build_transition(run)
    transition.snapshot = snapshot_of(run)
    transition.digest = program.digest
    transition.workflow_version = new.workflow_version
    transition.definitions = engine.family(program)
    await engine.store.commit(transition)
    committed(run, transition)
    if run.notices is not None:
        await run.notices.send()


def _named(version: str, digest: bytes) -> str:
    return f"{version} ({digest.hex()[:8]})"


# Looking


@final
@dataclass(frozen=True, slots=True)
class _Found:
    """All that the store says of an instance."""

    record: InstanceRecord
    definition: Definition
    stored: StoredScopes
    log: Sequence[LogEntry]
    saga: Sequence[LogEntry]
    inbox: Sequence[InboxEntry]
    stands: tuple[Standing, ...]
    waits: tuple[Waiting, ...]

    def problems(self, new: Definition) -> tuple[str, ...]:
        """Why it cannot be moved to a definition; empty where it can."""
        return tuple(_refusals(self, new)) or tuple(dict.fromkeys(_problems(self, new)))


async def _look(engine: "Engine", record: InstanceRecord) -> _Found:
    kept = await read_kept(engine.store, record)
    record = kept.record
    definition = load((await engine.store.get_definition(record.digest)).text)
    return _Found(
        record,
        definition,
        kept.scopes,
        await engine.store.read_log(record.workflow_id),
        await engine.store.read_log(record.workflow_id, saga=True),
        await engine.store.read_inbox(record.workflow_id),
        standing(record.position, places(definition)) if WorkflowStatus(record.status) in WAITING_STATUSES else (),
        waitings(record.position) if WorkflowStatus(record.status) in WAITING_STATUSES else (),
    )


def _refusals(found: _Found, new: Definition) -> Iterator[str]:
    """Why an instance is not moved wherever it stands."""
    record, status = found.record, WorkflowStatus(found.record.status)
    if record.workflow_type != new.workflow_type:
        yield f"it is a {record.workflow_type}, not a {new.workflow_type}"
    elif record.digest == digest(new):
        yield "it has this definition already"
    elif status not in WAITING_STATUSES:
        yield f"it is {record.status}; only a workflow that waits can be moved"
    elif any(wait.kind is WaitKind.TASK for wait in found.waits):
        yield "work of it is queued; wait for its end"
    elif is_leaving(record.position):
        yield "it is being cancelled or rolled back; wait for the end of that"


def _problems(found: _Found, new: Definition) -> Iterator[str]:
    old, stored = found.definition, found.stored
    before, after = places(old), places(new)
    yield from unmapped(found.stands, before, after)
    bound = {name for _, variables in stored.trees.values() for name in variables if name.isidentifier()}
    fields = {name for owned, _ in stored.trees.values() for name in owned}
    ahead = Ahead(after, found.stands)
    yield from _state_problems(old, new, fields)
    messages = [text for entry in found.inbox for text in _message_type(entry, before)]
    yield from _class_problems(old, new, [old.state, *(old.variables.get(name, "") for name in bound), *messages])
    yield from _variable_problems(old, new, bound)
    yield from (f"`{node}` reads the variable `{name}`, which has no value here" for node, name in ahead.unset(bound))
    yield from _run_again(found, ahead.nodes() - Ahead(before, found.stands).nodes())
    yield from _saga_problems(found.saga, new, after)


def _message_type(entry: InboxEntry, before: Mapping[str, Place]) -> Iterator[str]:
    """The type of what lies in the inbox, as the old definition has it."""
    if entry.kind is InboxKind.SIGNAL:
        yield entry.name
    elif entry.kind is InboxKind.ANSWER:
        for place in before.values():
            match place.node.action:
                case Wait(source=HumanSource(form=str(text))) | Call(input_model=str(text)):
                    yield text
                case _:
                    pass


def _run_again(found: _Found, new: frozenset[str]) -> Iterator[str]:
    """What has run, and comes after where it stands only in the new definition."""
    done = dict.fromkeys(entry.node for entry in found.log if entry.kind == "step" and entry.node in new)
    yield from (f"`{node}` has run already, and would run again behind where it stands" for node in done)


# Values


def _state_problems(old: Definition, new: Definition, fields: set[str]) -> Iterator[str]:
    """By fingerprint: what is missing takes its default, what was removed stays unused, another type is refused."""
    before, after = old.types.get(old.state), new.types.get(new.state)
    if before is None or after is None:
        if (before is None) != (after is None):
            yield f"its state is a `{old.state}`, the new one is a `{new.state}`"
        return
    known = {item.name: item.type for item in before.fields}
    for item in after.fields:
        if item.name in known and known[item.name] != item.type:
            yield f"the state's field `{item.name}` was `{known[item.name]}`, it is `{item.type}` now"
        elif item.required and item.name not in fields:
            yield f"the state requires the field `{item.name}` now, and it has no value for it"


def _class_problems(old: Definition, new: Definition, texts: Sequence[str]) -> Iterator[str]:
    """Of classes that stored values are instances of, the state's own fields apart."""
    seen: set[str] = set()
    waiting = [path for text in texts for path in _PATH.findall(text)]
    while waiting:
        path = waiting.pop()
        entry = old.types.get(path)
        if path in seen or entry is None:
            continue
        seen.add(path)
        waiting += [found for item in entry.fields for found in _PATH.findall(item.type)]
        after = new.types.get(path)
        if after is None or path == old.state:
            continue
        known = {item.name: item.type for item in entry.fields}
        for item in after.fields:
            if item.name in known and known[item.name] != item.type:
                yield f"`{path}.{item.name}` was `{known[item.name]}`, it is `{item.type}` now"
            elif item.name not in known and item.required:
                yield f"`{path}` requires the field `{item.name}` now, which stored values lack"


def _variable_problems(old: Definition, new: Definition, bound: set[str]) -> Iterator[str]:
    for name in sorted(bound):
        before, now = old.variables.get(name), new.variables.get(name)
        if before is not None and now is not None and before != now:
            yield f"the variable `{name}` was `{before}`, it is `{now}` now"


# Compensations


def _saga_problems(found: Sequence[LogEntry], new: Definition, after: Mapping[str, Place]) -> Iterator[str]:
    for entry in still_open(found):
        what = f"`{entry.activation}` may have to be undone, and"
        place = after.get(entry.node)
        saga = cast("dict[str, Any]", orjson.loads(entry.saga or b"{}"))
        if place is None:
            yield f"{what} `{entry.node}` is not there any more"
        elif "child" in saga:
            if not isinstance(place.node.action, Start):
                yield f"{what} `{entry.node}` starts nothing any more"
        else:
            how = cast("Compensation | None", getattr(place.node.action, "compensation", None))
            if how is None:
                yield f"{what} `{entry.node}` has no compensation any more"
                continue
            missing = _not_recorded(new, how, saga.get("args", {}))
            if missing:
                yield f"{what} `{how.function}` wants {missing} now, which was not recorded"


def _not_recorded(new: Definition, how: Compensation, recorded: Mapping[str, object]) -> str:
    """The parameters of a compensation that nothing recorded would fill."""
    contract = new.contracts.get(how.function)
    if contract is None:
        return ""
    names = [name for name, _, required in contract.parameters if required and name not in _GIVEN]
    free = [name for name in names if name not in recorded]
    return ", ".join(f"`{name}`" for name in free) if len(free) > _FREE else ""
