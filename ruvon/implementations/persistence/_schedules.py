"""What registering a schedule means where one of that name is known: one rule for every store."""

from dataclasses import replace

from ruvon.providers.persistence import ScheduleRecord

__all__ = ["registered"]


def registered(known: ScheduleRecord | None, wanted: ScheduleRecord, at_us: int) -> ScheduleRecord:
    """The record to store when a transition registers `wanted` and the store has `known`.

    What its runs have left behind stays. Its plan (next moment, pause and the note about it) stays while the moments
    themselves are the same, so that registering again at every start neither wakes a paused schedule nor skips a run.
    """
    if known is None:
        return replace(wanted, created_us=wanted.created_us or at_us, updated_us=at_us, revision=1)
    made = replace(
        wanted,
        last_us=known.last_us,
        last_workflow_id=known.last_workflow_id,
        buffered=known.buffered,
        created_us=known.created_us,
        updated_us=at_us,
        revision=known.revision + 1,
    )
    if (known.cron, known.timezone) == (wanted.cron, wanted.timezone):
        made.next_us, made.paused, made.note = known.next_us, known.paused, known.note
    return made
