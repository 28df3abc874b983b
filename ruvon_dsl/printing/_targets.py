"""What printing needs to know of the functions a definition names: their declarations, where they can be found.

Without `resolve` every function is taken to be a decorated step without options of its own. With it, options are printed
only where they differ from the declaration, and undecorated functions become `step_ref("module:function")`.
"""

from collections.abc import Callable
from typing import TypeAlias, final

from ruvon.ir._errors import RuvonError
from ruvon.ir._nodes import Call, Node
from ruvon.ir.types import type_text
from ruvon_dsl._link._describe import describe
from ruvon_dsl._link._targets import OtherTarget, ParameterKind, PlainFunctionTarget, StepTarget

__all__ = ["Declarations", "Resolve"]

Resolve: TypeAlias = Callable[[str], object]
"""Gives the object at a path `module:Qualname`; raises where there is none."""


@final
class Declarations:
    """The functions of one definition by path."""

    def __init__(self, resolve: Resolve | None) -> None:
        self._resolve = resolve
        self._found: dict[str, StepTarget | PlainFunctionTarget | None] = {}

    def step(self, path: str) -> StepTarget | PlainFunctionTarget | None:
        """The step or plain function at a path; None where that is not known."""
        if path not in self._found:
            self._found[path] = self._look_up(path)
        return self._found[path]

    def _look_up(self, path: str) -> StepTarget | PlainFunctionTarget | None:
        target = describe(self._object(path))
        return target if isinstance(target, StepTarget | PlainFunctionTarget) else None

    def _object(self, path: str) -> object:
        if self._resolve is None:
            return None
        try:
            return self._resolve(path)
        except (RuvonError, ImportError, AttributeError):
            return None

    def is_plain(self, path: str) -> bool:
        """Whether the function is known to be undecorated."""
        return isinstance(self.step(path), PlainFunctionTarget)

    def is_compensation(self, path: str) -> bool:
        """Whether the object at a path is known to be a registered compensation."""
        target = describe(self._object(path))
        return isinstance(target, OtherTarget) and target.kind == "a compensation"

    def only_by_name(self, path: str, name: str) -> bool:
        """Whether the first parameter besides the state has to be given by its name, as far as is known."""
        target = self.step(path)
        if target is None:
            return True
        given = [item for item in target.parameters if item.name != "state" or not target.takes_state]
        return not given or given[0].name != name or given[0].kind is not ParameterKind.POSITIONAL_OR_KEYWORD

    def input_model(self, path: str) -> str | None:
        """The type text of the declared input model."""
        model = getattr(self.step(path), "input_model", None)
        return None if model is None else type_text(model)

    def takes_state(self, path: str) -> bool:
        """Whether the function is known to take the state, which is then given without saying so."""
        return getattr(self.step(path), "takes_state", False) is True

    def automate_next(self, path: str) -> bool | None:
        """The declared `automate_next`; None where the workflow's own counts."""
        found: bool | None = getattr(self.step(path), "automate_next", None)
        return found

    def usual(self, node: Node, *, automatic: bool) -> bool:
        """The `automate_next` that a node has without saying so: its function's declaration, else the workflow's."""
        function = node.action.function if isinstance(node.action, Call) else None
        declared = None if function is None else self.automate_next(function)
        return automatic if declared is None else declared

    def named(self, path: str) -> bool:
        """Whether the declaration gives the step a name of its own."""
        return bool(getattr(self.step(path), "named", False))
