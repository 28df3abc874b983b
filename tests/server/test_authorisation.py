"""The matrix: every operation, asked by every role, about what is its own, its tenant's and another tenant's.

`authorisation.txt` declares it, and is read like any other code: `yes` (it is done, or refused for a reason that has nothing to do with
who asks), `no` (403), `hidden` (as if it were not there). A cell has three words: own, same tenant, other tenant; one word
where the operation is about nothing that belongs to anybody.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

from litestar.routes import WebSocketRoute

from ruvon.builder import WorkflowBuilder
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon_server.auth import PUBLIC, Keys, Principal, Roles
from ruvon_server.documents import document_of
from ruvon_server.routes import Route, route_table
from tests.support.serving import Client, new_app, new_builder, served
from tests.support.streaming import connected

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
NEWER = "1.1.0"
"""A version of what `World.workflow` makes that is stored beside the one that files define."""
BODIES: dict[str, dict[str, Any]] = {
    "upload_definition": {
        "source": "workflow_type: Up\nsteps:\n  - {name: a, type: RETURN, value: 1}\n",
        "dry_run": True,
    },
    "bulk_workflows": {"action": "cancel", "filter": {"workflow_type": "Approval"}, "dry_run": True, "limit": 1_000},
    "migrate_workflow": {"to": NEWER},
    "migrate_workflows": {"workflow_type": "Approval", "to": NEWER, "dry_run": True, "limit": 1_000},
    "fork_workflow": {"to": "note"},
    "jump_workflow": {"step": "note_2"},
    "rewind_workflow": {"to": "note"},
    "resume_workflow": {"answer": {"approved": True}},
    "signal_workflow": {"name": "Paid", "payload": {"amount": 1}},
    "rotate_key": {},
    "update_webhook": {"description": "changed"},
    "rotate_webhook_secret": {},
    "recover_webhook": {"since": "2020-01-01T00:00:00Z"},
    "answer_human_task": {"answer": {"approved": True}},
    "make_approval_link": {"answer": {"approved": True}},
    "set_queue_limits": {"concurrency": 4},
}
QUERIES: dict[str, dict[str, Any]] = {
    "diff_definitions": {"old": "1.0.0"},
    "stream_events": {"after": "0-0", "for_s": 0},
    "stream_workflow_events": {"for_s": 0},
    "get_fleet_metrics": {"runs": 0},
}
"""What operations are asked beside their path; those with a limit, for as many things as there may be."""
PAGED = {
    item["operationId"]
    for methods in document_of(new_app())["paths"].values()
    for item in methods.values()
    if "limit" in {given["name"] for given in item.get("parameters", [])}
}
LISTS = {
    "list_workflows": "workflow_id",
    "bulk_workflows": "workflow_id",
    "migrate_workflows": "workflow_id",
    "resume_workflows": "workflow_id",
    "list_keys": "key_id",
    "list_human_tasks": "task_id",
    "list_dead_letters": "task_id",
    "list_schedules": "name",
    "list_webhooks": "webhook_id",
}
"""Operations that answer with many things, and what each is known by."""
TELLS = {"stream_events": "workflow", "get_fleet_metrics": "workflow"}
"""Operations that tell of many things otherwise than in a list, and of what."""
MAKES = {
    "start_workflow": {"workflow_type": "Greeting", "run": False},
    "create_key": {"name": "made"},
    "create_webhook": {"url": "https://a.example/"},
    "add_schedule": {"workflow_type": "Greeting", "cron": "0 9 * * MON"},
}
"""Operations that make something for somebody."""
SOCKETS = {"watch_events": "stream_events", "watch_workflow_events": "stream_workflow_events"}
"""WebSockets, which the table has no line for: each allows what the stream of the same path does."""
LATER_US = 2**52
REFUSED = {"not-allowed", "store-wide", "other-tenant", "beyond-own-rights"}
LATER = {
    "invalid-input",
    "not-waiting",
    "repair-refused",
    "workflow-finished",
    "key-ended",
    "workflow-busy",
    "no-limits",
}
"""Refused for a reason that nobody is told of who may not see the thing."""
HIDDEN = {
    "workflow-not-found",
    "key-not-found",
    "human-task-not-found",
    "schedule-not-found",
    "task-not-found",
    "webhook-not-found",
}


@dataclass
class World:
    """A server where everybody is who he says he is, and what it is asked about."""

    client: Client
    builder: WorkflowBuilder
    queueing: WorkflowBuilder
    """Over the same store; leaves steps to workers."""
    keys: Keys
    numbers: "count[int]" = field(default_factory=count)

    async def ask(self, method: str, path: str, role: str, **asked: Any) -> Any:
        return await self.client.request(method, path, headers={"X-Role": role}, **asked)

    async def workflow(self, whose: str) -> str:
        owner, org = WHOSE[whose]
        return (await self.builder.create_workflow("Approval", owner_id=owner, org_id=org)).id

    async def key(self, whose: str) -> str:
        owner, org = WHOSE[whose]
        made, _ = await self.keys.create(
            name="k", roles=(), permissions=(), owner_id=owner, org_id=org, created_by="x", expires_us=None
        )
        return made.key_id

    async def schedule(self, whose: str) -> str:
        owner, org = WHOSE[whose]
        name = f"s-{next(self.numbers)}"
        await self.builder.schedules.add(name, "Greeting", cron="0 9 * * MON", owner_id=owner, org_id=org)
        return name

    async def webhook(self, whose: str) -> str:
        owner, org = WHOSE[whose]
        wanted = {"url": "https://a.example/", "owner_id": owner, "org_id": org}
        return str((await self.ask("POST", "/api/v1/webhooks", "admin", json=wanted)).json()["webhook_id"])

    async def delivery(self, whose: str) -> str:
        webhook_id = await self.webhook(whose)
        number = (await self.ask("POST", f"/api/v1/webhooks/{webhook_id}/test", "admin")).json()["number"]
        return f"{webhook_id}/deliveries/{number}"

    async def human_task(self, whose: str) -> str:
        workflow_id = await self.workflow(whose)
        await self.builder.engine().drive(UUID(workflow_id))
        items = (await self.ask("GET", "/api/v1/human-tasks?limit=5", "admin")).json()["items"]
        (task_id,) = [item["task_id"] for item in items if item["workflow_id"] == workflow_id]
        return str(task_id)

    async def dead_letter(self, whose: str) -> str:
        owner, org = WHOSE[whose]
        made = await self.queueing.create_workflow("Fetch", owner_id=owner, org_id=org)
        await self.queueing.engine().drive(UUID(made.id))
        store = self.builder.persistence
        (task,) = await store.claim_tasks("host-7", lease_us=1, now_us=LATER_US, queues=["net"])
        await store.reap_tasks(LATER_US + 1, crash_budget=1)
        return task.task_id

    async def approval(self, whose: str) -> str:
        path = f"/api/v1/human-tasks/{await self.human_task(whose)}/links"
        answer = await self.ask("POST", path, "admin", json=BODIES["make_approval_link"])
        return str(answer.json()["token"])

    async def counted(self, role: str) -> int:
        """How many workflows the numbers of all of them are made of."""
        answer = await self.ask("GET", "/api/v1/metrics", role, params=QUERIES["get_fleet_metrics"])
        return sum(answer.json().get("counts", {}).values())


class ByHeader:
    """Whoever names his role has it."""

    async def authenticate(self, connection: Any) -> Principal:
        return ASKING[connection.headers["x-role"]]


def makers(world: World) -> dict[str, Callable[[str], Awaitable[str]]]:
    """What makes the things that paths are about, by the place in the path or the kind of thing."""
    return {
        "workflows/{workflow_id:uuid}": world.workflow,
        "workflows/ids/{begin:str}": world.workflow,
        "keys/{key_id:str}": world.key,
        "human-tasks/{task_id:str}": world.human_task,
        "dead-letters/{task_id:str}": world.dead_letter,
        "tasks/{task_id:str}": world.dead_letter,
        "schedules/{name:str}": world.schedule,
        "approvals/{token:str}": world.approval,
        "webhooks/{webhook_id:str}/deliveries/{number:int}": world.delivery,
        "webhooks/{webhook_id:str}": world.webhook,
    }


def lister(world: World, name: str) -> Callable[[str], Awaitable[str]] | None:
    """What makes one of the things that an operation tells of."""
    kinds = {
        "list_keys": world.key,
        "list_human_tasks": world.human_task,
        "list_dead_letters": world.dead_letter,
        "list_schedules": world.schedule,
        "list_webhooks": world.webhook,
    }
    return kinds.get(name, world.workflow) if name in LISTS or name in TELLS else None


def is_about_somebody(route: Route) -> bool:
    about = "_id:" in route.path or "{begin:" in route.path or "schedules/{" in route.path
    return about or route.name in LISTS or route.name in TELLS or route.name in MAKES


async def path_and_subject(world: World, route: Route, whose: str) -> tuple[str, str]:
    """The path to ask, and the thing that it is about, which is made."""
    path, subject = (
        route.path.replace("{workflow_type:str}", "Greeting").replace("queues/{name:str}", "queues/mail"),
        "",
    )
    for place, make in makers(world).items():
        if place in path:
            subject = await make(whose)
            path = path.replace(place, f"{place.partition('{')[0]}{subject}")
    if (made := lister(world, route.name)) is not None:
        subject = await made(whose)
    assert "{" not in path, f"{route.name} is about something that the matrix does not know: add it to `makers`"
    return path, subject


def body_of(world: World, route: Route, whose: str) -> dict[str, Any]:
    """What an operation is given."""
    if route.name not in MAKES:
        return BODIES.get(route.name, {})
    owner, org = WHOSE[whose]
    body = {**MAKES[route.name], "owner_id": owner, "org_id": org}
    return {**body, "name": f"made-{next(world.numbers)}"} if route.name == "add_schedule" else body


async def outcome(world: World, route: Route, role: str, whose: str) -> str:
    """What a role gets that asks for one thing."""
    before = await world.counted(role) if route.name == "get_fleet_metrics" else 0
    path, subject = await path_and_subject(world, route, whose)
    answer = await world.ask(
        route.method,
        path,
        role,
        params=QUERIES.get(route.name, {"limit": 500} if route.name in PAGED else {}),
        json=body_of(world, route, whose) if route.method != "GET" else None,
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
    if route.name == "find_workflow_ids":
        return "yes" if subject in answer.json()["items"] else "hidden"
    if route.name == "stream_events":
        return "yes" if subject in answer.text else "hidden"
    if route.name == "get_fleet_metrics":
        return "yes" if sum(answer.json()["counts"].values()) > before else "hidden"
    return "yes"


@asynccontextmanager
async def new_world() -> AsyncGenerator[World, None]:
    """A server that nobody has asked yet."""
    builder = new_builder(SQLitePersistenceProvider(":memory:"))
    app = new_app(builder, authenticator=ByHeader(), approval_key="k" * 32)
    async with served(app) as client:
        newer = replace(builder.get_definition("Approval"), workflow_version=NEWER)
        engine = builder.engine()
        await builder.persistence.put_definition(engine.definition_record(engine.program_from(newer)))
        queueing = new_builder(builder.persistence, execution="queue")
        yield World(client, builder, queueing, Keys(builder.persistence, builder.clock, builder.ids))


async def matrix() -> list[tuple[str, dict[str, str]]]:
    """What every operation answers to every role."""
    async with new_world() as world:
        found = []
        for route in route_table(world.client.app):
            if not route.is_documented:
                continue
            about = tuple(WHOSE) if is_about_somebody(route) else ("own",)
            cells = {role: " ".join([await outcome(world, route, role, whose) for whose in about]) for role in ASKING}
            found.append((route.name, cells))
        return sorted(found)


async def heard(world: World, name: str, role: str, whose: str) -> str:
    """What a role gets that opens a WebSocket about one thing."""
    subject = await world.workflow(whose)
    path = "/api/v1/events?after=0-0&for_s=0"
    if name == "watch_workflow_events":
        path = f"/api/v1/workflows/{subject}/events?for_s=0"
    seen = []
    async with connected(world.client.app, path, **{"x-role": role}) as socket:
        while (message := await socket.message())["event"] != "closed":
            seen.append(str(message["data"]))
    if message["code"] in {4403, 4404}:
        return "no" if message["code"] == 4403 else "hidden"
    assert message["code"] == 1012
    return "yes" if any(subject in text for text in seen) else "hidden"


async def heard_by_all() -> dict[str, dict[str, list[str]]]:
    """What every WebSocket tells every role."""
    async with new_world() as world:
        return {
            name: {role: [await heard(world, name, role, whose) for whose in WHOSE] for role in ASKING}
            for name in SOCKETS
        }


def written(rows: list[tuple[str, dict[str, str]]]) -> str:
    """The table as the file has it."""
    lines = [["operation", *ASKING], *([name, *cells.values()] for name, cells in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "".join(
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in lines
    )


def test_the_server_allows_what_the_table_declares(golden: Callable[[Path, str], None]) -> None:
    """No more, and no less; an operation that the table lacks fails, too."""
    golden(TABLE, written(asyncio.run(matrix())))


def declared() -> list[tuple[str, dict[str, list[str]]]]:
    """The file, read."""
    head, *lines = [line.split("|") for line in TABLE.read_text(encoding="utf-8").splitlines()]
    roles = [cell.strip() for cell in head[1:]]
    return [(name.strip(), dict(zip(roles, (cell.split() for cell in cells), strict=True))) for name, *cells in lines]


def test_a_socket_allows_what_the_stream_of_its_path_does() -> None:
    """To every role, about what belongs to anybody."""
    table = dict(declared())

    assert asyncio.run(heard_by_all()) == {name: table[stream] for name, stream in SOCKETS.items()}


def test_no_socket_is_left_out() -> None:
    """A new WebSocket has to say what it allows."""
    routes = [route for route in new_app().routes if isinstance(route, WebSocketRoute)]

    assert {route.route_handler.name for route in routes} == set(SOCKETS)


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
