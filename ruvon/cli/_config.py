"""`ruvon config`: the settings of the command line."""

import rich_click as click

from ruvon.cli._options import argument, option
from ruvon.cli._output import Exit, fail, print_json, print_table
from ruvon.cli._provider import EXECUTIONS
from ruvon.cli._settings import DEFAULTS, config_path, load_settings, save_settings, setting

__all__ = ["config"]


@click.group()
def config() -> None:
    """Show and change the settings of the command line."""


@config.command("show")
@option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(*, as_json: bool) -> None:
    """Show every setting with its value and where it comes from.

    Example: ruvon config show --json
    """
    stored = load_settings()
    rows: list[dict[str, object]] = []
    for name, default in DEFAULTS.items():
        value = setting(name)
        source = "environment" if value not in {stored.get(name), default} else "file" if name in stored else "default"
        rows.append({"setting": name, "value": value, "source": source})
    if as_json:
        print_json(rows)
    else:
        print_table(rows, ("setting", "value", "source"))


@config.command("path")
def path() -> None:
    """Print the path of the config file.

    Example: ruvon config path
    """
    click.echo(config_path())


@config.command("set-persistence")
@argument("database")
def set_persistence(database: str) -> None:
    """Keep workflows in DATABASE: a SQLite file (or sqlite:///file), postgresql://..., redis://host/0, or `memory`.

    Example: ruvon config set-persistence /var/lib/shop/ruvon.db
    """
    _store("database", database)


@config.command("set-execution")
@argument("execution", type=click.Choice(EXECUTIONS))
def set_execution(execution: str) -> None:
    """Choose who runs steps: `sync` and `thread_pool`, whoever drives the run; `queue`, `postgres` and `celery`, workers.

    Example: ruvon config set-execution queue
    """
    _store("execution", execution)


@config.command("set-default")
@argument("name")
@argument("value")
def set_default(name: str, value: str) -> None:
    """Set any setting: database, execution, workflows, import_roots, durability or observers.

    Example: ruvon config set-default workflows flows
    """
    if name not in DEFAULTS:
        fail(f"there is no setting `{name}`; known: {', '.join(DEFAULTS)}", Exit.USAGE)
    _store(name, value)


@config.command("reset")
@option("--yes", is_flag=True, help="Do not ask.")
def reset(*, yes: bool) -> None:
    """Delete the config file.

    Example: ruvon config reset --yes
    """
    file = config_path()
    if file.exists() and (yes or click.confirm(f"Delete {file}?")):
        file.unlink()
    click.echo(f"{file}: defaults in force" if not file.exists() else "nothing changed")


def _store(name: str, value: str) -> None:
    file = save_settings({**load_settings(), name: value})
    click.echo(f"{name} = {value}  ({file})")
