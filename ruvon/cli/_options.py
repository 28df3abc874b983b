"""click's parameters as typed decorators, because click's own are typed too loosely for strict checkers."""

import difflib
import functools
from collections.abc import Callable, Sequence
from typing import Any, Final, TypedDict, TypeVar, cast

import rich_click as click

__all__ = ["Span", "Whose", "argument", "one_of", "option", "owner_options", "version_option"]

F = TypeVar("F", bound=Callable[..., Any])

_CLICK: Final[Any] = click
_RANGE: Final[Any] = click.FloatRange
_LONGEST: Final = 1e9
"""The largest span, in whatever unit: thirty years of seconds."""


class Whose(TypedDict):
    """Whose a run is, as arguments of `create_workflow`."""

    owner_id: str | None
    org_id: str | None
    data_region: str | None


class Span(click.FloatRange):
    """The type of an option that takes a span of time: no less than a minimum, and no more than a clock can count."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number.

        Raises:
            BadParameter: it is none that can be waited for.
        """
        found = cast("float", _RANGE.convert(self, value, param, ctx))
        if not 0 <= found <= _LONGEST:
            raise click.BadParameter(f"{value} cannot be waited for; give a number up to {_LONGEST:g}.", ctx, param)
        return found


def option(*names: str, **settings: Any) -> Callable[[F], F]:
    """An option of a command; the settings are click's."""
    return cast("Callable[[F], F]", _CLICK.option(*names, **settings))


def argument(name: str, **settings: Any) -> Callable[[F], F]:
    """An argument of a command; the settings are click's."""
    return cast("Callable[[F], F]", _CLICK.argument(name, **settings))


def version_option(**settings: Any) -> Callable[[F], F]:
    """The option `--version`."""
    return cast("Callable[[F], F]", _CLICK.version_option(**settings))


def owner_options(command: F) -> F:
    """Whose a run is and where its data may be kept; the command gets one `whose`, the arguments of `create_workflow`."""

    @functools.wraps(command)
    def call(*args: Any, owner: str | None, org: str | None, data_region: str | None, **others: Any) -> Any:
        return command(*args, whose=Whose(owner_id=owner, org_id=org, data_region=data_region), **others)

    owned = option("--owner", metavar="ID", help="Whose it is.")
    organised = option("--org", metavar="ID", help="Whose organisation's it is.")
    region = option("--data-region", metavar="REGION", help="Where its data may be kept.")
    return cast("F", owned(organised(region(call))))


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
