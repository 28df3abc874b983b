"""What arrives at an instance that has ended: nobody will take it, so the log says so and the inbox is emptied.

A message may be appended between the last look into the inbox and the commit that ends the instance, or later. No store
needs to exclude that: whoever sent it tries to drive the instance afterwards, whoever ended it looks into the inbox once
more behind its last commit, and `unread_instances` names what dead processes have left. Each of them comes here. An instance
that a retry can lead on keeps its messages until then, except answers to a wait that is over and requests to cancel.
"""

from typing import Final

from ruvon.engine._run import Run
from ruvon.models import RETRYABLE_STATUSES
from ruvon.providers import InboxEntry, InboxKind, Transition, datetime_of

__all__ = ["refuse_leftovers"]

_SAID: Final = {
    InboxKind.ANSWER: "an answer",
    InboxKind.SIGNAL: "the signal `{name}`",
    InboxKind.CANCEL: "a request to cancel",
}
"""What people and senders wait to hear of; the rest is the engine's own."""


async def refuse_leftovers(run: Run) -> None:
    """Log and remove the messages of an instance that has ended; one commit, or none where there is nothing."""
    refused = [entry for entry in run.inbox if _is_refused(run, entry)]
    if not refused:
        return
    for entry in refused:
        words = _SAID.get(entry.kind)
        if words is not None:
            is_answer = entry.kind is InboxKind.ANSWER
            node = entry.name.rpartition("/")[2].partition("#")[0].removesuffix(":input") if is_answer else ""
            note = (
                f"{words.format(name=entry.name)}{_sent_at(entry)} came when the workflow had ended; it was not taken"
            )
            run.log("late", node, entry.name, note=note)
    run.close_entry()
    transition = _transition(run, [entry.seq for entry in refused])
    await run.services.store.commit(transition)
    run.record.revision, run.record.last_seq = transition.revision, transition.last_seq
    run.inbox = [entry for entry in run.inbox if entry not in refused]


def _sent_at(entry: InboxEntry) -> str:
    return f", sent at {datetime_of(entry.at_us).isoformat()}," if entry.at_us else ""


def _is_refused(run: Run, entry: InboxEntry) -> bool:
    if entry.kind is InboxKind.REPAIR:
        return False
    if run.status in RETRYABLE_STATUSES:
        is_late = entry.kind is InboxKind.ANSWER and entry.name not in run.waiting
        return is_late or entry.kind is InboxKind.CANCEL  # what goes on by a retry was not asked to end
    return True


def _transition(run: Run, consumed: list[int]) -> Transition:
    """A change of the log and the inbox only; the end stays what it was."""
    record = run.record
    entries, run.pending = run.pending, []
    revision = record.revision + 1
    token = run.token + revision.to_bytes(6, "big")
    transition = Transition(
        record.workflow_id, record.key, record.revision, revision, token, record.status, record.position,
        record.current_step, run.now_us(), entries, run.last_seq,
    )  # fmt: skip
    transition.waiting_for, transition.result, transition.error = record.waiting_for, record.result, record.error
    transition.saga_enabled = record.saga_enabled
    transition.consumed = tuple(consumed)
    if entries:
        entries[-1].position = record.position
    return transition
