"""Who did something to a run by hand, and why: the options that ask, and the line in the history that tells."""

import getpass
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from ruvon.cli._options import option

if TYPE_CHECKING:
    from ruvon.cli._session import Session

__all__ = ["actor_option", "audit_options", "note"]

F = TypeVar("F", bound=Callable[..., Any])


def audit_options(command: F) -> F:
    """Who asks and why; the command gets `actor` and `reason`."""
    reason = option("--reason", default="", help="Why; it is kept in the history.")
    return actor_option(reason(command))


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
