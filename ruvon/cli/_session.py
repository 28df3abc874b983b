"""One command's dealings with the database: which one, opened how, with which code, and closed again whatever happens."""

import asyncio
import functools
import os
import shlex
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import rich_click as click

from ruvon.cli._ids import begin_of, is_whole, only_one
from ruvon.cli._options import option
from ruvon.cli._output import Exit, fail
from ruvon.cli._provider import (
    EXECUTIONS,
    SERVING_PATIENCE_S,
    Provider,
    is_server,
    new_execution,
    new_provider,
    without_password,
)
from ruvon.cli._remotely import SERVER, refuse_a_server
from ruvon.cli._settings import setting
from ruvon.cli._targets import Needs, import_roots

if TYPE_CHECKING:
    from ruvon.builder import WorkflowBuilder
    from ruvon.ir import Definition
    from ruvon.providers import InstanceRecord
    from ruvon.providers.template_engine import TemplateEngine

__all__ = [
    "MEMORY",
    "Session",
    "Store",
    "again",
    "await_it",
    "code_options",
    "configured_observers",
    "new_builder",
    "opened",
    "register_types",
    "store_options",
]

R = TypeVar("R")
F = TypeVar("F", bound=Callable[..., Any])

MEMORY: Final = ":memory:"
_DATABASE: Final = "A SQLite file, postgresql://..., redis://..., or `memory`; default: the setting."


@dataclass(frozen=True, slots=True)
class Store:
    """What the options of a command say about where workflows and their code are."""

    db: str | None = None
    roots: tuple[str, ...] = ()
    workflows: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    """Files that bring the step types of what is run."""
    execution: str | None = None
    """Who runs step bodies; the setting where it is None."""

    def also(self, needs: Needs) -> "Store":
        """The same with more import roots, without those that always are allowed, and with files that bring step types."""
        new = tuple(root for root in needs.roots if root not in self.roots and Path(root) != Path.cwd())
        return replace(self, roots=self.roots + new, types=needs.files)

    @property
    def again(self) -> str:
        """These options as they are typed, each with a space before it."""
        places = dict.fromkeys((*self.workflows, *self.types))
        given = (("--import-root", self.roots), ("--workflows", places))
        executor = f" --execution {self.execution}" if self.execution else ""
        return (
            self.same_database
            + executor
            + "".join(f" {name} {shlex.quote(value)}" for name, values in given for value in values)
        )

    @property
    def same_database(self) -> str:
        """The option that names the database, for commands that run no code of the author's."""
        return f" --db {shlex.quote(without_password(self.db))}" if self.db else ""

    def path(self, *, memory: bool = False) -> str:
        """The database: a file or a server's URL; `:memory:` only where the command can live with that."""
        value = setting("database", self.db)
        if is_server(value):
            return value
        scheme, separator, rest = value.partition("://")
        if separator and scheme != "sqlite":
            fail(
                f"workflows are kept in SQLite files or in PostgreSQL or Redis; "
                f"the command line cannot use a {scheme} database",
                Exit.USAGE,
            )
        path = rest.removeprefix("/") if separator else value
        if path not in {"memory", MEMORY, ""}:
            return path
        if not memory:
            fail("the database `memory` ends with each command; name a file with --db", Exit.USAGE)
        return MEMORY

    @property
    def in_memory(self) -> bool:
        """Whether the database ends with the command."""
        return self.path(memory=True) == MEMORY

    @property
    def exists(self) -> bool:
        """Whether there is a database to look into; of a server that is not known before it is asked."""
        path = self.path(memory=True)
        return is_server(path) or Path(path).is_file()

    def file(self, *, memory: bool = False, create: bool = False) -> str:
        """The database; a file must exist unless the command may create it."""
        path = self.path(memory=memory)
        if path == MEMORY or is_server(path):
            return path
        if Path(path).is_dir():
            fail(f"{path} is a folder; name a file with --db, such as {Path(path) / 'ruvon.db'}", Exit.DATABASE)
        if not create and not Path(path).is_file():
            fail(
                f"there is no database {path}; create it with `ruvon db init{self.same_database}`, "
                "or name another one with --db",
                Exit.DATABASE,
            )
        if not create and Path(path).stat().st_size == 0:
            fail(
                f"{path} is an empty file, no database yet; make one of it with `ruvon db init{self.same_database}`, "
                "or name another one with --db",
                Exit.DATABASE,
            )
        return path


_STORE: Final = "ruvon.cli.store"


def again(*, code: bool = True) -> str:
    """The options of the command under way that name its server, or database and code, for commands that messages suggest.

    Args:
        code: the suggested command runs code; else it takes the database alone.
    """
    context = click.get_current_context(silent=True)
    if context is not None and SERVER in context.meta:
        return str(context.meta[SERVER])
    store: Store = context.meta.get(_STORE, Store()) if context is not None else Store()
    return store.again if code else store.same_database


def _remember(store: Store) -> None:
    """Let messages about this command know its options."""
    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[_STORE] = store


@dataclass(frozen=True, slots=True)
class Session:
    """An open database and the builder over it."""

    builder: "WorkflowBuilder"
    provider: "Provider"
    store: Store

    @property
    def again(self) -> str:
        """The options that a next command needs to find the same database and code."""
        return self.store.again

    async def definition_of(self, record: "InstanceRecord") -> "Definition":
        """The stored definition of a run; needs none of the author's code."""
        from ruvon.ir import load  # noqa: PLC0415

        stored = await self.provider.get_definition(record.digest)
        return load(stored.text)

    async def driven(self, *rows: Mapping[str, Any]) -> frozenset[str]:
        """The ids of those runs that another process drives now; each row has its id and its status."""
        from ruvon.models import WorkflowStatus  # noqa: PLC0415

        live = [str(row["workflow_id"]) for row in rows if not WorkflowStatus(str(row["status"])).is_terminal]
        return await self.provider.held_instances(live) if live else frozenset()

    async def find_id(self, given: str) -> str:
        """A workflow's whole id, from it or from its first characters."""
        options = again(code=False)
        begin = begin_of(given, options)
        return begin if is_whole(begin) else only_one(await self.provider.ids_like(begin), begin, options)


def store_options(command: F) -> F:
    """The option that names the database; the command gets `db`."""
    return option("--db", "--db-url", "db", metavar="DATABASE", help=_DATABASE)(command)


def code_options(command: F) -> F:
    """The options for commands that run workflows; they get one `store` in place of all of them."""

    @functools.wraps(command)
    def call(
        *args: Any,
        db: str | None,
        roots: tuple[str, ...],
        workflows: tuple[str, ...],
        execution: str | None,
        **others: Any,
    ) -> Any:
        return command(*args, store=Store(db, roots, workflows, execution=execution), **others)

    root = option(
        "--import-root", "roots", multiple=True, metavar="ROOT", help="A package or folder that code may come from."
    )
    folder = option(
        "--workflows",
        multiple=True,
        metavar="PATH",
        help="A file or folder that defines TARGET, or what it starts; default: the workflow folder.",
    )
    executor = option("--execution", type=click.Choice(EXECUTIONS), help="Who runs step bodies; default: the setting.")
    return cast("F", store_options(root(folder(executor(call)))))


@asynccontextmanager
async def opened(
    store: Store,
    *,
    create: bool = False,
    memory: bool = False,
    observers: Sequence[object] = (),
    drives: bool = False,
    execution: str | None = None,
    serves: bool = False,
) -> AsyncGenerator[Session, None]:
    """Open the database and make a builder over it.

    Args:
        store: the options of the command.
        create: create the database file, or the tables of a server, where there are none; else that ends the command.
        memory: a database in memory is enough.
        observers: who is told what happens.
        drives: the command drives workflows, so the observers of the settings are told too; so it is with `observers`
            and `serves`.
        execution: who runs step bodies, whatever option and setting say.
        serves: the process goes on for long, so it has more patience with a server that is away.
    """
    if not serves:
        refuse_a_server(store.db)
    _remember(store)
    told = [*observers, *(configured_observers() if drives or serves or observers else ())]
    patience: dict[str, float] = {"patience_s": SERVING_PATIENCE_S} if serves else {}
    provider = new_provider(store.file(memory=memory, create=create), migrate=create, drives=drives, **patience)
    executor = new_execution(setting("execution", execution or store.execution))
    builder = new_builder(store, persistence_provider=provider, execution_provider=executor, observers=told)
    await builder.initialize()
    try:
        register_types(builder, store)
        yield Session(builder, provider, store)
    finally:
        await builder.close()


def configured_observers() -> Sequence[object]:
    """The observers that the setting `observers` names."""
    names = setting("observers")
    if not names:
        return ()
    from ruvon.implementations.observability.configured import ObserverSettingError, observers_from  # noqa: PLC0415
    from ruvon.providers import MissingExtraError  # noqa: PLC0415

    try:
        return observers_from(names)
    except (ObserverSettingError, MissingExtraError) as exc:
        fail(str(exc), Exit.USAGE)
    except OSError as exc:  # another command serves metrics: no reason to stop a workflow
        click.echo(f"the metrics of this command are not served: {exc}", err=True)
        return observers_from(",".join(item for item in names.split(",") if item.strip() != "prometheus"))


def new_builder(store: Store, **options: Any) -> "WorkflowBuilder":
    """A builder with the roots, secrets and templates that every command gives to the workflows it runs.

    Args:
        store: the options of the command.
        options: what `WorkflowBuilder` takes beside.
    """
    from ruvon.builder import WorkflowBuilder  # noqa: PLC0415  # the engine loads only when a command needs it

    roots = import_roots(store.roots)
    return WorkflowBuilder(import_roots=roots, secrets=_secret, template_engine=_Templates(), **options)


class _Templates:
    """Jinja2, loaded when a workflow renders its first template."""

    def render(self, template: str, context: Mapping[str, Any], /) -> str:
        """The text of a template."""
        return _jinja2().render(template, context)


@functools.cache
def _jinja2() -> "TemplateEngine":
    from ruvon.implementations.templating.jinja2 import Jinja2TemplateEngine  # noqa: PLC0415

    return Jinja2TemplateEngine()


def register_types(builder: "WorkflowBuilder", store: Store) -> None:
    """Make workflow types known: the given places, or the workflow folder where it exists."""
    for place in store.workflows:
        if not Path(place).exists():
            fail(f"there is no file and no folder {place}", Exit.NOT_FOUND)
        builder.register(place)
    for place in store.types:
        builder.register(place)
    folder = Path(setting("workflows"))
    if not store.workflows and folder.is_dir():
        builder.register(folder)


def _secret(name: str) -> object:
    """`secret("NAME")` is the environment variable NAME."""
    if name not in os.environ:
        raise LookupError(f"secret({name!r}) has no value: set the environment variable {name}")
    return os.environ[name]


def await_it(
    work: Coroutine[Any, Any, R],
    *,
    interrupted: Callable[[], str] | None = None,
    new_loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
) -> R:
    """Run a command's coroutine; Ctrl-C ends it between two committed steps, with a sentence.

    Args:
        work: the command.
        interrupted: says how far it came.
        new_loop: makes the event loop; asyncio's own where none is given.
    """
    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(work)
    except KeyboardInterrupt:
        note = interrupted() if interrupted is not None else ""
        click.echo("interrupted" + (f"; {note}" if note else ""), err=True)
        raise SystemExit(130) from None
