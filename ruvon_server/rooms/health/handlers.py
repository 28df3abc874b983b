"""`/health`, `/ready` and `/metrics`."""

from typing import Any, Final, TypeAlias

from litestar import Response
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec

from ruvon_server.auth import PUBLIC, Permission
from ruvon_server.models.health import Health, Readiness
from ruvon_server.rooms.health.service import HealthService
from ruvon_server.routes import reads

__all__ = ["HANDLERS"]

Service: TypeAlias = NamedDependency[HealthService]
_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"


@reads("/health", name="get_health", permission=PUBLIC, sync_to_thread=False)
def get_health(service: Service) -> Health:
    """Say that the process lives. A supervisor that gets no answer may start it again."""
    return service.health()


@reads(
    "/ready",
    name="get_readiness",
    permission=PUBLIC,
    answers={503: ResponseSpec(Readiness, generate_examples=False, description="The store does not answer")},
)
async def get_readiness(service: Service) -> Response[Readiness]:
    """Say whether requests can be served: the store answers. A balancer sends none while it is not so."""
    found = await service.readiness()
    return Response(found, status_code=200 if found.status == "ready" else 503)


@reads("/metrics", name="get_metrics", permission=Permission.METRICS_READ, media_type=_TEXT, sync_to_thread=False)
def get_metrics(service: Service) -> bytes:
    """The numbers of this process in the text form of Prometheus."""
    return service.metrics()


HANDLERS: Final[list[Any]] = [get_health, get_readiness, get_metrics]
