"""The matrix: every operation, asked by every role, about what is its own, its tenant's and another tenant's.

`authorisation.txt` declares it, and is read like any other code: `yes` (it is done, or refused for a reason that has nothing to do with
who asks), `no` (403), `hidden` (as if it were not there). A cell has three words: own, same tenant, other tenant; one word
where the operation is about nothing that belongs to anybody.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litestar.testing import AsyncTestClient

from ruvon.builder import WorkflowBuilder
from ruvon_server.auth import PUBLIC, Keys, Principal, Roles
from ruvon_server.routes import Route, route_table
from tests.support.serving import Client, new_app, new_builder

TABLE = Path(__file__).with_name("authorisation.txt")
WHOSE = {"own": ("alice", "ours"), "same": ("bob", "ours"), "other": ("carol", "theirs")}
ROLES = Roles(("auditor=keys:read+changes:read",))


def who(role: str, owner: str | None = None, org: str | None = None) -> Principal:
    return Principal(name=role, permissions=ROLES.permissions([role]), owner_id=owner, org_id=org)


ASKING = {
    "admin": who("admin"),
    "admin of org": who("admin", org="ours"),
    "admin of self": who("admin", "alice", "ours"),
    "operator": who("operator", org="ours"),
    "viewer": who("viewer", org="ours"),
    "device": who("device", "alice", "ours"),
    "auditor": who("auditor"),
    "nobody": who("nobody"),
}
BODIES: dict[str, dict[str, Any]] = {
    "upload_definition": {
        "source": "workflow_type: Up\nsteps:\n  - {name: a, type: RETURN, value: 1}\n",
        "dry_run": True,
    },
    "bulk_workflows": {"action": "cancel", "filter": {"workflow_type": "Approval"}, "dry_run": True, "limit": 1_000},
    "fork_workflow": {"to": "note"},
    "jump_workflow": {"step": "note_2"},
    "rewind_workflow": {"to": "note"},
    "resume_workflow": {"answer": {"approved": True}},
    "signal_workflow": {"name": "Paid", "payload": {"amount": 1}},
    "rotate_key": {},
}
LISTS = {"list_workflows": "workflow_id", "list_keys": "key_id", "bulk_workflows": "workflow_id"}
"""Operations that answer with many things, and what each is known by."""
MAKES = {
    "start_workflow": {"workflow_type": "Greeting", "run": False},
    "create_key": {"name": "made"},
}
"""Operations that make something for somebody."""
REFUSED = {"not-allowed", "store-wide", "other-tenant", "beyond-own-rights"}
LATER = {"invalid-input", "not-waiting", "repair-refused", "workflow-finished", "key-ended", "workflow-busy"}
"""Refused for a reason that nobody is told of who may not see the thing."""
HIDDEN = {"workflow-not-found", "key-not-found"}


@dataclass
class World:
    """A server where everybody is who he says he is, and what it is asked about."""

    client: Client
    builder: WorkflowBuilder
    keys: Keys

    async def workflow(self, whose: str) -> str:
        owner, org = WHOSE[whose]
        return (await self.builder.create_workflow("Approval", owner_id=owner, org_id=org)).id

    async def key(self, whose: str) -> str:
        owner, org = WHOSE[whose]
        made, _ = await self.keys.create(
            name="k", roles=(), permissions=(), owner_id=owner, org_id=org, created_by="x", expires_us=None
        )
        return made.key_id


class ByHeader:
    """Whoever names his role has it."""

    async def authenticate(self, connection: Any) -> Principal:
        return ASKING[connection.headers["x-role"]]


def is_about_somebody(route: Route) -> bool:
    return "_id:" in route.path or route.name in LISTS or route.name in MAKES


async def outcome(world: World, route: Route, role: str, whose: str) -> str:
    """What a role gets that asks for one thing."""
    path = route.path.replace("{workflow_type:str}", "Greeting")
    subject = ""
    makers: dict[str, Callable[[str], Awaitable[str]]] = {
        "{workflow_id:uuid}": world.workflow,
        "{key_id:str}": world.key,
    }
    for place, make in makers.items():
        if place in path:
            path = path.replace(place, subject := await make(whose))
    if route.name in LISTS:
        subject = await (world.key if LISTS[route.name] == "key_id" else world.workflow)(whose)
    assert "{" not in path, f"{route.name} is about something that the matrix does not know: add it to `makers`"
    body = dict(BODIES.get(route.name, {}))
    if route.name in MAKES:
        owner, org = WHOSE[whose]
        body = {**MAKES[route.name], "owner_id": owner, "org_id": org}
    answer = await world.client.request(
        route.method,
        path,
        headers={"X-Role": role},
        params={"old": "1.0.0"}
        if route.name == "diff_definitions"
        else {"limit": 500}
        if route.method == "GET"
        else {},
        json=body if route.method != "GET" else None,
    )
    code = answer.json()["code"] if answer.status_code >= 400 else ""
    if code in REFUSED:
        return "no"
    if code in HIDDEN:
        return "hidden"
    assert answer.status_code < 400 or code in LATER, f"{route.name} as {role}: {answer.text}"
    if route.name in LISTS:
        found = {item[LISTS[route.name]] for item in answer.json()["items"]}
        return "yes" if subject in found else "hidden"
    return "yes"


async def matrix() -> list[tuple[str, dict[str, str]]]:
    """What every operation answers to every role."""
    builder = new_builder()
    async with AsyncTestClient(new_app(builder, authenticator=ByHeader()), raise_server_exceptions=False) as client:
        world = World(client, builder, Keys(builder.persistence, builder.clock, builder.ids))
        found = []
        for route in route_table(client.app):
            if not route.is_documented:
                continue
            about = tuple(WHOSE) if is_about_somebody(route) else ("own",)
            cells = {role: " ".join([await outcome(world, route, role, whose) for whose in about]) for role in ASKING}
            found.append((route.name, cells))
        return sorted(found)


def written(rows: list[tuple[str, dict[str, str]]]) -> str:
    """The table as the file has it."""
    lines = [["operation", *ASKING], *([name, *cells.values()] for name, cells in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "".join(
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in lines
    )


def test_the_server_allows_what_the_table_declares() -> None:
    """No more, and no less; an operation that the table lacks fails, too."""
    assert written(asyncio.run(matrix())) == TABLE.read_text(encoding="utf-8")


def declared() -> list[tuple[str, dict[str, list[str]]]]:
    """The file, read."""
    head, *lines = [line.split("|") for line in TABLE.read_text(encoding="utf-8").splitlines()]
    roles = [cell.strip() for cell in head[1:]]
    return [(name.strip(), dict(zip(roles, (cell.split() for cell in cells), strict=True))) for name, *cells in lines]


def test_nobody_reaches_another_tenant() -> None:
    """In no line of the table has somebody who is limited to a tenant a `yes` for another one."""
    limited = [role for role, principal in ASKING.items() if principal.is_limited]
    three = [(name, cells) for name, cells in declared() if len(cells["admin"]) > 1]

    assert len(three) > 10
    assert [(name, role) for name, cells in three for role in limited if cells[role][2] == "yes"] == []


def test_only_public_operations_are_for_nobody() -> None:
    """Whoever has no permission gets nothing else."""
    public = {route.name for route in route_table(new_app()) if route.permission == PUBLIC and route.is_documented}

    assert {name for name, cells in declared() if cells["nobody"] != ["no"] * len(cells["nobody"])} == public
