"""An error as a value: made again of its class, its arguments and its public attributes, its `__init__` not called.

A step that is given a caught error works on its own copy. The engine makes it of the error's record, `.local` of the
error itself; what cannot be stored is dropped by both.
"""

from typing import Any, Final, cast

from ruvon.ir._errors import RuvonError
from ruvon.ir.values import copy_value
from ruvon.models._errors import RecordedError

__all__ = ["bare_error", "copy_argument", "own_names", "set_attribute"]

_MAX_CAUSES: Final = 32


def own_names(error: BaseException) -> dict[str, object]:
    """What was set on the instance; asks none of the author's own attribute methods."""
    return cast("dict[str, object]", object.__getattribute__(error, "__dict__"))


def bare_error(cls: type[Exception], args: tuple[object, ...]) -> Exception | None:
    """An instance with these arguments, its `__init__` not called; None where the class cannot be made of them."""
    try:
        made = cls.__new__(cls, *args)
    except Exception:  # noqa: BLE001 - an ExceptionGroup without its errors, or a `__new__` of the author's that refuses
        return None
    made.args = args
    return made


def set_attribute(error: Exception, name: str, value: object) -> None:
    """Set a public attribute, where the class lets it be set."""
    try:
        setattr(error, name, value)
    except AttributeError:  # a property without setter: its value is computed, not kept
        return


def copy_argument(value: Any) -> Any:
    """A copy of what a step is given: of a value, or of an error that the body has caught.

    Raises:
        NotStorableError: it is neither.
    """
    return _copy_error(value, _MAX_CAUSES) if isinstance(value, Exception) else copy_value(value)


def _copy_error(error: Exception, causes: int) -> Exception:
    try:
        args = cast("tuple[object, ...]", copy_value(error.args))
    except RuvonError:
        args = (str(error),)
    attributes: dict[str, object] = {}
    for name, value in own_names(error).items():
        if not name.startswith("_"):
            try:
                attributes[name] = copy_value(value)
            except RuvonError:
                continue
    made = bare_error(type(error), args)
    if made is None:
        return RecordedError(str(error), type(error).__qualname__, data=attributes)
    for name, value in attributes.items():
        set_attribute(made, name, value)
    if isinstance(error.__cause__, Exception) and causes > 0:
        made.__cause__ = _copy_error(error.__cause__, causes - 1)
    return made
