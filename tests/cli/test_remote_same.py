"""Every command that a server can answer says the same of a database and of a server on that database."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from ruvon.cli._app import cli
from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from ruvon.providers import WorkerRecord
from tests.cli.both import FLOWS, URL, Both
from tests.cli.conftest import Command

FORMS: tuple[list[str], ...] = ([], ["--json"])
NOBODY = "3f2a9c41-6a9b-4a55-8a27-0d2f5b1f1a11"
LOCAL = {
    "changes of files": "compile validate convert graph schema",
    "changes nothing that is stored": "explain, defaults, plugins, completion, schedule next",
    "settings of this machine": "config",
    "the database itself": "db",
    "processes beside a database": "worker, scheduler, scan-zombies, zombie-daemon, serve",
    "runs steps in this process": "crash-test",
}
"""Commands that make no sense over HTTP, by the reason; a group stands for all in it."""


def names(texts: dict[str, str]) -> set[str]:
    """The commands of a table."""
    return {name for text in texts.values() for name in (text.split(", ") if "," in text else text.split())}


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with its whole name."""
    if isinstance(command, click.Group):
        for name, item in command.commands.items():
            yield from commands(item, (*path, name))
    else:
        yield " ".join(path), command


def is_remote(command: click.Command) -> bool:
    """Whether a command can ask a server."""
    return any("--server" in item.opts for item in command.params)


def is_declared_local(name: str) -> bool:
    """Whether a command, or its group, is on the list."""
    return name in names(LOCAL) or name.partition(" ")[0] in names(LOCAL)


def test_every_command_asks_a_server_or_is_declared_local() -> None:
    """A new command has to be one of both; so nobody forgets it."""
    wrong = [name for name, item in commands(cli) if is_remote(item) == is_declared_local(name)]

    assert wrong == []


def test_the_list_names_only_commands_that_there_are() -> None:
    """What is gone is off the list."""
    known = {name for name, _ in commands(cli)} | set(cli.commands)

    assert names(LOCAL) <= known


@pytest.mark.parametrize("name", sorted(name for name, item in commands(cli) if not is_remote(item)))
def test_a_command_that_is_local_says_so(ruvon: Command, name: str) -> None:
    """`--server` ends it with a sentence."""
    done = ruvon(*name.split(), "--server", URL)

    assert (done.code, "cannot ask a server" in done.err) == (2, True), done.err


@pytest.fixture
def runs(both: Both) -> dict[str, str]:
    """One run of each kind, by the name of its type."""
    found: dict[str, str] = {}
    for kind in ("Greeting", "Approval", "Review", "Payment", "Fragile", "Undoable"):
        data = {"number": "A-1", "switch": "/nowhere", "token": "very secret"}
        done = both.there("run", kind, "-d", json.dumps(data), "--key", f"key of {kind}", "--json")
        found[kind] = str(done.json["workflow_id"])
    return found


OF_ONE = (
    "show",
    "show --no-state",
    "show --logs",
    "show --metrics",
    "show --verbose",
    "logs",
    "logs --limit 2",
    "logs --level ERROR",
    "logs --level DEBUG",
    "metrics -w",
    "metrics --steps -w",
    "metrics --summary -w",
    "tasks list --workflow-id",
)
"""Commands that show something of one run."""
OF_ALL = {
    "list": 0,
    "list --status FAILED --type Fragile": 0,
    "list --limit 2 --offset 1 -v": 0,
    "definitions diff Greeting@1.0.0 Approval@1.0.0": 1,
    "definitions history Greeting": 0,
    "human-tasks list": 0,
    "human-tasks list --role legal --unclaimed": 0,
    "queues list": 0,
    "workers": 0,
    "tasks list": 0,
    "tasks list --dead": 0,
    "metrics": 0,
    "metrics --steps": 0,
    "metrics --summary": 0,
    "metrics --type duration_ms": 0,
    "schedule list": 0,
    "schedule show weekly": 0,
    "bulk cancel --type Approval --dry-run": 0,
    "bulk retry --all --dry-run": 0,
    "bulk rewind note --type Undoable --dry-run": 0,
    'bulk signal Paid {"amount":12} --type Payment --dry-run': 0,
    "bulk purge --status COMPLETED --dry-run": 0,
}
"""Commands that show something of many things, with their exit codes."""
MISTAKES = {
    "schedule show weekli": 4,
    "schedule pause nothing": 4,
    "schedule resume nothing": 4,
    "schedule remove nothing": 4,
    "queues unset nothing": 4,
    "queues set mail": 2,
    "queues set mail --rate many": 2,
    "tasks show nothing": 4,
    "tasks requeue nothing": 4,
    "tasks discard nothing": 4,
    "definitions show Nothing@1.0.0": 4,
    "definitions show Greeting@9.9.9": 4,
    "definitions show abcdef123456": 4,
    "definitions history Nothing": 4,
    "human-tasks show nothing": 4,
    "human-tasks claim nothing": 4,
    "human-tasks release nothing": 4,
    "human-tasks answer nothing -i {}": 4,
    "human-tasks answer nothing": 2,
    "bulk cancel": 2,
    "bulk cancel --all --json": 2,
    f"retry {NOBODY}": 4,
    f"retry-compensation {NOBODY}": 4,
    f"rewind {NOBODY} note --yes": 4,
    f"fork {NOBODY} note": 4,
    f"jump {NOBODY} note": 4,
    f"signal {NOBODY} Paid": 4,
    f"resume {NOBODY}": 4,
    f"cancel {NOBODY}": 4,
    "logs xyz": 4,
    "metrics --steps --type x": 2,
}
"""Commands that cannot do what they are asked, with their exit codes."""


def test_one_run_is_shown_alike(both: Both, runs: dict[str, str]) -> None:
    """Whatever is shown of a run, whatever it waits for; and of one that there is not."""
    asked = [[*text.split(), item, *form] for text in OF_ONE for item in runs.values() for form in FORMS]
    asked += [["logs", runs[kind], "--follow", *form] for kind in ("Greeting", "Fragile") for form in FORMS]
    asked += [[*text.split(), runs["Greeting"][:30]] for text in OF_ONE]
    missing = [[*text.split(), item] for text in OF_ONE for item in ("3f2a9c41", "nothing")]
    missing += [[*text.split(), NOBODY] for text in OF_ONE if "tasks" not in text]

    wrong = [both.difference(*args, code=0) for args in asked] + [both.difference(*args, code=4) for args in missing]

    assert [item for item in wrong if item] == []


def test_no_secret_is_shown(both: Both, runs: dict[str, str]) -> None:
    """What a server answers is masked."""
    told = [both.there(*text.split(), runs["Greeting"]).text for text in OF_ONE]

    assert [text for text in told if "very secret" in text] == []


@pytest.mark.parametrize("form", FORMS, ids=["text", "json"])
def test_a_worker_that_looks_dead_is_shown_alike(both: Both, place: Path, form: list[str]) -> None:
    """Since its lease ran out; but for how long it has been silent when it is looked at."""

    async def tell() -> None:
        store = SQLitePersistenceProvider(str(place / "x.db"))
        await store.initialize()
        await store.put_worker(WorkerRecord("w", "host", 7, ("net",), seen_us=1_000_000, lease_us=30_000_000))
        await store.close()

    asyncio.run(tell())
    here, there = (re.sub(r"\d{9,}\.\d+", "<n>", ask("workers", *form).out) for ask in (both.here, both.there))

    assert here == there
    assert "1970-01-01T00:00:31.000Z" in here


def test_lists_are_alike(both: Both, runs: dict[str, str]) -> None:
    """Whatever is shown of many runs, and of what lies beside them."""
    both.there("queues", "set", "mail", "--concurrency", "4", "--rate", "100/1m")
    both.there("schedule", "add", "weekly", "Greeting", "--cron", "0 9 * * MON", "--tz", "Europe/Rome")
    forms = ("text", "graph", "json", "yaml", "mermaid", "dot", "svg")
    asked = {f"{text} {form}": code for text, code in OF_ALL.items() for form in ("", "--json")}
    asked |= {f"definitions show Approval@1.0.0 --format {form}": 0 for form in forms}
    asked |= {f"human-tasks show {task_of(both, runs['Review'])} {form}": 0 for form in ("", "--json")}

    wrong = [both.difference(*text.split(), code=code) for text, code in asked.items()]

    assert [item for item in wrong if item] == []


@pytest.mark.usefixtures("runs")
def test_mistakes_are_said_alike(both: Both) -> None:
    """The sentence, its remedy and the exit code are those of the command on a database."""
    both.there("schedule", "add", "weekly", "Greeting", "--cron", "0 9 * * MON")

    wrong = [both.difference(*text.split(), code=code) for text, code in MISTAKES.items()]

    assert [item for item in wrong if item] == []


@pytest.fixture
def twins(both: Both) -> Callable[..., tuple[str, str]]:
    """Two runs of a type that stand alike."""

    def make(kind: str, **data: str) -> tuple[str, str]:
        first, second = (
            str(both.there("run", kind, "-d", json.dumps(data), "--json").json["workflow_id"]) for _ in range(2)
        )
        return first, second

    return make


def task_of(both: Both, workflow_id: str) -> str:
    rows = both.here("human-tasks", "list", "--json").json
    return str(next(row["task_id"] for row in rows if row["workflow_id"] == workflow_id))


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_people_claim_and_answer_alike(both: Both, twins: Callable[..., tuple[str, str]], form: list[str]) -> None:
    """A task is claimed, refused to others, released by force and answered."""
    subjects = twins("Review")
    first, second = (task_of(both, item) for item in subjects)
    both.here("human-tasks", "claim", first, "--actor", "local", *form)
    both.there("human-tasks", "claim", second, *form)
    shown = [
        ask("human-tasks", "show", item, "--json").json for ask, item in ((both.here, first), (both.there, second))
    ]
    released = [
        both.here("human-tasks", "release", first, "--force", "--actor", "otto", *form),
        both.there("human-tasks", "release", second, "--force", *form),
    ]
    answered = [
        both.here("human-tasks", "answer", first, "-i", '{"approved": true}', "--auto", "--workflows", FLOWS, "--json"),
        both.there("human-tasks", "answer", second, "-i", '{"approved": true}', "--auto", "--json"),
    ]

    assert [item["claimed_by"] for item in shown] == ["local", "local"]
    assert [item.code for item in (*released, *answered)] == [0, 0, 0, 0], [item.text for item in released + answered]
    assert [(item.json["status"], item.json["result"]) for item in answered] == [("COMPLETED", "yes")] * 2
    assert both.there("human-tasks", "list", "--json").json == both.here("human-tasks", "list", "--json").json == []


def test_what_somebody_has_nobody_else_answers(both: Both, runs: dict[str, str]) -> None:
    """On the database as on the server."""
    task = task_of(both, runs["Approval"])
    both.here("human-tasks", "claim", task, "--actor", "anna")

    here = both.here("human-tasks", "answer", task, "-i", '{"approved": true}', "--actor", "otto", "--workflows", FLOWS)
    there = both.there("human-tasks", "answer", task, "-i", '{"approved": true}')

    assert (here.code, there.code) == (1, 1)
    assert both.said(here) == both.said(there)
    assert "anna" in here.err


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize(
    ("kind", "args"),
    [
        ("Approval", ["cancel", "ID", "--reason", "ordered twice"]),
        ("Undoable", ["rewind", "ID", "note", "--dry-run"]),
        ("Undoable", ["jump", "ID", "note"]),
        ("Undoable", ["fork", "ID", "note"]),
        ("Fragile", ["retry", "ID"]),
        ("Approval", ["retry-compensation", "ID"]),
        ("Payment", ["signal", "ID", "Paid", '{"amount": 12}', "--key", "A-1", "--auto"]),
        ("Approval", ["resume", "ID", "-i", '{"approved": true}', "--auto"]),
        ("Greeting", ["bulk", "purge", "--type", "Greeting", "--limit", "1", "--yes"]),
        ("Approval", ["bulk", "cancel", "--status", "WAITING_HUMAN", "--limit", "1", "--yes"]),
    ],
    ids=lambda item: " ".join(item) if isinstance(item, list) else item,
)
def test_changes_are_told_alike(
    both: Both, twins: Callable[..., tuple[str, str]], kind: str, args: list[str], form: list[str]
) -> None:
    """What a command changes is told in the same words."""
    subjects = twins(kind, number="A-1", switch="/nowhere")

    told = [
        both.here(*(subjects[0] if item == "ID" else item for item in args), *form, "--workflows", FLOWS),
        both.there(*(subjects[1] if item == "ID" else item for item in args), *form),
    ]

    here, there = (both.said(item) for item in told)
    assert without_narration(there) == without_narration(here)


def without_narration(said: tuple[int, Any, str]) -> tuple[int, Any, str]:
    """What a command prints of a run, without what it told of its steps while it drove them, and whose name it has."""
    code, text, err = said
    text = re.sub(r"cancelled: ordered twice( \(by local\))?", "cancelled: ordered twice", text)
    narrated = re.match(r"(?:(?:failed|resumed|done) +\w+.*\n)+(?=\w+ <id>\n)", text)
    return code, text[narrated.end() :] if narrated is not None else text, err


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["-d", '{"number": "A-1"}'], 0),
        (["--auto", "--key", "k", "--owner", "anna"], 0),
        (["-d", '{"number": []}'], 1),
        (["-d", '{"nummer": "A-1"}'], 1),
    ],
    ids=["data", "options", "wrong", "unknown"],
)
def test_a_dry_run_of_a_start_is_told_alike(both: Both, args: list[str], code: int, form: list[str]) -> None:
    """The definition that would be started, or what is wrong with the data; nothing is started."""
    here = both.here("start", "Greeting", "--dry-run", *args, *form, "--workflows", FLOWS)
    there = both.there("start", "Greeting", "--dry-run", *args, *form)

    (_, out, err), told = both.said(here), both.said(there)
    error = "".join(err.rpartition("error: ")[1:]) if code else ""  # what is said of the file lies before it
    assert (told[0], without_digest(told[1]), told[2]) == (code, without_digest(out), error)
    assert both.there("list", "--json").json == []


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
@pytest.mark.parametrize(("kind", "code"), [("Greeting", 0), ("Fragile", 1)])
def test_everything_is_resumed_alike(both: Both, kind: str, code: int, form: list[str]) -> None:
    """Runs that nobody drives go on as far as they go now; then nothing can."""
    told: list[Any] = []
    for ask, more in ((both.here, ["--workflows", FLOWS]), (both.there, [])):
        for _ in range(2):
            both.here("start", kind, "-d", '{"switch": "/nowhere"}', "--workflows", FLOWS)
        told += [[both.said(ask("resume", "--all", *more, *form)) for _ in range(2)]]

    here, there = told
    assert [item[0] for item in there] == [code, 0]
    assert there == here


def without_digest(text: str) -> str:
    """What is printed, without the digest: the server has imported the workflows as another module."""
    return re.sub(r"[0-9a-f]{64}", "<digest>", text)


def test_limits_are_told_alike(both: Both) -> None:
    """Set, changed in part, and lifted."""
    for args in (["--concurrency", "4", "--rate", "100/1m"], ["--per-key", "1"], ["--rate", "none"]):
        here, there = both.here("queues", "set", "mail", *args), both.there("queues", "set", "post", *args)
        assert there.out.replace("post", "mail") == here.out
    assert both.there("queues", "unset", "post").out == "post: no limits\n"


@pytest.mark.parametrize("form", [[], ["--json"]], ids=["text", "json"])
def test_plans_are_told_alike(both: Both, form: list[str]) -> None:
    """Added, paused, resumed and removed."""
    plan = ["--cron", "0 9 * * MON", "--tz", "Europe/Rome", "-d", '{"number": "A-1"}', *form]
    here = both.here("schedule", "add", "weekly", FLOWS, "--workflow", "Greeting", *plan)
    there = both.there("schedule", "add", "weekly", "Greeting", *plan)
    assert both.said(there)[:2] == both.said(here)[:2]
    for verb in ("pause", "resume", "remove"):
        here = both.here("schedule", verb, "weekly")
        both.here("schedule", "add", "weekly", FLOWS, "--workflow", "Greeting", *plan)
        there = both.there("schedule", verb, "weekly")
        both.here("schedule", "add", "weekly", FLOWS, "--workflow", "Greeting", *plan)
        assert (here.code, both.said(there)) == (0, both.said(here))
