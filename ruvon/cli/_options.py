"""click's parameters as typed decorators, because click's own are typed too loosely for strict checkers."""

import difflib
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar, cast

import rich_click as click

__all__ = ["argument", "one_of", "option", "version_option"]

F = TypeVar("F", bound=Callable[..., Any])

_CLICK: Final[Any] = click


def option(*names: str, **settings: Any) -> Callable[[F], F]:
    """An option of a command; the settings are click's."""
    return cast("Callable[[F], F]", _CLICK.option(*names, **settings))


def argument(name: str, **settings: Any) -> Callable[[F], F]:
    """An argument of a command; the settings are click's."""
    return cast("Callable[[F], F]", _CLICK.argument(name, **settings))


def version_option(**settings: Any) -> Callable[[F], F]:
    """The option `--version`."""
    return cast("Callable[[F], F]", _CLICK.version_option(**settings))


def one_of(names: Sequence[str]) -> dict[str, Any]:
    """Settings of an option whose value is one of these upper-case names, typed in any case."""

    def choose(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
        if value is None or value.upper() in names:
            return value if value is None else value.upper()
        near = difflib.get_close_matches(value.upper(), names, n=1)
        hint = f"did you mean {near[0]}?" if near else f"it is one of {', '.join(names)}."
        raise click.BadParameter(f"`{value}` is not known; {hint}")

    def complete(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
        return [name for name in names if name.startswith(begun.upper())]

    return {"callback": choose, "shell_complete": complete}
