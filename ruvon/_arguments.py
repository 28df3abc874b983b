"""What applications give to the builder, checked before anything is done with it.

Types say all of this to a checker; a caller without one gets a sentence in place of an error from deep inside.
"""

from collections.abc import Mapping
from uuid import UUID

from ruvon.engine import WrongArgumentError
from ruvon.providers import WorkflowNotFoundError

__all__ = ["id_of", "require_options", "require_type"]


def require_type(given: object) -> None:
    """Refuse what is no name of a workflow type.

    Raises:
        WrongArgumentError: it is something else, such as the function; the text has the name of its type.
    """
    if isinstance(given, str):
        return
    declared = getattr(given, "__ruvon_workflow__", None)
    name = getattr(declared, "workflow_type", None)
    remedy = f'register it with builder.register(...), and write "{name}"' if name is not None else ""
    raise WrongArgumentError("workflow_type", "the name of a registered type", given, remedy)


def id_of(given: object) -> UUID:
    """The id of an instance, given as one or as text.

    Raises:
        WorkflowNotFoundError: the text is no id.
        WrongArgumentError: it is neither.
    """
    if isinstance(given, UUID):
        return given
    if not isinstance(given, str):
        raise WrongArgumentError("workflow_id", "the id of a workflow, a UUID or its text", given)
    try:
        return UUID(given)
    except ValueError:
        raise WorkflowNotFoundError(given) from None


def require_options(if_exists: str, priority: object, metadata: object, *texts: object) -> None:
    """Refuse options of a new instance that could not be stored, or would be stored as something else.

    Args:
        if_exists: `raise` or `load`.
        priority: a whole number.
        metadata: a mapping, or None.
        texts: the others, which are text or None.

    Raises:
        ValueError: `if_exists` is neither of the two.
        WrongArgumentError: another one is something else.
    """
    if if_exists not in ("raise", "load"):
        raise ValueError(f"if_exists is 'raise' or 'load', not {if_exists!r}")
    if not isinstance(priority, int):
        raise WrongArgumentError("priority", "a whole number (a larger one is sooner)", priority)
    if metadata is not None and not isinstance(metadata, Mapping):
        raise WrongArgumentError("metadata", "a mapping with text as keys", metadata)
    for given in texts:
        if given is not None and not isinstance(given, str):
            raise WrongArgumentError("each of idempotency_key, owner_id, org_id and data_region", "text", given)
