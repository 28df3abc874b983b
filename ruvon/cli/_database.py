"""`ruvon db`: the database file itself."""

import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import rich_click as click

from ruvon.cli._keys import encryption_facts, encryption_line, key_warnings, new_key, rotate_key
from ruvon.cli._options import option
from ruvon.cli._output import Exit, fail, print_json, print_table, secho
from ruvon.cli._provider import Provider, is_redis, is_server, new_provider, without_password
from ruvon.cli._session import Store, await_it, store_options

__all__ = ["db"]

T = TypeVar("T")

_JSON = option("--json", "as_json", is_flag=True, help="Print JSON.")
_MANY: Final = 200
_PROMISES: Final = {
    "FULL": "what is committed survives a power cut",
    "NORMAL": "what is committed survives a killed process, not always a power cut",
    "OFF": "for tests: nothing is promised",
}


@click.group()
def db() -> None:
    """Create the database, look at it and check it."""


db.add_command(new_key)
db.add_command(rotate_key)


@asynccontextmanager
async def _provider(database: str | None, *, create: bool = False) -> AsyncGenerator[Provider, None]:
    """The database, without the engine."""
    provider = new_provider(Store(database).file(create=create), migrate=create)
    await provider.initialize()
    try:
        yield provider
    finally:
        await provider.close()


async def _facts(database: str | None, *, create: bool = False, with_keys: bool = False) -> dict[str, Any]:
    async with _provider(database, create=create) as provider:
        facts = await provider.facts()
        stats = await provider.stats()
        keys = {"encryption": await encryption_facts(provider)} if with_keys else {}
    return {
        **facts,
        **keys,
        "current_schema_version": _current_version(facts),
        "size_bytes": stats["size_bytes"],
        "workflows": stats["rows"]["workflows"],
    }


@db.command("init")
@_JSON
@store_options
def init(*, as_json: bool, db: str | None) -> None:
    """Create the database file or the tables of a server, or bring them up to date; what is in them stays.

    Example: ruvon db init --db /var/lib/shop/ruvon.db
    """
    existed = bool(await_it(_versions(Store(db).path())))
    facts = await_it(_facts(db, create=True))
    if as_json:
        print_json({"path": facts["path"], "schema_version": facts["schema_version"], "created": not existed})
    else:
        word = "up to date" if existed else "created"
        secho(f"{_place(facts)}: {word}, schema version {facts['schema_version']}")


@db.command("migrate")
@option("--dry-run", is_flag=True, help="Print the SQL, and change nothing.")
@store_options
def migrate(*, dry_run: bool, db: str | None) -> None:
    """Bring the tables up to date: all of it or nothing. A file is brought up to date by every command that opens it.

    Example: ruvon db migrate --dry-run --db postgresql://localhost/shop
    """
    database = Store(db).file()
    before = await_it(_versions(database))
    if dry_run:
        text = _pending_sql(database, before)
        click.echo(text.strip() or "nothing to do: the tables are up to date")
        return
    facts = await_it(_facts(db, create=True))
    after = facts["schema_version"]
    shown = ", ".join(before)
    word = "up to date" if shown == str(after) else f"migrated from {shown or 'nothing'}"
    secho(f"{_place(facts)}: {word}, schema version {after}")


@db.command("status")
@_JSON
@store_options
def status(*, as_json: bool, db: str | None) -> None:
    """Say which database it is, its size, schema version, what a commit survives, and which keys it is encrypted with.

    Example: ruvon db status --json
    """
    facts = await_it(_facts(db, with_keys=True))
    if as_json:
        print_json(facts)
        return
    click.echo(f"{'database' if _on_server(facts) else 'file':<16}{_place(facts)}")
    click.echo(f"size            {facts['size_bytes']} bytes")
    click.echo(f"schema version  {facts['schema_version']} of {facts['current_schema_version']}")
    click.echo(f"durability      {facts['durability']}: {_PROMISES[facts['durability']]}")
    for name, value in _details(facts):
        click.echo(f"{name:<16}{value}")
    click.echo(f"workflows       {facts['workflows']}")
    click.echo(f"encryption      {encryption_line(facts['encryption'])}")
    for warning in (*facts.get("warnings", ()), *key_warnings(facts["encryption"])):
        secho(f"warning: {warning}", fg="yellow")


@db.command("stats")
@_JSON
@store_options
def stats(*, as_json: bool, db: str | None) -> None:
    """Count what is in the database.

    Example: ruvon db stats
    """

    async def work() -> dict[str, Any]:
        async with _provider(db) as provider:
            return await provider.stats()

    found = await_it(work())
    if as_json:
        print_json(found)
        return
    print_table([{"kind": name, "rows": count} for name, count in found["rows"].items()], ("kind", "rows"))
    if found["by_status"]:
        click.echo()
        rows = [{"status": name, "workflows": count} for name, count in found["by_status"].items()]
        print_table(rows, ("status", "workflows"))
    click.echo(f"\n{found['size_bytes']} bytes")


@db.command("validate")
@_JSON
@store_options
def validate(*, as_json: bool, db: str | None) -> None:
    """Check the database, every stored definition, and that no entry of any history is missing.

    Example: ruvon db validate
    """

    async def work() -> tuple[list[dict[str, Any]], dict[str, Any]]:
        async with _provider(db) as provider:
            found = await provider.check()
            for record in _shown(await provider.list_definitions(), "definitions"):
                found += _definition_problems(record)
            return found, await provider.stats()

    problems, counts = await_it(work())
    rows = counts["rows"]
    if as_json:
        print_json({"ok": not problems, "problems": problems, "rows": rows})
    elif problems:
        print_table(problems, ("problem", "workflow_id", "detail"))
    else:
        secho(
            f"sound: {rows['workflows']} workflows, {rows['log entries']} log entries, {rows['definitions']} definitions",
            fg="green",
        )
    if problems:
        raise SystemExit(int(Exit.DATABASE))


def _on_server(facts: dict[str, Any]) -> bool:
    return "server_version" in facts


def _on_redis(facts: dict[str, Any]) -> bool:
    return "appendfsync" in facts


def _details(facts: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """What each kind of database says of itself."""
    if _on_redis(facts):
        flushed = f", appendfsync {facts['appendfsync']}" if facts["appendonly"] else ""
        waits = ", each commit waits for the disk" if facts["waits_for_disk"] else ""
        limit = f"{facts['maxmemory']} bytes, {facts['maxmemory_policy']}" if facts["maxmemory"] else "no limit"
        yield "kept by", f"appendonly {'yes' if facts['appendonly'] else 'no'}{flushed}{waits}"
        yield "memory", limit
        yield "prefix", facts["prefix"]
        yield "Redis", facts["server_version"]
    elif _on_server(facts):
        yield "schema", facts["schema"]
        yield "connections", f"{facts['connections']} of {facts['max_connections']}"
        yield "PostgreSQL", facts["server_version"]
    else:
        yield "journal", facts["journal_mode"].upper()
        yield "SQLite", facts["sqlite_version"]


def _place(facts: dict[str, Any]) -> object:
    return facts["path"] if _on_server(facts) else Path(facts["path"]).resolve()


def _current_version(facts: dict[str, Any]) -> object:
    """The schema version that this Ruvon writes."""
    if _on_redis(facts):
        from ruvon.implementations.persistence.redis import LAYOUT  # noqa: PLC0415

        return LAYOUT
    if _on_server(facts):
        from ruvon.db_schema import HEAD  # noqa: PLC0415

        return HEAD
    from ruvon.implementations.persistence.sqlite._schema import SCHEMA_VERSION  # noqa: PLC0415

    return SCHEMA_VERSION


async def _versions(database: str) -> tuple[str, ...]:
    """The schema version that a database has now; none where it has no tables."""
    if is_redis(database):
        from ruvon.implementations.persistence.redis import read_layout  # noqa: PLC0415

        layout = await read_layout(database)
        return (layout,) if layout is not None else ()
    if is_server(database):
        from ruvon.implementations.persistence.postgres import read_revisions  # noqa: PLC0415

        return await read_revisions(database)
    from ruvon.implementations.persistence.sqlite import read_version  # noqa: PLC0415

    found = read_version(database) if Path(database).is_file() else 0  # noqa: ASYNC240  # one system call
    return (str(found),) if found else ()


def _pending_sql(database: str, before: Sequence[str]) -> str:
    """The statements that would bring a database up to date; Redis has no tables."""
    if is_redis(database):
        return ""
    if is_server(database):
        from ruvon.db_schema import MigrationError, migration_script  # noqa: PLC0415

        try:
            return migration_script(tuple(before))
        except MigrationError as exc:
            fail(f"{without_password(database)}: {exc}", Exit.DATABASE)
    from ruvon.implementations.persistence.sqlite import upgrade_script  # noqa: PLC0415

    return upgrade_script(int(before[0]) if before else 0)


def _shown(items: Sequence[T], label: str) -> Iterator[T]:
    """The items, with a progress bar on a terminal when there are many."""
    if len(items) < _MANY or not sys.stderr.isatty():
        yield from items
        return
    with click.progressbar(items, label=label, file=sys.stderr) as bar:
        yield from bar


def _definition_problems(record: Any) -> list[dict[str, Any]]:
    """What is wrong with one stored definition: it does not load, or is not what its digest says."""
    from ruvon.ir import RuvonError, digest, load  # noqa: PLC0415

    name = f"{record.workflow_type} {record.workflow_version} ({record.digest.hex()})"
    try:
        found = digest(load(record.text))
    except (RuvonError, ValueError, KeyError, TypeError) as exc:
        return [{"problem": "a definition cannot be read", "workflow_id": None, "detail": f"{name}: {exc}"}]
    if found != record.digest:
        return [{"problem": "a definition was changed", "workflow_id": None, "detail": name}]
    return []
