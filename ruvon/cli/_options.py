"""click's parameters as typed decorators, because click's own are typed too loosely for strict checkers."""

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import rich_click as click

__all__ = ["argument", "option", "version_option"]

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
