"""`create_app`: the one place that assembles the server."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import cast

from litestar import Litestar
from litestar.config.allowed_hosts import AllowedHostsConfig
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import Scope
from prometheus_client import CollectorRegistry
from prometheus_client.process_collector import ProcessCollector

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.observability.prometheus import PrometheusObserver
from ruvon_server.auth import (
    STANDING,
    Addresses,
    Authenticator,
    AuthMiddleware,
    Buckets,
    Keys,
    Principal,
    Standing,
    authenticator_of,
    require_permission,
    roles_of,
)
from ruvon_server.building import new_builder
from ruvon_server.changes import ChangesMiddleware
from ruvon_server.custom import custom_router, named_routes, plugin_routes, telling_clashes
from ruvon_server.documents import openapi_config
from ruvon_server.drives import Drives
from ruvon_server.embedded import working
from ruvon_server.feed import Feed
from ruvon_server.headers import add_security_headers
from ruvon_server.paging import Cursors
from ruvon_server.parts import Parts
from ruvon_server.problems import ProblemHandler, close_socket
from ruvon_server.requests import StrictRequest
from ruvon_server.rooms import ALL
from ruvon_server.settings import ServerSettings, ServerSettingsError
from ruvon_server.uploads import Uploads
from ruvon_server.webhooks._relay import Webhooks

__all__ = ["create_app", "new_registry"]


@telling_clashes
def create_app(
    settings: ServerSettings | None = None,
    *,
    builder: WorkflowBuilder | None = None,
    authenticator: Authenticator | None = None,
    registry: CollectorRegistry | None = None,
) -> Litestar:
    """The application; it opens its store when it starts and closes it when it ends.

    Args:
        settings: how it is set up; by the environment where none are given.
        builder: the workflows and their store; made from the settings where none is given. It is closed with the server.
        authenticator: who says who asks; the one that the settings name where none is given.
        registry: the numbers that `/metrics` shows; of this process and its workflows where none is given.

    Raises:
        ServerSettingsError: the settings cannot be used, or a custom route is taken.
    """
    settings = settings or ServerSettings.from_environment()
    registry = registry or new_registry()
    builder = builder or new_builder(settings, [PrometheusObserver(registry)])
    feed = Feed(builder.persistence, builder.engine().clock, most=settings.streams)
    roles = roles_of(settings)
    keys = Keys(builder.persistence, builder.clock, builder.ids)
    authenticator = authenticator or authenticator_of(settings, keys, roles, builder.clock)
    drives, uploads, webhooks = (
        Drives(builder.engine()),
        Uploads(builder, settings.secret_names),
        _webhooks(settings, builder),
    )
    parts = Parts(settings, builder, drives, uploads, feed, keys, roles, webhooks, registry)
    routes = [*named_routes(settings.custom_routers), *plugin_routes()]
    own = [router for room in ALL for router in room(parts)]
    return Litestar(
        route_handlers=[*own, custom_router(routes, builder)] if routes else own,
        lifespan=[_lifespan(parts)],
        dependencies={
            "principal": Provide(_principal, sync_to_thread=False),
            "standing": Provide(_standing, sync_to_thread=False),
            "pages": Provide(Cursors(builder.persistence, builder.clock, builder.ids).pages, sync_to_thread=False),
        },
        middleware=[_auth(settings, authenticator, builder), ChangesMiddleware(builder.persistence)],
        after_exception=[close_socket],
        before_send=[add_security_headers],
        guards=[require_permission],
        exception_handlers={Exception: ProblemHandler(builder.ids)},
        request_class=StrictRequest,
        request_max_body_size=settings.body_limit_bytes,
        allowed_hosts=AllowedHostsConfig(allowed_hosts=list(settings.allowed_hosts))
        if settings.allowed_hosts
        else None,
        cors_config=CORSConfig(allow_origins=list(settings.cors_origins)) if settings.cors_origins else None,
        openapi_config=openapi_config() if settings.docs else None,
        state=State(
            {"json_depth": settings.json_depth, "before_end": feed.close, "cors_origins": settings.cors_origins}
        ),
        logging_config=None,
        debug=False,
    )


def _auth(settings: ServerSettings, authenticator: Authenticator, builder: WorkflowBuilder) -> AuthMiddleware:
    try:
        addresses = Addresses(settings.trusted_proxies)
    except ValueError as exc:
        raise ServerSettingsError(f"the setting trusted_proxies cannot be used: {exc}") from None
    buckets = Buckets(builder.clock, settings.requests_per_s, settings.rate_limit_burst)
    return AuthMiddleware(authenticator, addresses, buckets)


def _webhooks(settings: ServerSettings, builder: WorkflowBuilder) -> Webhooks:
    try:
        return Webhooks(builder, settings.webhook_allow)
    except ValueError as exc:
        raise ServerSettingsError(f"the setting webhook_allow cannot be used: {exc}") from None


def new_registry() -> CollectorRegistry:
    """A registry with the numbers of this process."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


def _principal(scope: Scope) -> Principal:
    """Who asks."""
    return cast("Principal", scope["user"])


def _standing(scope: Scope) -> Standing:
    """What he was let in with."""
    return cast("Standing", scope["state"][STANDING])


def _lifespan(parts: Parts) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """Open the store and begin to work; at the end let what runs come to rest, then close."""

    @asynccontextmanager
    async def lifespan(_: Litestar) -> AsyncGenerator[None, None]:
        grace_s = parts.settings.shutdown_grace_s
        async with AsyncExitStack() as stack:
            stack.push_async_callback(parts.builder.close)
            await parts.builder.initialize()
            parts.builder.registered_types()  # a definition with mistakes ends the start, not the first request for it
            stack.push_async_callback(parts.drives.drain, grace_s)
            stack.push_async_callback(parts.feed.close)
            if parts.settings.webhooks:
                await stack.enter_async_context(parts.webhooks.running(grace_s=grace_s))
            if parts.settings.runs_steps:
                await stack.enter_async_context(working(parts.builder, grace_s=grace_s))
            yield

    return lifespan
