"""Input from outside: what a step asks for, and how an answer is checked before anything is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast, final

from pydantic import BaseModel

from ruvon.engine._effects import Arrival, Given
from ruvon.engine._errors import InvalidInputError
from ruvon.ir.values import InvalidValueError, validate

if TYPE_CHECKING:
    from ruvon.engine._frames import Strand
    from ruvon.engine._run import Run

__all__ = ["InputSpec", "as_mapping", "fields_of", "merge_input"]


@final
@dataclass(frozen=True, slots=True)
class InputSpec:
    """What input a step takes."""

    annotation: object = None
    """The model it is validated as; None takes any mapping."""
    required: tuple[str, ...] = ()
    """Keys that must be there."""

    def check(self, step: str, value: object) -> object:
        """The validated input.

        Raises:
            InvalidInputError: it does not fit; every problem is named.
        """
        if isinstance(value, Mapping):
            value = cast("Mapping[object, object]", value)
            missing = [f"`{name}` is required" for name in self.required if name not in value]
            if missing:
                raise InvalidInputError(step, missing)
        if self.annotation is None:
            return value
        try:
            return validate(self.annotation, value, "input")
        except InvalidValueError as exc:
            raise InvalidInputError(step, [f"`{item.path}` {item.reason}" for item in exc.fields]) from None


def as_mapping(value: object) -> dict[str, object] | None:
    """A mapping with text keys, or None where a value is no mapping."""
    if not isinstance(value, Mapping):
        return None
    return {str(key): item for key, item in cast("Mapping[object, object]", value).items()}


def fields_of(value: object) -> dict[str, object]:
    """The parts of an input by name: the keys of a mapping, the fields of a model, nothing of anything else."""
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in type(value).model_fields}
    return as_mapping(value) or {}


def merge_input(run: "Run", strand: "Strand", arrival: Arrival) -> None:
    """Merge input that no function takes into the state."""
    data = as_mapping(arrival.value) if isinstance(arrival, Given) else None
    if data is not None:
        scope = strand.scope
        scope.write_state(run.program.types.state.apply(None, scope.fields, data, "input", strict=False))
