"""The call of the changes room."""

from ruvon_server.client._call import API, Call, json_of, query
from ruvon_server.models import changes as models

__all__ = ["list_changes"]


def list_changes(*, limit: int | None = None) -> Call[models.Changes]:
    """Who has changed keys, definitions and whatever else is no workflow, newest first."""
    name, wanted = "list_changes", query({"limit": limit})
    return Call(name, "GET", f"{API}/changes", json_of(models.Changes), wanted, repeatable=True)
