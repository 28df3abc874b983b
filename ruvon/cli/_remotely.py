"""The one seam between commands and a server: `--server URL`, or the variable RUVON_SERVER_URL.

A command that is marked with `remotely` is done by a function in `ruvon.cli._remote` where a server is named, with the same
arguments; both print with the same functions. In order of weight: `--server`, `--db`, the variable, and the database of the
settings.
"""

import functools
import importlib
import os
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar, cast

import rich_click as click

from ruvon.cli._options import option
from ruvon.cli._output import Exit, fail

if TYPE_CHECKING:
    from ruvon.cli._session import Store
    from ruvon_server.client import Client, ClientError

__all__ = ["SERVER", "VARIABLE", "Place", "refuse_a_server", "remotely", "require_a_server"]

F = TypeVar("F", bound=Callable[..., Any])

VARIABLE: Final = "RUVON_SERVER_URL"
SERVER: Final = "ruvon.cli.server"
"""Where click keeps, for messages about the command under way, the option that names its server."""
_KEY: Final = "RUVON_API_KEY"
_HELP: Final = f"Ask a server (`ruvon serve`) in place of a database; default: {VARIABLE}. Its key: {_KEY}."
_REFUSED: Final = frozenset({401, 403})
_MISSING: Final = frozenset({404, 410})
_TOO_MANY: Final = 429
_OF_OPTIONS: Final = frozenset({"invalid-limits", "invalid-schedule"})
"""Problems that a command has with its own options."""
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_OF_DATABASES: Final = frozenset({"db", "store", "actor"})
"""What only commands on a database take; a server knows by the key who asks."""
_FIRST_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class Place:
    """The server that a command asks."""

    client: "Client"
    again: str
    """The option that names it as it is typed, with a space before it; empty where the variable names it."""
    store: "Store | None" = None
    """Where the command finds code, if it looks for any."""


def remotely(name: str) -> Callable[[F], F]:
    """Let a command ask a server where one is named.

    Args:
        name: the module of `ruvon.cli._remote` and its function that does it there, such as `runs.start`.
    """

    def decorate(command: F) -> F:
        @functools.wraps(command)
        def call(*args: Any, server: str | None, **given: Any) -> Any:
            url = server or (os.environ.get(VARIABLE) if _database_of(given) is None else None)
            if not url:
                return command(*args, **given)
            if server and _database_of(given) is not None:
                fail("say --server or --db, not both", Exit.USAGE)
            return _ask(name, url, f" --server {shlex.quote(server)}" if server else "", given)

        return cast("F", option("--server", metavar="URL", help=_HELP)(call))

    return decorate


def _database_of(given: dict[str, Any]) -> str | None:
    """The database that the options name."""
    store = given.get("store")
    return cast("str | None", store.db if store is not None else given.get("db"))


def _ask(name: str, url: str, again: str, given: dict[str, Any]) -> Any:
    module, _, function = name.partition(".")
    try:
        from ruvon_server.client import Client, ClientError  # noqa: PLC0415 - an extra

        act = getattr(importlib.import_module(f"ruvon.cli._remote.{module}"), function)
    except ImportError as exc:
        fail(str(exc), Exit.USAGE)
    try:
        with Client(url, api_key=os.environ.get(_KEY) or None) as client:
            asked = {key: value for key, value in given.items() if key not in _OF_DATABASES}
            context = click.get_current_context(silent=True)
            if context is not None:
                context.meta[SERVER] = again
            return act(Place(client, again, given.get("store")), **asked)
    except ClientError as exc:
        _end(exc, again)


def _end(exc: "ClientError", again: str) -> NoReturn:
    """Say what a server refused, or that there is none."""
    from ruvon_server.client import (  # noqa: PLC0415 - an extra
        InvalidRequestError,
        ProblemError,
        ServerUnreachableError,
        UnexpectedAnswerError,
    )

    if isinstance(exc, InvalidRequestError):
        fail(str(exc), Exit.USAGE)
    if isinstance(exc, ServerUnreachableError | UnexpectedAnswerError):
        fail(str(exc), Exit.DATABASE)
    if not isinstance(exc, ProblemError):
        fail(str(exc))
    lines = [f"{item.place}: {item.detail}" if item.place else item.detail for item in exc.errors]
    text = "\n  ".join([exc.detail, *(line for line in lines if line not in exc.detail)])
    if exc.status in _REFUSED:
        fail(f"{text}; the key of this command line is the variable {_KEY}")
    if exc.code == "workflow-not-found" and (missing := _ID.search(text)) is not None:
        fail(f"there is no run {missing.group()} on this server; see `ruvon list{again}`", Exit.NOT_FOUND)
    if exc.status in _MISSING:
        fail(text, Exit.NOT_FOUND)
    if exc.code in _OF_OPTIONS:
        fail(text, Exit.USAGE)
    if exc.status == _TOO_MANY:
        soon = f"again in {exc.retry_after_s:g} s" if exc.retry_after_s is not None else "later"
        fail(f"{text}; try it {soon}")
    fail(text, Exit.DATABASE if exc.status >= _FIRST_SERVER_ERROR else Exit.FAILURE)


def require_a_server() -> NoReturn:
    """End a command that only a server can answer, where none is named."""
    fail(f"only a server can do that; name one with --server URL, or with the variable {VARIABLE}", Exit.USAGE)


def refuse_a_server(db: str | None) -> None:
    """End a command that only knows databases where the variable names a server, so that it looks into nothing else."""
    if os.environ.get(VARIABLE) and not db:
        fail(
            f"this command cannot ask a server, and {VARIABLE} names one; "
            "name the database with --db, or unset the variable",
            Exit.USAGE,
        )
