"""The tables of the page about the server: settings, operations, problems."""

from collections.abc import Iterator

from ruvon_server.app import create_app
from ruvon_server.auth import PUBLIC
from ruvon_server.problems import KINDS
from ruvon_server.routes import route_table
from ruvon_server.settings import PREFIX, ServerSettings

__all__ = ["operations", "problems", "settings"]


def operations() -> Iterator[tuple[str, str, str]]:
    """Every documented operation: method and path, its name, what it asks for."""
    for route in route_table(create_app(ServerSettings(db="memory", auth="disabled"))):
        if route.is_documented:
            asks = "nothing" if route.permission == PUBLIC else f"`{route.permission}`"
            path = route.path.replace(":uuid}", "}").replace(":str}", "}").replace(":int}", "}")
            yield f"`{route.method} {path}`", f"`{route.name}`", asks


def problems() -> Iterator[tuple[str, str, str]]:
    """Every kind of problem: its code, its status, its title."""
    for kind in sorted(KINDS, key=lambda item: (item.status, item.code)):
        yield f"`{kind.code}`", str(kind.status), kind.title


def settings() -> Iterator[tuple[str, str, str]]:
    """Every setting: its variable, its default, its meaning."""
    for name, field in ServerSettings.model_fields.items():
        shown = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
        default = "" if field.default in (None, ()) else f"`{shown}`"
        yield f"`{PREFIX}{name.upper()}`", default, str(field.description)
