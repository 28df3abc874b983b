"""A command line in a folder of its own: in this process for most tests, as a real process for whole sessions."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

if TYPE_CHECKING:
    from tests.cli.both import Both

ROOT = Path(__file__).parents[2]
FLOWS = Path(__file__).parent / "flows" / "cli_flows.py"
ORDER = "examples.order_processing.workflow:order_processing"
RUVON = [sys.executable, "-c", "from ruvon.cli import main; main()"]
SMALL = {"order_id": "A-1", "customer": "Ada", "items": [{"sku": "book", "quantity": 2, "price": "12.50"}]}
LARGE = {"order_id": "A-2", "customer": "Grace", "items": [{"sku": "lamp", "quantity": 900, "price": "12.50"}]}


@dataclass
class Done:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def text(self) -> str:
        return self.out + self.err


Command = Callable[..., Done]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: empty, with settings, database and home of its own."""
    for name in [name for name in os.environ if name.startswith("RUVON_") and name != "RUVON_CASES"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RUVON_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "compiled"))
    monkeypatch.setenv("RUVON_IMPORT_ROOTS", str(ROOT))
    monkeypatch.setenv("COLUMNS", "110")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def ruvon() -> Command:
    """Run a command in this process."""
    from ruvon.cli._app import cli

    def call(*args: str, given: str = "") -> Done:
        done = CliRunner().invoke(cli, [str(item) for item in args], input=given, prog_name="ruvon")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(done.exit_code, done.stdout, done.stderr)

    return call


@pytest.fixture
def shell(place: Path) -> Command:
    """Run a command as a process of its own."""

    def call(*args: str, given: str = "", **env: str) -> Done:
        variables = {**os.environ, "PYTHONPATH": str(ROOT), **env}
        done = subprocess.run(
            [*RUVON, *map(str, args)],
            input=given,
            capture_output=True,
            text=True,
            cwd=place,
            env=variables,
            timeout=120,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    return call


@pytest.fixture
def both(ruvon: Command, place: Path, monkeypatch: pytest.MonkeyPatch) -> "Iterator[Both]":
    """A server in this process over the file that commands of this process open, too."""
    from litestar.testing import TestClient

    import ruvon_server.client
    from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
    from ruvon_server.client import Client
    from tests.cli.both import Both
    from tests.support.serving import new_app, new_builder

    assert ruvon("db", "init", "--db", "x.db").code == 0
    builder = new_builder(SQLitePersistenceProvider(str(place / "x.db")))
    with TestClient(new_app(builder, approval_key="k" * 32), raise_server_exceptions=False) as http:
        monkeypatch.setattr(ruvon_server.client, "Client", lambda url, *, api_key: Client(http=http))
        yield Both(ruvon, place, builder)


@pytest.fixture
def started(ruvon: Command) -> Callable[..., str]:
    """Start a workflow of the test flows and give its id."""

    def begin(workflow: str, data: object, *options: str) -> str:
        done = ruvon("start", str(FLOWS), "--workflow", workflow, "-d", json.dumps(data), "--json", *options)
        assert done.code in {0, 1}, done.text
        return str(done.json["workflow_id"])

    return begin


def masked(text: str, place: Path) -> str:
    """An output without what changes from run to run: ids, moments, durations, the folder."""
    text = text.replace(str(place), "<folder>").replace(str(ROOT), "<repository>")
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "<time>", text)
    text = re.sub(r"\d+\.\d ms", "<n> ms", text)
    text = re.sub(r"pay-[0-9a-f]{8}", "pay-<n>", text)
    return re.sub(r"\b\d+ bytes", "<n> bytes", text)
