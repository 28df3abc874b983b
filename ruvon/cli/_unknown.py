"""Data that a command is given, with keys that no field takes."""

from typing import TYPE_CHECKING

from ruvon._unknown import unknown_fields
from ruvon.cli._output import fail

if TYPE_CHECKING:
    from ruvon.ir import Definition

__all__ = ["refuse_unknown"]


def refuse_unknown(definition: "Definition", type_name: str | None, data: object, what: str) -> None:
    """End the command where data has keys that its class has no field for.

    Args:
        definition: the workflow, which knows its classes.
        type_name: the class that the data is for; None where anything goes.
        data: what was given.
        what: what the data is, for the message.
    """
    if problems := unknown_fields(definition, type_name, data):
        fail(f"{what}: {'; '.join(problems)}")
