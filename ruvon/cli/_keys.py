"""`ruvon db rotate-key` and `ruvon db new-key`: encryption at rest."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, cast

import rich_click as click

from ruvon.cli._options import argument, option
from ruvon.cli._output import Exit, fail, print_json, print_table, secho
from ruvon.cli._provider import bare_provider, encryption_keys
from ruvon.cli._session import Store, await_it, store_options

if TYPE_CHECKING:
    from ruvon.implementations.encryption import RotationReport
    from ruvon.providers.encryption import ResealableStore

__all__ = ["encryption_facts", "encryption_line", "key_warnings", "new_key", "rotate_key"]

_OLDEST: Final = " (among the oldest rows; `ruvon db rotate-key --dry-run` counts all of them)"
_COLUMNS = ("table", "rows", "current", "outdated", "plain", "unreadable", "changed")


@click.command("new-key")
@argument("key_id", metavar="ID")
def new_key(*, key_id: str) -> None:
    """Print a fresh key, as RUVON_ENCRYPTION_KEY takes it. Keep it where the database is not.

    Example: ruvon db new-key 2026-11
    """
    from ruvon.implementations.encryption import new_key as made  # noqa: PLC0415
    from ruvon.providers import EncryptionKeyFormatError  # noqa: PLC0415

    try:
        click.echo(made(key_id))
    except EncryptionKeyFormatError as exc:
        fail(exc.reason, Exit.USAGE)


@click.command("rotate-key")
@option("--dry-run", is_flag=True, help="Count what would be changed, and change nothing.")
@option("--decrypt", is_flag=True, help="Write everything in plain, before encryption is switched off.")
@option("--compact", is_flag=True, help="Then let go of old versions of rows in the files; may lock tables for long.")
@option("--batch", type=click.IntRange(1, 10_000), default=200, show_default=True, help="Rows in one transaction.")
@option("--json", "as_json", is_flag=True, help="Print JSON.")
@store_options
def rotate_key(*, dry_run: bool, decrypt: bool, compact: bool, batch: int, as_json: bool, db: str | None) -> None:
    """Encrypt everything with the first key of RUVON_ENCRYPTION_KEY, whichever of its keys it is under now, or none.

    Workers may go on. It can be stopped at any moment, and goes on where it was when it is run again.

    Example: ruvon db rotate-key --dry-run
    """
    keys = encryption_keys()
    if keys is None:
        fail(
            "there are no keys: set RUVON_ENCRYPTION_KEY to the new key and, behind a comma, the old one "
            "(`ruvon db new-key ID` makes one)",
            Exit.USAGE,
        )
    database = Store(db).file()

    async def work() -> "RotationReport":
        from ruvon.implementations.encryption import Box, Rotation  # noqa: PLC0415

        store = bare_provider(database, migrate=False)
        await store.initialize()
        try:
            rotation = Rotation(store, Box(keys), decrypt=decrypt, dry_run=dry_run, batch=batch, told=_progress())
            report = await rotation.run()
            if compact and not dry_run:
                await store.compact_stored()
        finally:
            await store.close()
        return report

    report = await_it(work(), interrupted=lambda: "run it again to go on")
    if as_json:
        print_json(_plain(report, dry_run=dry_run))
    else:
        _print(report, dry_run=dry_run, decrypt=decrypt, compacted=compact)
    if report.unreadable or (report.left and not dry_run):
        raise SystemExit(int(Exit.DATABASE))


async def encryption_facts(provider: object) -> dict[str, Any]:
    """Which keys a store's values are under, and which key this process would write with."""
    from ruvon.implementations.encryption import inner_store, survey  # noqa: PLC0415

    found = await survey(cast("ResealableStore", inner_store(provider)))
    keys = encryption_keys()
    current = keys.current_key_id() if keys is not None else None
    return {
        "is_encrypted": bool(found.by_key),
        **asdict(found),
        "current_key": current,
        "not_under_current_key": found.not_under(current) if current is not None else None,
    }


def encryption_line(facts: dict[str, Any]) -> str:
    """What `encryption_facts` found, in one line."""
    by_key, plain = facts["by_key"], facts["plain"]
    parts = [f"{count} values under the key `{name}`" for name, count in sorted(by_key.items())]
    parts += [f"{plain} values in plain"] if plain else []
    parts += [f"{facts['unreadable']} values damaged"] if facts["unreadable"] else []
    if not parts:
        return "nothing is stored yet"
    word = ("partly" if plain else "yes") if by_key else "no"
    return f"{word}: {', '.join(parts)}" + ("" if facts["is_complete"] else _OLDEST)


def key_warnings(facts: dict[str, Any]) -> list[str]:
    """What is not under the key that this process writes with."""
    left, current = facts["not_under_current_key"], facts["current_key"]
    if not left:
        return []
    least = "" if facts["is_complete"] else "at least "
    return [f"{least}{left} values are not under the current key `{current}`; `ruvon db rotate-key` writes them anew"]


def _plain(report: "RotationReport", *, dry_run: bool) -> dict[str, Any]:
    found = asdict(report)
    return {"dry_run": dry_run, **found, "to_change": report.to_change, "unreadable": report.unreadable}


def _print(report: "RotationReport", *, dry_run: bool, decrypt: bool, compacted: bool) -> None:
    print_table([{"table": name, **asdict(count)} for name, count in report.tables.items()], _COLUMNS)
    click.echo()
    for key_id, count in sorted(report.by_key.items()):
        click.echo(f"found: {count} values {f'under the key `{key_id}`' if key_id else 'in plain'}")
    for problem in report.problems:
        secho(f"unreadable: {problem}", fg="red")
    goal = "in plain" if decrypt else f"under the key `{report.key_id}`"
    if dry_run:
        click.echo(f"{report.to_change} values would be written anew, {goal}; nothing was changed")
        return
    if report.left:
        secho(
            f"{report.left} values are still not {goal}: a process that is running writes with another key; "
            "restart it with the new one, and run this again",
            fg="yellow",
        )
        return
    if report.unreadable:
        secho(f"{report.unreadable} values stay as they are: their keys are missing, or they were changed", fg="yellow")
        return
    secho(f"done: everything is {goal}", fg="green")
    if report.to_change and not compacted:
        click.echo("old versions of rows may still be in the database's files; --compact lets go of them")


def _progress() -> "Callable[[RotationReport], None] | None":
    """A line on the terminal that says how far it is."""
    if not sys.stderr.isatty():
        return None

    def told(report: "RotationReport") -> None:
        rows = sum(count.rows for count in report.tables.values())
        changed = sum(count.changed for count in report.tables.values())
        click.echo(f"\rpass {report.passes}: {rows} rows seen, {changed} changed ", nl=False, err=True)

    return told
