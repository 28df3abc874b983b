"""Input from outside: what a step asks for, and how an answer is checked before anything is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast, final

from ruvon.engine._effects import Arrival, Given
from ruvon.engine._errors import InvalidInputError
from ruvon.ir.values import InvalidValueError
from ruvon.ir.values._validate import validate

if TYPE_CHECKING:
    from ruvon.engine._frames import Strand
    from ruvon.engine._run import Run

__all__ = ["InputSpec", "merge_input"]


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
            keys = cast("Mapping[object, object]", value)
            missing = [f"`{name}` is required" for name in self.required if name not in keys]
            if missing:
                raise InvalidInputError(step, missing)
        if self.annotation is None:
            return value
        try:
            return validate(self.annotation, value, "input")
        except InvalidValueError as exc:
            raise InvalidInputError(step, [f"`{item.path}` {item.reason}" for item in exc.fields]) from None


def merge_input(run: "Run", strand: "Strand", arrival: Arrival) -> None:
    """Merge input that no function takes into the state."""
    if isinstance(arrival, Given) and isinstance(arrival.value, Mapping):
        data = {str(key): item for key, item in cast("Mapping[object, object]", arrival.value).items()}
        scope = strand.scope
        scope.write_state(run.program.types.state.entries(data, scope.fields, "input", strict=False))
