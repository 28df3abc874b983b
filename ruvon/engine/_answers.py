"""Input from applications: which wait it is for, and whether it fits, before anything is written."""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias, cast

import orjson

from ruvon.engine._errors import InvalidInputError, NotWaitingForInputError, WorkflowFinishedError
from ruvon.engine._frames import GraphFrame, Strand, WaitKind, WaitState
from ruvon.engine._inputs import InputSpec
from ruvon.engine._run import Run
from ruvon.engine._status import current_step
from ruvon.ir._canonical import walk_nodes
from ruvon.ir._nodes import Definition, SignalSource, TypeText, Wait
from ruvon.ir.types import type_text
from ruvon.ir.values import InvalidValueError, validate
from ruvon.models import WorkflowStatus
from ruvon.providers import InboxEntry, InboxKind, WorkflowBusyError

__all__ = [
    "Guard",
    "accept_input",
    "encode_signal",
    "find_answered",
    "refuse_cancelled",
    "require_asked",
    "require_open",
]


Guard: TypeAlias = Callable[[str | None, str | None], None]
"""Told the role and the person whom a step asks, before an answer is handed to it; raises to refuse the answer."""


def require_open(run: Run) -> None:
    """Refuse to drive an instance that has ended."""
    if run.status.is_terminal:
        raise WorkflowFinishedError(run.id, run.status.value)


async def accept_input(run: Run, given: object, guard: Guard | None = None) -> WaitState | None:
    """Check a call of `next_step` against where the instance stands, and hand the input to who waits for it.

    What somebody waits for is sent as every answer is, so that of two that come at the same time one is refused.

    Returns:
        The wait that it was sent to, if any.
    """
    require_open(run)
    if run.status is WorkflowStatus.COMPENSATING:
        raise WorkflowBusyError(run.id)
    if given is None:
        return None
    asking = [strand for strand in run.waiting.values() if _asks(strand)]
    if asking:
        strand, value = _check(run, asking[0], given)
        require_asked(strand.wait, guard)
        return await _send(run, strand, value)
    if run.waiting or len(run.root.frames) > 1:
        raise NotWaitingForInputError(run.id, run.status.value, current_step(run))
    run.root.input = _checked_now(run, given)
    return None


async def _send(run: Run, strand: Strand, value: object) -> WaitState | None:
    """Append the input to the inbox, unless an answer to the same wait was there before, or its time is over."""
    wait, now = strand.wait, run.now_us()
    if wait is None:
        return None
    refuse_cancelled(run, run.inbox)
    if wait.due_us is not None and wait.due_us <= now:
        raise NotWaitingForInputError(run.id, run.status.value, current_step(run))
    store, workflow_id = run.services.store, run.record.workflow_id
    data = run.program.types.dynamic.encode(value, "the input")
    entry = InboxEntry(workflow_id, InboxKind.ANSWER, wait.activation, data, None, wait.answer_key, now)
    if not await store.append_inbox(entry):
        raise NotWaitingForInputError(run.id, run.status.value, current_step(run))
    run.inbox = list(await store.read_inbox(workflow_id))
    return wait


def refuse_cancelled(run: Run, inbox: Iterable[InboxEntry]) -> None:
    """Refuse an answer that would come too late, because the instance was asked to end and only has not done so yet.

    Raises:
        NotWaitingForInputError: such a request lies in the inbox.
    """
    if any(entry.kind is InboxKind.CANCEL for entry in inbox):
        raise NotWaitingForInputError(run.id, "being cancelled", current_step(run))


def require_asked(wait: WaitState | None, guard: Guard | None) -> None:
    """Let a guard refuse whoever a step does not ask."""
    if guard is None or wait is None or wait.kind is not WaitKind.HUMAN:
        return
    shown = cast("dict[str, Any]", orjson.loads(wait.show)) if wait.show is not None else {}
    guard(shown.get("role"), shown.get("assignee"))


def _checked_now(run: Run, given: object) -> object:
    """Input for the step that is about to run, checked against its model."""
    op = run.body.graph.ops.get(run.body.pc)
    if op is None or op.input is None:
        return given
    run.root.answered = True
    return op.input.check(op.id, given)


def _asks(strand: Strand) -> bool:
    return strand.wait is not None and strand.wait.kind in (WaitKind.HUMAN, WaitKind.INPUT)


def _asking(run: Run) -> list[str]:
    """The steps that wait for an answer."""
    return [strand.wait.node for strand in run.waiting.values() if _asks(strand) and strand.wait is not None]


def _check(run: Run, strand: Strand, value: object) -> tuple[Strand, object]:
    frame = strand.frames[-1]
    op = frame.graph.ops.get(frame.pc) if isinstance(frame, GraphFrame) else None
    spec = op.input if op is not None else None
    return strand, (spec or InputSpec()).check(op.id if op is not None else "", value)


def find_answered(run: Run, value: object, *, step: str | None, wait_id: str | None) -> tuple[WaitState, object]:
    """The wait that an answer is for, and the validated answer.

    Raises:
        NotWaitingForInputError: there is none, or there are several and none is named.
        InvalidInputError: the answer does not fit.
    """
    found = [
        strand
        for strand in run.waiting.values()
        if _asks(strand)
        and strand.wait is not None
        and (step is None or step in (strand.wait.node, strand.wait.name))
        and (wait_id is None or strand.wait.activation == wait_id)
    ]
    if not found:
        asking = _asking(run)
        if step is not None and asking and step not in asking:
            raise NotWaitingForInputError(run.id, run.status.value, step, asking)
        raise NotWaitingForInputError(run.id, run.status.value, current_step(run))
    if len(found) > 1:
        names = [f"`{strand.wait.node}`" for strand in found if strand.wait is not None]
        raise InvalidInputError(
            step or "", [f"several steps wait ({', '.join(names)}); name one with step= or wait_id="]
        )
    strand, checked = _check(run, found[0], value)
    if strand.wait is None:
        raise NotWaitingForInputError(run.id, run.status.value, step)
    return strand.wait, checked


def encode_signal(run: Run, message: object, payload: object) -> tuple[TypeText, bytes]:
    """The type text and the validated, encoded message of a signal that the definition receives."""
    received = _received(run.program.definition)
    if isinstance(message, type):
        problem = f"it is the class `{message.__name__}`; give an instance of it, or its name"
        raise InvalidInputError(message.__name__, [problem], subject="the signal")
    if isinstance(message, str):
        wanted = message
        matching = [text for text in received if message in (text, text.partition(":")[2])]
        value: Any = payload if payload is not None else {}
    else:
        text = type_text(type(message))
        wanted = type(message).__qualname__
        matching = [text] if text in received else []
        value = message
    subject = f"the signal `{wanted}`"
    if not matching:
        names = ", ".join(f"`{text.partition(':')[2] or text}`" for text in received) or "none"
        problem = f"this workflow receives no `{wanted}`; it receives {names}"
        raise InvalidInputError(wanted, [problem], subject=subject)
    name = matching[0]
    types = run.program.types
    try:
        checked = validate(types.annotation(name), value, "signal")
    except InvalidValueError as exc:
        problems = [f"`{item.path}` {item.reason}" for item in exc.fields]
        raise InvalidInputError(wanted, problems, subject=subject) from None
    return name, types.codec(name).encode(checked, "signal")


def _received(definition: Definition) -> list[TypeText]:
    found = [
        node.action.source.model
        for node in walk_nodes(definition.graph)
        if isinstance(node.action, Wait) and isinstance(node.action.source, SignalSource)
    ]
    return list(dict.fromkeys(found))
