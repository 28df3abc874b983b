"""Rows, transitions and messages for the tests of stores."""

from dataclasses import replace
from typing import Any
from uuid import uuid4

from ruvon.providers import DefinitionRecord, InboxEntry, InboxKind, InstanceRecord, LogEntry, Transition

DIGEST = bytes(range(32))
DEFINITION = DefinitionRecord(DIGEST, "Order", "1.0.0", b"{}")


def instance(**fields: Any) -> InstanceRecord:
    """A new instance's row."""
    made = InstanceRecord(
        uuid4(), "Order", "1.0.0", DIGEST, "ACTIVE", b'["a",0,0]', b'{"":{}}', created_us=1, updated_us=1
    )
    return replace(made, **fields)


def creation(*records: InstanceRecord) -> Transition:
    """The transition that inserts instances and nothing else."""
    return Transition(
        records[0].workflow_id, 0, -1, 0, b"", "ACTIVE", b"", None, 1, [], 0, created=records, definitions=(DEFINITION,)
    )


def step(record: InstanceRecord, number: int, **fields: Any) -> Transition:
    """The transition of step `number` (from 1) of an instance that was read as `record`."""
    entry = LogEntry(number, "step", f"s{number}", f"s{number}", 10 + number, delta=b"d", result=b"1")
    made = Transition(
        record.workflow_id,
        record.key,
        number - 1,
        number,
        b"t%d" % number,
        "ACTIVE",
        b'["p%d",0,0]' % number,
        f"s{number}",
        10 + number,
        [entry],
        number,
    )
    return replace(made, **fields)


def message(record: InstanceRecord, text: str, **fields: Any) -> InboxEntry:
    """A signal."""
    made = InboxEntry(record.workflow_id, InboxKind.SIGNAL, "Note", text.encode(), at_us=5)
    return replace(made, **fields)


async def create(store: Any, **fields: Any) -> InstanceRecord:
    """A created instance, as read back."""
    record = instance(**fields)
    await store.commit(creation(record))
    found: InstanceRecord = await store.load_instance(record.workflow_id)
    return found
