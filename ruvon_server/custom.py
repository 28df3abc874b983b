"""Routes of others: those that the setting `custom_routers` names, and those of installed plugins."""

import functools
import importlib
import importlib.metadata
import inspect
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, ParamSpec

from litestar import Controller, Litestar, Router
from litestar.di import Provide
from litestar.exceptions import ImproperlyConfiguredException
from litestar.handlers import BaseRouteHandler

from ruvon.builder import WorkflowBuilder
from ruvon_server.auth import Permission
from ruvon_server.settings import ServerSettingsError

__all__ = ["GROUP", "custom_router", "named_routes", "plugin_routes", "telling_clashes"]

P = ParamSpec("P")
_LOGGER: Final = logging.getLogger("ruvon.server")
GROUP: Final = "ruvon.server.routers"
"""The group of entry points; each is a Litestar router, controller or handler."""
_KINDS: Final = "a Litestar router, controller or handler"


def telling_clashes(make: Callable[P, Litestar]) -> Callable[P, Litestar]:
    """Let what makes an application say in a sentence that two routes cannot be served beside each other."""

    @functools.wraps(make)
    def made(*args: P.args, **kwargs: P.kwargs) -> Litestar:
        try:
            return make(*args, **kwargs)
        except ImproperlyConfiguredException as exc:
            raise ServerSettingsError(
                f"a route of RUVON_CUSTOM_ROUTERS or of a plugin cannot be served: {exc.detail}; give it another path"
            ) from exc

    return made


def custom_router(routes: Sequence[Any], builder: WorkflowBuilder) -> Router:
    """Routes of others under one roof: a handler that does not say what it asks for asks for `custom:use`.

    They can ask for the dependencies `principal` (who asks) and `builder` (the workflows and their store).
    """
    return Router(
        path="/",
        route_handlers=list(routes),
        opt={"permission": str(Permission.CUSTOM_USE)},
        dependencies={"builder": Provide(lambda: builder, sync_to_thread=False)},
    )


def named_routes(paths: Sequence[str]) -> list[Any]:
    """What dotted paths name, in their order: `package.module.router`.

    Raises:
        ServerSettingsError: one of them names nothing that can be imported, or something else.
    """
    found: list[Any] = []
    for path in dict.fromkeys(paths):
        try:
            found.append(_checked(_imported(path)))
        except (Exception, SystemExit) as exc:
            said = str(exc) if isinstance(exc, _NotARouteError) else f"{type(exc).__name__}: {exc}"
            raise ServerSettingsError(
                f"RUVON_CUSTOM_ROUTERS names {path}, which cannot be used: {said}; it is to be the dotted path of "
                f"{_KINDS}, such as shop.api.router, that Python can import where the server runs"
            ) from exc
    return found


def plugin_routes() -> list[Any]:
    """What the entry points of installed plugins are, by name; one that cannot be used is left out and logged."""
    found: list[Any] = []
    for point in sorted(importlib.metadata.entry_points(group=GROUP), key=lambda item: item.name):
        try:
            found.append(_checked(point.load()))
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - whatever it does, the server goes on without it
            _LOGGER.warning("the routes of the plugin `%s` are left out: %s: %s", point.name, type(exc).__name__, exc)
    return found


class _NotARouteError(TypeError):
    """Something else was found."""


def _imported(path: str) -> object:
    module, _, name = path.replace(":", ".").rpartition(".")
    if not module or not name:
        raise _NotARouteError("it has no dot between the module and the router")
    loaded = importlib.import_module(module)
    if not hasattr(loaded, name):
        raise _NotARouteError(f"the module {module} has no {name}")
    return getattr(loaded, name)


def _checked(found: object) -> object:
    is_controller = inspect.isclass(found) and issubclass(found, Controller)
    if not is_controller and not isinstance(found, Router | BaseRouteHandler):
        raise _NotARouteError(f"it is {type(found).__name__}, not {_KINDS}")
    return found
