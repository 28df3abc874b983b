"""Input from applications: which wait it is for, and whether it fits, before anything is written."""

from typing import Any

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

__all__ = ["accept_input", "encode_signal", "find_answered", "require_open"]


def require_open(run: Run) -> None:
    """Refuse to drive an instance that has ended."""
    if run.status.is_terminal:
        raise WorkflowFinishedError(run.id, run.status.value)


async def accept_input(run: Run, given: object) -> None:
    """Check a call of `next_step` against where the instance stands, and hand the input to who waits for it.

    What somebody waits for is sent as every answer is, so that of two that come at the same time one is refused.
    """
    require_open(run)
    if run.status is WorkflowStatus.COMPENSATING:
        raise WorkflowBusyError(run.id)
    if given is None:
        return
    asking = [strand for strand in run.waiting.values() if _asks(strand)]
    if asking:
        strand, value = _check(run, asking[0], given)
        await _send(run, strand, value)
        return
    if run.waiting or len(run.root.frames) > 1:
        raise NotWaitingForInputError(run.id, run.status.value, current_step(run))
    run.root.input = _checked_now(run, given)


async def _send(run: Run, strand: Strand, value: object) -> None:
    """Append the input to the inbox, unless an answer to the same wait was there before."""
    wait = strand.wait
    if wait is None:
        return
    store, workflow_id = run.services.store, run.record.workflow_id
    data = run.program.types.dynamic.encode(value, "the input")
    entry = InboxEntry(
        workflow_id, InboxKind.ANSWER, wait.activation, data, None, wait.answer_key, run.services.clock.now_us()
    )
    if not await store.append_inbox(entry):
        raise NotWaitingForInputError(run.id, run.status.value, current_step(run))
    run.inbox = list(await store.read_inbox(workflow_id))


def _checked_now(run: Run, given: object) -> object:
    """Input for the step that is about to run, checked against its model."""
    op = run.body.graph.ops.get(run.body.pc)
    if op is None or op.input is None:
        return given
    run.root.answered = True
    return op.input.check(op.id, given)


def _asks(strand: Strand) -> bool:
    return strand.wait is not None and strand.wait.kind in (WaitKind.HUMAN, WaitKind.INPUT)


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
    if isinstance(message, str):
        matching = [text for text in received if message in (text, text.partition(":")[2])]
        value: Any = payload if payload is not None else {}
    else:
        text = type_text(type(message))
        matching = [text] if text in received else []
        value = message
    if not matching:
        wanted = message if isinstance(message, str) else type(message).__qualname__
        names = ", ".join(f"`{text.partition(':')[2] or text}`" for text in received) or "none"
        raise InvalidInputError("signal", [f"this workflow receives no `{wanted}`; it receives {names}"])
    name = matching[0]
    types = run.program.types
    try:
        checked = validate(types.annotation(name), value, "signal")
    except InvalidValueError as exc:
        raise InvalidInputError("signal", [f"`{item.path}` {item.reason}" for item in exc.fields]) from None
    return name, types.codec(name).encode(checked, "signal")


def _received(definition: Definition) -> list[TypeText]:
    found = [
        node.action.source.model
        for node in walk_nodes(definition.graph)
        if isinstance(node.action, Wait) and isinstance(node.action.source, SignalSource)
    ]
    return list(dict.fromkeys(found))
