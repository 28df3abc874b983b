"""The root command and the last line of defence: every error of ours ends as one sentence and an exit code."""

import errno
import io
import sys
from typing import Any

import rich_click as click

from ruvon.cli._api_keys import changes, keys
from ruvon.cli._bulk import bulk
from ruvon.cli._config import config
from ruvon.cli._crash import crash_test
from ruvon.cli._database import db
from ruvon.cli._defaults import defaults
from ruvon.cli._definitions import compile_, convert, explain, graph, schema, validate
from ruvon.cli._human_tasks import human_tasks
from ruvon.cli._interactive import interactive
from ruvon.cli._metrics import metrics
from ruvon.cli._migrate import migrate
from ruvon.cli._observe import logs
from ruvon.cli._options import argument, version_option
from ruvon.cli._output import Exit, fail, shortened
from ruvon.cli._plugins import plugins
from ruvon.cli._queues import queues
from ruvon.cli._repair import fork, jump, retry, retry_compensation, rewind, signal
from ruvon.cli._runs import cancel, resume, run_, start
from ruvon.cli._scheduler import scheduler
from ruvon.cli._schedules import schedule
from ruvon.cli._serve import serve
from ruvon.cli._show import list_, show
from ruvon.cli._targets import UnknownTypeError
from ruvon.cli._tasks import scan_zombies, tasks, zombie_daemon
from ruvon.cli._versions import definitions
from ruvon.cli._webhooks import webhooks
from ruvon.cli._worker import worker, workers

__all__ = ["cli", "run"]

click.rich_click.SHOW_ARGUMENTS = True
click.rich_click.MAX_WIDTH = 110
click.rich_click.COMMAND_GROUPS = {
    "ruvon": [
        {
            "name": "Definitions",
            "commands": ["compile", "validate", "convert", "graph", "explain", "schema", "defaults"],
        },
        {"name": "Versions", "commands": ["definitions", "migrate"]},
        {"name": "Runs", "commands": ["run", "start", "list", "show", "resume", "cancel", "interactive"]},
        {
            "name": "Repair",
            "commands": ["retry", "rewind", "fork", "jump", "signal", "retry-compensation", "bulk"],
        },
        {"name": "Planning", "commands": ["schedule", "scheduler"]},
        {"name": "Workers", "commands": ["worker", "workers", "queues", "tasks", "scan-zombies", "zombie-daemon"]},
        {"name": "People", "commands": ["human-tasks"]},
        {"name": "Server", "commands": ["serve", "keys", "webhooks", "changes"]},
        {"name": "Testing", "commands": ["crash-test"]},
        {"name": "Looking on", "commands": ["logs", "metrics"]},
        {"name": "Set-up", "commands": ["config", "db", "plugins", "completion"]},
    ]
}


class _Root(click.RichGroup):
    """The root command; it turns every error of ours, of a file, and Ctrl-C into a sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        from ruvon.ir import RuvonError  # noqa: PLC0415  # only when a command runs

        try:
            return super().invoke(ctx)
        except RuvonError as exc:
            from ruvon.cli._mistakes import in_commands  # noqa: PLC0415

            fail(in_commands(exc), _exit_code_of(exc))
        except click.NoSuchOption as exc:
            if exc.option_name != "--server" or exc.ctx is None:
                raise
            fail(
                f"`{exc.ctx.command_path}` cannot ask a server; it works with a database (--db) or with files",
                Exit.USAGE,
            )
        except UnknownTypeError as exc:
            fail(str(exc), Exit.NOT_FOUND)
        except BrokenPipeError:
            raise
        except OSError as exc:
            code = Exit.NOT_FOUND if exc.errno in {errno.ENAMETOOLONG, errno.ENOENT} else Exit.FAILURE
            fail(f"{shortened(str(exc.filename))}: {exc.strerror}" if exc.filename else str(exc), code)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            raise SystemExit(130) from None


def _exit_code_of(exc: Exception) -> Exit:
    """Which exit code an error of ours ends with."""
    from ruvon.cron import InvalidScheduleError  # noqa: PLC0415
    from ruvon.engine import UnknownWorkflowTypeError  # noqa: PLC0415
    from ruvon.ir import ObjectNotFoundError  # noqa: PLC0415
    from ruvon.providers.persistence import (  # noqa: PLC0415
        DuplicateIdempotencyKeyError,
        PersistenceError,
        ScheduleNotFoundError,
        StaleWorkflowError,
        TaskNotFoundError,
        WorkflowNotFoundError,
    )

    missing = WorkflowNotFoundError | TaskNotFoundError
    if isinstance(exc, missing | ScheduleNotFoundError | UnknownWorkflowTypeError | ObjectNotFoundError):
        return Exit.NOT_FOUND
    if isinstance(exc, InvalidScheduleError):  # of --cron, --tz or --overlap
        return Exit.USAGE
    if isinstance(exc, StaleWorkflowError | DuplicateIdempotencyKeyError):
        return Exit.FAILURE
    return Exit.DATABASE if isinstance(exc, PersistenceError) else Exit.FAILURE


@click.group(cls=_Root, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "RUVON"})
@version_option(package_name="ruvon", prog_name="ruvon")
def cli() -> None:
    """Durable workflows, written as typed Python or YAML, compiled to one checked graph.

    TARGET is a YAML file, a Python file, module:function, a compiled definition (.json), or the type of a workflow that
    a file of --workflows, else of the workflow folder (see `ruvon config`), defines.

    Exit codes: 0 ok, 1 findings or failure, 2 usage, 3 database, 4 not found.
    """


@click.command()
@argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the line that switches shell completion on.

    Example: ruvon completion bash >> ~/.bashrc
    """
    lines = {
        "bash": 'eval "$(_RUVON_COMPLETE=bash_source ruvon)"',
        "zsh": 'eval "$(_RUVON_COMPLETE=zsh_source ruvon)"',
        "fish": "_RUVON_COMPLETE=fish_source ruvon | source",
    }
    click.echo(lines[shell])


for command in (
    compile_,
    validate,
    convert,
    graph,
    explain,
    schema,
    defaults,
    definitions,
    migrate,
    run_,
    start,
    list_,
    show,
    resume,
    cancel,
    retry,
    rewind,
    fork,
    jump,
    signal,
    retry_compensation,
    bulk,
    interactive,
    schedule,
    scheduler,
    worker,
    workers,
    queues,
    tasks,
    human_tasks,
    scan_zombies,
    zombie_daemon,
    crash_test,
    logs,
    metrics,
    config,
    db,
    plugins,
    serve,
    keys,
    webhooks,
    changes,
    completion,
):
    cli.add_command(command)


def run(args: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # data may hold what the terminal cannot show
    cli.main(args=args, prog_name="ruvon")
