"""The requests of the page about the server are sent, in their order, and answered as the page says."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

import ruvon_server.client
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon_server.client import _sync as client
from ruvon_server.routes import Route, route_table
from tests.support.serving import Client, asked, new_app, new_builder

PAGE = Path(__file__).parents[2] / "docs" / "server.md"
BLOCK = re.compile(r"^```http\n(.*?)^```$", re.DOTALL | re.MULTILINE)
CHAPTER = re.compile(r"^## (?:Who may do what|Problems)$", re.MULTILINE)
ADMIN = "admin-key-of-the-tests-0123456789"
ASKING = re.compile(r"^```python\n# asks\.py\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PROGRAM = re.compile(r"^```python\n# parcels\.py\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Exchange:
    """A request of the page, and the status of its answer."""

    method: str
    path: str
    headers: dict[str, str]
    body: str
    status: int


def exchanges(*, guarded: bool | None = None) -> list[Exchange]:
    """All of them, or those of the chapter about authentication, or those of the others."""
    before, chapter, after = CHAPTER.split(PAGE.read_text(encoding="utf-8"))
    text = {None: before + chapter + after, True: chapter, False: before + after}[guarded]
    return [exchange(found[1]) for found in BLOCK.finditer(text)]


def exchange(text: str) -> Exchange:
    asking, answer = text.rsplit("\nHTTP/1.1 ", 1)
    head, _, body = asking.partition("\n\n")
    first, *lines = head.splitlines()
    method, path = first.split()[:2]
    headers = dict(line.split(": ", 1) for line in lines)
    return Exchange(method, path, headers, body.strip(), int(answer.split()[0]))


NAMES = ("task_id", "token")
"""What later requests of the page name as the last answer did."""
MADE = {"/api/v1/workflows": ("workflow_id",), "/api/v1/keys": ("key_id", "key"), "/api/v1/webhooks": ("webhook_id",)}


async def sent(client: Client, item: Exchange, known: dict[str, str]) -> None:
    """Send a request, and note what later ones are about."""
    path, headers = filled(item.path, known), {name: filled(text, known) for name, text in item.headers.items()}
    answer = await client.request(item.method, path, headers=headers, content=item.body.encode() or None)
    assert answer.status_code == item.status, f"{item.method} {path}: {answer.status_code} {answer.text}"
    if item.method == "POST" and item.path in MADE:
        known |= {name: str(answer.json()[name]) for name in MADE[item.path] if name in answer.json()}
    if answer.headers.get("Content-Type") == "application/json":
        found = answer.json()
        first = next(iter(found.get("items") or [{}])) | found
        known |= {name: str(first[name]) for name in NAMES if name in first}


def filled(text: str, known: dict[str, str]) -> str:
    for name, value in known.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def test_every_request_of_the_page_is_answered_as_it_says(tmp_path: Path) -> None:
    """In the order of the page, about the workflow that was started last."""
    found = PROGRAM.search(PAGE.read_text(encoding="utf-8"))
    assert found is not None
    (tmp_path / "parcels.py").write_text(found[1], encoding="utf-8")
    builder = new_builder(SQLitePersistenceProvider(tmp_path / "page.db"))
    builder.register(tmp_path / "parcels.py")

    async def talk(client: Client) -> None:
        known: dict[str, str] = {}
        for item in exchanges(guarded=False):
            await sent(client, item, known)
        assert "workflow_id" in known, "the page starts a workflow"

    asked(talk, new_app(builder, approval_key="k" * 32))


def test_the_program_of_the_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The client of the page starts a parcel, answers, pays, is refused a retry, and gets the label."""
    page = PAGE.read_text(encoding="utf-8")
    flows, asks = PROGRAM.search(page), ASKING.search(page)
    assert flows is not None
    assert asks is not None
    (tmp_path / "carried_parcels.py").write_text(flows[1], encoding="utf-8")
    builder = new_builder()
    builder.register(tmp_path / "carried_parcels.py")
    with TestClient(new_app(builder), raise_server_exceptions=False) as http:
        monkeypatch.setattr(ruvon_server.client, "Client", lambda _, **__: client.Client(http=http))
        names: dict[str, Any] = {}
        exec(compile(asks[1], "asks.py", "exec"), names)  # noqa: S102 - the page's own program

        assert names["send_parcel"]("http://127.0.0.1:8000") == "label of A-9"

    assert "repair-refused 409" in capsys.readouterr().out


def test_every_request_about_authentication_is_answered_as_it_says() -> None:
    """By a server that asks for keys."""

    async def talk(client: Client) -> dict[str, str]:
        known = {"admin": ADMIN}
        for item in exchanges(guarded=True):
            await sent(client, item, known)
        return known

    known = asked(talk, new_app(auth="api-key", admin_key=ADMIN))
    assert known.keys() >= {"key_id", "key"}, "the page makes a key"


@pytest.mark.parametrize(
    "route", [item for item in route_table(new_app()) if item.is_documented], ids=lambda item: item.name
)
def test_every_operation_has_a_request_on_the_page(route: Route) -> None:
    """Whoever adds an operation shows it."""
    parts = ["[^/?]+" if part.startswith("{") else re.escape(part) for part in route.path.split("/")]
    pattern = re.compile("/".join(parts) + r"(\?.*)?")

    assert [item for item in exchanges() if item.method == route.method and pattern.fullmatch(item.path)]
