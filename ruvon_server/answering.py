"""Whose answers a human task takes."""

from ruvon_server.auth import Principal
from ruvon_server.problems import TaskOfAnotherError, TaskOfRoleError

__all__ = ["require_asked"]


def require_asked(principal: Principal, role: str | None, assignee: str | None) -> None:
    """Refuse whoever a task is not for; an administrator stands in for everybody.

    Args:
        principal: who would claim or answer it.
        role: he has to have this role, where there is one.
        assignee: he has to be this person, where there is one.

    Raises:
        TaskOfRoleError: he does not have the role.
        TaskOfAnotherError: it is for somebody else alone.
    """
    if principal.is_admin:
        return
    if role is not None and role not in principal.roles:
        raise TaskOfRoleError(role)
    if assignee is not None and not principal.is_called(assignee):
        raise TaskOfAnotherError(assignee)
