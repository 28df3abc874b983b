"""Steps that are not functions in the source: registered step types, and functions named by their path."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast, final, overload

from ruvon.authoring._declarations import StepDeclaration
from ruvon.authoring._step import Step, step_from_function
from ruvon.authoring._work import CustomRequest, Pending, StepRequest, Work
from ruvon.ir._errors import RuvonError

__all__ = ["StepReferenceError", "call", "step_ref"]

M = TypeVar("M")


@final
class _CustomStep(Step[..., Any]):
    """One use of a step type; the call gives the state, where the type wants it."""

    def __init__(self, declaration: StepDeclaration, shared: dict[str, Any]) -> None:
        super().__init__(declaration, shared)
        self._type: str = shared["type"]
        self._config: Mapping[str, Any] = shared["config"]

    def __call__(self, *args: Any, **kwargs: Any) -> Work[Any]:
        """The call, to be awaited in a workflow body."""
        into = self._shared_into
        return Pending[Any](CustomRequest(self._type, self._config, self.__ruvon_step__, args, kwargs, into))

    @property
    def _shared_into(self) -> Any:
        return cast("dict[str, Any]", self._shared)["into"]


def _custom(*args: Any, **kwargs: Any) -> None:
    """Stands for the `execute` of a step type, which the registry knows and this layer does not."""


@overload
def call(type: str, /, *, into: type[M], **config: Any) -> Step[..., M]: ...  # pyright: ignore[reportOverlappingOverload]
@overload
def call(type: str, /, **config: Any) -> Step[..., dict[str, object]]: ...
def call(type: str, /, *, into: Any = None, **config: Any) -> Step[..., Any]:  # noqa: A002 - the documented name
    """Use a registered step type, such as RETRYABLE.

    Written `await call("RETRYABLE", function=f, max_retries=5)(state)`.

    Args:
        type: the type's name in the registry.
        into: the class that the result is validated as; without it a dict is expected.
        config: the type's own fields.
    """
    declaration = StepDeclaration(
        function=_custom,
        path=type,
        name=type,
        is_async=True,
        takes_state=False,
        takes_context=False,
        parameters=(),
    )
    return _CustomStep(declaration, {"type": type, "config": config, "into": into})


class StepReferenceError(RuvonError):
    """`step_ref` names a function that is not there.

    Args:
        path: the path it was given.
        reason: what is wrong with it.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(f'step_ref("{path}"): {reason}; write it as "module:function"')


@final
class _StepReference(Step[..., dict[str, object]]):
    """A step named by its path; the module is imported when the step is first called, not before."""

    def __init__(self, path: str) -> None:  # the declaration is made on demand
        self._path = path
        self._changes: dict[str, Any] = {}
        self._found: Step[..., Any] | None = None

    def _step(self) -> Step[..., Any]:
        if self._found is None:
            target = _load(self._path)
            self._found = target if isinstance(target, Step) else step_from_function(target)
        return self._found

    @property
    def __ruvon_step__(self) -> StepDeclaration:
        """The declaration of the function, which is imported for it."""
        return self._step().__ruvon_step__

    @property
    def name(self) -> str:
        """The function's name, without importing it."""
        return self._path.rpartition(":")[2].rpartition(".")[2]

    @property
    def path(self) -> str:
        """The path as written."""
        return self._path

    def __call__(self, *args: Any, **kwargs: Any) -> Work[dict[str, object]]:
        """The call, to be awaited in a workflow body."""
        return Pending[dict[str, object]](StepRequest(self.__ruvon_step__, args, kwargs))

    def with_(self, **options: Any) -> Any:
        """The same step with other options at this call."""
        return self._step().with_(**options)

    def __repr__(self) -> str:
        return f"<step {self._path}>"


def _load(path: str) -> Callable[..., Any]:
    module, colon, name = path.partition(":")
    if not colon or not module or not name:
        raise StepReferenceError(path, "it is no path")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as exc:
        raise StepReferenceError(path, f"it cannot be imported ({exc})") from exc
    if not callable(found):
        raise StepReferenceError(path, f"it is a {type(found).__name__}, not a function")
    return cast("Callable[..., Any]", found)


def step_ref(path: str, /) -> Step[..., dict[str, object]]:
    """A step by the path of its function, decorated or not; printers write YAML's plain functions so.

    Args:
        path: `module:function`; imported when the step is first used, not here.
    """
    return _StepReference(path)
