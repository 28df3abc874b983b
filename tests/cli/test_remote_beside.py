"""What lies beside runs on a server: changes, links, dead letters, limits, and what could not be undone."""

import asyncio
import json
from pathlib import Path

import pytest

from ruvon.implementations.persistence.sqlite import SQLitePersistenceProvider
from tests.cli.both import FLOWS, Both
from tests.cli.conftest import ROOT
from tests.support.serving import new_builder

REPAIR = str(ROOT / "tests" / "cli" / "flows" / "cli_repair.py")


def dead_letters(place: Path, number: int) -> list[str]:
    """So many tasks whose workers have died too often."""

    async def work() -> list[str]:
        queueing = new_builder(SQLitePersistenceProvider(str(place / "x.db")), execution="queue")
        await queueing.initialize()
        try:
            store = queueing.persistence
            runs = [await queueing.create_workflow("Fetch", {"number": "A-1"}) for _ in range(number)]
            for run in runs:
                await run.run()
            tasks = await store.claim_tasks("dead-host", lease_us=1, now_us=2**60, queues=["net"], limit=number)
            await store.reap_tasks(2**60 + 2, crash_budget=1)
            for run in runs:
                await run.run()
            return [task.task_id for task in tasks]
        finally:
            await queueing.close()

    return asyncio.run(work())


def test_changes_are_told_newest_first(both: Both) -> None:
    """What was done to keys, definitions and queues, by whom and why; looking is no change."""
    both.there("keys", "create", "ci", "--role", "viewer", "--reason", "a pipeline")
    both.there("queues", "set", "mail", "--concurrency", "4")
    both.there("list")

    rows = both.there("changes", "--json").json
    table, newest = both.there("changes"), both.there("changes", "--limit", "1", "--json").json

    assert [(row["operation"], row["status"], row["reason"]) for row in rows] == [
        ("set_queue_limits", 200, None),
        ("create_key", 201, "a pipeline"),
    ]
    assert newest == rows[:1]
    assert (table.code, "create_key" in table.out, "a pipeline" in table.out) == (0, True, True)


def test_a_link_answers_the_task_that_it_was_made_for(both: Both) -> None:
    """The address is alone on standard output, without a host where the server has no public one; as data it has its end."""
    run = both.there("run", "Approval", "--json").json["workflow_id"]
    (task,) = both.there("human-tasks", "list", "--json").json
    link = ("human-tasks", "link", task["task_id"], "-i", '{"approved": true}')

    text, data = both.there(*link), both.there(*link, "--expires", "48", "--json").json
    missing = both.there("human-tasks", "link", "nothing", "-i", "{}")

    assert (text.code, text.out.count("\n"), text.out.startswith("/api/v1/approvals/")) == (0, 1, True), text.text
    assert (data["url"].endswith(data["token"]), set(data)) == (True, {"url", "token", "expires_at"})
    assert (missing.code, "nothing" in missing.err) == (4, True)
    assert both.there("show", run, "--json").json["status"] == "WAITING_HUMAN"


def test_dead_letters_are_queued_again_and_forgotten_alike(both: Both, place: Path) -> None:
    """Two of each: one on the database, one on the server, each time; none is dead afterwards."""
    first, second, third, fourth = dead_letters(place, 4)
    shown = [both.there("tasks", "list", "--dead", "--json").json, both.here("tasks", "list", "--dead", "--json").json]

    queued = both.here("tasks", "requeue", first), both.there("tasks", "requeue", second, "--reason", "more memory")
    gone = both.here("tasks", "discard", third), both.there("tasks", "discard", fourth)

    assert shown[0] == shown[1]
    assert [item.code for item in (*queued, *gone)] == [0] * 4, [item.text for item in (*queued, *gone)]
    assert [" is " in item.out for item in queued] == [True, True]  # the server runs the step itself
    assert gone[1].out.replace(fourth, third) == gone[0].out
    assert both.there("tasks", "list", "--dead", "--json").json == []


@pytest.mark.parametrize(
    "limits",
    [
        ["--concurrency", "-1"],
        ["--per-key", "-1"],
        ["--rate", "-1/1m"],
        ["--rate", "5/0s"],
        ["--rate", "5/9999d"],
        ["--concurrency", "99999999999"],
        ["--concurrency", "x"],
    ],
    ids=" ".join,
)
def test_limits_that_cannot_be_are_refused_alike(both: Both, limits: list[str]) -> None:
    """With exit code 2, and nothing is set."""
    here, there = both.here("queues", "set", "mail", *limits), both.there("queues", "set", "mail", *limits)

    assert (there.code, both.said(there)) == (2, both.said(here))
    assert both.there("queues", "list", "--json").json == []


def test_failed_compensations_are_tried_again_alike(both: Both, place: Path) -> None:
    """As long as they fail that is code 1; when everything is undone it is code 0."""
    both.builder.register(REPAIR)
    data = json.dumps({"gate": str(place / "gate")})
    runs = [both.there("run", "Stuck", "-d", data, "--json").json["workflow_id"] for _ in range(2)]

    def tried() -> list[tuple[int, str, str]]:
        code = ("--import-root", str(Path(REPAIR).parent), "--workflows", REPAIR)
        return [
            both.said(both.here("retry-compensation", runs[0], "--json", *code)),
            both.said(both.there("retry-compensation", runs[1], "--json", "--reason", "oiled")),
        ]

    stuck = tried()
    (place / "gate").touch()
    undone = tried()

    assert (stuck[0][0], stuck[1]) == (1, stuck[0])
    assert (undone[0][0], undone[1]) == (0, undone[0])
    assert both.there("show", runs[1], "--json").json["status"] == "FAILED_ROLLED_BACK"


def test_more_lines_than_a_page_has_are_all_shown(both: Both, place: Path) -> None:
    """By `logs` and `show --logs`, as on the database."""
    run = str(both.there("run", "Greeting", "--json").json["workflow_id"])

    async def write() -> None:
        store = SQLitePersistenceProvider(str(place / "x.db"))
        await store.initialize()
        for number in range(501):
            await store.log_execution(run, "note", "INFO", f"line {number}", {})
        await store.close()

    asyncio.run(write())
    asked = (("logs", run, "--limit", "1000", "--json"), ("show", run, "--logs", "--json"))

    assert [both.difference(*args, code=0) for args in asked] == [[], []]
    told = [row["message"] for row in both.there(*asked[0]).json if row.get("message", "").startswith("line")]
    assert told == [f"line {number}" for number in range(501)]


def test_a_conversation_is_the_same_on_a_server(both: Both) -> None:
    """Initial data and answers are asked for in the same words, and what does not fit is asked for again."""
    talk = ("interactive", "run")
    given = "A-1\nmuch\n12\n\n\n\nperhaps\nyes\n"
    here = both.here(*talk, FLOWS, "--workflow", "Approval", "--json", given=given)
    there = both.there(*talk, "Approval", "--json", given=given)
    code, out, err = both.said(there)

    assert (code, there.json["result"]) == (0, "yes"), there.text
    assert "no integer" in err
    assert "neither yes nor no" in err
    head = "Approval: the initial data"
    local = both.said(here)
    assert (out, err) == (local[1], head + local[2].partition(head)[2])  # before it, the file has warnings


def test_a_run_is_started_with_questions(both: Both) -> None:
    """`start -i` asks for the initial data by the schema that the server has."""
    done = both.there("start", "Greeting", "-i", "--auto", "--json", given="A-7\n\n\n\n\n")

    assert (done.code, done.json["result"]) == (0, "hello A-7"), done.text
