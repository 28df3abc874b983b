"""Routes of an application, as a setting names them: the example of the documents, and what cannot be used."""

from typing import Any

from litestar import Controller, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from ruvon.builder import WorkflowBuilder
from ruvon_server.auth import Principal


@get("/summary")
async def summary(device_id: FromQuery[str | None] = None) -> dict[str, Any]:
    """What a device has taken in today."""
    return {"total_today": 0, "device_id": device_id}


@post("/void/{txn_id:str}", status_code=200)
async def void(txn_id: FromPath[str]) -> dict[str, Any]:
    """Take a payment back."""
    return {"voided": True, "txn_id": txn_id}


router = Router(path="/api/v1/payments", route_handlers=[summary, void], tags=["payments"])


class Shop(Controller):
    """A controller."""

    path = "/shop"

    @get("/who")
    async def who(self, principal: NamedDependency[Principal], builder: NamedDependency[WorkflowBuilder]) -> list[str]:
        """Who asks, and what can be started."""
        return [principal.name, *builder.registered_types()]


@get("/ping", opt={"permission": "public"})
async def ping() -> str:
    """For everybody."""
    return "pong"


@get("/health")
async def taken() -> str:
    """A path that the server has."""
    return ""


nothing = "no router"
