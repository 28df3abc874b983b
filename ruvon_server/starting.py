"""What is looked at before something is started, beside what the engine looks at."""

from collections.abc import Mapping

from ruvon._unknown import unknown_fields
from ruvon.builder import WorkflowBuilder
from ruvon.engine import InvalidInitialDataError

__all__ = ["require_known_fields"]


def require_known_fields(
    builder: WorkflowBuilder, workflow_type: str, version: str | None, data: Mapping[str, object]
) -> None:
    """Refuse initial data with keys that the state has no field for, as the command line does.

    Raises:
        UnknownWorkflowTypeError: there is no such type, or it has no such version.
        InvalidInitialDataError: there are such keys.
    """
    definition = builder.get_definition(workflow_type, version)
    if problems := unknown_fields(definition, definition.state, data):
        raise InvalidInitialDataError(workflow_type, problems)
