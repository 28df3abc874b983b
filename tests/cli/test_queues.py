"""queues, and what `tasks list` says of tasks that wait."""

from pathlib import Path

import pytest

from tests.cli.conftest import Command

FLOW = Path(__file__).parent / "flows" / "cli_queued.py"
ROOTS = ("--import-root", str(FLOW.parent), "--workflows", str(FLOW))


def test_limits_are_set_listed_and_lifted(ruvon: Command) -> None:
    """What is not given stays; `none` lifts one; a queue without any is not listed."""
    assert (
        ruvon("queues", "set", "mail", "--concurrency", "4", "--rate", "100/1m").out
        == "mail: concurrency 4, rate 100/1m\n"
    )
    assert ruvon("queues", "set", "mail", "--per-key", "1", "--rate", "none").out == "mail: concurrency 4, per key 1\n"
    (row,) = ruvon("queues", "list", "--json").json
    assert row == {
        "queue": "mail",
        "pending": 0,
        "claimed": 0,
        "dead": 0,
        "concurrency": 4,
        "per_key": 1,
        "rate": None,
        "started": None,
    }
    ruvon("queues", "set", "mail", "--rate", "0")
    assert "0/1s" in ruvon("queues", "list").out
    assert ruvon("queues", "unset", "mail").out == "mail: no limits\n"
    assert ruvon("queues", "unset", "mail").code == 4
    assert ruvon("queues", "list", "--json").json == []
    ruvon("queues", "set", "net", "--concurrency", "1")
    assert ruvon("queues", "set", "net", "--concurrency", "none").out == "net: no limits\n"
    assert ruvon("queues", "list", "--json").json == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "nothing to set"),
        (("--concurrency", "many"), "--concurrency is `many`; give a whole number"),
        (("--concurrency=-1",), "--concurrency is `-1`"),
        (("--per-key", "1.5"), "--per-key is `1.5`"),
        (("--rate", "5"), "--rate is `5`; give a number of starts and a period"),
        (("--rate", "5/soon"), "--rate is `5/soon`"),
        (("--rate", "5/0s"), "--rate is `5/0s`"),
        (("--rate=-5/1m",), "--rate is `-5/1m`"),
        (("--rate", "5/400d"), "366 days"),
        (("--concurrency", "9" * 5_000), "0 to 1000000000"),
    ],
)
def test_limits_that_cannot_be_are_refused(ruvon: Command, options: tuple[str, ...], said: str) -> None:
    """With what to give instead; nothing is stored."""
    ruvon("queues", "set", "net", "--concurrency", "1")
    refused = ruvon("queues", "set", "mail", *options)
    assert refused.code in {1, 2}
    assert said in refused.err
    assert [row["queue"] for row in ruvon("queues", "list", "--json").json] == ["net"]


def test_a_list_of_tasks_says_what_they_wait_for(ruvon: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit that is in the way; nothing where there is none."""
    monkeypatch.setenv("RUVON_EXECUTION", "queue")
    ruvon("start", str(FLOW), "-d", '{"n": 4}', "--auto", *ROOTS)
    (task,) = ruvon("tasks", "list", "--json").json
    assert task["waits_for"] is None
    ruvon("queues", "set", task["queue"], "--concurrency", "0")
    (task,) = ruvon("tasks", "list", "--json").json
    assert task["waits_for"] == "queue limit: 0 of 0 run"
    assert "queue limit: 0 of 0 run" in ruvon("tasks", "list").out
    assert ruvon("tasks", "show", task["task_id"], "--json").json["concurrency_key"] is None
