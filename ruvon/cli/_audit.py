"""Who did something to a run by hand, and why: the options that ask, and the line in the history that tells."""

import functools
import getpass
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, cast
from uuid import UUID

from ruvon.cli._options import option

if TYPE_CHECKING:
    from ruvon.cli._session import Session

__all__ = ["Starter", "actor_option", "audit_options", "note", "starter_options"]

F = TypeVar("F", bound=Callable[..., Any])


class Starter(TypedDict):
    """Who starts a run and why, as arguments of `create_workflow`."""

    actor: str
    reason: str


def audit_options(command: F) -> F:
    """Who asks and why; the command gets `actor` and `reason`."""
    reason = option("--reason", default="", help="Why; it is kept in the history.")
    return actor_option(reason(command))


def starter_options(command: F) -> F:
    """Who starts a run and why; the command gets one `starter`, the arguments of `create_workflow`."""

    @functools.wraps(command)
    def call(*args: Any, actor: str, reason: str, **others: Any) -> Any:
        return command(*args, starter=Starter(actor=actor, reason=reason), **others)

    why = option("--reason", default="", help="Why; it is `started_why` in the metadata.")
    who = "Who starts it, `started_by` in the metadata; default: the login name."
    return cast("F", option("--actor", default=_login, metavar="NAME", help=who)(why(call)))


def actor_option(command: F) -> F:
    """Who asks; the command gets `actor`."""
    return option(
        "--actor", default=_login, metavar="NAME", help="Who asks, for the history; default: the login name."
    )(command)


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return ""


async def note(session: "Session", workflow_id: str, message: str, actor: str, reason: str) -> None:
    """Write a line of text beside the history, for what the history itself does not tell."""
    from ruvon.engine._repair import audit_note  # noqa: PLC0415

    text = f"{message}{audit_note(actor, reason)}"
    await session.provider.log_execution(UUID(workflow_id), message=text)
