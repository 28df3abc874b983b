"""Commands that ask a server: the same words as on a database, over HTTP."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar.testing import TestClient

import ruvon_server.client
from ruvon_server.client import Client
from tests.cli.conftest import Command
from tests.support.serving import new_app

URL = "http://ruvon.test:8000"
NOBODY = "3f2a9c41-6a9b-4a55-8a27-0d2f5b1f1a11"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str | None]]]:
    """Commands ask a server in this process; with the address and the key of each."""
    found: list[tuple[str, str | None]] = []

    with TestClient(new_app(), raise_server_exceptions=False) as http:

        def new_client(url: str, *, api_key: str | None) -> Client:
            found.append((url, api_key))
            return Client(http=http)

        monkeypatch.setattr(ruvon_server.client, "Client", new_client)
        yield found


@pytest.fixture
def remote(asked: list[tuple[str, str | None]], ruvon: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """A command line whose variables name a server."""
    monkeypatch.setenv("RUVON_SERVER_URL", URL)
    monkeypatch.setenv("RUVON_API_KEY", "secret")
    return ruvon


def made(remote: Command, kind: str, data: dict[str, Any] | None = None) -> str:
    done = remote("run", kind, "-d", json.dumps(data or {}), "--json")
    return str(done.json["workflow_id"])


def test_the_option_names_the_server_and_the_next_commands_too(
    asked: list[tuple[str, str | None]], ruvon: Command
) -> None:
    """`--server` is asked, and what a command suggests has it again."""
    done = ruvon("run", "Approval", "--server", URL)

    assert asked == [(URL, None)]
    assert f" --server {URL} -i " in done.out


def test_the_variables_name_the_server_and_the_key(remote: Command, asked: list[tuple[str, str | None]]) -> None:
    """RUVON_SERVER_URL and RUVON_API_KEY are used where no option says otherwise."""
    done = remote("run", "Greeting", "-d", '{"number": "A-1"}', "--json")

    assert asked == [(URL, "secret")]
    assert (done.code, done.json["status"], done.json["result"]) == (0, "COMPLETED", "hello A-1")


def test_what_is_started_is_listed_and_shown(remote: Command, place: Path) -> None:
    """`start`, `list` and `show` tell of the server's runs, and make no database."""
    found = remote("start", "Greeting", "--json").json["workflow_id"]
    listed = remote("list", "--type", "Greeting", "--json").json
    shown = remote("show", found)

    assert [row["workflow_id"] for row in listed] == [found]
    assert f"Greeting {found}" in shown.out
    assert "lines: " in shown.out
    assert not list(place.glob("*.db"))


@pytest.mark.parametrize("command", ["run", "start"])
def test_who_has_started_a_run_is_who_the_key_belongs_to(remote: Command, command: str) -> None:
    """The reason is sent with it; a name is not looked at."""
    found = remote(command, "Greeting", "--actor", "otto", "--reason", "by telephone", "--json").json["workflow_id"]

    kept = remote("show", found, "--verbose", "--json").json["metadata"]
    assert kept == {"started_by": "local", "started_why": "by telephone"}


def test_an_answer_lets_a_run_go_on(remote: Command) -> None:
    """`resume -i` answers the person's task, and `--auto` shows the end."""
    found = made(remote, "Approval")

    done = remote("resume", found, "-i", '{"approved": true}', "--auto", "--json")

    assert (done.json["status"], done.json["result"]) == ("COMPLETED", "yes")


def test_a_signal_is_received(remote: Command) -> None:
    """`signal` reaches a run that waits for it."""
    found = made(remote, "Payment", {"number": "A-1"})

    done = remote("signal", found, "Paid", '{"amount": 12}', "--key", "A-1", "--auto", "--json")

    assert done.json["result"] == 12


def test_a_failed_run_is_retried(remote: Command, place: Path) -> None:
    """`retry` brings a run back and shows how it ended; a run that failed ends the command with code 1."""
    failed = remote("run", "Fragile", "-d", json.dumps({"switch": str(place / "on")}), "--json")
    (place / "on").touch()

    done = remote("retry", failed.json["workflow_id"], "--json")

    assert (failed.code, done.code, done.json["status"]) == (1, 0, "COMPLETED")


def test_a_run_is_cancelled(remote: Command) -> None:
    """`cancel` waits until it has ended."""
    found = made(remote, "Approval")

    assert remote("cancel", found, "--reason", "ordered twice", "--json").json["status"] == "CANCELLED"


def test_a_run_is_rewound_forked_and_moved(remote: Command) -> None:
    """`rewind` shows its plan first; `fork` makes another run; `jump` moves one."""
    found = made(remote, "Undoable")

    plan = remote("rewind", found, "note", "--dry-run")
    rewound = remote("rewind", found, "note", "--yes", "--json")
    forked = remote("fork", found, "note", "--json")
    moved = remote("jump", found, "note", "--json")

    assert "stands at note" in plan.out
    assert rewound.json["current_step"] == moved.json["current_step"] == "note"
    assert forked.json["workflow_id"] != found


def test_definitions_are_listed(remote: Command) -> None:
    """`definitions list` has the types that the server knows."""
    assert "Greeting" in [row["type"] for row in remote("definitions", "list", "--json").json]


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["show", NOBODY], 4, "there is no run"),
        (["show", "3f2"], 4, "no workflow id"),
        (["start", "Nothing"], 4, "Nothing"),
        (["start", "flows/order.yaml"], 2, "a server starts the types that it knows"),
        (["start", "Greeting", "-d", '{"amount": "much"}'], 1, "amount"),
        (["resume", "--all", "--auto"], 2, "--all takes no ID"),
        (["list", "--server", URL, "--db", "x.db"], 2, "not both"),
        (["worker", "--server", URL], 2, "cannot ask a server"),
        (["scan-zombies"], 2, "RUVON_SERVER_URL names one"),
    ],
)
def test_what_goes_wrong_is_said_in_a_sentence(remote: Command, args: list[str], code: int, said: str) -> None:
    """Each mistake has its sentence and its exit code, and no traceback."""
    done = remote(*args)

    assert (done.code, said in done.err, "Traceback" in done.err) == (code, True, False), done.err


def test_a_database_weighs_more_than_the_variable(remote: Command, asked: list[tuple[str, str | None]]) -> None:
    """`--db` asks the database although RUVON_SERVER_URL is set."""
    remote("db", "init", "--db", "x.db")

    assert remote("list", "--db", "x.db", "--json").json == []
    assert asked == []


def test_a_server_that_is_away_is_a_sentence(ruvon: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody answers: exit code 3."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    http = httpx.Client(transport=httpx.MockTransport(refuse), base_url=URL)
    monkeypatch.setattr(ruvon_server.client, "Client", lambda url, *, api_key: Client(http=http, attempts=1))

    done = ruvon("list", "--server", URL)

    assert (done.code, "is the server up" in done.err) == (3, True)


def test_keys_are_made_shown_changed_and_ended(remote: Command) -> None:
    """The key is alone on standard output, once; the list never has it."""
    made = remote("keys", "create", "ci", "--role", "viewer", "--expires", "90d", "--reason", "a pipeline")
    found = remote("keys", "list", "--json").json
    rotated = remote("keys", "rotate", found[0]["key_id"], "--grace", "1h")
    ended = remote("keys", "revoke", remote("keys", "list", "--json").json[0]["key_id"], "--reason", "lost", "--json")

    assert (made.code, made.out.startswith("ruvon_"), made.out.count("\n")) == (0, True, 1), made.text
    assert [item["name"] for item in found] == ["ci"]
    assert made.out.strip() not in remote("keys", "list").text
    assert rotated.out.startswith("ruvon_")
    assert rotated.out != made.out
    assert ended.json["status"] == "revoked"
    assert "viewer" in remote("keys", "show", found[0]["key_id"]).out


def test_a_definition_is_uploaded(remote: Command, place: Path) -> None:
    """Checked first, then current; its mistakes are sentences with their places."""
    (place / "hello.yaml").write_text("workflow_type: Hello\nsteps:\n  - {name: greet, type: RETURN, value: hello}\n")
    (place / "wrong.yaml").write_text("workflow_type: Wrong\nsteps:\n  - {name: greet, type: NOTHING}\n")

    checked = remote("definitions", "upload", "hello.yaml", "--dry-run")
    done = remote("definitions", "upload", "hello.yaml")
    wrong = remote("definitions", "upload", "wrong.yaml")

    assert "could be uploaded" in checked.out
    assert "Hello 1.0.0" in done.out
    assert remote("run", "Hello", "--json").json["result"] == "hello"
    assert (wrong.code, "NOTHING" in wrong.err) == (1, True), wrong.text
    assert "  wrong.yaml:3:25: RV0813: " in wrong.err
    assert "upload.yaml" not in wrong.err


@pytest.mark.parametrize(
    "args", [("start", "Greeting"), ("run", "Greeting"), ("schedule", "add", "x", "Greeting", "--cron", "0 9 * * *")]
)
def test_a_field_that_is_none_is_refused(remote: Command, args: tuple[str, ...]) -> None:
    """A field that the state does not have is a mistake, as on a database; nothing is made of it."""
    done = remote(*args, "-d", '{"numbr": "A-1"}')

    assert (done.code, "there is no field `numbr`; did you mean `number`?" in done.err) == (1, True), done.text
    assert remote("list", "--json").json == []
    assert remote("schedule", "list", "--json").json == []


def test_what_goes_on_by_itself_is_not_to_be_resumed(remote: Command) -> None:
    """After a start and a signal the next command is one that looks, not one that drives or sends again."""
    waiting = made(remote, "Payment", {"number": "A-1"})

    said = [
        remote("start", "Approval").out,
        remote("signal", waiting, "Paid", '{"amount": 12}', "--key", "A-1").out,
    ]

    assert "it goes on by itself; see: ruvon logs" in said[0]
    assert "the signal lies in its mailbox; see: ruvon logs" in said[1]
    assert [word for text in said for word in ("ruvon resume", "ruvon signal") if word in text] == []


def test_a_signal_with_auto_shows_the_end(remote: Command) -> None:
    """It does not take the run that has not looked into its mailbox yet for one that waits."""
    found = made(remote, "Payment", {"number": "A-1"})

    done = [remote("signal", found, "Paid", '{"amount": 12}', "--key", "A-1", "--auto", "--json")]

    assert [item.json["status"] for item in done] == ["COMPLETED"]
