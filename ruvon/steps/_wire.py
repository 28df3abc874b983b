"""What travels between the holder of an instance and the worker that runs a body for it, as JSON of encoded values.

An *order* is what a task carries: the place of the step, and the encoded state and variables that its expressions read,
as the holder has them. The worker evaluates the same expressions with the same code, so no value is encoded twice and
the value of `secret("NAME")` never lies in a queue. A *report* is a verdict on its way back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, assert_never, cast, final

import orjson

from ruvon.engine import ErrorRecord, rebuild, record_error
from ruvon.engine._scope import Scope
from ruvon.engine._values import Types
from ruvon.ir.values import is_default
from ruvon.providers import OutboxRecord
from ruvon.providers.encryption import refuse_sealed
from ruvon.steps._verdicts import Done, Ended, Failed, Repeated, Started, Stopped, Verdict

__all__ = ["Order", "Report", "Unfit"]

_FORMAT: Final = 1


@final
@dataclass(slots=True, kw_only=True)
class Order:
    """One attempt of a step, as the queue carries it."""

    workflow_type: str
    digest: bytes
    node: str
    path: str
    """The activation prefix of the frame that it stands in."""
    visit: int = 0
    epoch: int = 0
    since_us: int = 0
    """When the activation began, where it has a deadline or is being retried."""
    unknown: bool = False
    state: dict[str, bytes] | None = None
    """The encoded fields, where the step reads the state."""
    variables: dict[str, bytes] = field(default_factory=dict[str, bytes])
    previous: bytes | None = None
    """The result of the step before it."""
    loop: tuple[int, bytes] | None = None
    """Turn and encoded item of the innermost loop."""
    is_bare: bool = False
    scheduled_for_us: int | None = None
    progress: bytes | None = None
    """JSON of what the attempt before told last with `heartbeat`."""
    trace: Mapping[str, str] = field(default_factory=dict[str, str])
    """What `ExecutionContext` says of the request that it belongs to."""

    def encode(self) -> bytes:
        """The payload of the task."""
        return orjson.dumps(
            {
                "format": _FORMAT,
                "type": self.workflow_type,
                "digest": self.digest.hex(),
                "node": self.node,
                "path": self.path,
                "at": [self.visit, self.epoch, self.since_us, self.unknown, self.is_bare],
                "state": _fields(self.state) if self.state is not None else None,
                "variables": {name: orjson.Fragment(data) for name, data in self.variables.items()},
                "previous": orjson.Fragment(self.previous) if self.previous is not None else None,
                "loop": [self.loop[0], orjson.Fragment(self.loop[1])] if self.loop is not None else None,
                "scheduled_for_us": self.scheduled_for_us,
                "progress": orjson.Fragment(self.progress) if self.progress is not None else None,
                "trace": self.trace or None,
            }
        )

    @staticmethod
    def decode(data: bytes) -> "Order":
        """The order of a payload.

        Raises:
            UnknownEncryptionKeyError: it is encrypted, and nobody has opened it.
            ValueError: it is none, or one of a later version.
        """
        refuse_sealed(data, "the payload of a task")
        found: object = orjson.loads(data)
        tree = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
        if tree.get("format") != _FORMAT:
            raise ValueError("the payload of the task is none that this version of Ruvon knows")
        visit, epoch, since, unknown, bare = tree["at"]
        loop = tree["loop"]
        return Order(
            workflow_type=tree["type"],
            digest=bytes.fromhex(tree["digest"]),
            node=tree["node"],
            path=tree["path"],
            visit=visit,
            epoch=epoch,
            since_us=since,
            unknown=unknown,
            state=_table(tree["state"]) if tree["state"] is not None else None,
            variables={name: orjson.dumps(value) for name, value in tree["variables"].items()},
            previous=orjson.dumps(tree["previous"]) if tree["previous"] is not None else None,
            loop=(loop[0], orjson.dumps(loop[1])) if loop is not None else None,
            is_bare=bare,
            scheduled_for_us=tree["scheduled_for_us"],
            progress=orjson.dumps(tree["progress"]) if tree["progress"] is not None else None,
            trace=tree["trace"] or {},
        )

    def fill(self, scope: Scope) -> None:
        """Give a scope what the order carries."""
        if self.state is not None:
            scope.fields.update(self.state)
        scope.variables.update(self.variables)


@final
@dataclass(frozen=True, slots=True)
class Unfit:
    """The step could not be begun: an expression of it failed, as it would have at the holder."""

    record: ErrorRecord


@final
@dataclass(frozen=True, slots=True)
class Report:
    """What a worker, or the queue itself, says of a task."""

    verdict: "Verdict | Unfit | None"
    """What came of the body; None: no worker took it in time, or the workers that took it died."""
    published: Sequence[OutboxRecord] = ()
    duration_us: int | None = None
    progress: bytes | None = None
    crashes: int = 0
    """So many workers died over it."""

    def encode(self, types: Types) -> bytes:
        """The payload of the inbox entry."""
        tree: dict[str, object] = {"verdict": _tree_of(self.verdict, types), "duration_us": self.duration_us}
        if self.published:
            events = [[item.topic, orjson.Fragment(item.payload), item.at_us, item.key] for item in self.published]
            tree["published"] = events
        if self.progress is not None:
            tree["progress"] = orjson.Fragment(self.progress)
        return orjson.dumps(tree)

    @staticmethod
    def decode(data: bytes, types: Types) -> "Report":
        """The report of an inbox entry."""
        tree: Any = orjson.loads(data)
        verdict = tree.get("verdict")
        progress = tree.get("progress")
        return Report(
            _verdict_of(verdict, types) if verdict is not None else None,
            [
                OutboxRecord(topic, orjson.dumps(payload), at_us, key=key)
                for topic, payload, at_us, key in tree.get("published", ())
            ],
            tree.get("duration_us"),
            orjson.dumps(progress) if progress is not None else None,
            tree.get("crashes", 0),
        )


def _tree_of(verdict: "Verdict | Unfit | None", types: Types) -> dict[str, object] | None:
    match verdict:
        case None:
            return None
        case Unfit(record=record):
            return {"kind": "unfit", "error": record.to_tree()}
        case Done():
            tree: dict[str, object] = {
                "kind": "done",
                "result": orjson.Fragment(verdict.encoded),
                "writes": _fields(verdict.writes),
                "saga": _fragment(verdict.saga),
            }
            optional: dict[str, object] = {"note": verdict.note, "pauses": verdict.pauses, "jump": verdict.jump}
            if verdict.instead_of is not None:
                optional["instead_of"] = record_error(verdict.instead_of, types.dynamic).to_tree()
            return tree | {name: value for name, value in optional.items() if value}
        case Repeated():
            how = [verdict.delay_us, verdict.unknown]
            return {"kind": "repeated", "error": verdict.record.to_tree(), "how": how}
        case Failed():
            return {"kind": "failed", "error": verdict.record.to_tree(), "saga": _fragment(verdict.saga)}
        case Ended():
            return {"kind": "ended", "error": verdict.record.to_tree(), "rollback": verdict.rollback}
        case Started():
            return {
                "kind": "started",
                "child": verdict.workflow_type,
                "data": orjson.Fragment(types.dynamic.encode(verdict.data, "the initial data")),
                "region": verdict.data_region,
                "writes": _fields(verdict.writes),
            }
        case Stopped():
            return {"kind": "stopped", "saga": _fragment(verdict.saga)}
        case _:
            assert_never(verdict)


def _verdict_of(tree: dict[str, Any], types: Types) -> "Verdict | Unfit":
    match tree["kind"]:
        case "done":
            encoded, failed = orjson.dumps(tree["result"]), tree.get("instead_of")
            error = rebuild(ErrorRecord.of_tree(failed), types.dynamic, types.find_class) if failed else None
            return Done(
                types.dynamic.decode(encoded),
                encoded,
                _table(tree["writes"]),
                _bytes(tree["saga"]),
                tree.get("note", ""),
                tree.get("pauses", False),
                tree.get("jump"),
                error,
            )
        case "started":
            data = types.dynamic.decode(orjson.dumps(tree["data"]))
            return Started(tree["child"], data, tree["region"], _table(tree["writes"]))
        case "stopped":
            return Stopped(_bytes(tree["saga"]))
        case kind:
            return _failure_of(kind, tree)


def _failure_of(kind: str, tree: dict[str, Any]) -> "Verdict | Unfit":
    record = ErrorRecord.of_tree(cast("Mapping[str, object]", tree["error"]))
    if kind == "repeated":
        delay, unknown = tree["how"]
        return Repeated(record, None, delay, unknown)
    if kind == "ended":
        return Ended(record, tree["rollback"])
    return Unfit(record) if kind == "unfit" else Failed(record, None, _bytes(tree["saga"]))


def _fields(table: Mapping[str, bytes]) -> list[object]:
    """Encoded fields, and which of them are at their default: JSON keeps no mark of that."""
    values = {name: orjson.Fragment(data) for name, data in table.items()}
    return [values, [name for name, data in table.items() if is_default(data)]]


def _table(tree: list[Any]) -> dict[str, bytes]:
    found = {name: orjson.dumps(value) for name, value in tree[0].items()}
    for name in tree[1]:
        found[name] = b" " + found[name]
    return found


def _fragment(data: bytes | None) -> object:
    return orjson.Fragment(data) if data is not None else None


def _bytes(tree: object) -> bytes | None:
    return orjson.dumps(tree) if tree is not None else None
