"""The command that looks on at a run: logs."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import rich_click as click

from ruvon._told import LEVELS, told_history, told_lines
from ruvon.cli._options import argument, one_of, option
from ruvon.cli._output import Exit, fail, print_json, secho, to_json
from ruvon.cli._remotely import remotely
from ruvon.cli._report import flat, record_data
from ruvon.cli._session import Session, Store, await_it, code_options, opened
from ruvon.cli._waits import WAITS

if TYPE_CHECKING:
    from ruvon.ir import Definition
    from ruvon.providers import InstanceRecord

__all__ = [
    "FOLLOW_S",
    "Wanted",
    "everything",
    "logs",
    "print_created",
    "print_history",
    "print_waiting",
    "require_step",
]

_COLOURS: Final = {"ERROR": "red", "WARNING": "yellow"}
FOLLOW_S: Final = 0.3
"""So often, in seconds, a run that is followed is looked at."""
_ALL: Final = 2**31


async def history(session: Session, record: "InstanceRecord", *, after: int = 0) -> list[dict[str, Any]]:
    """The log of an instance, oldest first, values masked; without them where the author's code cannot be loaded."""
    definition = await session.definition_of(record)
    return await told_history(session.builder.engine(), definition, record, after=after)


_WORDS: Final[Mapping[str, str]] = {
    "step": "done",
    "start": "started",
    "wait": "over",
    "error": "failed",
    "compensate": "undone",
    "retry": "will retry",
    "advance": "went on",
    "end": "ended",
    "save": "saved",
    "text": "note",
}
"""What a kind of entry says to people, where the kind itself does not."""
_WAITED: Final[Mapping[str, str]] = {"HUMAN_IN_LOOP": "answered", "RECEIVE": "received", "SLEEP": "woke"}
"""What the end of a wait says, by the label of its step."""
_ASKED: Final = frozenset({"HUMAN_IN_LOOP", "RECEIVE"})
"""Waits for something that is given; without it their time was up."""


def print_history(entries: Sequence[Mapping[str, Any]]) -> None:
    """A line for each entry."""
    for entry in entries:
        attempt = f" (attempt {entry['attempt']})" if entry.get("attempt", 1) != 1 else ""
        words = [str(entry[name]) for name in ("error", "message", "note") if entry.get(name)]
        if entry.get("result") is not None:
            words.append(f"-> {flat(entry['result'])}")
        if entry.get("changed"):
            words.append(f"[{', '.join(entry['changed'])}]")
        step = entry.get("step") or "-"
        text = f"{entry['at']}  {entry['level']:<7}  {_word(entry):<10}  {step}{attempt}  {' '.join(words)}"
        secho(text.rstrip(), fg=_COLOURS.get(entry["level"]))


def _word(entry: Mapping[str, Any]) -> str:
    """One word for what happened."""
    kind = str(entry["kind"])
    if kind == "wait" and entry.get("type") in _ASKED and entry.get("result") is None:
        return "timed out"
    if kind == "wait":
        return _WAITED.get(str(entry.get("type")), _WORDS["wait"])
    if kind == "compensate" and entry.get("error"):
        return "not undone"
    if kind == "compensate" and entry.get("note"):
        return "no undo"
    return _WORDS.get(kind, kind)


def print_created(data: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> None:
    """The first line of a history: when the run was created, of which version, and by what.

    Args:
        data: the run as it is now.
        entries: its whole history; its first migration says from which version it came.
    """
    from ruvon.engine._repair import MIGRATED  # noqa: PLC0415 - the engine loads when it is used

    notes = (str(entry.get("note", "")) for entry in entries if entry["kind"] == "repair")
    moves = [note.removeprefix(MIGRATED) for note in notes if note.startswith(MIGRATED)]
    version = moves[0].partition(" ")[0] if moves else data["workflow_version"]
    parent = f"  by {data['parent_id']}" if data.get("parent_id") else ""
    text = f"{data['workflow_type']} {version}{parent}"
    click.echo(f"{data['created_at']}  {'INFO':<7}  {'created':<10}  {text}")


def print_waiting(data: Mapping[str, Any]) -> None:
    """The last lines of a history: what the run waits for now."""
    for wait in data["waiting_for"]:
        until = f"  until {wait['due_at']}" if wait.get("due_at") else ""
        name = str(wait.get("name") or "").rpartition(":")[2]
        what = f"for {WAITS.get(wait['kind'], wait['kind'])} {name}".rstrip() if name != wait["step"] else ""
        line = f"{data['updated_at']}  {'INFO':<7}  {'waits':<10}  {wait['step']}  {what}{until}".rstrip()
        secho(line, fg=_COLOURS["WARNING"])


async def everything(session: Session, record: "InstanceRecord") -> list[dict[str, Any]]:
    """The history, and the lines that were written beside it, oldest first."""
    found = await told_lines(session.provider, record.workflow_id, limit=_ALL)
    lines = [{name: value for name, value in line.items() if name != "key"} for line in found]
    return sorted([*await history(session, record), *lines], key=lambda entry: str(entry["at"]))


@click.command()
@argument("workflow_id", metavar="ID")
@option("--step", metavar="STEP", help="Only this step.")
@option(
    "--level",
    metavar="DEBUG|INFO|WARNING|ERROR",
    default="INFO",
    show_default=True,
    help="Only this level and worse.",
    **one_of(LEVELS),
)
@option("--limit", "-n", type=click.IntRange(1, _ALL), default=50, show_default=True, help="Only the newest.")
@option("--follow", "-f", is_flag=True, help="Go on showing what happens until the run ends.")
@option("--json", "as_json", is_flag=True, help="Print JSON; with --follow one object a line.")
@code_options
@remotely("histories.logs")
def logs(
    workflow_id: str,
    *,
    step: str | None,
    level: str,
    limit: int,
    follow: bool,
    as_json: bool,
    store: Store,
) -> None:
    """Show what happened in the run ID, oldest first.

    Example: ruvon logs 3f2a9c41 --level WARNING --follow
    """
    wanted = Wanted(step, level, limit, as_json=as_json)

    async def work() -> None:
        async with opened(store) as session:
            found = UUID(await session.find_id(workflow_id))
            record = await session.provider.load_instance(found)
            lines = await everything(session, record)
            if not wanted.is_known(lines):
                require_step(record.workflow_type, await session.definition_of(record), step or "")
            wanted.print_first(lines, record_data(record, None), follow=follow)
            seq = wanted.last(lines)
            over = not follow
            while not over:
                over = await _has_ended(session, found)  # asked before reading, so that the last entries are shown
                fresh = await history(session, record, after=seq)
                seq = max(seq, wanted.last(fresh))
                wanted.print_more(fresh)
                await asyncio.sleep(0 if over else FOLLOW_S)

    await_it(work())


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines of a history are to be shown, and how."""

    step: str | None
    level: str
    limit: int
    as_json: bool

    def is_known(self, lines: Sequence[Mapping[str, Any]]) -> bool:
        """Whether lines tell that there is such a step; if not, its definition has to be asked."""
        return self.step is None or any(entry["step"] == self.step for entry in lines)

    def print_first(self, lines: Sequence[dict[str, Any]], data: Mapping[str, Any], *, follow: bool) -> None:
        """Print a history as far as it goes.

        Args:
            lines: all of it.
            data: the run as it is now.
            follow: more is to be printed behind it.
        """
        shown = self._fitting(lines)[-self.limit :]
        plain = not self.as_json and self.step is None and LEVELS.index(self.level) <= LEVELS.index("INFO")
        if plain and len(shown) < self.limit:
            print_created(data, lines)
        if follow:
            self._print_each(shown)
        elif self.as_json:
            print_json(shown)
        else:
            print_history(shown)
        if plain and not follow:
            print_waiting(data)

    def print_more(self, fresh: Sequence[dict[str, Any]]) -> None:
        """Print what has happened since."""
        self._print_each(self._fitting(fresh))

    def last(self, lines: Sequence[Mapping[str, Any]]) -> int:
        """The number of the newest entry; 0 where there is none."""
        return max((int(entry.get("seq", 0)) for entry in lines), default=0)

    def _fitting(self, entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        worst = LEVELS.index(self.level)
        return [
            entry for entry in entries if self.step in {None, entry["step"]} and LEVELS.index(entry["level"]) >= worst
        ]

    def _print_each(self, entries: Sequence[Mapping[str, Any]]) -> None:
        if not self.as_json:
            print_history(entries)
            return
        for entry in entries:
            click.echo(to_json(entry, indent=False))


def require_step(workflow_type: str, definition: "Definition", step: str) -> None:
    """End the command where a workflow has no step of this name."""
    import difflib  # noqa: PLC0415

    from ruvon.ir import walk_nodes  # noqa: PLC0415

    names = [node.id for node in walk_nodes(definition.graph)]
    if step in names:
        return
    near = difflib.get_close_matches(step, names, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"its steps are {', '.join(f'`{name}`' for name in names)}"
    fail(f"the workflow {workflow_type} has no step `{step}`; {hint}", Exit.NOT_FOUND)


async def _has_ended(session: Session, workflow_id: UUID) -> bool:
    from ruvon.models import WorkflowStatus  # noqa: PLC0415

    return WorkflowStatus((await session.provider.load_instance(workflow_id)).status).is_terminal
